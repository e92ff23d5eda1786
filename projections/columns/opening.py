"""Opening hours, rooms in service and protocols in force, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from functools import lru_cache

import numpy as np

from projections.columns.codes import Ints
from projections.columns.spans import NOTHING, Spans, difference, intersection, union
from projections.columns.zones import UNIX_DAY, Clock, clock
from projections.facts.encoding import DAY, MINUTE, SECOND
from projections.metrics.calendar import ClinicCalendar, Closure, Hours, LocalSpan, Period, ProtocolMinutes, Room


def open_spans(calendar: ClinicCalendar, period: Period) -> Spans:
    """`ClinicCalendar.open_spans`, as arrays."""
    return open_and_prime(calendar, period)[0]


def open_and_prime(calendar: ClinicCalendar, period: Period) -> tuple[Spans, Spans]:
    """The same, and of prime time."""
    whole = tuple(one for one in calendar.closures if one.room is None)
    return _open_and_prime(calendar.timezone, calendar.hours, whole, period)


@lru_cache(maxsize=1024)
def _open_and_prime(
    timezone: str, hours: tuple[Hours, ...], closures: tuple[Closure, ...], period: Period
) -> tuple[Spans, Spans]:
    """By the hours in force on each day, closures taken out: calendar arithmetic alone, the same for ever."""
    hours = tuple(sorted(hours, key=lambda one: (one.effective_from, one.at_us)))
    days = np.arange(period.first.toordinal(), period.last.toordinal() + 1)
    in_force = np.searchsorted([one.effective_from.toordinal() for one in hours], days, side="right") - 1
    own = [days[in_force == number] - UNIX_DAY for number in range(len(hours))]
    local = clock(timezone, int(days[0] - UNIX_DAY) * DAY, int(days[-1] - UNIX_DAY) * DAY)
    closed = _together(closures)

    def opening(weeks: Sequence[Sequence[LocalSpan]]) -> Spans:
        spans = difference(_of_weeks(local, list(zip(own, weeks, strict=True))), closed)
        for side in spans:
            side.flags.writeable = False
        return spans

    return opening([one.hours for one in hours]), opening([one.prime for one in hours])


def _of_weeks(local: Clock, parts: Sequence[tuple[Ints, Sequence[LocalSpan]]]) -> Spans:
    """The hours of each part's days."""
    opens, closes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for mine, week in parts:
        weekday = (mine + 3) % 7 + 1
        for each in week:
            day = mine[weekday == each.weekday] * DAY
            opens.append(day + _of_day(each.opens))
            closes.append(day + _of_day(each.closes) + (0 if each.closes > each.opens else DAY))
    return union(Spans(local.instant(np.concatenate(opens)), local.instant(np.concatenate(closes))))


def _of_day(at: time) -> int:
    return at.hour * 60 * MINUTE + at.minute * MINUTE + at.second * SECOND + at.microsecond


def _together(spans: Sequence[Closure]) -> Spans:
    return union(Spans(
        np.array([one.starts_us for one in spans], dtype=np.int64),
        np.array([one.ends_us for one in spans], dtype=np.int64),
    ))  # fmt: skip


def room_open(calendar: ClinicCalendar, room: str, spans: Spans) -> Spans:
    """`ClinicCalendar.room_open`, as arrays."""
    own: list[Room] = [one for one in calendar.rooms if one.room == room]
    if not own or not len(spans.starts):
        return NOTHING
    service = union(Spans(
        np.array([one.from_us for one in own], dtype=np.int64), np.array([one.until_us for one in own], dtype=np.int64)
    ))  # fmt: skip
    if len(service.starts) != 1 or service.starts[0] > spans.starts[0] or service.ends[0] < spans.ends[-1]:
        spans = intersection(spans, service)
    closed = [one for one in calendar.closures if one.room == room]
    return difference(spans, _together(closed)) if closed else spans


class Protocols:
    """A clinic's protocols in order; `at` gives the place of the one in force, -1 before the first."""

    def __init__(self, calendar: ClinicCalendar) -> None:
        self.all: list[ProtocolMinutes] = sorted(calendar.protocols, key=lambda one: one.at_us)
        self._from: Ints = np.array([one.at_us for one in self.all], dtype=np.int64)

    def at(self, us: Ints) -> Ints:
        return np.searchsorted(self._from, us, side="right") - 1

    def field(self, name: str) -> Ints:
        """One field of each, with a 0 for none (place -1) at the end."""
        return np.array([*(getattr(one, name) for one in self.all), 0], dtype=np.int64)
