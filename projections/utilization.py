"""How are rooms, chairs and time used? Rooms, attendance and punctuality of some clinics over a period."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from functools import cache

import msgspec
from sqlalchemy import Connection

from domain.vocabulary.reasons import VISIT_KINDS
from projections.columns.asked import asked
from projections.columns.attendance import Attendance, third_next_available
from projections.columns.bookings import load_slots, with_consultations
from projections.columns.rooms import RoomTime
from projections.columns.store import Facts
from projections.columns.visits import load_visits
from projections.facts.reading import Cut
from projections.metrics.attendance import AttendanceFigures, attendance_figures
from projections.metrics.calendar import ClinicCalendar, Period, local_date, period_span
from projections.metrics.definitions import ATTENDANCE, PUNCTUALITY, ROOMS, Definition
from projections.metrics.figures import FactIds, Figure, amount
from projections.metrics.lazy import Lazily
from projections.metrics.rooms import RoomFigures, room_figures

LOOK_AHEAD_DAYS = 60
"""How far the third next available slot is looked for."""


class Utilization(msgspec.Struct, frozen=True, kw_only=True):
    """One clinic's figures, or those of all the clinics asked for together."""

    rooms: RoomFigures
    attendance: AttendanceFigures


class UtilizationReport(msgspec.Struct, frozen=True, kw_only=True):
    """`together` and by clinic; the third next available by clinic and kind of visit. `visits` and `bookings` are how
    many facts were looked at."""

    period: Period
    as_of: datetime
    known_at: int | None
    clinics: tuple[str, ...]
    together: Utilization
    by_clinic: Mapping[str, Utilization]
    third_next_available: Mapping[str, Mapping[str, Figure]]
    visits: int
    bookings: int
    definitions: tuple[Definition, ...] = (*ROOMS, *PUNCTUALITY, *ATTENDANCE)


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> UtilizationReport:
    """The dashboard's figures. A clinic's own, and when it is free next, are made when they are asked for."""
    facts, known, _, span, cut = asked(conn, clinics, period, as_of, known_at)
    visits = load_visits(facts, known, span, cut)
    slots = with_consultations(facts, load_slots(facts, known, span, cut), known, span, cut)
    time = RoomTime(facts, known, period, visits, slots, cut.as_of_us)
    came = Attendance(facts, time, visits, slots, cut.as_of_us)
    rooms, attendance, refills = time.tallies(), came.tallies(), came.refills()
    place = {clinic: number for number, clinic in enumerate(known)}

    def of_clinic(clinic: str) -> Utilization:
        number = place[clinic]
        return Utilization(
            rooms=room_figures([rooms[number]]),
            attendance=attendance_figures([attendance[number]], [refills[number]]),
        )

    @cache
    def every_third_next() -> dict[str, dict[str, Figure]]:
        return _third_next_available(facts, known, cut)

    def third_next(clinic: str) -> Mapping[str, Figure]:
        return every_third_next()[clinic]

    return UtilizationReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(known),
        together=Utilization(rooms=room_figures(rooms), attendance=attendance_figures(attendance, refills)),
        by_clinic=Lazily(known, of_clinic), third_next_available=Lazily(known, third_next),
        visits=len(visits), bookings=len(slots),
    )  # fmt: skip


def _third_next_available(
    facts: Facts, known: Mapping[str, ClinicCalendar], cut: Cut
) -> dict[str, dict[str, Figure]]:
    """By clinic and kind, for a visit of the kind's default length, looked for from as_of on."""
    ahead = {
        clinic: Period(today, today + timedelta(days=LOOK_AHEAD_DAYS))
        for clinic, calendar in known.items()
        for today in [local_date(calendar.timezone, cut.as_of_us)]
    }
    ends = max((period_span(known[clinic].timezone, days)[1] for clinic, days in ahead.items()), default=cut.as_of_us)
    taken = load_slots(facts, known, (cut.as_of_us, ends), cut)
    minutes = {
        kind: tuple(one.visit_minutes(kind, cut.as_of_us) for one in known.values()) for kind in VISIT_KINDS
    }
    days = third_next_available(facts, known, taken, set(minutes.values()), cut.as_of_us, ahead) if known else {}
    figures: dict[str, dict[str, Figure]] = {}
    for place, clinic in enumerate(known):
        rows = FactIds("a", taken.fact[taken.clinic == facts.codes("clinic").of(clinic)])
        figures[clinic] = {
            kind: amount("third_next_available", days[of][place], "days", n=len(rows), rows=rows)
            for kind, of in minutes.items()
        }
    return figures


def weeks(last: date, count: int = 13) -> Period:
    """The period of `count` whole weeks that ends on `last`."""
    return Period(last - timedelta(days=7 * count - 1), last)
