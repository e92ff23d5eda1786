"""Room time of all clinics at once: the tallies of `projections.metrics.rooms`, from columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import msgspec
import numpy as np

from projections.columns.axis import RoomAxis
from projections.columns.bookings import Slots
from projections.columns.codes import NONE, Bools, Ints
from projections.columns.groups import split
from projections.columns.opening import Protocols, open_and_prime, open_spans
from projections.columns.snapshot import Array
from projections.columns.spans import Spans, clipped, common, intersection, union
from projections.columns.store import Facts
from projections.columns.visits import Visits
from projections.columns.zones import UNIX_DAY, Clock, by_quarter, clock, summed
from projections.facts.encoding import DAY, MINUTE
from projections.metrics.calendar import BINS, ClinicCalendar, Period, period_span
from projections.metrics.figures import FactIds, Measured
from projections.metrics.intervals import Span
from projections.metrics.occupied import PHASES, closing
from projections.metrics.rooms import IDLE, DayTally, RoomTally, RoomTotals

_PREPARING, _INFUSING, _PAUSED, _RECOVERING, _WAITING, _CLEANING = range(len(PHASES))
_PHASE_OF_RUN = np.array([_INFUSING, _INFUSING, _PAUSED, _RECOVERING])
"""By the numbers of `projections.columns.visits.RUN`."""


@dataclass
class Clinic:
    """One clinic's place among those asked for."""

    number: int
    calendar: ClinicCalendar
    local: Clock
    span: Span
    elapsed: Span
    opening: Spans
    prime: Spans


class RoomTime:
    """What the tallies rest on; `totals` and `tallies` make them, in the clinics' order."""

    def __init__(
        self, facts: Facts, known: Mapping[str, ClinicCalendar], period: Period, visits: Visits, slots: Slots,
        as_of_us: int,
    ) -> None:  # fmt: skip
        self._facts, self._period, self._as_of_us = facts, period, as_of_us
        self.clinics = [self._clinic(number, calendar) for number, calendar in enumerate(known.values())]
        self._number = facts.codes("clinic").column(-1)
        for one in self.clinics:
            self._number[facts.codes("clinic").of(one.calendar.clinic)] = one.number
        self.clinic_of_visit = self._number[visits.clinic]
        self._visits = visits
        self._settle_stays()
        self._place_rooms(slots)

    def _clinic(self, number: int, calendar: ClinicCalendar) -> Clinic:
        span = period_span(calendar.timezone, self._period)
        wider = Period(self._period.first - timedelta(days=3), self._period.last + timedelta(days=2))
        local = clock(calendar.timezone, *span)
        return Clinic(
            number, calendar, local, span, (span[0], max(span[0], min(span[1], self._as_of_us))),
            *open_and_prime(calendar, wider),
        )  # fmt: skip

    def number_of(self, clinics: Array) -> Ints:
        """By code of a clinic its number here; -1 for others."""
        found: Ints = self._number[clinics]
        return found

    @property
    def spans(self) -> tuple[Ints, Ints]:
        """The period's beginning and end by clinic."""
        return self._low, self._high

    def open_in_period(self, one: Clinic) -> Spans:
        """When the clinic as a whole is open within the period, by the hours of the period's days."""
        return clipped(open_spans(one.calendar, self._period), *one.span)

    # --- what is where -----------------------------------------------------------------------------

    def _settle_stays(self) -> None:
        """Stays of visits here; the few without an end are given theirs: see `projections.metrics.occupied`."""
        stays = self._visits.stays
        here = self.clinic_of_visit[stays.visit] >= 0
        self._visit, self._room = stays.visit[here], stays.room[here]
        self._from = stays.from_us[here]
        until = stays.until_us[here]
        self._unclosed: Bools = until == NONE
        clinic = self.clinic_of_visit[self._visit]
        for one in self.clinics:
            mine = np.flatnonzero(self._unclosed & (clinic == one.number))
            if len(mine):
                opening = list(zip(one.opening.starts.tolist(), one.opening.ends.tolist(), strict=True))
                own = np.flatnonzero(clinic == one.number)
                until[mine] = [self._end_of(place, one, opening, own) for place in mine.tolist()]
        self._until = until

    def _end_of(self, place: int, one: Clinic, opening: Sequence[Span], own: Ints) -> int:
        """Where a stay that was never released ends; `own` are all stays at the clinic."""
        visit, from_us = int(self._visit[place]), int(self._from[place])
        until = closing(one.calendar.timezone, opening, from_us)
        if until is None:
            ended = int(self._visits.ended_us[visit])
            midnight = one.local.instant((one.local.day(self._from[[place]]) + 1) * DAY)
            until = int(midnight[0]) if ended == NONE else ended
        later = self._from[own[(self._room[own] == self._room[place]) & (self._from[own] > from_us)]]
        until = min(until, int(later.min(initial=2**62)))
        return min(self._as_of_us, max(until, int(self._visits.last_us[visit])))

    def _place_rooms(self, slots: Slots) -> None:
        """Puts every room that is in service, occupied or booked on the axis."""
        here = self._number[slots.clinic] >= 0
        self._slots = slots.where(here & slots.live_at_start)
        stay = RoomAxis.keys(self.clinic_of_visit[self._visit], self._room)
        slot = RoomAxis.keys(self._number[self._slots.clinic], self._slots.room)
        self._low = np.array([one.span[0] for one in self.clinics], dtype=np.int64)
        self._high = np.array([one.span[1] for one in self.clinics], dtype=np.int64)
        self._passed = np.array([one.elapsed[1] for one in self.clinics], dtype=np.int64)
        self.axis = self.axis_of([stay, slot])
        self._stay_room, self._slot_room = self.axis.places(stay), self.axis.places(slot)

    def axis_of(self, keys: Sequence[Ints]) -> RoomAxis:
        """An axis of the clinics' rooms and of these, with room for the period and a day around it."""
        low, high = int(self._low.min(initial=2**60)) - DAY, int(self._high.max(initial=0)) + DAY
        names = self._facts.codes("room")
        return RoomAxis(names, [one.calendar for one in self.clinics], keys, low, high)

    def _before_now(self, spans: Spans) -> Spans:
        """The parts that have passed."""
        room = self.axis.room(spans)
        return clipped(spans, 0, self.axis.on(self._passed[self.axis.clinic[room]], room))

    def _total(self, spans: Spans) -> Ints:
        """Microseconds by clinic."""
        return summed(self.axis.clinic[self.axis.room(spans)], spans.lengths, len(self.clinics))

    # --- tallies -----------------------------------------------------------------------------------

    @cached_property
    def _open(self) -> Spans:
        """When rooms are open within the period."""
        return self.axis.opening([clipped(one.opening, *one.span) for one in self.clinics])

    @cached_property
    def _open_so_far(self) -> Spans:
        return self._before_now(self._open)

    @cached_property
    def _booked_open(self) -> Spans:
        return intersection(union(self._taken), self._open)

    @cached_property
    def _touches(self) -> Bools:
        """Which stays have a part in what has passed of the period."""
        low, passed = self._within(self._visit)
        found: Bools = np.minimum(self._until, passed) > np.maximum(self._from, low)
        return found

    @cached_property
    def _busy(self) -> Spans:
        here = clipped(Spans(self._from, self._until), *self._within(self._visit))
        return union(self.axis.put(here, self._stay_room[self._touches]))

    @cached_property
    def _busy_open(self) -> Spans:
        return intersection(self._busy, self._open)

    @property
    def _by_field(self) -> dict[str, Spans]:
        """What is totalled, and by day, in `RoomTotals`' and `DayTally`'s names."""
        return {
            "open_us": self._open, "open_elapsed_us": self._open_so_far, "booked_us": self._booked_open,
            "occupied_us": self._busy, "occupied_open_us": self._busy_open,
        }  # fmt: skip

    def totals(self) -> list[RoomTotals]:
        """One per clinic."""
        if not self.clinics:
            return []
        by_clinic = {name: self._total(spans).tolist() for name, spans in self._by_field.items()}
        found = [RoomTotals(**{name: own[one.number] for name, own in by_clinic.items()}) for one in self.clinics]
        self._add_facts(found)
        return found

    def tallies(self) -> list[RoomTally]:
        """One per clinic: the totals, and how they are spread."""
        if not self.clinics:
            return []
        found = [RoomTally(**msgspec.structs.asdict(one)) for one in self.totals()]
        self._add_prime(found)
        self._add_days(found)
        self._add_bins(found)
        self._add_phases(found)
        self._add_turnover(found)
        return found

    def _add_prime(self, found: Sequence[RoomTally]) -> None:
        """Prime time, and what is booked more than once."""
        prime = self.axis.opening([clipped(one.prime, *one.span) for one in self.clinics])
        prime = intersection(prime, self._open)
        totals = {
            "prime_us": prime, "prime_elapsed_us": self._before_now(prime),
            "booked_prime_us": intersection(self._booked_open, prime),
            "occupied_prime_us": intersection(self._busy_open, prime),
            "booked_sum_us": self._taken, "booked_union_us": union(self._taken),
        }  # fmt: skip
        for name, spans in totals.items():
            for tally, us in zip(found, self._total(spans).tolist(), strict=True):
                setattr(tally, name, us)

    @cached_property
    def _taken(self) -> Spans:
        """Live bookings within the period, on the axis, one by one."""
        clinic = self._number[self._slots.clinic]
        spans = Spans(self._slots.starts_us, self._slots.ends_us)
        low, high = self._low[clinic], self._high[clinic]
        inside = np.minimum(spans.ends, high) > np.maximum(spans.starts, low)
        return self.axis.put(clipped(spans, low, high), self._slot_room[inside])

    def _pieces(self, spans: Spans) -> tuple[Ints, Ints, Ints, Ints]:
        """`spans` cut at local midnight: (clinic, day, from, until), the last two on the day's local clock."""
        room = self.axis.room(spans)
        clinic, plain = self.axis.clinic[room], self.axis.moments(spans, room)
        parts = []
        zones: dict[int, list[int]] = {}
        for one in self.clinics:
            zones.setdefault(id(one.local), []).append(one.number)
        for numbers in zones.values():
            local = self.clinics[numbers[0]].local
            mine = np.arange(len(clinic)) if len(zones) == 1 else np.flatnonzero(np.isin(clinic, numbers))
            which, day, low, high = local.pieces(plain.starts[mine], plain.ends[mine])
            parts.append((clinic[mine][which], day, low, high))
        return tuple(np.concatenate(side) for side in zip(*parts, strict=True))  # type: ignore[return-value]

    def _add_days(self, found: Sequence[RoomTally]) -> None:
        days = list(self._period.days())
        first, count = days[0].toordinal() - UNIX_DAY, len(days)
        sums = {}
        for name, spans in self._by_field.items():
            clinic, day, low, high = self._pieces(spans)
            inside = (day >= first) & (day < first + count)
            place = (clinic * count + day - first)[inside]
            sums[name] = summed(place, (high - low)[inside], len(found) * count).reshape(len(found), count).tolist()
        for number, tally in enumerate(found):
            own = [sums[name][number] for name in self._by_field]
            tally.days = {
                day: DayTally(opened, elapsed, booked, occupied, within)
                for day, opened, elapsed, booked, occupied, within in zip(days, *own, strict=True)
            }

    def _add_bins(self, found: Sequence[RoomTally]) -> None:
        """Time by quarter hour of the local clock; the means by time of day rest on days with any opening only."""
        opened = self._add_existed(found)
        clinic, day, low, high = self._pieces(self._busy)
        here = opened[clinic, day - (self._period.first.toordinal() - UNIX_DAY)]
        occupied = self._by_quarter(clinic[here], day[here], low[here], high[here])
        rooms = self._by_quarter(*self._pieces(self._open_so_far))
        within = self._by_quarter(*self._pieces(self._busy_open))
        for number, tally in enumerate(found):
            tally.rooms, tally.busy = rooms[number].sum(0).tolist(), occupied[number].sum(0).tolist()
            tally.grid_open, tally.grid_busy = _grid(rooms[number]), _grid(within[number])

    def _by_quarter(self, clinic: Ints, day: Ints, low: Ints, high: Ints) -> Ints:
        return by_quarter(clinic, day, low, high, len(self.clinics))

    def _add_existed(self, found: Sequence[RoomTally]) -> Bools:
        """The true length of every quarter hour on days with any opening; gives which days those are, by clinic."""
        first = self._period.first.toordinal() - UNIX_DAY
        last = self._period.last.toordinal() - UNIX_DAY
        any_opening = np.zeros((len(self.clinics), last - first + 1), dtype=bool)
        for one, tally in zip(self.clinics, found, strict=True):
            open_now = clipped(one.opening, *one.elapsed)
            begun, over = one.local.day(open_now.starts), one.local.day(open_now.ends - 1)
            opened = np.unique(np.concatenate((begun, over)))
            opened = opened[(opened >= first) & (opened <= last)]
            any_opening[one.number, opened - first] = True
            whole = Spans(one.local.instant(opened * DAY), one.local.instant((opened + 1) * DAY))
            _, day, low, high = one.local.pieces(*clipped(whole, *one.elapsed))
            tally.existed = by_quarter(np.zeros(len(day), np.int64), day, low, high, 1)[0].sum(0).tolist()
        return any_opening

    # --- visits ------------------------------------------------------------------------------------

    def _add_phases(self, found: Sequence[RoomTally]) -> None:
        sums = self._phases().tolist()
        for tally, own in zip(found, sums, strict=True):
            tally.phases = dict(zip(PHASES, own, strict=True))

    def _phases(self) -> Ints:
        """Microseconds by clinic and phase: each turn lasts until the next, within the visit's stays and the period."""
        visits, count = self._visits, len(self._visits)
        starts, ends = np.full(count, NONE), np.full(count, NONE)
        starts[self._visit[::-1]] = self._from[::-1]
        ends[self._visit] = self._until
        stayed = starts != NONE
        ended, ready = visits.ended_us, self._ready()
        going = np.flatnonzero(stayed)
        run = np.flatnonzero(stayed[visits.run.visit] & _before(visits.run.at_us, ended[visits.run.visit]))
        waits = np.flatnonzero(stayed & (ready != NONE) & _before(ready, ended))
        over = np.flatnonzero(stayed & (ended != NONE))
        visit = np.concatenate((going, visits.run.visit[run], waits, over))
        at_us = np.concatenate((starts[going], visits.run.at_us[run], ready[waits], ended[over]))
        phase = np.concatenate((
            np.full(len(going), _PREPARING), _PHASE_OF_RUN[visits.run.what[run]], np.full(len(waits), _WAITING),
            np.full(len(over), _CLEANING),
        ))  # fmt: skip
        order = np.argsort(visit, kind="stable")
        visit, at_us, phase = visit[order], at_us[order], phase[order]
        final = np.append(visit[1:] != visit[:-1], True) if len(visit) else np.empty(0, dtype=bool)
        until = np.where(final, ends[visit], np.append(at_us[1:], 0)[: len(visit)])
        clinic = self.clinic_of_visit[visit]
        spans = Spans(np.maximum(at_us, starts[visit]), np.minimum(until, ends[visit]))
        lasts = spans.starts < spans.ends
        low, width = int(self._from.min(initial=2**60)), int(self._until.max(initial=0) - self._from.min(initial=0)) + 1
        there = clipped(Spans(self._from, self._until), *self._within(self._visit))
        there = union(there.shifted(self._visit[self._touches] * width - low))
        shared, which = common(spans.at(lasts).shifted(visit[lasts] * width - low), there)
        place = (clinic * len(PHASES) + phase)[lasts][which]
        sums = summed(place, shared.lengths, len(self.clinics) * len(PHASES))
        return sums.reshape(len(self.clinics), len(PHASES))

    def _within(self, visit: Ints) -> tuple[Ints, Ints]:
        """What has passed of the period at each visit's clinic."""
        clinic = self.clinic_of_visit[visit]
        return self._low[clinic], self._passed[clinic]

    def _ready(self) -> Array:
        """By visit when the patient could have left: see the definition of `phase_share`."""
        visits = self._visits
        stopped, scored = visits.stopped_us, visits.recoveries
        ready = np.full(len(visits), NONE)
        after = (stopped[scored.visit] != NONE) & (scored.at_us >= stopped[scored.visit])
        words = self._facts.codes("word")
        places = np.flatnonzero(after)
        parts = split(self.clinic_of_visit[scored.visit[places]], len(self.clinics))
        for one, mine in zip(self.clinics, (places[part] for part in parts), strict=True):
            if not len(mine):
                continue
            protocols = Protocols(one.calendar)
            visit = scored.visit[mine]
            place = protocols.at(stopped[visit])
            scale = np.array([*(words.of(each.discharge_scale) for each in protocols.all), -3], dtype=np.int64)
            least = protocols.field("discharge_minimum")[place]
            enough = (place < 0) | ((scored.scale[mine] == scale[place]) & (scored.score[mine] >= least))
            earliest = stopped[visit] + protocols.field("monitoring_minutes")[place] * MINUTE
            moments = np.maximum(scored.at_us[mine], earliest)
            ready[visit[enough][::-1]] = moments[enough][::-1]
        return ready

    def _add_turnover(self, found: Sequence[RoomTally]) -> None:
        order = np.lexsort((self._until, self._from, self._stay_room))
        before, after = order[:-1], order[1:]
        clinic = self.clinic_of_visit[self._visit[after]]
        keep = (
            (self._stay_room[before] == self._stay_room[after]) & ~self._unclosed[before]
            & (self._visit[before] != self._visit[after])
            & (self._from[after] >= self._low[clinic]) & (self._from[after] < self._passed[clinic])
        )  # fmt: skip
        before, after, clinic = before[keep], after[keep], clinic[keep]
        gap = self._from[after] - self._until[before]
        for one, tally, mine in zip(self.clinics, found, split(clinic, len(found)), strict=True):
            mine = mine[gap[mine] >= 0]
            same = one.local.day(self._until[before[mine]]) == one.local.day(self._from[after[mine]])
            mine = mine[same]
            short = gap[mine] <= IDLE
            tally.idle = int((~short).sum())
            visit = self._visit[after[mine[short]]]
            tally.gaps = Measured(gap[mine[short]] / MINUTE, FactIds("v", self._visits.fact[visit]))

    def _add_facts(self, found: Sequence[RoomTotals]) -> None:
        stay_clinic = self.clinic_of_visit[self._visit]
        inside = (self._from >= self._low[stay_clinic]) & (self._from < self._passed[stay_clinic])
        slot_clinic = self._number[self._slots.clinic]
        there = (self._slots.starts_us < self._high[slot_clinic]) & (self._slots.ends_us > self._low[slot_clinic])
        seen, unclosed = np.zeros((2, len(self._visits)), dtype=bool)
        seen[self._visit[self._touches]] = True
        unclosed[self._visit[inside & self._unclosed]] = True
        visits, slots = np.flatnonzero(seen), np.flatnonzero(there)
        here = split(self.clinic_of_visit[visits], len(found))
        booked = split(slot_clinic[slots], len(found))
        open_ends = np.bincount(self.clinic_of_visit[unclosed], minlength=len(found)).tolist()
        for number, tally in enumerate(found):
            tally.unclosed, tally.calendar = open_ends[number], self.clinics[number].calendar.rows
            tally.visits = FactIds("v", self._visits.fact[visits[here[number]]])
            tally.slots = FactIds("a", self._slots.fact[slots[booked[number]]])


def _before(us: Array, ended: Array) -> Bools:
    found: Bools = (ended == NONE) | (us < ended)
    return found


def _grid(week: Ints) -> dict[tuple[int, int], int]:
    """By weekday and hour, hours without any time left out."""
    hours = week.reshape(7, BINS // 4, 4).sum(2)
    weekdays, clocks = np.nonzero(hours)
    cells = zip((weekdays + 1).tolist(), clocks.tolist(), strict=True)
    return dict(zip(cells, hours[weekdays, clocks].tolist(), strict=True))
