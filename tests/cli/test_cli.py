"""The command line as a person and a script use it: what it prints, in both forms, and its exit codes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from api.cli.main import NOUNS, cli
from api.settings import Settings
from domain import clinic
from domain.kernel import Actor

Run = Callable[..., Result]
CLINIC = UUID(int=7)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def run(*args: str, **environment: str) -> Result:
        settings = {"ANODYNE_HOME": str(home), "ANODYNE_ENVIRONMENT": "embedded", **environment}
        return CliRunner().invoke(cli, list(args), env=settings)

    return run


@pytest.fixture
def migrated(run: Run) -> Run:
    done(run("db", "migrate"))
    return run


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(result: Result) -> Any:
    return json.loads(done(result))


def refused(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stderr


def open_clinic(home: Path) -> None:
    from api.bootstrap import build_services
    from services.handling import Request

    services = build_services(Settings(home=home))
    owner, now = Actor(id="owner", role="owner"), datetime.now(UTC)
    opening = clinic.OpenClinic(by=owner, now=now, at=now, clinic_name="Elm", timezone="America/New_York")
    services.handle(CLINIC, opening, Request(by=owner, clinic_id=None))
    services.close()


# --- help and errors -----------------------------------------------------------------------------


@pytest.mark.parametrize("noun", list(NOUNS))
def test_every_noun_and_every_verb_explains_itself(run: Run, noun: str) -> None:
    assert noun in done(run("--help"))
    done(run(noun, "--help"))
    command = cli.get_command(None, noun)  # type: ignore[arg-type]
    for name, verb in getattr(command, "commands", {}).items():
        assert verb.help, f"{noun} {name} has no help"
        assert "--json" in done(run(noun, name, "--help"))


def test_what_is_asked_wrongly_exits_with_2(run: Run) -> None:
    assert "No such command" in refused(run("nonsense"), 2)
    assert "Missing option" in refused(run("key", "create"), 2)
    assert "not a valid UUID" in refused(run("import", "fhir", ".", "--clinic", "x"), 2)


def test_settings_that_would_not_start_exit_with_2_and_say_which(run: Run) -> None:
    assert "ANODYNE_PORT" in refused(run("config", "check", ANODYNE_PORT="many"), 2)
    assert "ANODYNE_SECRET" in refused(run("config", "check", ANODYNE_ENVIRONMENT="production"), 2)
    wrong = run("config", "check", "--json", ANODYNE_ENVIRONMENT="production")
    assert json.loads(refused(wrong, 2))["error"]["code"] == "settings"


def test_config_check_warns_of_what_starts_and_tells_nobody(run: Run) -> None:
    """In production without a way for letters; and a carrier that cannot be had does not start."""
    production = {"ANODYNE_ENVIRONMENT": "production", "ANODYNE_SECRET": "s" * 40,
                  "ANODYNE_DATABASE_URL": "postgresql://db/x", "ANODYNE_ALLOW_SIMULATION": "false"}
    (warning,) = json.loads(done(run("config", "check", "--json", **production)))["warnings"]
    assert "nobody is told of alerts" in warning
    assert json.loads(done(run("config", "check", "--json")))["warnings"] == []
    assert "ANODYNE_MAIL_SENDER=nowhere.at_all:x" in refused(
        run("config", "check", ANODYNE_MAIL_SENDER="nowhere.at_all:x"), 2)


def test_config_check_never_shows_a_secret(run: Run) -> None:
    shown = done(run("config", "check", ANODYNE_SECRET="s" * 40, ANODYNE_KEYS_URL="postgresql://u:hush@h:5432/k"))
    assert "s" * 40 not in shown
    assert "hush" not in shown
    assert "postgresql://h:5432/k" in shown


def test_a_database_that_is_not_migrated_says_what_to_do(run: Run) -> None:
    assert "anodyne db migrate" in refused(run("audit", "verify"), 1)


def test_a_database_that_cannot_be_reached_is_one_sentence(run: Run) -> None:
    result = run("audit", "verify", ANODYNE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert "database" in refused(result, 1)


# --- db, user, key -------------------------------------------------------------------------------


def test_migrating_twice_applies_nothing_the_second_time(run: Run) -> None:
    assert answer(run("db", "migrate", "--json"))["applied"]
    assert answer(run("db", "migrate", "--json"))["applied"] == []
    assert done(run("db", "migrate")) == "up to date\n"


def test_a_key_is_made_shown_once_listed_and_revoked(migrated: Run) -> None:
    done(migrated("user", "create", "Ann"))
    made = answer(migrated("key", "create", "--user", "Ann", "--role", "nurse", "--clinic", str(CLINIC), "--json"))
    assert made["key"].startswith("anodyne_local_")
    listed = migrated("key", "list", "--json")
    assert made["key"].rsplit("_", 1)[1] not in listed.stdout
    (row,) = answer(listed)
    assert (row["role"], row["clinics"], row["state"]) == ("nurse", [str(CLINIC)], "good")
    done(migrated("key", "revoke", made["key_id"]))
    assert answer(migrated("key", "list", "--json"))[0]["state"] == "revoked"
    assert "no live key" in refused(migrated("key", "revoke", made["key_id"]), 1)


def test_a_key_must_say_where_it_is_good(migrated: Run) -> None:
    done(migrated("user", "create", "Ann"))
    assert "--all-clinics" in refused(migrated("key", "create", "--user", "Ann", "--role", "nurse"), 2)
    assert "nobody is called Bob" in refused(
        migrated("key", "create", "--user", "Bob", "--role", "nurse", "--all-clinics"), 1)


def test_a_user_is_made_once_and_can_be_disabled(migrated: Run) -> None:
    done(migrated("user", "create", "Ann"))
    assert "there is a user called Ann" in refused(migrated("user", "create", "Ann"), 1)
    done(migrated("user", "disable", "Ann"))
    assert answer(migrated("user", "list", "--json"))[0]["state"] == "disabled"


def test_a_member_of_staff_gets_the_pin_that_witnesses_waste(migrated: Run, home: Path) -> None:
    """Without it nobody could witness anything over the API."""
    done(migrated("user", "create", "Ann", "--staff", str(CLINIC)))
    done(migrated("user", "create", "Desk"))
    assert "PIN of Ann is set" in done(migrated("user", "pin", "Ann", "--pin", "135790"))
    assert "at least 4 digits" in refused(migrated("user", "pin", "Ann", "--pin", "12x4"), 2)
    assert "no member of staff" in refused(migrated("user", "pin", "Desk", "--pin", "135790"), 1)
    with sqlite3.connect(home / "views.sqlite3") as views:
        (kept,) = views.execute("SELECT pin_hash FROM ops_users WHERE pin_hash IS NOT NULL").fetchone()
    assert kept.startswith("$argon2id$")
    assert "135790" not in kept


# --- projections ---------------------------------------------------------------------------------


def test_projections_are_listed_rebuilt_and_compared(migrated: Run, home: Path) -> None:
    open_clinic(home)
    names = {row["name"] for row in answer(migrated("projections", "status", "--json"))}
    assert {"utilization", "outcomes", "safety", "directory"} <= names
    done(migrated("projections", "rebuild", "--all"))
    status = answer(migrated("projections", "status", "--json"))
    assert {row["lag_events"] for row in status} == {0}
    assert {row["equal"] for row in answer(migrated("projections", "compare", "--json"))} == {True}


def test_status_fails_when_one_is_further_behind_than_allowed(migrated: Run, home: Path) -> None:
    open_clinic(home)
    assert "late" in refused(migrated("projections", "status", "--max-lag-seconds", "0"), 1)


def test_unknown_projections_and_needless_skips_are_refused(migrated: Run) -> None:
    assert "no projection is called nonsense" in refused(migrated("projections", "rebuild", "nonsense"), 2)
    assert "nothing to skip" in refused(migrated("projections", "skip", "safety", "--reason", "x"), 1)
    done(migrated("projections", "pause", "safety"))
    status = {row["name"]: row["state"] for row in answer(migrated("projections", "status", "--json"))}
    assert status["safety"] == "paused"
    done(migrated("projections", "resume", "safety"))


# --- audit ---------------------------------------------------------------------------------------


def test_an_untouched_log_verifies_and_an_altered_one_is_named(migrated: Run, home: Path) -> None:
    open_clinic(home)
    assert [log["holds"] for log in answer(migrated("audit", "verify", "--json"))] == [True, True]
    with sqlite3.connect(home / "log.sqlite3") as raw:
        triggers = raw.execute(
            "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%UPDATE%'").fetchall()
        for name, _ in triggers:
            raw.execute(f'DROP TRIGGER "{name}"')
        (table,) = {table for _, table in triggers if "care_events" in table}
        raw.execute(f'UPDATE "{table}" SET payload = replace(payload, \'Elm\', \'Oak\')')
    result = migrated("audit", "verify", "--json")
    refused(result, 1)
    (care, _) = json.loads(result.stdout)
    assert [wrong["kind"] for wrong in care["violations"]] == ["leaf"]


def test_a_snapshot_that_differs_from_its_events_is_named_and_deleted(migrated: Run, home: Path) -> None:
    from api.bootstrap import build_services

    open_clinic(home)
    services = build_services(Settings(home=home))
    state = services.handling.current(clinic, CLINIC).state
    assert services.handling.snapshots.take(clinic, CLINIC, replace(state, clinic_name="Oak"))
    services.close()
    assert str(CLINIC) in refused(migrated("audit", "verify"), 1)
    done(migrated("audit", "verify"))


def test_an_export_is_whole_in_order_and_noted_before_it_is_given(migrated: Run, home: Path, tmp_path: Path) -> None:
    open_clinic(home)
    out = tmp_path / "log.ndjson"
    said = answer(migrated("audit", "export", "--out", str(out), "--json"))
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [event["position"] for event in events] == list(range(1, said["upto"] + 1))
    assert (out.stat().st_mode & 0o777) == 0o600
    access = [json.loads(line) for line in done(migrated("audit", "export", "--log", "access")).splitlines()]
    assert [entry["name"] for entry in access][-1] == "access.export_made.v1"
    only = done(migrated("audit", "export", "--clinic", str(CLINIC)))
    assert {json.loads(line)["clinic_id"] for line in only.splitlines()} == {str(CLINIC)}


def test_only_a_key_that_may_gets_the_payload_unsealed(migrated: Run, home: Path, tmp_path: Path) -> None:
    open_clinic(home)
    write_export(tmp_path / "fhir")
    done(migrated("import", "fhir", str(tmp_path / "fhir"), "--clinic", str(CLINIC)))
    done(migrated("user", "create", "Ann"))

    def key(role: str, *more: str) -> str:
        made = answer(migrated("key", "create", "--user", "Ann", "--role", role, "--all-clinics", "--json", *more))
        return str(made["key"])

    assert "Fictional" not in done(migrated("audit", "export"))
    assert "may unseal" in refused(migrated("audit", "export", "--unseal"), 1)
    assert "may unseal" in refused(migrated("audit", "export", "--unseal", ANODYNE_API_KEY=key("manager")), 1)
    narrow = key("auditor", "--scope", "events:read")
    assert "may unseal" in refused(migrated("audit", "export", "--unseal", ANODYNE_API_KEY=narrow), 1)
    assert "not a live key" in refused(migrated("audit", "export", ANODYNE_API_KEY="anodyne_local_x_y"), 1)
    assert "Fictional" in done(migrated("audit", "export", "--unseal", ANODYNE_API_KEY=key("auditor")))


# --- import, docs --------------------------------------------------------------------------------


def write_export(folder: Path) -> None:
    folder.mkdir()
    patient = {"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "1970-01-01",
               "name": [{"family": "Fictional", "given": ["A"]}]}
    (folder / "Patient.ndjson").write_text(json.dumps(patient) + "\nbroken\n")


def test_an_import_reports_what_it_used_and_what_not(migrated: Run, home: Path, tmp_path: Path) -> None:
    open_clinic(home)
    write_export(tmp_path / "fhir")
    report = answer(migrated("import", "fhir", str(tmp_path / "fhir"), "--clinic", str(CLINIC), "--json"))
    assert (report["lines"], report["patients"], report["unused"]) == (2, 1, {"line.broken_line": 1})
    text = done(migrated("import", "fhir", str(tmp_path / "fhir"), "--clinic", str(CLINIC)))
    assert "there already" in text
    assert "Patient.ndjson:2" in text


def test_an_import_into_a_clinic_that_is_not_there_is_refused(migrated: Run, tmp_path: Path) -> None:
    write_export(tmp_path / "fhir")
    into = ("--clinic", str(CLINIC))
    assert "there is no clinic" in refused(migrated("import", "fhir", str(tmp_path / "fhir"), *into), 2)


def test_the_event_catalogue_is_the_one_in_the_repository(run: Run) -> None:
    committed = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    assert done(run("docs", "events")) == committed, "run: make docs"


def test_the_event_catalogue_marks_what_is_sealed(run: Run) -> None:
    events = {event["name"]: event for event in answer(run("docs", "events", "--json"))}
    fields = {field["name"]: field["sealed"] for field in events["patient.registered.v1"]["fields"]}
    assert fields["family_name"] is True
    assert fields["sex"] is False
