"""One clinic's bookings of one local day: booking without double-booking."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.kernel import Code, Command, Event, Secret


class AppointmentBooked(Event, frozen=True, kw_only=True):
    """visit_kind: consultation, trial, series, booster, re_induction, follow_up.

    `moved_from` is set when the booking came from another day's sheet (same appointment id).
    """

    NAME: ClassVar[str] = "appointment.booked.v1"
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
    moved_from: date | None = None


class AppointmentMoved(Event, frozen=True, kw_only=True):
    """asked_by: patient, clinic. `to_date` is the other day's sheet when it left this one."""

    NAME: ClassVar[str] = "appointment.moved.v1"
    appointment_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime
    was_starts_at: datetime
    asked_by: Code
    reason_code: Code
    to_date: date | None = None


class AppointmentConfirmed(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "appointment.confirmed.v1"
    appointment_id: UUID


class AppointmentCancelled(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "appointment.cancelled.v1"
    appointment_id: UUID
    asked_by: Code
    reason_code: Code
    note: Secret | None = None


class NoShowRecorded(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "appointment.no_show_recorded.v1"
    appointment_id: UUID


class OverbookingAuthorised(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "appointment.overbooking_authorised.v1"
    appointment_id: UUID
    resource: str
    authorised_by: UUID
    reason_code: Code
    reason: Secret | None = None


class WaitlistJoined(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "appointment.waitlist_joined.v1"
    entry_id: UUID
    patient_id: UUID
    visit_kind: Code
    earliest_at: datetime
    latest_at: datetime


class SlotOffered(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "appointment.slot_offered.v1"
    entry_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime


class WaitlistLeft(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "appointment.waitlist_left.v1"
    entry_id: UUID
    reason_code: Code


class Overbooking(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's deliberate decision to book over another booking."""

    authorised_by: UUID
    reason_code: Code
    reason: str | None = None


class BookAppointment(Command, frozen=True, kw_only=True):
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
    moved_from: date | None = None
    overbooking: Overbooking | None = None


class MoveAppointment(Command, frozen=True, kw_only=True):
    appointment_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime
    asked_by: Code
    reason_code: Code
    overbooking: Overbooking | None = None


class ConfirmAppointment(Command, frozen=True, kw_only=True):
    appointment_id: UUID


class CancelAppointment(Command, frozen=True, kw_only=True):
    appointment_id: UUID
    asked_by: Code
    reason_code: Code
    note: str | None = None


class RecordNoShow(Command, frozen=True, kw_only=True):
    appointment_id: UUID


class JoinWaitlist(Command, frozen=True, kw_only=True):
    entry_id: UUID
    patient_id: UUID
    visit_kind: Code
    earliest_at: datetime
    latest_at: datetime


class OfferSlot(Command, frozen=True, kw_only=True):
    entry_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime


class LeaveWaitlist(Command, frozen=True, kw_only=True):
    entry_id: UUID
    reason_code: Code
