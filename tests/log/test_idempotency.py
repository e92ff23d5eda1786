"""The same request twice is one event and one answer, whatever died in between."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from services.log import EventLog, LogUnavailable, open_log
from services.log.verify import verify
from tests.conftest import Database
from tests.log.given import append, key, scored, write
from tests.support import writers
from tests.support.postgres import Cluster

SPAWN = get_context("spawn")


def test_a_process_killed_between_commit_and_answer_leaves_one_event_and_its_answer(
    event_log: EventLog, database: Database
) -> None:
    stream = uuid4()
    process = SPAWN.Process(
        target=writers.append_then_die, args=(database.log_url, database.keys_url, database.home, stream, "k1")
    )
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    retried = event_log.append(write(stream, 0, scored(), idempotency=key("k1"), answer={"stream_id": "other"}))
    assert retried.replayed and retried.answer == {"stream_id": str(stream)}
    assert len(event_log.read_stream(stream)) == 1


def test_whatever_was_acknowledged_before_a_kill_is_in_the_log_once(
    event_log: EventLog, database: Database, tmp_path: Path
) -> None:
    told = [tmp_path / f"told-{number}" for number in range(6)]
    for path in told:
        process = SPAWN.Process(
            target=writers.append_until_killed, args=(database.log_url, database.keys_url, database.home, path)
        )
        process.start()
        deadline = time.monotonic() + 20
        while not (path.exists() and path.stat().st_size > 37 * 20) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    acknowledged = [line for path in told for line in path.read_text().split()]
    assert len(acknowledged) >= 120
    for stream in acknowledged:
        assert len(event_log.read_stream(UUID(stream))) == 1
    assert verify(event_log).holds


def test_two_processes_with_the_same_key_at_once_make_one_event(event_log: EventLog, database: Database) -> None:
    other = writers.opened(database.log_url, database.keys_url, database.home)
    for number in range(20):
        stream, answers = uuid4(), []
        start = threading.Barrier(2)

        def send(log: EventLog, stream: UUID = stream, number: int = number, answers: list[bool] = answers,
                 start: threading.Barrier = start) -> None:
            start.wait()
            answers.append(log.append(write(stream, 0, scored(), idempotency=key(f"k{number}"))).replayed)

        threads = [threading.Thread(target=send, args=(log,)) for log in (event_log, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [False, True]
        assert len(event_log.read_stream(stream)) == 1
    other.close()


def test_answers_are_kept_thirty_days(event_log: EventLog) -> None:
    append(event_log, uuid4(), 0, scored(), idempotency=key("k1"))
    assert event_log.purge_idempotency(datetime.now(UTC) + timedelta(days=1)) == 0
    assert event_log.answer_of(key("k1")) is not None


def test_answers_older_than_that_can_be_forgotten(database: Database) -> None:
    class LongAgo:
        def now(self) -> datetime:
            return datetime.now(UTC) - timedelta(days=31)

    log = open_log(
        database.log_url, keys_url=database.keys_url, home=database.home, mode="simulation", clock=LongAgo()
    )
    append(log, uuid4(), 0, scored(), idempotency=key("k1"))
    assert log.purge_idempotency(datetime.now(UTC)) == 1
    assert log.answer_of(key("k1")) is None
    log.close()


# --- a connection cut at COMMIT ------------------------------------------------------------------


class CutProxy:
    """Passes bytes to PostgreSQL; once armed, delivers the next request and drops its answer."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.armed = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self.armed:
                    self.armed = False
                    self.cuts += 1
                    time.sleep(0.1)
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()


@contextmanager
def through_a_proxy(database: Database, cluster: Cluster) -> Iterator[tuple[EventLog, CutProxy]]:
    proxy = CutProxy(cluster.port)
    log = open_log(
        database.log_url.replace(f":{cluster.port}/", f":{proxy.port}/"), keys_url=database.keys_url, home=database.home
    )
    try:
        yield log, proxy
    finally:
        log.close()
        proxy.close()


def test_an_answer_lost_after_commit_is_no_conflict(postgres_database: Database, pg_cluster: Cluster) -> None:
    with through_a_proxy(postgres_database, pg_cluster) as (log, proxy):
        with_key, without_key = uuid4(), uuid4()
        append(log, uuid4(), 0, scored())
        proxy.armed = True
        done = append(log, with_key, 0, scored(), idempotency=key("k1"), answer={"n": 1})
        assert done.last_position == 3 and done.answer == {"n": 1}
        proxy.armed = True
        done = append(log, without_key, 0, scored(), scored())
        assert (done.first_position, done.last_position, done.versions) == (4, 5, {without_key: 2})
        assert proxy.cuts == 2 and log.head() == 5
        assert verify(log).holds


def test_a_write_goes_through_a_restart_of_the_database(pg_template: str) -> None:
    """Killed with -9 and started again within the patience of a request: the request waits and succeeds."""
    from services.log import migrate, migrate_keys

    cluster = Cluster.create()
    try:
        url = cluster.create_database("restarted")
        migrate(url)
        home = cluster.directory
        migrate_keys(f"sqlite:///{home}/keys.sqlite3")
        log = open_log(url, keys_url=f"sqlite:///{home}/keys.sqlite3", home=home)
        append(log, uuid4(), 0, scored())
        cluster.kill()
        restart = threading.Thread(target=cluster.start)
        restart.start()
        stream = uuid4()
        append(log, stream, 0, scored(), idempotency=key("k1"))
        restart.join()
        assert len(log.read_stream(stream)) == 1 and verify(log).holds
        cluster.stop()
        with pytest.raises(LogUnavailable):
            append(log, stream, 1, scored(), idempotency=key("k2"))
        log.close()
    finally:
        cluster.remove()


def test_a_backend_ended_by_an_administrator_is_replaced(postgres_database: Database) -> None:
    log = writers.opened(postgres_database.log_url, postgres_database.keys_url, postgres_database.home)
    append(log, uuid4(), 0, scored())
    with psycopg.connect(postgres_database.admin_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'anodyne-log' AND datname = current_database()"  # others test beside us
        )
    append(log, uuid4(), 0, scored())
    assert log.head() == 3
    log.close()
