"""A draw for a visit, and its waste: measured, seen by a second person, and what the figures leave over.

Up to the protocol's tolerance the difference is posted as rounding; above it a discrepancy is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from domain.corrections import EntryAmended
from domain.drug_lot.discrepancies import DiscrepancyFound
from domain.drug_lot.state import (
    ZERO,
    Draw,
    Facts,
    LotExpired,
    NotEnoughOnHand,
    QuantityImpossible,
    State,
    require_staff,
    require_two,
)
from domain.kernel import Claim, Code, Command, Decision, DomainError, Event, derived_id
from domain.vocabulary.reasons import WASTE_METHODS
from domain.vocabulary.term import require


class DrawAlreadyRecorded(DomainError):
    """This draw is recorded."""


class DrawNotOpen(DomainError):
    """There is no such draw, or its waste has been recorded."""


class VisitStillRunning(DomainError):
    """The drug is still running, or the visit is another one: what was given is not known yet."""


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


class DrawDrug(Command, frozen=True, kw_only=True):
    draw_id: UUID
    infusion_id: UUID
    drawn_mg: Decimal
    vials_opened: int
    drawn_by: UUID


class WasteDrug(Command, frozen=True, kw_only=True):
    """`given_mg` comes from the visit's own events, never typed."""

    draw_id: UUID
    given_mg: Decimal = ZERO
    wasted_mg: Decimal
    wasted_by: UUID
    witness_id: UUID
    method: Code


class RestateGiven(Command, frozen=True, kw_only=True):
    """A visit's own events came to other milligrams per draw after the waste was recorded; issued with the visit."""

    given_mg: dict[UUID, Decimal]


def drawn_for(infusion_id: UUID) -> str:
    """The claim that tells from which lots drug was drawn for a visit (held by `drug_lot:<id>`)."""
    return f"drawn-for:{infusion_id}"


def shares(dose_mg: Decimal, draws: Sequence[Draw]) -> dict[UUID, Decimal]:
    """How much of a visit's dose came out of each of its draws: the first drawn is used up first."""
    given: dict[UUID, Decimal] = {}
    left = dose_mg
    ordered = sorted(draws, key=lambda one: (one.drawn_at, one.draw_id))
    for index, one in enumerate(ordered):
        given[one.draw_id] = left if index == len(ordered) - 1 else min(left, one.drawn_mg)
        left -= given[one.draw_id]
    return given


def decide_draw(state: State, command: DrawDrug, facts: Facts) -> Decision:
    """Raises DrawAlreadyRecorded, QuantityImpossible, NotStaffHere, LotExpired, NotEnoughOnHand, VisitStillRunning."""
    if command.draw_id in state.draws:
        raise DrawAlreadyRecorded(draw_id=str(command.draw_id), pointer="/draw_id")
    if command.drawn_mg <= 0 or command.vials_opened < 0:
        raise QuantityImpossible(drawn_mg=str(command.drawn_mg), pointer="/drawn_mg")
    require_staff(command.drawn_by, facts, "/drawn_by")
    if not facts.visit_here:
        raise VisitStillRunning("There is no such visit going on here.", infusion_id=str(command.infusion_id),
                                pointer="/infusion_id")
    if state.expires_on is not None and state.expires_on < facts.local_date:
        raise LotExpired(expires_on=state.expires_on.isoformat())
    if command.drawn_mg > state.on_hand_mg:
        raise NotEnoughOnHand(asked_mg=str(command.drawn_mg), on_hand_mg=str(state.on_hand_mg), pointer="/drawn_mg")
    return Decision((DrugDrawn(
        occurred_at=command.at, late_reason=command.late_reason, draw_id=command.draw_id,
        infusion_id=command.infusion_id, drawn_mg=command.drawn_mg, vials_opened=command.vials_opened,
        drawn_by=command.drawn_by,
    ),), claims=(Claim(
        resource=drawn_for(command.infusion_id), holder=f"drug_lot:{state.stream_id}", starts=command.at, ends=None,
        enforce=False,
    ),))


def decide_waste(state: State, command: WasteDrug, facts: Facts) -> Decision:
    """Closes the draw. A difference within tolerance is rounding, above it a discrepancy.

    Raises DrawNotOpen, QuantityImpossible, UnknownCode, NotStaffHere, SecondPersonNeeded, VisitStillRunning.
    """
    draw = state.draws.get(command.draw_id)
    if draw is None or not draw.is_open:
        raise DrawNotOpen(draw_id=str(command.draw_id), pointer="/draw_id")
    if command.wasted_mg < 0 or command.wasted_mg > draw.drawn_mg:
        raise QuantityImpossible(wasted_mg=str(command.wasted_mg), drawn_mg=str(draw.drawn_mg), pointer="/wasted_mg")
    require(command.method, WASTE_METHODS, "/method")
    require_two(command.wasted_by, command.witness_id, "/wasted_by", facts)
    if not facts.given_known:
        raise VisitStillRunning(infusion_id=str(draw.infusion_id))
    difference = draw.drawn_mg - command.given_mg - command.wasted_mg
    rounding = difference if abs(difference) <= facts.tolerance(draw.drawn_mg) else ZERO
    wasted = DrugWasted(
        occurred_at=command.at, late_reason=command.late_reason, draw_id=command.draw_id, given_mg=command.given_mg,
        wasted_mg=command.wasted_mg, rounding_mg=rounding, wasted_by=command.wasted_by,
        witness_id=command.witness_id, method=command.method,
    )
    return Decision((wasted, *_found(state, draw, difference - rounding, ZERO, command)))


def decide_restatement(state: State, command: RestateGiven, facts: Facts) -> Decision:
    """The waste record is amended, its rounding with it; a difference that changed is a discrepancy of its own."""
    amended: list[Event] = []
    found: list[Event] = []
    for draw_id, given_mg in command.given_mg.items():
        draw = state.draws.get(draw_id)
        if draw is None or draw.entry is None or draw.given_mg == given_mg:
            continue
        difference = draw.drawn_mg - given_mg - draw.wasted_mg
        rounding = difference if abs(difference) <= facts.tolerance(draw.drawn_mg) else ZERO
        amended.append(EntryAmended(
            occurred_at=command.at, entry=draw.entry, entry_name=DrugWasted.NAME, reason_code="recomputed",
            corrections={"given_mg": str(given_mg), "rounding_mg": str(rounding)},
        ))
        found += _found(state, draw, difference - rounding, draw.difference_mg, command)
    return Decision((*amended, *found))


def _found(
    state: State, draw: Draw, difference: Decimal, before: Decimal, command: Command
) -> tuple[DiscrepancyFound, ...]:
    """What a draw's difference changed by since it was last found."""
    if difference == before:
        return ()
    return (DiscrepancyFound(
        occurred_at=command.at, discrepancy_id=derived_id("discrepancy", draw.draw_id, state.version + 1),
        draw_id=draw.draw_id, difference_mg=difference - before,
    ),)
