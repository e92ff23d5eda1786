"""The dose order: within limits, over a soft limit with a reason, by word of mouth with read-back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


class DoseOrdered(Event, frozen=True, kw_only=True):
    """purpose: trial, series, booster, re_induction. weight_basis: actual, ideal, adjusted. mode: written, verbal."""

    NAME: ClassVar[str] = "infusion.dose_ordered.v1"
    order_id: UUID
    prescriber_id: UUID
    purpose: Code
    weight_kg: Decimal
    weight_basis: Code
    dose_mg: Decimal
    bolus_mg: Decimal
    rate_mg_per_h: Decimal
    planned_minutes: int
    concentration_mg_per_ml: Decimal
    protocol_version: int
    mode: Code = "written"


class DoseLimitOverridden(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.dose_limit_overridden.v1"
    order_id: UUID
    limit: Code
    limit_value: Decimal
    asked: Decimal
    prescriber_id: UUID
    reason_code: Code
    reason: Secret | None = None


class VerbalOrderTaken(Event, frozen=True, kw_only=True):
    """Valid at once, open until countersigned (protocol: 24 h)."""

    NAME: ClassVar[str] = "infusion.verbal_order_taken.v1"
    order_id: UUID
    prescriber_id: UUID
    nurse_id: UUID
    read_back: bool
    countersign_by: datetime


class OrderCountersigned(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.order_countersigned.v1"
    order_id: UUID
    prescriber_id: UUID


class OrderDose(Command, frozen=True, kw_only=True):
    """mode `verbal` needs `nurse_id` and `read_back`. Over a soft limit `override_reason_code` is needed."""

    order_id: UUID
    prescriber_id: UUID
    purpose: Code
    weight_basis: Code
    bolus_mg: Decimal
    rate_mg_per_h: Decimal
    planned_minutes: int
    concentration_mg_per_ml: Decimal
    mode: Code = "written"
    nurse_id: UUID | None = None
    read_back: bool = False
    override_reason_code: Code | None = None
    override_reason: str | None = None


class CountersignOrder(Command, frozen=True, kw_only=True):
    order_id: UUID
    prescriber_id: UUID
