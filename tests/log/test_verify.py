"""Every alteration, deletion, reordering or truncation by someone who owns the database is found and named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from services.log import EventLog
from services.log.verify import Violation, verify
from tests.conftest import Database
from tests.log.given import append, by_nurse, key, renamed, room, scored

CLINIC, ONE, OTHER = UUID(int=11), UUID(int=101), UUID(int=102)
Tamper = Callable[..., None]


@pytest.fixture
def tamper(database: Database) -> Tamper:
    """Runs statements as the database's owner, with the triggers that refuse changes switched off."""

    def sqlite_tamper(*statements: str) -> None:
        with sqlite3.connect(database.log_url.removeprefix("sqlite:///")) as connection:
            for trigger in ("no_update", "no_delete", "no_replace"):
                connection.execute(f"DROP TRIGGER care_events_{trigger}")
            for statement in statements:
                connection.execute(statement.replace("log.", ""))
        connection.close()

    def postgres_tamper(*statements: str) -> None:
        with psycopg.connect(database.admin_url) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    return sqlite_tamper if database.kind == "sqlite" else postgres_tamper


@pytest.fixture
def log_of_six(event_log: EventLog) -> EventLog:
    """LogOpened, then five events of two streams of one clinic; one claims a room, one has an idempotency row."""
    nurse = by_nurse(clinic_id=CLINIC, subject=uuid4())
    append(event_log, ONE, 0, scored(), envelope=nurse)
    append(event_log, OTHER, 0, renamed("Garcia"), envelope=nurse, claims=(room(9, 10),))
    append(event_log, ONE, 1, scored(), scored(), envelope=nurse, idempotency=key("k"))
    append(event_log, OTHER, 1, scored(), envelope=nurse)
    assert verify(event_log).holds
    return event_log


def found(log: EventLog) -> set[tuple[str, int]]:
    return {(violation.kind, violation.position) for violation in verify(log).violations}


@pytest.mark.parametrize(
    "change",
    [
        "payload = replace(payload, 'rass', 'xxxx')", "name = 'infusion.vitals_recorded.v1'", "actor = 'staff:2'",
        "role = 'owner'", "origin = 'import'", "subject = NULL", f"subject = '{UUID(int=5)}'",
        f"command_id = '{UUID(int=5)}'", f"causation_id = '{UUID(int=5)}'", f"correlation_id = '{UUID(int=5)}'",
        "claims = '{\"claims\":[],\"releases\":[]}'", "recorded_us = recorded_us + 1",
    ],
)
def test_an_altered_column_is_named(log_of_six: EventLog, tamper: Tamper, change: str) -> None:
    tamper(f"UPDATE log.care_events SET {change} WHERE position = 4")
    assert ("leaf", 4) in found(log_of_six)


def test_swapped_payloads_of_two_streams_are_named(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper(
        "CREATE TABLE log.kept AS SELECT position, payload FROM log.care_events WHERE position IN (3, 6)",
        "UPDATE log.care_events SET payload = (SELECT payload FROM log.kept WHERE position = 6) WHERE position = 3",
        "UPDATE log.care_events SET payload = (SELECT payload FROM log.kept WHERE position = 3) WHERE position = 6",
    )
    assert {("leaf", 3), ("leaf", 6)} <= found(log_of_six)


def test_a_deleted_event_is_named_by_its_position_version_and_clinic_seq(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper("DELETE FROM log.care_events WHERE position = 4")
    violations = verify(log_of_six).violations
    assert {("position-hole", 4), ("version", 5), ("clinic-seq", 5)} == {(v.kind, v.position) for v in violations}
    assert Violation(
        kind="version", detail="version 3 follows version 1", position=5, stream_id=str(ONE), version=3
    ) in violations


def test_a_deleted_event_closed_up_behind_is_named(log_of_six: EventLog, tamper: Tamper) -> None:
    """Moving the later ones down makes positions dense again; their leaves and the stream's versions tell."""
    tamper(
        "DELETE FROM log.care_events WHERE position = 4",
        "UPDATE log.care_events SET position = 4, clinic_seq = 3 WHERE position = 5",
        "UPDATE log.care_events SET position = 5, clinic_seq = 4 WHERE position = 6",
    )
    assert {("leaf", 4), ("leaf", 5), ("version", 4)} <= found(log_of_six)


def test_reordered_events_are_named(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper(
        "UPDATE log.care_events SET position = 99 WHERE position = 4",
        "UPDATE log.care_events SET position = 4 WHERE position = 5",
        "UPDATE log.care_events SET position = 5 WHERE position = 99",
    )
    assert {("leaf", 4), ("leaf", 5), ("version", 4), ("version", 5)} <= found(log_of_six)


def test_a_cut_tail_is_named_by_the_heads_and_answers_that_speak_of_it(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper("DELETE FROM log.care_events WHERE position >= 5")
    violations = verify(log_of_six).violations
    assert {(v.kind, v.stream_id, v.version) for v in violations} == {
        ("event-missing", str(ONE), 3), ("event-missing", str(OTHER), 2), ("idempotency", None, None)
    }


def test_everything_gone_is_named(log_of_six: EventLog, tamper: Tamper, database: Database) -> None:
    tamper("DELETE FROM log.care_events" if database.kind == "sqlite" else "TRUNCATE log.care_events")
    assert {"event-missing", "claim"} <= {violation.kind for violation in verify(log_of_six).violations}


def test_a_forged_event_without_a_true_leaf_is_named(log_of_six: EventLog, tamper: Tamper) -> None:
    columns = (
        "stream_id, name, payload, recorded_us, clinic_id, subject, actor, role, origin, correlation_id, causation_id, "
        "command_id, claims, leaf_hash"
    )
    tamper(
        f"INSERT INTO log.care_events (position, version, clinic_seq, {columns}) "
        f"SELECT 7, 3, 6, {columns} FROM log.care_events WHERE position = 6",
    )
    assert {("leaf", 7), ("head", 0)} == found(log_of_six)


def test_a_head_claim_or_answer_that_the_log_does_not_bear_out_is_named(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper(
        f"UPDATE log.care_heads SET version = 1 WHERE stream_id = '{ONE}'",
        "UPDATE log.care_claims SET ends_us = ends_us + 1",
        "UPDATE log.care_idempotency SET last_position = 77",
    )
    assert found(log_of_six) == {("head", 0), ("claim", 3), ("idempotency", 77)}


def test_a_claim_or_head_taken_away_is_named(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper("DELETE FROM log.care_claims", f"DELETE FROM log.care_heads WHERE stream_id = '{OTHER}'")
    assert found(log_of_six) == {("claim", 3), ("head", 0)}


def test_a_clock_set_back_is_named(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper("UPDATE log.care_events SET recorded_us = recorded_us - 3600000000 WHERE position = 5")
    assert {("leaf", 5), ("recorded-at", 5)} == found(log_of_six)


def test_an_unknown_name_or_unreadable_payload_is_named(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper(
        "UPDATE log.care_events SET name = 'os.path:join' WHERE position = 2",
        "UPDATE log.care_events SET payload = '{}' WHERE position = 6",
    )
    assert {("unreadable", 2), ("unreadable", 6), ("leaf", 2), ("leaf", 6)} == found(log_of_six)


def test_a_log_whose_opening_was_replaced_is_named(log_of_six: EventLog, tamper: Tamper) -> None:
    tamper("UPDATE log.care_events SET payload = replace(payload, 'production', 'simulation') WHERE position = 1")
    assert ("leaf", 1) in found(log_of_six)


def test_no_false_alarm_while_others_write(event_log: EventLog) -> None:
    import threading

    stop = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            append(event_log, uuid4(), 0, scored(), envelope=by_nurse(clinic_id=CLINIC), claims=(
                room(number, number + 1, holder=str(number)),), idempotency=key(f"w{number}"))
            number += 1

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(30):
            assert verify(event_log).holds
    finally:
        stop.set()
        writer.join()


def test_progress_is_told(log_of_six: EventLog) -> None:
    told: list[tuple[int, int]] = []
    outcome = verify(log_of_six, progress=lambda done, of: told.append((done, of)))
    assert told == [(6, 6)] and (outcome.events, outcome.head, outcome.log) == (6, 6, "care")
