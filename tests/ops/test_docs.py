"""Documents that name code, tests, files or commands name ones that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import NOUNS, cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("README.md")])
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"\banodyne ((?:" + "|".join(NOUNS) + r")(?: [a-z]+)?)")


@cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_guarantee_names_a_test_that_exists() -> None:
    rows = [line for line in (ROOT / "docs/guarantees.md").read_text().splitlines()
            if line.startswith("| ") and not line.startswith(("| promise", "|---"))]
    assert len(rows) > 40
    missing = []
    for row in rows:
        named = TEST.findall(row)
        assert named, f"a promise without a test: {row}"
        missing += [f"{path}::{name}" for path, name in named
                    if not (ROOT / path).is_file() or name not in named_in(path)]
    assert missing == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    broken = [target for target in LINK.findall(document.read_text()) if not (document.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_that_are_named_exist(document: Path) -> None:
    for words in set(COMMAND.findall(document.read_text())):
        noun, _, verb = words.partition(" ")
        command = cli.get_command(None, noun)  # type: ignore[arg-type]
        verbs = getattr(command, "commands", None)
        if verbs is not None and verb:
            assert verb in verbs, f"{document.name}: anodyne {words}"
        assert CliRunner().invoke(cli, [noun, "--help"]).exit_code == 0


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs/adr"
    pages = {path.name for path in folder.glob("[0-9]*.md")}
    index = (folder / "README.md").read_text()
    assert set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", index)) == pages
    for name in pages:
        title = (folder / name).read_text().splitlines()[0].removeprefix(f"# {name[:4]} ")
        assert title in index, name


def test_every_file_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:domain|services|projections|api|tests)/[\w/.]*)`",
                       (ROOT / "docs/architecture.md").read_text())
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []
