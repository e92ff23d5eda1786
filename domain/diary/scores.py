"""Scores: pain, function, mood, cognition, relief, weight; checked against the vocabulary's scales."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from domain.diary.state import State
from domain.kernel import BadInput, Code, Command, Event
from domain.vocabulary import scales
from domain.vocabulary.scales import COGNITION, FUNCTION, MOOD, PAIN_KINDS, SCALES, check_score
from domain.vocabulary.term import require

WEIGHT_KG = (Decimal(20), Decimal(500))
"""Plausible body weight (data dictionary section 5: hard entry limit)."""


class ImplausibleWeight(BadInput):
    """The weight is outside what a person can weigh."""


class ItemsOrTotalNeeded(BadInput):
    """A questionnaire is recorded by its items, or, from an import, by its total alone."""


class PainScored(Event, frozen=True, kw_only=True):
    """NRS 0-10 (LOINC 72514-3). kind: now, average, worst."""

    NAME: ClassVar[str] = "diary.pain_scored.v1"
    score: int
    kind: Code = "now"
    infusion_id: UUID | None = None


class FunctionScored(Event, frozen=True, kw_only=True):
    """instrument: peg, bpi_interference, promis_pain_interference."""

    NAME: ClassVar[str] = "diary.function_scored.v1"
    instrument: Code
    items: tuple[int, ...]
    total: Decimal


class MoodScored(Event, frozen=True, kw_only=True):
    """instrument: phq9, phq2, gad7."""

    NAME: ClassVar[str] = "diary.mood_scored.v1"
    instrument: Code
    items: tuple[int | None, ...] = ()
    total: Decimal


class CognitionScored(Event, frozen=True, kw_only=True):
    """A cognition instrument's total."""

    NAME: ClassVar[str] = "diary.cognition_scored.v1"
    instrument: Code
    total: Decimal


class ReliefReported(Event, frozen=True, kw_only=True):
    """How much relief the patient reports, 0-100 %."""

    NAME: ClassVar[str] = "diary.relief_reported.v1"
    relief_percent: int
    infusion_id: UUID | None = None


class WeightMeasured(Event, frozen=True, kw_only=True):
    """Weight in kg, outside a visit."""

    NAME: ClassVar[str] = "diary.weight_measured.v1"
    weight_kg: Decimal


class ScorePain(Command, frozen=True, kw_only=True):
    score: int
    kind: Code = "now"
    infusion_id: UUID | None = None


class ScoreFunction(Command, frozen=True, kw_only=True):
    instrument: Code
    items: tuple[int, ...]


class ScoreMood(Command, frozen=True, kw_only=True):
    instrument: Code
    items: tuple[int | None, ...] = ()
    total: Decimal | None = None


class ScoreCognition(Command, frozen=True, kw_only=True):
    instrument: Code
    total: Decimal


class ReportRelief(Command, frozen=True, kw_only=True):
    relief_percent: int
    infusion_id: UUID | None = None


class MeasureWeight(Command, frozen=True, kw_only=True):
    weight_kg: Decimal


Score = PainScored | FunctionScored | MoodScored | CognitionScored | ReliefReported | WeightMeasured
ScoreCommand = ScorePain | ScoreFunction | ScoreMood | ScoreCognition | ReportRelief | MeasureWeight


def scored(state: State, command: ScoreCommand) -> Score:
    """The score a command gives, checked. Raises UnknownCode, ScoreOutOfRange, WrongItemCount, TooManyMissing,
    ItemsOrTotalNeeded, ImplausibleWeight."""
    event = _scored(command)
    check(event)
    return event


def _scored(command: ScoreCommand) -> Score:
    when: dict[str, Any] = {"occurred_at": command.at, "late_reason": command.late_reason}
    match command:
        case ScorePain():
            return PainScored(**when, score=command.score, kind=command.kind, infusion_id=command.infusion_id)
        case ScoreFunction():
            total = scales.total(require(command.instrument, FUNCTION, "/instrument"), command.items)
            return FunctionScored(**when, instrument=command.instrument, items=command.items, total=total)
        case ScoreMood():
            return MoodScored(
                **when, instrument=command.instrument, items=command.items, total=_mood_total(command),
            )
        case ScoreCognition():
            return CognitionScored(**when, instrument=command.instrument, total=command.total)
        case ReportRelief():
            return ReliefReported(
                **when, relief_percent=command.relief_percent, infusion_id=command.infusion_id,
            )
        case MeasureWeight():
            return WeightMeasured(**when, weight_kg=command.weight_kg)


def _mood_total(command: ScoreMood) -> Decimal:
    scale = require(command.instrument, MOOD, "/instrument")
    if command.items:
        return scales.total(scale, command.items)
    if command.total is None:
        raise ItemsOrTotalNeeded(instrument=command.instrument, pointer="/items")
    return command.total


def check(event: Event) -> None:
    """The rules a score keeps, new or amended."""
    match event:
        case PainScored():
            require(event.kind, PAIN_KINDS, "/kind")
            check_score(SCALES["nrs"], event.score, "/score")
        case FunctionScored():
            check_score(require(event.instrument, FUNCTION, "/instrument"), event.total, "/total")
        case MoodScored():
            check_score(require(event.instrument, MOOD, "/instrument"), event.total, "/total")
        case CognitionScored():
            check_score(require(event.instrument, COGNITION, "/instrument"), event.total, "/total")
        case ReliefReported():
            check_score(SCALES["relief_percent"], event.relief_percent, "/relief_percent")
        case WeightMeasured():
            if not WEIGHT_KG[0] <= event.weight_kg <= WEIGHT_KG[1]:
                raise ImplausibleWeight(weight_kg=str(event.weight_kg), pointer="/weight_kg")


def recomputed_total(event: Event) -> Decimal | None:
    """The total that (amended) items make; None where there are no items."""
    if isinstance(event, FunctionScored | MoodScored) and event.items:
        return scales.total(SCALES[event.instrument], event.items)
    return None


def instrument_of(event: Event) -> Code | None:
    """The scale a score belongs to."""
    match event:
        case PainScored():
            return "nrs"
        case ReliefReported():
            return "relief_percent"
        case FunctionScored() | MoodScored() | CognitionScored():
            return event.instrument
    return None
