"""The drug run: line, bag, bolus, start, rate, pause, resume, stop; milligrams and minutes from these alone.

The arithmetic is exact until the end: rates are decimals in mg/h, time is whole microseconds, and only the sum is
rounded, half up, to 0.01 mg and 0.01 min (mg/kg from the rounded mg, to 0.001). Deciding is in `drug_given.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.kernel import Code, Command, Event, Secret


class IVPlaced(Event, frozen=True, kw_only=True):
    """A vein is open."""

    NAME: ClassVar[str] = "infusion.iv_placed.v1"
    site: Code
    gauge: int
    attempts: int = 1


class IVFailed(Event, frozen=True, kw_only=True):
    """An attempt at a vein failed."""

    NAME: ClassVar[str] = "infusion.iv_failed.v1"
    site: Code
    reason_code: Code


class BagHung(Event, frozen=True, kw_only=True):
    """A bag is connected: how much drug in how much fluid, from which lot."""

    NAME: ClassVar[str] = "infusion.bag_hung.v1"
    bag_id: UUID
    draw_id: UUID | None = None
    drug_mg: Decimal
    volume_ml: Decimal
    concentration_mg_per_ml: Decimal


class BolusGiven(Event, frozen=True, kw_only=True):
    """A dose given at once; counts into the milligrams."""

    NAME: ClassVar[str] = "infusion.bolus_given.v1"
    dose_mg: Decimal


class InfusionStarted(Event, frozen=True, kw_only=True):
    """The drug runs, at `rate_mg_per_h`."""

    NAME: ClassVar[str] = "infusion.started.v1"
    rate_mg_per_h: Decimal


class RateChanged(Event, frozen=True, kw_only=True):
    """The drug runs at another rate from now on."""

    NAME: ClassVar[str] = "infusion.rate_changed.v1"
    rate_mg_per_h: Decimal
    reason_code: Code


class InfusionPaused(Event, frozen=True, kw_only=True):
    """The drug stands still; the minutes do not count."""

    NAME: ClassVar[str] = "infusion.paused.v1"
    reason_code: Code


class InfusionResumed(Event, frozen=True, kw_only=True):
    """The drug runs again, at `rate_mg_per_h`."""

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
    """Another medicine was given during the visit."""

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


# --- the run as it stands ------------------------------------------------------------------------


class Segment(msgspec.Struct, frozen=True):
    """The pump ran at one rate from `starts_at` to `ends_at` (None: it still does)."""

    starts_at: datetime
    ends_at: datetime | None
    rate_mg_per_h: Decimal


class DrugRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the drug has done so far. `segments` are closed ones; `running_since` opens the present one."""

    started_at: datetime | None = None
    segments: tuple[Segment, ...] = ()
    running_since: datetime | None = None
    rate_mg_per_h: Decimal = Decimal(0)
    paused: bool = False
    stopped_at: datetime | None = None
    stopped_early: bool = False
    boluses_mg: tuple[Decimal, ...] = ()
    last_bolus_at: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether drug flows now."""
        return self.running_since is not None

    @property
    def given(self) -> bool:
        """Whether any drug entered the patient or the pump was started."""
        return self.started_at is not None or bool(self.boluses_mg)

    @property
    def ran(self) -> bool:
        """Whether drug ran for any time at all, up to the last pause or stop."""
        return any(segment.rate_mg_per_h > 0 for segment in self.segments)

    @property
    def over(self) -> bool:
        """Whether it was started and finally stopped."""
        return self.stopped_at is not None


class Dose(msgspec.Struct, frozen=True, kw_only=True):
    """Milligrams given and minutes the drug ran, pauses (and a rate of 0) left out."""

    dose_mg: Decimal
    minutes: Decimal


RUN_EVENTS = (BolusGiven, InfusionStarted, RateChanged, InfusionPaused, InfusionResumed, InfusionStoppedEarly,
              InfusionGiven)
"""All that milligrams and minutes are computed from. InfusionGiven counts as the stop, not by its figures."""

HUNDREDTH, THOUSANDTH = Decimal("0.01"), Decimal("0.001")
_US_PER_HOUR = Decimal(3_600_000_000)
_US_PER_MINUTE = Decimal(60_000_000)


def step(run: DrugRun, event: Event) -> DrugRun:
    """`run` after `event`; never fails. Makes the best of an odd order (a late entry's other half may still come)."""
    at = event.occurred_at
    match event:
        case BolusGiven():
            return msgspec.structs.replace(run, boluses_mg=(*run.boluses_mg, event.dose_mg), last_bolus_at=at)
        case InfusionStarted() if run.started_at is None:
            return msgspec.structs.replace(run, started_at=at, running_since=at, rate_mg_per_h=event.rate_mg_per_h)
        case InfusionStoppedEarly() if not run.over:
            return _stopped(run, at, early=True)
        case InfusionGiven() if not run.over:
            return _stopped(run, at, early=False)
        case RateChanged() | InfusionResumed() | InfusionPaused() if run.started_at is not None and not run.over:
            return _turned(run, event)
    return run


def _turned(run: DrugRun, event: RateChanged | InfusionResumed | InfusionPaused) -> DrugRun:
    at = event.occurred_at
    if isinstance(event, InfusionPaused):
        return msgspec.structs.replace(run, segments=_closed(run, at), running_since=None, paused=True)
    if isinstance(event, RateChanged) and run.paused:
        return msgspec.structs.replace(run, rate_mg_per_h=event.rate_mg_per_h)
    return msgspec.structs.replace(
        run, segments=_closed(run, at), running_since=at, rate_mg_per_h=event.rate_mg_per_h, paused=False)


def _stopped(run: DrugRun, at: datetime, *, early: bool) -> DrugRun:
    return msgspec.structs.replace(
        run, segments=_closed(run, at), running_since=None, paused=False, stopped_at=at, stopped_early=early)


def _closed(run: DrugRun, at: datetime) -> tuple[Segment, ...]:
    if run.running_since is None or at <= run.running_since:
        return run.segments
    return (*run.segments, Segment(run.running_since, at, run.rate_mg_per_h))


def run_of(entries: Iterable[Entry]) -> DrugRun:
    """The run that `entries` make: corrected, in order of occurrence (`corrections.in_order`)."""
    run = DrugRun()
    for entry in entries:
        if not entry.struck:
            run = step(run, entry.event)
    return run


def runs(entries: Iterable[Entry]) -> tuple[Segment, ...]:
    """Every stretch at one rate, in order, the last one open while the drug runs."""
    run = run_of(entries)
    if run.running_since is None:
        return run.segments
    return (*run.segments, Segment(run.running_since, None, run.rate_mg_per_h))


def dose_and_minutes(entries: Iterable[Entry], upto: datetime | None = None) -> Dose:
    """mg = sum(rate x running time) + boluses, and the minutes drug ran; of an open run, up to `upto`."""
    return dose_of(run_of(entries), upto)


def dose_of(run: DrugRun, upto: datetime | None = None) -> Dose:
    """See `dose_and_minutes`."""
    segments = run.segments if upto is None else _closed(run, upto)
    with localcontext() as context:
        context.prec = 60
        drug, running = Decimal(0), 0
        for segment in segments:
            if segment.ends_at is not None and segment.rate_mg_per_h > 0:
                elapsed = (segment.ends_at - segment.starts_at) // timedelta(microseconds=1)
                drug += segment.rate_mg_per_h * elapsed
                running += elapsed
        mg = drug / _US_PER_HOUR + sum(run.boluses_mg, Decimal(0))
        return Dose(
            dose_mg=mg.quantize(HUNDREDTH, ROUND_HALF_UP),
            minutes=(running / _US_PER_MINUTE).quantize(HUNDREDTH, ROUND_HALF_UP),
        )


def per_kg(dose_mg: Decimal, weight_kg: Decimal) -> Decimal:
    """mg/kg, rounded half up to 0.001."""
    return (dose_mg / weight_kg).quantize(THOUSANDTH, ROUND_HALF_UP)
