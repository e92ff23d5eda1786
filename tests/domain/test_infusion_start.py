"""What must hold before drug flows; each missing thing is refused by its own name, and charted late is a breach."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.infusion.arrival import CheckBeforeInfusion, PatientNotRoomed, RoomNotInService, WeightChangedMuch
from domain.infusion.departure import RuleBreached
from domain.infusion.drug_given import AlreadyStarted
from domain.infusion.drug_run import GiveBolus, InfusionStarted, StartInfusion, StopInfusion
from domain.infusion.limits import DoseAboveHardLimit, DoseLimitNeedsReason
from domain.infusion.monitoring import RecordVitals, VitalLimitOverridden, VitalSigns
from domain.infusion.order import DoseLimitOverridden, OrderDose
from domain.infusion.readiness import (
    ConsentOutOfDate,
    ConsultationOutOfDate,
    DriverNotNamed,
    NoDoseOrder,
    NoOpenCourse,
    ResponseNotPositive,
    ScreeningOutOfDate,
    UncontrolledContraindication,
    VitalBeyondHoldLimit,
    VitalBeyondSoftLimit,
    VitalsMissing,
    VitalsOutOfDate,
)
from domain.infusion.rules import NoProtocolAdopted, NurseNotCredentialed, PrescriberNotLicensed
from domain.infusion.visit import ClearanceFact, CourseFacts, FindingFact, RoomFacts, StaffFacts
from domain.infusion.weight import WeightNotMeasured
from domain.kernel import DomainError
from domain.protocol import EXAMPLE_PROTOCOL
from domain.vocabulary.vitals import ImplausibleValue
from tests.domain import visits
from tests.domain.visits import BY_DOCTOR, COURSE, DOCTOR, FINE, NURSE, PATIENT, ROOM, clock, ready_facts

START: dict[str, Any] = {"rate_mg_per_h": Decimal(25)}


def course(**changes: Any) -> CourseFacts:
    return CourseFacts(**{"course_id": COURSE, "patient_id": PATIENT, "is_open": True, **changes})


def days_ago(days: int) -> Any:
    return clock("23:59") - timedelta(days=days)


FINDING = (FindingFact(contraindication="hypertension", status="uncontrolled"),)

MISSING = [
    (NoOpenCourse, {"course": None}),
    (NoOpenCourse, {"course": course(is_open=False)}),
    (ResponseNotPositive, {"course": course(infusions_given=1)}),
    (ResponseNotPositive, {"course": course(infusions_given=1, response_positive=False)}),
    (ResponseNotPositive, {"course": course(infusions_given=1, response_positive=True, response_decision="stop")}),
    (NoProtocolAdopted, {"protocol": None}),
    (ConsultationOutOfDate, {"consultation_held_at": None}),
    (ConsultationOutOfDate, {"consultation_held_at": days_ago(181)}),
    (ConsentOutOfDate, {"consent_signed_at": None}),
    (ConsentOutOfDate, {"consent_signed_at": days_ago(366)}),
    (ScreeningOutOfDate, {"screened_at": None}),
    (ScreeningOutOfDate, {"screened_at": days_ago(91)}),
    (UncontrolledContraindication, {"findings": FINDING}),
    (UncontrolledContraindication, {
        "findings": FINDING,
        "clearances": (ClearanceFact(contraindication="hypertension", valid_until=date(2026, 3, 9)),)}),
    (PrescriberNotLicensed, {"staff": {NURSE: visits.in_date("nursing_license")}}),
    (NurseNotCredentialed, {"staff": {DOCTOR: visits.in_date("medical_license"), NURSE: StaffFacts()}}),
    (RoomNotInService, {"rooms": {ROOM: RoomFacts(in_service=False)}}),
]


@pytest.mark.parametrize(("error", "facts"), MISSING)
def test_a_start_is_refused_while_something_is_missing(error: type[DomainError], facts: dict[str, Any]) -> None:
    visit = visits.ready_to_start()
    visit.facts = ready_facts(**facts)
    visit.refused(error, "09:20", StartInfusion, **START)


@pytest.mark.parametrize(("error", "facts"), MISSING)
def test_charted_late_the_start_is_a_fact_and_a_breach(error: type[DomainError], facts: dict[str, Any]) -> None:
    visit = visits.ready_to_start()
    visit.facts = ready_facts(**facts)
    late = visit.late("09:20", StartInfusion, now="09:40", **START)
    assert isinstance(late.events[0], InfusionStarted)
    assert error().code in {event.rule for event in late.events if isinstance(event, RuleBreached)}
    assert {event.entry for event in late.events[1:]} == {visit.version_of(InfusionStarted)}


@pytest.mark.parametrize("facts", [
    {"course": course(infusions_given=1, response_positive=True, response_decision="go_on")},
    {"course": course(infusions_given=1, response_positive=True)},
    {"course": course(infusions_given=6, response_positive=False, response_decision="go_on")},
    {"consultation_held_at": days_ago(180)},
    {"consent_signed_at": days_ago(365)},
    {"screened_at": days_ago(90)},
    {"findings": (FindingFact(contraindication="hypertension", status="controlled"),
                  FindingFact(contraindication="heart_disease", status="hint"))},
    {"findings": FINDING,
     "clearances": (ClearanceFact(contraindication="hypertension", valid_until=date(2026, 3, 10)),)},
])
def test_a_start_is_allowed_on_the_edge_of_every_rule(facts: dict[str, Any]) -> None:
    """The n-th day counts; clearances hold through their last day; a prescriber's decision to go on opens the gate."""
    visit = visits.ready_to_start()
    visit.facts = ready_facts(**facts)
    assert [type(event) for event in visit.do("09:20", StartInfusion, **START).events] == [InfusionStarted]


def test_what_cannot_be_cleared_stays_blocked() -> None:
    visit = visits.ready_to_start()
    visit.facts = ready_facts(
        findings=(FindingFact(contraindication="ketamine_hypersensitivity", status="uncontrolled"),),
        clearances=(ClearanceFact(contraindication="ketamine_hypersensitivity", valid_until=date(2027, 1, 1)),))
    visit.refused(UncontrolledContraindication, "09:20", StartInfusion, **START)


def test_the_visits_own_checks_are_needed() -> None:
    """Room, weight, visit questions, driver, vitals, order: at this visit."""
    waiting = visits.arrived().refused(VitalsMissing, "09:20", StartInfusion, **START)
    assert PatientNotRoomed().code in waiting.data["also"].split(",")
    refusal = visits.roomed().refused(VitalsMissing, "09:20", StartInfusion, **START)
    assert "weight-not-measured" in refusal.data["also"]
    visit = visits.checked()
    visit.do("09:15", RecordVitals, vitals=FINE)
    visit.refused(NoDoseOrder, "09:20", StartInfusion, **START)
    nobody = visits.checked(driver_named=False)
    nobody.do("09:10", OrderDose, by=BY_DOCTOR, **visits.order_fields())
    nobody.do("09:15", RecordVitals, vitals=FINE)
    nobody.refused(DriverNotNamed, "09:20", StartInfusion, **START)


def test_a_positive_pregnancy_test_blocks_until_cleared() -> None:
    questions = visits.msgspec.structs.replace(visits.QUESTIONS, pregnancy="positive")
    visit = visits.checked(questions=questions)
    visit.do("09:10", OrderDose, by=BY_DOCTOR, **visits.order_fields())
    visit.do("09:15", RecordVitals, vitals=FINE)
    refusal = visit.refused(UncontrolledContraindication, "09:20", StartInfusion, **START)
    assert refusal.data["contraindication"] == "pregnancy"


def test_vital_signs_before_the_start_hold_for_the_protocols_minutes() -> None:
    """Taken 09:15, an hour (the example's) is up after 10:15: take them again. A protocol without the bound: no end."""
    ordered = [visits.ordered() for _ in range(3)]
    for visit in ordered:
        visit.do("09:15", RecordVitals, vitals=FINE)
    just, late, unbound = ordered
    just.do("10:15", StartInfusion, **START)
    refusal = late.refused(VitalsOutOfDate, "10:16", StartInfusion, **START)
    assert (refusal.data["valid_minutes"], "spo2_percent" in refusal.data["signs"]) == (60, True)
    late.do("10:17", RecordVitals, vitals=FINE)
    late.do("10:18", StartInfusion, **START)
    protocol = visits.msgspec.structs.replace(EXAMPLE_PROTOCOL, baseline_minutes=None)
    unbound.facts = ready_facts(protocol=protocol)
    unbound.do("10:16", StartInfusion, **START)


def test_a_vital_that_could_not_be_obtained_is_missing() -> None:
    visit = visits.ordered()
    visit.do("09:15", RecordVitals, vitals=VitalSigns(
        heart_rate_per_min=70, systolic_mmhg=120, diastolic_mmhg=80, respiratory_rate_per_min=14,
        not_obtainable=("spo2_percent",)))
    assert visit.refused(VitalsMissing, "09:20", StartInfusion, **START).data["missing"] == "spo2_percent"


def high(systolic: int) -> VitalSigns:
    return visits.msgspec.structs.replace(FINE, systolic_mmhg=systolic)


def test_beyond_the_hold_limit_there_is_no_start_for_any_reason() -> None:
    visit = visits.ordered()
    visit.do("09:15", RecordVitals, vitals=high(181))
    refusal = visit.refused(
        VitalBeyondHoldLimit, "09:20", StartInfusion, by=BY_DOCTOR, override_reason_code="usual_for_patient", **START)
    assert (refusal.data["sign"], refusal.data["value"], refusal.data["limit"]) == ("systolic_mmhg", "181", "180")


def test_beyond_the_soft_limit_a_repeat_after_rest_or_a_prescribers_reason() -> None:
    visit = visits.ordered()
    visit.do("09:12", RecordVitals, vitals=high(165))
    visit.refused(VitalBeyondSoftLimit, "09:20", StartInfusion, **START)
    visit.refused(
        VitalBeyondSoftLimit, "09:20", StartInfusion, override_reason_code="usual_for_patient", **START)
    by_doctor = visit.decide(
        "09:20", StartInfusion, by=BY_DOCTOR, override_reason_code="usual_for_patient", **START)
    assert [type(event) for event in by_doctor.events] == [InfusionStarted, VitalLimitOverridden]
    assert by_doctor.events[1].value == 165
    visit.do("09:18", RecordVitals, vitals=high(150))
    visit.do("09:20", StartInfusion, **START)


def test_start_is_held_to_the_dose_limits_and_the_orders_overrides() -> None:
    visit = visits.ready_to_start()
    visit.refused(DoseLimitNeedsReason, "09:20", StartInfusion, rate_mg_per_h=Decimal(30))
    visit.refused(DoseAboveHardLimit, "09:20", StartInfusion, by=BY_DOCTOR, rate_mg_per_h=Decimal(51),
                  override_reason_code="prior_tolerance")
    decided = visit.decide(
        "09:20", StartInfusion, by=BY_DOCTOR, rate_mg_per_h=Decimal(30), override_reason_code="prior_tolerance")
    assert [type(event) for event in decided.events] == [InfusionStarted, DoseLimitOverridden]
    covered = visits.ready_to_start(rate_mg_per_h=Decimal(30), override_reason_code="prior_tolerance")
    covered.do("09:20", StartInfusion, rate_mg_per_h=Decimal(30))
    visits.ready_to_start().do("09:20", StartInfusion, rate_mg_per_h=Decimal(1))


def test_the_drug_is_started_once() -> None:
    visits.running().refused(AlreadyStarted, "09:31", StartInfusion, **START)
    visits.stopped().refused(AlreadyStarted, "10:31", StartInfusion, **START)


def test_a_bolus_before_the_start_is_the_first_drug() -> None:
    """All that guards a start guards a bolus that comes before it."""
    visit = visits.ready_to_start()
    visit.facts = ready_facts(consent_signed_at=None)
    visit.refused(ConsentOutOfDate, "09:18", GiveBolus, dose_mg=Decimal(10))
    visit.facts = ready_facts()
    visit.do("09:18", GiveBolus, dose_mg=Decimal(10))
    visit.do("09:20", StartInfusion, **START)
    given = visit.do("10:20", StopInfusion).events[-1]
    assert (given.dose_mg, given.minutes) == (Decimal("35.00"), Decimal("60.00"))


@pytest.mark.parametrize(("weight", "pounds"), [("154", True), ("80", False), ("62.9", False)])
def test_a_weight_far_from_the_last_is_measured_again_or_confirmed(weight: str, pounds: bool) -> None:
    """Catches pounds entered as kilograms."""
    facts = ready_facts(last_weight_kg=Decimal(70), last_weighed_at=days_ago(20))
    visit = visits.roomed(facts)
    fields = visits.check_fields(weight_kg=Decimal(weight))
    refusal = visit.refused(WeightChangedMuch, "09:05", CheckBeforeInfusion, **fields)
    assert refusal.data["looks_like_pounds"] is pounds
    visit.do("09:05", CheckBeforeInfusion, **fields, weight_confirmed=True)
    visit.do("09:06", CheckBeforeInfusion, **visits.check_fields(weight_kg=Decimal(77)))
    visits.roomed(ready_facts(last_weight_kg=Decimal(70), last_weighed_at=days_ago(200))).do(
        "09:05", CheckBeforeInfusion, **fields)


@pytest.mark.parametrize("fields", [
    {"weight_kg": Decimal("19.9")}, {"weight_kg": Decimal(501)}, {"weight_kg": Decimal("NaN")},
    {"height_cm": Decimal(49)},
])
def test_implausible_weights_are_refused_even_late(fields: dict[str, Any]) -> None:
    visit = visits.roomed()
    visit.refused(ImplausibleValue, "09:05", CheckBeforeInfusion, **visits.check_fields(**fields))
    visit.refused(ImplausibleValue, "09:05", CheckBeforeInfusion, now="09:40", late_reason="x",
                  **visits.check_fields(**fields))


def test_a_late_start_without_weight_uses_the_last_known_one() -> None:
    visit = visits.roomed(ready_facts(last_weight_kg=Decimal(50)))
    late = visit.late("09:20", StartInfusion, now="10:30", **START)
    rules = {event.rule for event in late.events if isinstance(event, RuleBreached)}
    assert {WeightNotMeasured().code, NoDoseOrder().code, VitalsMissing().code} <= rules
    given = visit.late("10:20", StopInfusion, now="10:31").events[-1]
    assert given.dose_mg_per_kg == Decimal("0.500")
    assert given.purpose == "trial"
