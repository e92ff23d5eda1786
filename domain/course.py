"""A course of treatment: consultation, trial, response gate, series, boosters, and how it ended."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


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
    NAME: ClassVar[str] = "course.opened.v1"
    patient_id: UUID
    condition: Code
    plan: Code
    prescriber_id: UUID


class ResponseAssessed(Event, frozen=True, kw_only=True):
    """The response gate after the trial infusion. decision: go_on, stop."""

    NAME: ClassVar[str] = "course.response_assessed.v1"
    infusion_id: UUID
    positive: bool
    basis: Code
    fall_percent: Decimal | None = None
    decision: Code
    prescriber_id: UUID
    reason: Secret | None = None


class SeriesPlanned(Event, frozen=True, kw_only=True):
    """`infusions` more inside local dates [window_starts, window_ends]."""

    NAME: ClassVar[str] = "course.series_planned.v1"
    series_id: UUID
    infusions: int
    window_starts: date
    window_ends: date


class SeriesRevised(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "course.series_revised.v1"
    series_id: UUID
    infusions: int
    window_starts: date
    window_ends: date
    reason_code: Code


class OptimalReliefReached(Event, frozen=True, kw_only=True):
    """No more are needed: a success, never a drop-out."""

    NAME: ClassVar[str] = "course.optimal_relief_reached.v1"
    after_infusion_id: UUID


class BoosterScheduled(Event, frozen=True, kw_only=True):
    """reason_code: own_spells (with them in `basis_days`), protocol_default, clinical."""

    NAME: ClassVar[str] = "course.booster_scheduled.v1"
    booster_id: UUID
    due_on: date
    reason_code: Code
    basis_days: tuple[Decimal, ...] = ()
    appointment_id: UUID | None = None


class BoosterRescheduled(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "course.booster_rescheduled.v1"
    booster_id: UUID
    due_on: date
    reason_code: Code
    appointment_id: UUID | None = None


class BoosterCancelled(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "course.booster_cancelled.v1"
    booster_id: UUID
    reason_code: Code


class CourseTransferred(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "course.transferred.v1"
    from_clinic_id: UUID
    to_clinic_id: UUID
    reason_code: Code


class CourseClosed(Event, frozen=True, kw_only=True):
    """reason_code: goal_met, no_response, side_effects, patients_choice, moved, lost_to_follow_up, deceased."""

    NAME: ClassVar[str] = "course.closed.v1"
    reason_code: Code
    note: Secret | None = None


class HoldConsultation(Command, frozen=True, kw_only=True):
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
    note: str | None = None


class OpenCourse(Command, frozen=True, kw_only=True):
    patient_id: UUID
    condition: Code
    plan: Code
    prescriber_id: UUID


class AssessResponse(Command, frozen=True, kw_only=True):
    infusion_id: UUID
    positive: bool
    basis: Code
    fall_percent: Decimal | None = None
    decision: Code
    prescriber_id: UUID
    reason: str | None = None


class PlanSeries(Command, frozen=True, kw_only=True):
    series_id: UUID
    infusions: int
    window_starts: date
    window_ends: date


class ReviseSeries(Command, frozen=True, kw_only=True):
    infusions: int
    window_starts: date
    window_ends: date
    reason_code: Code


class ReachOptimalRelief(Command, frozen=True, kw_only=True):
    after_infusion_id: UUID


class ScheduleBooster(Command, frozen=True, kw_only=True):
    booster_id: UUID
    due_on: date
    reason_code: Code
    basis_days: tuple[Decimal, ...] = ()
    appointment_id: UUID | None = None


class RescheduleBooster(Command, frozen=True, kw_only=True):
    booster_id: UUID
    due_on: date
    reason_code: Code
    appointment_id: UUID | None = None


class CancelBooster(Command, frozen=True, kw_only=True):
    booster_id: UUID
    reason_code: Code


class TransferCourse(Command, frozen=True, kw_only=True):
    to_clinic_id: UUID
    reason_code: Code


class CloseCourse(Command, frozen=True, kw_only=True):
    reason_code: Code
    note: str | None = None
