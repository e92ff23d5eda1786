"""Late entries: facts are accepted and what follows from them is recomputed; only the impossible is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.corrections import AmendEntry, EntryAmended
from domain.infusion.alerts import AlertOpen
from domain.infusion.arrival import MovePatient, SameRoom
from domain.infusion.departure import ReleaseRoom, RuleBreached
from domain.infusion.drug_given import AlreadyStarted, AlreadyStopped, DrugNotPaused, DrugNotRunning, NotStarted
from domain.infusion.drug_run import (
    ChangeRate,
    FailIV,
    GiveBolus,
    GiveMedication,
    HangBag,
    InfusionGiven,
    InfusionPaused,
    InfusionStarted,
    PauseInfusion,
    PlaceIV,
    RateChanged,
    ResumeInfusion,
    StartInfusion,
    StopInfusion,
)
from domain.infusion.limits import DoseAboveHardLimit
from domain.infusion.monitoring import AlertAcknowledged, AlertRaised, RecordVitals, ScoreSedation
from domain.infusion.order import CountersignOrder
from domain.infusion.rules import BreachNeedsReason, ImplausibleMoment, PrescriberNotLicensed
from domain.infusion.sequence import ImpossibleSequence
from domain.infusion.side_effects import (
    RegradeSideEffect,
    ReportSideEffect,
    ResolveSideEffect,
    SignOffSideEffect,
    TreatSideEffect,
)
from tests.domain import visits
from tests.domain.visits import FINE, Visit, clock, named


def given(visit: Visit) -> InfusionGiven:
    (event,) = visit.all(InfusionGiven)
    assert isinstance(event, InfusionGiven)
    return event


def test_a_whole_visit_charted_in_the_evening() -> None:
    """Everything in order of occurrence but entered hours later: the same figures, no breach, no correction."""
    visit = Visit()
    for event in visits.discharged().events:
        visit.record(event)
    charted = Visit()
    evening = {"now": "20:00"}
    charted.late("08:55", visits.ArrivePatient, **evening, patient_id=visits.PATIENT, visit_kind="trial",
                 course_id=visits.COURSE)
    charted.late("09:00", visits.RoomPatient, **evening, room_id=visits.ROOM)
    charted.late("09:05", visits.CheckBeforeInfusion, **evening, **visits.check_fields())
    charted.late("09:10", visits.OrderDose, **evening, by=visits.BY_DOCTOR, **visits.order_fields())
    charted.late("09:15", RecordVitals, **evening, vitals=FINE)
    charted.late("09:20", StartInfusion, **evening, rate_mg_per_h=Decimal(25))
    charted.late("10:20", StopInfusion, **evening)
    assert not charted.all(RuleBreached)
    assert given(charted).dose_mg == given(visit).dose_mg
    assert all(event.late_reason == "charted afterwards" for event in charted.events)


def test_a_late_bolus_recomputes_what_was_given() -> None:
    visit = visits.stopped()
    late = visit.late("09:40", GiveBolus, now="11:00", dose_mg=Decimal("7.5"))
    amended = late.events[-1]
    assert isinstance(amended, EntryAmended)
    assert amended.entry == visit.version_of(InfusionGiven)
    assert amended.reason_code == "recomputed"
    assert amended.corrections == {"dose_mg": "32.50", "dose_mg_per_kg": "0.464"}
    assert amended.occurred_at == clock("11:00")
    assert given(visit).dose_mg == Decimal("32.50")


def test_a_late_pause_and_resume_are_two_entries_each_recomputing() -> None:
    visit = visits.running()
    visit.do("09:45", ChangeRate, rate_mg_per_h=Decimal(10), reason_code="side_effect")
    visit.do("10:20", StopInfusion)
    assert given(visit).dose_mg == Decimal("16.25")
    visit.late("09:32", PauseInfusion, now="11:00", reason_code="bathroom")
    assert given(visit).minutes == Decimal("12.00")
    visit.late("09:42", ResumeInfusion, now="11:01", rate_mg_per_h=Decimal(25))
    assert given(visit).minutes == Decimal("50.00")
    assert given(visit).dose_mg == Decimal("12.08")


def test_a_late_rate_change_recomputes_only_the_milligrams() -> None:
    visit = visits.stopped()
    late = visit.late("09:50", ChangeRate, now="11:00", rate_mg_per_h=Decimal(10), reason_code="side_effect")
    assert isinstance(late.events[-1], EntryAmended)
    assert set(late.events[-1].corrections) == {"dose_mg", "dose_mg_per_kg"}
    assert given(visit).dose_mg == Decimal("17.50")


def test_a_late_entry_that_changes_nothing_recomputes_nothing() -> None:
    visit = visits.stopped()
    assert len(visit.late("09:40", RecordVitals, now="11:00", vitals=FINE).events) == 1
    assert len(visit.late(
        "09:50", ReportSideEffect, now="11:00", side_effect_id=named("x"), kind="nausea", grade=1,
        onset_at=clock("09:45")).events) == 1


def test_late_is_judged_by_what_stood_at_that_moment() -> None:
    """A rate up at 09:36 was not watched: the vitals of 09:50 do not help it, nor did they hurt."""
    visit = visits.ready_to_start()
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(10))
    visit.watch("09:50")
    late = visit.late("09:40", ChangeRate, now="10:00", rate_mg_per_h=Decimal(20), reason_code="titration")
    assert [event.rule for event in late.events if isinstance(event, RuleBreached)] == [
        "vitals-overdue", "sedation-overdue"]
    inside = visit.late("09:55", ChangeRate, now="10:01", rate_mg_per_h=Decimal(25), reason_code="titration")
    assert [type(event) for event in inside.events] == [RateChanged]


def test_two_minutes_are_now() -> None:
    """At 09:31 charted at 09:33 is an intention; a moment more makes it a fact."""
    visit = visits.ready_to_start()
    up: dict[str, Any] = {"rate_mg_per_h": Decimal(60)}
    visit.refused(DoseAboveHardLimit, "09:20", StartInfusion, now="09:22", late_reason="x", **up)
    visit.refused(BreachNeedsReason, "09:20", StartInfusion, now="09:22:01", **up)
    late = visit.late("09:20", StartInfusion, now="09:22:01", **up)
    assert {event.rule for event in late.events[1:] if isinstance(event, RuleBreached)} >= {"dose-above-hard-limit"}


@pytest.mark.parametrize(("error", "at", "command", "fields"), [
    (NotStarted, "09:18", StopInfusion, {}),
    (NotStarted, "09:18", PauseInfusion, {"reason_code": "line"}),
    (AlreadyStarted, "09:25", StartInfusion, {"rate_mg_per_h": Decimal(10)}),
    (AlreadyStarted, "09:16", StartInfusion, {"rate_mg_per_h": Decimal(10)}),
    (AlreadyStopped, "10:25", ChangeRate, {"rate_mg_per_h": Decimal(10), "reason_code": "titration"}),
    (AlreadyStopped, "09:45", StopInfusion, {}),
    (DrugNotPaused, "09:45", ResumeInfusion, {"rate_mg_per_h": Decimal(10)}),
    (DrugNotRunning, "10:05", PauseInfusion, {"reason_code": "line"}),
])
def test_what_cannot_have_happened_is_refused_even_late(
    error: Any, at: str, command: Any, fields: dict[str, Any]
) -> None:
    visit = visits.running()
    visit.do("10:00", PauseInfusion, reason_code="line")
    visit.watch("10:09")
    visit.do("10:10", ResumeInfusion, rate_mg_per_h=Decimal(25))
    visit.do("10:20", StopInfusion)
    visit.refused(error, at, command, now="11:00", late_reason="late", **fields)


def test_a_late_stop_before_what_is_on_record_is_impossible() -> None:
    visit = visits.running()
    visit.do("09:40", PauseInfusion, reason_code="line")
    refusal = visit.refused(ImpossibleSequence, "09:35", StopInfusion, now="10:30", late_reason="late")
    assert (refusal.data["why"], refusal.data["entry"]) == ("after_stop", visit.version_of(InfusionPaused))
    assert visit.late("09:45", StopInfusion, now="10:30").events[0].minutes == Decimal("20.00")


def test_a_late_stop_before_vitals_is_possible() -> None:
    """And the set of 10:25 turns out to be one of the recovery."""
    visit = visits.running()
    visit.watch("10:25")
    late = visit.late("10:20", StopInfusion, now="10:40")
    assert [type(event) for event in late.events] == [InfusionGiven, EntryAmended]
    assert late.events[1].corrections == {"phase": "recovery"}
    assert given(visit).minutes == Decimal("60.00")


def test_a_start_charted_late_raises_the_alerts_of_the_sets_since() -> None:
    """SpO2 85 at 09:30 was taken for a baseline; the drug had been running since 09:20."""
    visit = visits.ready_to_start()
    visit.do("09:30", RecordVitals, vitals=visits.msgspec.structs.replace(FINE, spo2_percent=85))
    late = visit.late("09:20", StartInfusion, now="09:33", rate_mg_per_h=Decimal(25))
    assert [type(event) for event in late.events] == [InfusionStarted, EntryAmended, AlertRaised]
    assert [alert.sign for alert in visit.state.open_alerts] == ["spo2_percent"]
    visit.refused(AlertOpen, "09:34", GiveBolus, dose_mg=Decimal(5))


def test_a_set_at_the_very_moment_of_the_stop_stays_what_it_was() -> None:
    visit = visits.running()
    visit.do("10:20", RecordVitals, vitals=visits.msgspec.structs.replace(FINE, spo2_percent=85))
    late = visit.late("10:20", StopInfusion, now="10:40")
    assert [type(event) for event in late.events] == [InfusionGiven, AlertAcknowledged]


def test_vitals_charted_late_take_back_the_breach_of_having_none() -> None:
    """The rate up of 09:40 was charted before the set that allowed it."""
    visit = visits.ready_to_start()
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(10))
    visit.late("09:40", ChangeRate, now="09:50", rate_mg_per_h=Decimal(20), reason_code="titration")
    assert {event.rule for event in visit.all(RuleBreached)} == {"vitals-overdue", "sedation-overdue"}
    visit.late("09:38", RecordVitals, now="09:51", vitals=FINE)
    assert {event.rule for event in visit.all(RuleBreached)} == {"sedation-overdue"}


def test_everything_charted_late_happened_when_it_happened() -> None:
    """Each event of a late command carries the moment it is about, not the moment it was typed."""
    other = Visit(visits.ready_facts(patient_in_visit=named("other")))
    told: list[tuple[str, Any, dict[str, Any]]] = [
        ("08:55", visits.ArrivePatient, {"patient_id": visits.PATIENT, "visit_kind": "trial"}),
        ("09:00", visits.RoomPatient, {"room_id": visits.ROOM}),
        ("09:02", MovePatient, {"room_id": visits.OTHER_ROOM, "reason_code": "privacy"}),
        ("09:05", visits.CheckBeforeInfusion, visits.check_fields()),
        ("09:06", PlaceIV, {"site": "left_hand", "gauge": 22}),
        ("09:07", FailIV, {"site": "left_hand", "reason_code": "no_access"}),
        ("09:10", visits.OrderDose, visits.order_fields(
            rate_mg_per_h=Decimal(30), mode="verbal", nurse_id=visits.NURSE, read_back=True,
            override_reason_code="prior_tolerance")),
        ("09:12", HangBag, {"bag_id": named("bag"), "drug_mg": Decimal(100), "volume_ml": Decimal(100)}),
        ("09:15", RecordVitals, {"vitals": FINE}),
        ("09:18", GiveMedication, {"medication": "ondansetron", "dose": Decimal(4), "unit": "mg",
                                   "route": "intravenous", "indication": "prevention"}),
        ("09:20", StartInfusion, {"rate_mg_per_h": Decimal(30)}),
        ("09:22", ScoreSedation, {"scale": "rass", "score": -3}),
        ("09:23", PauseInfusion, {"reason_code": "sedation"}),
        ("09:25", ReportSideEffect, {"side_effect_id": named("e"), "kind": "sedation", "grade": 2, "serious": True,
                                     "onset_at": clock("09:22")}),
        ("09:26", SignOffSideEffect, {"side_effect_id": named("e"), "prescriber_id": visits.DOCTOR}),
        ("09:27", TreatSideEffect, {"side_effect_id": named("e"), "treatment": "paused"}),
        ("09:30", ScoreSedation, {"scale": "rass", "score": 0}),
        ("09:30", RecordVitals, {"vitals": FINE}),
        ("09:31", ResumeInfusion, {"rate_mg_per_h": Decimal(20)}),
        ("09:32", GiveBolus, {"dose_mg": Decimal(2)}),
        ("09:33", RegradeSideEffect, {"side_effect_id": named("e"), "grade": 1, "serious": False}),
        ("09:34", ResolveSideEffect, {"side_effect_id": named("e")}),
        ("09:40", StopInfusion, {"early_reason_code": "no_longer_needed"}),
        ("10:09", visits.AssessRecovery, {"scale": "aldrete", "items": visits.ALDRETE_10}),
        ("10:10", visits.DischargePatient, {"driver_present": True, "instructions_given": True,
                                            "discharged_by": visits.NURSE}),
        ("10:20", ReleaseRoom, {}),
        ("10:25", CountersignOrder, {"order_id": visits.ORDER, "prescriber_id": visits.DOCTOR}),
    ]
    for moment, kind, fields in told:
        decision = other.late(moment, kind, now="20:00", **fields)
        assert {event.occurred_at for event in decision.events} == {clock(moment)}, kind
        assert {event.late_reason for event in decision.events if not isinstance(event, RuleBreached)} == {
            "charted afterwards"}, kind
    assert {event.rule for event in other.all(RuleBreached)} == {"patient-in-another-visit", "prescriber-needed"}


def test_papers_and_licences_are_those_of_the_day() -> None:
    """Charted when the licence has run out and the consultation is too old: judged by the day it happened."""
    expiring = visits.CredentialFact(
        kind="medical_license", valid_from=date(2020, 1, 1), valid_until=date(2026, 3, 10))
    staff = {visits.DOCTOR: visits.StaffFacts(credentials=(expiring,)), visits.NURSE: visits.in_date("nursing_license")}
    facts = visits.ready_facts(staff=staff, consultation_held_at=clock("09:00") - timedelta(days=180))
    visit = visits.checked(facts)
    visit.late("09:10", visits.OrderDose, now="+1 09:00", by=visits.BY_DOCTOR, **visits.order_fields())
    visit.late("09:15", RecordVitals, now="+1 09:00", vitals=FINE)
    visit.late("09:20", StartInfusion, now="+1 09:00", rate_mg_per_h=Decimal(25))
    assert not visit.all(RuleBreached)
    after = visits.checked(facts)
    after.refused(PrescriberNotLicensed, "+1 09:10", visits.OrderDose, by=visits.BY_DOCTOR, **visits.order_fields())


def test_a_late_bolus_before_the_start_is_judged_as_the_first_drug() -> None:
    """What flowed later on record does not make it the second."""
    visit = visits.running()
    visit.facts = visits.ready_facts(consent_signed_at=None)
    late = visit.late("09:18", GiveBolus, now="09:50", dose_mg=Decimal(5))
    assert [event.rule for event in late.events if isinstance(event, RuleBreached)] == ["consent-out-of-date"]


def test_a_late_move_is_judged_by_the_room_of_that_moment() -> None:
    visit = visits.roomed()
    visit.do("09:10", MovePatient, room_id=visits.OTHER_ROOM, reason_code="privacy")
    moved = visit.late("09:05", MovePatient, now="09:30", room_id=visits.OTHER_ROOM, reason_code="privacy")
    assert moved.events[0].from_room_id == visits.ROOM
    visit.refused(SameRoom, "09:03", MovePatient, now="09:30", late_reason="late", room_id=visits.ROOM,
                  reason_code="privacy")


def test_moments_that_cannot_be_meant_are_refused() -> None:
    """A year mistyped, or a moment without an offset, in any field."""
    visit = visits.running()
    effect = {"side_effect_id": named("e"), "kind": "nausea", "grade": 1}
    refusal = visit.refused(
        ImplausibleMoment, "09:45", ReportSideEffect, **effect, onset_at=datetime(1, 1, 1, tzinfo=UTC))
    assert refusal.data["pointer"] == "/onset_at"
    visit.refused(ImplausibleMoment, "09:45", ReportSideEffect, **effect, onset_at=clock("09:44").replace(tzinfo=None))
    visit.refused(
        ImplausibleMoment, "09:45", RecordVitals, now="+4000 09:45", late_reason="found in a drawer", vitals=FINE)
    refusal = visit.refused(
        ImplausibleMoment, "09:45", AmendEntry, entry=visit.version_of(InfusionStarted), reason_code="typing_error",
        corrections={"occurred_at": "2006-03-10T09:20:00-06:00"})
    assert refusal.data["pointer"] == "/corrections/occurred_at"


def test_an_old_visit_can_still_be_put_right() -> None:
    visit = visits.discharged()
    visit.do("+700 09:00", AmendEntry, entry=visit.version_of(InfusionStarted), reason_code="typing_error",
             corrections={"rate_mg_per_h": "24"})
    assert given(visit).dose_mg == Decimal("24.00")
