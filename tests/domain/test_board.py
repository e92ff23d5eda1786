"""What is free: opening less closures less what is held, the same moment for moment as the claims say."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import clinic
from domain.day_sheet import Board, Opening, back_to_back, free_spans, nearest, quarters, spread_days
from domain.kernel import Claim

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000009")
ROOM, OTHER = uuid5(SPACE, "room"), uuid5(SPACE, "other")
DENVER = ZoneInfo("America/Denver")
DAWN = datetime(2020, 1, 1, tzinfo=UTC)


def at(hour: float, day: date = date(2026, 3, 9)) -> datetime:
    return (datetime.combine(day, time(0), UTC)) + timedelta(hours=hour)


def held(starts: float, ends: float, resource: str = "x", holder: str = "h") -> Claim:
    return Claim(resource=resource, holder=holder, starts=at(starts), ends=at(ends))


claims = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=12).map(
    lambda pairs: [held(starts, starts + much, holder=f"h{n}") for n, (starts, much) in enumerate(pairs)])


@given(claims, st.integers(1, 3), st.integers(0, 41))
def test_busy_is_when_another_could_not_be_held(some: list[Claim], capacity: int, hour: int) -> None:
    """For every hour: inside a busy span exactly when a claim of that hour would be refused."""
    board = Board.of(some)
    asked = Claim(resource="x", holder="new", starts=at(hour), ends=at(hour + 1), capacity=capacity)
    busy = any(starts < at(hour + 1) and at(hour) < ends for starts, ends in board.busy("x", capacity))
    assert busy == (board.blocker(asked) is not None)


def test_what_is_not_enforced_is_never_blocked_and_nobody_blocks_themselves() -> None:
    board = Board.of([held(9, 11)])
    asked = held(10, 12, holder="other")
    assert board.blocker(asked) is not None
    assert board.blocker(replace(asked, enforce=False)) is None
    assert board.blocker(held(10, 12)) is None
    assert board.without("h").blocker(asked) is None


def open_clinic(**more: object) -> clinic.State:
    hours = clinic.Hours(effective_from=date(2020, 1, 1), hours=tuple(
        clinic.OpeningSpan(weekday=day, opens=time(8), closes=time(12)) for day in range(1, 8)))
    state = replace(clinic.initial(SPACE), timezone="America/Denver", hours=(hours,), rooms=(
        clinic.Room(room_id=ROOM, room_name="1", added_at=DAWN),
        clinic.Room(room_id=OTHER, room_name="2", added_at=DAWN, retired_at=DAWN)))
    return replace(state, **more)


def local(hour: int, minute: int = 0, day: date = date(2026, 3, 9)) -> datetime:
    return datetime.combine(day, time(hour, minute), DENVER).astimezone(UTC)


def test_free_is_open_less_closed_less_held_and_nothing_of_a_retired_room() -> None:
    closure = clinic.Closure(closure_id=SPACE, starts_at=local(11), ends_at=local(13), room_id=ROOM)
    here = open_clinic(closures=(closure, replace(closure, closure_id=OTHER, starts_at=local(8), lifted=True)))
    board = Board.of([
        Claim(resource=f"room:{ROOM}", holder="a", starts=local(8, 30), ends=local(9)),
        Claim(resource="nurse:n", holder="a", starts=local(9, 30), ends=local(10)),
        Claim(resource="nurse:n", holder="b", starts=local(9), ends=local(9, 45)),
    ])
    day = [date(2026, 3, 9)]
    assert free_spans(here, day, ROOM, board, {}, DAWN) == (
        (local(8), local(8, 30)), (local(9), local(11)))
    assert free_spans(here, day, ROOM, board, {"nurse:n": 2}, local(8, 10)) == (
        (local(8, 10), local(8, 30)), (local(9), local(9, 30)), (local(9, 45), local(11)))
    assert free_spans(here, day, OTHER, board, {}, DAWN) == ()


def test_slots_begin_on_the_quarter_or_follow_one_another() -> None:
    spans = [(at(8.1), at(9.5)), (at(10), at(10.5))]
    half = timedelta(minutes=30)
    assert quarters(spans, half) == [at(8.25), at(8.5), at(8.75), at(9), at(10)]
    assert back_to_back(spans, half) == [at(8.1), at(8.6), at(10)]


@pytest.mark.parametrize(("day", "starts"), [
    (date(2026, 3, 8), ["00:00-07:00", "01:00-07:00", "03:00-06:00", "04:00-06:00"]),
    (date(2026, 11, 1), ["00:00-06:00", "01:00-06:00", "01:00-07:00", "02:00-07:00", "03:00-07:00"]),
])
def test_a_day_of_23_or_25_hours_has_that_many_slots(day: date, starts: list[str]) -> None:
    """Open from midnight to five o'clock on the nights of the change: the skipped hour is no slot, the repeated one
    two, told apart by their offsets."""
    week = tuple(clinic.OpeningSpan(weekday=n, opens=time(0), closes=time(5)) for n in range(1, 8))
    here = open_clinic(hours=(clinic.Hours(effective_from=date(2020, 1, 1), hours=week),))
    found = back_to_back(free_spans(here, [day], ROOM, Board(), {}, DAWN), timedelta(hours=1))
    shown = [one.astimezone(DENVER).isoformat() for one in found]
    assert [one[11:16] + one[-6:] for one in shown][: len(starts)] == starts
    assert len(found) == {date(2026, 3, 8): 4, date(2026, 11, 1): 6}[day]


@given(st.integers(1, 40), st.integers(1, 20))
def test_days_are_spread_evenly(many: int, count: int) -> None:
    """All different, in order; with room enough the first and the last are among them and no gap is twice another."""
    days = [date(2026, 3, 1) + timedelta(days=number) for number in range(many)]
    found = spread_days(days, count)
    assert found == sorted(set(found))
    assert len(found) == min(many, count)
    gaps = [(later - earlier).days for earlier, later in pairwise(found)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    if count > 1:
        assert (found[0], found[-1]) == (days[0], days[-1])


def test_the_wished_room_is_offered_where_it_is_free() -> None:
    wished = local(9)
    free = [Opening(room_id=room, starts_at=local(hour), ends_at=local(hour + 1)) for hour, room in (
        (8, ROOM), (8, OTHER), (10, ROOM))]
    assert [(one.starts_at, one.room_id) for one in nearest(wished, OTHER, free, "America/Denver")] == [
        (local(8), OTHER), (local(10), ROOM)]
