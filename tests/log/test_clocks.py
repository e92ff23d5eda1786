"""Two clocks: what had been recorded by a moment is everything up to one position, for ever."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.system import LogOpened
from services.log import EventLog, WrongLogMode, open_log
from services.log.mapper import micros, moment
from services.log.verify import verify
from tests.conftest import Database
from tests.log.given import append, scored


class Settable:
    """A recording clock that the simulation sets."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now


START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def simulated(database: Database, clock: Settable) -> EventLog:
    return open_log(
        database.log_url, keys_url=database.keys_url, home=database.home, mode="simulation", clock=clock
    )


def test_the_first_event_says_how_the_log_was_opened(event_log: EventLog) -> None:
    (opened,) = event_log.read(0, 10)
    assert isinstance(opened.event, LogOpened)
    assert (opened.event.mode, opened.event.log, opened.position) == ("production", "care", 1)


def test_opening_again_writes_nothing(event_log: EventLog, database: Database) -> None:
    open_log(database.log_url, keys_url=database.keys_url, home=database.home).close()
    assert event_log.head() == 1


def test_recorded_at_is_the_databases_clock_in_utc(event_log: EventLog) -> None:
    before = datetime.now(UTC)
    done = append(event_log, uuid4(), 0, scored())
    assert done.recorded_at is not None
    assert before - timedelta(seconds=1) <= done.recorded_at <= datetime.now(UTC) + timedelta(seconds=1)
    assert event_log.read(1, 1)[0].recorded_at == done.recorded_at


def test_known_at_is_the_highest_position_recorded_by_then(database: Database) -> None:
    clock = Settable(START)
    log = simulated(database, clock)
    for minute in (1, 2, 2, 5):
        clock.set(START + timedelta(minutes=minute))
        append(log, uuid4(), 0, scored())
    known = {
        -1: 0, 0: 1, 0.9: 1, 1: 2, 1.5: 2, 2: 4, 4.9: 4, 5: 5, 1e6: 5,
    }
    for minute, position in known.items():
        assert log.position_at(START + timedelta(minutes=minute)) == position, minute
    assert log.position_at(START + timedelta(minutes=2) - timedelta(microseconds=1)) == 2
    log.close()


def test_a_stream_and_a_subject_can_be_read_as_they_were_known(database: Database) -> None:
    clock, stream = Settable(START), uuid4()
    log = simulated(database, clock)
    for minute in range(5):
        clock.set(START + timedelta(minutes=minute))
        append(log, stream, minute, scored(-minute))
    upto = log.position_at(START + timedelta(minutes=2))
    assert [record.version for record in log.read_stream(stream, upto=upto)] == [1, 2, 3]
    assert [record.version for record in log.read_stream(stream, after_version=2, upto=upto)] == [3]
    log.close()


def test_a_clock_set_back_does_not_set_back_the_log(database: Database) -> None:
    clock = Settable(START)
    log = simulated(database, clock)
    clock.set(START - timedelta(days=1))
    append(log, uuid4(), 0, scored())
    first, second = log.read(0, 10)
    assert second.recorded_at == first.recorded_at == START
    assert verify(log).holds
    log.close()


def test_a_clock_of_ours_is_refused_by_a_production_log(event_log: EventLog, database: Database) -> None:
    with pytest.raises(WrongLogMode):
        open_log(database.log_url, clock=Settable(START))
    sneaky = EventLog(database.log_url, keys=event_log.keys, clock=Settable(START))
    with pytest.raises(WrongLogMode):
        append(sneaky, uuid4(), 0, scored())
    assert event_log.head() == 1


def test_production_refuses_a_simulation_log_and_the_other_way_round(database: Database) -> None:
    simulated(database, Settable(START)).close()
    with pytest.raises(WrongLogMode, match="simulation"):
        open_log(database.log_url)


def test_production_log_is_not_opened_as_a_simulation(event_log: EventLog, database: Database) -> None:
    with pytest.raises(WrongLogMode, match="production"):
        simulated(database, Settable(START))


def test_nothing_is_written_to_a_log_that_was_not_opened(database: Database) -> None:
    with pytest.raises(WrongLogMode):
        append(EventLog(database.log_url), uuid4(), 0, scored())


def test_moments_are_kept_to_the_microsecond() -> None:
    for when in (datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2099, 7, 1, 1, 2, 3, 4, tzinfo=UTC)):
        assert moment(micros(when)) == when


def test_a_log_of_many_events_finds_a_moment_quickly(database: Database) -> None:
    clock = Settable(START)
    log = simulated(database, clock)
    log.append_all([])
    for minute in range(1, 60):
        clock.set(START + timedelta(minutes=minute))
        append(log, uuid4(), 0, *[scored()] * 20)
    began = time.perf_counter()
    assert log.position_at(START + timedelta(minutes=30, seconds=1)) == 1 + 30 * 20
    assert time.perf_counter() - began < 0.5
    log.close()
