"""The dose order: weight and its basis, limits soft and hard, overrides, orders by word of mouth."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from domain.infusion.departure import RuleBreached
from domain.infusion.drug_run import GiveBolus, HangBag, StartInfusion
from domain.infusion.limits import DoseAboveHardLimit, DoseLimitNeedsReason, SecondInfusionSameDay, order_dose
from domain.infusion.monitoring import RecordVitals
from domain.infusion.order import (
    CountersignOrder,
    DoseLimitOverridden,
    DoseOrdered,
    NoSuchOrder,
    NothingToCountersign,
    OrderCountersigned,
    OrderDose,
    OrderIdTaken,
    ReadBackNeeded,
    VerbalOrderTaken,
)
from domain.infusion.rules import (
    ImplausibleAmount,
    NoProtocolAdopted,
    PrescriberNeeded,
    PrescriberNotLicensed,
    VisitEnded,
)
from domain.infusion.visit import StaffFacts
from domain.infusion.weight import WeightBasisUnknown, WeightNotMeasured, ideal_weight_kg
from domain.vocabulary import UnknownCode
from tests.domain import visits
from tests.domain.visits import BY_DOCTOR, BY_NURSE, DOCTOR, FINE, NURSE, ORDER, clock, order_fields, ready_facts

VERBAL = {"mode": "verbal", "nurse_id": NURSE, "read_back": True}


def test_an_order_says_weight_dose_and_protocol() -> None:
    (ordered,) = visits.checked().do("09:10", OrderDose, by=BY_DOCTOR, **order_fields()).events
    assert isinstance(ordered, DoseOrdered)
    assert (ordered.weight_kg, ordered.dose_mg, ordered.protocol_version) == (Decimal(70), Decimal("25.00"), 1)


def test_the_dose_is_computed_from_bolus_rate_and_time() -> None:
    assert order_dose(Decimal("24.5"), Decimal(35), 240) == Decimal("164.50")
    assert order_dose(Decimal(0), Decimal("0.1"), 1) == Decimal("0.00")
    assert order_dose(Decimal(0), Decimal(1), 1) == Decimal("0.02")


def test_the_patient_is_weighed_at_this_visit() -> None:
    visits.roomed(ready_facts(last_weight_kg=Decimal(71))).refused(
        WeightNotMeasured, "09:10", OrderDose, by=BY_DOCTOR, **order_fields())


@pytest.mark.parametrize(("basis", "weight"), [("ideal", "70.5"), ("adjusted", "90.3")])
def test_ideal_and_adjusted_weight_are_computed(basis: str, weight: str) -> None:
    """Devine for a man of 175 cm and 120 kg; adjusted is ideal + 0.4 of what is above."""
    assert round(ideal_weight_kg(Decimal(175), "male"), 1) == Decimal("70.5")
    visit = visits.roomed(ready_facts(sex="male"))
    visit.do("09:05", visits.CheckBeforeInfusion, **visits.check_fields(weight_kg=Decimal(120)))
    ordered = visit.do("09:10", OrderDose, by=BY_DOCTOR, **order_fields(weight_basis=basis)).events[0]
    assert isinstance(ordered, DoseOrdered)
    assert ordered.weight_kg == Decimal(weight)
    assert visit.state.dosing_weight_kg == Decimal(weight)


def test_ideal_weight_needs_height_and_sex() -> None:
    ideal = order_fields(weight_basis="ideal")
    refusal = visits.checked().refused(WeightBasisUnknown, "09:10", OrderDose, by=BY_DOCTOR, **ideal)
    assert refusal.data["missing"] == "sex"
    refusal = visits.checked(ready_facts(sex="female"), height_cm=None).refused(
        WeightBasisUnknown, "09:10", OrderDose, by=BY_DOCTOR, **ideal)
    assert refusal.data["missing"] == "height"


@pytest.mark.parametrize(("limit", "fields", "asked"), [
    ("bolus_mg_per_kg", {"bolus_mg": Decimal("22.4")}, "0.320"),
    ("rate_mg_per_h", {"rate_mg_per_h": Decimal("25.1")}, "25.1"),
    ("concentration_mg_per_ml", {"concentration_mg_per_ml": Decimal(5)}, "5"),
    ("concentration_mg_per_ml", {"concentration_mg_per_ml": Decimal("0.5")}, "0.5"),
    ("duration_minutes", {"planned_minutes": 241}, "241"),
    ("rate_mg_per_kg_h", {"rate_mg_per_h": Decimal(3)}, "0.043"),
])
def test_outside_a_soft_limit_needs_a_prescribers_reason(limit: str, fields: dict[str, object], asked: str) -> None:
    """Refused without one; with one, the order stands and says which limit was overridden, by whom and why."""
    refusal = visits.checked().refused(
        DoseLimitNeedsReason, "09:10", OrderDose, by=BY_DOCTOR, **order_fields(**fields))
    assert refusal.data["limit"] == limit
    assert refusal.data["asked"] == asked
    assert refusal.data["pointer"] == "/override_reason_code"
    decided = visits.checked().do(
        "09:10", OrderDose, by=BY_DOCTOR, **order_fields(**fields, override_reason_code="prior_tolerance"))
    overridden = decided.events[1]
    assert isinstance(overridden, DoseLimitOverridden)
    assert (overridden.limit, str(overridden.asked), overridden.reason_code) == (limit, asked, "prior_tolerance")
    assert overridden.prescriber_id == DOCTOR


def test_total_and_mg_per_kg_have_limits_too() -> None:
    fields = order_fields(rate_mg_per_h=Decimal(49), planned_minutes=300, override_reason_code="prior_tolerance")
    decided = visits.checked().do("09:10", OrderDose, by=BY_DOCTOR, **fields)
    assert {e.limit for e in decided.events if isinstance(e, DoseLimitOverridden)} == {
        "rate_mg_per_h", "rate_mg_per_kg_h", "total_mg", "dose_mg_per_kg", "duration_minutes"}


@pytest.mark.parametrize(("limit", "fields"), [
    ("bolus_mg_per_kg", {"bolus_mg": Decimal(25)}),
    ("rate_mg_per_h", {"rate_mg_per_h": Decimal("50.1")}),
    ("concentration_mg_per_ml", {"concentration_mg_per_ml": Decimal("10.1")}),
    ("duration_minutes", {"planned_minutes": 481}),
])
def test_over_a_hard_limit_is_refused_to_everybody(limit: str, fields: dict[str, object]) -> None:
    visit = visits.checked()
    given = order_fields(**fields, override_reason_code="prior_tolerance")
    refusal = visit.refused(DoseAboveHardLimit, "09:10", OrderDose, by=BY_DOCTOR, **given)
    assert refusal.data["limit"] == limit
    visit.refused(DoseAboveHardLimit, "09:10", OrderDose, **{**given, **VERBAL})


def test_on_the_limit_is_inside() -> None:
    visits.checked().do("09:10", OrderDose, by=BY_DOCTOR, **order_fields(
        bolus_mg=Decimal(21), rate_mg_per_h=Decimal(25), planned_minutes=240))


def test_within_24_hours_of_the_last_infusion_needs_a_reason() -> None:
    facts = ready_facts(last_drug_stop_at=clock("09:10") - timedelta(hours=23))
    refusal = visits.checked(facts).refused(
        DoseLimitNeedsReason, "09:10", OrderDose, by=BY_DOCTOR, **order_fields())
    assert (refusal.data["limit"], refusal.data["asked"]) == ("hours_since_last", "23.00")
    visit = visits.ordered(facts, override_reason_code="planned_escalation")
    visit.do("09:15", RecordVitals, vitals=FINE)
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(25))


def test_a_second_infusion_on_one_day_needs_an_order_of_its_own() -> None:
    """`new_order`: an order written before the first one ended does not cover the second; `never` refuses it."""
    visit = visits.ready_to_start(override_reason_code="other")
    visit.facts = ready_facts(last_drug_stop_at=clock("09:12"), infusions_same_date=1)
    visit.refused(
        SecondInfusionSameDay, "09:20", StartInfusion, by=BY_DOCTOR, rate_mg_per_h=Decimal(25),
        override_reason_code="other")
    visit.facts = ready_facts(last_drug_stop_at=clock("08:00"), infusions_same_date=1)
    visit.do("09:20", StartInfusion, by=BY_DOCTOR, rate_mg_per_h=Decimal(25), override_reason_code="other")
    never = msgspec.structs.replace(
        visits.PROTOCOL, dose=msgspec.structs.replace(visits.PROTOCOL.dose, second_same_day="never"))
    facts = ready_facts(protocol=never, last_drug_stop_at=clock("08:00"), infusions_same_date=1)
    visits.checked(facts).refused(
        SecondInfusionSameDay, "09:10", OrderDose, by=BY_DOCTOR, **order_fields(override_reason_code="other"))


def test_a_written_order_is_a_licensed_prescribers_own() -> None:
    visits.checked().refused(PrescriberNeeded, "09:10", OrderDose, by=BY_NURSE, **order_fields())
    facts = ready_facts(staff={NURSE: visits.in_date("nursing_license"), DOCTOR: visits.in_date("nursing_license")})
    visits.checked(facts).refused(PrescriberNotLicensed, "09:10", OrderDose, by=BY_DOCTOR, **order_fields())
    gone = msgspec.structs.replace(visits.in_date("medical_license"), has_left=True)
    visits.checked(ready_facts(staff={DOCTOR: gone})).refused(
        PrescriberNotLicensed, "09:10", OrderDose, by=BY_DOCTOR, **order_fields())
    visits.checked(ready_facts(staff={DOCTOR: StaffFacts()})).refused(
        PrescriberNotLicensed, "09:10", OrderDose, by=BY_DOCTOR, **order_fields())


def test_a_nurse_practitioner_prescribes_on_her_own_licence() -> None:
    facts = ready_facts(staff={DOCTOR: visits.in_date("advanced_practice_license")})
    visits.checked(facts).do("09:10", OrderDose, by=BY_DOCTOR, **order_fields())


def test_a_verbal_order_is_valid_at_once_and_open_for_24_hours() -> None:
    visit = visits.checked()
    decided = visit.do("09:10", OrderDose, **order_fields(**VERBAL))
    taken = decided.events[1]
    assert isinstance(taken, VerbalOrderTaken)
    assert taken.countersign_by == clock("+1 09:10")
    assert taken.nurse_id == NURSE
    visit.do("09:15", RecordVitals, vitals=FINE)
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(25))
    signed = visit.do("15:00", CountersignOrder, by=BY_DOCTOR, order_id=ORDER, prescriber_id=DOCTOR)
    assert [type(event) for event in signed.events] == [OrderCountersigned]
    visit.refused(
        NothingToCountersign, "15:01", CountersignOrder, by=BY_DOCTOR, order_id=ORDER, prescriber_id=DOCTOR)


def test_a_verbal_order_with_read_back_goes_over_a_soft_limit() -> None:
    fields = order_fields(**VERBAL, rate_mg_per_h=Decimal(30))
    visits.checked().refused(DoseLimitNeedsReason, "09:10", OrderDose, **fields)
    decided = visits.checked().do("09:10", OrderDose, **fields, override_reason_code="prior_tolerance")
    assert [type(event) for event in decided.events] == [DoseOrdered, DoseLimitOverridden, VerbalOrderTaken]


def test_a_verbal_order_needs_a_nurse_and_read_back() -> None:
    visit = visits.checked()
    refusal = visit.refused(ReadBackNeeded, "09:10", OrderDose, **order_fields(mode="verbal"))
    assert refusal.data["pointer"] == "/nurse_id"
    refusal = visit.refused(ReadBackNeeded, "09:10", OrderDose, **order_fields(mode="verbal", nurse_id=NURSE))
    assert refusal.data["pointer"] == "/read_back"


def test_countersigning_late_is_accepted_and_marked() -> None:
    visit = visits.checked()
    visit.do("09:10", OrderDose, **order_fields(**VERBAL))
    assert len(visit.decide(
        "+1 09:10", CountersignOrder, by=BY_DOCTOR, order_id=ORDER, prescriber_id=DOCTOR).events) == 1
    late = visit.do("+1 09:11", CountersignOrder, by=BY_DOCTOR, order_id=ORDER, prescriber_id=DOCTOR)
    assert [type(event) for event in late.events] == [OrderCountersigned, RuleBreached]
    assert late.events[1].rule == "countersigned-late"


def test_a_countersignature_in_time_but_charted_late_is_in_time() -> None:
    visit = visits.checked()
    visit.do("09:10", OrderDose, **order_fields(**VERBAL))
    order = {"order_id": ORDER, "prescriber_id": DOCTOR}
    visit.refused(NoSuchOrder, "09:08", CountersignOrder, now="10:00", late_reason="late", by=BY_DOCTOR, **order)
    assert len(visit.late("15:00", CountersignOrder, now="+1 10:00", by=BY_DOCTOR, **order).events) == 1


def test_only_a_licensed_prescriber_countersigns_and_only_a_verbal_order() -> None:
    visit = visits.checked()
    visit.do("09:10", OrderDose, **order_fields(**VERBAL))
    visit.refused(PrescriberNeeded, "10:00", CountersignOrder, order_id=ORDER, prescriber_id=DOCTOR)
    visit.refused(NoSuchOrder, "10:00", CountersignOrder, order_id=visits.named("none"), prescriber_id=DOCTOR)
    visits.ordered().refused(
        NothingToCountersign, "10:00", CountersignOrder, by=BY_DOCTOR, order_id=ORDER, prescriber_id=DOCTOR)


def test_an_order_id_names_one_order() -> None:
    visits.ordered().refused(OrderIdTaken, "09:12", OrderDose, by=BY_DOCTOR, **order_fields())


@pytest.mark.parametrize("fields", [
    {"rate_mg_per_h": Decimal(0)}, {"rate_mg_per_h": Decimal("NaN")}, {"bolus_mg": Decimal(-1)},
    {"planned_minutes": 0}, {"concentration_mg_per_ml": Decimal("Infinity")}, {"rate_mg_per_h": Decimal("1e9")},
])
def test_amounts_that_cannot_be_are_refused(fields: dict[str, object]) -> None:
    visits.checked().refused(ImplausibleAmount, "09:10", OrderDose, by=BY_DOCTOR, **order_fields(**fields))


@pytest.mark.parametrize("fields", [{"purpose": "fun"}, {"mode": "telepathy"}, {"weight_basis": "guess"}])
def test_codes_are_checked_when_written(fields: dict[str, object]) -> None:
    visits.checked().refused(UnknownCode, "09:10", OrderDose, by=BY_DOCTOR, **order_fields(**fields))


def test_without_an_adopted_protocol_nothing_is_ordered() -> None:
    visits.checked(ready_facts(protocol=None)).refused(
        NoProtocolAdopted, "09:10", OrderDose, by=BY_DOCTOR, **order_fields())


def test_nothing_is_ordered_after_the_ending() -> None:
    visits.discharged().refused(
        VisitEnded, "10:55", OrderDose, by=BY_DOCTOR, **order_fields(order_id=visits.named("second")))


def test_a_late_order_over_a_hard_limit_is_a_fact_and_a_breach() -> None:
    """Rules refuse intentions, never facts."""
    late = visits.checked().late(
        "09:10", OrderDose, now="10:00", by=BY_DOCTOR, **order_fields(rate_mg_per_h=Decimal(60)))
    rules = {(e.rule, e.data["limit"], e.data["asked"]) for e in late.events if isinstance(e, RuleBreached)}
    assert ("dose-above-hard-limit", "rate_mg_per_h", "60") in rules
    assert all(e.entry == 4 for e in late.events if isinstance(e, RuleBreached))


def test_the_bag_is_held_to_the_concentration_limits_and_the_orders_override() -> None:
    bag = {"bag_id": visits.named("bag"), "drug_mg": Decimal(500), "volume_ml": Decimal(100)}
    visit = visits.ordered()
    visit.refused(DoseLimitNeedsReason, "09:12", HangBag, **bag)
    visit.refused(DoseAboveHardLimit, "09:12", HangBag, **{**bag, "volume_ml": Decimal(40)})
    strong = visits.ordered(concentration_mg_per_ml=Decimal(5), override_reason_code="other")
    hung = strong.do("09:12", HangBag, **bag).events[0]
    assert hung.concentration_mg_per_ml == Decimal("5.000")
    strong.refused(DoseLimitNeedsReason, "09:13", HangBag, **{**bag, "volume_ml": Decimal(90)})


def test_a_bolus_is_held_to_the_limits_and_the_orders_override() -> None:
    visit = visits.running()
    visit.refused(DoseLimitNeedsReason, "09:31", GiveBolus, dose_mg=Decimal("22.4"))
    visit.refused(DoseAboveHardLimit, "09:31", GiveBolus, dose_mg=Decimal(25))
    visit.do("09:31", GiveBolus, dose_mg=Decimal(20))
    covered = visits.running(bolus_mg=Decimal("22.4"), override_reason_code="prior_tolerance")
    covered.do("09:31", GiveBolus, dose_mg=Decimal("22.4"))
    covered.refused(DoseLimitNeedsReason, "09:32", GiveBolus, dose_mg=Decimal("22.5"))
