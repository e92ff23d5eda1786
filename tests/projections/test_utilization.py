"""Utilization against a recount minute by minute from the raw events, and its rules one by one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from statistics import median

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from domain.protocol import EXAMPLE_PROTOCOL
from projections import utilization
from projections.metrics.calendar import Period
from tests.projections.naive import ENDS, Clinic, entries
from tests.support.clinic_life import Life
from tests.support.facts import facts_of

SPRING, AUTUMN = date(2026, 3, 2), date(2026, 10, 26)
EUROPE_SPRING, EUROPE_AUTUMN = date(2026, 3, 23), date(2026, 10, 19)


@given(
    seed=st.integers(0, 10_000), first=st.sampled_from([SPRING, AUTUMN, EUROPE_SPRING, EUROPE_AUTUMN]),
    cut=st.sampled_from([4, 9, 40]), odd=st.booleans(),
)  # fmt: skip
@example(seed=127, first=SPRING, cut=40, odd=False)
@example(seed=127, first=EUROPE_AUTUMN, cut=9, odd=True)
@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_room_time_is_the_recount_minute_by_minute(seed: int, first: date, cut: int, odd: bool) -> None:
    """Open, booked, occupied, prime time, overtime, overbooked, outside, phases: over clock changes, at any moment.

    Seed 127 has a patient roomed after closing, before two closed days, whose room nobody released.
    """
    life = Life(seed, first=first, days=10, odd=odd)
    period = Period(first, first + timedelta(days=9))
    as_of = datetime(first.year, first.month, first.day, 17, 30, tzinfo=UTC) + timedelta(days=cut)
    known = entries(life.history, as_of=as_of)
    with facts_of(life.history) as conn:
        report = utilization.report(conn, [str(one) for one in life.clinics], period, as_of=as_of)
    for clinic in life.clinics:
        naive = Clinic(clinic, known, period.first, period.last, as_of)
        rooms = report.by_clinic[str(clinic)].rooms
        passed = {(room, at) for room, at in naive.open if at < as_of}
        busy, booked = naive.occupied(), naive.booked()
        assert rooms.open_minutes.value == len(naive.open)
        assert rooms.booked_minutes.value == len(booked.keys() & naive.open)
        assert rooms.overbooked_minutes.value == booked.total() - len(booked)
        assert rooms.booked_outside_open_minutes.value == len(booked.keys() - naive.open)
        assert rooms.occupied_minutes.value == len(busy)
        assert rooms.overtime_minutes.value == len(busy - naive.open)
        assert rooms.actual_utilization.numerator == len(busy & naive.open)
        assert rooms.actual_utilization.denominator == len(passed)
        assert rooms.prime_time_utilization.numerator == len(busy & naive.prime)
        assert rooms.prime_time_utilization.denominator == len(naive.prime & passed)
        phases = naive.phases()
        assert {name: figure.numerator for name, figure in rooms.phases.items() if figure.numerator} == dict(phases)
        _same_bins(naive, rooms, busy, passed)
        _same_days(naive, rooms, busy)
        assert report.by_clinic[str(clinic)].attendance.outcomes == dict(sorted(naive.outcomes().items()))


def _same_bins(naive: Clinic, rooms: object, busy: set, passed: set) -> None:  # type: ignore[type-arg]
    """Quarter hours average over the days on which they existed; the week's hours over what was open."""
    opened = {at.astimezone(naive.zone).date() for at in naive.within & naive.clinic_open if at < naive.as_of}
    existed: Counter[int] = Counter()
    for at in naive.minutes:
        local = at.astimezone(naive.zone)
        if local.date() in opened and at < naive.as_of:
            existed[(local.hour * 60 + local.minute) // 15] += 1
    taken: Counter[int] = Counter()
    cells: Counter[tuple[int, int]] = Counter()
    for room, at in busy:
        local = at.astimezone(naive.zone)
        if local.date() in opened:
            taken[(local.hour * 60 + local.minute) // 15] += 1
        if (room, at) in naive.open:
            cells[local.isoweekday(), local.hour] += 1
    for quarter, one in enumerate(rooms.by_time_of_day):  # type: ignore[attr-defined]
        assert one.busy.numerator == taken[quarter]
        assert one.busy.denominator == existed[quarter]
        assert one.busy.value == (taken[quarter] / existed[quarter] if existed[quarter] else None)
    hours: Counter[tuple[int, int]] = Counter()
    for _, at in passed:
        local = at.astimezone(naive.zone)
        hours[local.isoweekday(), local.hour] += 1
    found = {(one.weekday, one.hour): one.utilization for one in rooms.by_hour_of_week}  # type: ignore[attr-defined]
    assert {cell: figure.denominator for cell, figure in found.items()} == dict(hours)
    assert {cell: figure.numerator for cell, figure in found.items() if figure.numerator} == dict(cells)


def _same_days(naive: Clinic, rooms: object, busy: set) -> None:  # type: ignore[type-arg]
    by_day: Counter[date] = Counter()
    for _, at in busy & naive.open:
        by_day[at.astimezone(naive.zone).date()] += 1
    found = {one.day: one.actual.numerator for one in rooms.days if one.actual.numerator}  # type: ignore[attr-defined]
    assert found == dict(by_day)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_punctuality_and_attendance_are_the_recount(seed: int) -> None:
    """On time, waits, delays, turnover, lead time, refill, not infused: from the raw events."""
    life = Life(seed, days=10)
    period = Period(SPRING, SPRING + timedelta(days=9))
    as_of = datetime(2026, 6, 1, tzinfo=UTC)
    known = entries(life.history, as_of=as_of)
    with facts_of(life.history) as conn:
        report = utilization.report(conn, [str(one) for one in life.clinics], period, as_of=as_of)
    for clinic in life.clinics:
        naive = Clinic(clinic, known, period.first, period.last, as_of)
        figures = report.by_clinic[str(clinic)]
        counted = [one for one in naive.visits if _day(one) in naive.within]
        waits, delays, timed, on_time, ended, not_infused = [], [], 0, 0, 0, 0
        for visit in counted:
            first = visit["first"]
            arrived, roomed = first.get("patient_arrived"), first.get("patient_roomed")
            booked = arrived.event.booked_starts_at if arrived else None
            if booked and roomed:
                timed += 1
                on_time += roomed.at <= booked + timedelta(minutes=5)
            if arrived:
                end = next((one.at for one in visit["steps"] if one.name in ENDS), None)
                until = roomed.at if roomed else end or as_of
                waits.append(max(0.0, (until - max(arrived.at, booked)).total_seconds() / 60))
            if booked and "started" in first:
                late = first["started"].at - booked - timedelta(minutes=EXAMPLE_PROTOCOL.visit.preparation)
                delays.append(late.total_seconds() / 60)
            if arrived and arrived.event.visit_kind != "follow_up":
                done = any(one.name in ENDS for one in visit["steps"])
                ended += "given" in first or done
                not_infused += done and "given" not in first
        attendance = figures.attendance
        assert (attendance.on_time.numerator, attendance.on_time.denominator) == (on_time, timed)
        assert attendance.wait.n == len(waits)
        assert attendance.wait.median == (pytest.approx(median(waits)) if waits else None)
        assert attendance.drug_start_delay.n == len(delays)
        assert attendance.drug_start_delay.median == (pytest.approx(median(delays)) if delays else None)
        assert attendance.arrived_not_infused.numerator == not_infused
        assert attendance.arrived_not_infused.denominator == ended
        leads = [
            (slot["starts"] - _first_booked(naive, slot)).total_seconds() / 86_400
            for slot in naive.slots
            if slot["starts"] in naive.within and (slot["left"] is None or slot["left"] >= slot["starts"])
        ]
        assert attendance.lead_time.n == len(leads)
        freed, refilled = _refill(naive)
        assert (attendance.refill.numerator, attendance.refill.denominator) == (len(refilled), len(freed))


def _day(visit: dict) -> datetime | None:  # type: ignore[type-arg]
    arrived, roomed = visit["first"].get("patient_arrived"), visit["first"].get("patient_roomed")
    return arrived.event.booked_starts_at if arrived else roomed.at


def _first_booked(naive: Clinic, slot: dict) -> datetime:  # type: ignore[type-arg]
    return min(one["taken"] for one in naive.slots if one is slot) if slot else naive.as_of


def _refill(naive: Clinic) -> tuple[set, set]:  # type: ignore[type-arg]
    freed, refilled = set(), set()
    starting = [slot for slot in naive.slots if slot["starts"] in naive.within]
    for slot in starting:
        if slot["left"] is None or slot["starts"] - slot["left"] < timedelta(hours=2):
            continue
        at = slot["starts"]
        while at < slot["ends"]:
            if (slot["room"], at) in naive.open:
                freed.add((slot["room"], at))
                if any(
                    one["room"] == slot["room"] and one["attended"] and one["taken"] >= slot["left"]
                    and one["starts"] <= at < one["ends"]
                    for one in starting
                ):
                    refilled.add((slot["room"], at))
            at += timedelta(minutes=1)
    return freed, refilled


def test_the_clinics_together_are_the_sum_of_each() -> None:
    """Numerators and denominators add up; the joint ratio is not a mean of ratios."""
    life = Life(7, clinics=3)
    as_of = datetime(2026, 6, 1, tzinfo=UTC)
    with facts_of(life.history) as conn:
        report = utilization.report(
            conn, [str(one) for one in life.clinics], Period(SPRING, SPRING + timedelta(days=11)), as_of=as_of
        )
    each = [one.rooms.actual_utilization for one in report.by_clinic.values()]
    whole = report.together.rooms.actual_utilization
    assert whole.numerator == pytest.approx(sum(one.numerator or 0 for one in each))
    assert whole.denominator == pytest.approx(sum(one.denominator or 0 for one in each))
    assert whole.value == pytest.approx((whole.numerator or 0) / (whole.denominator or 1))


def test_a_clinic_nobody_opened_has_no_figures_and_no_division_by_zero() -> None:
    """Null, never 0, where there is no denominator."""
    life = Life(1)
    with facts_of(life.history) as conn:
        report = utilization.report(conn, ["unknown"], Period(SPRING, SPRING), as_of=datetime(2026, 6, 1, tzinfo=UTC))
    assert report.by_clinic == {}
    assert report.together.rooms.actual_utilization.value is None
    assert report.together.attendance.no_show_rate.value is None
