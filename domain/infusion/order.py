"""The dose order: within limits, over a soft limit with a reason, by word of mouth with read-back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Protocol
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.infusion import limits
from domain.infusion.facts import Facts
from domain.infusion.limits import Hit
from domain.infusion.rules import (
    PRESCRIBING,
    NoProtocolAdopted,
    Outcome,
    begun,
    is_late,
    not_a_prescriber,
    positive,
    present,
    unlicensed_prescriber,
)
from domain.infusion.state import Order, Override, State
from domain.infusion.weight import dosing_weight
from domain.kernel import Actor, Code, Command, DomainError, Event, Secret
from domain.vocabulary import require
from domain.vocabulary.reasons import DOSE_OVERRIDES, ORDER_MODES, PURPOSES, START_OVERRIDES, WEIGHT_BASES
from domain.vocabulary.vitals import check_plausible


class OrderIdTaken(DomainError):
    """This visit has an order of that id already."""


class NoSuchOrder(DomainError):
    """This visit has no such order."""


class ReadBackNeeded(DomainError):
    """A verbal order is taken by a nurse and read back."""


class NothingToCountersign(DomainError):
    """The order was written, or is countersigned already."""


class CountersignedLate(DomainError):
    """The verbal order was countersigned after the protocol's hours."""


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


# --- decide --------------------------------------------------------------------------------------


def decide_order(state: State, then: State, command: OrderDose, facts: Facts) -> Outcome:
    """The order, its overrides, and the verbal order that must be countersigned.

    Raises WeightNotMeasured, WeightBasisUnknown, OrderIdTaken, ImplausibleAmount, UnknownCode. Breaks
    PrescriberNotLicensed, PrescriberNeeded, ReadBackNeeded, NoProtocolAdopted, DoseAboveHardLimit,
    DoseLimitNeedsReason, SecondInfusionSameDay.
    """
    present(state, then, command)
    if any(order.order_id == command.order_id for order in state.orders):
        raise OrderIdTaken(order_id=str(command.order_id), pointer="/order_id")
    weight_kg = dosing_weight(then, command.weight_basis, facts, late=is_late(command))
    ordered = DoseOrdered(
        occurred_at=command.at, order_id=command.order_id, prescriber_id=command.prescriber_id,
        purpose=command.purpose, weight_kg=weight_kg, weight_basis=command.weight_basis, dose_mg=Decimal(0),
        bolus_mg=command.bolus_mg, rate_mg_per_h=command.rate_mg_per_h, planned_minutes=command.planned_minutes,
        concentration_mg_per_ml=command.concentration_mg_per_ml, mode=command.mode,
        protocol_version=facts.protocol.protocol_version if facts.protocol is not None else 0)
    check_order(ordered)
    dose_mg = limits.order_dose(ordered.bolus_mg, ordered.rate_mg_per_h, ordered.planned_minutes)
    ordered = msgspec.structs.replace(ordered, dose_mg=dose_mg)
    events: list[Event] = [ordered]
    broken = [*unlicensed_prescriber(facts, command.prescriber_id, command.at), *_said(command)]
    if facts.protocol is None:
        return Outcome((ordered,), (*broken, NoProtocolAdopted()))
    overridden, refused = overrides(order_hits(ordered, facts), command, command.order_id, command.prescriber_id)
    events.extend(overridden)
    if command.mode == "verbal" and command.nurse_id is not None:
        hours = timedelta(hours=facts.protocol.verbal_order_hours)
        events.append(VerbalOrderTaken(
            occurred_at=command.at, order_id=command.order_id, prescriber_id=command.prescriber_id,
            nurse_id=command.nurse_id, read_back=command.read_back, countersign_by=command.at + hours))
    never = facts.protocol.dose.second_same_day == "never"
    return Outcome(tuple(events), (*broken, *refused, *(limits.same_day(facts, None) if never else ())))


def order_hits(ordered: DoseOrdered, facts: Facts) -> tuple[Hit, ...]:
    """The limits the order crosses."""
    if facts.protocol is None:
        return ()
    asked = limits.of_order(
        weight_kg=ordered.weight_kg, bolus_mg=ordered.bolus_mg, rate_mg_per_h=ordered.rate_mg_per_h,
        planned_minutes=ordered.planned_minutes, concentration_mg_per_ml=ordered.concentration_mg_per_ml)
    return limits.hits({**asked, **limits.since_last(facts, ordered.occurred_at)}, facts.protocol.dose)


class Overriding(Protocol):
    """A command that may carry a prescriber's reason to go beyond a soft limit."""

    @property
    def by(self) -> Actor: ...
    @property
    def at(self) -> datetime: ...
    @property
    def override_reason_code(self) -> Code | None: ...
    @property
    def override_reason(self) -> str | None: ...


def overrides(
    found: Iterable[Hit], command: Overriding, order_id: UUID, prescriber_id: UUID
) -> tuple[tuple[DoseLimitOverridden, ...], tuple[DomainError, ...]]:
    """What the command's reason goes beyond, and what it cannot: hard limits, or soft ones without a reason.

    A reason counts from a prescriber, or in a verbal order that was read back. Raises UnknownCode.
    """
    reason = command.override_reason_code
    verbal = isinstance(command, OrderDose) and command.mode == "verbal" and command.read_back
    if reason is not None:
        require(reason, DOSE_OVERRIDES | START_OVERRIDES, "/override_reason_code")
    overridden, refused = [], []
    for hit in found:
        if hit.hard or reason is None or not (verbal or command.by.role in PRESCRIBING):
            refused.append(limits.error_of(hit))
            continue
        overridden.append(DoseLimitOverridden(
            occurred_at=command.at, order_id=order_id, limit=hit.limit, limit_value=hit.bound, asked=hit.asked,
            prescriber_id=prescriber_id, reason_code=reason, reason=command.override_reason))
    return tuple(overridden), tuple(refused)


def _said(command: OrderDose) -> tuple[DomainError, ...]:
    """A written order is a prescriber's own; a verbal one is taken by a nurse and read back."""
    if command.mode != "verbal":
        return not_a_prescriber(command)
    if command.nurse_id is None:
        raise ReadBackNeeded(pointer="/nurse_id")
    return () if command.read_back else (ReadBackNeeded(pointer="/read_back"),)


def decide_countersign(state: State, then: State, command: CountersignOrder, facts: Facts) -> Outcome:
    """Raises NoSuchOrder, NothingToCountersign; breaks PrescriberNeeded, PrescriberNotLicensed.

    After the hours the protocol gives it is still accepted, and `CountersignedLate` is recorded.
    """
    begun(state, then)
    order = next((order for order in then.orders if order.order_id == command.order_id), None)
    if order is None:
        raise NoSuchOrder(order_id=str(command.order_id), pointer="/order_id")
    if order.countersign_by is None or _countersigned(state, command.order_id):
        raise NothingToCountersign(order_id=str(command.order_id), pointer="/order_id")
    signed = OrderCountersigned(
        occurred_at=command.at, order_id=command.order_id, prescriber_id=command.prescriber_id)
    broken = (*not_a_prescriber(command), *unlicensed_prescriber(facts, command.prescriber_id, command.at))
    if command.at > order.countersign_by:
        late = CountersignedLate(order_id=str(order.order_id), countersign_by=order.countersign_by.isoformat())
        return Outcome((signed,), broken, (late,))
    return Outcome((signed,), broken)


def _countersigned(state: State, order_id: UUID) -> bool:
    return any(order.order_id == order_id and order.countersigned for order in state.orders)


def check_order(event: DoseOrdered) -> None:
    """Raises ImplausibleAmount, ImplausibleValue, UnknownCode."""
    require(event.purpose, PURPOSES, "/purpose")
    require(event.weight_basis, WEIGHT_BASES, "/weight_basis")
    require(event.mode, ORDER_MODES, "/mode")
    check_plausible("weight_kg", event.weight_kg, "/weight_kg")
    positive((("bolus_mg", event.bolus_mg),), zero=True)
    positive((("rate_mg_per_h", event.rate_mg_per_h), ("planned_minutes", event.planned_minutes),
              ("concentration_mg_per_ml", event.concentration_mg_per_ml)))


# --- evolve --------------------------------------------------------------------------------------


def evolve_order(state: State, entry: Entry) -> State:
    """Orders in the order they were given; the last one is in force."""
    event = entry.event
    match event:
        case DoseOrdered():
            order = Order(
                order_id=event.order_id, version=entry.version, at=event.occurred_at,
                prescriber_id=event.prescriber_id, purpose=event.purpose, weight_kg=event.weight_kg,
                weight_basis=event.weight_basis, dose_mg=event.dose_mg, bolus_mg=event.bolus_mg,
                rate_mg_per_h=event.rate_mg_per_h, planned_minutes=event.planned_minutes,
                concentration_mg_per_ml=event.concentration_mg_per_ml)
            return msgspec.structs.replace(state, orders=(*state.orders, order))
        case DoseLimitOverridden():
            override = Override(event.limit, event.limit_value, event.asked)
            return _with_order(state, event.order_id, overridden=override)
        case VerbalOrderTaken():
            return _with_order(state, event.order_id, countersign_by=event.countersign_by)
        case OrderCountersigned():
            return _with_order(state, event.order_id, countersigned=True)
    return state


def _with_order(state: State, order_id: UUID, *, overridden: Override | None = None, **changes: object) -> State:
    orders = []
    for order in state.orders:
        if order.order_id == order_id:
            more = {"overrides": (*order.overrides, overridden)} if overridden is not None else changes
            order = msgspec.structs.replace(order, **more)
        orders.append(order)
    return msgspec.structs.replace(state, orders=tuple(orders))
