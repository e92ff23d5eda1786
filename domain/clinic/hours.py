"""When a clinic is open: local opening spans as UTC intervals, right across changes of the clock, less closures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from datetime import timezone as fixed
from zoneinfo import ZoneInfo

from domain.clinic.state import Closure, Hours, OpeningSpan, State

Interval = tuple[datetime, datetime]
"""Half-open, in UTC."""


def local_date(state: State, moment: datetime) -> date:
    """The clinic's calendar day of a moment."""
    return moment.astimezone(ZoneInfo(state.timezone)).date()


def hours_on(state: State, day: date) -> Hours | None:
    """The week in force on a local date: the last set of those with the latest `effective_from`."""
    weeks = [week for week in state.hours if week.effective_from <= day]
    return max(reversed(weeks), key=lambda week: week.effective_from, default=None)


def opening_on(state: State, day: date, *, prime: bool = False) -> tuple[Interval, ...]:
    """The opening (or prime time) intervals of a local date, ascending; closures not yet taken off."""
    week = hours_on(state, day)
    if week is None:
        return ()
    spans = week.prime if prime else week.hours
    zone = ZoneInfo(state.timezone)
    intervals = (_interval(span, day, zone) for span in spans if span.weekday == day.isoweekday())
    return tuple(sorted((starts, ends) for starts, ends in intervals if starts < ends))


def open_on(state: State, day: date, room: object | None = None) -> tuple[Interval, ...]:
    """Opening less closures of the clinic (and of `room`, a room id), ascending."""
    closed = [
        (one.starts_at.astimezone(UTC), one.ends_at.astimezone(UTC)) for one in state.closures
        if _applies(one, room)
    ]
    return subtract(opening_on(state, day), closed)


def is_open_over(state: State, starts_at: datetime, ends_at: datetime, room: object | None = None) -> bool:
    """Whether the clinic (and the room) is open during all of [starts_at, ends_at)."""
    day, last = local_date(state, starts_at), local_date(state, ends_at)
    open_: list[Interval] = []
    while day <= last:
        open_.extend(open_on(state, day, room))
        day += timedelta(days=1)
    return not subtract([(starts_at.astimezone(UTC), ends_at.astimezone(UTC))], open_)


def _applies(closure: Closure, room: object | None) -> bool:
    return not closure.lifted and (closure.room_id is None or closure.room_id == room)


def _interval(span: OpeningSpan, day: date, zone: ZoneInfo) -> Interval:
    closing_day = day + timedelta(days=1) if span.closes == time(0) else day
    return instant(day, span.opens, zone), instant(closing_day, span.closes, zone, last=True)


def instant(day: date, wall: time, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """The moment (UTC) at which the clinic's clock shows `wall` on `day`.

    A time that the clock skips is the moment of the change; of a time that it shows twice, the first, or with
    `last` the second. So a day's opening spans have their true length and never overlap at a change.
    """
    local = datetime.combine(day, wall, zone)
    first, second = local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if first > second:
        return _change_between(second, first, zone)
    return second if last else first


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment by the clinic's clock, with its offset as a plain number.

    Two moments of one zone compare by the wall clock alone, so those of the hour that comes twice would be taken for
    each other; with their offsets they are points in time.
    """
    local = moment.astimezone(zone)
    offset = local.utcoffset()
    assert offset is not None
    return local.replace(tzinfo=fixed(offset), fold=0)


def _change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The moment in (low, high] from which `zone` has the offset that it has at `high`; to the second."""
    offset = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def subtract(intervals: Sequence[Interval], holes: Iterable[Interval]) -> tuple[Interval, ...]:
    """What of the intervals no hole covers; ascending where `intervals` are."""
    left = list(intervals)
    for hole_starts, hole_ends in holes:
        cut: list[Interval] = []
        for starts, ends in left:
            if hole_ends <= starts or ends <= hole_starts:
                cut.append((starts, ends))
                continue
            if starts < hole_starts:
                cut.append((starts, hole_starts))
            if hole_ends < ends:
                cut.append((hole_ends, ends))
        left = cut
    return tuple(left)
