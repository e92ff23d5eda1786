"""A consultation that was held has kept its booking: in one commit, on time or charted late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain import course, day_sheet
from domain.corrections import StrikeEntry
from domain.day_sheet.booking import NotAConsultationBooking
from domain.day_sheet.state import AppointmentNotFound, AppointmentNotLive
from services.handling import CommandHandling, Receipt
from services.use_cases import use_cases
from tests.conftest import Database
from tests.services.scheduled import Scheduled

HELD, KEPT = "course.consultation_held.v1", "appointment.kept.v2"


@pytest.fixture
def practice(database: Database) -> Iterator[Scheduled]:
    """An open clinic on a Monday morning, on both databases."""
    scheduled = Scheduled.on(database)
    yield scheduled
    scheduled.log.close()


@pytest.fixture
def patient_id(practice: Scheduled) -> UUID:
    return practice.patient()


def consultation_at(practice: Scheduled, patient_id: UUID, moment: datetime, room: int = 0) -> UUID:
    """Booked, with the clinic's one prescriber."""
    return practice.book(patient_id, moment, kind="consultation", room=room, prescriber_id=practice.prescriber_id)


def booking(practice: Scheduled, moment: datetime, appointment_id: UUID) -> day_sheet.Appointment:
    one: day_sheet.Appointment = practice.state(day_sheet, practice.sheet(moment)).appointments[appointment_id]
    return one


def hold(practice: Scheduled, patient_id: UUID, course_id: UUID | None = None, **fields: object) -> Receipt:
    return practice.consult(course_id or uuid4(), patient_id, **fields)


def test_the_consultation_keeps_the_booking_in_the_same_commit(practice: Scheduled, patient_id: UUID) -> None:
    ten = practice.at(1, 10)
    booked, others = consultation_at(practice, patient_id, ten), practice.patient()
    untouched = consultation_at(practice, others, practice.at(1, 14))
    practice.clock.moment = ten + timedelta(minutes=50)
    receipt = hold(practice, patient_id)
    assert receipt.events == (HELD, KEPT)
    one = booking(practice, ten, booked)
    held = practice.log.read_stream(receipt.stream_id)[0].event
    assert isinstance(held, course.ConsultationHeld)
    assert (one.status, one.consultation_id, one.infusion_id) == ("kept", held.consultation_id, None)
    assert booking(practice, ten, untouched).status == "booked"
    for gone in (
        lambda: practice.do(practice.sheet(ten), day_sheet.RecordNoShow, appointment_id=booked),
        lambda: practice.do(practice.sheet(ten), day_sheet.CancelAppointment, appointment_id=booked,
                            asked_by="patient", reason_code="illness"),
    ):
        with pytest.raises(AppointmentNotLive):
            gone()


def test_the_booking_lies_with_its_own_patient_and_clinic_in_the_log(practice: Scheduled, patient_id: UUID) -> None:
    ten = practice.at(1, 10)
    consultation_at(practice, patient_id, ten)
    practice.clock.moment = ten
    hold(practice, patient_id)
    held, kept = practice.log.read(practice.log.head() - 2, 2)
    assert (held.name, kept.name) == (HELD, KEPT)
    assert kept.subject == patient_id
    assert kept.clinic_id == practice.clinic_id
    assert kept.stream_id == practice.sheet(ten)


def test_charted_the_day_after_it_keeps_the_booking_of_its_own_day_and_mends_a_no_show(
    practice: Scheduled, patient_id: UUID
) -> None:
    ten = practice.at(1, 10)
    booked = consultation_at(practice, patient_id, ten)
    of_today = consultation_at(practice, patient_id, practice.at(3, 9))
    practice.clock.moment = ten + timedelta(hours=3)
    practice.do(practice.sheet(ten), day_sheet.RecordNoShow, appointment_id=booked)
    practice.clock.moment = practice.at(3, 8)
    by, now = practice.actor("prescriber"), practice.clock.now()
    practice.do(uuid4(), course.HoldConsultation, by=by, at=ten + timedelta(minutes=50), late_reason="On paper",
                consultation_id=uuid4(), patient_id=patient_id, prescriber_id=practice.prescriber_id,
                condition="crps", examined=True, records_reviewed=True, history_reviewed=True,
                side_effects_discussed=True, procedure_discussed=True, visits_discussed=True,
                weight_kg=80, decision="proceed", plan="alone")
    kept = practice.log.read_stream(practice.sheet(ten))[-1]
    assert (kept.name, kept.occurred_at, kept.recorded_at) == (KEPT, ten + timedelta(minutes=50), now)
    assert booking(practice, ten, booked).status == "kept"
    assert booking(practice, practice.at(3, 9), of_today).status == "booked"
    with pytest.raises(AppointmentNotLive):
        practice.do(practice.sheet(ten), day_sheet.RecordNoShow, appointment_id=booked)


def test_without_a_booking_and_with_another_visits_nothing_is_kept(practice: Scheduled, patient_id: UUID) -> None:
    nine = practice.at(1, 9)
    follow_up = practice.book(patient_id, nine, kind="follow_up")
    practice.clock.moment = nine
    assert hold(practice, patient_id).events == (HELD,)
    assert booking(practice, nine, follow_up).status == "booked"


def test_of_several_bookings_only_the_one_named_is_kept(practice: Scheduled, patient_id: UUID) -> None:
    first, second = practice.at(1, 9), practice.at(1, 14)
    one, other = consultation_at(practice, patient_id, first), consultation_at(practice, patient_id, second)
    practice.clock.moment = second
    course_id = uuid4()
    assert hold(practice, patient_id, course_id).events == (HELD,)
    assert hold(practice, patient_id, course_id, appointment_id=other).events == (HELD, KEPT)
    assert [booking(practice, first, each).status for each in (one, other)] == ["booked", "kept"]
    assert hold(practice, patient_id, course_id, appointment_id=other).events == (HELD,)


def test_a_cancelled_booking_is_not_kept_unasked_and_named_refuses_the_consultation(
    practice: Scheduled, patient_id: UUID
) -> None:
    ten = practice.at(1, 10)
    cancelled = consultation_at(practice, patient_id, ten)
    practice.do(practice.sheet(ten), day_sheet.CancelAppointment, appointment_id=cancelled, asked_by="patient",
                reason_code="illness")
    practice.clock.moment = ten
    course_id = uuid4()
    with pytest.raises(AppointmentNotLive):
        hold(practice, patient_id, course_id, appointment_id=cancelled)
    assert practice.names(course_id) == []
    assert hold(practice, patient_id, course_id).events == (HELD,)
    assert booking(practice, ten, cancelled).status == "cancelled"


def test_a_booking_named_must_be_this_patients_and_for_a_consultation(practice: Scheduled, patient_id: UUID) -> None:
    ten = practice.at(1, 10)
    somebodys = consultation_at(practice, practice.patient(), ten)
    follow_up = practice.book(patient_id, practice.at(1, 12), kind="follow_up")
    practice.clock.moment = ten
    for named, error in ((somebodys, AppointmentNotFound), (follow_up, NotAConsultationBooking)):
        with pytest.raises(error):
            hold(practice, patient_id, appointment_id=named)
    assert {booking(practice, ten, each).status for each in (somebodys, follow_up)} == {"booked"}


def test_after_midnight_the_booking_of_the_evening_is_kept_when_it_is_named(
    practice: Scheduled, patient_id: UUID
) -> None:
    late = practice.at(1, 17)
    booked = consultation_at(practice, patient_id, late)
    practice.clock.moment = practice.at(2, 0, 20)
    assert hold(practice, patient_id, appointment_id=booked).events == (HELD, KEPT)
    assert booking(practice, late, booked).status == "kept"


def test_a_booking_made_meanwhile_by_another_process_is_seen(practice: Scheduled, patient_id: UUID) -> None:
    """The sheet that was read is compared when the consultation is saved, though nothing of it was kept."""
    ten = practice.at(1, 10)
    practice.state(day_sheet, practice.sheet(ten))  # this process knows the day as empty
    own = practice.handling
    practice.handling = CommandHandling(practice.log, practice.clock, use_cases(practice.log))
    booked = consultation_at(practice, patient_id, ten)
    practice.handling = own
    practice.clock.moment = ten
    assert hold(practice, patient_id).events == (HELD, KEPT)
    assert booking(practice, ten, booked).status == "kept"


def test_a_struck_consultation_leaves_its_booking_kept(practice: Scheduled, patient_id: UUID) -> None:
    """As a struck arrival does: that somebody came is known, and the time is not free again."""
    ten = practice.at(1, 10)
    booked = consultation_at(practice, patient_id, ten)
    practice.clock.moment = ten
    course_id = uuid4()
    hold(practice, patient_id, course_id)
    practice.do(course_id, StrikeEntry, by=practice.actor("prescriber"), entry=1, reason_code="duplicate",
                reason="Charted twice", request={"patient_id": patient_id})
    assert booking(practice, ten, booked).status == "kept"
    assert hold(practice, patient_id, course_id).events == (HELD,)
