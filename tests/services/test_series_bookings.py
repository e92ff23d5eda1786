"""A series of six in one go: what each occurrence meets, what comes near, all or nothing, and who was faster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain import clinic, day_sheet
from domain.day_sheet import SeriesNotBookable
from domain.day_sheet.waitlist import NotWaiting, SlotNotWanted
from services.handling import CommandHandling, Idempotency, NotFound, StoredRefusal
from services.log import ClaimConflict
from services.use_cases import use_cases
from tests.conftest import Database
from tests.services.scheduled import Scheduled

SIX = [(0, day) for day in (1, 3, 5, 8, 10, 12)]


@pytest.fixture
def practice(database: Database) -> Iterator[Scheduled]:
    """An open clinic on each database."""
    scheduled = Scheduled.on(database)
    yield scheduled
    scheduled.log.close()


@pytest.fixture
def patient(practice: Scheduled) -> tuple[UUID, UUID]:
    return practice.somebody()


def six(practice: Scheduled, hour: int = 10) -> list[tuple[int, datetime]]:
    return [(room, practice.at(day, hour)) for room, day in SIX]


def test_six_occurrences_are_spread_over_the_window_of_the_series(
    practice: Scheduled, patient: tuple[UUID, UUID]
) -> None:
    """Given a trial given today and six planned for the two weeks after, when no times are wished, then six days of the
    window as evenly apart as can be, each at nine, in the first room."""
    infusion = practice.infusion(*patient)
    practice.series_planned(patient[1], patient[0], infusion)
    plan = practice.planned(*patient)
    assert (plan.window_starts, plan.window_ends) == (practice.day(1), practice.day(14))
    assert [one.starts_at for one in plan.occurrences] == [practice.at(day, 9) for day in (1, 4, 6, 9, 11, 14)]
    assert plan.bookable
    assert all(one.inside_window and one.room_id == practice.rooms[0] for one in plan.occurrences)
    assert {one.ends_at - one.starts_at for one in plan.occurrences} == {timedelta(minutes=120)}


def test_without_a_planned_series_the_window_is_the_two_weeks_after_the_first_infusion(
    practice: Scheduled, patient: tuple[UUID, UUID]
) -> None:
    practice.infusion(*patient)
    practice.wait(days=3)
    plan = practice.planned(*patient)
    assert (plan.window_starts, plan.window_ends) == (practice.day(1), practice.day(14))


def test_of_a_window_that_is_over_or_has_begun_the_days_to_come_are_planned(
    practice: Scheduled, patient: tuple[UUID, UUID]
) -> None:
    """Nothing is proposed for a day that has passed; days after the window say that they are outside it."""
    practice.series_planned(patient[1], patient[0], practice.infusion(*patient))
    practice.wait(days=9)
    begun = practice.planned(*patient, infusions=3)
    assert [one.starts_at.date() for one in begun.occurrences] == [practice.day(10), practice.day(12), practice.day(14)]
    practice.wait(days=11)
    over = practice.planned(*patient, infusions=2)
    assert [(one.starts_at.date(), one.inside_window) for one in over.occurrences] == [
        (practice.day(21), False), (practice.day(34), False)]
    assert over.bookable


def test_a_plan_writes_nothing(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    head = practice.log.head()
    practice.planned(*patient, starts_at=tuple(starts for _, starts in six(practice)))
    assert practice.log.head() == head


def test_each_occurrence_says_what_stands_in_its_way(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    """A room taken, the patient elsewhere, a nurse with two already, a closure, outside hours, somebody without a
    credential: each is named, and an occurrence can meet several at once."""
    other, its_course = practice.somebody()
    practice.book(other, practice.at(1, 10), course_id=its_course)
    practice.book(patient[0], practice.at(3, 9), room=1, kind="follow_up")
    practice.do(practice.clinic_id, clinic.DeclareClosure, by=practice.actor("manager"), closure_id=uuid4(),
                starts_at=practice.at(5, 0), ends_at=practice.at(6, 0), reason_code="holiday")
    wished = tuple(practice.at(day, hour) for day, hour in ((1, 11), (3, 9), (5, 10), (8, 18), (10, 10)))
    plan = practice.planned(*patient, starts_at=wished, room_id=practice.rooms[0])
    met = [[(each.rule, each.what) for each in one.obstacles] for one in plan.occurrences]
    assert met == [
        [("claim-conflict", "room")], [("claim-conflict", "patient")], [("clinic-closed", "starts_at")],
        [("outside-opening-hours", "starts_at")], [],
    ]
    assert plan.occurrences[0].obstacles[0].until == practice.at(1, 12)
    stranger = practice.planned(*patient, starts_at=wished[:1], room_id=practice.rooms[0], nurse_id=practice.manager_id)
    assert [(each.rule, each.what) for each in stranger.occurrences[0].obstacles] == [
        ("not-a-nurse-in-date", "nurse_id"), ("claim-conflict", "room")]


def test_a_nurse_who_has_two_already_stands_in_the_way(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    third = uuid4()
    practice.do(practice.clinic_id, clinic.AddRoom, by=practice.actor("manager"), room_id=third, room_name="Third")
    practice.rooms.append(third)
    for room in (0, 1):
        other, its_course = practice.somebody()
        practice.book(other, practice.at(1, 10), room=room, course_id=its_course, nurse_id=practice.nurse_id)
    wished = (practice.at(1, 11),)
    (one,) = practice.planned(*patient, starts_at=wished, nurse_id=practice.nurse_id).occurrences
    assert [(each.rule, each.what, each.until) for each in one.obstacles] == [
        ("claim-conflict", "nurse", practice.at(1, 12))]
    assert one.room_id == third
    (free,) = practice.planned(*patient, starts_at=wished, nurse_id=practice.second_nurse_id).occurrences
    assert free.obstacles == ()


def test_alternatives_are_free_near_and_ranked(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    """Same day at the nearest times first, then the same time of neighbouring days; never a day that the series has
    already; and every one of them can be booked."""
    for room in (0, 1):
        other, its_course = practice.somebody()
        practice.book(other, practice.at(3, 10), room=room, course_id=its_course)
    wished = (practice.at(2, 10), practice.at(3, 10))
    plan = practice.planned(*patient, starts_at=wished)
    first, second = plan.occurrences
    assert (first.obstacles, first.alternatives) == ((), ())
    assert [one.starts_at for one in second.alternatives] == [
        practice.at(3, 8), practice.at(3, 12), practice.at(3, 7, 45),
        practice.at(4, 10), practice.at(1, 10), practice.at(5, 10), practice.at(6, 10),
    ]
    for number, opening in enumerate(second.alternatives):
        booked = practice.do(
            practice.sheet(opening.starts_at), day_sheet.BookAppointment, appointment_id=uuid4(), patient_id=patient[0],
            room_id=opening.room_id, visit_kind="series", starts_at=opening.starts_at, course_id=patient[1])
        assert booked.events == ("appointment.booked.v1",), number
        practice.do(practice.sheet(opening.starts_at), day_sheet.CancelAppointment, asked_by="clinic",
                    appointment_id=UUID(booked.ids["appointment_id"]), reason_code="duplicate")


def test_all_six_are_booked_in_one_commit_and_belong_to_the_series(
    practice: Scheduled, patient: tuple[UUID, UUID]
) -> None:
    series_id = practice.series_planned(patient[1], patient[0], practice.infusion(*patient))
    head = practice.log.head()
    receipt = practice.book_series(*patient, six(practice))
    records = practice.log.read(head, 20)
    assert [record.name for record in records] == ["appointment.booked.v1"] * 6
    assert {record.event.series_id for record in records} == {series_id}  # type: ignore[attr-defined]
    assert len({record.recorded_at for record in records}) == 1
    assert set(receipt.told.values()) == {"booked"}
    for number, (_, starts) in enumerate(six(practice), 1):
        one = practice.state(day_sheet, practice.sheet(starts)).appointments[
            UUID(receipt.ids[f"appointment_{number}"])]
        assert (one.starts_at, one.patient_id) == (starts, patient[0])


def test_all_or_nothing_and_the_refusal_names_each(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    other, its_course = practice.somebody()
    for day in (3, 10):
        practice.book(other, practice.at(day, 11), course_id=its_course)
    head = practice.log.head()
    with pytest.raises(SeriesNotBookable) as refused:
        practice.book_series(*patient, six(practice))
    assert refused.value.data["conflicts"] == "2:claim-conflict:room,5:claim-conflict:room"
    assert [record.name for record in practice.log.read(head, 9)] == ["oversight.command_refused.v1"]
    receipt = practice.book_series(*patient, six(practice), only_free=True)
    assert sorted(receipt.ids) == ["appointment_1", "appointment_3", "appointment_4", "appointment_6"]
    assert (receipt.told["occurrence_2"], receipt.told["occurrence_1"]) == ("claim-conflict:room", "booked")


def test_two_occurrences_at_one_time_are_one_too_many(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    with pytest.raises(SeriesNotBookable) as refused:
        practice.book_series(*patient, [(0, practice.at(1, 10)), (1, practice.at(1, 11))])
    assert refused.value.data["conflicts"] == "2:claim-conflict:patient"


@pytest.mark.parametrize("count", [0, 31])
def test_a_series_has_one_to_thirty(practice: Scheduled, patient: tuple[UUID, UUID], count: int) -> None:
    times = [(0, practice.at(day, 10)) for day in range(1, count + 1)]
    with pytest.raises(day_sheet.NothingToBook):
        practice.book_series(*patient, times)


def test_a_retry_gets_the_first_answer(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    """Booked or refused: the same receipt with what was told, and nothing more is written."""
    other, its_course = practice.somebody()
    practice.book(other, practice.at(3, 11), course_id=its_course)
    booking_id, key = uuid4(), Idempotency("desk", "series-1", b"x")
    sent = {"booking_id": booking_id, "only_free": True, "request": {"idempotency": key}}
    first = practice.book_series(*patient, six(practice), **sent)
    head = practice.log.head()
    again = practice.book_series(*patient, six(practice), **sent)
    assert (again.replayed, again.ids, again.told) == (True, first.ids, first.told)
    refused = {"request": {"idempotency": Idempotency("desk", "series-2", b"y")}}
    with pytest.raises(SeriesNotBookable) as why:
        practice.book_series(*patient, six(practice), **refused)
    with pytest.raises(StoredRefusal) as stored:
        practice.book_series(*patient, six(practice), **refused)
    assert stored.value.data["conflicts"] == why.value.data["conflicts"]
    assert [record.name for record in practice.log.read(head, 9)] == ["oversight.command_refused.v1"]


@pytest.mark.parametrize("only_free", [True, False])
def test_somebody_faster_is_told_per_occurrence(
    practice: Scheduled, patient: tuple[UUID, UUID], only_free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given that every occurrence was free when looked at, when another process books the time of the second before
    the commit, then the loser is left out (or the whole refused), naming it."""
    faster = Scheduled.__new__(Scheduled)
    faster.__dict__.update(
        practice.__dict__, handling=CommandHandling(practice.log, practice.clock, use_cases(practice.log)))
    other, its_course = practice.somebody()
    append, done = practice.log.append, []

    def late(one: object) -> object:
        if not done:
            done.append(True)
            faster.book(other, practice.at(3, 11), course_id=its_course)
        return append(one)  # type: ignore[arg-type]

    monkeypatch.setattr(practice.log, "append", late)
    if only_free:
        receipt = practice.book_series(*patient, six(practice), only_free=True)
        assert receipt.told["occurrence_2"] == "claim-conflict:room"
        assert len(receipt.ids) == 5
    else:
        with pytest.raises(SeriesNotBookable) as refused:
            practice.book_series(*patient, six(practice))
        assert refused.value.data["conflicts"] == "2:claim-conflict:room"


def test_a_series_of_another_clinics_patient_is_not_found(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    elsewhere = uuid4()
    practice.open_clinic(elsewhere, "America/Phoenix", [uuid4()])
    with pytest.raises(NotFound):
        practice.do(
            elsewhere, day_sheet.BookSeries, at_clinic=elsewhere, booking_id=uuid4(), patient_id=patient[0],
            occurrences=(day_sheet.Occurrence(number=1, room_id=uuid4(), starts_at=practice.at(1, 10)),))


# --- the waitlist --------------------------------------------------------------------------------


def test_who_waits_is_booked_and_off_the_list_in_one_commit(
    practice: Scheduled, patient: tuple[UUID, UUID]
) -> None:
    """The course is found by itself: the front desk need not know it."""
    entry_id = practice.waits(patient[0], practice.at(1, 8), practice.at(4, 17))
    sheet, head = practice.sheet(practice.at(1, 8)), practice.log.head()
    practice.do(sheet, day_sheet.BookFromWaitlist, by=practice.actor("front_desk"), entry_id=entry_id,
                appointment_id=uuid4(), room_id=practice.rooms[1], starts_at=practice.at(3, 10))
    booked, left = practice.log.read(head, 9)
    assert (booked.name, left.name) == ("appointment.booked.v1", "appointment.waitlist_left.v1")
    assert booked.event.course_id == patient[1]  # type: ignore[attr-defined]
    assert left.event.reason_code == "booked"  # type: ignore[attr-defined]
    assert practice.state(day_sheet, sheet).waiting == {}
    with pytest.raises(NotWaiting):
        practice.do(sheet, day_sheet.BookFromWaitlist, entry_id=entry_id, appointment_id=uuid4(),
                    room_id=practice.rooms[1], starts_at=practice.at(3, 14))


def test_who_could_not_be_booked_still_waits(practice: Scheduled, patient: tuple[UUID, UUID]) -> None:
    other, its_course = practice.somebody()
    practice.book(other, practice.at(3, 10), room=1, course_id=its_course)
    entry_id = practice.waits(patient[0], practice.at(1, 8), practice.at(4, 17))
    sheet = practice.sheet(practice.at(1, 8))
    for error, starts in ((ClaimConflict, practice.at(3, 11)), (SlotNotWanted, practice.at(4, 16))):
        with pytest.raises(error):
            practice.do(sheet, day_sheet.BookFromWaitlist, entry_id=entry_id, appointment_id=uuid4(),
                        room_id=practice.rooms[1], starts_at=starts)
    assert list(practice.state(day_sheet, sheet).waiting) == [entry_id]
