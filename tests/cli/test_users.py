"""`anodyne user ...`: people who sign in are made, given roles, let in again and stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.bootstrap import build_read_side, build_services, identity
from api.cli.main import cli
from api.settings import Settings
from tests.cli.test_cli import CLINIC, open_clinic

PASSWORD = "violet harbour kettle 41"
Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    """Over a migrated home with one clinic."""

    def run(*args: str, typed: str = "") -> Result:
        return CliRunner().invoke(cli, list(args), env={"ANODYNE_HOME": str(home)}, input=typed)

    assert run("db", "migrate").exit_code == 0
    open_clinic(home)
    return run


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def listed(run: Run, name: str) -> Any:
    return next(row for row in told(run("user", "list", "--json")) if row["user_name"] == name)


def attempt(home: Path, name: str, password: str) -> tuple[str, bool]:
    """What signing in comes to, and whether the password must be changed then."""
    settings = Settings(home=home)
    services = build_services(settings)
    reads = build_read_side(settings, services)
    try:
        found = identity(settings, services, reads).accounts.attempt(name, password)
        return found.reason, bool(found.account and found.account.must_change)
    finally:
        reads.close()
        services.close()


def test_a_person_is_made_who_can_sign_in(run: Run, home: Path) -> None:
    """The password comes by standard input, and must be changed at first unless it is said to last."""
    made = run("user", "create", "Ann Other", "--role", "manager", "--clinic", str(CLINIC), "--password-stdin",
               typed=PASSWORD + "\n")  # fmt: skip
    assert made.exit_code == 0 and PASSWORD not in made.output
    assert attempt(home, "ann other", PASSWORD) == ("ok", True)
    run("user", "create", "Bob", "--role", "auditor", "--all-clinics", "--password-stdin", "--lasting", typed=PASSWORD)
    assert attempt(home, "bob", PASSWORD) == ("ok", False)
    row = listed(run, "Ann Other")
    assert (row["roles"], row["signs_in"], row["second_step"], row["state"]) == (["manager"], True, False, "active")


@pytest.mark.parametrize(("args", "typed", "code", "said"), [
    (["Ann", "--role", "manager"], "", 2, "--clinic"),
    (["Ann", "--role", "manager", "--all-clinics", "--clinic", str(CLINIC)], "", 2, "--clinic"),
    (["Ann", "--role", "integrator", "--all-clinics"], "", 2, "integrator"),
    (["Ann", "--all-clinics"], "", 2, "--role"),
    (["Ann", "--password-stdin"], PASSWORD, 2, "--role"),
    (["Ann", "--role", "manager", "--all-clinics", "--password-stdin"], "", 2, "no password came"),
    (["Ann", "--role", "manager", "--all-clinics", "--password-stdin"], "short", 2, "12 characters"),
    (["Ann", "--role", "manager", "--all-clinics", "--password-stdin"], "ann-password-2026", 2, "made of your name"),
    (["Ann", "--role", "nurse", "--clinic", "00000000-0000-4000-8000-00000000dead"], "", 1, "no clinic has the id"),
])  # fmt: skip
def test_what_cannot_be_is_refused_and_makes_nobody(
    run: Run, args: list[str], typed: str, code: int, said: str
) -> None:
    refused = run("user", "create", *args, typed=typed)
    assert refused.exit_code == code and said in refused.stderr, refused.output
    assert told(run("user", "list", "--json")) == []


def test_roles_are_given_and_taken(run: Run) -> None:
    run("user", "create", "Ann", "--role", "nurse", "--clinic", str(CLINIC), "--password-stdin", typed=PASSWORD)
    assert told(run("user", "grant", "Ann", "--role", "manager", "--all-clinics", "--json"))["roles"] == [
        "manager", "nurse"
    ]
    assert told(run("user", "grant", "Ann", "--role", "nurse", "--take", "--json"))["roles"] == ["manager"]
    run("user", "create", "Machine")
    assert run("user", "grant", "Machine", "--role", "nurse", "--all-clinics").exit_code == 1
    assert run("user", "grant", "Nobody", "--role", "nurse", "--all-clinics").exit_code == 1


def test_who_is_locked_out_is_let_in_again(run: Run, home: Path) -> None:
    """With a new password, which must be changed; their sessions end."""
    run("user", "create", "Ann", "--role", "nurse", "--all-clinics", "--password-stdin", "--lasting", typed=PASSWORD)
    for _ in range(6):
        reason, _ = attempt(home, "ann", "violet harbour kettle 42")
    assert reason == "locked" and listed(run, "Ann")["state"] == "locked"
    told(run("user", "reset", "Ann", "--json"))
    assert attempt(home, "ann", PASSWORD) == ("ok", False)
    told(run("user", "reset", "Ann", "--password-stdin", "--second-step", "--json", typed="orange meadow lantern"))
    assert attempt(home, "ann", "orange meadow lantern") == ("ok", True)
    assert run("user", "reset", "Ann", "--password-stdin", typed="short").exit_code == 2
    assert run("user", "reset", "Nobody").exit_code == 1


def test_who_is_disabled_is_out(run: Run, home: Path) -> None:
    run("user", "create", "Ann", "--role", "nurse", "--all-clinics", "--password-stdin", typed=PASSWORD)
    told(run("user", "disable", "ann", "--json"))
    assert attempt(home, "ann", PASSWORD)[0] == "disabled"
    assert listed(run, "Ann")["state"] == "disabled"
