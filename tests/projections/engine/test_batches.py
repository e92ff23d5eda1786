"""Rows depend on the log alone: not on how it was cut into batches, nor on where a worker died."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.kernel import Event
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.engine.group import GroupRunner
from projections.engine.projection import Group
from projections.engine.working import Working
from tests.projections.engine.history import (
    ALL_TABLES,
    START,
    BoxEmptied,
    BoxErased,
    BoxFilled,
    BoxMoved,
    BoxRecounted,
    Contents,
    ListLog,
    Places,
    Unrelated,
    everything,
)

boxes = st.sampled_from(["a", "b", "c", "d"])
amounts = st.integers(0, 9)
histories = st.lists(
    st.one_of(
        st.builds(BoxFilled, occurred_at=st.just(START), box=boxes, amount=amounts),
        st.builds(BoxEmptied, occurred_at=st.just(START), box=boxes),
        st.builds(
            BoxRecounted, occurred_at=st.just(START), box=boxes, amounts=st.lists(amounts, max_size=3).map(tuple)
        ),
        st.builds(BoxMoved, occurred_at=st.just(START), box=boxes, shelf=st.sampled_from(["s", "t"])),
        st.builds(BoxErased, occurred_at=st.just(START), box=boxes),
        st.builds(Unrelated, occurred_at=st.just(START)),
    ),
    max_size=40,
)


class Killed(Exception):
    """The worker dies here."""


def start_over(database: ViewsDatabase) -> None:
    """An empty read side again."""
    with closing(database.session()) as session, session.transaction() as sql:
        for name in ALL_TABLES:
            sql.exec_driver_sql(f"DROP TABLE IF EXISTS {database.name(name)}")
        sql.exec_driver_sql(f"DELETE FROM {database.name('ops_projection_positions')}")


def follow(
    database: ViewsDatabase, log: ListLog, cuts: Sequence[tuple[int, bool]]
) -> dict[str, list[tuple[object, ...]]]:
    """Runs through `log` in batches of the sizes given (repeated); True kills the worker once before its commit."""
    engine = ProjectionEngine(database, log, [Group("boxes", (Contents(), Places()))])  # type: ignore[arg-type]
    engine.install()
    with closing(database.session()) as session:
        runner = GroupRunner(session, engine.groups[0], log, engine.now_us)
        turn = 0
        while engine.position("contents") < log.head() or engine.position("places") < log.head():
            size, dies = cuts[turn % len(cuts)]
            runner.batch = size
            turn += 1
            if dies:
                kill_in_the_middle(runner)
            runner.run_once()
    return everything(database, ALL_TABLES)


def kill_in_the_middle(runner: GroupRunner) -> None:
    original = Working.flush

    def flush_and_die(self: Working) -> int:
        original(self)
        raise KeyboardInterrupt

    Working.flush = flush_and_die  # type: ignore[method-assign]
    try:
        runner.run_once()
    except KeyboardInterrupt:
        pass
    finally:
        Working.flush = original  # type: ignore[method-assign]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=histories,
    cuts=st.lists(st.tuples(st.integers(1, 15), st.booleans()), min_size=1, max_size=6),
)
def test_rows_are_the_same_however_the_log_is_cut(
    views: ViewsDatabase, events: list[Event], cuts: list[tuple[int, bool]]
) -> None:
    """One event per transaction, everything at once, any cuts, deaths before the commit: the same rows."""
    log = ListLog(events)
    results = []
    for plan in ([(1, False)], [(1000, False)], cuts):
        start_over(views)
        results.append(follow(views, log, plan))
    assert results[1] == results[0]
    assert results[2] == results[0]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=histories, cuts=st.lists(st.tuples(st.integers(1, 15), st.just(False)), min_size=1, max_size=4))
def test_rebuilt_equals_incremental(views: ViewsDatabase, events: list[Event], cuts: list[tuple[int, bool]]) -> None:
    """A rebuild gives the rows and states that following along gave; the comparison of a replay agrees."""
    start_over(views)
    log = ListLog(events)
    followed = follow(views, log, cuts)
    engine = ProjectionEngine(views, log, [Group("boxes", (Contents(), Places()))])  # type: ignore[arg-type]
    assert [c for c in engine.compare() if not c.equal] == []
    engine.rebuild(["contents", "places"])
    assert everything(views, ALL_TABLES) == followed


def test_a_row_opened_and_closed_in_one_batch_is_kept(engine: ProjectionEngine, log: ListLog) -> None:
    """Opened at 1 and closed at 3, in one batch: `known_at=2` must still find it."""
    log.append(
        BoxFilled(occurred_at=START, box="a", amount=4),
        BoxFilled(occurred_at=START, box="b", amount=7),
        BoxEmptied(occurred_at=START, box="a"),
    )
    engine.run_once()
    rows = everything(engine.database, ["box_contents"])["box_contents"]
    assert [row[:6] for row in rows] == [("1:0", 1, 3, "a", 4, False), ("2:0", 2, None, "b", 7, True)]


def test_a_row_opened_and_closed_at_one_position_never_was(engine: ProjectionEngine, log: ListLog) -> None:
    log.append(BoxFilled(occurred_at=START, box="a", amount=4), BoxMoved(occurred_at=START, box="a", shelf="s"))
    engine.run_once()
    assert [row[0] for row in everything(engine.database, ["box_contents"])["box_contents"]] == ["1:0", "1:0"]


def test_a_lookup_without_an_index_is_refused(engine: ProjectionEngine, log: ListLog) -> None:
    """Found in the first test of a projection, not in the first large log."""
    from projections.engine.working import NotALookup

    class Careless(Contents):
        def apply(self, batch: object, working: Working) -> None:  # type: ignore[override]
            working.open_rows(self.tables[0], "note", "x")

    log.append(BoxFilled(occurred_at=START, box="a", amount=4))
    with closing(engine.database.session()) as session, session.transaction():
        from projections.engine.batch import Cursor
        from projections.engine.positions import of
        from projections.engine.tableset import TableSet

        careless = Careless()
        standing = of(session.sql, "contents")
        assert standing is not None
        cursor = Cursor(TableSet(session, careless, "live", 0), standing, engine.now_us)  # type: ignore[arg-type]
        with pytest.raises(NotALookup):
            cursor._apply(log.scan(0, 1), 1)
