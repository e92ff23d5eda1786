"""Room time: open, booked, occupied, in what phase, at what time of day. Tallies add up over clinics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

import msgspec
import numpy as np

from projections.facts.encoding import MINUTE
from projections.metrics.bookings import Slot
from projections.metrics.calendar import BINS, ClinicCalendar, Period, bins, day_span, local_date, period_span
from projections.metrics.figures import Figure, Measured, Spread, amount, joined, joined_values, quotient, spread
from projections.metrics.intervals import Span, clipped, intersection, length, union
from projections.metrics.lazy import Later
from projections.metrics.occupied import PHASES, Occupied, occupied, phases
from projections.metrics.visits import Visit

IDLE = 60 * MINUTE

class DayTally(msgspec.Struct):
    """One local day's microseconds."""

    open_us: int = 0
    open_elapsed_us: int = 0
    booked_us: int = 0
    occupied_us: int = 0
    occupied_open_us: int = 0


class RoomTotals(msgspec.Struct, kw_only=True):
    """Microseconds of one clinic over a whole period, and the facts they come from."""

    open_us: int = 0
    open_elapsed_us: int = 0
    booked_us: int = 0
    occupied_us: int = 0
    occupied_open_us: int = 0
    unclosed: int = 0
    calendar: Sequence[str] = ()
    slots: Sequence[str] = ()
    visits: Sequence[str] = ()


class RoomTally(RoomTotals, kw_only=True):
    """The totals with those of prime time and of overbooking, and how they are spread: over phases, quarter hours,
    weekdays and days, and what lay between."""

    prime_us: int = 0
    prime_elapsed_us: int = 0
    booked_prime_us: int = 0
    occupied_prime_us: int = 0
    booked_sum_us: int = 0
    booked_union_us: int = 0
    phases: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(PHASES, 0))
    busy: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)
    existed: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)
    rooms: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)
    grid_open: dict[tuple[int, int], int] = msgspec.field(default_factory=lambda: defaultdict(int))
    grid_busy: dict[tuple[int, int], int] = msgspec.field(default_factory=lambda: defaultdict(int))
    days: dict[date, DayTally] = msgspec.field(default_factory=dict)
    gaps: list[tuple[float, str]] | Measured = msgspec.field(default_factory=list)
    idle: int = 0


def tally_rooms(
    calendar: ClinicCalendar, period: Period, visits: Sequence[Visit], slots: Sequence[Slot], as_of_us: int
) -> RoomTally:
    """One clinic's room time. `visits` and `slots` may reach beyond the period: they are clipped to it."""
    span = period_span(calendar.timezone, period)
    elapsed = (span[0], max(span[0], min(span[1], as_of_us)))
    wider = Period(period.first - timedelta(days=3), period.last + timedelta(days=2))
    tally = RoomTally(days={day: DayTally() for day in period.days()})
    opening, prime = calendar.open_spans(wider), calendar.open_spans(wider, prime=True)
    stays = occupied(visits, calendar.timezone, opening, as_of_us)
    by_room: dict[str, list[Occupied]] = defaultdict(list)
    for stay in stays:
        by_room[stay.room].append(stay)
    booked: dict[str, list[Slot]] = defaultdict(list)
    for slot in slots:
        if slot.live_at_start:
            booked[slot.room].append(slot)
    every_room = {one.room for one in calendar.rooms} | by_room.keys() | booked.keys()
    for room in sorted(every_room):
        open_room = clipped(calendar.room_open(room, opening), span)
        prime_room = intersection(clipped(calendar.room_open(room, prime), span), open_room)
        _tally_open(tally, calendar, open_room, prime_room, elapsed)
        _tally_booked(tally, calendar, booked[room], open_room, prime_room, span)
        _tally_occupied(tally, calendar, by_room[room], open_room, prime_room, elapsed)
    _tally_opened_days(tally, calendar, period, clipped(opening, elapsed), elapsed, by_room)
    _tally_phases(tally, calendar, stays, elapsed)
    tally.calendar = calendar.rows
    tally.visits = sorted({stay.visit.fact for stay in stays if clipped([(stay.from_us, stay.until_us)], elapsed)})
    tally.unclosed = len({stay.visit.infusion for stay in stays if stay.unclosed and stay.from_us in range(*elapsed)})
    tally.slots = sorted({slot.fact for some in booked.values() for slot in some if _touches(slot, span)})
    return tally


def _touches(slot: Slot, span: Span) -> bool:
    return slot.starts_us < span[1] and slot.ends_us > span[0]


def _tally_open(
    tally: RoomTally, calendar: ClinicCalendar, open_room: Sequence[Span], prime: Sequence[Span], elapsed: Span
) -> None:
    passed = clipped(open_room, elapsed)
    tally.open_us += length(open_room)
    tally.open_elapsed_us += length(passed)
    tally.prime_us += length(prime)
    tally.prime_elapsed_us += length(clipped(prime, elapsed))
    _by_day(tally, calendar, open_room, "open_us")
    _by_day(tally, calendar, passed, "open_elapsed_us")
    for weekday, quarter, (start, end) in bins(calendar.timezone, passed):
        tally.rooms[quarter] += end - start
        tally.grid_open[weekday, quarter // 4] += end - start


def _tally_booked(
    tally: RoomTally, calendar: ClinicCalendar, slots: Sequence[Slot], open_room: Sequence[Span],
    prime: Sequence[Span], span: Span,
) -> None:  # fmt: skip
    taken = clipped(((slot.starts_us, slot.ends_us) for slot in slots), span)
    whole = union(taken)
    within = intersection(whole, open_room)
    tally.booked_sum_us += length(taken)
    tally.booked_union_us += length(whole)
    tally.booked_us += length(within)
    tally.booked_prime_us += length(intersection(within, prime))
    _by_day(tally, calendar, within, "booked_us")


def _tally_occupied(
    tally: RoomTally, calendar: ClinicCalendar, stays: list[Occupied], open_room: Sequence[Span],
    prime: Sequence[Span], elapsed: Span,
) -> None:  # fmt: skip
    busy = union(clipped(((stay.from_us, stay.until_us) for stay in stays), elapsed))
    within = intersection(busy, open_room)
    tally.occupied_us += length(busy)
    tally.occupied_open_us += length(within)
    tally.occupied_prime_us += length(intersection(within, prime))
    _by_day(tally, calendar, busy, "occupied_us")
    _by_day(tally, calendar, within, "occupied_open_us")
    for weekday, quarter, (start, end) in bins(calendar.timezone, within):
        tally.grid_busy[weekday, quarter // 4] += end - start
    _tally_turnover(tally, calendar, stays, elapsed)


def _tally_turnover(tally: RoomTally, calendar: ClinicCalendar, stays: list[Occupied], elapsed: Span) -> None:
    ordered = sorted(stays, key=lambda stay: (stay.from_us, stay.until_us))
    gaps = tally.gaps
    assert isinstance(gaps, list)
    for before, after in pairwise(ordered):
        same_visit = before.visit.infusion == after.visit.infusion
        if before.unclosed or same_visit or not elapsed[0] <= after.from_us < elapsed[1]:
            continue
        gap = after.from_us - before.until_us
        if gap < 0 or local_date(calendar.timezone, before.until_us) != local_date(calendar.timezone, after.from_us):
            continue
        if gap > IDLE:
            tally.idle += 1
        else:
            gaps.append((gap / MINUTE, after.visit.fact))


def _tally_opened_days(
    tally: RoomTally, calendar: ClinicCalendar, period: Period, opening: Sequence[Span], elapsed: Span,
    by_room: Mapping[str, Sequence[Occupied]],
) -> None:  # fmt: skip
    """What the means by time of day rest on: the quarter hours of days with any opening, and who was in then."""
    opened_on = {
        day for start, end in opening
        for day in Period(local_date(calendar.timezone, start), local_date(calendar.timezone, end - 1)).days()
    }  # fmt: skip
    opened = clipped((day_span(calendar.timezone, day) for day in period.days() if day in opened_on), elapsed)
    for _, quarter, (start, end) in bins(calendar.timezone, opened):
        tally.existed[quarter] += end - start
    for stays in by_room.values():
        busy = intersection(union((stay.from_us, stay.until_us) for stay in stays), opened)
        for _, quarter, (start, end) in bins(calendar.timezone, busy):
            tally.busy[quarter] += end - start


def _tally_phases(tally: RoomTally, calendar: ClinicCalendar, stays: Iterable[Occupied], elapsed: Span) -> None:
    by_visit: dict[str, list[Occupied]] = defaultdict(list)
    for stay in stays:
        by_visit[stay.visit.infusion].append(stay)
    for some in by_visit.values():
        for phase, us in phases(some[0].visit, some, calendar, elapsed).items():
            tally.phases[phase] += us


def _by_day(tally: RoomTally, calendar: ClinicCalendar, spans: Sequence[Span], field: str) -> None:
    """Adds `spans`, split at local midnight, to their days."""
    for start, end in spans:
        at = start
        while at < end:
            day = local_date(calendar.timezone, at)
            until = min(end, day_span(calendar.timezone, day)[1])
            one = tally.days.get(day)
            if one is not None:
                setattr(one, field, getattr(one, field) + until - at)
            at = until


# --- figures --------------------------------------------------------------------------------------


class TimeOfDay(msgspec.Struct, frozen=True, gc=False):
    """One quarter hour of the local clock: mean rooms busy against mean rooms open."""

    starts: str
    busy: Figure
    rooms_open: float | None


class HourOfWeek(msgspec.Struct, frozen=True, gc=False):
    """Actual utilization of one hour of the week. weekday: ISO, 1 Monday."""

    weekday: int
    hour: int
    utilization: Figure


class RoomDay(msgspec.Struct, frozen=True, gc=False):
    """One local day."""

    day: date
    scheduled: Figure
    actual: Figure


class RoomFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Every figure about rooms, of one clinic or of several together."""

    open_minutes: Figure
    booked_minutes: Figure
    occupied_minutes: Figure
    scheduled_utilization: Figure
    actual_utilization: Figure
    prime_time_utilization: Figure
    overtime_minutes: Figure
    overbooked_minutes: Figure
    booked_outside_open_minutes: Figure
    phases: Mapping[str, Figure]
    turnover: Spread
    by_time_of_day: Sequence[TimeOfDay]
    by_hour_of_week: Sequence[HourOfWeek]
    days: Sequence[RoomDay]


class RoomShares:
    """Figures of the totals of these clinics together: microseconds added up, then divided."""

    def __init__(self, totals: Sequence[RoomTotals]) -> None:
        self._totals = totals
        self.booked_rows = joined([one.slots for one in totals])
        self.visit_rows = joined([one.visits for one in totals])
        unclosed = sum(one.unclosed for one in totals)
        self._flags = {"unclosed": unclosed} if unclosed else {}

    def _minutes(self, field: str) -> float:
        return _minutes(self._totals, field)

    def booked(self, metric: str, value: float) -> Figure:
        """Minutes that the bookings made."""
        return amount(metric, value, "minutes", n=len(self.booked_rows), rows=self.booked_rows)

    def _occupied(self, metric: str, value: float) -> Figure:
        return amount(metric, value, "minutes", n=len(self.visit_rows), rows=self.visit_rows, flags=self._flags)

    def share(self, metric: str, of: str, among: str) -> Figure:
        """One of the totals of another, by the visits."""
        return quotient(
            metric, self._minutes(of), self._minutes(among), n=len(self.visit_rows), rows=self.visit_rows,
            flags=self._flags,
        )  # fmt: skip

    def open_minutes(self) -> Figure:
        """Room minutes of the opening hours; its rows are what the clinics said of rooms, hours and closures."""
        said = joined([one.calendar for one in self._totals])
        return amount("open_minutes", self._minutes("open_us"), "minutes", rows=said)

    def booked_minutes(self) -> Figure:
        """Of them booked."""
        return self.booked("booked_minutes", self._minutes("booked_us"))

    def occupied_minutes(self) -> Figure:
        """Room minutes with a patient in, open or not."""
        return self._occupied("occupied_minutes", self._minutes("occupied_us"))

    def scheduled_utilization(self) -> Figure:
        """Booked of open room time."""
        return quotient(
            "scheduled_utilization", self._minutes("booked_us"), self._minutes("open_us"), n=len(self.booked_rows),
            rows=self.booked_rows,
        )  # fmt: skip

    def actual_utilization(self) -> Figure:
        """Occupied of open room time that has passed."""
        return self.share("actual_utilization", "occupied_open_us", "open_elapsed_us")

    def overtime_minutes(self) -> Figure:
        """Occupied outside the opening hours."""
        return self._occupied(
            "overtime_minutes", self._minutes("occupied_us") - self._minutes("occupied_open_us")
        )


def _minutes(totals: Sequence[RoomTotals], field: str) -> float:
    return float(sum(getattr(one, field) for one in totals)) / MINUTE


def room_figures(tallies: Sequence[RoomTally]) -> RoomFigures:
    """The figures of these clinics together."""
    shares = RoomShares(tallies)
    booked, whole = _minutes(tallies, "booked_us"), _minutes(tallies, "booked_union_us")
    return RoomFigures(
        open_minutes=shares.open_minutes(), booked_minutes=shares.booked_minutes(),
        occupied_minutes=shares.occupied_minutes(), scheduled_utilization=shares.scheduled_utilization(),
        actual_utilization=shares.actual_utilization(), prime_time_utilization=shares.share(
            "prime_time_utilization", "occupied_prime_us", "prime_elapsed_us"
        ),
        overtime_minutes=shares.overtime_minutes(),
        overbooked_minutes=shares.booked("overbooked_minutes", _minutes(tallies, "booked_sum_us") - whole),
        booked_outside_open_minutes=shares.booked("booked_outside_open_minutes", whole - booked),
        phases=_phase_figures(tallies, shares.visit_rows),
        turnover=spread("turnover", joined_values([one.gaps for one in tallies]), "minutes",
                        {"idle": sum(one.idle for one in tallies)}),
        by_time_of_day=Later(BINS, lambda: tuple(_times_of_day(tallies))),
        by_hour_of_week=Later(
            len(set().union(*(one.grid_open for one in tallies))), lambda: tuple(_hours_of_week(tallies))
        ),
        days=Later(len(set().union(*(one.days for one in tallies))), lambda: tuple(_days(tallies))),
    )  # fmt: skip


def _phase_figures(tallies: Sequence[RoomTally], rows: Sequence[str]) -> dict[str, Figure]:
    whole = sum(us for one in tallies for us in one.phases.values()) / MINUTE
    return {
        phase: quotient(
            "phase_share", sum(one.phases[phase] for one in tallies) / MINUTE, whole, n=len(rows), rows=rows
        )
        for phase in PHASES
    }


def _times_of_day(tallies: Sequence[RoomTally]) -> Iterable[TimeOfDay]:
    busy, rooms, existed = (
        np.array([getattr(one, field) for one in tallies], dtype=np.float64).reshape(-1, BINS)
        for field in ("busy", "rooms", "existed")
    )
    there = existed > 0
    once = np.where(there, existed, 1.0)
    columns = (
        there.any(0), (busy / once * there).sum(0), (rooms / once * there).sum(0), (there & (busy > 0)).sum(0),
        busy.sum(0) / MINUTE, existed.sum(0) / MINUTE,
    )  # fmt: skip
    for quarter, (known, mean, open_rooms, n, minutes, of) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        figure = amount(
            "occupancy_by_time", mean if known else None, "rooms", n=n, numerator=minutes, denominator=of
        )
        yield TimeOfDay(f"{quarter // 4:02d}:{quarter % 4 * 15:02d}", figure, open_rooms if known else None)


def _hours_of_week(tallies: Sequence[RoomTally]) -> Iterable[HourOfWeek]:
    busy: dict[tuple[int, int], int] = defaultdict(int)
    opened: dict[tuple[int, int], int] = defaultdict(int)
    for one in tallies:
        for cell, us in one.grid_open.items():
            opened[cell] += us
        for cell, us in one.grid_busy.items():
            busy[cell] += us
    for cell, us in sorted(opened.items()):
        yield HourOfWeek(*cell, quotient("weekday_hour", busy[cell] / MINUTE, us / MINUTE))


def _days(tallies: Sequence[RoomTally]) -> Iterable[RoomDay]:
    sums: dict[date, list[int]] = {}
    for tally in tallies:
        for day, one in tally.days.items():
            own = sums.setdefault(day, [0, 0, 0, 0])
            own[0] += one.booked_us
            own[1] += one.open_us
            own[2] += one.occupied_open_us
            own[3] += one.open_elapsed_us
    for day, own in sorted(sums.items()):
        booked, opened, occupied_open, elapsed = (us / MINUTE for us in own)
        yield RoomDay(
            day, quotient("scheduled_utilization", booked, opened),
            quotient("actual_utilization", occupied_open, elapsed),
        )
