"""Several workers, real processes, kills: one leads, another takes over, nothing is applied twice or lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from projections.engine import positions
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.engine.group import GroupRunner
from projections.engine.lock import lock_for
from projections.engine.positions import Fenced
from projections.engine.projection import Group
from projections.engine.wake import DataVersion, Listen, Poll
from projections.engine.worker import Worker
from tests.projections.engine.conftest import MakeEngine
from tests.projections.engine.history import (
    ALL_TABLES,
    START,
    BoxFilled,
    BoxMoved,
    Contents,
    ListLog,
    Places,
    everything,
)
from tests.projections.engine.process import long_log

ROOT = Path(__file__).parents[3]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(views_url: str) -> Iterator[Start]:
    """Starts worker processes on the database; kills at the end what a test left."""
    running: list[subprocess.Popen[str]] = []

    def start_one(events: int, *options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.projections.engine.process", views_url, str(events), *options],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start_one
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def observer(database: ViewsDatabase, events: int) -> ProjectionEngine:
    return ProjectionEngine(database, long_log(events), [Group("boxes", (Contents(), Places()))])  # type: ignore[arg-type]


def leader(engine: ProjectionEngine) -> str | None:
    return engine.status()[0].leader


# --- fencing -------------------------------------------------------------------------------------


def two_runners(engine: ProjectionEngine, log: ListLog) -> tuple[GroupRunner, GroupRunner]:
    group = engine.groups[0]
    return tuple(  # type: ignore[return-value]
        GroupRunner(engine.database.session(), group, log, engine.now_us, batch=10) for _ in range(2)
    )


def test_a_stale_worker_cannot_commit(engine: ProjectionEngine, log: ListLog) -> None:
    """It led, another took over unnoticed: its next batch is refused and leaves no trace."""
    log.append(*(BoxFilled(occurred_at=START, box="a", amount=n) for n in range(5)))
    old, new = two_runners(engine, log)
    old.lead("old")
    assert old.run_once() == 5
    new.lead("new")
    log.append(BoxFilled(occurred_at=START, box="b", amount=1))
    with pytest.raises(Fenced):
        old.run_once()
    assert engine.position("contents") == 5
    assert new.run_once() == 1
    assert len(everything(engine.database, ["box_contents"])["box_contents"]) == 6
    old.session.close()
    new.session.close()


def test_taken_over_in_the_middle_of_a_batch(engine: ProjectionEngine, log: ListLog) -> None:
    """The old leader has chosen its batch when the new one takes over and applies it: once, not twice."""
    log.append(*(BoxFilled(occurred_at=START, box="a", amount=n) for n in range(5)))
    old, new = two_runners(engine, log)
    old.lead("old")
    scan = log.scan

    def overtaken(after: int, limit: int, **options: object) -> object:
        log.scan = scan  # type: ignore[method-assign]
        new.lead("new")
        assert new.run_once() == 5
        return scan(after, limit, **options)  # type: ignore[arg-type]

    log.scan = overtaken  # type: ignore[method-assign, assignment]
    with pytest.raises(Fenced):
        old.run_once()
    assert len(everything(engine.database, ["box_contents"])["box_contents"]) == 5
    old.session.close()
    new.session.close()


def test_two_workers_without_any_lock_apply_each_event_once(views: ViewsDatabase) -> None:
    """Even if the locks failed altogether, the compare-and-set of the positions keeps the rows right."""
    events = 600
    engine = observer(views, events)
    engine.install()
    log = engine.log

    def work() -> None:
        with closing(views.session()) as session:
            runner = GroupRunner(session, engine.groups[0], log, engine.now_us, batch=7)
            while engine.position("contents") < events:
                try:
                    runner.run_once()
                except Fenced:
                    continue

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert engine.position("contents") == engine.position("places") == events
    assert all(comparison.equal for comparison in engine.compare())


# --- leading and taking over ---------------------------------------------------------------------


def test_one_leads_the_other_stands_by(make_engine: MakeEngine, log: ListLog) -> None:
    one, two = make_engine(), make_engine()
    log.append(BoxFilled(occurred_at=START, box="a", amount=1))
    assert one.run_once() == 1
    log.append(BoxFilled(occurred_at=START, box="a", amount=1))
    assert two.run_once() == 0
    one.close()
    assert two.run_once() == 1


def test_another_takes_over_when_the_leader_is_killed(views: ViewsDatabase, start: Start) -> None:
    """kill -9 in the middle of a batch: the stand-by goes on from the last commit, at once."""
    events = 1000
    first = start(events, "--name", "first", "--slow", "0.05")
    engine = observer(views, events)
    until(lambda: leader(engine) == "first" and engine.position("contents") > 100)
    start(events, "--name", "second")
    time.sleep(0.3)
    assert leader(engine) == "first"
    reached = engine.position("contents")
    first.kill()
    killed = time.monotonic()
    until(lambda: leader(engine) == "second")
    assert time.monotonic() - killed < 5
    assert engine.position("contents") >= reached
    assert engine.wait_for(events, 30)
    assert all(comparison.equal for comparison in engine.compare())


def test_repeated_kills_leave_the_rows_as_a_rebuild_makes_them(views: ViewsDatabase, start: Start) -> None:
    events = 3000
    engine = observer(views, events)
    for turn in range(4):
        process = start(events, "--name", f"w{turn}", "--batch", "97", "--slow", "0.005")
        before = engine.position("contents")
        until(lambda before=before: engine.position("contents") > before)  # type: ignore[misc]
        time.sleep(0.013 * (turn + 1))
        process.kill()
        process.wait()
    start(events, "--name", "last")
    assert engine.wait_for(events, 30)
    assert all(comparison.equal for comparison in engine.compare())


def test_sigterm_finishes_the_batch_and_lets_go(views: ViewsDatabase, start: Start) -> None:
    events = 5000
    process = start(events, "--name", "drained", "--slow", "0.1")
    engine = observer(views, events)
    until(lambda: engine.position("contents") > 50)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    reached = engine.position("contents")
    assert reached % 50 == 0
    assert 0 < reached < events
    with closing(views.session()) as session:
        lock = lock_for(session, "group:boxes")
        assert lock.acquire()
        lock.release()


def test_a_rebuild_that_was_killed_is_finished_by_the_worker(views: ViewsDatabase, start: Start) -> None:
    """Its shadow stays where its last batch committed; whoever leads takes it up and swaps."""
    events = 2000
    engine = observer(views, events)
    engine.install()
    assert engine.catch_up()
    before = everything(views, ALL_TABLES)
    engine.close()
    process = start(events, "--rebuild", "--slow", "0.05")

    def shadow() -> int:
        rebuild = engine.status()[0].rebuild
        return 0 if rebuild is None else rebuild.position

    until(lambda: shadow() > 200)
    process.kill()
    process.wait()
    assert 200 < shadow() < events
    assert everything(views, ALL_TABLES) == before
    start(events, "--name", "finisher")
    until(lambda: all(status.rebuild is None for status in engine.status()))
    assert everything(views, ALL_TABLES) == before
    assert engine.outdated(engine.groups[0]) == []


def test_a_lost_connection_is_survived(views_url: str, views: ViewsDatabase, log: ListLog) -> None:
    """The log's database goes away for a while: the worker waits and goes on."""
    engine = ProjectionEngine(views, log, [Group("boxes", (Contents(), Places()))])  # type: ignore[arg-type]
    engine.install()
    worker = Worker(engine)
    worker.start()
    try:
        log.append(BoxFilled(occurred_at=START, box="a", amount=1))
        assert engine.wait_for(1, 10)
        log.lost = ConnectionError("gone")
        time.sleep(0.3)
        log.lost = None
        log.append(BoxFilled(occurred_at=START, box="a", amount=2))
        assert engine.wait_for(2, 10)
    finally:
        assert worker.stop()


@pytest.mark.postgres
def test_a_leader_whose_backend_is_terminated_leads_again(pg_empty_database: str, log: ListLog) -> None:
    """Its lock went with its connection; it notices, reconnects, and leads in a new epoch."""
    from projections.migrations import migrate

    migrate(pg_empty_database)
    database = ViewsDatabase(pg_empty_database)
    engine = ProjectionEngine(database, log, [Group("boxes", (Contents(), Places()))])  # type: ignore[arg-type]
    engine.install()
    worker = Worker(engine)
    worker.start()
    try:
        log.append(BoxFilled(occurred_at=START, box="a", amount=1))
        assert engine.wait_for(1, 10)
        with database.reads.connect() as sql:
            first = positions.epoch_of(sql, "boxes")
            sql.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        log.append(BoxFilled(occurred_at=START, box="a", amount=2))
        assert engine.wait_for(2, 10)
        with database.reads.connect() as sql:
            assert positions.epoch_of(sql, "boxes") > first
    finally:
        assert worker.stop()
        database.close()


# --- waking up -----------------------------------------------------------------------------------


def test_without_any_notification_the_poll_finds_it(views: ViewsDatabase, log: ListLog) -> None:
    """Every wake-up is lost: what was appended is applied all the same, within a few polls."""

    class Deaf(Poll):
        def ring(self) -> None:
            """Loses it."""

    engine = ProjectionEngine(views, log, [Group("boxes", (Contents(), Places()))])  # type: ignore[arg-type]
    engine.install()
    worker = Worker(engine, make_wake=Deaf, poll_s=0.05)
    worker.start()
    try:
        for n in range(5):
            time.sleep(0.11)
            appended = time.monotonic()
            assert engine.wait_for(log.append(BoxMoved(occurred_at=START, box="a", shelf=f"s{n}")), 10)
            assert time.monotonic() - appended < 5
    finally:
        assert worker.stop()


def test_a_ring_ends_the_wait(views: ViewsDatabase, log: ListLog) -> None:
    """With a poll of a minute only the bell can have brought it; a stop rings too."""
    engine = ProjectionEngine(views, log, [Group("boxes", (Contents(), Places()))])  # type: ignore[arg-type]
    engine.install()
    worker = Worker(engine, poll_s=60)
    worker.start()
    try:
        until(lambda: leader(engine) is not None)
        time.sleep(0.2)
        position = log.append(BoxFilled(occurred_at=START, box="a", amount=1))
        worker.ring()
        assert engine.wait_for(position, 10)
    finally:
        started = time.monotonic()
        assert worker.stop()
        assert time.monotonic() - started < 10


def test_data_version_wakes_at_a_commit_of_another(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "log.sqlite3"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t (a)")
        writer.commit()
        wake = DataVersion(path)
        wake.wait(5)  # what was there before the first look counts as news
        started = time.monotonic()
        wake.wait(0.1)
        assert time.monotonic() - started >= 0.09
        threading.Timer(0.1, lambda: None).start()
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        started = time.monotonic()
        wake.wait(5)
        assert time.monotonic() - started < 1
        wake.close()


def test_data_version_of_a_file_that_is_not_there_only_waits(tmp_path: Path) -> None:
    wake = DataVersion(tmp_path / "none.sqlite3")
    started = time.monotonic()
    wake.wait(0.1)
    assert 0.09 <= time.monotonic() - started < 2
    wake.close()


@pytest.mark.postgres
def test_listen_wakes_and_outlives_its_connection(pg_empty_database: str) -> None:
    import psycopg

    Listen.RECONNECT_S, usual = 0.1, Listen.RECONNECT_S
    wake = Listen(pg_empty_database, "news")
    try:
        wake.wait(5)  # LISTEN is established: what came before might have been missed, so it rings
        with psycopg.connect(pg_empty_database, autocommit=True) as connection:
            connection.execute("NOTIFY news")
            started = time.monotonic()
            wake.wait(10)
            assert time.monotonic() - started < 5
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database()"
            )
            wake.wait(10)  # reconnected
            connection.execute("NOTIFY news")
            started = time.monotonic()
            wake.wait(10)
            assert time.monotonic() - started < 5
    finally:
        Listen.RECONNECT_S = usual
        wake.close()
