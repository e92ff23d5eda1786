"""Rebuilding beside the tables that serve, swapping, resuming after a kill, and comparing."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from projections.engine import tableset
from projections.engine.database import ViewsDatabase
from projections.engine.engine import CATCH_UP_BY_REBUILD, ProjectionEngine
from projections.engine.rebuild import Loader, Progress, RebuildBusy, RebuildStopped
from tests.projections.engine.conftest import MakeEngine
from tests.projections.engine.history import (
    ALL_TABLES,
    START,
    BoxFilled,
    BoxMoved,
    Contents,
    Cured,
    ListLog,
    Places,
    everything,
)


def fill(log: ListLog, count: int) -> None:
    """Boxes filled and moved."""
    for n in range(count):
        log.append(BoxFilled(occurred_at=START, box=f"b{n % 17}", amount=n % 10))
        if n % 3 == 0:
            log.append(BoxMoved(occurred_at=START, box=f"b{n % 17}", shelf=f"s{n % 4}"))


KEYS_OF_OPEN_BOXES = ("3:0", "4:0")
"""Fact ids, in a log made by `fill`, of two boxes that were filled and not moved."""


def run_dry(engine: ProjectionEngine) -> None:
    while engine.run_once():
        pass


def tables_there(database: ViewsDatabase) -> set[str]:
    with database.reads.connect() as sql:
        return {name for name in tableset.existing_tables(sql, database) if not name.startswith("ops_")}


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.engine.rebuild.FIRST_BATCH", 50)
    monkeypatch.setattr("projections.engine.rebuild.LARGEST_BATCH", 50)


def test_a_rebuild_leaves_the_same_rows_and_nothing_else(engine: ProjectionEngine, log: ListLog) -> None:
    fill(log, 300)
    run_dry(engine)
    before = everything(engine.database, ALL_TABLES)
    done = engine.rebuild(["contents", "places"])
    assert everything(engine.database, ALL_TABLES) == before
    assert tables_there(engine.database) == set(ALL_TABLES)
    assert done[0].phase == "done"
    assert done[0].position == log.head()
    engine.rebuild(["contents"])  # and again: names of indexes must not clash
    engine.rebuild(["contents"])
    assert everything(engine.database, ALL_TABLES) == before


def test_the_swapped_tables_have_all_their_indexes(engine: ProjectionEngine, log: ListLog) -> None:
    from sqlalchemy import inspect

    def indexed(table: str) -> set[tuple[str, ...]]:
        with engine.database.reads.connect() as sql:
            found = inspect(sql).get_indexes(table, engine.database.schema)
        return {tuple(str(name) for name in index["column_names"]) for index in found}

    fill(log, 30)
    before = {table: indexed(table) for table in ALL_TABLES}
    assert before["box_contents"] == {("box",), ("amount",), ("box", "known_from")}
    engine.rebuild(["contents", "places"])
    assert {table: indexed(table) for table in ALL_TABLES} == before


def test_the_old_rows_serve_until_the_swap(engine: ProjectionEngine, log: ListLog, small_batches: None) -> None:
    """While the shadow is filled the live tables follow the log, and every read sees whole rows."""
    fill(log, 200)
    run_dry(engine)
    seen: list[tuple[str, int, int]] = []

    def look(progress: Progress) -> None:
        if progress.phase in ("loading", "indexing") and len(seen) < 8:
            log.append(BoxFilled(occurred_at=START, box="new", amount=3))
            run_dry(engine)
            rows = everything(engine.database, ["box_contents"])["box_contents"]
            assert engine.position("contents") == log.head()
            assert sum(1 for row in rows if row[3] == "new") == len(seen) + 1
            seen.append((progress.phase, progress.position, progress.head))

    engine.rebuild(["contents", "places"], report=look)
    assert len(seen) == 8
    run_dry(engine)
    assert engine.position("contents") == engine.position("places") == log.head()
    assert all(comparison.equal for comparison in engine.compare())


def test_readers_never_miss_a_row_during_swaps(engine: ProjectionEngine, log: ListLog) -> None:
    """Reads that go on through several swaps always find all rows."""
    fill(log, 100)
    run_dry(engine)
    stop, counts, failures = threading.Event(), set[int](), list[Exception]()

    def read() -> None:
        while not stop.is_set():
            try:
                with engine.database.reads.connect() as sql:
                    name = engine.database.name("box_contents")
                    counts.add(sql.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(4):
        engine.rebuild(["contents"])
    stop.set()
    reader.join()
    assert failures == []
    assert counts == {len(everything(engine.database, ["box_contents"])["box_contents"])}


def test_a_stopped_rebuild_goes_on_where_it_was(engine: ProjectionEngine, log: ListLog, small_batches: None) -> None:
    fill(log, 200)
    run_dry(engine)
    before = everything(engine.database, ALL_TABLES)
    positions: list[int] = []

    def note(progress: Progress) -> None:
        positions.append(progress.position)

    with pytest.raises(RebuildStopped):
        engine.rebuild(["contents"], report=note, stopping=lambda: len(positions) >= 2)
    shadow = next(each for each in engine.status() if each.name == "contents").rebuild
    assert shadow is not None
    assert shadow.position == positions[-1] > 0
    reached = positions[-1]
    positions.clear()
    engine.rebuild(["contents"], report=note)
    assert positions[0] > reached
    assert everything(engine.database, ALL_TABLES) == before
    assert tables_there(engine.database) == set(ALL_TABLES)


def test_two_cannot_rebuild_the_same(make_engine: MakeEngine, log: ListLog) -> None:
    fill(log, 10)
    one, two = make_engine(), make_engine()

    def try_as_well(progress: Progress) -> None:
        if progress.phase == "loading":
            with pytest.raises(RebuildBusy):
                two.rebuild(["contents"])

    one.rebuild(["contents"], report=try_as_well)
    two.rebuild(["contents"])


def test_projections_at_different_positions_are_rebuilt_together(
    engine: ProjectionEngine, log: ListLog, small_batches: None
) -> None:
    """An unfinished rebuild of one and a new one of the other meet and swap together."""
    fill(log, 200)
    engine.pause("places")
    run_dry(engine)
    calls: list[int] = []
    with pytest.raises(RebuildStopped):
        engine.rebuild(["contents"], stopping=lambda: calls.append(1) or len(calls) > 3)  # type: ignore[func-returns-value]
    engine.rebuild(["contents", "places"])
    assert all(comparison.equal for comparison in engine.compare())
    assert {each.state for each in engine.status()} == {"live"}


def test_a_new_version_makes_the_projection_outdated_until_rebuilt(
    make_engine: MakeEngine, log: ListLog, cured: Cured
) -> None:
    old = make_engine()
    fill(log, 50)
    run_dry(old)

    class Renewed(Contents):
        version = 2

    new = make_engine(Renewed(cured=cured), Places())
    fill(log, 5)
    assert new.outdated(new.groups[0]) == ["contents"]
    run_dry(old)
    shown = {each.name: each for each in new.status()}
    assert (shown["contents"].state, shown["contents"].version, shown["contents"].served_version) == ("outdated", 2, 1)
    assert shown["places"].state == "live"
    assert new.catch_up()
    shown = {each.name: each for each in new.status()}
    assert (shown["contents"].state, shown["contents"].served_version) == ("live", 2)
    assert new.outdated(new.groups[0]) == []
    assert old.outdated(old.groups[0]) == []  # and would not turn them back
    before = everything(new.database, ALL_TABLES)
    fill(log, 5)
    run_dry(old)  # the old program no longer touches the new tables
    assert everything(old.database, ["box_contents"])["box_contents"] == before["box_contents"]


def test_an_empty_read_side_on_a_long_log_is_built_beside(
    make_engine: MakeEngine, log: ListLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.engine.engine.CATCH_UP_BY_REBUILD", 100)
    assert CATCH_UP_BY_REBUILD > 100
    fill(log, 200)
    engine = make_engine()
    assert {each.state for each in engine.status()} == {"outdated"}
    assert engine.run_once() == 0
    assert engine.catch_up()
    assert {each.position for each in engine.status()} == {log.head()}


def test_comparison_finds_every_kind_of_difference(engine: ProjectionEngine, log: ListLog) -> None:
    """Altered, missing and added rows are named, with the columns that differ; so are altered states."""
    fill(log, 60)
    run_dry(engine)
    assert all(comparison.equal for comparison in engine.compare())
    (altered, lost), name = KEYS_OF_OPEN_BOXES, engine.database.name
    with closing(engine.database.session()) as session, session.transaction() as sql:
        sql.exec_driver_sql(f"UPDATE {name('box_contents')} SET amount = 77, note = 'x' WHERE fact_id = '{altered}'")
        sql.exec_driver_sql(f"UPDATE {name('box_contents')} SET fact_id = '0:added' WHERE fact_id = '{lost}'")
        sql.exec_driver_sql(f"DELETE FROM {name('box_places')} WHERE known_from = 2")
        sql.exec_driver_sql(f"DELETE FROM {name('places__state')} WHERE key = 'b3'")
    contents, places = engine.compare()
    found = {(each.key[0], each.columns, each.missing_in) for each in contents.tables[0].examples}
    assert found == {
        ("0:added", (), "replayed"), (altered, ("amount", "note"), None), (lost, (), "live"),
    }  # fmt: skip
    by_table = {each.table: each for each in places.tables}
    assert (by_table["box_places"].differing, by_table["box_places"].examples[0].missing_in) == (1, "live")
    assert by_table["places__state"].examples[0].key == ("moves", "b3")
    assert tables_there(engine.database) == set(ALL_TABLES)


def test_comparison_while_the_live_tables_move_on(engine: ProjectionEngine, log: ListLog) -> None:
    """The replay is compared as known at its own position: what came later does not disturb it."""
    fill(log, 100)
    run_dry(engine)
    with closing(engine.database.session()) as session, closing(engine.database.session()) as live:
        from projections.engine.compare import compare

        group = engine.groups[0]
        loader = Loader(session, group, group.projections, log, engine.now_us, "replay")
        loader.begin(resume=False)
        reached = log.head()
        while loader.position < reached:
            loader.load_batch(reached)
        fill(log, 40)
        run_dry(engine)
        comparisons = [compare(live, cursor) for cursor in loader.cursors]
        loader.discard()
    assert [comparison.position for comparison in comparisons] == [reached, reached]
    assert all(comparison.equal and not comparison.states_compared for comparison in comparisons)


@pytest.mark.postgres
def test_a_swap_waits_for_readers_without_blocking_them(pg_empty_database: str, log: ListLog) -> None:
    """A long report holds the live table: the swap gives way and tries again, other readers go on."""
    from projections.engine.projection import Group
    from projections.migrations import migrate

    migrate(pg_empty_database)
    engine = ProjectionEngine(ViewsDatabase(pg_empty_database), log, [Group("boxes", (Contents(),))])  # type: ignore[arg-type]
    engine.install()
    fill(log, 20)
    run_dry(engine)
    with engine.database.reads.connect() as report:
        report.exec_driver_sql("SELECT count(*) FROM views.box_contents")
        swapping = threading.Thread(target=engine.rebuild, args=(["contents"],))
        swapping.start()
        time.sleep(1.0)
        for _ in range(5):
            started = time.monotonic()
            everything(engine.database, ["box_contents"])
            assert time.monotonic() - started < 0.9
        assert swapping.is_alive()
    swapping.join(timeout=20)
    assert not swapping.is_alive()
    assert next(iter(engine.status())).rebuild is None
    engine.close()
