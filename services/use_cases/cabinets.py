"""Cabinets: lots of the controlled drug received, drawn for a visit, wasted, broken; differences explained.

The stream is `derived_id("drug_lot", clinic_id, ndc, lot_number)`. What was given is never typed: it is the
visit's own figure, shared out over the draws made for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import clinic, drug_lot
from domain.infusion import visit
from domain.infusion.rules import is_late
from domain.kernel import Command, derived_id
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.case import Case, Reader, acting_clinic, cared_for
from services.use_cases.infusions import draws_for, given_mg, lot_facts, lots_of


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """Every command that a person gives about a lot."""
    return {
        drug_lot.ReceiveVials: Case(drug_lot, _received),
        drug_lot.DrawDrug: Case(drug_lot, _drawn),
        drug_lot.WasteDrug: Case(drug_lot, _Wasting(reader).planned),
        drug_lot.BreakVials: Case(drug_lot, _plain),
        drug_lot.ExplainDiscrepancy: Case(drug_lot, _plain),
    }


def _received(stream_id: UUID, command: drug_lot.ReceiveVials, request: Request, load: Load) -> Plan:
    here = acting_clinic(load, request, command.at)
    lot_id = derived_id("drug_lot", here.stream_id, command.ndc, command.lot_number)
    if stream_id not in (lot_id, here.stream_id):
        raise NotFound(lot_id=str(stream_id))
    return _plan(lot_id, command, None, lot_facts(here, command.at), here)


def _plain(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    here = acting_clinic(load, request, command.at)
    _known(load, stream_id, here)
    return _plan(stream_id, command, None, lot_facts(here, command.at), here)


def _known(load: Load, lot_id: UUID, here: clinic.State) -> drug_lot.State:
    """The lot, if it lies in this clinic's cabinet. Raises NotFound."""
    state: drug_lot.State = load(drug_lot, lot_id).state
    if state.drug is None or derived_id("drug_lot", here.stream_id, state.ndc, state.lot_number) != lot_id:
        raise NotFound(lot_id=str(lot_id))
    return state


def _drawn(stream_id: UUID, command: drug_lot.DrawDrug, request: Request, load: Load) -> Plan:
    here = acting_clinic(load, request, command.at)
    _known(load, stream_id, here)
    state: visit.State = load(visit, command.infusion_id).state
    if state.patient_id is not None:
        cared_for(load, state.patient_id, request, checked=False)
    going_on = state.arrived_at is not None and (state.ending is None or is_late(command))
    here_in_room = all(here.room(use.room_id) is not None for use in state.rooms)
    facts = replace(lot_facts(here, command.at), visit_here=going_on and here_in_room)
    return _plan(stream_id, command, state.patient_id, facts, here)


@dataclass(frozen=True)
class _Wasting:
    """Waste closes a draw against what the visit says was given."""

    reader: Reader

    def planned(self, stream_id: UUID, command: drug_lot.WasteDrug, request: Request, load: Load) -> Plan:
        here = acting_clinic(load, request, command.at)
        draw = _known(load, stream_id, here).draws.get(command.draw_id)
        facts = lot_facts(here, command.at)
        if draw is None:
            return _plan(stream_id, command, None, facts, here)
        state: visit.State = load(visit, draw.infusion_id).state
        lots = lots_of(self.reader, draw.infusion_id)
        given = drug_lot.shares(given_mg(state), draws_for(load, lots, draw.infusion_id))
        measured = replace(command, given_mg=given.get(command.draw_id, Decimal(0)))
        known = state.run.over or (state.ending is not None and not state.run.running)
        return _plan(stream_id, measured, state.patient_id, replace(facts, given_known=known), here)


def _plan(
    lot_id: UUID, command: Any, patient_id: UUID | None, facts: drug_lot.Facts, here: clinic.State
) -> Plan:
    write = Write(aggregate=drug_lot, stream_id=lot_id, command=command, facts=facts)
    return Plan(writes=(write,), subject=patient_id, clinic_id=here.stream_id)
