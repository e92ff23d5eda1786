"""The drug run: line, bag, bolus, start, rate, pause, resume, stop; milligrams and minutes from these alone."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


class IVPlaced(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.iv_placed.v1"
    site: Code
    gauge: int
    attempts: int = 1


class IVFailed(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.iv_failed.v1"
    site: Code
    reason_code: Code


class BagHung(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.bag_hung.v1"
    bag_id: UUID
    draw_id: UUID | None = None
    drug_mg: Decimal
    volume_ml: Decimal
    concentration_mg_per_ml: Decimal


class BolusGiven(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.bolus_given.v1"
    dose_mg: Decimal


class InfusionStarted(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.started.v1"
    rate_mg_per_h: Decimal


class RateChanged(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.rate_changed.v1"
    rate_mg_per_h: Decimal
    reason_code: Code


class InfusionPaused(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.paused.v1"
    reason_code: Code


class InfusionResumed(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.resumed.v1"
    rate_mg_per_h: Decimal


class InfusionStoppedEarly(Event, frozen=True, kw_only=True):
    """reason_code: side_effect, vital_signs, patients_wish, line_failure, equipment, no_longer_needed, other."""

    NAME: ClassVar[str] = "infusion.stopped_early.v1"
    reason_code: Code
    note: Secret | None = None


class InfusionGiven(Event, frozen=True, kw_only=True):
    """Written once per visit in which drug ran, at the final drug stop: what was given, computed.

    `minutes` is the time the drug ran (pauses excluded). dose_mg = sum(rate x running time) + boluses.
    """

    NAME: ClassVar[str] = "infusion.given.v1"
    course_id: UUID | None
    purpose: Code
    drug_started_at: datetime
    dose_mg: Decimal
    dose_mg_per_kg: Decimal
    minutes: Decimal
    complete: bool


class MedicationGiven(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.medication_given.v1"
    medication: Code
    dose: Decimal
    unit: Code
    route: Code
    indication: Code


class PlaceIV(Command, frozen=True, kw_only=True):
    site: Code
    gauge: int
    attempts: int = 1


class FailIV(Command, frozen=True, kw_only=True):
    site: Code
    reason_code: Code


class HangBag(Command, frozen=True, kw_only=True):
    bag_id: UUID
    draw_id: UUID | None = None
    drug_mg: Decimal
    volume_ml: Decimal


class GiveBolus(Command, frozen=True, kw_only=True):
    dose_mg: Decimal


class StartInfusion(Command, frozen=True, kw_only=True):
    rate_mg_per_h: Decimal
    override_reason_code: Code | None = None
    override_reason: str | None = None


class ChangeRate(Command, frozen=True, kw_only=True):
    rate_mg_per_h: Decimal
    reason_code: Code
    override_reason_code: Code | None = None
    override_reason: str | None = None


class PauseInfusion(Command, frozen=True, kw_only=True):
    reason_code: Code


class ResumeInfusion(Command, frozen=True, kw_only=True):
    rate_mg_per_h: Decimal


class StopInfusion(Command, frozen=True, kw_only=True):
    """Final drug stop. With `early_reason_code` it is an early stop."""

    early_reason_code: Code | None = None
    note: str | None = None


class GiveMedication(Command, frozen=True, kw_only=True):
    medication: Code
    dose: Decimal
    unit: Code
    route: Code
    indication: Code
