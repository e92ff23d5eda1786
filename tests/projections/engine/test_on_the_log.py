"""The engine on the real log with the real projections, as the least-privileged role on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from sqlalchemy import Table, select

from domain.catalogue import EVENTS
from domain.corrections import EntryAmended, EntryStruck
from domain.kernel import Envelope, Event, secret_fields
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.facts.tables import directory_people
from projections.migrations import migrate, pending
from projections.registry import directory_group, facts_group
from services.log import ANY_VERSION, Append, EventLog, KeyUnsealer, StreamWrite
from tests.conftest import Database
from tests.golden.make_events import sample_of

CLINIC = UUID(int=0xC)
NOT_BY_HAND = {"system.log_opened.v1", "entry.amended.v1", "entry.struck.v1", "patient.erased.v1"}


@pytest.fixture
def reads(database: Database, event_log: EventLog) -> Iterator[ProjectionEngine]:
    """The engine over the real groups, on a migrated database, with the role that serves."""
    migrate(database.admin_url if database.kind == "postgres" else database.views_url)
    assert event_log.keys is not None
    unsealer = KeyUnsealer(event_log.keys, event_log.upcasters)
    groups = (facts_group(), directory_group(unsealer, b"k" * 32))
    engine = ProjectionEngine(ViewsDatabase(database.views_url), event_log, groups, tail_batch=7)
    engine.install()
    yield engine
    engine.close()


def opened_secrets(event: Event) -> Event:
    """A golden sample with readable text where it holds a seal, as a command would give it."""
    changes: dict[str, Any] = {}
    for field in secret_fields(type(event)):
        value = getattr(event, field)
        changes[field] = dict.fromkeys(value, "Ann") if isinstance(value, dict) else "Ann"
    return msgspec.structs.replace(event, **changes)


def append(log: EventLog, stream: UUID, *events: Event, subject: UUID | None = None) -> None:
    envelope = Envelope(actor="staff:1", role="nurse", clinic_id=CLINIC, subject=subject)
    log.append(Append(writes=(StreamWrite(stream, ANY_VERSION, events),), envelope=envelope))


def append_everything(log: EventLog, rounds: int = 3) -> list[UUID]:
    """Every kind of event, some entries amended and struck; the patients' streams."""
    patients = []
    for _ in range(rounds):
        patient, visit = uuid4(), uuid4()
        patients.append(patient)
        for name, kind in EVENTS.items():
            if name in NOT_BY_HAND or name.startswith(("access.", "patient.merged")):
                continue
            # secrets are sealed under the owner's key, which a stream of known version needs
            stream = patient if name.startswith("patient.") else uuid4()
            version = len(log.read_stream(stream))
            write = StreamWrite(stream, version, (opened_secrets(sample_of(kind)),))
            envelope = Envelope(actor="staff:1", role="nurse", clinic_id=CLINIC, subject=patient)
            log.append(Append(writes=(write,), envelope=envelope))
        roomed = sample_of(EVENTS["infusion.patient_roomed.v1"])
        roomed = msgspec.structs.replace(roomed, late_reason=None)
        append(log, visit, roomed, roomed, subject=patient)
        at, name = roomed.occurred_at, "infusion.patient_roomed.v1"
        corrections = {"room_id": str(uuid4())}
        amended = EntryAmended(
            occurred_at=at, entry=1, entry_name=name, corrections=corrections, reason_code="typing_error"
        )
        append(log, visit, amended, subject=patient)
        struck = EntryStruck(occurred_at=at, entry=2, entry_name=name, reason_code="duplicate")
        append(log, visit, struck, subject=patient)
    return patients


def rows(engine: ProjectionEngine, table: Table) -> list[dict[str, Any]]:
    with engine.database.reads.connect() as sql:
        return [dict(row) for row in sql.execute(select(table)).mappings()]


def run_dry(engine: ProjectionEngine) -> None:
    while engine.run_once():
        pass


def test_following_replaying_and_rebuilding_give_the_same_rows(reads: ProjectionEngine, event_log: EventLog) -> None:
    """Every event of the catalogue, corrections included, in batches of seven, replayed, and rebuilt."""
    append_everything(event_log)
    run_dry(reads)
    assert {each.state for each in reads.status()} == {"live"}
    assert {each.position for each in reads.status()} == {event_log.head()}
    comparisons = reads.compare()
    assert [each for each in comparisons if not each.equal] == []
    assert sum(table.live_rows for each in comparisons for table in each.tables) > 100
    tables = [table for group in reads.groups for projection in group.projections for table in projection.tables]
    before = {table.name: sorted(map(repr, rows(reads, table))) for table in tables}
    reads.rebuild([projection.name for group in reads.groups for projection in group.projections])
    assert {table.name: sorted(map(repr, rows(reads, table))) for table in tables} == before


def test_erasing_a_patient_purges_the_names_live_and_rebuilt(reads: ProjectionEngine, event_log: EventLog) -> None:
    erased, kept = append_everything(event_log, rounds=2)
    run_dry(reads)
    assert {row["patient"] for row in rows(reads, directory_people)} == {str(erased), str(kept)}
    erasure = msgspec.structs.replace(sample_of(EVENTS["patient.erased.v1"]), late_reason=None)
    append(event_log, erased, erasure, subject=erased)
    assert event_log.keys is not None
    run_dry(reads)
    assert {row["patient"] for row in rows(reads, directory_people)} == {str(kept)}
    assert all(comparison.equal for comparison in reads.compare(["directory"]))
    reads.rebuild(["directory"])
    assert {row["patient"] for row in rows(reads, directory_people)} == {str(kept)}


def test_nothing_of_an_erased_patient_is_left_in_the_files(
    reads: ProjectionEngine, event_log: EventLog, database: Database
) -> None:
    """Not in free pages nor in SQLite's write-ahead log, nor as a dead row on PostgreSQL."""
    registered = opened_secrets(sample_of(EVENTS["patient.registered.v1"]))
    registered = msgspec.structs.replace(registered, family_name="Wolpertinger")
    patient = uuid4()
    envelope = Envelope(actor="staff:1", role="nurse", clinic_id=CLINIC, subject=patient)
    event_log.append(Append(writes=(StreamWrite(patient, 0, (registered,)),), envelope=envelope))
    run_dry(reads)
    assert [row["family_name"] for row in rows(reads, directory_people)] == ["Wolpertinger"]
    append(event_log, patient, msgspec.structs.replace(sample_of(EVENTS["patient.erased.v1"]), late_reason=None))
    run_dry(reads)
    if database.kind == "sqlite":
        files = [path for path in database.home.glob("views.sqlite3*") if not path.name.endswith("-shm")]
        assert not any(b"olpertinger" in path.read_bytes() for path in files)
        return
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
        pages = admin.execute(
            "SELECT count(*) FROM generate_series(0, pg_relation_size('views.directory_people') / 8192 - 1) AS page, "
            "LATERAL heap_page_items(get_raw_page('views.directory_people', page::int)) AS item "
            "WHERE item.t_data IS NOT NULL"
        ).fetchone()
    assert pages == (0,)


def spoil_next_entry(database: Database, position: int) -> None:
    """Writes a row behind the log's back whose payload does not fit its event."""
    columns = "position, recorded_us, stream_id, version, name, payload, clinic_seq, actor, role, origin, leaf_hash"
    values = (
        position, 9_000_000_000_000_000, str(uuid4()), 1, "infusion.started.v1", "{}", 0, "x", "nurse", "entered", b"",
    )  # fmt: skip
    if database.kind == "sqlite":
        with closing(sqlite3.connect(database.log_url.removeprefix("sqlite:///"))) as log:
            log.execute(f"INSERT INTO care_events ({columns}) VALUES ({', '.join('?' * 11)})", values)
            log.commit()
        return
    with psycopg.connect(database.admin_url) as admin:
        admin.execute(f"INSERT INTO log.care_events ({columns}) VALUES ({', '.join(['%s'] * 11)})", values)  # type: ignore[arg-type]


def test_an_unreadable_row_stops_only_those_that_want_it(
    reads: ProjectionEngine, event_log: EventLog, database: Database
) -> None:
    run_dry(reads)
    spoiled = event_log.head() + 1
    spoil_next_entry(database, spoiled)
    run_dry(reads)
    shown = {each.name: each for each in reads.status()}
    assert (shown["utilization"].state, shown["utilization"].failed_position) == ("failed", spoiled)
    assert shown["utilization"].failed_event == "infusion.started.v1"
    assert {each.state for name, each in shown.items() if name != "utilization"} == {"live"}
    assert {each.position for name, each in shown.items() if name != "utilization"} == {spoiled}
    reads.skip("utilization", by="ops", reason="unreadable since the migration")
    run_dry(reads)
    assert {each.state for each in reads.status()} == {"live"}


def test_migrating_is_idempotent_and_safe_when_many_start_at_once(database: Database) -> None:
    from concurrent.futures import ThreadPoolExecutor

    url = database.admin_url if database.kind == "postgres" else database.views_url
    wanted = pending(url)
    assert wanted[:2] == ["0001", "0002"]
    with ThreadPoolExecutor(6) as pool:
        applied = list(pool.map(lambda _: migrate(url), range(6)))
    assert sorted(applied) == [[], [], [], [], [], wanted]
    assert pending(url) == []


def test_installing_is_safe_when_many_start_at_once(database: Database, event_log: EventLog) -> None:
    from concurrent.futures import ThreadPoolExecutor

    migrate(database.admin_url if database.kind == "postgres" else database.views_url)

    def install(_: int) -> list[str]:
        engine = ProjectionEngine(ViewsDatabase(database.views_url), event_log, [facts_group()])
        made = engine.install()
        engine.close()
        return made

    with ThreadPoolExecutor(5) as pool:
        made = list(pool.map(install, range(5)))
    assert sorted(map(len, made)) == [0, 0, 0, 0, len(facts_group().projections)]


def test_the_log_is_never_locked_by_a_projection(reads: ProjectionEngine, event_log: EventLog) -> None:
    """A batch is open, its rows written; a command still commits at once (on SQLite they are different files)."""
    from projections.engine.group import GroupRunner
    from projections.engine.working import Working

    append_everything(event_log, rounds=1)
    before, committed = event_log.head(), []
    original = Working.flush

    def flush(self: Working) -> int:
        opened = original(self)
        append(event_log, uuid4(), msgspec.structs.replace(sample_of(EVENTS["clinic.opened.v1"]), late_reason=None))
        committed.append(event_log.head())
        return opened

    Working.flush = flush  # type: ignore[method-assign]
    try:
        with closing(reads.database.session()) as session:
            GroupRunner(session, reads.groups[0], event_log, reads.now_us).run_once()
    finally:
        Working.flush = original  # type: ignore[method-assign]
    assert committed
    assert committed[0] == before + 1
