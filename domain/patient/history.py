"""The patient's conditions, therapies tried, adjunct therapies and coverage."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Secret
from domain.patient.state import (
    Adjunct,
    AlreadyEntered,
    ConditionHeld,
    State,
    Therapy,
    check_dates,
    check_span,
    require_living,
    require_record,
)
from domain.vocabulary.conditions import RECORDABLE, check_icd10
from domain.vocabulary.reasons import ADJUNCT_ENDED, THERAPIES, THERAPY_RESULTS, TREATMENT_FAILED
from domain.vocabulary.term import require


class AdjunctNotFound(DomainError):
    """There is no such adjunct therapy going on."""


class CoverageNotValid(BadInput):
    """Cover names its payer; a patient who pays has none."""


class ConditionRecorded(Event, frozen=True, kw_only=True):
    """A condition of the patient, by vocabulary RECORDABLE; the page's 11 are indications."""

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
    """A therapy beside the infusions began."""

    NAME: ClassVar[str] = "patient.adjunct_therapy_started.v1"
    adjunct_id: UUID
    therapy: Code
    started_on: date
    description: Secret | None = None


class AdjunctTherapyEnded(Event, frozen=True, kw_only=True):
    """A therapy beside the infusions ended."""

    NAME: ClassVar[str] = "patient.adjunct_therapy_ended.v1"
    adjunct_id: UUID
    ended_on: date
    reason_code: Code


class CoverageRecorded(Event, frozen=True, kw_only=True):
    """Who pays: the patient, or a payer from `valid_from` on."""

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


def decide_condition(state: State, command: RecordCondition) -> Decision:
    """Raises UnknownCode, MalformedIcd10, NotAnIndication, DateNotValid, AlreadyEntered."""
    require_record(state)
    recorded = ConditionRecorded(
        occurred_at=command.at, late_reason=command.late_reason, condition=command.condition, icd10=command.icd10,
        onset_on=command.onset_on, note=command.note,
    )
    check_condition(recorded)
    if _held(recorded) in state.conditions:
        raise AlreadyEntered(condition=command.condition, pointer="/condition")
    return Decision((recorded,))


def check_condition(recorded: ConditionRecorded) -> None:
    """Raises UnknownCode, MalformedIcd10, NotAnIndication, DateNotValid; asked of amended ones too."""
    condition = require(recorded.condition, RECORDABLE, "/condition")
    if recorded.icd10 is not None:
        check_icd10(condition, recorded.icd10, "/icd10")
    check_dates(recorded.occurred_at, starts=recorded.onset_on, names=("onset_on", "onset_on"))


def _held(event: ConditionRecorded) -> ConditionHeld:
    return ConditionHeld(condition=event.condition, icd10=event.icd10, onset_on=event.onset_on)


def decide_therapy(state: State, command: RecordTherapyTried) -> Decision:
    """Raises UnknownCode, DateNotValid."""
    require_record(state)
    tried = TherapyTried(
        occurred_at=command.at, late_reason=command.late_reason, therapy=command.therapy, result=command.result,
        started_on=command.started_on, ended_on=command.ended_on, description=command.description,
    )
    check_therapy(tried)
    return Decision((tried,))


def check_therapy(tried: TherapyTried) -> None:
    """Raises UnknownCode, DateNotValid; asked of amended ones too."""
    require(tried.therapy, THERAPIES, "/therapy")
    require(tried.result, THERAPY_RESULTS, "/result")
    check_dates(tried.occurred_at, starts=tried.started_on, ends=tried.ended_on, names=("started_on", "ended_on"))


def decide_adjunct(state: State, command: StartAdjunctTherapy | EndAdjunctTherapy) -> Decision:
    """Raises UnknownCode, AlreadyEntered, PatientDeceased; AdjunctNotFound, DateNotValid.

    A start may lie ahead (a therapy that is planned beside the series); an end may not precede it.
    """
    require_record(state)
    known = next((one for one in state.adjuncts if one.adjunct_id == command.adjunct_id), None)
    if isinstance(command, StartAdjunctTherapy):
        require_living(state)
        require(command.therapy, THERAPIES, "/therapy")
        if known is not None:
            raise AlreadyEntered(adjunct_id=str(command.adjunct_id), pointer="/adjunct_id")
        return Decision((AdjunctTherapyStarted(
            occurred_at=command.at, late_reason=command.late_reason, adjunct_id=command.adjunct_id,
            therapy=command.therapy, started_on=command.started_on, description=command.description,
        ),))
    if known is None or known.ended_on is not None:
        raise AdjunctNotFound(adjunct_id=str(command.adjunct_id), pointer="/adjunct_id")
    check_span(known.started_on, command.ended_on, "ended_on")
    require(command.reason_code, ADJUNCT_ENDED, "/reason_code")
    return Decision((AdjunctTherapyEnded(
        occurred_at=command.at, late_reason=command.late_reason, adjunct_id=command.adjunct_id,
        ended_on=command.ended_on, reason_code=command.reason_code,
    ),))


def decide_coverage(state: State, command: RecordCoverage) -> Decision:
    """Raises CoverageNotValid, DateNotValid, AlreadyEntered."""
    require_record(state)
    if command.coverage_id in state.coverages:
        raise AlreadyEntered(coverage_id=str(command.coverage_id), pointer="/coverage_id")
    named = bool(command.payer and command.payer.strip())
    if named == command.self_pay:
        raise CoverageNotValid(self_pay=command.self_pay, pointer="/payer")
    check_span(command.valid_from, command.valid_until, "valid_until")
    return Decision((CoverageRecorded(
        occurred_at=command.at, late_reason=command.late_reason, coverage_id=command.coverage_id,
        self_pay=command.self_pay, payer=command.payer, member_number=command.member_number,
        valid_from=command.valid_from, valid_until=command.valid_until,
    ),))


def therapies_failed(state: State) -> int:
    """How many different therapies were tried and failed: what treatment resistance is counted by."""
    return len({one.therapy for one in state.therapies if one.result in TREATMENT_FAILED})


def evolve_history(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case ConditionRecorded():
            return replace(state, conditions=(*state.conditions, _held(event)))
        case TherapyTried():
            therapy = Therapy(
                therapy=event.therapy, result=event.result, started_on=event.started_on, ended_on=event.ended_on)
            return replace(state, therapies=(*state.therapies, therapy))
        case AdjunctTherapyStarted():
            adjunct = Adjunct(adjunct_id=event.adjunct_id, therapy=event.therapy, started_on=event.started_on)
            return replace(state, adjuncts=(*state.adjuncts, adjunct))
        case AdjunctTherapyEnded():
            return replace(state, adjuncts=tuple(
                replace(one, ended_on=event.ended_on) if one.adjunct_id == event.adjunct_id else one
                for one in state.adjuncts))
        case CoverageRecorded():
            return replace(state, coverages=(*state.coverages, event.coverage_id))
    return state
