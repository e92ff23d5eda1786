"""No event is ever skipped: positions are dense and become visible in their own order, whoever writes how fast."""

from __future__ import annotations

import threading
import time
from collections import Counter
from multiprocessing import get_context
from uuid import UUID, uuid4

import psycopg
import pytest

from services.log import EventLog
from services.log.verify import verify
from tests.conftest import Database
from tests.log.given import append, scored
from tests.support import writers

SPAWN = get_context("spawn")
PROCESSES = 4


def test_a_reader_that_follows_many_processes_sees_every_event_once_in_order(
    event_log: EventLog, database: Database
) -> None:
    count, clinics = 40, [uuid4(), uuid4()]
    start = SPAWN.Barrier(PROCESSES + 1)
    processes = [
        SPAWN.Process(
            target=writers.append_many,
            args=(database.log_url, database.keys_url, database.home, count, clinics[number % 2], start),
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    start.wait(60)
    expected = 1 + PROCESSES * (count + sum(1 + number % 3 for number in range(count)))
    seen: list[int] = []
    deadline = time.monotonic() + 60
    while len(seen) < expected and time.monotonic() < deadline:
        seen += [each.position for each in event_log.scan(seen[-1] if seen else 0, 1000)]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert seen == list(range(1, expected + 1))
    assert verify(event_log).holds


def test_of_many_writers_to_one_stream_each_version_is_won_once(event_log: EventLog, database: Database) -> None:
    stream, start = uuid4(), SPAWN.Barrier(PROCESSES)
    processes = [
        SPAWN.Process(
            target=writers.compete, args=(database.log_url, database.keys_url, database.home, stream, 25, start)
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert [record.version for record in event_log.read_stream(stream)] == list(range(1, PROCESSES * 25 + 1))


def test_a_fast_writer_cannot_overtake_a_slow_one_on_postgres(postgres_database: Database) -> None:
    """Slow low id, fast high id: the slow commit holds position 2 uncommitted; the fast one waits, gets 3, and no
    reader ever sees 3 without 2."""
    log = writers.opened(postgres_database.log_url, postgres_database.keys_url, postgres_database.home)
    with psycopg.connect(postgres_database.log_url) as slow:
        slow.execute(
            "SELECT log.care_append(ARRAY[%s]::uuid[], '{0}', '{1}', '{infusion.sedation_scored.v1}', "
            "ARRAY['{\"occurred_at\":\"2026-03-02T00:00:00Z\",\"scale\":\"rass\",\"score\":0}'], 'slow', 'nurse', "
            "NULL, NULL, 'entered', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 201, '{}', NULL)", (uuid4(),)
        )
        fast = threading.Thread(target=lambda: append(log, uuid4(), 0, scored()))
        fast.start()
        fast.join(0.5)
        assert fast.is_alive(), "the fast writer must wait for the slow one's commit"
        assert log.head() == 1 and log.read(1, 10) == []
        slow.commit()
        fast.join(10)
    assert [(record.position, record.actor) for record in log.read(1, 10)] == [(2, "slow"), (3, "staff:1")]
    log.close()


def test_a_fast_writer_cannot_overtake_a_slow_one_on_sqlite(sqlite_database: Database) -> None:
    log = writers.opened(sqlite_database.log_url, sqlite_database.keys_url, sqlite_database.home)
    held = SPAWN.Event()
    path = sqlite_database.log_url.removeprefix("sqlite:///")
    slow = SPAWN.Process(target=writers.hold_write_lock, args=(path, held, 1.0))
    slow.start()
    held.wait(20)
    began = time.monotonic()
    append(log, uuid4(), 0, scored())
    assert time.monotonic() - began > 0.5
    assert log.head() == 2
    slow.join()
    log.close()


def test_a_reader_never_waits_for_a_writer(event_log: EventLog, database: Database) -> None:
    """Also when a writer is waiting ahead of it (the library's SQLite pool would queue the reader)."""
    other = writers.opened(database.log_url, database.keys_url, database.home)
    with _write_lock(event_log, database):
        waiting = threading.Thread(target=lambda: append(event_log, uuid4(), 0, scored()))
        waiting.start()
        time.sleep(0.1)
        began = time.monotonic()
        assert event_log.head() == 1 and other.head() == 1
        assert time.monotonic() - began < 0.3
    waiting.join(10)
    assert other.head() == 2
    other.close()


def _write_lock(log: EventLog, database: Database):  # type: ignore[no-untyped-def]
    if database.kind == "sqlite":
        return log.recorder.datastore.transaction(commit=True)
    return _AdvisoryLock(database.admin_url)


class _AdvisoryLock:
    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)

    def __enter__(self) -> None:
        self._connection.execute("SELECT pg_advisory_xact_lock(4714, 1)")

    def __exit__(self, *_: object) -> None:
        self._connection.close()


# --- negative control ----------------------------------------------------------------------------

ONE_STATEMENT = """
CREATE TABLE wrong_log (position bigint PRIMARY KEY, stream uuid NOT NULL);
CREATE FUNCTION wrong_append(s uuid) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(99))
    INSERT INTO wrong_log SELECT coalesce((SELECT max(position) FROM wrong_log), 0) + 1, s FROM locked
    RETURNING position
$$;
"""


def test_locking_and_numbering_in_one_statement_is_wrong(pg_empty_database: str) -> None:
    """The control of this suite: its snapshot is older than its lock, so two writers get one number.

    If this ever passes without duplicates, the suite no longer shows what the append function is for.
    """
    with psycopg.connect(pg_empty_database, autocommit=True) as connection:
        connection.execute(ONE_STATEMENT)
    outcomes: Counter[str] = Counter()
    start = threading.Barrier(6)

    def hammer() -> None:
        with psycopg.connect(pg_empty_database, autocommit=True) as connection:
            start.wait()
            for _ in range(100):
                try:
                    connection.execute("SELECT wrong_append(%s)", (UUID(int=0),))
                    outcomes["written"] += 1
                except psycopg.errors.UniqueViolation:
                    outcomes["same number twice"] += 1

    threads = [threading.Thread(target=hammer) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes["same number twice"] > 0, outcomes


def test_the_append_refuses_a_transaction_whose_snapshot_would_be_older_than_its_lock(
    postgres_database: Database,
) -> None:
    with psycopg.connect(postgres_database.log_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.Error, match="READ COMMITTED"):
            connection.execute(
                "SELECT log.care_append('{}', '{}', '{}', '{}', '{}', 'a', 'nurse', NULL, NULL, 'entered', NULL, NULL, "
                "NULL, NULL, NULL, NULL, NULL, NULL, NULL, 201, '{}', NULL)"
            )
