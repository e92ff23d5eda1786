"""A visit as it stands: folded from its entries in order of occurrence, corrected. Immutable, so it can be shared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.infusion.drug_run import DrugRun, InfusionGiven
from domain.kernel import Code

if TYPE_CHECKING:
    from domain.infusion.arrival import VisitQuestions


class RoomUse(msgspec.Struct, frozen=True):
    """The patient's time in one room, half-open; the last one ends when the room is released."""

    room_id: UUID
    starts: datetime
    ends: datetime | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The latest check before the infusion."""

    at: datetime
    weight_kg: Decimal
    height_cm: Decimal | None
    questions: VisitQuestions
    driver_named: bool
    nurse_id: UUID


class Override(msgspec.Struct, frozen=True):
    """A soft limit that a prescriber went beyond, up to `asked`."""

    limit: Code
    limit_value: Decimal
    asked: Decimal


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One dose order; the latest is in force. Only a verbal one has `countersign_by`, open until `countersigned`."""

    order_id: UUID
    version: int
    at: datetime
    prescriber_id: UUID
    purpose: Code
    weight_kg: Decimal
    weight_basis: Code
    dose_mg: Decimal
    bolus_mg: Decimal
    rate_mg_per_h: Decimal
    planned_minutes: int
    concentration_mg_per_ml: Decimal
    countersign_by: datetime | None = None
    countersigned: bool = False
    overrides: tuple[Override, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """The latest value of one sign, and the entry it came from."""

    value: Decimal
    at: datetime
    entry: int


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Red until `answer` (paused, stopped, prescriber_reason) is given."""

    alert_id: UUID
    version: int
    sign: Code
    entry: int
    raised_at: datetime
    answer: Code | None = None


class SideEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One episode. A sign-off covers what was known: a later regrade to serious opens it again."""

    side_effect_id: UUID
    kind: Code
    grade: int
    serious: bool
    onset_at: datetime
    resolved_at: datetime | None = None
    signed_off: bool = False


class Recovery(msgspec.Struct, frozen=True):
    """The latest discharge score."""

    scale: Code
    total: int
    at: datetime


class Ending(msgspec.Struct, frozen=True):
    """The one ending: the event's stable name, its entry and when."""

    name: str
    version: int
    at: datetime


class Given(msgspec.Struct, frozen=True):
    """The InfusionGiven that stands, corrected, and its entry."""

    version: int
    event: InfusionGiven


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One visit. `version` is that of the last event recorded; `entries` holds all, struck ones marked.

    `latest_at` is the latest occurrence folded in. Times are aware; weights in kg, doses in mg, rates in mg/h.
    """

    stream_id: UUID
    version: int = 0
    entries: tuple[Entry, ...] = ()
    latest_at: datetime | None = None
    patient_id: UUID | None = None
    course_id: UUID | None = None
    appointment_id: UUID | None = None
    visit_kind: Code | None = None
    arrived_at: datetime | None = None
    rooms: tuple[RoomUse, ...] = ()
    room_released_at: datetime | None = None
    check: Check | None = None
    orders: tuple[Order, ...] = ()
    run: DrugRun = DrugRun()
    vitals: Mapping[Code, Reading] = {}
    vitals_at: datetime | None = None
    sedation_at: datetime | None = None
    vital_overrides: tuple[Code, ...] = ()
    alerts: tuple[Alert, ...] = ()
    side_effects: tuple[SideEffect, ...] = ()
    recovery: Recovery | None = None
    ending: Ending | None = None
    given: Given | None = None

    @property
    def room_id(self) -> UUID | None:
        """The room the patient's visit holds now."""
        return self.rooms[-1].room_id if self.rooms and self.rooms[-1].ends is None else None

    @property
    def order(self) -> Order | None:
        """The order in force."""
        return self.orders[-1] if self.orders else None

    @property
    def open_alerts(self) -> tuple[Alert, ...]:
        """Alerts that nobody has answered."""
        return tuple(alert for alert in self.alerts if alert.answer is None)

    @property
    def dosing_weight_kg(self) -> Decimal | None:
        """What doses are divided by: the order's ideal or adjusted weight, else the weight measured at this visit."""
        order = self.order
        if order is not None and order.weight_basis != "actual":
            return order.weight_kg
        if self.check is not None:
            return self.check.weight_kg
        return order.weight_kg if order is not None else None


def initial(stream_id: UUID) -> State:
    """A visit before its first event."""
    return State(stream_id=stream_id)
