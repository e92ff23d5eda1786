"""Courses of treatment: consultation, opening, response gate, series, boosters, transfer, close.

How many infusions a course has had, and what relief they brought, is read from the patient's diary, which notes
every infusion in the commit of its final drug stop (`infusions.py`); so no course is ever scanned for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import course
from domain.kernel import Command
from domain.patient import patient, registration
from domain.patient.state import Facts as PatientFacts
from domain.patient.state import State as PatientState
from domain.patient.state import require_living
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.appointments import consultation_kept
from services.use_cases.case import (
    Case,
    InOrder,
    Reader,
    Steps,
    acting_clinic,
    cared_for,
    clinic_known,
    diary_state,
    prescribes_here,
    taken_in,
)


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """Every command of a course."""
    plain = (
        course.AssessResponse, course.PlanSeries, course.ReviseSeries, course.ReachOptimalRelief,
        course.CancelBooster, course.CloseCourse,
    )
    boosting = Case(course, _Boosting(reader).planned)
    return {
        course.HoldConsultation: Case(course, _consulted),
        course.OpenCourse: Case(course, _opened),
        course.TransferCourse: Case(course, _transferred),
        course.ScheduleBooster: boosting,
        course.RescheduleBooster: boosting,
        **{command: Case(course, planned) for command in plain},
    }


def _consulted(stream_id: UUID, command: course.HoldConsultation, request: Request, load: Load) -> Plan:
    """With the consultation its booking is kept: in one commit, so a no-show recorded meanwhile is decided again."""
    require_living(taken_in(load, command.patient_id, request))
    plan = _plan(stream_id, command, command.patient_id, request, load)
    kept = consultation_kept(command, load, acting_clinic(load, request, command.at))
    return replace(plan, writes=(*plan.writes, *kept))


def _opened(stream_id: UUID, command: course.OpenCourse, request: Request, load: Load) -> Plan:
    known(load, stream_id)
    require_living(taken_in(load, command.patient_id, request))
    return _plan(stream_id, command, command.patient_id, request, load)


def planned(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    patient_id = known(load, stream_id).patient_id
    cared_for(load, _id(patient_id), request)
    return _plan(stream_id, command, _id(patient_id), request, load)


def known(load: Load, course_id: UUID, *, checked: bool = True) -> course.State:
    """The course. Raises NotFound."""
    state: course.State = load(course, course_id, checked=checked).state
    if state.patient_id is None:
        raise NotFound(course_id=str(course_id))
    return state


def _id(patient_id: UUID | None) -> UUID:
    if patient_id is None:
        raise NotFound()
    return patient_id


def _plan(stream_id: UUID, command: Any, patient_id: UUID, request: Request, load: Load) -> Plan:
    facts = course_facts(load, stream_id, patient_id, command, request)
    write = Write(aggregate=course, stream_id=stream_id, command=command, facts=facts)
    return Plan(writes=(write,), subject=patient_id, clinic_id=request.clinic_id)


def course_facts(load: Load, course_id: UUID, patient_id: UUID, command: Any, request: Request) -> course.Facts:
    """What a course must know of the clinic, the named prescriber and the patient's diary."""
    here = acting_clinic(load, request, command.at)
    prescriber = getattr(command, "prescriber_id", None)
    entries = diary_state(load, patient_id)
    protocol = here.protocol
    facts = course.Facts(
        clinic_id=here.stream_id, timezone=here.timezone,
        prescriber_in_date=prescribes_here(load, here, prescriber, command.at),
        infusions=entries.infusions_of(course_id), scores=entries.pain,
    )
    if protocol is None:
        return facts
    return replace(
        facts, consultation_valid_days=protocol.consultation_valid_days,
        booster_default_days=protocol.booster_default_days, booster_minimum_days=protocol.booster_minimum_days,
    )


@dataclass(frozen=True)
class _Boosting:
    """A booster may name an appointment; which the patient has booked, their claims tell."""

    reader: Reader

    def planned(self, stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
        plan = planned(stream_id, command, request, load)
        write = plan.writes[0]
        if command.appointment_id is None or not isinstance(write, Write):
            return plan
        held = (claim.holder.partition(":") for claim in self.reader.claims_on(f"patient:{plan.subject}"))
        booked = frozenset(UUID(identity) for kind, _, identity in held if kind == "appointment")
        return replace(plan, writes=(replace(write, facts=replace(write.facts, appointments=booked)),))


def _transferred(stream_id: UUID, command: course.TransferCourse, request: Request, load: Load) -> Plan:
    """With the course goes the patient: the other clinic's care opens, and it becomes their home."""
    patient_id = _id(known(load, stream_id).patient_id)
    whose = cared_for(load, patient_id, request)
    if not clinic_known(load, command.to_clinic_id):
        raise registration.ClinicNotKnown(clinic_id=str(command.to_clinic_id), pointer="/to_clinic_id")
    plan = _plan(stream_id, command, patient_id, request, load)
    steps = tuple((step, PatientFacts(clinic_known=True)) for step in _moves(whose, command))
    if not steps:
        return plan
    moved = Write(aggregate=InOrder(patient), stream_id=patient_id, command=Steps(
        by=command.by, now=command.now, at=command.at, late_reason=command.late_reason, steps=steps,
    ))
    return Plan(writes=(*plan.writes, moved), subject=plan.subject, clinic_id=plan.clinic_id)


def _moves(whose: PatientState, command: course.TransferCourse) -> list[Command]:
    there: dict[str, Any] = {
        "by": command.by, "now": command.now, "at": command.at, "late_reason": command.late_reason,
        "clinic_id": command.to_clinic_id,
    }
    moves: list[Command] = []
    if command.to_clinic_id not in whose.care:
        moves.append(registration.OpenCareRelation(**there, reason_code="transfer"))
    if command.to_clinic_id != whose.home_clinic_id:
        moves.append(registration.ChangeHomeClinic(**there))
    return moves
