"""A newcomer's machine: the locks install anywhere, the targets exist, nothing of this machine is in the repository."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text()))


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_of_a_lock_is_pinned_and_hashed_and_no_address_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    packages = [block for block in blocks if block.strip() and not block.startswith("#")]
    assert len(packages) > 20
    for block in packages:
        assert PIN.match(block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"https?://|file:|^-e |^/| @ |--index-url|--find-links", text, re.MULTILINE)


def test_what_is_tested_is_what_runs() -> None:
    """Every version of the runtime lock is the one in the development lock."""
    runtime, development = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: development.get(name) for name in runtime} == runtime


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = lambda wanted: {re.split(r"[\[<>=!~ ]", each)[0].lower() for each in wanted}  # noqa: E731
    assert names(project["dependencies"]) <= set(pins("requirements.lock"))
    assert names(project["optional-dependencies"]["dev"]) <= set(pins("requirements-dev.lock"))


def test_make_lists_its_targets_by_default() -> None:
    shown = subprocess.run(["make", "--silent"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for target in ("setup", "run", "test", "test-long", "lint", "types", "arch", "bench", "openapi", "lock", "docs"):
        assert f"make {target}" in re.sub(r"\x1b\[[0-9;]*m", "", shown), target


def test_the_console_script_is_where_the_project_says() -> None:
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["anodyne"]
    assert script == "api.cli.main:cli"
    from api.cli.main import cli

    assert cli.name == "cli"


def test_every_non_python_file_of_a_package_is_packaged() -> None:
    """A file that the code reads and the wheel lacks would only fail in production."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    stray = [
        path.relative_to(ROOT).as_posix()
        for path in tracked("domain", "services", "projections", "api")
        if path.suffix != ".py" and not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert stray == []


def test_no_test_skips_silently() -> None:
    """A test that cannot run must fail and say what to install (DESIGN section 10)."""
    here = Path(__file__).resolve()
    skipping = re.compile(r"pytest\.(skip|importorskip|mark\.(skip|skipif))\b|unittest\.skip")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("tests/*.py", "tests/**/*.py") if path.resolve() != here
        for number, line in enumerate(path.read_text().splitlines(), 1) if skipping.search(line)
    ]
    assert found == []


def test_nothing_of_one_machine_is_in_the_repository() -> None:
    """No absolute path of a home or a work folder, and no private key."""
    suspicious = re.compile(rb"/(?:home|Users|root|work)/[a-z]|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----")
    here = Path(__file__).resolve()
    found = [
        str(path.relative_to(ROOT)) for path in tracked() if path.resolve() != here and path.suffix != ".gz"
        and suspicious.search(path.read_bytes())
    ]
    assert found == []
