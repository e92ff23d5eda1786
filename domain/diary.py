"""One patient's own reports: pain, function, mood, relief, side effects from home, follow-ups due."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


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
    NAME: ClassVar[str] = "diary.cognition_scored.v1"
    instrument: Code
    total: Decimal


class ReliefReported(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "diary.relief_reported.v1"
    relief_percent: int
    infusion_id: UUID | None = None


class WeightMeasured(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "diary.weight_measured.v1"
    weight_kg: Decimal


class SideEffectReportedFromHome(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "diary.side_effect_reported_from_home.v1"
    side_effect_id: UUID
    kind: Code
    grade: int
    serious: bool = False
    onset_at: datetime
    ended_at: datetime | None = None
    infusion_id: UUID | None = None
    note: Secret | None = None


class FollowUpDue(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "diary.follow_up_due.v1"
    follow_up_id: UUID
    infusion_id: UUID
    due_at: datetime
    instruments: tuple[Code, ...]


class FollowUpSuperseded(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "diary.follow_up_superseded.v1"
    follow_up_id: UUID
    by_infusion_id: UUID


class FollowUpMissed(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "diary.follow_up_missed.v1"
    follow_up_id: UUID


class HomeAlertRaised(Event, frozen=True, kw_only=True):
    """kind: suicidal_thoughts, severe_side_effect, chest_pain, breathing_trouble, harm."""

    NAME: ClassVar[str] = "diary.alert_raised.v1"
    alert_id: UUID
    kind: Code


class HomeAlertAcknowledged(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "diary.alert_acknowledged.v1"
    alert_id: UUID
    action: Code
    note: Secret | None = None


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


class ReportSideEffectFromHome(Command, frozen=True, kw_only=True):
    side_effect_id: UUID
    kind: Code
    grade: int
    serious: bool = False
    onset_at: datetime
    ended_at: datetime | None = None
    infusion_id: UUID | None = None
    note: str | None = None


class ScheduleFollowUps(Command, frozen=True, kw_only=True):
    """Open one prompt per day offset after `infusion_id`; what is open from an earlier one is superseded."""

    infusion_id: UUID
    drug_stopped_at: datetime
    offsets_hours: tuple[int, ...]
    instruments: tuple[Code, ...]


class MissFollowUp(Command, frozen=True, kw_only=True):
    follow_up_id: UUID


class AcknowledgeHomeAlert(Command, frozen=True, kw_only=True):
    alert_id: UUID
    action: Code
    note: str | None = None
