"""One lot of a controlled drug in one clinic's cabinet: received, drawn, given, wasted, on hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


class VialReceived(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "drug_lot.vial_received.v1"
    drug: Code
    ndc: Code
    lot_number: Code
    expires_on: date
    vials: int
    mg_per_vial: Decimal
    ml_per_vial: Decimal
    supplier: str


class DrugDrawn(Event, frozen=True, kw_only=True):
    """Drawn for one visit; open until its waste (0 mg allowed) is recorded."""

    NAME: ClassVar[str] = "drug_lot.drug_drawn.v1"
    draw_id: UUID
    infusion_id: UUID
    drawn_mg: Decimal
    vials_opened: int
    drawn_by: UUID


class DrugWasted(Event, frozen=True, kw_only=True):
    """What was left of a draw, measured, seen by a second person. Closes the draw."""

    NAME: ClassVar[str] = "drug_lot.drug_wasted.v1"
    draw_id: UUID
    given_mg: Decimal
    wasted_mg: Decimal
    rounding_mg: Decimal
    wasted_by: UUID
    witness_id: UUID
    method: Code


class VialBroken(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "drug_lot.vial_broken.v1"
    vials: int
    lost_mg: Decimal
    broken_by: UUID
    witness_id: UUID


class DiscrepancyFound(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "drug_lot.discrepancy_found.v1"
    discrepancy_id: UUID
    draw_id: UUID | None = None
    difference_mg: Decimal


class DiscrepancyExplained(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "drug_lot.discrepancy_explained.v1"
    discrepancy_id: UUID
    reason_code: Code
    explanation: Secret | None = None
    explained_by: UUID


class ReceiveVials(Command, frozen=True, kw_only=True):
    drug: Code
    ndc: Code
    lot_number: Code
    expires_on: date
    vials: int
    mg_per_vial: Decimal
    ml_per_vial: Decimal
    supplier: str


class DrawDrug(Command, frozen=True, kw_only=True):
    draw_id: UUID
    infusion_id: UUID
    drawn_mg: Decimal
    vials_opened: int
    drawn_by: UUID


class WasteDrug(Command, frozen=True, kw_only=True):
    """`given_mg` comes from the visit's own events, never typed."""

    draw_id: UUID
    given_mg: Decimal
    wasted_mg: Decimal
    wasted_by: UUID
    witness_id: UUID
    method: Code


class BreakVials(Command, frozen=True, kw_only=True):
    vials: int
    lost_mg: Decimal
    broken_by: UUID
    witness_id: UUID


class ExplainDiscrepancy(Command, frozen=True, kw_only=True):
    discrepancy_id: UUID
    reason_code: Code
    explanation: str | None = None
    explained_by: UUID
