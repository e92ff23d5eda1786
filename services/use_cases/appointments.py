"""Appointments: booking, moving (within the day and to another day's sheet), confirming, cancelling.

The stream is the clinic's sheet of the local day, `derived_id("day_sheet", clinic_id, local_date.isoformat())`;
for booking the clinic's own id may be given instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import clinic, course, day_sheet
from domain.day_sheet.slots import claims
from domain.day_sheet.state import AppointmentNotFound, local_date
from domain.kernel import Command
from domain.patient.state import require_living
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.case import (
    AUTHORISERS,
    Case,
    Reader,
    acting_clinic,
    cared_for,
    local_day,
    nurses_here,
    prescribes_here,
    sheet_of,
    taken_in,
    this_sheet,
)
from services.use_cases.waitlist import wish_filled


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """Every command that a person gives about a day sheet."""
    return {
        day_sheet.BookAppointment: Case(day_sheet, partial(_booked, reader)),
        day_sheet.MoveAppointment: Case(day_sheet, partial(_moved, reader)),
        day_sheet.ConfirmAppointment: Case(day_sheet, _about),
        day_sheet.CancelAppointment: Case(day_sheet, _fell_through),
        day_sheet.RecordNoShow: Case(day_sheet, _fell_through),
    }


# --- booking -------------------------------------------------------------------------------------


def _booked(
    reader: Reader, stream_id: UUID, command: day_sheet.BookAppointment, request: Request, load: Load
) -> Plan:
    here = acting_clinic(load, request, command.now)
    require_living(taken_in(load, command.patient_id, request))
    sheet = this_sheet(stream_id, here, command.starts_at, "/starts_at")
    facts = over_what(reader, command, slot_facts(load, here, command.starts_at, command))
    booking = Write(aggregate=day_sheet, stream_id=sheet, command=command, facts=facts)
    return Plan(
        writes=(
            booking, *booster_booked(load, command, command.course_id),
            *wish_filled(load, reader, here, [(command, facts)]),
        ),
        subject=command.patient_id,
        clinic_id=here.stream_id, ids={"appointment_id": str(command.appointment_id)},
        claims_seen=command.overbooking is not None,
    )


def slot_facts(load: Load, here: clinic.State, starts_at: datetime, command: Any) -> day_sheet.Facts:
    """Opening hours, closures, rooms and protocol of the clinic; the people named; the course named."""
    day = local_date(starts_at, here.timezone)
    nurse, prescriber = getattr(command, "nurse_id", None), getattr(command, "prescriber_id", None)
    overbooking, protocol = getattr(command, "overbooking", None), here.protocol
    authoriser = overbooking.authorised_by if overbooking is not None else None
    may = authoriser is not None and here.works_here(authoriser, *AUTHORISERS)
    return day_sheet.Facts(
        local_date=day, timezone=here.timezone,
        open_spans=_joined_spans([
            span for offset in (-1, 0, 1) for span in clinic.opening_on(here, day + timedelta(days=offset))
        ]),
        closures=tuple(
            day_sheet.Closure(closure_id=one.closure_id, starts_at=one.starts_at, ends_at=one.ends_at,
                              room_id=one.room_id)
            for one in here.closures if not one.lifted
        ),
        rooms=frozenset(room.room_id for room in here.rooms if room.retired_at is None),
        visit=protocol.visit if protocol is not None else None,
        nurse_patients=protocol.nurse_patients if protocol is not None else 1,
        nurses=frozenset({nurse}) if nurse is not None and nurses_here(load, here, nurse, starts_at) else frozenset(),
        prescribers=(
            frozenset({prescriber}) if prescriber is not None and prescribes_here(load, here, prescriber, starts_at)
            else frozenset()
        ),
        authorisers=frozenset({authoriser}) if may and authoriser is not None else frozenset(),
        course=_course_fact(load, getattr(command, "course_id", None)),
    )


def over_what(reader: Reader, booking: day_sheet.BookAppointment, facts: day_sheet.Facts) -> day_sheet.Facts:
    """With what others hold over the slot, where it is to be overbooked: only that is booked over."""
    if booking.overbooking is None:
        return facts
    wanted = claims(day_sheet.slot_of(booking, facts), None, facts)
    starts, ends = wanted[0].starts, wanted[0].ends or wanted[0].starts
    board = day_sheet.Board.of(reader.claims_over([one.resource for one in wanted], starts, ends))
    return replace(facts, taken=frozenset(one.resource for one in wanted if board.blocker(one) is not None))


def _joined_spans(spans: list[tuple[datetime, datetime]]) -> tuple[tuple[datetime, datetime], ...]:
    """Ascending, touching ones joined (a clinic open over midnight has no gap there)."""
    joined: list[tuple[datetime, datetime]] = []
    for opens, closes in sorted(spans):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return tuple(joined)


def _course_fact(load: Load, course_id: UUID | None) -> day_sheet.CourseFact | None:
    if course_id is None:
        return None
    state: course.State = load(course, course_id).state
    if state.patient_id is None:
        return None
    return day_sheet.CourseFact(course_id=course_id, patient_id=state.patient_id, is_open=state.status == "open")


def booster_booked(load: Load, command: day_sheet.BookAppointment, course_id: UUID | None) -> tuple[Write, ...]:
    """The course's scheduled booster learns of its appointment in the same commit."""
    if command.visit_kind != "booster" or course_id is None:
        return ()
    booster = load(course, course_id).state.booster
    if booster is None or booster.appointment_id is not None:
        return ()
    return (_link(course_id, command, booster.booster_id, command.appointment_id, "booked"),)


def _link(course_id: UUID, command: Command, booster_id: UUID, appointment_id: UUID | None, reason: str) -> Write:
    return Write(aggregate=course, stream_id=course_id, command=course.LinkBooster(
        by=command.by, now=command.now, at=command.at, late_reason=command.late_reason, booster_id=booster_id,
        appointment_id=appointment_id, reason_code=reason,
    ))


# --- what becomes of a booking -------------------------------------------------------------------


def found(
    stream_id: UUID, appointment_id: UUID, request: Request, load: Load, here: clinic.State
) -> day_sheet.Appointment:
    """The appointment, live or not, on a sheet of this clinic. Raises NotFound, AppointmentNotFound."""
    state: day_sheet.State = load(day_sheet, stream_id).state
    one = state.appointments.get(appointment_id)
    if one is None:
        raise AppointmentNotFound(appointment_id=str(appointment_id), pointer="/appointment_id")
    if sheet_of(here, one.starts_at) != stream_id:
        raise NotFound(stream_id=str(stream_id))
    return one


def _about(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    here = acting_clinic(load, request, command.now)
    one = found(stream_id, command.appointment_id, request, load, here)
    facts = day_sheet.Facts(local_date=local_day(here, one.starts_at), timezone=here.timezone)
    write = Write(aggregate=day_sheet, stream_id=stream_id, command=command, facts=facts)
    return Plan(writes=(write,), subject=one.patient_id, clinic_id=here.stream_id)


def _fell_through(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    """The course's booster is without an appointment again."""
    plan = _about(stream_id, command, request, load)
    one = load(day_sheet, stream_id).state.appointments[command.appointment_id]
    if one.course_id is None:
        return plan
    booster = load(course, one.course_id).state.booster
    if booster is None or booster.appointment_id != one.appointment_id:
        return plan
    reason = {"patient": "patients_choice", "clinic": "clinic"}.get(getattr(command, "asked_by", ""), "other")
    unlinked = _link(one.course_id, command, booster.booster_id, None, reason)
    return Plan(writes=(*plan.writes, unlinked), subject=plan.subject, clinic_id=plan.clinic_id)


def _moved(
    reader: Reader, stream_id: UUID, command: day_sheet.MoveAppointment, request: Request, load: Load
) -> Plan:
    """To another day the appointment leaves this sheet and is booked on that one under the same id, in one commit."""
    here = acting_clinic(load, request, command.now)
    was = found(stream_id, command.appointment_id, request, load, here)
    cared_for(load, was.patient_id, request)
    arriving = _as_booking(was, command)
    named = over_what(reader, arriving, slot_facts(load, here, command.starts_at, replace(arriving, course_id=None)))
    leaving = Write(
        aggregate=day_sheet, stream_id=stream_id, command=command,
        facts=replace(named, local_date=local_day(here, was.starts_at)),
    )
    writes = [leaving]
    if sheet_of(here, command.starts_at) != stream_id:
        writes.append(Write(
            aggregate=day_sheet, stream_id=sheet_of(here, command.starts_at),
            command=replace(arriving, moved_from=local_day(here, was.starts_at)),
            facts=over_what(reader, arriving, slot_facts(load, here, command.starts_at, arriving)),
        ))
    writes += wish_filled(load, reader, here, [(arriving, named)])
    return Plan(
        writes=tuple(writes), subject=was.patient_id, clinic_id=here.stream_id,
        claims_seen=command.overbooking is not None,
    )


def _as_booking(was: day_sheet.Appointment, command: day_sheet.MoveAppointment) -> day_sheet.BookAppointment:
    return day_sheet.BookAppointment(
        by=command.by, now=command.now, at=command.at, late_reason=command.late_reason,
        appointment_id=was.appointment_id, patient_id=was.patient_id, room_id=command.room_id,
        visit_kind=was.visit_kind, starts_at=command.starts_at, ends_at=day_sheet.moved_end(was, command),
        course_id=was.course_id, series_id=was.series_id, prescriber_id=was.prescriber_id, nurse_id=was.nurse_id,
        overbooking=command.overbooking,
    )


# --- who came ------------------------------------------------------------------------------------


def keeping(one: day_sheet.Appointment, command: Command, here: clinic.State, **act: UUID) -> Write:
    """The booking kept by `act`: `infusion_id` or `consultation_id`."""
    return Write(
        aggregate=day_sheet, stream_id=sheet_of(here, one.starts_at),
        command=day_sheet.KeepAppointment(
            by=command.by, now=command.now, at=command.at, late_reason=command.late_reason,
            appointment_id=one.appointment_id, **act,
        ),
        facts=day_sheet.Facts(local_date=local_day(here, one.starts_at), timezone=here.timezone),
    )


def booking_near(
    appointment_id: UUID, patient_id: UUID, said_to_start: datetime | None, at: datetime, load: Load,
    here: clinic.State,
) -> day_sheet.Appointment:
    """The patient's booking: on the day it is said to be on, else on that of `at`, the one before or the one after
    (around midnight). Raises AppointmentNotFound."""
    days = (at + timedelta(days=offset) for offset in (0, -1, 1))
    for moment in (said_to_start,) if said_to_start else days:
        state: day_sheet.State = load(day_sheet, sheet_of(here, moment)).state
        one = state.appointments.get(appointment_id)
        if one is not None and one.patient_id == patient_id and one.status != "moved":
            return one
    raise AppointmentNotFound(appointment_id=str(appointment_id), pointer="/appointment_id")


def consultation_kept(command: course.HoldConsultation, load: Load, here: clinic.State) -> tuple[Write, ...]:
    """The booking that a consultation keeps: the one it names (nothing to write when it is kept already), else the
    patient's only one for a consultation on that local day; with none or several nothing is guessed.

    Raises AppointmentNotFound, for the booking named.
    """
    if command.appointment_id is not None:
        one = booking_near(command.appointment_id, command.patient_id, None, command.at, load, here)
        waiting = [] if one.status == "kept" else [one]
    else:
        waiting = [
            one for one in load(day_sheet, sheet_of(here, command.at)).state.appointments.values()
            if one.patient_id == command.patient_id and one.visit_kind == "consultation"
            and one.status in day_sheet.MAY_BE_KEPT
        ]
    if len(waiting) != 1:
        return ()
    return (keeping(waiting[0], command, here, consultation_id=command.consultation_id),)
