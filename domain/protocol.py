"""A clinic's protocol document: the limits and intervals that a prescriber adopted."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from domain.kernel import Code


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Warn (with a prescriber's reason) outside soft; refuse outside hard. None: no such limit."""

    soft_low: Decimal | None = None
    soft_high: Decimal | None = None
    hard_low: Decimal | None = None
    hard_high: Decimal | None = None


class DoseLimits(msgspec.Struct, frozen=True, kw_only=True):
    bolus_mg_per_kg: Limit
    dose_mg_per_kg: Limit
    rate_mg_per_kg_h: Limit
    rate_mg_per_h: Limit
    total_mg: Limit
    concentration_mg_per_ml: Limit
    duration_minutes: Limit
    hours_since_last: Limit
    second_same_day: Code = "new_order"


class VitalLimits(msgspec.Struct, frozen=True, kw_only=True):
    """soft: repeat or a reason before start; hold: no start; pause: alert during the infusion."""

    soft: dict[Code, Limit]
    hold: dict[Code, Limit]
    pause: dict[Code, Limit]


class VisitMinutes(msgspec.Struct, frozen=True, kw_only=True):
    preparation: int
    infusion: int
    monitoring: int
    turnover: int


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """`example` marks a shipped, unadopted document: values without clinical authority."""

    title: str
    protocol_version: int
    author: str
    sources: tuple[str, ...]
    example: bool
    dose: DoseLimits
    vitals: VitalLimits
    visit: VisitMinutes
    vitals_every_minutes: int
    vitals_every_minutes_recovery: int
    monitoring_minutes: int
    consultation_valid_days: int
    consent_valid_days: int
    screening_valid_days: int
    nurse_patients: int
    discharge_scale: Code
    discharge_minimum: int
    verbal_order_hours: int
    waste_tolerance_percent: Decimal
    waste_tolerance_mg: Decimal
    booster_default_days: int
    booster_minimum_days: int
    weight_change_percent: Decimal
    follow_up_hours: tuple[int, ...]
