"""The known traps of `eventsourcing` 9.5.6 (and of the two databases under it), and which test holds each shut.

| trap | how it is dealt with |
|---|---|
| 1-3 `enable_db_functions`: no lock, wrong table, hooks dropped | refused at start, wherever it is set |
| 4 DDL in every constructor races | numbered SQL under one lock; constructors run none |
| 5 a poison event stops a projection for good | our engine isolates, retries, skips by command |
| 6 a dropped LISTEN kills the runner | nothing listens in the log; the engine outlives it |
| 7 a lost wake-up | every wait is bounded by a poll |
| 8 retry x timeout hangs requests for minutes | our own bounded patience; a timeout is never retried |
| 9 a lost answer looks like a conflict | the idempotency row, or the stored bytes, tell |
| 10 user JSON makes a stream unreadable | msgspec to typed structs: a dict stays a dict |
| 11, 12 a snapshot error fails a committed command | no snapshots inside the commit (none at all yet) |
| 13 SQLite tables without prefix collide | every table is named by its log |
| 14 SQLite ids are implicit rowids | positions are a column of ours |
| 15 deferred BEGIN fails at once when busy | BEGIN IMMEDIATE for every writer |
| 16 readers queue behind a waiting writer | connections of our own |
| 17 LOCK TABLE blocks vacuum and index builds | an advisory lock, held by nobody else |
| 18 holes in ids are normal | positions are dense, a hole is evidence |
| 19 waiting with topics never advances | the engine advances over what it leaves out |
| 20 a pool made before a fork | connections are made on demand and forgotten in a child |
| 21 the aggregate cache mutates under threads | states are immutable |
| 22 pgbouncer in transaction mode | nothing needs a session but prepared statements: direct connections (docs) |
| 23 NOTIFY takes a global lock at commit | the append notifies nobody |
| 24, 25 names of tables follow class names | recorders are given the log's name |
| 26 the psycopg logger is silenced | we use neither its pool nor its warnings |
| 27 nothing stops UPDATE and DELETE | triggers, roles, leaves |
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import threading
import time
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.utils import Environment

from domain.corrections import EntryAmended
from services.log import EventLog, open_log
from services.log.postgres import LogDatastore, LogFactory, LogRecorder, UnsafeConfiguration
from tests.conftest import Database
from tests.log.given import NOW, another_process, append, scored

TESTS = {
    (1, 2, 3): ["test_traps.test_db_functions_are_refused_wherever_they_are_switched_on"],
    (4,): ["test_migrations.test_eight_processes_may_migrate_one_postgres_database_at_once",
           "test_migrations.test_workers_never_run_ddl"],
    (8,): ["test_traps.test_a_busy_log_is_told_once_and_soon",
           "test_access_log.test_with_its_database_gone_it_fails_closed"],
    (9,): ["test_idempotency.test_an_answer_lost_after_commit_is_no_conflict"],
    (10,): ["test_traps.test_json_that_looks_like_a_transcoding_stays_json"],
    (13, 24, 25): ["test_access_log.test_the_two_logs_have_positions_of_their_own"],
    (14,): ["test_traps.test_positions_survive_dump_restore_and_vacuum"],
    (15,): ["test_order.test_of_many_writers_to_one_stream_each_version_is_won_once"],
    (16,): ["test_order.test_a_reader_never_waits_for_a_writer"],
    (17,): ["test_traps.test_vacuum_and_index_builds_go_on_while_an_append_holds_its_lock"],
    (18,): ["test_traps.test_a_refused_append_burns_no_position"],
    (20,): ["test_traps.test_a_forked_child_makes_connections_of_its_own"],
    (21,): ["test_handling.test_threads_adding_to_one_stream_all_get_through"],
    (23,): ["test_traps.test_an_append_notifies_nobody"],
    (27,): ["test_immutability.test_postgres_refuses_to_change_a_row_even_to_the_owner",
            "test_immutability.test_the_application_role_may_only_read_and_append"],
}


def test_the_table_of_traps_names_tests_that_exist() -> None:
    for names in TESTS.values():
        for name in names:
            module, _, test = name.partition(".")
            assert hasattr(importlib.import_module(f"tests.log.{module}"), test), name


def test_db_functions_are_refused_wherever_they_are_switched_on(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_on = PostgresDatastore("d", "h", "1", "u", "p", enable_db_functions=True)
    with pytest.raises(UnsafeConfiguration):
        LogRecorder(switched_on, log="care")  # type: ignore[arg-type]
    with pytest.raises(UnsafeConfiguration):
        LogFactory(Environment("care", {"POSTGRES_ENABLE_DB_FUNCTIONS": "y"}), postgres_database.log_url)
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")
    with pytest.raises(UnsafeConfiguration):
        another_process(postgres_database)


def test_json_that_looks_like_a_transcoding_stays_json(event_log: EventLog) -> None:
    stream, odd = uuid4(), {"_type_": "tuple_as_list", "_data_": [1]}
    append(event_log, stream, 0, EntryAmended(
        occurred_at=NOW, entry=1, entry_name="infusion.sedation_scored.v1", corrections={"scale": odd},
        reason_code="typing_error",
    ))
    (record,) = event_log.read_stream(stream)
    assert isinstance(record.event, EntryAmended) and record.event.corrections == {"scale": odd}


def test_positions_survive_dump_restore_and_vacuum(sqlite_database: Database) -> None:
    log = another_process(sqlite_database)
    streams = [uuid4() for _ in range(5)]
    for stream in streams:
        append(log, stream, 0, scored())
    before = log.read(0, 10)
    log.close()
    path = sqlite_database.log_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        dump = "\n".join(connection.iterdump())
    connection.execute("VACUUM")
    connection.close()
    again = another_process(sqlite_database)
    assert again.read(0, 10) == before
    again.close()
    restored = f"{path}.restored"
    with sqlite3.connect(restored) as connection:
        connection.executescript(dump)
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    other = open_log(f"sqlite:///{restored}")
    assert other.read(0, 10) == before
    assert append(other, uuid4(), 0, scored()).last_position == 7
    other.close()


def test_a_refused_append_burns_no_position(event_log: EventLog) -> None:
    stream = uuid4()
    append(event_log, stream, 0, scored())
    for _ in range(3):
        with pytest.raises(Exception, match="version 1"):
            append(event_log, stream, 0, scored())
    assert append(event_log, stream, 1, scored()).last_position == 3


def test_vacuum_and_index_builds_go_on_while_an_append_holds_its_lock(postgres_database: Database) -> None:
    append(another_process(postgres_database), uuid4(), 0, scored())
    with (
        psycopg.connect(postgres_database.admin_url) as appending,
        psycopg.connect(postgres_database.admin_url, autocommit=True) as keeper,
    ):
        appending.execute("SELECT pg_advisory_xact_lock(4714, 1)")
        keeper.execute("SET statement_timeout = '10s'")
        keeper.execute("VACUUM ANALYZE log.care_events")
        keeper.execute("CREATE INDEX CONCURRENTLY tried ON log.care_events (actor)")


def test_an_append_notifies_nobody(postgres_database: Database) -> None:
    log = another_process(postgres_database)
    with psycopg.connect(postgres_database.admin_url, autocommit=True) as connection:
        for channel in ("care_events", "stored_events"):
            connection.execute(f"LISTEN {channel}")  # type: ignore[call-overload]
        append(log, uuid4(), 0, scored())
        assert list(connection.notifies(timeout=0.3)) == []
    log.close()


def test_a_busy_log_is_told_once_and_soon(postgres_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock timeout is not tried ten times over."""
    from services.log import LogUnavailable, postgres

    monkeypatch.setattr(postgres, "_SESSION", postgres._SESSION.replace("lock_timeout=10s", "lock_timeout=300ms"))
    log = another_process(postgres_database)
    with psycopg.connect(postgres_database.admin_url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(4714, 1)")
        began = time.monotonic()
        with pytest.raises(LogUnavailable):
            append(log, uuid4(), 0, scored())
        assert time.monotonic() - began < 2
    assert append(log, uuid4(), 0, scored()).last_position == 2
    log.close()


def test_a_forked_child_makes_connections_of_its_own(event_log: EventLog, database: Database) -> None:
    append(event_log, uuid4(), 0, scored())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            positions = [append(event_log, uuid4(), 0, scored()).last_position for _ in range(10)]
            os.write(writing, str(len(positions)).encode())
        finally:
            os._exit(0)
    mine = threading.Thread(target=lambda: [append(event_log, uuid4(), 0, scored()) for _ in range(10)])
    mine.start()
    assert os.read(reading, 10) == b"10"
    os.waitpid(child, 0)
    mine.join()
    assert [record.position for record in event_log.read(0, 100)] == list(range(1, 23))
    if isinstance(event_log.recorder.datastore, LogDatastore):
        with psycopg.connect(database.admin_url) as admin:
            row = admin.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE application_name = 'anodyne-log' AND datname = current_database()"
            ).fetchone()
        assert row is not None and row[0] >= 1
