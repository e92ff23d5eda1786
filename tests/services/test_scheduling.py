"""What is free, what has to be booked again: asked of the log before anything is decided."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import clinic, day_sheet
from domain.day_sheet.slots import OutsideOpeningHours
from services.log import ClaimConflict
from services.scheduling import Asked, TooManyDays, stranded_bookings
from tests.conftest import Database
from tests.services.scheduled import Scheduled


@pytest.fixture
def practice(database: Database) -> Iterator[Scheduled]:
    """An open clinic on each database; Monday, eight o'clock."""
    scheduled = Scheduled.on(database)
    yield scheduled
    scheduled.log.close()


def free(practice: Scheduled, first: int, last: int, **asked: Any) -> list[tuple[int, datetime]]:
    """(room, start) of free slots on local days, counted from the first."""
    found = practice.openings.free(Asked(first=practice.day(first), last=practice.day(last), **asked))
    return [(practice.rooms.index(one.room_id), one.starts_at) for one in found]


def test_every_free_slot_can_be_booked_and_no_other(practice: Scheduled) -> None:
    """Over two days and two rooms with some bookings: each quarter hour of the opening is tried for real."""
    other, its_course = practice.somebody()
    practice.book(other, practice.at(1, 9), course_id=its_course)
    practice.book(other, practice.at(1, 12), room=1, course_id=its_course, nurse_id=practice.nurse_id)
    patient, course = practice.somebody()
    listed = set(free(practice, 1, 1, visit_kind="trial", nurse_id=practice.nurse_id, patient_id=patient))
    bookable = set()
    for room in (0, 1):
        for quarter in range(12 * 4):
            starts = practice.at(1, 7) + timedelta(minutes=15 * quarter)
            try:
                booked = practice.book(patient, starts, room=room, course_id=course, nurse_id=practice.nurse_id)
            except (ClaimConflict, OutsideOpeningHours):
                continue
            bookable.add((room, starts))
            practice.do(practice.sheet(starts), day_sheet.CancelAppointment, appointment_id=booked, asked_by="clinic",
                        reason_code="duplicate")
    assert listed == bookable
    assert len(listed) > 40


@pytest.mark.parametrize(("kind", "last"), [("trial", (17, 0)), ("consultation", (18, 0)), ("follow_up", (18, 30))])
def test_each_visit_kind_has_its_own_length(practice: Scheduled, kind: str, last: tuple[int, int]) -> None:
    found = free(practice, 1, 2, visit_kind=kind)
    assert found[0] == (0, practice.at(1, 7))
    assert found[-1] == (1, practice.at(2, *last))


def test_a_prescriber_is_exclusive_for_consultations_and_a_nurse_up_to_the_ratio(practice: Scheduled) -> None:
    ten, doctor, nurse = practice.at(1, 10), practice.prescriber_id, practice.nurse_id
    practice.book(practice.patient(), ten, kind="consultation", prescriber_id=doctor)
    assert (1, ten) not in free(practice, 1, 1, visit_kind="consultation", prescriber_id=doctor)
    assert (1, ten) in free(practice, 1, 1, visit_kind="trial", prescriber_id=doctor)
    practice.book(practice.patient(), practice.at(1, 12), kind="follow_up", nurse_id=nurse)
    assert (1, practice.at(1, 12)) in free(practice, 1, 1, visit_kind="follow_up", nurse_id=nurse)


def test_who_has_no_credential_that_day_has_no_free_slot(practice: Scheduled) -> None:
    assert free(practice, 1, 1, nurse_id=practice.manager_id) == []
    later = (date(2027, 12, 31) - practice.day(0)).days
    days = {starts.date() for _, starts in free(practice, later - 1, later + 2, nurse_id=practice.nurse_id)}
    assert days == {practice.day(later - 1), practice.day(later)}


def test_nothing_before_now_and_nothing_in_a_closure(practice: Scheduled) -> None:
    practice.clock.moment = practice.at(0, 16, 50)
    assert free(practice, 0, 0) == [(0, practice.at(0, 17)), (1, practice.at(0, 17))]
    practice.do(practice.clinic_id, clinic.DeclareClosure, by=practice.actor("manager"), closure_id=uuid4(),
                starts_at=practice.at(1, 9), ends_at=practice.at(1, 17), reason_code="weather")
    assert free(practice, 1, 1) == [
        (room, practice.at(1, hour)) for hour in (7, 17) for room in (0, 1)]


def test_what_is_to_be_moved_is_not_in_its_own_way(practice: Scheduled) -> None:
    patient, course = practice.somebody()
    booked = practice.book(patient, practice.at(1, 9), course_id=course)
    asked = {"patient_id": patient, "room_id": practice.rooms[0]}
    assert (0, practice.at(1, 10)) not in free(practice, 1, 1, **asked)
    assert (0, practice.at(1, 10)) in free(practice, 1, 1, moving=booked, **asked)


def test_no_more_than_92_days_at_once(practice: Scheduled) -> None:
    with pytest.raises(TooManyDays):
        free(practice, 0, 92)
    with pytest.raises(TooManyDays):
        free(practice, 1, 0)


def test_the_night_of_the_change_of_the_clock_has_its_true_slots(practice: Scheduled) -> None:
    """Denver, 8 March 2026: from one o'clock the next hour is three o'clock."""
    practice.do(practice.clinic_id, clinic.SetOpeningHours, by=practice.actor("manager"), hours=tuple(
        clinic.OpeningSpan(weekday=day, opens=time(0), closes=time(4)) for day in range(1, 8)
    ), effective_from=date(2026, 1, 1))
    found = practice.openings.free(
        Asked(first=date(2026, 3, 8), last=date(2026, 3, 8), minutes=60, room_id=practice.rooms[0]))
    assert [one.starts_at.isoformat()[11:] for one in found] == [
        "00:00:00-07:00", "00:15:00-07:00", "00:30:00-07:00", "00:45:00-07:00", "01:00:00-07:00", "01:15:00-07:00",
        "01:30:00-07:00", "01:45:00-07:00", "03:00:00-06:00"]
    patient, course = practice.somebody()
    for one in (found[4], found[-1]):
        practice.book(patient, one.starts_at, course_id=course, ends_at=one.ends_at)


def test_bookings_that_cannot_stay_are_a_work_list(practice: Scheduled) -> None:
    """Given bookings on two days, when there is a closure, then new hours, then a room is gone, each names the bookings
    it hits; lifting the closure and moving a booking take them off."""
    patient, course = practice.somebody()
    first = practice.book(patient, practice.at(1, 10), course_id=course)
    second = practice.book(patient, practice.at(2, 16), course_id=course)
    third = practice.book(patient, practice.at(3, 10), room=1, course_id=course)
    gone = practice.book(patient, practice.at(1, 14), course_id=course)
    practice.do(practice.sheet(practice.at(1, 14)), day_sheet.CancelAppointment, appointment_id=gone,
                asked_by="patient", reason_code="illness")
    by = practice.actor("manager")

    def listed() -> list[tuple[UUID, str, UUID | None]]:
        found = stranded_bookings(practice.reading, practice.clinic_id, practice.day(0), practice.day(30))
        return [(one.appointment.appointment_id, one.why, one.closure_id) for one in found]

    assert listed() == []
    closure = uuid4()
    practice.do(practice.clinic_id, clinic.DeclareClosure, by=by, closure_id=closure, starts_at=practice.at(1, 0),
                ends_at=practice.at(2, 0), reason_code="holiday")
    assert listed() == [(first, "closure", closure)]
    practice.do(practice.clinic_id, clinic.SetOpeningHours, by=by, effective_from=practice.day(2), hours=tuple(
        clinic.OpeningSpan(weekday=day, opens=time(7), closes=time(17)) for day in range(1, 8)))
    practice.do(practice.clinic_id, clinic.RetireRoom, by=by, room_id=practice.rooms[1], reason_code="renovation")
    assert listed() == [(first, "closure", closure), (second, "outside_hours", None), (third, "room_retired", None)]
    practice.do(practice.clinic_id, clinic.LiftClosure, by=by, closure_id=closure)
    practice.do(practice.sheet(practice.at(2, 16)), day_sheet.MoveAppointment, appointment_id=second,
                room_id=practice.rooms[0], starts_at=practice.at(2, 12), asked_by="clinic",
                reason_code="clinic_closure")
    assert listed() == [(third, "room_retired", None)]
    practice.clock.moment = practice.at(3, 11)
    assert listed() == []
