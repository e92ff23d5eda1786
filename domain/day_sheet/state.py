"""What a day sheet holds, and what it must know of the clinic, its staff and the patient's course."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from domain.kernel import Code, DomainError
from domain.protocol import VisitMinutes


class AppointmentNotFound(DomainError):
    """There is no such appointment on this day's sheet."""


class AppointmentNotLive(DomainError):
    """The appointment was moved away, cancelled, kept or missed."""


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """status: booked, moved (to another day), cancelled, no_show, kept (by the arrival of `infusion_id`, or by the
    consultation `consultation_id`).

    overbooked_by and overbooked_because: who authorised that its present slot lies over another booking, and why.
    """

    appointment_id: UUID
    patient_id: UUID
    room_id: UUID
    visit_kind: Code
    starts_at: datetime
    ends_at: datetime
    course_id: UUID | None = None
    series_id: UUID | None = None
    prescriber_id: UUID | None = None
    nurse_id: UUID | None = None
    status: Code = "booked"
    confirmed: bool = False
    infusion_id: UUID | None = None
    consultation_id: UUID | None = None
    overbooked_by: UUID | None = None
    overbooked_because: Code | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A patient who would take a slot."""

    entry_id: UUID
    patient_id: UUID
    visit_kind: Code
    earliest_at: datetime
    latest_at: datetime
    offers: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One clinic's bookings of one local day. The mappings are never changed in place."""

    stream_id: UUID
    version: int = 0
    appointments: dict[UUID, Appointment] = {}
    waiting: dict[UUID, Waiting] = {}

    def live(self, appointment_id: UUID) -> Appointment:
        """The booked appointment. Raises AppointmentNotFound, AppointmentNotLive."""
        one = self.appointments.get(appointment_id)
        if one is None:
            raise AppointmentNotFound(appointment_id=str(appointment_id), pointer="/appointment_id")
        if one.status != "booked":
            raise AppointmentNotLive(appointment_id=str(appointment_id), status=one.status)
        return one


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """The clinic, or one room of it, is closed over [starts_at, ends_at)."""

    closure_id: UUID
    starts_at: datetime
    ends_at: datetime
    room_id: UUID | None = None


class CourseFact(msgspec.Struct, frozen=True, kw_only=True):
    """The course the booking names."""

    course_id: UUID
    patient_id: UUID
    is_open: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `day_sheet.decide` is told. Only booking, moving and the waitlist look beyond `local_date` and `timezone`.

    local_date: the sheet's day in the clinic's IANA `timezone`. open_spans: the clinic's opening hours around that
    day as half-open intervals [starts, ends) in UTC, in order, touching ones joined (DST resolved). closures: those not
    lifted. rooms: in service. visit: the adopted protocol's minutes. nurse_patients: how many patients one nurse may
    have at once. nurses, prescribers: assigned here, credential in date on the day. authorisers: who may overbook.
    taken: of a slot to be overbooked, the resources that others hold. waiting: of who joins the waitlist, the entries
    of the same wish on any day's sheet of the clinic `clinic_id`.
    """

    local_date: date
    timezone: str
    open_spans: tuple[tuple[datetime, datetime], ...] = ()
    closures: tuple[Closure, ...] = ()
    rooms: frozenset[UUID] = frozenset()
    visit: VisitMinutes | None = None
    nurse_patients: int = 1
    nurses: frozenset[UUID] = frozenset()
    prescribers: frozenset[UUID] = frozenset()
    authorisers: frozenset[UUID] = frozenset()
    taken: frozenset[str] = frozenset()
    clinic_id: UUID | None = None
    waiting: tuple[Waiting, ...] = ()
    course: CourseFact | None = None


def local_date(moment: datetime, timezone: str) -> date:
    """The calendar day `moment` falls on in that zone, right across DST."""
    return moment.astimezone(ZoneInfo(timezone)).date()
