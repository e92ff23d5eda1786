"""Booking a slot, moving it, and what becomes of it: confirmed, cancelled, kept or missed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.day_sheet.slots import (
    Overbooking,
    check_overbooking,
    check_people,
    check_slot,
    claims,
    default_end,
    releases,
    resources,
)
from domain.day_sheet.state import Appointment, AppointmentNotFound, AppointmentNotLive, Facts, State, local_date
from domain.kernel import Code, Command, Decision, DomainError, Event, Secret
from domain.vocabulary.reasons import APPOINTMENT_CANCELLED, APPOINTMENT_MOVED, ASKED_BY
from domain.vocabulary.term import require


class AppointmentAlreadyBooked(DomainError):
    """This appointment is on the sheet already."""


class AppointmentAlreadyConfirmed(DomainError):
    """The appointment has been confirmed."""


class NotYetStarted(DomainError):
    """Nobody is late before the booked start."""


class NothingMoved(DomainError):
    """The appointment is at this time in this room already."""


class KeptByOneAct(DomainError):
    """A booking is kept by one arrival or by one consultation."""


class NotAConsultationBooking(DomainError):
    """A consultation keeps the booking of a consultation only."""


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
    """The patient's side said that they will come."""

    NAME: ClassVar[str] = "appointment.confirmed.v1"
    appointment_id: UUID


class AppointmentCancelled(Event, frozen=True, kw_only=True):
    """A booking was given up; room and patient are free again. asked_by: patient, clinic."""

    NAME: ClassVar[str] = "appointment.cancelled.v1"
    appointment_id: UUID
    asked_by: Code
    reason_code: Code
    note: Secret | None = None


class NoShowRecorded(Event, frozen=True, kw_only=True):
    """The booked patient did not come."""

    NAME: ClassVar[str] = "appointment.no_show_recorded.v1"
    appointment_id: UUID


class AppointmentKept(Event, frozen=True, kw_only=True):
    """The patient came: written with the arrival (`infusion_id`) or with the consultation held (`consultation_id`),
    so that either excludes a no-show. It stays when that entry is struck: the booking is not open again. v1 named an
    arrival always.
    """

    NAME: ClassVar[str] = "appointment.kept.v2"
    appointment_id: UUID
    infusion_id: UUID | None = None
    consultation_id: UUID | None = None


class OverbookingAuthorised(Event, frozen=True, kw_only=True):
    """A person booked over what was taken, on purpose and for a reason; where nothing was in the way there is none."""

    NAME: ClassVar[str] = "appointment.overbooking_authorised.v1"
    appointment_id: UUID
    resource: str
    authorised_by: UUID
    reason_code: Code
    reason: Secret | None = None


class BookAppointment(Command, frozen=True, kw_only=True):
    """`ends_at` None: after the visit kind's default length (`default_minutes`)."""

    appointment_id: UUID
    patient_id: UUID
    room_id: UUID
    visit_kind: Code
    starts_at: datetime
    ends_at: datetime | None = None
    course_id: UUID | None = None
    series_id: UUID | None = None
    prescriber_id: UUID | None = None
    nurse_id: UUID | None = None
    moved_from: date | None = None
    overbooking: Overbooking | None = None


class MoveAppointment(Command, frozen=True, kw_only=True):
    """`ends_at` None: as long as it was."""

    appointment_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime | None = None
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


class KeepAppointment(Command, frozen=True, kw_only=True):
    """The patient came; issued with the arrival or the consultation (exactly one is named), never by hand."""

    appointment_id: UUID
    infusion_id: UUID | None = None
    consultation_id: UUID | None = None


def decide_booking(state: State, command: BookAppointment, facts: Facts) -> Decision:
    """A slot on this day. Raises AppointmentAlreadyBooked and what `slots` checks."""
    known = state.appointments.get(command.appointment_id)
    if known is not None and not (command.moved_from is not None and known.status == "moved"):
        raise AppointmentAlreadyBooked(appointment_id=str(command.appointment_id), status=known.status)
    slot = slot_of(command, facts)
    booked = booked_event(command, slot.ends_at)
    check_people(slot, facts)
    check_slot(slot.room_id, slot.starts_at, slot.ends_at, command.at, facts)
    return Decision(
        (booked, *_authorised(slot, command.overbooking, command, facts)),
        claims=claims(slot, command.overbooking, facts),
    )


def booked_event(command: BookAppointment, ends_at: datetime) -> AppointmentBooked:
    """What is written when the slot can be had."""
    return AppointmentBooked(
        occurred_at=command.at, late_reason=command.late_reason, appointment_id=command.appointment_id,
        patient_id=command.patient_id, room_id=command.room_id, visit_kind=command.visit_kind,
        starts_at=command.starts_at, ends_at=ends_at, course_id=command.course_id, series_id=command.series_id,
        prescriber_id=command.prescriber_id, nurse_id=command.nurse_id, moved_from=command.moved_from,
    )


def slot_of(command: BookAppointment, facts: Facts) -> Appointment:
    """The slot asked for, its end filled in. Raises NoProtocolAdopted."""
    ends_at = command.ends_at or default_end(command.visit_kind, command.starts_at, facts)
    return appointment(booked_event(command, ends_at))


def appointment(booked: AppointmentBooked) -> Appointment:
    """The booking as the sheet holds it."""
    return Appointment(
        appointment_id=booked.appointment_id, patient_id=booked.patient_id, room_id=booked.room_id,
        visit_kind=booked.visit_kind, starts_at=booked.starts_at, ends_at=booked.ends_at,
        course_id=booked.course_id, series_id=booked.series_id, prescriber_id=booked.prescriber_id,
        nurse_id=booked.nurse_id,
    )


def _authorised(
    slot: Appointment, overbooking: Overbooking | None, command: Command, facts: Facts
) -> tuple[OverbookingAuthorised, ...]:
    if overbooking is None:
        return ()
    check_overbooking(overbooking, facts)
    needed = resources(slot)
    return tuple(
        OverbookingAuthorised(
            occurred_at=command.at, appointment_id=slot.appointment_id, resource=needed[kind],
            authorised_by=overbooking.authorised_by, reason_code=overbooking.reason_code, reason=overbooking.reason,
        )
        for kind in dict.fromkeys(overbooking.resources) if needed.get(kind) in facts.taken
    )


def decide_move(state: State, command: MoveAppointment, facts: Facts) -> Decision:
    """Within the day: the new slot is checked and claimed here. To another day: this sheet lets it go, and the
    other sheet books it (`moved_from`) in the same commit.

    Raises AppointmentNotFound, AppointmentNotLive, UnknownCode, NothingMoved and what `slots` checks.
    """
    was = state.live(command.appointment_id)
    require(command.asked_by, ASKED_BY, "/asked_by")
    require(command.reason_code, APPOINTMENT_MOVED, "/reason_code")
    ends_at = moved_end(was, command)
    to_date = local_date(command.starts_at, facts.timezone)
    moved = AppointmentMoved(
        occurred_at=command.at, late_reason=command.late_reason, appointment_id=command.appointment_id,
        room_id=command.room_id, starts_at=command.starts_at, ends_at=ends_at, was_starts_at=was.starts_at,
        asked_by=command.asked_by, reason_code=command.reason_code,
        to_date=None if to_date == facts.local_date else to_date,
    )
    if moved.to_date is not None:
        return Decision((moved,), releases=releases(was))
    now = replace(was, room_id=command.room_id, starts_at=command.starts_at, ends_at=ends_at)
    if (now.room_id, now.starts_at, now.ends_at) == (was.room_id, was.starts_at, was.ends_at):
        raise NothingMoved(appointment_id=str(command.appointment_id), pointer="/starts_at")
    check_slot(now.room_id, now.starts_at, now.ends_at, command.at, facts)
    return Decision(
        (moved, *_authorised(now, command.overbooking, command, facts)),
        claims=claims(now, command.overbooking, facts), releases=releases(was),
    )


def moved_end(was: Appointment, command: MoveAppointment) -> datetime:
    """The moved slot's end: as given, or as long as it was."""
    return command.ends_at or command.starts_at.astimezone(UTC) + (was.ends_at - was.starts_at)


def decide_confirmation(state: State, command: ConfirmAppointment) -> Decision:
    """Raises AppointmentNotFound, AppointmentNotLive, AppointmentAlreadyConfirmed."""
    if state.live(command.appointment_id).confirmed:
        raise AppointmentAlreadyConfirmed(appointment_id=str(command.appointment_id))
    return Decision((AppointmentConfirmed(
        occurred_at=command.at, late_reason=command.late_reason, appointment_id=command.appointment_id,
    ),))


def decide_cancellation(state: State, command: CancelAppointment) -> Decision:
    """Raises AppointmentNotFound, AppointmentNotLive, UnknownCode."""
    one = state.live(command.appointment_id)
    require(command.asked_by, ASKED_BY, "/asked_by")
    require(command.reason_code, APPOINTMENT_CANCELLED, "/reason_code")
    cancelled = AppointmentCancelled(
        occurred_at=command.at, late_reason=command.late_reason, appointment_id=command.appointment_id,
        asked_by=command.asked_by, reason_code=command.reason_code, note=command.note,
    )
    return Decision((cancelled,), releases=releases(one))


def decide_no_show(state: State, command: RecordNoShow) -> Decision:
    """Raises AppointmentNotFound, AppointmentNotLive, NotYetStarted."""
    one = state.live(command.appointment_id)
    if command.at <= one.starts_at:
        raise NotYetStarted(starts_at=one.starts_at.isoformat(), pointer="/at")
    missed = NoShowRecorded(
        occurred_at=command.at, late_reason=command.late_reason, appointment_id=command.appointment_id,
    )
    return Decision((missed,), releases=releases(one))


MAY_BE_KEPT = ("booked", "no_show")
"""What may yet become kept."""


def decide_kept(state: State, command: KeepAppointment) -> Decision:
    """A patient may still turn up after having been written down as missing.

    Raises KeptByOneAct, AppointmentNotFound, NotAConsultationBooking, AppointmentNotLive.
    """
    if (command.infusion_id is None) == (command.consultation_id is None):
        raise KeptByOneAct(appointment_id=str(command.appointment_id))
    one = state.appointments.get(command.appointment_id)
    if one is None:
        raise AppointmentNotFound(appointment_id=str(command.appointment_id), pointer="/appointment_id")
    if command.consultation_id is not None and one.visit_kind != "consultation":
        raise NotAConsultationBooking(visit_kind=one.visit_kind, pointer="/appointment_id")
    if one.status not in MAY_BE_KEPT:
        raise AppointmentNotLive(
            appointment_id=str(command.appointment_id), status=one.status, pointer="/appointment_id",
        )
    return Decision((AppointmentKept(
        occurred_at=command.at, late_reason=command.late_reason, appointment_id=command.appointment_id,
        infusion_id=command.infusion_id, consultation_id=command.consultation_id,
    ),))
