"""Local days and opening hours, minute by minute against the zone's own clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.facts.encoding import MINUTE, micros, moment
from projections.metrics.calendar import (
    ClinicCalendar,
    Closure,
    Hours,
    LocalSpan,
    Period,
    Room,
    bins,
    day_span,
    instant,
    local_date,
)
from projections.metrics.intervals import clipped, difference, intersection, length, union

HOUR = 60 * MINUTE
spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair))), max_size=8)


def points(some: list[tuple[int, int]]) -> set[int]:
    return {at for start, end in some for at in range(start, end)}


@given(spans, spans, st.tuples(st.integers(0, 30), st.integers(31, 60)))
def test_intervals_are_sets_of_points(
    a: list[tuple[int, int]], b: list[tuple[int, int]], within: tuple[int, int]
) -> None:
    """Union, intersection, difference, clipping and length against sets."""
    left, right = union(a), union(b)
    assert points(left) == points(a)
    assert length(left) == len(points(a))
    assert all(one[1] < other[0] for one, other in pairwise(left))
    assert points(intersection(left, right)) == points(a) & points(b)
    assert points(difference(left, right)) == points(a) - points(b)
    assert points(clipped(left, within)) == points(a) & set(range(*within))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23), ("America/New_York", date(2026, 11, 1), 25),
        ("America/New_York", date(2026, 3, 9), 24), ("America/Phoenix", date(2026, 3, 8), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23), ("Asia/Beirut", date(2026, 3, 29), 23),
        ("America/Havana", date(2026, 11, 1), 25),
    ],
)  # fmt: skip
def test_a_day_has_its_true_length(zone: str, day: date, hours: int) -> None:
    """Days on which the clocks change have 23 or 25 hours, also where they change at midnight."""
    start, end = day_span(zone, day)
    assert end - start == hours * HOUR
    assert local_date(zone, start) == day
    assert local_date(zone, start - 1) == day - timedelta(days=1)


def test_a_time_in_the_gap_is_the_moment_the_clock_passes_it() -> None:
    """02:30 does not exist in New York on 8 March 2026: 07:00 UTC, when 2:00 becomes 3:00."""
    assert moment(instant("America/New_York", date(2026, 3, 8), time(2, 30))) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_a_time_that_comes_twice_is_the_first() -> None:
    """01:30 comes twice on 1 November 2026: first at 05:30 UTC."""
    first = moment(instant("America/New_York", date(2026, 11, 1), time(1, 30)))
    assert first == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


opening = st.lists(
    st.tuples(st.integers(1, 7), st.integers(3 * 4, 12 * 4), st.integers(13 * 4, 23 * 4)), max_size=8
).map(
    lambda some: tuple(
        LocalSpan(day, time(opens // 4, opens % 4 * 15), time(closes // 4, closes % 4 * 15))
        for day, opens, closes in some
    )
)


@given(opening, opening, st.sampled_from(["America/New_York", "Europe/Berlin", "America/Phoenix"]))
@settings(max_examples=25, deadline=None)
def test_open_time_is_what_the_wall_clock_says(
    first: tuple[LocalSpan, ...], then: tuple[LocalSpan, ...], zone: str
) -> None:
    """Every five minutes of three weeks around a clock change, with new hours in the middle and a closure."""
    days = Period(date(2026, 3, 2), date(2026, 3, 31))
    closed = (micros(datetime(2026, 3, 10, 15, tzinfo=UTC)) or 0, micros(datetime(2026, 3, 11, 17, tzinfo=UTC)) or 0)
    change = date(2026, 3, 17)
    calendar = ClinicCalendar(
        clinic="c", timezone=zone, rooms=(Room("r", "R", 0, 2**60),),
        hours=(Hours(date(2026, 1, 1), 0, first), Hours(change, 1, then)), closures=(Closure(None, *closed),),
    )  # fmt: skip
    found = calendar.room_open("r", calendar.open_spans(days))
    expected = 0
    at = datetime(2026, 3, 1, tzinfo=UTC)
    step = timedelta(minutes=5)
    for index in range(int(timedelta(days=33) / step)):
        us = (micros(at) or 0) + index * 5 * MINUTE
        local = moment(us).astimezone(ZoneInfo(zone))
        hours = then if local.date() >= change else first
        is_open = any(
            one.weekday == local.isoweekday() and one.opens <= local.timetz().replace(tzinfo=None) < one.closes
            for one in hours
        )
        if is_open and days.first <= local.date() <= days.last and not closed[0] <= us < closed[1]:
            expected += 5
    assert length(found) == expected * MINUTE


def test_hours_past_midnight_run_into_the_next_day() -> None:
    """A span that closes no later than it opens ends on the day after."""
    monday = LocalSpan(1, time(20), time(2))
    calendar = ClinicCalendar(clinic="c", timezone="America/Phoenix", hours=(Hours(date(2026, 1, 1), 0, (monday,)),))
    (span,) = calendar.open_spans(Period(date(2026, 3, 2), date(2026, 3, 2)))
    assert span[1] - span[0] == 6 * HOUR


def test_bins_follow_the_clock_through_the_change() -> None:
    """The gap's four quarter hours are missing in spring, doubled in autumn."""
    spring = [quarter for _, quarter, _ in bins("America/New_York", [day_span("America/New_York", date(2026, 3, 8))])]
    autumn = [quarter for _, quarter, _ in bins("America/New_York", [day_span("America/New_York", date(2026, 11, 1))])]
    assert set(range(96)) - set(spring) == {8, 9, 10, 11}
    assert sorted(quarter for quarter in set(autumn) if autumn.count(quarter) == 2) == [4, 5, 6, 7]
    assert len(spring) == 92
    assert len(autumn) == 100
