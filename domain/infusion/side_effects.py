"""Side effects of a visit: report, regrade, treat, resolve, sign off."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


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
    NAME: ClassVar[str] = "infusion.side_effect_regraded.v1"
    side_effect_id: UUID
    grade: int
    serious: bool


class SideEffectTreated(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.side_effect_treated.v1"
    side_effect_id: UUID
    treatment: Code
    note: Secret | None = None


class SideEffectResolved(Event, frozen=True, kw_only=True):
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
