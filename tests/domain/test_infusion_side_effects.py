"""Side effects of a visit: report, regrade, treat, resolve, sign off; also after the patient has gone home."""

from __future__ import annotations

from typing import Any

import pytest

from domain.infusion.departure import DischargePatient, SeriousSideEffectNotSignedOff
from domain.infusion.rules import PrescriberNeeded, PrescriberNotLicensed
from domain.infusion.side_effects import (
    AlreadySignedOff,
    NoSuchSideEffect,
    NotAGrade,
    OnsetAfterReport,
    RegradeSideEffect,
    ReportSideEffect,
    ResolveSideEffect,
    SideEffectAlreadyResolved,
    SideEffectIdTaken,
    SideEffectReported,
    SideEffectSignedOff,
    SignOffSideEffect,
    TreatSideEffect,
)
from domain.vocabulary import UnknownCode
from domain.vocabulary.side_effects import SIDE_EFFECTS
from tests.domain import visits
from tests.domain.visits import BY_DOCTOR, DOCTOR, NURSE, Visit, clock, named, ready_facts

NAUSEA = named("nausea")
ONE = {"side_effect_id": NAUSEA}
HOME = {"driver_present": True, "instructions_given": True, "discharged_by": NURSE}


def report(**changes: Any) -> dict[str, Any]:
    return {**ONE, "kind": "nausea", "grade": 2, "onset_at": clock("09:40"), **changes}


def nauseous(**changes: Any) -> Visit:
    visit = visits.running()
    visit.do("09:45", ReportSideEffect, **report(**changes))
    return visit


def recovered(**changes: Any) -> Visit:
    visit = nauseous(**changes)
    visit.do("10:20", visits.StopInfusion)
    visit.do("10:45", visits.AssessRecovery, scale="aldrete", items=visits.ALDRETE_10)
    return visit


@pytest.mark.parametrize("kind", sorted(SIDE_EFFECTS))
def test_every_kind_of_the_vocabulary_can_be_reported(kind: str) -> None:
    (event,) = visits.running().do("09:45", ReportSideEffect, **report(kind=kind)).events
    assert isinstance(event, SideEffectReported)
    assert event.kind == kind


def test_a_report_is_checked() -> None:
    visit = nauseous()
    visit.refused(SideEffectIdTaken, "09:46", ReportSideEffect, **report())
    other = named("other effect")
    visit.refused(UnknownCode, "09:46", ReportSideEffect, **report(side_effect_id=other, kind="hiccups of doom"))
    visit.refused(NotAGrade, "09:46", ReportSideEffect, **report(side_effect_id=other, grade=6))
    visit.refused(NotAGrade, "09:46", ReportSideEffect, **report(side_effect_id=other, grade=0))
    visit.refused(
        OnsetAfterReport, "09:46", ReportSideEffect, **report(side_effect_id=other, onset_at=clock("09:50")))


def test_grade_5_is_serious_whatever_was_ticked() -> None:
    event = nauseous(grade=5).all(SideEffectReported)[0]
    assert event.serious


def test_a_side_effect_lives_from_report_to_resolution_even_after_discharge() -> None:
    visit = recovered()
    visit.do("10:46", RegradeSideEffect, **ONE, grade=1, serious=False)
    visit.do("10:47", TreatSideEffect, **ONE, treatment="antiemetic")
    visit.do("10:50", DischargePatient, **HOME)
    visit.do("12:00", ResolveSideEffect, **ONE)
    (effect,) = visit.state.side_effects
    assert (effect.grade, effect.resolved_at) == (1, clock("12:00"))
    visit.refused(SideEffectAlreadyResolved, "12:01", ResolveSideEffect, **ONE)
    visit.refused(SideEffectAlreadyResolved, "12:01", RegradeSideEffect, **ONE, grade=3, serious=False)
    visit.do("13:00", ReportSideEffect, **report(side_effect_id=named("later"), onset_at=clock("12:30")))


def test_only_what_was_reported_can_be_followed_up() -> None:
    visit = nauseous()
    unknown = {"side_effect_id": named("unknown")}
    visit.refused(NoSuchSideEffect, "09:50", ResolveSideEffect, **unknown)
    visit.refused(NoSuchSideEffect, "09:50", TreatSideEffect, **unknown, treatment="antiemetic")
    visit.refused(NoSuchSideEffect, "09:42", ResolveSideEffect, now="09:50", late_reason="x", **ONE)
    visit.refused(UnknownCode, "09:50", TreatSideEffect, **ONE, treatment="prayer")


def test_no_discharge_before_a_physician_signed_off_what_is_serious() -> None:
    visit = recovered(serious=True)
    refusal = visit.refused(SeriousSideEffectNotSignedOff, "10:50", DischargePatient, **HOME)
    assert refusal.data["kind"] == "nausea"
    visit.refused(PrescriberNeeded, "10:51", SignOffSideEffect, **ONE, prescriber_id=DOCTOR)
    visit.facts = ready_facts(staff={NURSE: visits.in_date("nursing_license")})
    visit.refused(PrescriberNotLicensed, "10:51", SignOffSideEffect, by=BY_DOCTOR, **ONE, prescriber_id=DOCTOR)
    visit.facts = ready_facts()
    signed = visit.do("10:51", SignOffSideEffect, by=BY_DOCTOR, **ONE, prescriber_id=DOCTOR)
    assert isinstance(signed.events[0], SideEffectSignedOff)
    visit.refused(AlreadySignedOff, "10:52", SignOffSideEffect, by=BY_DOCTOR, **ONE, prescriber_id=DOCTOR)
    visit.do("10:52", DischargePatient, **HOME)


def test_what_becomes_serious_after_the_sign_off_needs_another() -> None:
    visit = recovered()
    visit.do("10:46", SignOffSideEffect, by=BY_DOCTOR, **ONE, prescriber_id=DOCTOR)
    visit.do("10:47", RegradeSideEffect, **ONE, grade=4, serious=True)
    visit.refused(SeriousSideEffectNotSignedOff, "10:50", DischargePatient, **HOME)
