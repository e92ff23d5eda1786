"""Watching the patient: vital signs, sedation, alerts and what was done about them."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.kernel import Code, Command, Event, Secret


class VitalSigns(msgspec.Struct, frozen=True, kw_only=True):
    """One set. A sign that could not be measured is named in `not_obtainable`."""

    heart_rate_per_min: int | None = None
    systolic_mmhg: int | None = None
    diastolic_mmhg: int | None = None
    spo2_percent: int | None = None
    respiratory_rate_per_min: int | None = None
    temperature_c: Decimal | None = None
    etco2_mmhg: int | None = None
    not_obtainable: tuple[Code, ...] = ()


class VitalsRecorded(Event, frozen=True, kw_only=True):
    """phase: baseline, infusion, recovery."""

    NAME: ClassVar[str] = "infusion.vitals_recorded.v1"
    vitals: VitalSigns
    phase: Code


class SedationScored(Event, frozen=True, kw_only=True):
    """scale: rass, moaa_s, ramsay."""

    NAME: ClassVar[str] = "infusion.sedation_scored.v1"
    scale: Code
    score: int


class AlertRaised(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.alert_raised.v1"
    alert_id: UUID
    sign: Code
    value: Decimal
    limit: Decimal
    entry: int


class AlertAcknowledged(Event, frozen=True, kw_only=True):
    """action: paused, stopped, prescriber_reason."""

    NAME: ClassVar[str] = "infusion.alert_acknowledged.v1"
    alert_id: UUID
    action: Code
    prescriber_id: UUID | None = None
    reason_code: Code | None = None
    reason: Secret | None = None


class RecordVitals(Command, frozen=True, kw_only=True):
    vitals: VitalSigns


class ScoreSedation(Command, frozen=True, kw_only=True):
    scale: Code
    score: int


class AcknowledgeAlert(Command, frozen=True, kw_only=True):
    alert_id: UUID
    action: Code
    prescriber_id: UUID | None = None
    reason_code: Code | None = None
    reason: str | None = None
