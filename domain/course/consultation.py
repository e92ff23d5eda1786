"""The consultation before any infusion, and the opening of a course on its strength.

DESIGN section 2: examination, records and history reviewed; side effects, procedure and number of visits
discussed; dose and duration from weight; a plan, alone or within a wider pain programme.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from domain.course.state import Facts, State, require_prescriber
from domain.kernel import BadInput, Claim, Code, Command, Decision, DomainError, Event, Secret
from domain.vocabulary.conditions import CONDITIONS
from domain.vocabulary.reasons import CONSULTATION_DECISIONS, PLANS
from domain.vocabulary.term import require

WEIGHT_KG = (Decimal(20), Decimal(500))
"""Plausible body weight (data dictionary section 5: hard entry limit)."""

MG_PER_KG = (Decimal(0), Decimal(10))
"""What a proposal may name at all; the clinic's own limits apply to the order."""

STEPS = (
    "examined", "records_reviewed", "history_reviewed", "side_effects_discussed", "procedure_discussed",
    "visits_discussed",
)


class ConsultationIncomplete(DomainError):
    """To proceed, everything that belongs to a consultation must have been done."""


class ImplausibleWeight(BadInput):
    """The weight is outside what a person can weigh."""


class ImplausibleProposal(BadInput):
    """The proposed dose or duration is outside what can be meant."""


class AnotherPatientsCourse(DomainError):
    """This course belongs to another patient."""


class CourseAlreadyOpen(DomainError):
    """The course has been opened before."""


class NoConsultation(DomainError):
    """No consultation has ended with the decision to proceed."""


class ConsultationOutOfDate(DomainError):
    """The last consultation is older than the clinic's protocol allows."""


class ConsultationHeld(Event, frozen=True, kw_only=True):
    """Examination, records and history reviewed, risks discussed, dose and length from weight.

    decision: proceed, not_suitable, defer. plan: alone, combined.
    """

    NAME: ClassVar[str] = "course.consultation_held.v1"
    consultation_id: UUID
    patient_id: UUID
    prescriber_id: UUID
    condition: Code
    examined: bool
    records_reviewed: bool
    history_reviewed: bool
    side_effects_discussed: bool
    procedure_discussed: bool
    visits_discussed: bool
    weight_kg: Decimal
    proposed_mg_per_kg: Decimal | None = None
    proposed_minutes: int | None = None
    decision: Code
    plan: Code
    referral_id: UUID | None = None
    note: Secret | None = None


class CourseOpened(Event, frozen=True, kw_only=True):
    """`clinic_id` is the course's home until it is transferred."""

    NAME: ClassVar[str] = "course.opened.v1"
    patient_id: UUID
    condition: Code
    plan: Code
    prescriber_id: UUID
    clinic_id: UUID | None = None


class HoldConsultation(Command, frozen=True, kw_only=True):
    """`appointment_id`: the booking that it keeps; None: the patient's only one for a consultation that day, if any."""

    consultation_id: UUID
    patient_id: UUID
    prescriber_id: UUID
    condition: Code
    examined: bool
    records_reviewed: bool
    history_reviewed: bool
    side_effects_discussed: bool
    procedure_discussed: bool
    visits_discussed: bool
    weight_kg: Decimal
    proposed_mg_per_kg: Decimal | None = None
    proposed_minutes: int | None = None
    decision: Code
    plan: Code
    referral_id: UUID | None = None
    appointment_id: UUID | None = None
    note: str | None = None


class OpenCourse(Command, frozen=True, kw_only=True):
    patient_id: UUID
    condition: Code
    plan: Code
    prescriber_id: UUID


def decide_consultation(state: State, command: HoldConsultation, facts: Facts) -> Decision:
    """A consultation may be held before the course opens and, to renew it, while it is open.

    Raises AnotherPatientsCourse, CourseAlreadyOpen (closed course), UnknownCode, NotAPrescriberInDate,
    ImplausibleWeight, ImplausibleProposal, ConsultationIncomplete.
    """
    _require_same_patient(state, command.patient_id)
    if state.status == "closed":
        raise CourseAlreadyOpen("The course is closed; a new consultation begins a new course.", status="closed")
    require_prescriber(command.prescriber_id, facts)
    held = ConsultationHeld(
        occurred_at=command.at, late_reason=command.late_reason, consultation_id=command.consultation_id,
        patient_id=command.patient_id, prescriber_id=command.prescriber_id, condition=command.condition,
        examined=command.examined, records_reviewed=command.records_reviewed,
        history_reviewed=command.history_reviewed, side_effects_discussed=command.side_effects_discussed,
        procedure_discussed=command.procedure_discussed, visits_discussed=command.visits_discussed,
        weight_kg=command.weight_kg, proposed_mg_per_kg=command.proposed_mg_per_kg,
        proposed_minutes=command.proposed_minutes, decision=command.decision, plan=command.plan,
        referral_id=command.referral_id, note=command.note,
    )
    check(held)
    return Decision((held,))


def check(held: ConsultationHeld) -> None:
    """What a consultation must be, new or amended. Raises UnknownCode, ImplausibleWeight, ImplausibleProposal,
    ConsultationIncomplete."""
    require(held.condition, CONDITIONS, "/condition")
    require(held.decision, CONSULTATION_DECISIONS, "/decision")
    require(held.plan, PLANS, "/plan")
    _require_plausible(held)
    missing = [step for step in STEPS if not getattr(held, step)]
    if held.decision == "proceed" and missing:
        raise ConsultationIncomplete(missing=missing, pointer=f"/{missing[0]}")


def decide_opening(state: State, command: OpenCourse, facts: Facts) -> Decision:
    """One open course a patient, held by the claim `open-course:<patient>`.

    Raises CourseAlreadyOpen, AnotherPatientsCourse, NoConsultation, ConsultationOutOfDate, NotAPrescriberInDate.
    """
    if state.status != "new":
        raise CourseAlreadyOpen(course_id=str(state.stream_id), status=state.status)
    _require_same_patient(state, command.patient_id)
    require(command.condition, CONDITIONS, "/condition")
    require(command.plan, PLANS, "/plan")
    require_prescriber(command.prescriber_id, facts)
    held_at = state.consultation_held_at()
    if held_at is None:
        raise NoConsultation(course_id=str(state.stream_id))
    if command.at - held_at > timedelta(days=facts.consultation_valid_days):
        raise ConsultationOutOfDate(held_at=held_at.isoformat(), valid_days=facts.consultation_valid_days)
    opened = CourseOpened(
        occurred_at=command.at, late_reason=command.late_reason, patient_id=command.patient_id,
        condition=command.condition, plan=command.plan, prescriber_id=command.prescriber_id,
        clinic_id=facts.clinic_id,
    )
    return Decision((opened,), claims=(Claim(
        resource=open_course(command.patient_id), holder=f"course:{state.stream_id}", starts=command.at, ends=None,
    ),))


def open_course(patient_id: UUID) -> str:
    """The claim that keeps a patient to one open course."""
    return f"open-course:{patient_id}"


def _require_same_patient(state: State, patient_id: UUID) -> None:
    if state.patient_id is not None and state.patient_id != patient_id:
        raise AnotherPatientsCourse(course_id=str(state.stream_id), pointer="/patient_id")


def _require_plausible(held: ConsultationHeld) -> None:
    if not WEIGHT_KG[0] <= held.weight_kg <= WEIGHT_KG[1]:
        raise ImplausibleWeight(weight_kg=str(held.weight_kg), pointer="/weight_kg")
    dose, minutes = held.proposed_mg_per_kg, held.proposed_minutes
    if dose is not None and not MG_PER_KG[0] < dose <= MG_PER_KG[1]:
        raise ImplausibleProposal(proposed_mg_per_kg=str(dose), pointer="/proposed_mg_per_kg")
    if minutes is not None and not 0 < minutes <= 24 * 60:
        raise ImplausibleProposal(proposed_minutes=minutes, pointer="/proposed_minutes")
