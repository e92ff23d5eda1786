"""Vital signs, sedation, alerts: what is implausible, what raises red, and what red forbids."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.infusion.alerts import (
    AlertAlreadyAnswered,
    AlertOpen,
    NoSuchAlert,
    NotPaused,
    NotStopped,
    SedationOverdue,
    VitalsOverdue,
)
from domain.infusion.drug_run import ChangeRate, GiveBolus, PauseInfusion, ResumeInfusion, StopInfusion
from domain.infusion.monitoring import (
    AcknowledgeAlert,
    AlertAcknowledged,
    AlertRaised,
    EmptyVitals,
    ImplausibleVital,
    NotASign,
    ReasonNeeded,
    RecordVitals,
    ScoreSedation,
    VitalSigns,
    VitalsRecorded,
)
from domain.infusion.rules import PrescriberNeeded, PrescriberNotLicensed
from domain.kernel import DomainError, derived_id
from domain.vocabulary import UnknownCode
from domain.vocabulary.scales import ScoreOutOfRange
from tests.domain import visits
from tests.domain.visits import BY_DOCTOR, DOCTOR, FINE, INFUSION, Visit, clock, ready_facts

UP: dict[str, Any] = {"rate_mg_per_h": Decimal("25"), "reason_code": "insufficient_effect"}
MORE_DRUG: list[tuple[Any, dict[str, Any]]] = [(ChangeRate, UP), (GiveBolus, {"dose_mg": Decimal(5)})]
REASON: dict[str, Any] = {"action": "prescriber_reason", "prescriber_id": DOCTOR, "reason_code": "artefact"}


def signs(**changes: Any) -> VitalSigns:
    return visits.msgspec.structs.replace(FINE, **changes)


def slow(facts: Any = None) -> Visit:
    """Runs at 20 mg/h, so that 25 is a rate up inside the limits."""
    visit = visits.ready_to_start(facts)
    visit.do("09:20", visits.StartInfusion, rate_mg_per_h=Decimal(20))
    visit.watch("09:30")
    return visit


def desaturated() -> Visit:
    visit = slow()
    visit.do("09:35", RecordVitals, vitals=signs(spo2_percent=88))
    return visit


@pytest.mark.parametrize(("sign", "value"), [
    ("heart_rate_per_min", 301), ("heart_rate_per_min", 19), ("systolic_mmhg", 39), ("systolic_mmhg", 301),
    ("diastolic_mmhg", 201), ("spo2_percent", 39), ("spo2_percent", 101), ("respiratory_rate_per_min", 81),
    ("respiratory_rate_per_min", -1), ("temperature_c", Decimal("45.1")), ("temperature_c", Decimal("NaN")),
    ("etco2_mmhg", 121), ("systolic_mmhg", 0), ("spo2_percent", 0),
])
def test_implausible_vitals_are_refused_at_entry_even_late(sign: str, value: Any) -> None:
    visit = slow()
    refusal = visit.refused(ImplausibleVital, "09:35", RecordVitals, vitals=signs(**{sign: value}))
    assert refusal.data["sign"] == sign
    assert refusal.data["pointer"] == f"/vitals/{sign}"
    visit.refused(ImplausibleVital, "09:35", RecordVitals, now="10:00", late_reason="x", vitals=signs(**{sign: value}))


def test_systolic_lies_above_diastolic() -> None:
    slow().refused(ImplausibleVital, "09:35", RecordVitals, vitals=signs(systolic_mmhg=80, diastolic_mmhg=80))


def test_no_pulse_and_no_breath_are_facts_and_red() -> None:
    """0 is accepted for heart and respiratory rate and raises alerts."""
    decided = slow().do("09:35", RecordVitals, vitals=signs(heart_rate_per_min=0, respiratory_rate_per_min=0))
    assert [event.sign for event in decided.events if isinstance(event, AlertRaised)] == [
        "heart_rate_per_min", "respiratory_rate_per_min"]


def test_what_is_not_obtainable_is_said_so() -> None:
    visit = slow()
    visit.do("09:35", RecordVitals, vitals=VitalSigns(heart_rate_per_min=70, not_obtainable=("spo2_percent",)))
    visit.refused(EmptyVitals, "09:36", RecordVitals, vitals=VitalSigns())
    visit.refused(NotASign, "09:36", RecordVitals, vitals=signs(not_obtainable=("spo2_percent",)))
    visit.refused(NotASign, "09:36", RecordVitals, vitals=VitalSigns(not_obtainable=("mood",)))


def test_the_phase_follows_the_drug() -> None:
    visit = visits.stopped()
    visit.do("10:30", RecordVitals, vitals=FINE)
    assert [event.phase for event in visit.all(VitalsRecorded)] == ["baseline", "infusion", "recovery"]


@pytest.mark.parametrize(("fields", "limit"), [
    ({"spo2_percent": 89}, 90), ({"systolic_mmhg": 181}, 180), ({"systolic_mmhg": 89}, 90),
    ({"heart_rate_per_min": 151}, 150), ({"respiratory_rate_per_min": 9}, 10),
])
def test_a_value_beyond_the_pause_limit_raises_an_alert(fields: dict[str, int], limit: int) -> None:
    (sign, value), = fields.items()
    visit = slow()
    _, alert = visit.do("09:35", RecordVitals, vitals=signs(**fields)).events
    assert isinstance(alert, AlertRaised)
    assert (alert.sign, alert.value, alert.limit) == (sign, value, limit)
    assert alert.entry == visit.version_of(VitalsRecorded, 2)
    assert alert.alert_id == derived_id("alert", INFUSION, alert.entry, sign)


@pytest.mark.parametrize(("scale", "score", "red"), [
    ("rass", -3, True), ("rass", -2, False), ("moaa_s", 3, True), ("moaa_s", 4, False), ("ramsay", 5, True),
    ("ramsay", 4, False),
])
def test_sedation_too_deep_raises_an_alert(scale: str, score: int, red: bool) -> None:
    events = slow().do("09:35", ScoreSedation, scale=scale, score=score).events
    assert [type(event) for event in events[1:]] == ([AlertRaised] if red else [])


def test_sedation_scores_lie_on_their_scale() -> None:
    slow().refused(ScoreOutOfRange, "09:35", ScoreSedation, scale="rass", score=5)
    slow().refused(UnknownCode, "09:35", ScoreSedation, scale="nrs", score=5)


def test_alerts_are_for_the_time_drug_is_in_play() -> None:
    """Before the start hold limits rule; after the stop there is no drug to pause."""
    visit = visits.ordered()
    assert len(visit.do("09:15", RecordVitals, vitals=signs(spo2_percent=85)).events) == 1
    after = visits.stopped()
    assert len(after.do("10:30", RecordVitals, vitals=signs(spo2_percent=85)).events) == 1


def test_an_open_alert_raises_no_second_one_for_its_sign() -> None:
    visit = desaturated()
    events = visit.do("09:36", RecordVitals, vitals=signs(spo2_percent=87, heart_rate_per_min=40)).events
    assert [event.sign for event in events if isinstance(event, AlertRaised)] == ["heart_rate_per_min"]


@pytest.mark.parametrize(("command", "fields"), MORE_DRUG)
def test_no_more_drug_while_an_alert_is_open(command: Any, fields: dict[str, Any]) -> None:
    visit = desaturated()
    assert visit.refused(AlertOpen, "09:36", command, **fields).data["sign"] == "spo2_percent"
    visit.do("09:37", RecordVitals, vitals=FINE)
    visit.refused(AlertOpen, "09:38", command, **fields)


def test_less_drug_while_an_alert_is_open() -> None:
    visit = desaturated()
    visit.do("09:36", ChangeRate, rate_mg_per_h=Decimal(20), reason_code="order")
    visit.do("09:36", ChangeRate, rate_mg_per_h=Decimal(10), reason_code="vital_signs")
    paused = visit.do("09:37", PauseInfusion, reason_code="alert")
    assert [event.action for event in paused.events if isinstance(event, AlertAcknowledged)] == ["paused"]
    assert not visit.state.open_alerts


def test_after_a_pause_the_sign_must_come_back_before_resuming() -> None:
    visit = desaturated()
    visit.do("09:36", PauseInfusion, reason_code="alert")
    visit.refused(AlertOpen, "09:37", ResumeInfusion, rate_mg_per_h=Decimal(20))
    visit.do("09:40", RecordVitals, vitals=FINE)
    visit.do("09:41", ResumeInfusion, rate_mg_per_h=Decimal(20))


def test_a_new_alert_in_the_pause_is_answered_by_hand() -> None:
    visit = desaturated()
    visit.do("09:36", PauseInfusion, reason_code="alert")
    visit.do("09:38", RecordVitals, vitals=signs(spo2_percent=86))
    (alert,) = visit.state.open_alerts
    visit.do("09:40", RecordVitals, vitals=FINE)
    visit.refused(AlertOpen, "09:41", ResumeInfusion, rate_mg_per_h=Decimal(20))
    visit.do("09:41", AcknowledgeAlert, alert_id=alert.alert_id, action="paused")
    visit.do("09:42", ResumeInfusion, rate_mg_per_h=Decimal(20))


def test_a_prescribers_reason_lets_the_infusion_go_on() -> None:
    visit = desaturated()
    (alert,) = visit.state.open_alerts
    visit.refused(PrescriberNeeded, "09:36", AcknowledgeAlert, alert_id=alert.alert_id, **REASON)
    visit.refused(ReasonNeeded, "09:36", AcknowledgeAlert, by=BY_DOCTOR, alert_id=alert.alert_id,
                  **{**REASON, "reason_code": None})
    visit.refused(ReasonNeeded, "09:36", AcknowledgeAlert, by=BY_DOCTOR, alert_id=alert.alert_id,
                  **{**REASON, "prescriber_id": None})
    visit.facts = ready_facts(staff={})
    visit.refused(PrescriberNotLicensed, "09:36", AcknowledgeAlert, by=BY_DOCTOR, alert_id=alert.alert_id, **REASON)
    visit.facts = ready_facts()
    visit.do("09:36", AcknowledgeAlert, by=BY_DOCTOR, alert_id=alert.alert_id, **REASON)
    visit.do("09:37", ChangeRate, **UP)
    again = visit.do("09:40", RecordVitals, vitals=signs(spo2_percent=87))
    assert isinstance(again.events[1], AlertRaised)


def test_a_reason_after_the_pause_allows_resuming() -> None:
    visit = desaturated()
    visit.do("09:36", PauseInfusion, reason_code="alert")
    (alert,) = visit.state.alerts
    visit.do("09:37", AcknowledgeAlert, by=BY_DOCTOR, alert_id=alert.alert_id, **REASON)
    visit.refused(AlertAlreadyAnswered, "09:38", AcknowledgeAlert, by=BY_DOCTOR, alert_id=alert.alert_id, **REASON)
    visit.do("09:38", ResumeInfusion, rate_mg_per_h=Decimal(20))


def test_an_alert_is_answered_by_what_was_done() -> None:
    visit = desaturated()
    (alert,) = visit.state.open_alerts
    visit.refused(NotPaused, "09:36", AcknowledgeAlert, alert_id=alert.alert_id, action="paused")
    visit.refused(NotStopped, "09:36", AcknowledgeAlert, alert_id=alert.alert_id, action="stopped")
    visit.refused(NoSuchAlert, "09:36", AcknowledgeAlert, alert_id=visits.named("none"), action="stopped")
    visit.refused(UnknownCode, "09:36", AcknowledgeAlert, alert_id=alert.alert_id, action="ignored")
    stop = visit.do("09:37", StopInfusion, early_reason_code="vital_signs")
    assert [event.action for event in stop.events if isinstance(event, AlertAcknowledged)] == ["stopped"]
    visit.refused(AlertAlreadyAnswered, "09:38", AcknowledgeAlert, alert_id=alert.alert_id, action="stopped")


@pytest.mark.parametrize(("command", "fields"), MORE_DRUG)
@pytest.mark.parametrize(("error", "watched"), [(VitalsOverdue, ScoreSedation), (SedationOverdue, RecordVitals)])
def test_no_more_drug_while_vitals_or_sedation_are_overdue(
    command: Any, fields: dict[str, Any], error: type[DomainError], watched: Any
) -> None:
    """Each on its own: 15 minutes after the last is in time, a minute more is not."""
    visit = slow()
    entry = {"vitals": FINE} if watched is RecordVitals else {"scale": "rass", "score": 0}
    visit.do("09:40", watched, **entry)
    assert visit.decide("09:45", command, **fields)
    visit.refused(error, "09:46", command, **fields)


def test_the_clock_starts_with_the_drug() -> None:
    """Nothing recorded since before the start: due 15 minutes after it."""
    visit = visits.ready_to_start()
    visit.do("09:20", visits.StartInfusion, rate_mg_per_h=Decimal(20))
    assert visit.decide("09:35", ChangeRate, **UP)
    assert visit.refused(VitalsOverdue, "09:36", ChangeRate, **UP).data["also"] == "sedation-overdue"


def test_a_set_without_any_value_is_no_set() -> None:
    visit = slow()
    visit.do("09:44", RecordVitals, vitals=VitalSigns(not_obtainable=("spo2_percent", "heart_rate_per_min")))
    visit.do("09:44", ScoreSedation, scale="rass", score=0)
    visit.refused(VitalsOverdue, "09:46", ChangeRate, **UP)


def test_resume_is_refused_while_overdue() -> None:
    visit = slow()
    visit.do("09:31", PauseInfusion, reason_code="bathroom")
    visit.refused(VitalsOverdue, "09:46", ResumeInfusion, rate_mg_per_h=Decimal(20))
    visit.watch("09:46")
    visit.do("09:46", ResumeInfusion, rate_mg_per_h=Decimal(20))


def test_an_alert_charted_after_the_pause_is_answered_by_it() -> None:
    """SpO2 88 at 09:33, charted at 09:50; the drug was paused at 09:36."""
    visit = slow()
    visit.do("09:36", PauseInfusion, reason_code="vital_signs")
    late = visit.late("09:33", RecordVitals, now="09:50", vitals=signs(spo2_percent=88))
    assert [type(event) for event in late.events[1:]] == [AlertRaised, AlertAcknowledged]
    assert late.events[2].occurred_at == clock("09:36")
    assert not visit.state.open_alerts


def test_late_vitals_inside_the_limits_are_plain_facts() -> None:
    visit = slow()
    late = visit.do("09:25", RecordVitals, now="09:50", vitals=FINE)
    assert len(late.events) == 1
    assert visit.state.vitals_at == clock("09:30")
