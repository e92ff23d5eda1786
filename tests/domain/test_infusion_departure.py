"""Recovery and the one ending: discharge waits, the other endings do not, and a running drug stops with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.infusion.departure import (
    AssessRecovery,
    DieInCare,
    DischargeCriteriaNotMet,
    DischargePatient,
    DrugNeverGiven,
    DrugStillRunning,
    DrugWasGiven,
    EndWithoutInfusion,
    LeaveAgainstAdvice,
    LeftAgainstAdvice,
    MonitoringNotOver,
    NoDriver,
    PatientDischarged,
    RuleBreached,
    TransferToHospital,
    VisitAlreadyEnded,
)
from domain.infusion.drug_run import GiveBolus, InfusionGiven, InfusionStoppedEarly, PauseInfusion
from domain.infusion.monitoring import AlertAcknowledged, RecordVitals
from domain.infusion.rules import NoProtocolAdopted, VisitNotBegun
from domain.vocabulary import UnknownCode
from domain.vocabulary.discharge import WrongDischargeItems
from tests.domain import visits
from tests.domain.visits import ALDRETE_10, FINE, NURSE, Visit, clock, ready_facts

HOME: dict[str, Any] = {"driver_present": True, "instructions_given": True, "discharged_by": NURSE}
ENDINGS: list[tuple[Any, dict[str, Any], str]] = [
    (LeaveAgainstAdvice, {"reason_code": "patients_wish", "risks_explained": True}, "patients_wish"),
    (TransferToHospital, {"reason_code": "cardiac", "hospital": "General"}, "other"),
    (DieInCare, {}, "other"),
]


def recovered(items: dict[str, int] | None = None, at: str = "10:45") -> Visit:
    visit = visits.stopped()
    visit.do(at, AssessRecovery, scale="aldrete", items=items or ALDRETE_10)
    return visit


def test_the_recovery_total_is_computed() -> None:
    visit = visits.stopped()
    (assessed,) = visit.do("10:45", AssessRecovery, scale="aldrete", items={**ALDRETE_10, "activity": 1}).events
    assert assessed.total == 9
    visit.refused(WrongDischargeItems, "10:45", AssessRecovery, scale="aldrete", items={"activity": 2})
    visit.refused(WrongDischargeItems, "10:45", AssessRecovery, scale="aldrete", items={**ALDRETE_10, "activity": 3})
    visit.refused(UnknownCode, "10:45", AssessRecovery, scale="looks fine", items=ALDRETE_10)


def test_discharge_waits_for_the_monitoring_time() -> None:
    visit = recovered(at="10:21")
    refusal = visit.refused(MonitoringNotOver, "10:49", DischargePatient, **HOME)
    assert refusal.data["ready_at"] == clock("10:50").isoformat()
    visit.do("10:50", DischargePatient, **HOME)


def test_the_monitoring_time_counts_from_the_last_drug() -> None:
    visit = visits.stopped()
    visit.late("10:25", GiveBolus, now="10:40", dose_mg=Decimal(5))
    visit.do("10:45", AssessRecovery, scale="aldrete", items=ALDRETE_10)
    visit.refused(MonitoringNotOver, "10:54", DischargePatient, **HOME)
    visit.do("10:55", DischargePatient, **HOME)


def test_discharge_needs_the_protocols_score_after_the_stop() -> None:
    visits.stopped().refused(DischargeCriteriaNotMet, "10:50", DischargePatient, **HOME)
    low = recovered({**ALDRETE_10, "consciousness": 1, "activity": 1})
    assert low.refused(DischargeCriteriaNotMet, "10:50", DischargePatient, **HOME).data["total"] == 8
    other = visits.stopped()
    padss = dict.fromkeys(("vital_signs", "activity_mental", "pain_nausea_vomiting", "bleeding", "intake_output"), 2)
    other.do("10:45", AssessRecovery, scale="padss", items=padss)
    other.refused(DischargeCriteriaNotMet, "10:50", DischargePatient, **HOME)
    early = visits.running()
    early.do("09:40", AssessRecovery, scale="aldrete", items=ALDRETE_10)
    early.do("10:20", visits.StopInfusion)
    early.refused(DischargeCriteriaNotMet, "10:50", DischargePatient, **HOME)


def test_discharge_needs_a_driver() -> None:
    recovered().refused(NoDriver, "10:50", DischargePatient, **{**HOME, "driver_present": False})


def test_discharge_needs_drug_given_and_stopped() -> None:
    visits.checked().refused(DrugNeverGiven, "09:30", DischargePatient, **HOME)
    visits.running().refused(DrugStillRunning, "09:50", DischargePatient, **HOME)
    visits.running().refused(
        DrugStillRunning, "09:50", DischargePatient, now="10:50", late_reason="late", **HOME)


def test_discharge_without_a_protocol_is_refused() -> None:
    visit = recovered()
    visit.facts = ready_facts(protocol=None)
    visit.refused(NoProtocolAdopted, "10:50", DischargePatient, **HOME)


def test_a_discharge_too_early_charted_late_is_a_breach() -> None:
    visit = recovered(at="10:25")
    late = visit.late("10:30", DischargePatient, now="11:00", **{**HOME, "driver_present": False})
    assert isinstance(late.events[0], PatientDischarged)
    assert [event.rule for event in late.events[1:] if isinstance(event, RuleBreached)] == [
        "monitoring-not-over", "no-driver"]


@pytest.mark.parametrize(("ending", "fields", "early"), ENDINGS)
def test_the_other_endings_stop_a_running_drug(ending: Any, fields: dict[str, Any], early: str) -> None:
    """InfusionStoppedEarly first, then what was given, then the ending; no waiting time, no criteria."""
    visit = visits.running()
    stop, given, ended = visit.do("09:50", ending, **fields).events
    assert isinstance(stop, InfusionStoppedEarly)
    assert stop.reason_code == early
    assert isinstance(given, InfusionGiven)
    assert (given.dose_mg, given.complete) == (Decimal("12.50"), False)
    assert visit.state.ending is not None
    assert visit.state.ending.name == type(ended).NAME
    assert {event.occurred_at for event in (stop, given, ended)} == {clock("09:50")}


@pytest.mark.parametrize(("ending", "fields", "early"), ENDINGS)
def test_the_other_endings_stop_a_paused_drug_too(ending: Any, fields: dict[str, Any], early: str) -> None:
    visit = visits.running()
    visit.do("09:40", PauseInfusion, reason_code="side_effect")
    visit.do("09:50", ending, **fields)
    assert visit.all(InfusionGiven)[0].minutes == Decimal("20.00")


@pytest.mark.parametrize(("ending", "fields", "early"), ENDINGS)
def test_the_other_endings_need_no_drug_and_no_time(ending: Any, fields: dict[str, Any], early: str) -> None:
    assert len(visits.arrived().do("08:57", ending, **fields).events) == 1
    visit = visits.stopped()
    assert len(visit.do("10:21", ending, **fields).events) == 1
    assert len(visit.all(InfusionGiven)) == 1


@pytest.mark.parametrize(("ending", "fields", "early"), ENDINGS)
def test_an_ending_charted_late_happened_when_it_did(ending: Any, fields: dict[str, Any], early: str) -> None:
    visit = visits.running()
    late = visit.late("09:50", ending, now="11:00", **fields)
    assert {event.occurred_at for event in late.events} == {clock("09:50")}
    assert visit.all(InfusionGiven)[0].minutes == Decimal("30.00")


def test_an_ending_answers_the_open_alerts() -> None:
    visit = visits.running()
    visit.do("09:35", RecordVitals, vitals=visits.msgspec.structs.replace(FINE, spo2_percent=80))
    events = visit.do("09:36", TransferToHospital, reason_code="respiratory").events
    assert [event.action for event in events if isinstance(event, AlertAcknowledged)] == ["stopped"]


def test_no_infusion_after_all_is_only_for_visits_without_drug() -> None:
    visit = visits.ready_to_start()
    visit.do("09:30", EndWithoutInfusion, reason_code="vital_signs")
    assert visit.state.ending is not None
    visits.running().refused(DrugWasGiven, "09:30", EndWithoutInfusion, reason_code="vital_signs")
    visits.running().refused(
        DrugWasGiven, "09:10", EndWithoutInfusion, now="09:45", late_reason="late", reason_code="vital_signs")
    visits.ready_to_start().refused(UnknownCode, "09:30", EndWithoutInfusion, reason_code="boredom")


@pytest.mark.parametrize(("ending", "fields"), [
    *((ending, fields) for ending, fields, _ in ENDINGS), (DischargePatient, HOME),
    (EndWithoutInfusion, {"reason_code": "other"}),
])
def test_a_visit_ends_once(ending: Any, fields: dict[str, Any]) -> None:
    visit = visits.discharged()
    visit.refused(VisitAlreadyEnded, "10:55", ending, **fields)
    visit.refused(VisitAlreadyEnded, "10:48", ending, now="11:30", late_reason="late", **fields)


def test_nobody_leaves_before_arriving() -> None:
    Visit().refused(VisitNotBegun, "09:00", LeaveAgainstAdvice, reason_code="waiting", risks_explained=False)


def test_a_late_walk_out_before_what_is_on_record_cannot_have_been() -> None:
    """Vitals were taken at 10:45: the patient did not leave at 10:30."""
    from domain.infusion.sequence import ImpossibleSequence

    refusal = recovered().refused(
        ImpossibleSequence, "10:30", LeaveAgainstAdvice, now="11:00", late_reason="late", reason_code="waiting",
        risks_explained=True)
    assert refusal.data["why"] == "after_ending"
    left = recovered().late(
        "10:46", LeaveAgainstAdvice, now="11:00", reason_code="waiting", risks_explained=True)
    assert [type(event) for event in left.events] == [LeftAgainstAdvice]
