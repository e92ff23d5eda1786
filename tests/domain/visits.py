"""Visits for tests: a patient of 70 kg who is ready in every respect, on a clock in a clinic in Denver.

    visit = ready_to_start()
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(25))

`do` sends a command as if charted at once, `late` charts it at `now` with a reason. Each returns the decision.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec
import pytest

from domain.infusion.arrival import ArrivePatient, CheckBeforeInfusion, RoomPatient, VisitQuestions
from domain.infusion.departure import AssessRecovery, DischargePatient
from domain.infusion.drug_run import StartInfusion, StopInfusion
from domain.infusion.monitoring import RecordVitals, ScoreSedation, VitalSigns
from domain.infusion.order import OrderDose
from domain.infusion.visit import (
    CourseFacts,
    CredentialFact,
    Facts,
    RoomFacts,
    StaffFacts,
    State,
    decide,
    evolve,
    initial,
)
from domain.kernel import Actor, Command, Decision, DomainError, Event
from domain.protocol import EXAMPLE_PROTOCOL, adopted

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000000")
DENVER = ZoneInfo("America/Denver")
DAY = date(2026, 3, 10)


def named(name: str) -> UUID:
    """A fixed id that tests can speak of by name."""
    return uuid5(SPACE, name)


PATIENT, COURSE, CLINIC = named("patient"), named("course"), named("clinic")
DOCTOR, NURSE, ROOM, OTHER_ROOM = named("doctor"), named("nurse"), named("room 1"), named("room 2")
ORDER, INFUSION = named("order"), named("infusion")
PROTOCOL = adopted(EXAMPLE_PROTOCOL, "Dr Example", 1)

BY_NURSE = Actor(id="nurse", role="nurse")
BY_DOCTOR = Actor(id="doctor", role="prescriber")
ALDRETE_10 = dict.fromkeys(("activity", "respiration", "circulation", "consciousness", "oxygen_saturation"), 2)
QUESTIONS = VisitQuestions(
    medicines_changed=False, fasted=True, pregnancy="denied", urinary_symptoms=False, low_mood=False,
    health_changed=False)
FINE = VitalSigns(
    heart_rate_per_min=72, systolic_mmhg=124, diastolic_mmhg=78, spo2_percent=98, respiratory_rate_per_min=14)


def clock(text: str, day: date = DAY) -> datetime:
    """A clinic-local time of day; `+1 00:30` is the next day's."""
    days = 0
    if text.startswith("+"):
        more, text = text[1:].split(" ")
        days = int(more)
    hour, minute, *second = (int(part) for part in text.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, *second, tzinfo=DENVER) + timedelta(days=days)


def in_date(kind: str) -> StaffFacts:
    """Somebody whose credential is in date."""
    credential = CredentialFact(kind=kind, valid_from=date(2020, 1, 1), valid_until=date(2030, 1, 1))
    return StaffFacts(credentials=(credential,))


def ready_facts(**changes: Any) -> Facts:
    """Everything outside the visit speaks for an infusion: the trial of an open course."""
    facts = Facts(
        clinic_id=CLINIC, timezone="America/Denver", protocol=PROTOCOL,
        course=CourseFacts(course_id=COURSE, patient_id=PATIENT, is_open=True),
        consultation_held_at=clock("10:00") - timedelta(days=20), consent_signed_at=clock("10:00") - timedelta(days=20),
        screened_at=clock("10:00") - timedelta(days=20),
        staff={DOCTOR: in_date("medical_license"), NURSE: in_date("nursing_license")},
        rooms={ROOM: RoomFacts(in_service=True), OTHER_ROOM: RoomFacts(in_service=True)})
    return msgspec.structs.replace(facts, **changes)


class Visit:
    """One visit under test: its state, its facts, every event so far."""

    def __init__(self, facts: Facts | None = None, stream_id: UUID = INFUSION) -> None:
        self.state: State = initial(stream_id)
        self.facts = facts or ready_facts()
        self.events: list[Event] = []

    def decide(self, at: str, kind: type[Command], /, *, now: str | None = None, late_reason: str | None = None,
               by: Actor = BY_NURSE, **fields: Any) -> Decision:
        command = kind(by=by, now=clock(now or at), at=clock(at), late_reason=late_reason, **fields)
        return decide(self.state, command, self.facts)

    def do(self, at: str, kind: type[Command], /, **fields: Any) -> Decision:
        decision = self.decide(at, kind, **fields)
        self.record(*decision.events)
        return decision

    def late(self, at: str, kind: type[Command], /, *, now: str, **fields: Any) -> Decision:
        return self.do(at, kind, now=now, late_reason="charted afterwards", **fields)

    def refused(self, error: type[DomainError], at: str, kind: type[Command], /, **fields: Any) -> DomainError:
        with pytest.raises(DomainError) as caught:
            self.decide(at, kind, **fields)
        assert type(caught.value) is error, (caught.value, caught.value.data)
        return caught.value

    def record(self, *events: Event) -> None:
        for event in events:
            self.state = evolve(self.state, self.state.version + 1, event)
            self.events.append(event)

    def watch(self, at: str, vitals: VitalSigns = FINE, rass: int = 0) -> None:
        self.do(at, RecordVitals, vitals=vitals)
        self.do(at, ScoreSedation, scale="rass", score=rass)

    def version_of(self, kind: type[Event], nth: int = 0) -> int:
        return [entry.version for entry in self.state.entries if isinstance(entry.event, kind)][nth]

    def all(self, kind: type[Event]) -> list[Any]:
        """The entries of a kind that stand, corrected."""
        return [entry.event for entry in self.state.entries if isinstance(entry.event, kind) and not entry.struck]


def order_fields(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": ORDER, "prescriber_id": DOCTOR, "purpose": "trial", "weight_basis": "actual",
        "bolus_mg": Decimal(0), "rate_mg_per_h": Decimal(25), "planned_minutes": 60,
        "concentration_mg_per_ml": Decimal(1), **changes}


def check_fields(**changes: Any) -> dict[str, Any]:
    return {"weight_kg": Decimal(70), "height_cm": Decimal(175), "questions": QUESTIONS, "driver_named": True,
            "nurse_id": NURSE, **changes}


def arrived(facts: Facts | None = None) -> Visit:
    visit = Visit(facts)
    visit.do("08:55", ArrivePatient, patient_id=PATIENT, visit_kind="trial", course_id=COURSE)
    return visit


def roomed(facts: Facts | None = None) -> Visit:
    visit = arrived(facts)
    visit.do("09:00", RoomPatient, room_id=ROOM)
    return visit


def checked(facts: Facts | None = None, **changes: Any) -> Visit:
    visit = roomed(facts)
    visit.do("09:05", CheckBeforeInfusion, **check_fields(**changes))
    return visit


def ordered(facts: Facts | None = None, **changes: Any) -> Visit:
    visit = checked(facts)
    visit.do("09:10", OrderDose, by=BY_DOCTOR, **order_fields(**changes))
    return visit


def ready_to_start(facts: Facts | None = None, **changes: Any) -> Visit:
    visit = ordered(facts, **changes)
    visit.do("09:15", RecordVitals, vitals=FINE)
    return visit


def running(facts: Facts | None = None, **changes: Any) -> Visit:
    """Drug runs since 09:20 at 25 mg/h; watched at 09:30."""
    visit = ready_to_start(facts, **changes)
    visit.do("09:20", StartInfusion, rate_mg_per_h=Decimal(25))
    visit.watch("09:30")
    return visit


def stopped(facts: Facts | None = None) -> Visit:
    """Stopped at 10:20 after its 60 minutes and 25 mg."""
    visit = running(facts)
    visit.do("10:20", StopInfusion)
    return visit


def discharged(facts: Facts | None = None) -> Visit:
    visit = stopped(facts)
    visit.do("10:45", AssessRecovery, scale="aldrete", items=ALDRETE_10)
    visit.do("10:50", DischargePatient, driver_present=True, instructions_given=True, discharged_by=NURSE)
    return visit
