"""Side effects of a visit: report, regrade, treat, resolve, sign off."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.infusion.facts import Facts
from domain.infusion.rules import Outcome, begun, not_a_prescriber, unlicensed_prescriber
from domain.infusion.state import SideEffect, State
from domain.kernel import FUTURE_TOLERANCE, BadInput, Code, Command, DomainError, Event, Secret
from domain.vocabulary import require
from domain.vocabulary.reasons import TREATMENTS
from domain.vocabulary.side_effects import GRADES, SIDE_EFFECTS

DEATH = 5
"""CTCAE grade 5, always serious."""


class SideEffectIdTaken(DomainError):
    """This visit has a side effect of that id already."""


class NoSuchSideEffect(DomainError):
    """This visit has no such side effect (yet, at that time)."""


class SideEffectAlreadyResolved(DomainError):
    """The side effect has ended."""


class AlreadySignedOff(DomainError):
    """The side effect is signed off already."""


class NotAGrade(BadInput):
    """Grades are CTCAE 1 to 5."""


class OnsetAfterReport(BadInput):
    """A side effect cannot be reported before it begins."""


class SideEffectReported(Event, frozen=True, kw_only=True):
    """grade: CTCAE 1-5. `serious` is a separate judgement (death, life-threatening, hospital, lasting disability)."""

    NAME: ClassVar[str] = "infusion.side_effect_reported.v1"
    side_effect_id: UUID
    kind: Code
    grade: int
    serious: bool = False
    onset_at: datetime
    note: Secret | None = None


class SideEffectRegraded(Event, frozen=True, kw_only=True):
    """An earlier side effect got worse or better (CTCAE grade)."""

    NAME: ClassVar[str] = "infusion.side_effect_regraded.v1"
    side_effect_id: UUID
    grade: int
    serious: bool


class SideEffectTreated(Event, frozen=True, kw_only=True):
    """What was done about a side effect."""

    NAME: ClassVar[str] = "infusion.side_effect_treated.v1"
    side_effect_id: UUID
    treatment: Code
    note: Secret | None = None


class SideEffectResolved(Event, frozen=True, kw_only=True):
    """A side effect ended."""

    NAME: ClassVar[str] = "infusion.side_effect_resolved.v1"
    side_effect_id: UUID


class SideEffectSignedOff(Event, frozen=True, kw_only=True):
    """A physician has seen a serious side effect; without it there is no discharge."""

    NAME: ClassVar[str] = "infusion.side_effect_signed_off.v1"
    side_effect_id: UUID
    prescriber_id: UUID


class ReportSideEffect(Command, frozen=True, kw_only=True):
    side_effect_id: UUID
    kind: Code
    grade: int
    serious: bool = False
    onset_at: datetime
    note: str | None = None


class RegradeSideEffect(Command, frozen=True, kw_only=True):
    side_effect_id: UUID
    grade: int
    serious: bool


class TreatSideEffect(Command, frozen=True, kw_only=True):
    side_effect_id: UUID
    treatment: Code
    note: str | None = None


class ResolveSideEffect(Command, frozen=True, kw_only=True):
    side_effect_id: UUID


class SignOffSideEffect(Command, frozen=True, kw_only=True):
    side_effect_id: UUID
    prescriber_id: UUID


# --- decide: facts about the patient, accepted also after the visit has ended --------------------


def decide_report(state: State, then: State, command: ReportSideEffect, facts: Facts) -> Outcome:
    """Raises SideEffectIdTaken, UnknownCode, NotAGrade, OnsetAfterReport."""
    begun(state, then)
    if any(effect.side_effect_id == command.side_effect_id for effect in state.side_effects):
        raise SideEffectIdTaken(side_effect_id=str(command.side_effect_id), pointer="/side_effect_id")
    reported = SideEffectReported(
        occurred_at=command.at, side_effect_id=command.side_effect_id, kind=command.kind, grade=command.grade,
        serious=command.serious or command.grade == DEATH, onset_at=command.onset_at, note=command.note)
    check_report(reported)
    return Outcome((reported,))


def decide_regrade(state: State, then: State, command: RegradeSideEffect, facts: Facts) -> Outcome:
    """Raises NoSuchSideEffect, SideEffectAlreadyResolved, NotAGrade."""
    effect = _effect(then, command.side_effect_id)
    if effect.resolved_at is not None:
        raise SideEffectAlreadyResolved(side_effect_id=str(effect.side_effect_id), pointer="/side_effect_id")
    regraded = SideEffectRegraded(
        occurred_at=command.at, side_effect_id=command.side_effect_id, grade=command.grade,
        serious=command.serious or command.grade == DEATH)
    check_grade(regraded.grade)
    return Outcome((regraded,))


def decide_treat(state: State, then: State, command: TreatSideEffect, facts: Facts) -> Outcome:
    """Raises NoSuchSideEffect, UnknownCode."""
    _effect(then, command.side_effect_id)
    treated = SideEffectTreated(
        occurred_at=command.at, side_effect_id=command.side_effect_id, treatment=command.treatment, note=command.note)
    check_treatment(treated)
    return Outcome((treated,))


def decide_resolve(state: State, then: State, command: ResolveSideEffect, facts: Facts) -> Outcome:
    """Raises NoSuchSideEffect, SideEffectAlreadyResolved."""
    _effect(then, command.side_effect_id)
    effect = _effect(state, command.side_effect_id)
    if effect.resolved_at is not None:
        raise SideEffectAlreadyResolved(
            side_effect_id=str(effect.side_effect_id), resolved_at=effect.resolved_at.isoformat(),
            pointer="/side_effect_id")
    return Outcome((SideEffectResolved(occurred_at=command.at, side_effect_id=command.side_effect_id),))


def decide_sign_off(state: State, then: State, command: SignOffSideEffect, facts: Facts) -> Outcome:
    """Raises NoSuchSideEffect, AlreadySignedOff; breaks PrescriberNeeded, PrescriberNotLicensed."""
    effect = _effect(then, command.side_effect_id)
    if effect.signed_off:
        raise AlreadySignedOff(side_effect_id=str(effect.side_effect_id), pointer="/side_effect_id")
    signed = SideEffectSignedOff(
        occurred_at=command.at, side_effect_id=command.side_effect_id, prescriber_id=command.prescriber_id)
    unlicensed = unlicensed_prescriber(facts, command.prescriber_id, command.at)
    return Outcome((signed,), (*not_a_prescriber(command), *unlicensed))


def _effect(state: State, side_effect_id: UUID) -> SideEffect:
    for effect in state.side_effects:
        if effect.side_effect_id == side_effect_id:
            return effect
    raise NoSuchSideEffect(side_effect_id=str(side_effect_id), pointer="/side_effect_id")


# --- what an entry must be, when made and when amended -------------------------------------------


def check_report(event: SideEffectReported) -> None:
    """Raises UnknownCode, NotAGrade, OnsetAfterReport."""
    require(event.kind, SIDE_EFFECTS, "/kind")
    check_grade(event.grade)
    if event.onset_at > event.occurred_at + FUTURE_TOLERANCE:
        raise OnsetAfterReport(
            onset_at=event.onset_at.isoformat(), reported_at=event.occurred_at.isoformat(), pointer="/onset_at")


def check_grade(grade: int) -> None:
    """Raises NotAGrade."""
    if grade not in GRADES:
        raise NotAGrade(grade=grade, pointer="/grade")


def check_treatment(event: SideEffectTreated) -> None:
    """Raises UnknownCode."""
    require(event.treatment, TREATMENTS, "/treatment")


# --- evolve --------------------------------------------------------------------------------------


def evolve_side_effect(state: State, entry: Entry) -> State:
    """One episode each, from report to resolution."""
    event = entry.event
    match event:
        case SideEffectReported():
            effect = SideEffect(
                side_effect_id=event.side_effect_id, kind=event.kind, grade=event.grade, serious=event.serious,
                onset_at=event.onset_at)
            return msgspec.structs.replace(state, side_effects=(*state.side_effects, effect))
        case SideEffectRegraded():
            return _changed(state, event.side_effect_id, grade=event.grade, serious=event.serious)
        case SideEffectResolved():
            return _changed(state, event.side_effect_id, resolved_at=event.occurred_at)
        case SideEffectSignedOff():
            return _changed(state, event.side_effect_id, signed_off=True)
    return state


def _changed(state: State, side_effect_id: UUID, **changes: object) -> State:
    effects = []
    for effect in state.side_effects:
        if effect.side_effect_id == side_effect_id:
            worse = changes.get("serious") is True and not effect.serious
            effect = msgspec.structs.replace(effect, **({**changes, "signed_off": False} if worse else changes))
        effects.append(effect)
    return msgspec.structs.replace(state, side_effects=tuple(effects))
