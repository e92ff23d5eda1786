"""The whole visit: arrival to release, its claims, its one ending, over midnight, and what is not its own."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from decimal import Decimal

import msgspec

from domain.clinic import RoomAdded
from domain.infusion.arrival import (
    AlreadyRoomed,
    ArrivePatient,
    MovePatient,
    NotARoomOfTheClinic,
    PatientArrived,
    PatientInAnotherVisit,
    PatientMovedRoom,
    PatientRoomed,
    RoomInUse,
    RoomNotInService,
    RoomPatient,
    SameRoom,
    VisitAlreadyBegun,
    WrongCourse,
)
from domain.infusion.departure import (
    DischargePatient,
    EndWithoutInfusion,
    ReleaseRoom,
    RoomAlreadyReleased,
    RoomReleased,
    RuleBreached,
    VisitNotEnded,
)
from domain.infusion.drug_run import InfusionGiven, StartInfusion, StopInfusion
from domain.infusion.monitoring import RecordVitals
from domain.infusion.readiness import VitalsMissing
from domain.infusion.rules import BreachNeedsReason, VisitEnded, VisitNotBegun
from domain.infusion.visit import CourseFacts, RoomFacts, decide, evolve, rooms_named, staff_named
from domain.kernel import Claim, InTheFuture, LateWithoutReason, Release
from tests.domain import visits
from tests.domain.visits import FINE, INFUSION, NURSE, OTHER_ROOM, PATIENT, ROOM, Visit, clock, ready_facts

ARRIVAL = {"patient_id": PATIENT, "visit_kind": "trial"}
HOLDER = f"infusion:{INFUSION}"


def test_a_visit_from_door_to_door() -> None:
    """The usual visit leaves exactly one InfusionGiven, one ending and a free room."""
    visit = visits.discharged()
    released = visit.do("11:00", ReleaseRoom)
    assert released.events == (RoomReleased(occurred_at=clock("11:00"), room_id=ROOM),)
    (given,) = visit.all(InfusionGiven)
    assert (given.dose_mg, given.minutes) == (Decimal("25.00"), Decimal("60.00"))
    assert given.dose_mg_per_kg == Decimal("0.357")
    assert given.complete
    assert given.purpose == "trial"
    assert given.drug_started_at == clock("09:20")
    assert visit.state.ending is not None
    assert not visit.all(RuleBreached)


def test_the_patient_is_held_from_arrival_and_the_room_from_roomed_until_released() -> None:
    """Claims are open-ended until what they hold is given back; discharge frees the patient, release the room."""
    visit = Visit()
    arrived = visit.do("08:55", ArrivePatient, **ARRIVAL)
    assert arrived.claims == (
        Claim(resource=f"patient-visit:{PATIENT}", holder=HOLDER, starts=clock("08:55"), ends=None),)
    roomed = visit.do("09:00", RoomPatient, room_id=ROOM)
    assert roomed.claims == (Claim(resource=f"room-use:{ROOM}", holder=HOLDER, starts=clock("09:00"), ends=None),)
    ended = visit.do("09:30", EndWithoutInfusion, reason_code="no_iv")
    assert ended.releases == (Release(resource=f"patient-visit:{PATIENT}", holder=HOLDER, ends=clock("09:30")),)
    released = visit.do("09:40", ReleaseRoom)
    assert released.releases == (Release(resource=f"room-use:{ROOM}", holder=HOLDER, ends=clock("09:40")),)
    assert not released.claims


def test_moving_rooms_gives_back_one_and_takes_the_other() -> None:
    visit = visits.roomed()
    moved = visit.do("09:03", MovePatient, room_id=OTHER_ROOM, reason_code="privacy")
    assert moved.events == (
        PatientMovedRoom(
            occurred_at=clock("09:03"), from_room_id=ROOM, room_id=OTHER_ROOM, reason_code="privacy"),)
    assert moved.releases == (Release(resource=f"room-use:{ROOM}", holder=HOLDER, ends=clock("09:03")),)
    assert moved.claims == (
        Claim(resource=f"room-use:{OTHER_ROOM}", holder=HOLDER, starts=clock("09:03"), ends=None),)
    visit.refused(SameRoom, "09:04", MovePatient, room_id=OTHER_ROOM, reason_code="privacy")
    back = visit.do("09:06", MovePatient, room_id=ROOM, reason_code="equipment")
    assert back.claims == (Claim(resource=f"room-use:{ROOM}", holder=HOLDER, starts=clock("09:06"), ends=None),)
    assert back.releases == (Release(resource=f"room-use:{OTHER_ROOM}", holder=HOLDER, ends=clock("09:06")),)


def test_a_patient_cannot_be_in_two_visits() -> None:
    """An intention is refused; a late fact is accepted with its reason, marked, and its claim is not enforced."""
    other = visits.named("other infusion")
    visit = Visit(ready_facts(patient_in_visit=other))
    refusal = visit.refused(PatientInAnotherVisit, "08:55", ArrivePatient, **ARRIVAL)
    assert refusal.data["infusion_id"] == str(other)
    late = visit.late("08:55", ArrivePatient, now="12:00", **ARRIVAL)
    assert [type(event) for event in late.events] == [PatientArrived, RuleBreached]
    assert late.events[1].rule == "patient-in-another-visit"
    assert late.events[1].entry == 1
    assert not late.claims[0].enforce


def test_arrival_is_once_and_for_the_patients_own_course() -> None:
    visits.arrived().refused(VisitAlreadyBegun, "08:56", ArrivePatient, **ARRIVAL)
    course = CourseFacts(course_id=visits.COURSE, patient_id=visits.named("somebody else"), is_open=True)
    Visit(ready_facts(course=course)).refused(WrongCourse, "08:55", ArrivePatient, **ARRIVAL)


def test_a_room_must_be_the_clinics_in_service_and_free() -> None:
    visit = visits.arrived()
    visit.refused(NotARoomOfTheClinic, "09:00", RoomPatient, room_id=visits.named("no room"))
    visit.facts = ready_facts(rooms={ROOM: RoomFacts(in_service=False)})
    visit.refused(RoomNotInService, "09:00", RoomPatient, room_id=ROOM)
    visit.facts = ready_facts(rooms={ROOM: RoomFacts(in_service=True, in_use_by=visits.named("other"))})
    visit.refused(RoomInUse, "09:00", RoomPatient, room_id=ROOM)
    assert [type(e) for e in visit.late("09:00", RoomPatient, now="10:00", room_id=ROOM).events] == [
        PatientRoomed, RuleBreached]
    visit.refused(AlreadyRoomed, "09:05", RoomPatient, room_id=ROOM)


def test_nothing_happens_before_arrival_or_after_the_ending() -> None:
    """Facts about a patient who was not there cannot have happened, late or not."""
    visit = visits.arrived()
    visit.refused(VisitNotBegun, "08:50", RecordVitals, now="09:30", late_reason="late", vitals=FINE)
    ended = visits.discharged()
    ended.refused(VisitEnded, "10:55", RecordVitals, vitals=FINE)
    assert ended.late("10:30", RecordVitals, now="10:55", vitals=FINE).events[0].phase == "recovery"


def test_the_room_is_released_once_and_after_the_ending() -> None:
    visits.stopped().refused(VisitNotEnded, "10:30", ReleaseRoom)
    visit = visits.discharged()
    visit.do("11:00", ReleaseRoom)
    visit.refused(RoomAlreadyReleased, "11:05", ReleaseRoom)


def test_the_two_clocks() -> None:
    """At most two minutes ahead; more than 24 hours back only with a reason; a breach only with a reason."""
    visit = visits.roomed()
    visit.refused(InTheFuture, "09:33", RecordVitals, now="09:30", vitals=FINE)
    visit.do("09:32", RecordVitals, now="09:30", vitals=FINE)
    visit.refused(LateWithoutReason, "09:10", RecordVitals, now="+1 09:11", vitals=FINE)
    assert visit.do("09:10", RecordVitals, now="+1 09:09", vitals=FINE).events[0].late_reason is None
    late = visit.late("09:12", RecordVitals, now="+1 09:30", vitals=FINE)
    assert late.events[0].late_reason == "charted afterwards"
    visit.refused(BreachNeedsReason, "09:20", StartInfusion, now="09:30", rate_mg_per_h=Decimal(25))


def test_a_refusal_names_the_other_broken_rules_too() -> None:
    """The nurse sees everything that is missing at once."""
    visit = visits.checked(driver_named=False)
    caught = visit.refused(VitalsMissing, "09:20", StartInfusion, rate_mg_per_h=Decimal(25))
    assert caught.data["also"].split(",") == ["driver-not-named", "no-dose-order"]


def test_a_visit_over_midnight() -> None:
    """Half-open UTC intervals: milligrams and minutes know no midnight."""
    visit = Visit()
    shift = timedelta(hours=14, minutes=20)
    for event in visits.running().events:
        visit.record(msgspec.structs.replace(event, occurred_at=event.occurred_at + shift))
    visit.do("+1 00:40", StopInfusion)
    (given,) = visit.all(InfusionGiven)
    assert given.minutes == Decimal("60.00")
    assert given.drug_started_at == clock("23:40")
    assert given.occurred_at == clock("+1 00:40")


def test_minutes_are_elapsed_across_a_dst_change() -> None:
    """Denver springs forward at 02:00 on 2026-03-08: 01:50 to 03:10 are twenty minutes."""
    day = date(2026, 3, 8)
    visit = Visit()
    for event in visits.running().events:
        offset = event.occurred_at - clock("09:20")
        visit.record(msgspec.structs.replace(event, occurred_at=clock("01:50", day).astimezone(UTC) + offset))
    command = StopInfusion(by=visits.BY_NURSE, now=clock("03:10", day), at=clock("03:10", day))
    given = decide(visit.state, command, visit.facts).events[-1]
    assert isinstance(given, InfusionGiven)
    assert given.minutes == Decimal("20.00")


def test_foreign_events_are_ignored() -> None:
    visit = visits.roomed()
    after = evolve(visit.state, 99, RoomAdded(occurred_at=clock("09:01"), room_id=ROOM, room_name="A"))
    assert after == msgspec.structs.replace(visit.state, version=99)


def test_what_the_use_case_has_to_look_up() -> None:
    visit = visits.ordered()
    command = DischargePatient(
        by=visits.BY_NURSE, now=clock("10:00"), at=clock("10:00"), driver_present=True, instructions_given=True,
        discharged_by=NURSE)
    assert staff_named(visit.state, command) == {NURSE, visits.DOCTOR}
    move = MovePatient(
        by=visits.BY_NURSE, now=clock("10:00"), at=clock("10:00"), room_id=OTHER_ROOM, reason_code="other")
    assert rooms_named(visit.state, move) == {ROOM, OTHER_ROOM}
