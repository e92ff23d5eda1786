"""A poison event stops one projection, visibly, and nothing else; it can be retried, resumed and skipped."""

from __future__ import annotations

import psycopg
import pytest

from projections.engine.engine import NotFailed, ProjectionEngine, UnknownProjection
from projections.engine.rebuild import RebuildFailed
from projections.engine.status import ProjectionStatus
from tests.projections.engine.conftest import MakeEngine, Ticking
from tests.projections.engine.history import (
    ALL_TABLES,
    START,
    BoxFilled,
    BoxMoved,
    Contents,
    Cured,
    ListLog,
    Places,
    Poisonous,
    everything,
)


def filled(box: str, amount: int = 1) -> BoxFilled:
    return BoxFilled(occurred_at=START, box=box, amount=amount)


def moved(box: str) -> BoxMoved:
    return BoxMoved(occurred_at=START, box=box, shelf="s")


POISON = Poisonous(occurred_at=START, box="a")


def status(engine: ProjectionEngine, name: str) -> ProjectionStatus:
    return next(each for each in engine.status() if each.name == name)


def run_dry(engine: ProjectionEngine) -> None:
    while engine.run_once():
        pass


def rows_of(engine: ProjectionEngine, table: str = "box_contents") -> int:
    return len(everything(engine.database, [table])[table])


@pytest.mark.parametrize("before", [0, 1, 2, 7, 13])
def test_everything_before_the_poison_is_applied(engine: ProjectionEngine, log: ListLog, before: int) -> None:
    """The batch is halved until the one event is found; what comes before it stays applied."""
    log.append(*(filled(f"b{n}") for n in range(before)), POISON, *(filled(f"c{n}") for n in range(9)))
    run_dry(engine)
    failed = status(engine, "contents")
    assert (failed.state, failed.position, failed.failed_position) == ("failed", before, before + 1)
    assert failed.failed_event == Poisonous.NAME
    assert failed.error is not None
    assert "ZeroDivisionError: a poisonous event" in failed.error
    assert rows_of(engine) == before


def test_the_others_of_the_group_go_on(engine: ProjectionEngine, log: ListLog) -> None:
    log.append(filled("a"), moved("a"), POISON, moved("b"))
    run_dry(engine)
    log.append(moved("c"))
    run_dry(engine)
    assert status(engine, "places").state == "live"
    assert engine.position("places") == log.head()
    assert engine.wait_for(log.head(), 0)  # who failed is not waited for
    assert not engine.wait_for(log.head(), 5, projections=["contents"])  # and says so at once when asked for


def test_it_is_retried_with_growing_pauses(engine: ProjectionEngine, log: ListLog, clock: Ticking) -> None:
    log.append(filled("a"), POISON)
    run_dry(engine)
    assert status(engine, "contents").attempts == 1
    run_dry(engine)
    assert status(engine, "contents").attempts == 1
    pauses = []
    for attempt in range(2, 7):
        until = status(engine, "contents").retry_us
        assert until is not None
        pauses.append((until - clock.us) / 1_000_000)
        clock.us = until
        engine.run_once()
        assert status(engine, "contents").attempts == attempt
    assert pauses == [1, 5, 15, 60, 300]


def test_once_cured_a_retry_heals_it(engine: ProjectionEngine, log: ListLog, cured: Cured) -> None:
    log.append(filled("a"), POISON, filled("b"))
    run_dry(engine)
    cured.yes = True
    engine.run_once()
    assert status(engine, "contents").state == "failed"  # its pause has not passed
    engine.retry("contents")
    run_dry(engine)
    healed = status(engine, "contents")
    assert (healed.state, healed.position, healed.error, healed.attempts) == ("live", log.head(), None, 0)
    assert rows_of(engine) == 2


def test_the_healed_one_catches_up_and_joins_the_others(
    make_engine: MakeEngine, log: ListLog, cured: Cured
) -> None:
    engine = make_engine()
    log.append(filled("a"), POISON, *(moved(f"b{n}") for n in range(20)), filled("z"))
    run_dry(engine)
    cured.yes = True
    engine.resume("contents")
    run_dry(engine)
    assert {each.position for each in engine.status()} == {log.head()}
    assert all(comparison.equal for comparison in engine.compare())


def test_skip_passes_over_the_event_and_is_written_down(engine: ProjectionEngine, log: ListLog) -> None:
    log.append(filled("a"), POISON, filled("b"))
    run_dry(engine)
    assert engine.skip("contents", by="ops", reason="known bug 12") == 2
    run_dry(engine)
    assert status(engine, "contents").state == "live"
    assert rows_of(engine) == 2
    with pytest.raises(NotFailed):
        engine.skip("contents", by="ops", reason="again")


def test_a_rebuild_honours_what_was_skipped(engine: ProjectionEngine, log: ListLog) -> None:
    log.append(filled("a"), POISON, filled("b"))
    run_dry(engine)
    engine.skip("contents", by="ops", reason="known bug 12")
    run_dry(engine)
    before = everything(engine.database, ALL_TABLES)
    assert all(comparison.equal for comparison in engine.compare())
    engine.rebuild(["contents"])
    assert everything(engine.database, ALL_TABLES) == before


def test_a_rebuild_is_strict_and_the_live_rows_serve_on(
    engine: ProjectionEngine, log: ListLog, cured: Cured
) -> None:
    cured.yes = True
    log.append(filled("a"), POISON, filled("b"))
    run_dry(engine)
    cured.yes = False
    with pytest.raises(RebuildFailed) as failed:
        engine.rebuild(["contents"])
    assert failed.value.poison.position == 2
    shown = status(engine, "contents")
    assert (shown.state, shown.position) == ("live", 3)
    assert shown.rebuild is not None
    assert (shown.rebuild.status, shown.rebuild.failed_position) == ("failed", 2)
    engine.skip("contents", by="ops", reason="known")
    engine.rebuild(["contents"])
    assert status(engine, "contents").rebuild is None


def test_pause_and_resume(engine: ProjectionEngine, log: ListLog) -> None:
    log.append(filled("a"))
    run_dry(engine)
    engine.pause("contents")
    log.append(filled("b"))
    run_dry(engine)
    assert (status(engine, "contents").state, engine.position("contents")) == ("paused", 1)
    engine.resume("contents")
    run_dry(engine)
    assert engine.position("contents") == 2
    with pytest.raises(UnknownProjection):
        engine.pause("nothing of the kind")


def test_an_entry_that_cannot_be_decoded_fails_only_those_that_want_it(
    engine: ProjectionEngine, log: ListLog
) -> None:
    """`contents` wants the poisonous name, `places` does not: the log's own error must not stop it."""
    log.append(filled("a"), POISON, moved("a"), filled("b"))
    log.undecodable.add(2)
    run_dry(engine)
    failed = status(engine, "contents")
    assert (failed.state, failed.position, failed.failed_position) == ("failed", 1, 2)
    assert engine.position("places") == 4
    assert engine.skip("contents", by="ops", reason="lost") == 2
    run_dry(engine)
    assert engine.position("contents") == 4
    engine.rebuild(["contents", "places"])
    assert engine.position("contents") == 4


def test_a_row_that_the_database_refuses_is_poison_too(make_engine: MakeEngine, log: ListLog) -> None:
    class Careless(Contents):
        def _follow(self, entry: object, working: object) -> None:  # type: ignore[override]
            at = entry.position  # type: ignore[attr-defined]
            twice = "same" if at > 2 else f"{at}:0"
            for _ in range(2 if at > 2 else 1):
                working.open(self.tables[0], fact_id=twice, known_from=at, box="a", amount=1)  # type: ignore[attr-defined]

    engine = make_engine(Careless(), Places())
    log.append(filled("a"), filled("b"), filled("c"), filled("d"))
    run_dry(engine)
    failed = status(engine, "contents")
    assert (failed.state, failed.position, failed.failed_position) == ("failed", 2, 3)
    assert engine.position("places") == 4
    assert rows_of(engine) == 2


def test_a_lost_database_is_nobodys_poison(engine: ProjectionEngine, log: ListLog) -> None:
    """An outage ends the batch with an error for the worker to wait out; no projection is blamed."""
    log.append(filled("a"))
    engine.run_once()
    log.append(filled("b"))
    log.lost = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        engine.run_once()
    log.lost = None
    run_dry(engine)
    assert status(engine, "contents").state == "live"
    assert rows_of(engine) == 2


def test_an_outage_inside_apply_is_nobodys_poison(make_engine: MakeEngine, log: ListLog) -> None:
    class Unlucky(Contents):
        trouble = True

        def apply(self, batch: object, working: object) -> None:  # type: ignore[override]
            if self.trouble:
                raise psycopg.OperationalError("the connection is lost")
            super().apply(batch, working)  # type: ignore[arg-type]

    unlucky = Unlucky()
    engine = make_engine(unlucky, Places())
    log.append(filled("a"))
    with pytest.raises(psycopg.OperationalError):
        engine.run_once()
    unlucky.trouble = False
    run_dry(engine)
    assert {each.state for each in engine.status()} == {"live"}


def test_lag_is_told_in_events_and_seconds(engine: ProjectionEngine, log: ListLog, clock: Ticking) -> None:
    log.append(filled("a"), filled("b"))
    run_dry(engine)
    assert [(each.lag_events, each.lag_seconds) for each in engine.status()] == [(0, 0.0), (0, 0.0)]
    log.append(filled("c"), filled("d"), filled("e"))
    clock.us = log.entries[2].recorded_us + 7_500_000
    assert [(each.lag_events, each.lag_seconds) for each in engine.status()] == [(3, 7.5), (3, 7.5)]
