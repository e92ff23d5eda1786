"""Columns shared by a process's threads: refreshed by several at once, over rebuilds, after idling, after failures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, Table

from projections import boosters, outcomes, safety, utilization
from projections.columns import table
from projections.columns.store import Store
from projections.columns.table import Followed
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.facts.tables import safety_facts
from projections.metrics.calendar import Period
from projections.metrics.figures import plain
from projections.migrations import migrate
from projections.registry import facts_group
from tests.projections.columns.test_by_rows import assert_same
from tests.support.clinic_life import Life
from tests.support.histories import History

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
ALL = [one.name for one in facts_group().projections]


class Growing:
    """A real engine over a log that grows, and the databases of processes that read."""

    def __init__(self, url: str) -> None:
        migrate(url)
        self.url = url
        self.life, self.log = Life(31, clinics=3, days=10, patients=20), History()
        self.engine = ProjectionEngine(ViewsDatabase(url), self.log, [facts_group()])
        self.engine.install()
        self._opened: list[ViewsDatabase] = []

    def grow(self, share: float) -> None:
        self.log.records = self.life.history.records[: round(share * len(self.life.history.records))]
        assert self.engine.catch_up()

    def process(self) -> ViewsDatabase:
        """Another process's pool, with columns of its own."""
        self._opened.append(ViewsDatabase(self.url))
        return self._opened[-1]

    def close(self) -> None:
        for each in (self.engine, *self._opened):
            each.close()


@pytest.fixture
def growing(views_url: str) -> Iterator[Growing]:
    found = Growing(views_url)
    yield found
    found.close()


def figures(conn: Connection, life: Life, known_at: int) -> list[Any]:
    """All four dashboards from columns."""
    clinics, period = [str(one) for one in life.clinics], Period(date(2026, 3, 2), date(2026, 3, 12))
    found: list[Any] = [
        each.report(conn, clinics, period, as_of=AS_OF, known_at=known_at) for each in (utilization, outcomes, safety)
    ]
    return [plain(one) for one in (*found, boosters.report(conn, clinics, as_of=AS_OF, known_at=known_at))]


def test_threads_that_ask_at_once_while_the_log_grows_and_is_rebuilt_see_one_whole_world(
    growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known at a position stays so, in every thread, whatever comes in or changes places meanwhile."""
    monkeypatch.setattr(table, "LOOSE", 60)
    growing.grow(0.4)
    known_at, shared, idle = growing.log.head(), growing.process(), growing.process()
    with idle.reads.connect() as conn:
        expected = figures(conn, growing.life, known_at)
        assert_same(conn, growing.life, 10, AS_OF, None)
    over, together = threading.Event(), threading.Barrier(4)

    def ask() -> int:
        together.wait(timeout=60)
        for answers in count(1):
            last = over.is_set()
            with shared.reads.connect() as conn:
                assert figures(conn, growing.life, known_at) == expected
            if last:
                return answers
        raise AssertionError

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        try:
            for number in range(1, 13):
                growing.grow(0.4 + 0.05 * number)
                if number % 4 == 0:
                    growing.engine.rebuild(ALL)
        finally:
            over.set()
        assert all(one.result() > 1 for one in asking)
    for database in (shared, idle):
        with database.reads.connect() as conn:
            assert_same(conn, growing.life, 10, AS_OF, None)
            assert figures(conn, growing.life, known_at) == expected


class Disturbed(Store):
    """A rebuild changes places with the safety tables after the others have been read."""

    def __init__(self, engine: ProjectionEngine) -> None:
        super().__init__()
        self._engine = engine
        self.disturbed = 0

    def _follow(self, conn: Connection, table: Table, upto: int) -> None:
        if table is safety_facts and not self.disturbed:
            self.disturbed += 1
            self._engine.rebuild(["safety"])
        super()._follow(conn, table, upto)


def test_a_rebuild_that_comes_in_between_two_tables_is_noticed(growing: Growing) -> None:
    """The columns are those of the sets they are said to be of: a later question need not read them again."""
    growing.grow(1)
    store, database = Disturbed(growing.engine), growing.process()
    with database.reads.connect() as conn:
        store.facts(conn)
    assert store.disturbed
    with database.reads.connect() as conn:
        found = store.facts(conn)
    with database.reads.connect() as conn:
        assert store.facts(conn) is found


def test_a_reading_that_fails_in_the_middle_leaves_nothing_behind(
    growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the connection is lost, chunks already taken in: the next question has every row once."""
    monkeypatch.setattr(table, "CHUNK", 7)
    growing.grow(0.4)
    database, whole, failed = growing.process(), Followed._add, 0
    for step in range(1, 7):
        growing.grow(0.4 + 0.1 * step)
        chunks = count()

        def losing(self: Followed, *taken: Any, after: int = 5 * step, chunks: Iterator[int] = chunks) -> None:
            if next(chunks) == after:
                raise ConnectionError
            whole(self, *taken)

        with monkeypatch.context() as patched, database.reads.connect() as conn:
            patched.setattr(Followed, "_add", losing)
            try:
                boosters.report(conn, [str(one) for one in growing.life.clinics], as_of=AS_OF)
            except ConnectionError:
                failed += 1
        with database.reads.connect() as conn:
            assert_same(conn, growing.life, 10, AS_OF, None)
    assert failed > 3
