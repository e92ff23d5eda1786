"""Clinic-local days: their true length, opening hours put on the time line, bins by local time of day.

Minutes are elapsed (UTC). A local day runs from one local midnight to the next, so a day on which the clocks change
has 23 or 25 hours. An opening time that does not exist (a gap) is the instant at which the clock passes it; one that
exists twice means the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from domain.day_sheet import default_minutes
from domain.protocol import VisitMinutes
from projections.facts.encoding import MINUTE, micros, moment
from projections.metrics.intervals import Span, difference, intersection, union

BIN = 15 * MINUTE
BINS = 96


class Period(msgspec.Struct, frozen=True):
    """Local dates `first` to `last`, both included."""

    first: date
    last: date

    def days(self) -> Iterator[date]:
        """Every date of the period."""
        for ordinal in range(self.first.toordinal(), self.last.toordinal() + 1):
            yield date.fromordinal(ordinal)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The IANA zone; UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=65_536)
def instant(timezone: str, day: date, at: time) -> int:
    """The UTC microsecond at which the clinic's clock first shows, or in a gap passes, `at` on `day`."""
    local = datetime.combine(day, at, tzinfo=zone(timezone))
    us = micros(local.astimezone(UTC))
    assert us is not None
    if datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(zone(timezone)).replace(tzinfo=None) > local.replace(
        tzinfo=None
    ):
        return _end_of_gap(timezone, us)
    return us


def _end_of_gap(timezone: str, us: int) -> int:
    """The instant of the clock change just before `us`: where a local time that does not exist is passed."""
    low, high = us - 24 * 60 * MINUTE, us
    after = moment(us).astimezone(zone(timezone)).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if moment(middle).astimezone(zone(timezone)).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def day_span(timezone: str, day: date) -> Span:
    """The local day as an interval: 23, 24 or 25 hours."""
    midnight = time(0)
    return (instant(timezone, day, midnight), instant(timezone, day + timedelta(days=1), midnight))


def period_span(timezone: str, period: Period) -> Span:
    """From the first local midnight to the one after the last day."""
    return (day_span(timezone, period.first)[0], day_span(timezone, period.last)[1])


def local_date(timezone: str, us: int) -> date:
    """The clinic-local date of an instant."""
    return moment(us).astimezone(zone(timezone)).date()


class LocalSpan(msgspec.Struct, frozen=True):
    """Open from `opens` to `closes` on ISO weekday 1 to 7, by the clinic's clock; past midnight when not later."""

    weekday: int
    opens: time
    closes: time


class Hours(msgspec.Struct, frozen=True):
    """Opening hours in force from local date `effective_from`; said at `at_us`."""

    effective_from: date
    at_us: int
    hours: tuple[LocalSpan, ...]
    prime: tuple[LocalSpan, ...] = ()

    def __hash__(self) -> int:
        """By when they hold: the week itself is long to hash, and few share a moment."""
        return hash((self.effective_from, self.at_us))


class Closure(msgspec.Struct, frozen=True):
    """The clinic, or one room, closed over [starts_us, ends_us)."""

    room: str | None
    starts_us: int
    ends_us: int


class ProtocolMinutes(msgspec.Struct, frozen=True):
    """What the metrics use of an adopted protocol."""

    at_us: int
    preparation: int
    infusion: int
    monitoring: int
    turnover: int
    monitoring_minutes: int
    discharge_scale: str
    discharge_minimum: int
    booster_default_days: int
    booster_minimum_days: int


class Room(msgspec.Struct, frozen=True):
    """A room in service over [from_us, until_us)."""

    room: str
    name: str
    from_us: int
    until_us: int


class ClinicCalendar(msgspec.Struct, frozen=True):
    """A clinic's rooms, hours, closures and protocols as known."""

    clinic: str
    timezone: str
    rooms: tuple[Room, ...] = ()
    hours: tuple[Hours, ...] = ()
    closures: tuple[Closure, ...] = ()
    protocols: tuple[ProtocolMinutes, ...] = ()
    rows: tuple[str, ...] = ()

    def hours_on(self, day: date) -> Hours | None:
        """The hours in force on a local date: the latest effective, of those the latest said."""
        inforce = [one for one in self.hours if one.effective_from <= day]
        return max(inforce, key=lambda one: (one.effective_from, one.at_us), default=None)

    def protocol_at(self, at_us: int) -> ProtocolMinutes | None:
        """The protocol in force at a moment."""
        return max((one for one in self.protocols if one.at_us <= at_us), key=lambda one: one.at_us, default=None)

    def visit_minutes(self, visit_kind: str, at_us: int) -> int | None:
        """The kind's default length, as a booking without an end has it; None before a protocol is adopted."""
        one = self.protocol_at(at_us)
        return None if one is None else default_minutes(visit_kind, VisitMinutes(
            preparation=one.preparation, infusion=one.infusion, monitoring=one.monitoring, turnover=one.turnover
        ))  # fmt: skip

    def open_spans(self, period: Period, *, prime: bool = False) -> list[Span]:
        """When the clinic as a whole is open (or in its prime time), closures of the whole clinic taken out."""
        spans = [span for day in period.days() for span in self._spans_of(day, prime)]
        whole = union((one.starts_us, one.ends_us) for one in self.closures if one.room is None)
        return difference(union(spans), whole)

    def _spans_of(self, day: date, prime: bool) -> Iterator[Span]:
        hours = self.hours_on(day)
        if hours is None:
            return
        for one in hours.prime if prime else hours.hours:
            if one.weekday == day.isoweekday():
                closes_on = day if one.closes > one.opens else day + timedelta(days=1)
                yield (
                    instant(self.timezone, day, one.opens), instant(self.timezone, closes_on, one.closes)
                )  # fmt: skip

    def room_open(self, room: str, spans: Sequence[Span]) -> list[Span]:
        """`spans` of the clinic, as far as `room` is in service and not closed."""
        service = union((one.from_us, one.until_us) for one in self.rooms if one.room == room)
        closed = union((one.starts_us, one.ends_us) for one in self.closures if one.room == room)
        return difference(intersection(spans, service), closed)


def bins(timezone: str, spans: Sequence[Span]) -> Iterator[tuple[int, int, Span]]:
    """`spans` cut at every quarter hour of the local clock: (ISO weekday, bin 0..95, piece).

    All zones in use are offset by whole quarter hours, so local quarters start at UTC quarters.
    """
    for start, end in spans:
        at = start
        while at < end:
            until = min(end, at - at % BIN + BIN)
            local = moment(at).astimezone(zone(timezone))
            yield local.isoweekday(), (local.hour * 60 + local.minute) // 15, (at, until)
            at = until
