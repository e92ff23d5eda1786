"""Vials come in, and break."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from domain.drug_lot.state import (
    Facts,
    LotExpired,
    NotEnoughOnHand,
    QuantityImpossible,
    State,
    require_two,
)
from domain.kernel import Code, Command, Decision, DomainError, Event
from domain.vocabulary.reasons import DRUGS
from domain.vocabulary.term import require


class LotDiffers(DomainError):
    """This lot was received with another drug, strength or expiry date."""


class VialReceived(Event, frozen=True, kw_only=True):
    """Vials came in: how many, how much in each, from whom."""

    NAME: ClassVar[str] = "drug_lot.vial_received.v1"
    drug: Code
    ndc: Code
    lot_number: Code
    expires_on: date
    vials: int
    mg_per_vial: Decimal
    ml_per_vial: Decimal
    supplier: str


class VialBroken(Event, frozen=True, kw_only=True):
    """Vials were broken, seen by a second person."""

    NAME: ClassVar[str] = "drug_lot.vial_broken.v1"
    vials: int
    lost_mg: Decimal
    broken_by: UUID
    witness_id: UUID


class ReceiveVials(Command, frozen=True, kw_only=True):
    drug: Code
    ndc: Code
    lot_number: Code
    expires_on: date
    vials: int
    mg_per_vial: Decimal
    ml_per_vial: Decimal
    supplier: str


class BreakVials(Command, frozen=True, kw_only=True):
    vials: int
    lost_mg: Decimal
    broken_by: UUID
    witness_id: UUID


def decide_receipt(state: State, command: ReceiveVials, facts: Facts) -> Decision:
    """Raises UnknownCode, QuantityImpossible, LotDiffers, LotExpired."""
    require(command.drug, DRUGS, "/drug")
    if not 1 <= command.vials <= 10_000:
        raise QuantityImpossible(vials=command.vials, pointer="/vials")
    if command.mg_per_vial <= 0 or command.ml_per_vial <= 0:
        raise QuantityImpossible(mg_per_vial=str(command.mg_per_vial), pointer="/mg_per_vial")
    received = (command.drug, command.expires_on, command.mg_per_vial, command.ml_per_vial)
    if state.drug is not None and received != (state.drug, state.expires_on, state.mg_per_vial, state.ml_per_vial):
        raise LotDiffers(lot_number=command.lot_number, pointer="/lot_number")
    if command.expires_on < facts.local_date:
        raise LotExpired(expires_on=command.expires_on.isoformat(), pointer="/expires_on")
    return Decision((VialReceived(
        occurred_at=command.at, late_reason=command.late_reason, drug=command.drug, ndc=command.ndc,
        lot_number=command.lot_number, expires_on=command.expires_on, vials=command.vials,
        mg_per_vial=command.mg_per_vial, ml_per_vial=command.ml_per_vial, supplier=command.supplier,
    ),))


def decide_breakage(state: State, command: BreakVials, facts: Facts) -> Decision:
    """Raises QuantityImpossible, NotStaffHere, SecondPersonNeeded, NotEnoughOnHand."""
    if command.vials < 1 or not 0 < command.lost_mg <= command.vials * state.mg_per_vial:
        raise QuantityImpossible(vials=command.vials, lost_mg=str(command.lost_mg), pointer="/lost_mg")
    require_two(command.broken_by, command.witness_id, "/broken_by", facts)
    if command.lost_mg > state.on_hand_mg:
        raise NotEnoughOnHand(asked_mg=str(command.lost_mg), on_hand_mg=str(state.on_hand_mg), pointer="/lost_mg")
    return Decision((VialBroken(
        occurred_at=command.at, late_reason=command.late_reason, vials=command.vials, lost_mg=command.lost_mg,
        broken_by=command.broken_by, witness_id=command.witness_id,
    ),))
