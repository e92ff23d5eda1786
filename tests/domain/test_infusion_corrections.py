"""Amending and striking entries of a visit: validated, consistent, recomputed, never an edit."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.corrections import AmendEntry, EntryAmended, EntryStruck, StrikeEntry
from domain.infusion.amendments import ComputedNotTyped
from domain.infusion.arrival import NotARoomOfTheClinic, PatientArrived, PatientRoomed, PreInfusionChecked
from domain.infusion.departure import (
    LeaveAgainstAdvice,
    LeftAgainstAdvice,
    PatientDischarged,
    RecoveryAssessed,
    ReleaseRoom,
    RuleBreached,
)
from domain.infusion.drug_run import (
    BagHung,
    ChangeRate,
    GiveBolus,
    HangBag,
    InfusionGiven,
    InfusionPaused,
    InfusionStarted,
    InfusionStoppedEarly,
    PauseInfusion,
    RateChanged,
    StartInfusion,
    StopInfusion,
)
from domain.infusion.monitoring import AlertAcknowledged, AlertRaised, ImplausibleVital, RecordVitals, VitalsRecorded
from domain.infusion.order import DoseOrdered
from domain.infusion.rules import ImplausibleAmount, VisitNotBegun
from domain.infusion.sequence import ImpossibleSequence
from domain.infusion.side_effects import (
    NotAGrade,
    RegradeSideEffect,
    ReportSideEffect,
    SideEffectRegraded,
    SideEffectReported,
)
from domain.kernel import Claim, Event, InTheFuture, Release
from domain.ledger import (
    CorrectionNotValid,
    EntryAlreadyStruck,
    EntryCannotBeCorrected,
    EntryNotFound,
    NothingToCorrect,
    UnknownFieldInCorrection,
)
from domain.vocabulary import UnknownCode
from domain.vocabulary.vitals import ImplausibleValue
from tests.domain import visits
from tests.domain.visits import FINE, INFUSION, OTHER_ROOM, PATIENT, ROOM, Visit, clock, named


def amend(visit: Visit, kind: type[Event], /, at: str = "12:00", nth: int = 0, **corrections: Any) -> Any:
    return visit.do(at, AmendEntry, entry=visit.version_of(kind, nth), corrections=corrections,
                    reason_code="typing_error", reason="typed wrong")


def refused(visit: Visit, error: type, kind: type[Event], /, **corrections: Any) -> Any:
    return visit.refused(error, "12:00", AmendEntry, entry=visit.version_of(kind), corrections=corrections,
                         reason_code="typing_error")


def strike(visit: Visit, kind: type[Event], /, reason_code: str = "did_not_happen", at: str = "12:00") -> Any:
    return visit.do(at, StrikeEntry, entry=visit.version_of(kind), reason_code=reason_code)


def struck(decision: Any) -> list[str]:
    return [event.entry_name for event in decision.events if isinstance(event, EntryStruck)]


def given(visit: Visit) -> InfusionGiven:
    (event,) = visit.all(InfusionGiven)
    assert isinstance(event, InfusionGiven)
    return event


def low_spo2() -> Any:
    return visits.msgspec.structs.replace(FINE, spo2_percent=85)


# --- amend: what is computed follows -------------------------------------------------------------


def test_an_amended_rate_recomputes_what_was_given() -> None:
    """Both values stay in the log: the entry, the amendment, and the amendment of the figure."""
    visit = visits.stopped()
    first, second = amend(visit, InfusionStarted, rate_mg_per_h="20").events
    assert isinstance(first, EntryAmended)
    assert (first.entry_name, first.corrections) == ("infusion.started.v1", {"rate_mg_per_h": "20"})
    assert isinstance(second, EntryAmended)
    assert (second.entry_name, second.reason_code) == ("infusion.given.v1", "recomputed")
    assert given(visit).dose_mg == Decimal("20.00")
    assert visit.events[5].rate_mg_per_h == Decimal(25)  # type: ignore[attr-defined]


def test_an_amended_start_time_recomputes_minutes_and_start() -> None:
    visit = visits.stopped()
    amend(visit, InfusionStarted, occurred_at="2026-03-10T09:25:00-06:00")
    assert given(visit).minutes == Decimal("55.00")
    assert given(visit).drug_started_at == clock("09:25")
    assert visit.state.run.started_at == clock("09:25")


def test_an_amended_weight_recomputes_mg_per_kg_only() -> None:
    visit = visits.stopped()
    events = amend(visit, PreInfusionChecked, weight_kg="50").events
    assert [event.corrections for event in events if isinstance(event, EntryAmended)] == [
        {"weight_kg": "50"}, {"dose_mg_per_kg": "0.500"}]


def test_amendments_of_amendments() -> None:
    """The later one holds for the fields it names; the others keep the earlier correction."""
    visit = visits.stopped()
    amend(visit, InfusionStarted, rate_mg_per_h="20")
    amend(visit, InfusionStarted, occurred_at="2026-03-10T09:21:00-06:00", at="12:01")
    amend(visit, InfusionStarted, rate_mg_per_h="24", at="12:02")
    assert given(visit).dose_mg == Decimal("23.60")
    assert given(visit).minutes == Decimal("59.00")
    assert len([event for event in visit.events if isinstance(event, EntryAmended)]) == 6


def test_the_stop_is_moved_by_amending_what_was_given() -> None:
    visit = visits.stopped()
    amend(visit, InfusionGiven, occurred_at="2026-03-10T10:10:00-06:00")
    assert given(visit).minutes == Decimal("50.00")
    assert visit.state.run.stopped_at == clock("10:10")


@pytest.mark.parametrize("kind", [InfusionStoppedEarly, InfusionGiven])
def test_both_halves_of_an_early_stop_move_together(kind: type[Event]) -> None:
    visit = visits.running()
    visit.do("09:50", StopInfusion, early_reason_code="side_effect")
    amend(visit, kind, occurred_at="2026-03-10T09:44:00-06:00")
    assert given(visit).minutes == Decimal("24.00")
    assert given(visit).occurred_at == clock("09:44")
    assert visit.all(InfusionStoppedEarly)[0].occurred_at == clock("09:44")


def test_striking_the_early_stop_makes_the_infusion_complete() -> None:
    visit = visits.running()
    visit.do("10:20", StopInfusion, early_reason_code="side_effect")
    strike(visit, InfusionStoppedEarly)
    assert given(visit).complete
    assert given(visit).minutes == Decimal("60.00")


def test_computed_fields_are_not_typed() -> None:
    visit = visits.discharged()
    refused(visit, ComputedNotTyped, InfusionGiven, dose_mg="30")
    refused(visit, ComputedNotTyped, RecoveryAssessed, total=10)
    refused(visit, ComputedNotTyped, DoseOrdered, dose_mg="30")
    refused(visit, ComputedNotTyped, VitalsRecorded, phase="recovery")


def test_fields_computed_from_the_corrected_ones_follow() -> None:
    visit = visits.discharged()
    amend(visit, RecoveryAssessed, items={**visits.ALDRETE_10, "activity": 1})
    assert visit.all(RecoveryAssessed)[0].total == 9
    amend(visit, DoseOrdered, planned_minutes=48)
    assert visit.all(DoseOrdered)[0].dose_mg == Decimal("20.00")
    bag = visits.ordered()
    bag.do("09:12", HangBag, bag_id=named("bag"), drug_mg=Decimal(200), volume_ml=Decimal(100))
    amend(bag, BagHung, volume_ml="200")
    assert bag.all(BagHung)[0].concentration_mg_per_ml == Decimal("1.000")


# --- amend: validated like at entry --------------------------------------------------------------


def test_a_corrected_value_is_validated_like_at_entry() -> None:
    visit = visits.stopped()
    error = refused(visit, ImplausibleVital, VitalsRecorded, vitals={"spo2_percent": 150})
    assert error.data["pointer"] == "/corrections/vitals/spo2_percent"
    refused(visit, ImplausibleValue, PreInfusionChecked, weight_kg="5")
    refused(visit, ImplausibleAmount, InfusionStarted, rate_mg_per_h="-1")
    refused(visit, ImplausibleAmount, InfusionStarted, rate_mg_per_h="NaN")
    refused(visit, CorrectionNotValid, InfusionStarted, rate_mg_per_h="fast")
    refused(visit, CorrectionNotValid, InfusionStarted, rate_mg_per_h=None)
    refused(visit, CorrectionNotValid, InfusionStarted, occurred_at="2026-03-10T09:25:00")
    refused(visit, UnknownCode, DoseOrdered, purpose="fun")
    refused(visit, UnknownFieldInCorrection, InfusionStarted, speed="20")
    refused(visit, NothingToCorrect, InfusionStarted, rate_mg_per_h="25")
    refused(visit, NothingToCorrect, InfusionStarted)
    refused(visit, InTheFuture, InfusionStarted, occurred_at="2026-03-10T12:30:00-06:00")
    visit.refused(UnknownCode, "12:00", AmendEntry, entry=1, corrections={}, reason_code="because")
    visit.refused(EntryNotFound, "12:00", AmendEntry, entry=99, corrections={}, reason_code="other")


def test_an_object_corrects_only_what_it_names() -> None:
    visit = visits.stopped()
    amend(visit, VitalsRecorded, vitals={"spo2_percent": 97, "temperature_c": "36.6"})
    vitals = visit.all(VitalsRecorded)[0].vitals
    assert (vitals.spo2_percent, vitals.temperature_c, vitals.systolic_mmhg) == (97, Decimal("36.6"), 124)


def test_free_text_is_corrected_under_seal() -> None:
    visit = visits.discharged()
    (amended,) = amend(visit, PatientDischarged, note="wife drives", instructions_given=False).events
    assert amended.sealed == {"note": "wife drives"}
    assert amended.corrections == {"instructions_given": False}


def test_ids_name_the_entry_and_stay() -> None:
    visit = visits.stopped()
    refused(visit, EntryCannotBeCorrected, PatientArrived, patient_id=str(named("other")))
    refused(visit, EntryCannotBeCorrected, DoseOrdered, order_id=str(named("other")))


def test_an_impossible_amendment_is_refused() -> None:
    """A start after the stop, vitals before the arrival, an arrival after the room."""
    visit = visits.discharged()
    assert refused(visit, ImpossibleSequence, InfusionStarted, occurred_at="2026-03-10T10:30:00-06:00").data[
        "why"] == "before_start"
    refused(visit, ImpossibleSequence, VitalsRecorded, occurred_at="2026-03-10T08:00:00-06:00")
    refused(visit, ImpossibleSequence, PatientArrived, occurred_at="2026-03-10T09:01:00-06:00")
    refused(visit, ImpossibleSequence, PatientDischarged, occurred_at="2026-03-10T10:00:00-06:00")


# --- amend: rules become breaches ----------------------------------------------------------------


def test_an_amended_rate_above_the_hard_limit_is_a_fact_and_a_breach() -> None:
    visit = visits.stopped()
    amend(visit, InfusionStarted, rate_mg_per_h="60")
    breaches = visit.all(RuleBreached)
    assert ("dose-above-hard-limit", "rate_mg_per_h") in {(e.rule, e.data["limit"]) for e in breaches}
    assert {event.entry for event in breaches} == {visit.version_of(InfusionStarted)}
    amend(visit, InfusionStarted, rate_mg_per_h="25", at="12:05")
    assert not visit.all(RuleBreached)
    assert given(visit).dose_mg == Decimal("25.00")


def test_an_amended_weight_judges_the_doses_again() -> None:
    """25 mg/h in 45 kg is 0.556 mg/kg/h: over the soft limit of 0.5."""
    visit = visits.stopped()
    amend(visit, PreInfusionChecked, weight_kg="45")
    assert {(e.entry, e.data["limit"]) for e in visit.all(RuleBreached)} == {
        (visit.version_of(DoseOrdered), "rate_mg_per_kg_h"), (visit.version_of(InfusionStarted), "rate_mg_per_kg_h")}


def test_baseline_vitals_amended_beyond_the_hold_limit_breach_the_start() -> None:
    visit = visits.stopped()
    amend(visit, VitalsRecorded, vitals={"systolic_mmhg": 190})
    assert [(e.rule, e.entry) for e in visit.all(RuleBreached)] == [
        ("vital-beyond-hold-limit", visit.version_of(InfusionStarted))]


def test_a_discharge_amended_to_have_been_too_early_is_a_breach() -> None:
    visit = visits.discharged()
    amend(visit, PatientDischarged, occurred_at="2026-03-10T10:46:00-06:00", driver_present=False)
    assert {event.rule for event in visit.all(RuleBreached)} == {"monitoring-not-over", "no-driver"}


def test_an_override_still_covers_after_an_unrelated_amendment() -> None:
    visit = visits.ready_to_start(rate_mg_per_h=Decimal(40), override_reason_code="prior_tolerance")
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(40))
    visit.do("10:20", StopInfusion)
    amend(visit, DoseOrdered, purpose="series")
    assert not visit.all(RuleBreached)
    assert given(visit).purpose == "series"


def test_amended_vitals_raise_or_take_back_their_alerts() -> None:
    visit = visits.running()
    visit.do("09:35", RecordVitals, vitals=low_spo2())
    visit.do("09:36", PauseInfusion, reason_code="alert")
    events = visit.do("12:00", AmendEntry, entry=visit.version_of(VitalsRecorded, 2),
                      corrections={"vitals": {"spo2_percent": 95}}, reason_code="typing_error")
    assert struck(events) == [AlertRaised.NAME, AlertAcknowledged.NAME]
    assert not visit.all(AlertRaised)
    again = visit.do("12:01", AmendEntry, entry=visit.version_of(VitalsRecorded, 2),
                     corrections={"vitals": {"spo2_percent": 84}}, reason_code="typing_error").events
    assert [type(event) for event in again] == [EntryAmended, AlertRaised, AlertAcknowledged]
    assert visit.all(AlertRaised)[0].value == 84
    assert visit.all(AlertAcknowledged)[0].occurred_at == clock("09:36")


# --- strike --------------------------------------------------------------------------------------


def test_a_run_that_turns_out_to_be_of_no_time_and_back() -> None:
    """InfusionGiven is struck with the minutes it counted, and written again when they are found."""
    visit = visits.ready_to_start()
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(25))
    visit.do("09:31", LeaveAgainstAdvice, reason_code="patients_wish", risks_explained=True)
    visit.late("09:20", PauseInfusion, now="09:40", reason_code="line")
    assert not visit.all(InfusionGiven)
    amend(visit, InfusionPaused, occurred_at="2026-03-10T09:21:00-06:00")
    assert given(visit).minutes == Decimal("1.00")
    assert given(visit).occurred_at == clock("09:31")
    strike(visit, InfusionPaused, at="12:01")
    assert given(visit).minutes == Decimal("11.00")


def test_a_struck_bolus_recomputes() -> None:
    visit = visits.running()
    visit.do("09:31", GiveBolus, dose_mg=Decimal(10))
    visit.do("10:20", StopInfusion)
    assert given(visit).dose_mg == Decimal("35.00")
    decision = visit.do("12:00", StrikeEntry, entry=9, reason_code="duplicate")
    assert struck(decision) == ["infusion.bolus_given.v1"]
    assert given(visit).dose_mg == Decimal("25.00")


def test_striking_the_start_strikes_the_run() -> None:
    visit = visits.running()
    visit.do("09:40", PauseInfusion, reason_code="line")
    visit.do("10:20", StopInfusion, early_reason_code="line_failure")
    decision = strike(visit, InfusionStarted)
    assert struck(decision) == [
        kind.NAME for kind in (InfusionStarted, InfusionPaused, InfusionStoppedEarly, InfusionGiven)]
    assert not visit.state.run.given
    assert visit.state.given is None
    visit.do("12:00", visits.RecordVitals, vitals=visits.FINE)
    visit.do("12:01", visits.StartInfusion, rate_mg_per_h=Decimal(25))
    assert visit.state.run.started_at == clock("12:01")


def test_a_struck_stop_lets_the_drug_run_on_to_the_next() -> None:
    """At most one InfusionGiven stands."""
    visit = visits.stopped()
    strike(visit, InfusionGiven, at="10:21")
    assert visit.state.run.running
    visit.do("10:40", StopInfusion)
    assert given(visit).minutes == Decimal("80.00")


def test_a_struck_early_stop_goes_with_both_its_halves() -> None:
    visit = visits.running()
    visit.do("09:50", StopInfusion, early_reason_code="side_effect")
    assert struck(strike(visit, InfusionGiven, at="09:52")) == [InfusionGiven.NAME, InfusionStoppedEarly.NAME]
    assert visit.state.run.running
    visit.do("10:20", StopInfusion)
    assert given(visit).complete


def test_striking_a_report_strikes_its_story() -> None:
    visit = visits.running()
    effect = {"side_effect_id": named("nausea")}
    visit.do("09:40", ReportSideEffect, **effect, kind="nausea", grade=1, onset_at=clock("09:38"))
    visit.do("09:45", RegradeSideEffect, **effect, grade=2, serious=False)
    refused(visit, NotAGrade, SideEffectRegraded, grade=9)
    assert struck(strike(visit, SideEffectReported)) == [SideEffectReported.NAME, SideEffectRegraded.NAME]
    assert not visit.state.side_effects


def test_striking_the_order_after_the_start_is_a_breach_of_the_start() -> None:
    visit = visits.stopped()
    strike(visit, DoseOrdered)
    assert [(e.rule, e.entry) for e in visit.all(RuleBreached)] == [
        ("no-dose-order", visit.version_of(InfusionStarted))]


def test_struck_vitals_take_their_alert_and_its_answer_along() -> None:
    visit = visits.running()
    visit.do("09:35", RecordVitals, vitals=low_spo2())
    visit.do("09:36", PauseInfusion, reason_code="alert")
    decision = visit.do("12:00", StrikeEntry, entry=visit.version_of(VitalsRecorded, 2), reason_code="duplicate")
    assert struck(decision) == [VitalsRecorded.NAME, AlertRaised.NAME, AlertAcknowledged.NAME]
    assert not visit.state.alerts


def test_a_struck_late_fact_takes_along_even_breaches_of_what_others_decide() -> None:
    visit = visits.ready_to_start()
    visit.facts = visits.ready_facts(consent_signed_at=None)
    visit.late("09:20", StartInfusion, now="09:40", rate_mg_per_h=Decimal(25))
    assert [event.rule for event in visit.all(RuleBreached)] == ["consent-out-of-date"]
    assert struck(strike(visit, InfusionStarted)) == [InfusionStarted.NAME, RuleBreached.NAME]


def test_a_rate_amended_to_nothing_ran_no_time() -> None:
    """The only stretch turns out to have been at 0 mg/h: no infusion was given."""
    visit = visits.running()
    visit.do("09:40", ChangeRate, rate_mg_per_h=Decimal(20), reason_code="titration")
    visit.do("10:20", StopInfusion)
    amend(visit, RateChanged, rate_mg_per_h="0")
    assert given(visit).minutes == Decimal("20.00")
    amend(visit, RateChanged, occurred_at="2026-03-10T09:20:00-06:00", at="12:01")
    assert not visit.all(InfusionGiven)


def test_a_struck_entry_takes_its_breaches_along() -> None:
    visit = visits.running()
    visit.late("09:32", GiveBolus, now="09:50", dose_mg=Decimal(30))
    assert visit.all(RuleBreached)
    visit.do("10:00", StrikeEntry, entry=9, reason_code="duplicate")
    assert not visit.all(RuleBreached)


def test_striking_the_ending_opens_the_visit_again() -> None:
    """And holds the patient again; the other ending can then be entered."""
    visit = visits.discharged()
    decision = strike(visit, PatientDischarged)
    assert decision.releases == (Release(resource=f"patient-visit:{PATIENT}", holder=f"infusion:{INFUSION}"),)
    assert decision.claims == (Claim(
        resource=f"patient-visit:{PATIENT}", holder=f"infusion:{INFUSION}", starts=clock("08:55"), ends=None,
        enforce=False),)
    left = visit.do("12:01", LeaveAgainstAdvice, reason_code="patients_wish", risks_explained=True)
    assert [type(event) for event in left.events] == [LeftAgainstAdvice]


def test_wrong_patient_strikes_the_whole_visit_and_frees_everything() -> None:
    visit = visits.discharged()
    visit.do("11:00", ReleaseRoom)
    live = sum(1 for entry in visit.state.entries if not entry.struck)
    decision = strike(visit, PatientArrived, "wrong_patient")
    assert len(decision.events) == live
    assert {event.reason_code for event in decision.events} == {"wrong_patient"}
    assert {release.resource for release in decision.releases} == {f"patient-visit:{PATIENT}", f"room-use:{ROOM}"}
    assert all(release.ends is None for release in decision.releases)
    assert visit.state.given is None
    visit.refused(VisitNotBegun, "12:01", RecordVitals, vitals=FINE)


def test_struck_and_derived_entries_are_not_corrected() -> None:
    visit = visits.running()
    visit.do("09:35", RecordVitals, vitals=low_spo2())
    refused(visit, EntryCannotBeCorrected, AlertRaised, value="80")
    visit.refused(EntryCannotBeCorrected, "12:00", StrikeEntry, entry=visit.version_of(AlertRaised),
                  reason_code="duplicate")
    strike(visit, VitalsRecorded, "duplicate")
    refused(visit, EntryAlreadyStruck, VitalsRecorded, vitals={"spo2_percent": 90})
    visit.refused(EntryAlreadyStruck, "12:00", StrikeEntry, entry=visit.version_of(VitalsRecorded),
                  reason_code="duplicate")
    visit.refused(UnknownCode, "12:00", StrikeEntry, entry=1, reason_code="because")


def test_an_impossible_strike_is_refused() -> None:
    """The ending cannot go while the room was released after it; arrival cannot stand after what follows it."""
    visit = visits.discharged()
    visit.do("11:00", ReleaseRoom)
    visit.refused(ImpossibleSequence, "12:00", StrikeEntry, entry=visit.version_of(PatientDischarged),
                  reason_code="did_not_happen")


def test_an_amended_room_moves_the_claim() -> None:
    visit = visits.roomed()
    refused(visit, NotARoomOfTheClinic, PatientRoomed, room_id=str(named("no room")))
    decision = amend(visit, PatientRoomed, room_id=str(OTHER_ROOM))
    assert [release.resource for release in decision.releases] == [f"room-use:{ROOM}"]
    assert [(claim.resource, claim.enforce) for claim in decision.claims] == [(f"room-use:{OTHER_ROOM}", False)]
    assert visit.state.room_id == UUID(str(OTHER_ROOM))


def test_a_correction_a_day_later() -> None:
    visit = visits.discharged()
    amend(visit, InfusionStarted, at="+2 09:00", rate_mg_per_h="24")
    assert given(visit).dose_mg == Decimal("24.00")
    assert visit.events[-1].occurred_at - clock("09:00") == timedelta(days=2)


def test_a_protocol_adopted_since_judges_nothing_again() -> None:
    """A stricter document does not turn yesterday's infusion into a breach when its note is corrected."""
    visit = visits.discharged()
    dose = visits.msgspec.structs.replace(
        visits.PROTOCOL.dose, rate_mg_per_h=visits.msgspec.structs.replace(
            visits.PROTOCOL.dose.rate_mg_per_h, hard_high=Decimal(10), soft_high=Decimal(5)))
    visit.facts = visits.ready_facts(protocol=visits.msgspec.structs.replace(visits.PROTOCOL, dose=dose))
    assert len(amend(visit, PatientDischarged, note="new note").events) == 1
