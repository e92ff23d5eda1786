"""Milligrams and minutes from the events alone; pause, stop and rate down are never refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.corrections import Entry
from domain.infusion.departure import RuleBreached
from domain.infusion.drug_given import AlreadyStopped, DrugNotPaused, DrugNotRunning, NotStarted
from domain.infusion.drug_run import (
    BolusGiven,
    ChangeRate,
    FailIV,
    GiveBolus,
    GiveMedication,
    InfusionGiven,
    InfusionPaused,
    InfusionResumed,
    InfusionStarted,
    InfusionStoppedEarly,
    MedicationGiven,
    PauseInfusion,
    PlaceIV,
    RateChanged,
    ResumeInfusion,
    Segment,
    StopInfusion,
    dose_and_minutes,
    runs,
)
from domain.infusion.limits import DoseAboveHardLimit, DoseLimitNeedsReason
from domain.infusion.line import ImplausibleLine
from domain.infusion.order import DoseLimitOverridden
from domain.infusion.rules import ImplausibleAmount
from domain.vocabulary import UnknownCode
from tests.domain import visits
from tests.domain.visits import BY_DOCTOR, clock


def at(text: str) -> dict[str, Any]:
    return {"occurred_at": clock(text)}


def entries(*events: Any) -> tuple[Entry, ...]:
    return tuple(Entry(version, event) for version, event in enumerate(events, 1))


def test_segments_and_dose_of_a_run_with_pause_rate_change_and_bolus() -> None:
    told = entries(
        BolusGiven(**at("09:00"), dose_mg=Decimal("10.5")),
        InfusionStarted(**at("09:00"), rate_mg_per_h=Decimal(20)),
        RateChanged(**at("09:15"), rate_mg_per_h=Decimal(40), reason_code="titration"),
        InfusionPaused(**at("09:30"), reason_code="bathroom"),
        InfusionResumed(**at("09:40"), rate_mg_per_h=Decimal(30)),
        InfusionStoppedEarly(**at("10:00"), reason_code="patients_wish"))
    assert runs(told) == (
        Segment(clock("09:00"), clock("09:15"), Decimal(20)),
        Segment(clock("09:15"), clock("09:30"), Decimal(40)),
        Segment(clock("09:40"), clock("10:00"), Decimal(30)))
    dose = dose_and_minutes(told)
    assert (dose.dose_mg, dose.minutes) == (Decimal("35.50"), Decimal("50.00"))


def test_of_an_open_run_up_to_a_moment() -> None:
    told = entries(InfusionStarted(**at("09:00"), rate_mg_per_h=Decimal(30)))
    assert runs(told) == (Segment(clock("09:00"), None, Decimal(30)),)
    assert dose_and_minutes(told).dose_mg == 0
    assert dose_and_minutes(told, clock("09:20")).dose_mg == Decimal("10.00")


def test_sums_are_exact_and_rounded_once_half_up() -> None:
    """Thirds of an hour at 0.03 mg/h: three times 0.01, not 0.00; half a hundredth goes up."""
    third = entries(
        InfusionStarted(**at("09:00"), rate_mg_per_h=Decimal("0.005")),
        RateChanged(**at("09:20"), rate_mg_per_h=Decimal("0.005"), reason_code="titration"),
        RateChanged(**at("09:40"), rate_mg_per_h=Decimal("0.005"), reason_code="titration"),
        InfusionStoppedEarly(**at("10:00"), reason_code="other"))
    assert dose_and_minutes(third).dose_mg == Decimal("0.01")


def test_a_rate_of_zero_runs_no_minutes() -> None:
    told = entries(
        InfusionStarted(**at("09:00"), rate_mg_per_h=Decimal(30)),
        RateChanged(**at("09:10"), rate_mg_per_h=Decimal(0), reason_code="side_effect"),
        RateChanged(**at("09:30"), rate_mg_per_h=Decimal(30), reason_code="titration"),
        InfusionStoppedEarly(**at("09:40"), reason_code="other"))
    assert dose_and_minutes(told) == dose_and_minutes(told, clock("12:00"))
    assert dose_and_minutes(told).minutes == Decimal("20.00")


def test_infusion_given_is_computed_at_the_stop() -> None:
    visit = visits.running()
    visit.do("09:40", ChangeRate, rate_mg_per_h=Decimal(10), reason_code="side_effect")
    visit.do("09:50", PauseInfusion, reason_code="bathroom")
    visit.watch("09:52")
    visit.do("09:55", ResumeInfusion, rate_mg_per_h=Decimal(10))
    (given,) = visit.do("10:25", StopInfusion).events
    assert isinstance(given, InfusionGiven)
    assert given.minutes == Decimal("60.00")
    assert given.dose_mg == Decimal("15.00")
    assert given.dose_mg_per_kg == Decimal("0.214")
    assert given.complete
    assert given.course_id == visits.COURSE


def test_an_early_stop_says_why_first() -> None:
    early, given = visits.running().do("09:50", StopInfusion, early_reason_code="side_effect", note="dizzy").events
    assert isinstance(early, InfusionStoppedEarly)
    assert early.reason_code == "side_effect"
    assert isinstance(given, InfusionGiven)
    assert not given.complete
    assert given.dose_mg == Decimal("12.50")


def test_a_stop_while_paused_counts_to_the_pause() -> None:
    visit = visits.running()
    visit.do("09:50", PauseInfusion, reason_code="line")
    given = visit.do("10:30", StopInfusion, early_reason_code="line_failure").events[-1]
    assert given.minutes == Decimal("30.00")
    assert given.occurred_at == clock("10:30")


def test_a_run_of_no_time_gives_no_infusion() -> None:
    """InfusionGiven is for drug that ran more than 0 minutes; the stop is then an early one."""
    visit = visits.ready_to_start()
    visit.do("09:20", visits.StartInfusion, rate_mg_per_h=Decimal(25))
    events = visit.do("09:20", StopInfusion).events
    assert [type(event) for event in events] == [InfusionStoppedEarly]
    assert visit.state.run.over


def test_stop_is_final_and_needs_a_start() -> None:
    visits.ready_to_start().refused(NotStarted, "09:30", StopInfusion)
    visit = visits.stopped()
    visit.refused(AlreadyStopped, "10:30", StopInfusion)
    visit.refused(AlreadyStopped, "10:30", PauseInfusion, reason_code="line")
    visit.refused(AlreadyStopped, "10:30", ChangeRate, rate_mg_per_h=Decimal(1), reason_code="titration")


def test_pause_and_resume_take_turns() -> None:
    visit = visits.running()
    visit.refused(DrugNotPaused, "09:31", ResumeInfusion, rate_mg_per_h=Decimal(20))
    visit.do("09:31", PauseInfusion, reason_code="bathroom")
    visit.refused(DrugNotRunning, "09:32", PauseInfusion, reason_code="bathroom")
    visit.refused(DrugNotRunning, "09:32", ChangeRate, rate_mg_per_h=Decimal(1), reason_code="titration")
    visit.do("09:33", ResumeInfusion, rate_mg_per_h=Decimal(20))


def test_rate_up_is_held_to_the_limits() -> None:
    visit = visits.running()
    up = {"rate_mg_per_h": Decimal(26), "reason_code": "insufficient_effect"}
    visit.refused(DoseLimitNeedsReason, "09:31", ChangeRate, **up)
    visit.refused(DoseLimitNeedsReason, "09:31", ChangeRate, **up, override_reason_code="prior_tolerance")
    visit.refused(DoseAboveHardLimit, "09:31", ChangeRate, by=BY_DOCTOR, rate_mg_per_h=Decimal(51),
                  reason_code="insufficient_effect", override_reason_code="prior_tolerance")
    decided = visit.do("09:31", ChangeRate, by=BY_DOCTOR, **up, override_reason_code="prior_tolerance")
    assert [type(event) for event in decided.events] == [RateChanged, DoseLimitOverridden]


def test_rate_down_pause_and_stop_are_never_refused() -> None:
    """Not without protocol, licence, vitals or course: less drug is always allowed."""
    bare = visits.ready_facts(protocol=None, course=None, staff={}, consent_signed_at=None)
    visit = visits.running()
    visit.facts = bare
    visit.do("11:00", ChangeRate, rate_mg_per_h=Decimal("0.5"), reason_code="side_effect")
    visit.do("11:10", PauseInfusion, reason_code="alert")
    visit.do("11:20", StopInfusion, early_reason_code="vital_signs")


def test_a_projected_total_over_the_limit_is_refused() -> None:
    """25 mg/h for 240 minutes is 100 mg: two boluses of 20 mg reach 2 mg/kg, the third would go over."""
    visit = visits.running(planned_minutes=240)
    visit.do("09:31", GiveBolus, dose_mg=Decimal(20))
    visit.do("09:32", GiveBolus, dose_mg=Decimal(20))
    refusal = visit.refused(DoseLimitNeedsReason, "09:33", GiveBolus, dose_mg=Decimal(20))
    assert (refusal.data["limit"], refusal.data["asked"]) == ("dose_mg_per_kg", "2.286")


def test_a_late_bolus_after_the_stop_counts_and_is_a_breach() -> None:
    visit = visits.stopped()
    visit.refused(AlreadyStopped, "10:25", GiveBolus, dose_mg=Decimal(5))
    late = visit.late("10:25", GiveBolus, now="10:40", dose_mg=Decimal(5))
    assert [e.rule for e in late.events if isinstance(e, RuleBreached)] == ["already-stopped"]
    (given,) = visit.all(InfusionGiven)
    assert given.dose_mg == Decimal("30.00")


def test_line_and_other_medicines() -> None:
    visit = visits.checked()
    visit.do("09:06", FailIV, site="left_hand", reason_code="no_access")
    visit.do("09:08", PlaceIV, site="right_forearm", gauge=22, attempts=2)
    visit.refused(ImplausibleLine, "09:08", PlaceIV, site="right_forearm", gauge=3)
    visit.refused(UnknownCode, "09:08", PlaceIV, site="nose", gauge=22)
    given = {
        "medication": "ondansetron", "dose": Decimal(4), "unit": "mg", "route": "intravenous", "indication": "nausea"}
    assert isinstance(visit.do("09:09", GiveMedication, **given).events[0], MedicationGiven)
    visit.refused(ImplausibleAmount, "09:09", GiveMedication, **{**given, "dose": Decimal(0)})
    visit.refused(UnknownCode, "09:09", GiveMedication, **{**given, "route": "osmosis"})


@pytest.mark.parametrize(("command", "fields"), [
    (GiveBolus, {"dose_mg": Decimal(0)}), (ResumeInfusion, {"rate_mg_per_h": Decimal(0)}),
    (ResumeInfusion, {"rate_mg_per_h": Decimal(-1)}),
])
def test_amounts_must_be_positive(command: Any, fields: dict[str, Any]) -> None:
    visit = visits.running()
    if command is ResumeInfusion:
        visit.do("09:31", PauseInfusion, reason_code="line")
    visit.refused(ImplausibleAmount, "09:32", command, **fields)
