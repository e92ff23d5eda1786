"""Consultations that were held before one kept its booking: the day sheet of those days still says booked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta

import msgspec

from api.http.context import wired
from api.web.schedule.place import Desk
from domain import clinic, day_sheet
from projections.consultations_held import consultations_held
from services.scheduling import ScheduledDay

__all__ = ["as_held", "days_as_held"]


def as_held(at: Desk, some: Sequence[day_sheet.Appointment]) -> tuple[day_sheet.Appointment, ...]:
    """`some`, those kept whose consultation was held: same patient and local day, as the figures count them."""
    asked = {_day(at, one) for one in some if _may_have_been_held(at, one)}
    if not asked:
        return tuple(some)
    starts, ends = (clinic.instant(day, time(0), at.zone) for day in (min(asked), max(asked) + timedelta(days=1)))
    with wired().read_side.database.reads.connect() as connection:
        held = {
            (patient, moment.astimezone(at.zone).date())
            for patient, moment in consultations_held(connection, str(at.clinic_id), starts, ends)
        }
    return tuple(
        msgspec.structs.replace(one, status="kept")
        if _may_have_been_held(at, one) and (str(one.patient_id), _day(at, one)) in held else one for one in some
    )


def days_as_held(at: Desk, days: Sequence[ScheduledDay]) -> list[ScheduledDay]:
    """The same for whole days, by one question."""
    shown = iter(as_held(at, [one for day in days for one in day.appointments]))
    return [
        msgspec.structs.replace(day, appointments=tuple(next(shown) for _ in day.appointments)) for day in days
    ]


def _may_have_been_held(at: Desk, one: day_sheet.Appointment) -> bool:
    waits = one.visit_kind == "consultation" and one.status in day_sheet.MAY_BE_KEPT
    return waits and _day(at, one) <= at.today


def _day(at: Desk, one: day_sheet.Appointment) -> date:
    return one.starts_at.astimezone(at.zone).date()
