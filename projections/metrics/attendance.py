"""Who came, how punctually, and what became of freed rooms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from projections.facts.encoding import DAY, HOUR, MINUTE
from projections.metrics.bookings import Slot, outcome
from projections.metrics.calendar import ClinicCalendar, Period, period_span
from projections.metrics.figures import (
    FactIds,
    Figure,
    LeftOut,
    Measured,
    Spread,
    joined,
    joined_values,
    proportion,
    quotient,
    spread,
)
from projections.metrics.intervals import Span, clipped, difference, intersection, length, union
from projections.metrics.visits import INFUSION_KINDS, Visit, counted_in

ON_TIME = 5 * MINUTE
REFILLABLE = 2 * HOUR
Valued = list[tuple[float, str]] | Measured
Facts = list[str] | FactIds


class AttendanceTally(msgspec.Struct, kw_only=True):
    """One clinic's counts, each with the facts behind it."""

    outcomes: dict[str, Facts] = msgspec.field(default_factory=lambda: defaultdict(list))
    lead_days: Valued = msgspec.field(default_factory=list)
    on_time: Facts = msgspec.field(default_factory=list)
    timed: Facts = msgspec.field(default_factory=list)
    delays: Valued = msgspec.field(default_factory=list)
    no_delay: Counter[str] = msgspec.field(default_factory=Counter)
    waits: Valued = msgspec.field(default_factory=list)
    still_waiting: int = 0
    ended: Facts = msgspec.field(default_factory=list)
    not_infused: dict[str, Facts] = msgspec.field(default_factory=lambda: defaultdict(list))
    going_on: int = 0


class RefillTally(msgspec.Struct, kw_only=True):
    """One clinic's room time given up two hours ahead or more, and how much of it was booked again and attended."""

    freed_us: int = 0
    refilled_us: int = 0
    freed: Facts = msgspec.field(default_factory=list)


def tally_attendance(
    calendar: ClinicCalendar, period: Period, visits: Sequence[Visit], slots: Sequence[Slot], as_of_us: int
) -> AttendanceTally:
    """Bookings count on the local day of their start, visits on that of their booked start (else of rooming)."""
    span = period_span(calendar.timezone, period)
    tally = AttendanceTally()
    for slot in slots:
        if span[0] <= slot.starts_us < span[1]:
            _add(tally.outcomes[outcome(slot, as_of_us)], slot.fact)
            if slot.live_at_start:
                _add_value(tally.lead_days, ((slot.starts_us - slot.first_booked_us) / DAY, slot.fact))
    for visit in visits:
        if counted_in(visit, calendar, span):
            _tally_punctuality(tally, calendar, visit, as_of_us)
            _tally_result(tally, visit)
    return tally


def _add(facts: Facts, fact: str) -> None:
    assert isinstance(facts, list)
    facts.append(fact)


def _add_value(values: Valued, value: tuple[float, str]) -> None:
    assert isinstance(values, list)
    values.append(value)


def tally_refill(calendar: ClinicCalendar, period: Period, slots: Sequence[Slot]) -> RefillTally:
    """Of the bookings that begin in the period, within its opening hours."""
    span, tally = period_span(calendar.timezone, period), RefillTally()
    opening = clipped(calendar.open_spans(period), span)
    by_room: dict[str, list[Slot]] = defaultdict(list)
    for slot in slots:
        if span[0] <= slot.starts_us < span[1]:
            by_room[slot.room].append(slot)
    for room, some in by_room.items():
        open_room = calendar.room_open(room, opening)
        freed: list[Span] = []
        refilled: list[Span] = []
        for slot in some:
            notice = slot.notice_us
            if slot.left_us is None or notice is None or notice < REFILLABLE:
                continue
            hole = intersection([(slot.starts_us, slot.ends_us)], open_room)
            later = union(
                (one.starts_us, one.ends_us) for one in some if one.attended and one.taken_us >= slot.left_us
            )  # fmt: skip
            freed += hole
            refilled += intersection(hole, later)
            if hole:
                _add(tally.freed, slot.fact)
        tally.freed_us += length(union(freed))
        tally.refilled_us += length(union(refilled))
    return tally


def _tally_punctuality(tally: AttendanceTally, calendar: ClinicCalendar, visit: Visit, as_of_us: int) -> None:
    booked = visit.booked_starts_us
    if booked is not None and visit.roomed_us is not None:
        _add(tally.timed, visit.fact)
        if visit.roomed_us <= booked + ON_TIME:
            _add(tally.on_time, visit.fact)
    protocol = calendar.protocol_at(visit.started_us) if visit.started_us is not None else None
    if booked is None:
        tally.no_delay["walk_in"] += 1
    elif visit.started_us is None:
        tally.no_delay["not_started"] += 1
    elif protocol is None:
        tally.no_delay["no_protocol"] += 1
    else:
        _add_value(tally.delays, ((visit.started_us - booked) / MINUTE - protocol.preparation, visit.fact))
    if visit.arrived_us is not None:
        since = max(visit.arrived_us, booked or visit.arrived_us)
        until = visit.roomed_us if visit.roomed_us is not None else visit.ended_us
        if until is None:
            tally.still_waiting += 1
            until = as_of_us
        _add_value(tally.waits, (max(0, until - since) / MINUTE, visit.fact))


def _tally_result(tally: AttendanceTally, visit: Visit) -> None:
    if visit.visit_kind not in INFUSION_KINDS:
        return
    if visit.infused or (visit.started_us is not None and visit.ending is None):
        _add(tally.ended, visit.fact)
    elif visit.ending is None:
        tally.going_on += 1
    else:
        _add(tally.ended, visit.fact)
        _add(tally.not_infused[visit.reason or visit.ending], visit.fact)


class AttendanceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Every figure about attendance and punctuality."""

    no_show_rate: Figure
    late_cancellation_rate: Figure
    outcomes: Mapping[str, int]
    arrived_not_infused: Figure
    not_infused_by_reason: Mapping[str, Figure]
    refill: Figure
    lead_time: Spread
    on_time: Figure
    drug_start_delay: Spread
    wait: Spread


COUNTED = ("attended", "no_show", "patient_late")


class AttendanceShares:
    """Figures of these clinics' attendance together."""

    def __init__(self, tallies: Sequence[AttendanceTally]) -> None:
        self._tallies = tallies
        self._outcomes = outcomes = _by_name([one.outcomes for one in tallies])
        self._among = joined([self._outcomes.get(kind, ()) for kind in COUNTED])
        self._excluded = LeftOut(
            {kind: len(facts) for kind, facts in sorted(outcomes.items()) if kind not in COUNTED},
            lambda kind: outcomes.get(kind, ()), COUNTED,
        )

    def _booked(self, metric: str, outcome: str) -> Figure:
        return proportion(metric, self._outcomes.get(outcome, ()), self._among, self._excluded)

    def no_show_rate(self) -> Figure:
        """No-shows among the bookings that were due."""
        return self._booked("no_show_rate", "no_show")

    def late_cancellation_rate(self) -> Figure:
        """Patients' late cancellations among the same."""
        return self._booked("late_cancellation_rate", "patient_late")

    def outcomes(self) -> dict[str, int]:
        """How many bookings came to what."""
        return {kind: len(facts) for kind, facts in sorted(self._outcomes.items()) if facts}

    def lead_time(self) -> Spread:
        """Days from the first booking to the start."""
        return spread("lead_time", joined_values([one.lead_days for one in self._tallies]), "days")

    def on_time(self) -> Figure:
        """Visits roomed in time, of those booked."""
        return proportion("on_time", _joined(self._tallies, "on_time"), _joined(self._tallies, "timed"))

    def wait(self) -> Spread:
        """Minutes from arrival (or the booked start, if later) to the room."""
        waiting = sum(one.still_waiting for one in self._tallies)
        return msgspec.structs.replace(
            spread("wait", joined_values([one.waits for one in self._tallies]), "minutes"),
            flags={"still_waiting": waiting} if waiting else {},
        )


def attendance_figures(tallies: Sequence[AttendanceTally], refills: Sequence[RefillTally]) -> AttendanceFigures:
    """The figures of these clinics together."""
    shares = AttendanceShares(tallies)
    reasons = _by_name([one.not_infused for one in tallies])
    ended = _joined(tallies, "ended")
    not_infused = joined(list(reasons.values()))
    going_on = {"going_on": sum(one.going_on for one in tallies)}
    freed = joined([one.freed for one in refills])
    return AttendanceFigures(
        no_show_rate=shares.no_show_rate(), late_cancellation_rate=shares.late_cancellation_rate(),
        outcomes=shares.outcomes(),
        arrived_not_infused=proportion("arrived_not_infused", not_infused, ended, going_on),
        not_infused_by_reason={
            reason: proportion("arrived_not_infused", facts, ended, going_on)
            for reason, facts in sorted(reasons.items())
        },
        refill=quotient(
            "refill", sum(one.refilled_us for one in refills) / MINUTE, sum(one.freed_us for one in refills) / MINUTE,
            n=len(freed), rows=freed,
        ),
        lead_time=shares.lead_time(), on_time=shares.on_time(),
        drug_start_delay=spread(
            "drug_start_delay", joined_values([one.delays for one in tallies]), "minutes",
            dict(sorted(sum((one.no_delay for one in tallies), Counter[str]()).items())),
        ),
        wait=shares.wait(),
    )  # fmt: skip


def _joined(tallies: Sequence[AttendanceTally], field: str) -> Sequence[str]:
    return joined([getattr(one, field) for one in tallies])


def _by_name(parts: Sequence[Mapping[str, Facts]]) -> dict[str, Sequence[str]]:
    """Every part's facts under each name, those of the first part first."""
    names = dict.fromkeys(name for part in parts for name, facts in part.items() if len(facts))
    return {name: joined([part[name] for part in parts if name in part]) for name in names}


def third_next_available(
    calendar: ClinicCalendar, slots: Sequence[Slot], minutes: int, as_of_us: int, period: Period
) -> float | None:
    """Days until the third free slot of `minutes` within `period` (the days looked at); None when there are fewer."""
    need = minutes * MINUTE
    span = period_span(calendar.timezone, period)
    opening = clipped(calendar.open_spans(period), (max(span[0], as_of_us), span[1]))
    starts: list[int] = []
    for room in {one.room for one in calendar.rooms}:
        taken = union((slot.starts_us, slot.ends_us) for slot in slots if slot.room == room and slot.left is None)
        for begins, ends in difference(calendar.room_open(room, opening), taken):
            starts += range(begins, ends - need + 1, need)
    return (sorted(starts)[2] - as_of_us) / DAY if len(starts) >= 3 else None
