"""Attendance and punctuality of all clinics at once: the tallies of `projections.metrics.attendance`, from columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from projections.columns.axis import RoomAxis
from projections.columns.bookings import Slots
from projections.columns.codes import NONE, Ints
from projections.columns.groups import split
from projections.columns.opening import Protocols, open_spans
from projections.columns.rooms import RoomTime
from projections.columns.snapshot import Array
from projections.columns.spans import Spans, clipped, common, difference, paired, union
from projections.columns.store import Facts
from projections.columns.visits import Visits
from projections.columns.zones import summed
from projections.facts.encoding import DAY, HOUR, MINUTE
from projections.metrics.attendance import ON_TIME, REFILLABLE, AttendanceTally, RefillTally
from projections.metrics.calendar import ClinicCalendar, Period, period_span
from projections.metrics.figures import FactIds, Measured
from projections.metrics.visits import INFUSION_KINDS


class Attendance:
    """What the tallies rest on; `tallies` and `refills` make them, in the clinics' order."""

    def __init__(self, facts: Facts, rooms: RoomTime, visits: Visits, slots: Slots, as_of_us: int) -> None:
        self._facts, self._rooms, self._visits, self._as_of_us = facts, rooms, visits, as_of_us
        clinic = rooms.number_of(slots.clinic)
        low, high = rooms.spans
        self._slots = slots.where((clinic >= 0) & (slots.starts_us >= low[clinic]) & (slots.starts_us < high[clinic]))
        self._slot_clinic = rooms.number_of(self._slots.clinic)
        day = _first_known(visits.booked_starts_us, visits.roomed_us, visits.arrived_us)
        clinic = rooms.clinic_of_visit
        self._counted = np.flatnonzero((clinic >= 0) & (day != NONE) & (day >= low[clinic]) & (day < high[clinic]))
        self._visit_clinic = clinic[self._counted]

    def tallies(self) -> list[AttendanceTally]:
        """One per clinic."""
        found = [AttendanceTally() for _ in self._rooms.clinics]
        if not found:
            return []
        self._add_outcomes(found)
        self._add_punctuality(found)
        self._add_results(found)
        return found

    # --- bookings ----------------------------------------------------------------------------------

    def _add_outcomes(self, found: Sequence[AttendanceTally]) -> None:
        slots, outcomes = self._slots, self._outcomes()
        live = slots.live_at_start
        days = (slots.starts_us - slots.first_booked_us) / DAY
        for mine, tally in zip(split(self._slot_clinic, len(found)), found, strict=True):
            for place, name in enumerate(_OUTCOMES):
                counted = mine[outcomes[mine] == place]
                if len(counted):
                    tally.outcomes[name] = FactIds("a", slots.fact[counted])
            led = mine[live[mine]]
            tally.lead_days = Measured(days[led], FactIds("a", slots.fact[led]))

    def _outcomes(self) -> Ints:
        """By slot the place of its outcome in `_OUTCOMES`: `projections.metrics.bookings.outcome`."""
        slots = self._slots
        gone, patient = slots.left >= 0, slots.asked_by == self._facts.word("patient")
        late = patient & (slots.starts_us - slots.left_us < 24 * HOUR)
        return np.select(
            [slots.attended, gone & ~patient, gone & late, gone, slots.no_show, slots.starts_us > self._as_of_us],
            [0, 1, 2, 3, 4, 5], 6,
        )  # fmt: skip

    # --- freed rooms -------------------------------------------------------------------------------

    def refills(self) -> list[RefillTally]:
        """One per clinic."""
        slots, found = self._slots, [RefillTally() for _ in self._rooms.clinics]
        if not found:
            return []
        freed = np.flatnonzero((slots.left_us != NONE) & (slots.starts_us - slots.left_us >= REFILLABLE))
        keys = self._rooms.axis.keys(self._slot_clinic, slots.room)
        axis = self._rooms.axis_of([keys])
        own = axis.put(Spans(slots.starts_us, slots.ends_us), axis.places(keys))
        opening = axis.opening([self._rooms.open_in_period(one) for one in self._rooms.clinics])
        holes, which = common(own.at(freed), opening)
        slot = freed[which]
        came = np.flatnonzero(slots.attended)
        came = came[np.argsort(own.starts[came], kind="stable")]
        longest = int(own.lengths[came].max(initial=0))
        first = np.searchsorted(own.starts[came], holes.starts - longest, side="left")
        hole, other = paired(first, np.searchsorted(own.starts[came], holes.ends, side="left"))
        other = came[other]
        starts = np.maximum(holes.starts[hole], own.starts[other])
        ends = np.minimum(holes.ends[hole], own.ends[other])
        again = (starts < ends) & (slots.taken_us[other] >= slots.left_us[slot[hole]])
        for spans, name in ((holes, "freed_us"), (Spans(starts[again], ends[again]), "refilled_us")):
            whole = union(spans)
            sums = summed(axis.clinic[axis.room(whole)], whole.lengths, len(found)).tolist()
            for tally, us in zip(found, sums, strict=True):
                setattr(tally, name, us)
        slot = np.unique(slot)
        for mine, tally in zip(split(self._slot_clinic[slot], len(found)), found, strict=True):
            tally.freed = FactIds("a", slots.fact[slot[mine]])
        return found

    # --- visits ------------------------------------------------------------------------------------

    def _add_punctuality(self, found: Sequence[AttendanceTally]) -> None:
        visits, mine = self._visits, self._counted
        booked, roomed = visits.booked_starts_us[mine], visits.roomed_us[mine]
        started, arrived = visits.started_us[mine], visits.arrived_us[mine]
        timed = (booked != NONE) & (roomed != NONE)
        on_time = timed & (roomed <= booked + ON_TIME)
        since = np.maximum(arrived, np.where(booked != NONE, booked, arrived))
        until = np.where(roomed != NONE, roomed, visits.ended_us[mine])
        waiting = (arrived != NONE) & (until == NONE)
        wait = np.maximum(0, np.where(until == NONE, self._as_of_us, until) - since) / MINUTE
        fact = visits.fact[mine]
        parts = split(self._visit_clinic, len(found))
        for one, tally, own in zip(self._rooms.clinics, found, parts, strict=True):
            tally.timed = FactIds("v", fact[own[timed[own]]])
            tally.on_time = FactIds("v", fact[own[on_time[own]]])
            came = own[arrived[own] != NONE]
            tally.waits = Measured(wait[came], FactIds("v", fact[came]))
            tally.still_waiting = int(waiting[own].sum())
            self._add_delays(tally, Protocols(one.calendar), booked[own], started[own], fact[own])

    def _add_delays(
        self, tally: AttendanceTally, protocols: Protocols, booked: Array, started: Array, fact: Array
    ) -> None:
        place = protocols.at(started)
        walk_in, not_started = booked == NONE, (booked != NONE) & (started == NONE)
        known = (booked != NONE) & (started != NONE) & (place >= 0)
        counts = {
            "walk_in": walk_in, "not_started": not_started, "no_protocol": ~walk_in & ~not_started & ~known,
        }  # fmt: skip
        tally.no_delay = Counter({name: int(some.sum()) for name, some in counts.items() if some.any()})
        minutes = (started[known] - booked[known]) / MINUTE - protocols.field("preparation")[place[known]]
        tally.delays = Measured(minutes, FactIds("v", fact[known]))

    def _add_results(self, found: Sequence[AttendanceTally]) -> None:
        visits, words = self._visits, self._facts.codes("word")
        mine = self._counted[words.marked(INFUSION_KINDS)[visits.visit_kind[self._counted]]]
        clinic = self._rooms.clinic_of_visit[mine]
        begun = (visits.started_us[mine] != NONE) & (visits.ending[mine] < 0)
        infused = (visits.stopped_us[mine] != NONE) | begun
        ended = infused | (visits.ending[mine] >= 0)
        reason = np.where(visits.reason[mine] >= 0, visits.reason[mine], visits.ending[mine])
        fact = visits.fact[mine]
        for own, tally in zip(split(clinic, len(found)), found, strict=True):
            done = own[ended[own]]
            tally.ended = FactIds("v", fact[done])
            tally.going_on = len(own) - len(done)
            not_infused = done[~infused[done]]
            tally.not_infused = defaultdict(list, {
                words.name(code): FactIds("v", fact[not_infused[reason[not_infused] == code]])
                for code in np.unique(reason[not_infused]).tolist()
            })  # fmt: skip


_OUTCOMES = ("attended", "clinic_side", "patient_late", "patient_24h_or_more", "no_show", "not_due", "unresolved")


def third_next_available(
    facts: Facts, known: Mapping[str, ClinicCalendar], slots: Slots, lengths: Iterable[tuple[int | None, ...]],
    as_of_us: int, ahead: Mapping[str, Period],
) -> dict[tuple[int | None, ...], list[float | None]]:
    """By lengths (minutes at each clinic), days until each clinic's third free slot of that length within `ahead`;
    None when there are fewer."""
    spans = {clinic: period_span(known[clinic].timezone, period) for clinic, period in ahead.items()}
    low, high = min(one[0] for one in spans.values()), max(one[1] for one in spans.values())
    number = facts.codes("clinic").column(-1)
    for place, name in enumerate(known):
        number[facts.codes("clinic").of(name)] = place
    standing = slots.where((slots.left < 0) & (number[slots.clinic] >= 0))
    keys = RoomAxis.keys(number[standing.clinic], standing.room)
    axis = RoomAxis(facts.codes("room"), list(known.values()), [keys], low - DAY, high + DAY)
    opening = axis.opening([
        clipped(open_spans(one, ahead[clinic]), max(spans[clinic][0], as_of_us), spans[clinic][1])
        for clinic, one in known.items()
    ])  # fmt: skip
    room = axis.places(keys)
    edges = axis.on(np.full(len(room), low - DAY), room), axis.on(np.full(len(room), high + DAY), room)
    taken = union(clipped(axis.put(Spans(standing.starts_us, standing.ends_us), room), *edges))
    free = difference(opening, taken)
    room = axis.room(free)
    begins, clinic = axis.moment(free.starts, room), axis.clinic[room]

    def third(minutes: Sequence[int | None]) -> Iterator[float | None]:
        need = np.array([2**20 if one is None else one for one in minutes], dtype=np.int64)[clinic] * MINUTE
        which, times = paired(np.zeros(len(room), np.int64), np.minimum(free.lengths // need, 3))
        starts, of = begins[which] + times * need[which], clinic[which]
        limits = np.searchsorted(of, np.arange(len(known) + 1))  # rooms, and so the free time, stand by clinic
        for low, high in pairwise(limits.tolist()):
            found = np.partition(starts[low:high], 2)[2] if high - low >= 3 else None
            yield None if found is None else float((found - as_of_us) / DAY)

    return {one: list(third(one)) for one in lengths}


def _first_known(*columns: Array) -> Array:
    found = columns[0]
    for column in columns[1:]:
        found = np.where(found != NONE, found, column)
    return found
