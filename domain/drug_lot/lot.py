"""The lot's register as a whole: its fold, and which rule decides which command."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from domain.corrections import Entry
from domain.drug_lot import discrepancies, draws, vials
from domain.drug_lot.state import ZERO, Draw, Facts, State
from domain.kernel import Command, Decision, Event
from domain.ledger import evolve_in_order


def initial(stream_id: UUID) -> State:
    """Nothing received yet."""
    return State(stream_id=stream_id)


def evolve(state: State, version: int, event: Event) -> State:
    """`state` after `event`; events that are none of a lot's change nothing."""
    return evolve_in_order(state, version, event, initial(state.stream_id), apply)


def apply(state: State, entry: Entry) -> State:
    """One entry, as it stands, in order of occurrence. Sums do not depend on the order."""
    match entry.event:
        case vials.VialReceived() as one:
            return replace(
                state, drug=one.drug, ndc=one.ndc, lot_number=one.lot_number, expires_on=one.expires_on,
                mg_per_vial=one.mg_per_vial, ml_per_vial=one.ml_per_vial,
                received_mg=state.received_mg + one.vials * one.mg_per_vial,
            )
        case draws.DrugDrawn() as one:
            known = state.draws.get(one.draw_id)
            draw = Draw(
                draw_id=one.draw_id, infusion_id=one.infusion_id, drawn_mg=one.drawn_mg, drawn_at=one.occurred_at)
            if known is not None:
                draw = replace(
                    known, infusion_id=one.infusion_id, drawn_mg=one.drawn_mg, drawn_at=one.occurred_at)
            return replace(state, draws={**state.draws, one.draw_id: draw})
        case draws.DrugWasted() as one:
            known = state.draws.get(one.draw_id) or Draw(
                draw_id=one.draw_id, infusion_id=one.draw_id, drawn_mg=ZERO, drawn_at=one.occurred_at)
            closed = replace(
                known, entry=entry.version, given_mg=one.given_mg, wasted_mg=one.wasted_mg,
                rounding_mg=one.rounding_mg,
            )
            return replace(state, draws={**state.draws, one.draw_id: closed})
        case vials.VialBroken() as one:
            return replace(state, broken_mg=state.broken_mg + one.lost_mg)
        case discrepancies.DiscrepancyFound() as one:
            return replace(
                state, discrepancies={**state.discrepancies, one.discrepancy_id: one.difference_mg},
                discrepancy_ids=state.discrepancy_ids | {one.discrepancy_id},
            )
        case discrepancies.DiscrepancyExplained() as one:
            left = {key: mg for key, mg in state.discrepancies.items() if key != one.discrepancy_id}
            return replace(state, discrepancies=left)
    return state


def decide(state: State, command: Command, facts: Facts) -> Decision:
    """What `command` comes to. Raises the named errors of the rule it belongs to."""
    match command:
        case vials.ReceiveVials():
            return vials.decide_receipt(state, command, facts)
        case draws.DrawDrug():
            return draws.decide_draw(state, command, facts)
        case draws.WasteDrug():
            return draws.decide_waste(state, command, facts)
        case vials.BreakVials():
            return vials.decide_breakage(state, command, facts)
        case discrepancies.ExplainDiscrepancy():
            return discrepancies.decide_explanation(state, command, facts)
        case draws.RestateGiven():
            return draws.decide_restatement(state, command, facts)
    raise TypeError(f"a drug lot has no rule for {type(command).__name__}")
