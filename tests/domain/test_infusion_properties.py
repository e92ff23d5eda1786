"""What holds for every visit: exact milligrams, any order of arrival, any prefix, one standing InfusionGiven."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.corrections import AmendEntry, Entry, EntryAmended, EntryStruck, StrikeEntry, in_order, standing
from domain.infusion.arrival import PreInfusionChecked
from domain.infusion.departure import (
    AssessRecovery,
    DieInCare,
    DischargePatient,
    EndWithoutInfusion,
    LeaveAgainstAdvice,
    ReleaseRoom,
    TransferToHospital,
)
from domain.infusion.drug_run import (
    BolusGiven,
    ChangeRate,
    GiveBolus,
    InfusionGiven,
    InfusionPaused,
    InfusionResumed,
    InfusionStarted,
    InfusionStoppedEarly,
    PauseInfusion,
    RateChanged,
    ResumeInfusion,
    StartInfusion,
    StopInfusion,
    dose_and_minutes,
    per_kg,
    runs,
)
from domain.infusion.monitoring import AcknowledgeAlert, RecordVitals, ScoreSedation, VitalsRecorded
from domain.infusion.order import DoseOrdered
from domain.infusion.sequence import contradictions
from domain.infusion.side_effects import ReportSideEffect, ResolveSideEffect
from domain.infusion.visit import State, decide, evolve, initial
from domain.kernel import Command, DomainError, Event
from tests.domain import visits
from tests.domain.visits import ALDRETE_10, BY_DOCTOR, BY_NURSE, DOCTOR, FINE, INFUSION, NURSE, clock, named

RATES = st.decimals(min_value="0", max_value="60", places=3)
GAPS = st.integers(min_value=1, max_value=3_600_000_000)
PUMP = st.sampled_from(("rate", "pause", "resume", "bolus"))


@st.composite
def pump_stories(draw: Any) -> list[Event]:
    """A start, then what a pump can do, at microsecond times, then a stop."""
    at, paused = clock("09:00"), False
    told: list[Event] = [InfusionStarted(occurred_at=at, rate_mg_per_h=draw(RATES))]
    for act in draw(st.lists(PUMP, max_size=12)):
        at += timedelta(microseconds=draw(GAPS))
        if act == "pause" and not paused:
            told.append(InfusionPaused(occurred_at=at, reason_code="line"))
        elif act == "resume" and paused:
            told.append(InfusionResumed(occurred_at=at, rate_mg_per_h=draw(RATES)))
        elif act == "rate" and not paused:
            told.append(RateChanged(occurred_at=at, rate_mg_per_h=draw(RATES), reason_code="titration"))
        elif act == "bolus":
            told.append(BolusGiven(occurred_at=at, dose_mg=draw(RATES)))
        paused = act == "pause" or (paused and act != "resume")
    at += timedelta(microseconds=draw(GAPS))
    return [*told, InfusionStoppedEarly(occurred_at=at, reason_code="other")]


def integrated(told: list[Event]) -> tuple[Fraction, Fraction]:
    """mg and minutes by walking the story with exact fractions: another way than the code's."""
    rate, running, drug, time = Fraction(0), False, Fraction(0), Fraction(0)
    for event, following in zip(told, [*told[1:], told[-1]], strict=True):
        match event:
            case BolusGiven():
                drug += Fraction(event.dose_mg)
            case InfusionPaused():
                running = False
            case InfusionStarted() | InfusionResumed() | RateChanged():
                rate, running = Fraction(event.rate_mg_per_h), True
        span = following.occurred_at - event.occurred_at
        hours = Fraction(span // timedelta(microseconds=1), 3_600_000_000)
        if running and rate > 0:
            drug += rate * hours
            time += hours * 60
    return drug, time


def rounded(exact: Fraction) -> Decimal:
    """Half up to 0.01, in whole numbers."""
    return Decimal(int(exact * 100 + Fraction(1, 2))) / 100


@given(pump_stories())
@settings(max_examples=400)
def test_milligrams_and_minutes_are_exact(told: list[Event]) -> None:
    drug, minutes = integrated(told)
    dose = dose_and_minutes([Entry(version, event) for version, event in enumerate(told, 1)])
    assert dose.dose_mg == rounded(drug)
    assert dose.minutes == rounded(minutes)


@given(pump_stories())
def test_runs_do_not_overlap_and_end(told: list[Event]) -> None:
    segments = runs([Entry(version, event) for version, event in enumerate(told, 1)])
    for one, next_one in pairwise(segments):
        assert one.ends_at is not None
        assert one.starts_at < one.ends_at <= next_one.starts_at
    assert all(segment.ends_at is not None for segment in segments)


# --- whole visits --------------------------------------------------------------------------------

ORDINARY: tuple[tuple[str, type[Command], dict[str, Any]], ...] = (
    ("08:55", visits.ArrivePatient, {"patient_id": visits.PATIENT, "visit_kind": "trial", "course_id": visits.COURSE}),
    ("09:00", visits.RoomPatient, {"room_id": visits.ROOM}),
    ("09:05", visits.CheckBeforeInfusion, visits.check_fields()),
    ("09:10", visits.OrderDose, {"by": BY_DOCTOR, **visits.order_fields()}),
    ("09:15", RecordVitals, {"vitals": FINE}),
    ("09:20", StartInfusion, {"rate_mg_per_h": Decimal(20)}),
    ("09:30", RecordVitals, {"vitals": FINE}),
    ("09:30", ScoreSedation, {"scale": "rass", "score": 0}),
    ("09:35", ChangeRate, {"rate_mg_per_h": Decimal(25), "reason_code": "titration"}),
    ("09:40", PauseInfusion, {"reason_code": "bathroom"}),
    ("09:44", ResumeInfusion, {"rate_mg_per_h": Decimal(25)}),
    ("09:45", GiveBolus, {"dose_mg": Decimal(5)}),
    ("09:46", ReportSideEffect, {"side_effect_id": named("e"), "kind": "nausea", "grade": 1,
                                 "onset_at": clock("09:46")}),
    ("10:24", StopInfusion, {}),
    ("10:40", ResolveSideEffect, {"side_effect_id": named("e")}),
    ("10:50", AssessRecovery, {"scale": "aldrete", "items": ALDRETE_10}),
    ("10:55", DischargePatient, {"driver_present": True, "instructions_given": True, "discharged_by": NURSE}),
    ("11:05", ReleaseRoom, {}),
)


def folded(events: list[Event]) -> State:
    state = initial(INFUSION)
    for version, event in enumerate(events, 1):
        state = evolve(state, version, event)
    return state


def ordinary() -> list[Event]:
    visit = visits.Visit()
    for at, kind, fields in ORDINARY:
        visit.do(at, kind, **fields)
    return visit.events


def clinical(state: State) -> dict[str, Any]:
    """A state without what only says how it got into the log: versions, entries, ids derived from versions."""
    given_event = state.given.event if state.given is not None else None
    readings = {sign: (reading.value, reading.at) for sign, reading in state.vitals.items()}
    orders = [msgspec.structs.replace(order, version=0) for order in state.orders]
    ending = (state.ending.name, state.ending.at) if state.ending is not None else None
    kept = ("arrived_at", "rooms", "room_released_at", "check", "run", "vitals_at", "sedation_at", "side_effects",
            "recovery", "latest_at", "patient_id", "visit_kind")
    return {**{name: getattr(state, name) for name in kept}, "given": given_event, "readings": readings,
            "orders": orders, "ending": ending}


def spread(events: list[Event]) -> list[Event]:
    """The same events at moments that all differ (ties are broken by version, that is by arrival)."""
    return [
        msgspec.structs.replace(event, occurred_at=event.occurred_at + timedelta(milliseconds=index))
        for index, event in enumerate(events)]


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_the_order_of_arrival_does_not_matter(data: st.DataObject) -> None:
    events = spread(ordinary())
    shuffled = data.draw(st.permutations(events))
    assert clinical(folded(shuffled)) == clinical(folded(events))


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_evolve_never_fails_on_any_prefix_in_any_order(data: st.DataObject) -> None:
    """Not even with corrections of entries that are not there, or of other fields than they have."""
    events = spread(ordinary())
    at = clock("12:00")
    corrections: list[Event] = [
        EntryAmended(occurred_at=at, entry=data.draw(st.integers(0, 30)), entry_name="x", reason_code="other",
                     corrections=data.draw(st.sampled_from((
                         {"rate_mg_per_h": "nonsense"}, {"gone": 1}, {"occurred_at": "2026-03-10T09:21:00-06:00"},
                         {"dose_mg": "7"}, {"items": []}, {"vitals": None})))),
        EntryStruck(occurred_at=at, entry=data.draw(st.integers(0, 30)), entry_name="x", reason_code="other")]
    told = data.draw(st.permutations([*events, *corrections]))
    state = folded(told[: data.draw(st.integers(0, len(told)))])
    list(contradictions(state))


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_incremental_is_refolded(data: st.DataObject) -> None:
    """One event at a time gives the same state as folding the corrected entries in order."""
    told = data.draw(st.permutations(spread(ordinary())))
    state = folded(told)
    again = folded([entry.event for entry in in_order(standing(enumerate(told, 1)))])
    assert clinical(state) == clinical(again)


# --- any commands at all -------------------------------------------------------------------------

DRUG: tuple[tuple[type[Command], dict[str, Any]], ...] = (
    (StartInfusion, {"rate_mg_per_h": Decimal(25)}),
    (ChangeRate, {"rate_mg_per_h": Decimal(10), "reason_code": "titration"}),
    (ChangeRate, {"rate_mg_per_h": Decimal(22), "reason_code": "titration"}),
    (ChangeRate, {"rate_mg_per_h": Decimal(60), "reason_code": "titration"}),
    (GiveBolus, {"dose_mg": Decimal(5)}),
    (PauseInfusion, {"reason_code": "line"}),
    (ResumeInfusion, {"rate_mg_per_h": Decimal(20)}),
    (ResumeInfusion, {"rate_mg_per_h": Decimal(20)}),
)
STOPS: tuple[tuple[type[Command], dict[str, Any]], ...] = (
    (StopInfusion, {}), (StopInfusion, {"early_reason_code": "side_effect"}))
WATCH: tuple[tuple[type[Command], dict[str, Any]], ...] = (
    (RecordVitals, {"vitals": FINE}),
    (RecordVitals, {"vitals": msgspec.structs.replace(FINE, spo2_percent=85)}),
    (ScoreSedation, {"scale": "rass", "score": 0}),
    (AssessRecovery, {"scale": "aldrete", "items": ALDRETE_10}),
)
ENDS: tuple[tuple[type[Command], dict[str, Any]], ...] = (
    (DischargePatient, {"driver_present": True, "instructions_given": True, "discharged_by": NURSE}),
    (LeaveAgainstAdvice, {"reason_code": "patients_wish", "risks_explained": True}),
    (TransferToHospital, {"reason_code": "cardiac"}),
    (EndWithoutInfusion, {"reason_code": "other"}),
    (DieInCare, {}),
    (ReleaseRoom, {}),
)
SORTS = ("drug",) * 4 + ("watch",) * 2 + ("amend",) * 3 + ("stop", "end", "strike", "reason")
AMENDABLE: dict[type[Event], tuple[dict[str, Any], ...]] = {
    InfusionStarted: ({"rate_mg_per_h": "12.5"}, {"rate_mg_per_h": "70"}),
    RateChanged: ({"rate_mg_per_h": "0"}, {"rate_mg_per_h": "24.75"}),
    InfusionResumed: ({"rate_mg_per_h": "19.999"},),
    BolusGiven: ({"dose_mg": "7.77"}, {"dose_mg": "40"}),
    VitalsRecorded: ({"vitals": {"spo2_percent": 80}}, {"vitals": {"spo2_percent": 97}}),
    PreInfusionChecked: ({"weight_kg": "55"}, {"weight_kg": "71.5"}),
    DoseOrdered: ({"purpose": "series"}, {"planned_minutes": 90}),
}


@st.composite
def amendments(draw: Any, state: State, now: Any) -> Command:
    """A value put right, or a moment moved, of any entry there is."""
    entry = draw(st.sampled_from(state.entries))
    choices = list(AMENDABLE.get(type(entry.event), ()))
    moved = entry.event.occurred_at + timedelta(minutes=draw(st.integers(-15, 15)))
    corrections = draw(st.sampled_from([*choices, {"occurred_at": moved.isoformat()}]))
    return AmendEntry(
        by=BY_NURSE, at=now, now=now, entry=entry.version, corrections=corrections, reason_code="typing_error")


@st.composite
def commands(draw: Any, state: State, minute: int) -> Command:
    """Anything anybody may send at that minute, prompt or late, corrections included."""
    now = clock("09:15") + timedelta(minutes=minute)
    at = now - timedelta(minutes=draw(st.sampled_from((0, 0, 0, 5, 17, 40))))
    sent: dict[str, Any] = {"at": at, "now": now, "late_reason": "late"}
    sort = draw(st.sampled_from(SORTS))
    if sort == "amend":
        command: Command = draw(amendments(state, now))
        return command
    if sort == "strike":
        entry = draw(st.sampled_from(state.entries))
        return StrikeEntry(by=BY_NURSE, at=now, now=now, entry=entry.version, reason_code="did_not_happen")
    if sort == "reason" and state.alerts:
        return AcknowledgeAlert(
            by=BY_DOCTOR, **sent, alert_id=state.alerts[-1].alert_id, action="prescriber_reason",
            prescriber_id=DOCTOR, reason_code="artefact")
    kind, fields = draw(st.sampled_from({"drug": DRUG, "stop": STOPS, "end": ENDS}.get(sort, WATCH)))
    return kind(by=BY_NURSE, **sent, **fields)


@given(st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_whatever_is_accepted_leaves_a_visit_that_could_have_been(data: st.DataObject) -> None:
    """After every decision: one InfusionGiven, right figures; at most one ending; a sequence that is possible."""
    visit = data.draw(st.sampled_from((visits.ready_to_start, visits.running, visits.stopped)))()
    now = int((visit.events[-1].occurred_at - clock("09:15")) / timedelta(minutes=1))
    for _ in range(data.draw(st.integers(1, 25))):
        now += data.draw(st.integers(1, 8))
        command = data.draw(commands(visit.state, now))
        try:
            decision = decide(visit.state, command, visit.facts)
        except DomainError:
            continue
        before = visit.state.version
        visit.record(*decision.events)
        assert visit.state.version == before + len(decision.events)
        agree(visit.state)


def agree(state: State) -> None:
    assert not list(contradictions(state))
    live = in_order(state.entries)
    stops = [entry.event for entry in live if isinstance(entry.event, InfusionGiven)]
    dose = dose_and_minutes(live)
    if state.run.over and dose.minutes > 0:
        (stop,) = stops
        assert (stop.dose_mg, stop.minutes) == (dose.dose_mg, dose.minutes)
        assert stop.drug_started_at == state.run.started_at
        assert stop.occurred_at == state.run.stopped_at
        assert stop.complete is not state.run.stopped_early
        weight = state.dosing_weight_kg
        assert weight is None or stop.dose_mg_per_kg == per_kg(stop.dose_mg, weight)
    else:
        assert len(stops) <= 1
        assert not (stops and not state.run.over)
