"""The patient's conditions, therapies tried, adjunct therapies and coverage."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


class ConditionRecorded(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.condition_recorded.v1"
    condition: Code
    icd10: Code | None = None
    onset_on: date | None = None
    note: Secret | None = None


class TherapyTried(Event, frozen=True, kw_only=True):
    """A therapy tried before, with its result: what treatment resistance means."""

    NAME: ClassVar[str] = "patient.therapy_tried.v1"
    therapy: Code
    result: Code
    started_on: date | None = None
    ended_on: date | None = None
    description: Secret | None = None


class AdjunctTherapyStarted(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.adjunct_therapy_started.v1"
    adjunct_id: UUID
    therapy: Code
    started_on: date
    description: Secret | None = None


class AdjunctTherapyEnded(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.adjunct_therapy_ended.v1"
    adjunct_id: UUID
    ended_on: date
    reason_code: Code


class CoverageRecorded(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.coverage_recorded.v1"
    coverage_id: UUID
    self_pay: bool
    payer: Secret | None = None
    member_number: Secret | None = None
    valid_from: date
    valid_until: date | None = None


class RecordCondition(Command, frozen=True, kw_only=True):
    condition: Code
    icd10: Code | None = None
    onset_on: date | None = None
    note: str | None = None


class RecordTherapyTried(Command, frozen=True, kw_only=True):
    therapy: Code
    result: Code
    started_on: date | None = None
    ended_on: date | None = None
    description: str | None = None


class StartAdjunctTherapy(Command, frozen=True, kw_only=True):
    adjunct_id: UUID
    therapy: Code
    started_on: date
    description: str | None = None


class EndAdjunctTherapy(Command, frozen=True, kw_only=True):
    adjunct_id: UUID
    ended_on: date
    reason_code: Code


class RecordCoverage(Command, frozen=True, kw_only=True):
    coverage_id: UUID
    self_pay: bool
    payer: str | None = None
    member_number: str | None = None
    valid_from: date
    valid_until: date | None = None
