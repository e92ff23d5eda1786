"""A drug lot: nothing is drawn that is not there, waste has a witness, and the identity of the cabinet always holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from domain.corrections import EntryAmended
from domain.drug_lot import (
    BreakVials,
    DiscrepancyExplained,
    DiscrepancyFound,
    DrawDrug,
    DrugDrawn,
    DrugWasted,
    ExplainDiscrepancy,
    Facts,
    ReceiveVials,
    RestateGiven,
    State,
    VialBroken,
    VialReceived,
    WasteDrug,
    decide,
    drawn_for,
    evolve,
    initial,
    shares,
)
from domain.drug_lot.discrepancies import DiscrepancyNotOpen, ExplanationNeeded
from domain.drug_lot.draws import DrawAlreadyRecorded, DrawNotOpen, VisitStillRunning
from domain.drug_lot.state import (
    Draw,
    LotExpired,
    NotEnoughOnHand,
    NotStaffHere,
    QuantityImpossible,
    SecondPersonNeeded,
)
from domain.drug_lot.vials import LotDiffers
from domain.kernel import Actor, Claim, DomainError
from domain.vocabulary.term import UnknownCode
from tests.domain.given_when_then import Given, given

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000004")
T0 = datetime(2026, 3, 2, 15, tzinfo=UTC)
BY = Actor(id="nurse", role="nurse")
D = Decimal


def id_of(name: str) -> UUID:
    return uuid5(SPACE, name)


LOT, VISIT, DRAW, NURSE, WITNESS = (id_of(name) for name in ("lot", "visit", "draw", "nurse", "witness"))
FACTS = Facts(local_date=date(2026, 3, 2), staff=frozenset({NURSE, WITNESS}), visit_here=True, given_known=True,
              tolerance_percent=D(2), tolerance_mg=D(1))


def of(command: type, at: datetime = T0, **fields: Any) -> Any:
    return command(by=BY, now=at, at=at, **fields)


def receipt(**fields: Any) -> ReceiveVials:
    return of(ReceiveVials, **{
        "drug": "ketamine", "ndc": "00000-0000-00", "lot_number": "L1", "expires_on": date(2027, 9, 30), "vials": 2,
        "mg_per_vial": D(500), "ml_per_vial": D(10), "supplier": "Example", **fields})


def draw(**fields: Any) -> DrawDrug:
    return of(DrawDrug, **{
        "draw_id": DRAW, "infusion_id": VISIT, "drawn_mg": D(60), "vials_opened": 1, "drawn_by": NURSE, **fields})


def waste(given: str, wasted: str, **fields: Any) -> WasteDrug:
    return of(WasteDrug, **{
        "draw_id": DRAW, "given_mg": D(given), "wasted_mg": D(wasted), "wasted_by": NURSE, "witness_id": WITNESS,
        "method": "sequestration", **fields})


def received() -> Given[State]:
    return given(initial(LOT), evolve).when(decide, receipt(), FACTS).then_kinds(VialReceived)


def drawn() -> Given[State]:
    return received().when(decide, draw(), FACTS).then_kinds(DrugDrawn)


def adds_up(state: State) -> bool:
    """DESIGN section 4, as far as this lot goes: what came in is somewhere."""
    gone = state.closed("given_mg") + state.closed("wasted_mg") + state.closed("rounding_mg") + state.broken_mg
    return state.received_mg == gone + state.open_mg + state.on_hand_mg + state.closed("difference_mg")


# --- vials ---------------------------------------------------------------------------------------


def test_vials_received_are_on_hand_and_more_of_the_same_lot_add_up() -> None:
    after = received().when(decide, receipt(vials=3), FACTS).then_kinds(VialReceived)
    assert after.state.on_hand_mg == D(2500)


@pytest.mark.parametrize(("fields", "error"), [
    ({"vials": 0}, QuantityImpossible),
    ({"mg_per_vial": D(0)}, QuantityImpossible),
    ({"mg_per_vial": D(200)}, LotDiffers),
    ({"expires_on": date(2026, 3, 1)}, LotDiffers),
    ({"drug": "propofol"}, UnknownCode),
])
def test_vials_that_cannot_be_of_this_lot_are_refused(fields: dict[str, Any], error: type) -> None:
    received().when(decide, receipt(**fields), FACTS).then_refused(error)


def test_what_has_expired_is_neither_received_nor_drawn() -> None:
    late = replace(FACTS, local_date=date(2027, 10, 1))
    given(initial(LOT), evolve).when(decide, receipt(), late).then_refused(LotExpired)
    received().when(decide, draw(), late).then_refused(LotExpired)
    received().when(decide, draw(), replace(FACTS, local_date=date(2027, 9, 30))).then_kinds(DrugDrawn)


def test_breakage_is_seen_by_a_second_person() -> None:
    broken = of(BreakVials, vials=1, lost_mg=D(500), broken_by=NURSE, witness_id=WITNESS)
    assert received().when(decide, broken, FACTS).then_kinds(VialBroken).state.on_hand_mg == D(500)
    received().when(decide, replace(broken, witness_id=NURSE), FACTS).then_refused(SecondPersonNeeded)
    received().when(decide, replace(broken, witness_id=id_of("visitor")), FACTS).then_refused(NotStaffHere)
    received().when(decide, replace(broken, lost_mg=D(501)), FACTS).then_refused(QuantityImpossible)
    drawn().when(decide, replace(broken, vials=2, lost_mg=D(941)), FACTS).then_refused(NotEnoughOnHand)


# --- draws and waste -----------------------------------------------------------------------------


def test_a_draw_leaves_the_cabinet_and_says_for_which_visit() -> None:
    received().when(decide, draw(), FACTS).then_claims(Claim(
        resource=drawn_for(VISIT), holder=f"drug_lot:{LOT}", starts=T0, ends=None, enforce=False))
    assert drawn().state.on_hand_mg == D(940)
    assert drawn().state.open_mg == D(60)


@pytest.mark.parametrize(("fields", "error"), [
    ({"drawn_mg": D("1000.01")}, NotEnoughOnHand),
    ({"drawn_mg": D(0)}, QuantityImpossible),
    ({"drawn_mg": D(-1)}, QuantityImpossible),
    ({"drawn_by": id_of("visitor")}, NotStaffHere),
])
def test_a_draw_that_cannot_be_is_refused(fields: dict[str, Any], error: type) -> None:
    received().when(decide, draw(**fields), FACTS).then_refused(error)


def test_a_draw_is_recorded_once_and_for_a_visit_that_is_going_on() -> None:
    drawn().when(decide, draw(), FACTS).then_refused(DrawAlreadyRecorded)
    received().when(decide, draw(), replace(FACTS, visit_here=False)).then_refused(VisitStillRunning)
    received().when(decide, draw(drawn_mg=D(1000)), FACTS).then_kinds(DrugDrawn)


@pytest.mark.parametrize(("given_mg", "wasted_mg", "rounding"), [
    ("24", "36", "0"), ("24", "35", "1"), ("24", "37", "-1"), ("24", "34.8", "1.2"), ("24", "37.2", "-1.2"),
])
def test_a_difference_within_tolerance_is_posted_as_rounding(given_mg: str, wasted_mg: str, rounding: str) -> None:
    """2 % of 60 mg drawn is 1.2 mg, more than 1 mg."""
    (event,) = drawn().when(decide, waste(given_mg, wasted_mg), FACTS).events
    assert isinstance(event, DrugWasted)
    assert event.rounding_mg == D(rounding)


@pytest.mark.parametrize(("wasted_mg", "difference"), [("34.79", "1.21"), ("37.21", "-1.21")])
def test_above_it_a_discrepancy_is_found(wasted_mg: str, difference: str) -> None:
    after = drawn().when(decide, waste("24", wasted_mg), FACTS).then_kinds(DrugWasted, DiscrepancyFound)
    assert list(after.state.discrepancies.values()) == [D(difference)]
    assert adds_up(after.state)


def test_of_a_small_draw_one_milligram_is_tolerated() -> None:
    small = received().when(decide, draw(drawn_mg=D(10)), FACTS).then_kinds(DrugDrawn)
    small.when(decide, waste("5", "4"), FACTS).then_kinds(DrugWasted)
    small.when(decide, waste("5", "3.9"), FACTS).then_kinds(DrugWasted, DiscrepancyFound)


def test_waste_closes_the_draw_before_a_second_person_once_what_was_given_is_known() -> None:
    drawn().when(decide, waste("24", "36", witness_id=NURSE), FACTS).then_refused(SecondPersonNeeded)
    drawn().when(decide, waste("24", "36", witness_id=id_of("visitor")), FACTS).then_refused(
        NotStaffHere, pointer="/witness_id")
    drawn().when(decide, waste("24", "36"), replace(FACTS, given_known=False)).then_refused(VisitStillRunning)
    drawn().when(decide, waste("24", "61"), FACTS).then_refused(QuantityImpossible)
    drawn().when(decide, waste("24", "36", method="sink"), FACTS).then_refused(UnknownCode)
    closed = drawn().when(decide, waste("24", "36"), FACTS).then_kinds(DrugWasted)
    closed.when(decide, waste("24", "36"), FACTS).then_refused(DrawNotOpen)


def test_a_discrepancy_is_explained_once_by_somebody_with_a_reason() -> None:
    found = drawn().when(decide, waste("24", "30"), FACTS).then_kinds(DrugWasted, DiscrepancyFound)
    (discrepancy_id,) = found.state.discrepancies
    explain = of(ExplainDiscrepancy, discrepancy_id=discrepancy_id, reason_code="spilled", explained_by=NURSE)
    found.when(decide, replace(explain, reason_code="elves"), FACTS).then_refused(UnknownCode)
    found.when(decide, replace(explain, reason_code="other"), FACTS).then_refused(ExplanationNeeded)
    found.when(decide, replace(explain, explained_by=id_of("visitor")), FACTS).then_refused(NotStaffHere)
    after = found.when(decide, explain, FACTS).then_kinds(DiscrepancyExplained)
    assert after.state.discrepancies == {}
    after.when(decide, explain, FACTS).then_refused(DiscrepancyNotOpen)


def test_another_figure_from_the_visit_amends_the_record_and_finds_what_changed() -> None:
    closed = drawn().when(decide, waste("24", "36"), FACTS).then_kinds(DrugWasted)
    restate = of(RestateGiven, given_mg={DRAW: D(9)})
    after = closed.when(decide, restate, FACTS).then_kinds(EntryAmended, DiscrepancyFound)
    assert list(after.state.discrepancies.values()) == [D(15)]
    after.when(decide, restate, FACTS).then()
    back = after.when(decide, of(RestateGiven, given_mg={DRAW: D(24)}), FACTS).then_kinds(
        EntryAmended, DiscrepancyFound)
    assert sum(back.state.discrepancies.values()) == 0
    drawn().when(decide, restate, FACTS).then()


def test_a_visits_dose_comes_out_of_its_draws_in_order() -> None:
    draws = [Draw(draw_id=id_of(str(n)), infusion_id=VISIT, drawn_mg=D(20), drawn_at=T0 + timedelta(minutes=n))
             for n in (2, 1)]
    assert shares(D(24), draws) == {id_of("1"): D(20), id_of("2"): D(4)}
    assert shares(D(0), draws) == {id_of("1"): D(0), id_of("2"): D(0)}
    assert shares(D(50), draws) == {id_of("1"): D(20), id_of("2"): D(30)}
    assert shares(D(5), []) == {}


# --- the identity --------------------------------------------------------------------------------


MG = st.decimals(D("0"), D("600"), places=2)


class Cabinet(RuleBasedStateMachine):
    """Whatever is done, in whatever order, refused or not: what came in is somewhere, and none is owed."""

    def __init__(self) -> None:
        super().__init__()
        self.state = initial(LOT)
        self.number = 0

    def attempt(self, command: Any) -> None:
        try:
            decision = decide(self.state, command, FACTS)
        except DomainError:
            return
        for event in decision.events:
            self.state = evolve(self.state, self.state.version + 1, event)

    @rule(vials=st.integers(0, 3))
    def receive(self, vials: int) -> None:
        self.attempt(receipt(vials=vials))

    @rule(mg=MG)
    def draw(self, mg: Decimal) -> None:
        self.number += 1
        self.attempt(draw(draw_id=id_of(f"draw {self.number}"), drawn_mg=mg))

    @precondition(lambda self: self.number)
    @rule(given_mg=MG, wasted_mg=MG, data=st.data())
    def waste(self, given_mg: Decimal, wasted_mg: Decimal, data: st.DataObject) -> None:
        which = id_of(f"draw {data.draw(st.integers(1, self.number))}")
        self.attempt(waste(str(given_mg), str(wasted_mg), draw_id=which))

    @precondition(lambda self: self.number)
    @rule(given_mg=MG, data=st.data())
    def restate(self, given_mg: Decimal, data: st.DataObject) -> None:
        which = id_of(f"draw {data.draw(st.integers(1, self.number))}")
        self.attempt(of(RestateGiven, given_mg={which: given_mg}))

    @rule(vials=st.integers(0, 2), lost_mg=MG)
    def breaks(self, vials: int, lost_mg: Decimal) -> None:
        self.attempt(of(BreakVials, vials=vials, lost_mg=lost_mg, broken_by=NURSE, witness_id=WITNESS))

    @precondition(lambda self: self.state.discrepancies)
    @rule()
    def explain(self) -> None:
        self.attempt(of(ExplainDiscrepancy, discrepancy_id=min(self.state.discrepancies), reason_code="measuring",
                        explained_by=NURSE))

    @invariant()
    def comes_to_zero(self) -> None:
        assert adds_up(self.state)
        assert self.state.on_hand_mg >= 0

    @invariant()
    def every_difference_was_found(self) -> None:
        """What the draws leave over beyond rounding is exactly what DiscrepancyFound events add up to."""
        found = sum((e.event.difference_mg for e in self.state.entries if isinstance(e.event, DiscrepancyFound)), D(0))
        assert found == self.state.closed("difference_mg")


TestCabinet = Cabinet.TestCase
TestCabinet.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
