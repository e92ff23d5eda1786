"""Bookings through the services: claims, moves between sheets, boosters linked, stale facts, races."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import clinic, course, day_sheet
from domain.clinic.premises import RoomNotInService
from domain.day_sheet.slots import ClinicClosed, CourseNeeded, NotOnThisSheet, OutsideOpeningHours
from domain.day_sheet.state import AppointmentNotLive
from domain.day_sheet.waitlist import AlreadyWaiting
from domain.infusion import arrival
from domain.kernel import DomainError
from services.handling import CommandHandling, NotFound
from services.log import ClaimConflict
from services.use_cases import use_cases
from tests.services.practice import Practice


@pytest.fixture
def patient_id(practice: Practice) -> UUID:
    return practice.patient()


@pytest.fixture
def course_id(practice: Practice, patient_id: UUID) -> UUID:
    return practice.course(patient_id)


@pytest.fixture
def tomorrow(practice: Practice) -> datetime:
    """Ten o'clock, clinic time."""
    return practice.clock.moment.replace(hour=10) + timedelta(days=1)


def test_a_slot_without_an_end_takes_the_visit_kinds_default_length(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    """Preparation 20, infusion 60, monitoring 30, turnover 10."""
    booked = practice.book(patient_id, tomorrow, course_id=course_id)
    one = practice.state(day_sheet, practice.sheet(tomorrow)).appointments[booked]
    assert one.ends_at - one.starts_at == timedelta(minutes=120)


def test_a_room_is_not_booked_twice_and_back_to_back_is_no_overlap(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    practice.book(patient_id, tomorrow, course_id=course_id)
    other = practice.patient()
    its_course = practice.course(other)
    with pytest.raises(ClaimConflict) as refused:
        practice.book(other, tomorrow + timedelta(minutes=119), course_id=its_course)
    assert refused.value.resource == f"room:{practice.rooms[0]}"
    practice.book(other, tomorrow + timedelta(minutes=120), course_id=its_course)


def test_a_patient_is_not_booked_in_two_rooms_at_once(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    practice.book(patient_id, tomorrow, course_id=course_id)
    with pytest.raises(ClaimConflict) as refused:
        practice.book(patient_id, tomorrow + timedelta(hours=1), room=1, course_id=course_id)
    assert refused.value.resource == f"patient:{patient_id}"


def test_a_nurse_has_as_many_patients_at_once_as_the_protocol_says(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    """The example ratio is two."""
    practice.do(practice.clinic_id, clinic.AddRoom, by=practice.actor("manager"), room_id=(third := uuid4()),
                room_name="Third")
    practice.rooms.append(third)
    practice.book(patient_id, tomorrow, course_id=course_id, nurse_id=practice.nurse_id)
    for room, refused in ((1, False), (2, True)):
        other = practice.patient()
        its_course = practice.course(other)
        if refused:
            with pytest.raises(ClaimConflict, match="taken"):
                practice.book(other, tomorrow, room=room, course_id=its_course, nurse_id=practice.nurse_id)
        else:
            practice.book(other, tomorrow, room=room, course_id=its_course, nurse_id=practice.nurse_id)


def test_overbooking_needs_somebody_who_answers_for_it(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    practice.book(patient_id, tomorrow, course_id=course_id)
    other = practice.patient()
    its_course = practice.course(other)
    with pytest.raises(DomainError) as refused:
        practice.book(other, tomorrow, course_id=its_course, overbooking=day_sheet.Overbooking(
            authorised_by=practice.nurse_id, reason_code="urgent"))
    assert refused.value.code == "not-authorised-to-overbook"
    practice.book(other, tomorrow, course_id=its_course, overbooking=day_sheet.Overbooking(
        authorised_by=practice.manager_id, reason_code="urgent"))
    assert "appointment.overbooking_authorised.v1" in practice.names(practice.sheet(tomorrow))


def test_overbooking_is_written_only_where_something_was_in_the_way(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    """Booked and moved onto free time it is an ordinary booking; moved over another one it is not."""
    over = day_sheet.Overbooking(authorised_by=practice.manager_id, reason_code="urgent")
    practice.book(patient_id, tomorrow, course_id=course_id)
    other = practice.patient()
    its_course = practice.course(other)
    booked = practice.book(other, tomorrow + timedelta(hours=3), course_id=its_course, overbooking=over)
    sheet, named = practice.sheet(tomorrow), "appointment.overbooking_authorised.v1"
    moving = {"appointment_id": booked, "room_id": practice.rooms[0], "asked_by": "clinic", "reason_code": "other",
              "overbooking": over, "by": practice.actor("front_desk")}
    practice.do(sheet, day_sheet.MoveAppointment, **moving, starts_at=tomorrow + timedelta(hours=4))
    assert named not in practice.names(sheet)
    practice.do(sheet, day_sheet.MoveAppointment, **moving, starts_at=tomorrow + timedelta(hours=1))
    assert practice.names(sheet).count(named) == 1


def test_two_bookings_of_the_same_room_at_the_same_moment_come_to_one(practice: Practice, tomorrow: datetime) -> None:
    """Twelve at once from twelve threads with four services of their own (as processes have): one is booked."""
    people = [practice.patient() for _ in range(12)]
    courses = [practice.course(one) for one in people]
    services = [CommandHandling(practice.log, practice.clock, use_cases(practice.log)) for _ in range(4)]

    def book(number: int) -> bool:
        mine = Practice.__new__(Practice)
        mine.__dict__.update(practice.__dict__, handling=services[number % 4])
        try:
            mine.book(people[number], tomorrow, course_id=courses[number])
        except ClaimConflict:
            return False
        return True

    with ThreadPoolExecutor(12) as threads:
        assert sorted(threads.map(book, range(12))) == [False] * 11 + [True]
    assert len(practice.state(day_sheet, practice.sheet(tomorrow)).appointments) == 1


def test_a_booking_decided_on_a_closure_not_yet_seen_is_decided_again(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    """Another process declared the closure after this one had read the clinic: the append checks what was read."""
    other = CommandHandling(practice.log, practice.clock, use_cases(practice.log))
    elsewhere = Practice.__new__(Practice)
    elsewhere.__dict__.update(practice.__dict__, handling=other)
    elsewhere.do(practice.clinic_id, clinic.DeclareClosure, by=practice.actor("manager"), closure_id=uuid4(),
                 starts_at=tomorrow, ends_at=tomorrow + timedelta(hours=3), reason_code="weather")
    with pytest.raises(ClinicClosed):
        practice.book(patient_id, tomorrow + timedelta(hours=2), course_id=course_id)
    practice.book(patient_id, tomorrow + timedelta(hours=3), course_id=course_id)


def test_a_closure_lists_the_bookings_it_strands(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    hit = practice.book(patient_id, tomorrow, course_id=course_id)
    other = practice.patient()
    practice.book(other, tomorrow, room=1, course_id=practice.course(other))
    practice.do(practice.clinic_id, clinic.DeclareClosure, by=practice.actor("manager"), closure_id=uuid4(),
                starts_at=tomorrow, ends_at=tomorrow + timedelta(days=2), room_id=practice.rooms[0],
                reason_code="maintenance")
    declared = practice.log.read_stream(practice.clinic_id)[-1].event
    assert isinstance(declared, clinic.ClosureDeclared)
    assert declared.stranded == (hit,)


def test_a_retired_room_lists_the_bookings_it_strands(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    hit = practice.book(patient_id, tomorrow, course_id=course_id)
    other = practice.patient()
    practice.book(other, tomorrow, room=1, course_id=practice.course(other))
    practice.do(practice.clinic_id, clinic.RetireRoom, by=practice.actor("manager"), room_id=practice.rooms[0],
                reason_code="renovation", stranded=(uuid4(),))
    retired = practice.log.read_stream(practice.clinic_id)[-1].event
    assert isinstance(retired, clinic.RoomRetired)
    assert retired.stranded == (hit,)


def test_outside_opening_hours_nothing_is_booked(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    with pytest.raises(OutsideOpeningHours):
        practice.book(patient_id, tomorrow.replace(hour=18), course_id=course_id)


def test_a_slot_belongs_on_the_sheet_of_its_own_local_day(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    with pytest.raises(NotOnThisSheet):
        practice.do(practice.sheet(tomorrow + timedelta(days=1)), day_sheet.BookAppointment, appointment_id=uuid4(),
                    patient_id=patient_id, room_id=practice.rooms[0], visit_kind="trial", starts_at=tomorrow,
                    course_id=course_id)


def test_an_infusion_is_booked_for_an_open_course_only(
    practice: Practice, patient_id: UUID, tomorrow: datetime
) -> None:
    with pytest.raises(CourseNeeded):
        practice.book(patient_id, tomorrow)
    practice.book(patient_id, tomorrow, kind="consultation", prescriber_id=practice.prescriber_id)


def test_a_room_of_another_clinic_is_not_ours_to_book(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    practice.rooms.append(uuid4())
    with pytest.raises(RoomNotInService):
        practice.book(patient_id, tomorrow, room=2, course_id=course_id)


def test_moving_within_the_day_frees_the_old_time_in_the_same_commit(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    booked = practice.book(patient_id, tomorrow, course_id=course_id)
    practice.do(practice.sheet(tomorrow), day_sheet.MoveAppointment, appointment_id=booked,
                room_id=practice.rooms[0], starts_at=tomorrow + timedelta(hours=1), asked_by="patient",
                reason_code="work")
    other = practice.patient()
    with pytest.raises(ClaimConflict):
        practice.book(other, tomorrow - timedelta(minutes=30), course_id=(its := practice.course(other)))
    practice.book(other, tomorrow - timedelta(hours=1), course_id=its)


def test_moving_to_another_day_leaves_one_sheet_and_joins_the_other_in_one_commit(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    booked = practice.book(patient_id, tomorrow, course_id=course_id)
    day_after = tomorrow + timedelta(days=1)
    receipt = practice.do(practice.sheet(tomorrow), day_sheet.MoveAppointment, appointment_id=booked,
                          room_id=practice.rooms[1], starts_at=day_after, asked_by="clinic",
                          reason_code="staff_absence")
    assert receipt.events == ("appointment.moved.v1", "appointment.booked.v1")
    assert practice.state(day_sheet, practice.sheet(tomorrow)).appointments[booked].status == "moved"
    there = practice.state(day_sheet, practice.sheet(day_after)).appointments[booked]
    assert (there.status, there.room_id, there.starts_at) == ("booked", practice.rooms[1], day_after)
    moved = practice.log.read_stream(practice.sheet(day_after))[-1].event
    assert isinstance(moved, day_sheet.AppointmentBooked)
    assert moved.moved_from == tomorrow.date()
    other = practice.patient()
    practice.book(other, tomorrow, course_id=practice.course(other))
    practice.do(practice.sheet(day_after), day_sheet.MoveAppointment, appointment_id=booked,
                room_id=practice.rooms[1], starts_at=tomorrow, asked_by="patient", reason_code="work")
    assert practice.state(day_sheet, practice.sheet(tomorrow)).appointments[booked].status == "booked"


def test_a_move_to_a_day_whose_room_is_taken_changes_neither_sheet(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    booked = practice.book(patient_id, tomorrow, course_id=course_id)
    other, day_after = practice.patient(), tomorrow + timedelta(days=1)
    practice.book(other, day_after, course_id=practice.course(other))
    head = practice.log.head()
    with pytest.raises(ClaimConflict):
        practice.do(practice.sheet(tomorrow), day_sheet.MoveAppointment, appointment_id=booked,
                    room_id=practice.rooms[0], starts_at=day_after, asked_by="patient", reason_code="work")
    assert [record.name for record in practice.log.read(head, 10)] == ["oversight.command_refused.v1"]
    assert practice.state(day_sheet, practice.sheet(tomorrow)).appointments[booked].status == "booked"


def test_a_cancelled_slot_can_be_booked_again(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    booked = practice.book(patient_id, tomorrow, course_id=course_id)
    practice.do(practice.sheet(tomorrow), day_sheet.CancelAppointment, appointment_id=booked, asked_by="patient",
                reason_code="illness", note="Flu")
    practice.book(patient_id, tomorrow, course_id=course_id)
    with pytest.raises(AppointmentNotLive):
        practice.do(practice.sheet(tomorrow), day_sheet.ConfirmAppointment, appointment_id=booked)


def test_who_has_arrived_is_no_no_show_and_who_comes_late_is_still_seen(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    booked = practice.book(patient_id, tomorrow, course_id=course_id)
    other = practice.patient()
    late = practice.book(other, tomorrow, room=1, course_id=(its := practice.course(other)))
    practice.clock.moment = tomorrow + timedelta(minutes=20)
    practice.arrive(patient_id, course_id, appointment_id=booked)
    practice.do(practice.sheet(tomorrow), day_sheet.RecordNoShow, appointment_id=late)
    with pytest.raises(AppointmentNotLive):
        practice.do(practice.sheet(tomorrow), day_sheet.RecordNoShow, appointment_id=booked)
    practice.wait(minutes=30)
    infusion_id = practice.arrive(other, its, appointment_id=late)
    one = practice.state(day_sheet, practice.sheet(tomorrow)).appointments[late]
    assert (one.status, one.infusion_id) == ("kept", infusion_id)
    arrived = practice.log.read_stream(infusion_id)[0].event
    assert isinstance(arrived, arrival.PatientArrived)
    assert arrived.booked_starts_at == tomorrow


def test_who_comes_after_midnight_keeps_the_appointment_of_the_evening(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    practice.do(practice.clinic_id, clinic.SetOpeningHours, by=practice.actor("manager"), hours=tuple(
        clinic.OpeningSpan(weekday=day, opens=time(0), closes=time(0)) for day in range(1, 8)
    ), effective_from=practice.clock.moment.date())
    evening = tomorrow.replace(hour=23, minute=30)
    booked = practice.book(patient_id, evening, course_id=course_id)
    practice.clock.moment = evening + timedelta(minutes=40)
    infusion_id = practice.arrive(patient_id, course_id, appointment_id=booked)
    assert practice.state(day_sheet, practice.sheet(evening)).appointments[booked].infusion_id == infusion_id


def test_a_booster_booked_and_cancelled_is_known_to_its_course(
    practice: Practice, patient_id: UUID, course_id: UUID, tomorrow: datetime
) -> None:
    practice.infusion(patient_id, course_id)
    practice.do(course_id, course.ScheduleBooster, by=practice.actor("prescriber"), booster_id=uuid4())
    due = tomorrow + timedelta(days=27)
    receipt_before = practice.log.head()
    booked = practice.book(patient_id, due, kind="booster", course_id=course_id)
    assert [record.name for record in practice.log.read(receipt_before, 9)] == [
        "appointment.booked.v1", "course.booster_rescheduled.v1"]
    assert practice.state(course, course_id).booster.appointment_id == booked
    practice.do(practice.sheet(due), day_sheet.CancelAppointment, appointment_id=booked, asked_by="clinic",
                reason_code="staff_absence")
    assert practice.state(course, course_id).booster.appointment_id is None


def test_another_clinics_patient_is_not_found(practice: Practice, patient_id: UUID, tomorrow: datetime) -> None:
    elsewhere = uuid4()
    practice.open_clinic(elsewhere, "America/Phoenix", [room := uuid4()])
    with pytest.raises(NotFound):
        practice.do(elsewhere, day_sheet.BookAppointment, at_clinic=elsewhere, appointment_id=uuid4(),
                    patient_id=patient_id, room_id=room, visit_kind="consultation", starts_at=tomorrow,
                    prescriber_id=practice.prescriber_id)


def test_nobody_waits_twice_for_the_same_and_a_booking_fills_the_wish(
    practice: Practice, patient_id: UUID, tomorrow: datetime
) -> None:
    """On any day's sheet; another kind or another time is another wish. A booking within it takes the entry off,
    booked, moved there or in one go; one outside it does not, and after leaving they may wait again."""
    first, entries = tomorrow + timedelta(days=1), []

    def wait(days: int = 0, hours: int = 60, **fields: Any) -> UUID:
        starts = first + timedelta(days=days)
        entries.append(uuid4())
        practice.do(practice.sheet(starts), day_sheet.JoinWaitlist, by=practice.actor("front_desk"), **{
            "entry_id": entries[-1], "patient_id": patient_id, "visit_kind": "follow_up", "earliest_at": starts,
            "latest_at": starts + timedelta(hours=hours), **fields})
        return entries[-1]

    def waiting(days: int = 0) -> set[UUID]:
        return set(practice.state(day_sheet, practice.sheet(first + timedelta(days=days))).waiting)

    one = wait()
    for days in (0, 1, 2):
        with pytest.raises(AlreadyWaiting) as refused:
            wait(days)
        assert refused.value.data["entry_id"] == str(one)
    other = wait(3), wait(visit_kind="consultation")
    booked = practice.book(patient_id, first + timedelta(days=6), kind="follow_up")
    assert one in waiting() and other[0] in waiting(3)
    practice.do(practice.sheet(first + timedelta(days=6)), day_sheet.MoveAppointment, appointment_id=booked,
                by=practice.actor("front_desk"), room_id=practice.rooms[0], starts_at=first + timedelta(days=1),
                asked_by="patient", reason_code="work")
    assert waiting() == {other[1]} and waiting(3) == {other[0]}
    again = wait()
    practice.book(patient_id, first, kind="follow_up")
    assert waiting() == {other[1]}
    practice.do(practice.sheet(first), day_sheet.LeaveWaitlist, by=practice.actor("front_desk"), entry_id=wait(),
                reason_code="declined")
    assert again not in waiting() and wait() in waiting()


def test_of_two_who_put_the_same_wish_on_the_list_at_once_one_does(practice: Practice, tomorrow: datetime) -> None:
    """Eight at once for different first days, each in a process of its own: the claim decides, and says whose it is."""
    patient_id = practice.patient()
    services = [CommandHandling(practice.log, practice.clock, use_cases(practice.log)) for _ in range(4)]

    def wait(number: int) -> bool:
        mine = Practice.__new__(Practice)
        mine.__dict__.update(practice.__dict__, handling=services[number % 4])
        starts = tomorrow + timedelta(days=number)
        try:
            mine.do(practice.sheet(starts), day_sheet.JoinWaitlist, by=practice.actor("front_desk"), entry_id=uuid4(),
                    patient_id=patient_id, visit_kind="follow_up", earliest_at=starts,
                    latest_at=tomorrow + timedelta(days=20))
        except AlreadyWaiting:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(wait, range(8))) == [False] * 7 + [True]


def test_the_waitlist_offers_slots_the_patient_can_come_to(
    practice: Practice, patient_id: UUID, tomorrow: datetime
) -> None:
    sheet, entry_id = practice.sheet(tomorrow), uuid4()
    practice.do(sheet, day_sheet.JoinWaitlist, entry_id=entry_id, patient_id=patient_id, visit_kind="follow_up",
                earliest_at=tomorrow, latest_at=tomorrow + timedelta(hours=4))
    with pytest.raises(DomainError) as refused:
        practice.do(sheet, day_sheet.OfferSlot, entry_id=entry_id, room_id=practice.rooms[0],
                    starts_at=tomorrow + timedelta(hours=3, minutes=45), ends_at=tomorrow + timedelta(hours=5))
    assert refused.value.code == "slot-not-wanted"
    practice.do(sheet, day_sheet.OfferSlot, entry_id=entry_id, room_id=practice.rooms[0],
                starts_at=tomorrow, ends_at=tomorrow + timedelta(minutes=30))
    practice.do(sheet, day_sheet.LeaveWaitlist, entry_id=entry_id, reason_code="booked")
    assert practice.state(day_sheet, sheet).waiting == {}
