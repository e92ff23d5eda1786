"""The utilization report by rows: every visit an object, every interval a pair. The oracle of the columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from domain.vocabulary.reasons import VISIT_KINDS
from projections.facts.loading import calendars, load_slots, load_visits, widest, with_consultations
from projections.facts.reading import Cut
from projections.metrics.attendance import (
    attendance_figures,
    tally_attendance,
    tally_refill,
    third_next_available,
)
from projections.metrics.calendar import ClinicCalendar, Period, local_date, period_span
from projections.metrics.figures import Figure, amount
from projections.metrics.rooms import room_figures, tally_rooms
from projections.utilization import LOOK_AHEAD_DAYS, Utilization, UtilizationReport


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> UtilizationReport:
    """The dashboard's figures. Nine queries, each bounded by clinics and period."""
    cut = Cut.at(as_of, known_at)
    known = calendars(conn, clinics, cut)
    span = widest(known.values(), period)
    visits = load_visits(conn, clinics, span, cut)
    slots = with_consultations(conn, load_slots(conn, clinics, span, cut), known, span, cut)
    rooms, attendance, refills = {}, {}, {}
    for clinic, calendar in known.items():
        here = [visit for visit in visits if visit.clinic == clinic]
        booked = [slot for slot in slots if slot.clinic == clinic]
        rooms[clinic] = tally_rooms(calendar, period, here, booked, cut.as_of_us)
        own = period_span(calendar.timezone, period)
        in_period = [slot for slot in booked if own[0] <= slot.starts_us < own[1]]
        attendance[clinic] = tally_attendance(calendar, period, here, in_period, cut.as_of_us)
        refills[clinic] = tally_refill(calendar, period, booked)
    return UtilizationReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(known),
        together=Utilization(
            rooms=room_figures(list(rooms.values())),
            attendance=attendance_figures(list(attendance.values()), list(refills.values())),
        ),
        by_clinic={
            clinic: Utilization(
                rooms=room_figures([rooms[clinic]]),
                attendance=attendance_figures([attendance[clinic]], [refills[clinic]]),
            )
            for clinic in known
        },
        third_next_available=_third_next_available(conn, known, cut), visits=len(visits), bookings=len(slots),
    )  # fmt: skip


def _third_next_available(
    conn: Connection, known: Mapping[str, ClinicCalendar], cut: Cut
) -> dict[str, dict[str, Figure]]:
    """By clinic and kind, for a visit of the kind's default length, looked for from as_of on."""
    ahead = {
        clinic: Period(today, today + timedelta(days=LOOK_AHEAD_DAYS))
        for clinic, calendar in known.items()
        for today in [local_date(calendar.timezone, cut.as_of_us)]
    }
    ends = max((period_span(known[clinic].timezone, days)[1] for clinic, days in ahead.items()), default=cut.as_of_us)
    taken = load_slots(conn, known, (cut.as_of_us, ends), cut)
    found: dict[str, dict[str, Figure]] = {}
    for clinic, calendar in known.items():
        here = [slot for slot in taken if slot.clinic == clinic]
        found[clinic] = {}
        for kind in VISIT_KINDS:
            minutes = calendar.visit_minutes(kind, cut.as_of_us)
            days = third_next_available(calendar, here, minutes, cut.as_of_us, ahead[clinic]) if minutes else None
            found[clinic][kind] = amount(
                "third_next_available", days, "days", n=len(here), rows=[slot.fact for slot in here]
            )
    return found
