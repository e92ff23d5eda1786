"""Clinics: opening one, its rooms, hours, closures (with the bookings they strand), staff, protocol, prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import clinic, day_sheet, staff
from domain.kernel import Command, derived_id
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.case import Case, Reader, local_day, staff_state

LONGEST_CLOSURE_DAYS = 400
"""So many day sheets are looked through for stranded bookings; beyond it, the rest is left to the booking's rule."""


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """Every command of a clinic."""
    plain = (
        clinic.AddRoom, clinic.SetOpeningHours, clinic.LiftClosure, clinic.PublishPriceList, clinic.SetOnCall,
        clinic.OpenCalendarFeed, clinic.CloseCalendarFeed,
    )
    return {
        clinic.RetireRoom: Case(clinic, partial(_retired, reader)),
        clinic.OpenClinic: Case(clinic, _opened),
        clinic.DeclareClosure: Case(clinic, _closed),
        clinic.AssignStaff: Case(clinic, _about_staff),
        clinic.UnassignStaff: Case(clinic, _about_staff),
        clinic.AdoptProtocol: Case(clinic, _about_staff),
        **{command: Case(clinic, _plain) for command in plain},
    }


def _opened(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    return _plan(stream_id, command, None)


def _plain(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    known(stream_id, request, load)
    return _plan(stream_id, command, None)


def known(stream_id: UUID, request: Request, load: Load) -> clinic.State:
    """The clinic, if it exists and is the acting one (or the organisation acts). Raises NotFound."""
    state: clinic.State = load(clinic, stream_id).state
    if not state.is_open or request.clinic_id not in (None, stream_id):
        raise NotFound(clinic_id=str(stream_id))
    return state


def _about_staff(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    here = known(stream_id, request, load)
    person = command.adopted_by if isinstance(command, clinic.AdoptProtocol) else command.staff_id
    state, day = staff_state(load, person, command.at), local_day(here, command.at)
    return _plan(stream_id, command, clinic.Facts(
        staff_in_service=state.in_service, prescriber_in_date=staff.may_prescribe(state, day),
        nurse_in_date=staff.may_nurse(state, day),
    ))


def _retired(reader: Reader, stream_id: UUID, command: clinic.RetireRoom, request: Request, load: Load) -> Plan:
    """The retirement says which bookings of the room it strands."""
    known(stream_id, request, load)
    stranded = tuple(
        UUID(one.holder.removeprefix("appointment:")) for one in reader.claims_on(f"room:{command.room_id}")
        if one.holder.startswith("appointment:") and (one.ends is None or one.ends > command.at)
    )
    return _plan(stream_id, replace(command, stranded=stranded), None)


def _closed(stream_id: UUID, command: clinic.DeclareClosure, request: Request, load: Load) -> Plan:
    """The closure says which bookings it strands; a booking made meanwhile makes this be decided again."""
    here = known(stream_id, request, load)
    stranded = tuple(
        one.appointment_id
        for day in _days(here, command)
        for one in load(day_sheet, derived_id("day_sheet", stream_id, day.isoformat())).state.appointments.values()
        if one.status == "booked" and one.starts_at < command.ends_at and command.starts_at < one.ends_at
        and command.room_id in (None, one.room_id)
    )
    return _plan(stream_id, replace(command, stranded=stranded), None)


def _days(here: clinic.State, command: clinic.DeclareClosure) -> Iterator[date]:
    """Local dates that the closure touches, and the one before (a visit over midnight)."""
    day = local_day(here, command.starts_at) - timedelta(days=1)
    last = min(local_day(here, command.ends_at), day + timedelta(days=LONGEST_CLOSURE_DAYS))
    while day <= last:
        yield day
        day += timedelta(days=1)


def _plan(stream_id: UUID, command: Any, facts: clinic.Facts | None) -> Plan:
    write = Write(aggregate=clinic, stream_id=stream_id, command=command, facts=facts)
    return Plan(writes=(write,), clinic_id=stream_id)
