"""Patients, diaries, courses and clinics through the services: care relations, alerts, transfers, merging, erasure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from domain import clinic, course, diary
from domain.corrections import AmendEntry, StrikeEntry
from domain.course.boosters import NoSuchAppointment
from domain.kernel import Actor, DomainError, derived_id
from domain.patient import erasure, patient, records, registration
from services.handling import CommandHandling, NotFound, Request
from services.log import ClaimConflict
from services.use_cases import use_cases
from services.use_cases.erasing import Erasing
from services.use_cases.re_entry import Entry, NotAsWrongPatient, strike_and_enter_again
from tests.services.practice import D, Practice


@pytest.fixture
def patient_id(practice: Practice) -> UUID:
    return practice.patient()


@pytest.fixture
def elsewhere(practice: Practice) -> UUID:
    """Another clinic of the same organisation."""
    clinic_id = uuid4()
    practice.open_clinic(clinic_id, "America/Phoenix", [uuid4()])
    return clinic_id


def test_a_patient_reports_for_themselves_and_for_nobody_else(practice: Practice, patient_id: UUID) -> None:
    """The envelope names the home clinic, whose on-call list an alert goes to."""
    diary_id = derived_id("diary", patient_id)
    phq9 = (1, 1, 0, 1, 0, 0, 1, 0, 2)
    me = Actor(id=f"patient:{patient_id}", role="patient")
    command = diary.ScoreMood(by=me, now=practice.clock.now(), at=practice.clock.now(), instrument="phq9", items=phq9)
    receipt = practice.handling.handle(diary_id, command, Request(by=me, clinic_id=None, patient_id=patient_id))
    assert receipt.events == ("diary.mood_scored.v1", "diary.alert_raised.v1")
    record = practice.log.read_stream(diary_id)[-1]
    assert (record.clinic_id, record.subject) == (practice.clinic_id, patient_id)
    other = Actor(id=f"patient:{uuid4()}", role="patient")
    with pytest.raises(NotFound):
        practice.handling.handle(diary_id, command, Request(by=other, clinic_id=None, patient_id=patient_id))


def test_a_diary_named_by_its_patient_or_by_its_own_id_is_the_same(practice: Practice, patient_id: UUID) -> None:
    practice.do(patient_id, diary.ScorePain, score=4)
    practice.pain(patient_id, 5)
    assert [one.score for one in practice.diary(patient_id).pain] == [4, 5]
    with pytest.raises(NotFound):
        practice.do(uuid4(), diary.ScorePain, score=4, request={"patient_id": patient_id})


def test_a_score_amended_and_one_struck_read_as_corrected(practice: Practice, patient_id: UUID) -> None:
    diary_id, mine = derived_id("diary", patient_id), {"patient_id": patient_id}
    practice.pain(patient_id, 4)
    practice.pain(patient_id, 9)
    practice.do(diary_id, AmendEntry, entry=1, corrections={"score": 6}, reason_code="typing_error", request=mine)
    practice.do(diary_id, StrikeEntry, entry=2, reason_code="duplicate", request=mine)
    assert [one.score for one in practice.diary(patient_id).pain] == [6]


def test_imported_scores_keep_their_old_dates_and_page_nobody(practice: Practice, patient_id: UUID) -> None:
    receipt = practice.do(
        patient_id, diary.ScoreMood, instrument="phq9", items=(0,) * 8 + (3,),
        at=practice.clock.now() - timedelta(days=900), late_reason="import", request={"origin": "import"},
    )
    assert receipt.events == ("diary.mood_scored.v1",)


def test_an_alert_from_home_is_acknowledged_once(practice: Practice, patient_id: UUID) -> None:
    practice.do(patient_id, diary.ReportSideEffectFromHome, side_effect_id=uuid4(), kind="chest_pain", grade=3,
                onset_at=practice.clock.now())
    first, second = practice.diary(patient_id).alerts
    assert {first.kind, second.kind} == {"chest_pain", "severe_side_effect"}
    practice.do(patient_id, diary.AcknowledgeHomeAlert, alert_id=first.alert_id, action="called_patient")
    with pytest.raises(DomainError) as refused:
        practice.do(patient_id, diary.AcknowledgeHomeAlert, alert_id=first.alert_id, action="called_patient")
    assert refused.value.code == "alert-already-acknowledged"


def test_without_a_care_relation_a_patient_is_not_found(
    practice: Practice, patient_id: UUID, elsewhere: UUID
) -> None:
    for stream_id, command, fields in (
        (patient_id, registration.CorrectDemographics, {"phone": "1", "reason_code": "moved"}),
        (derived_id("diary", patient_id), diary.ScorePain, {"score": 3}),
        (uuid4(), course.HoldConsultation, {
            "consultation_id": uuid4(), "patient_id": patient_id, "prescriber_id": practice.prescriber_id,
            "condition": "crps", "examined": True, "records_reviewed": True, "history_reviewed": True,
            "side_effects_discussed": True, "procedure_discussed": True, "visits_discussed": True,
            "weight_kg": D(80), "decision": "proceed", "plan": "alone"}),
    ):
        with pytest.raises(NotFound):
            practice.do(stream_id, command, at_clinic=elsewhere, request={"patient_id": patient_id}, **fields)


def test_a_transfer_takes_the_patient_along(practice: Practice, patient_id: UUID, elsewhere: UUID) -> None:
    """Course, care relation and home clinic move in one commit; the first clinic still sees them."""
    course_id = practice.course(patient_id)
    receipt = practice.do(course_id, course.TransferCourse, by=practice.actor("prescriber"), to_clinic_id=elsewhere,
                          reason_code="moved")
    assert receipt.events == (
        "course.transferred.v1", "patient.care_relation_opened.v1", "patient.home_clinic_changed.v1")
    state = practice.state(patient, patient_id)
    assert (state.home_clinic_id, state.care) == (elsewhere, {practice.clinic_id, elsewhere})
    assert practice.state(course, course_id).clinic_id == elsewhere
    practice.do(patient_id, diary.ScorePain, at_clinic=elsewhere, score=3)


def test_a_patient_has_one_open_course_whoever_is_faster(practice: Practice, patient_id: UUID) -> None:
    courses = [uuid4() for _ in range(4)]
    for course_id in courses:
        practice.consult(course_id, patient_id)
    services = [CommandHandling(practice.log, practice.clock, use_cases(practice.log)) for _ in range(4)]

    def open_course(number: int) -> bool:
        mine = Practice.__new__(Practice)
        mine.__dict__.update(practice.__dict__, handling=services[number])
        try:
            mine.do(courses[number], course.OpenCourse, by=practice.actor("prescriber"), patient_id=patient_id,
                    condition="crps", plan="alone", prescriber_id=practice.prescriber_id)
        except ClaimConflict:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(open_course, range(4))) == [False, False, False, True]


def test_a_closed_course_makes_room_for_the_next(practice: Practice, patient_id: UUID) -> None:
    first = practice.course(patient_id)
    practice.do(first, course.CloseCourse, by=practice.actor("prescriber"), reason_code="patients_choice")
    second = practice.course(patient_id)
    assert practice.state(course, second).status == "open"


def test_a_prescriber_who_is_none_here_may_not_hold_a_consultation(practice: Practice, patient_id: UUID) -> None:
    practice.do(practice.clinic_id, clinic.UnassignStaff, by=practice.actor("manager"), role="prescriber",
                staff_id=practice.prescriber_id)
    with pytest.raises(course.NotAPrescriberInDate):
        practice.consult(uuid4(), patient_id)


def test_a_consultations_weight_is_amended_and_what_it_cannot_be_is_refused(
    practice: Practice, patient_id: UUID
) -> None:
    course_id = practice.course(patient_id)
    by = practice.actor("prescriber")
    practice.do(course_id, AmendEntry, by=by, entry=1, corrections={"weight_kg": "81.5"}, reason_code="typing_error")
    assert practice.state(course, course_id).consultations[0].weight_kg == D("81.5")
    with pytest.raises(DomainError) as refused:
        practice.do(course_id, AmendEntry, by=by, entry=1, corrections={"weight_kg": "815"},
                    reason_code="typing_error")
    assert refused.value.code == "implausible-weight"


def test_two_records_that_both_have_an_open_course_are_not_merged(practice: Practice, patient_id: UUID) -> None:
    other = practice.patient()
    practice.course(patient_id)
    mine = practice.course(other)
    by = practice.actor("manager")
    with pytest.raises(records.BothHaveOpenCourses):
        practice.do(other, records.MergePatients, by=by, survivor_id=patient_id, reason_code="duplicate")
    practice.do(mine, course.CloseCourse, by=practice.actor("prescriber"), reason_code="patients_choice")
    practice.do(other, records.MergePatients, by=by, survivor_id=patient_id, reason_code="duplicate")
    with pytest.raises(DomainError) as refused:
        practice.do(other, diary.ScorePain, score=3)
    assert refused.value.code == "merged-away"


def test_erasure_waits_for_retention(practice: Practice, patient_id: UUID) -> None:
    """Whatever the request itself added to the record does not prolong it."""
    request_id = uuid4()
    practice.do(patient_id, erasure.RequestErasure, by=practice.actor("manager"), request_id=request_id,
                reason_code="patients_request")
    with pytest.raises(DomainError) as refused:
        practice.do(patient_id, erasure.ApproveErasure, by=practice.actor("manager"), request_id=request_id,
                    approved_by=practice.manager_id)
    assert "retain" in refused.value.code or "retention" in refused.value.code


def test_an_erasure_approved_by_two_destroys_the_keys_of_all_that_was_merged(practice: Practice) -> None:
    """What is known beforehand to be refused destroys nothing; what is done reads as redacted and still counts."""
    patient_id, duplicate = practice.patient(), practice.patient()
    manager, request_id, hold_id = practice.actor("manager"), uuid4(), uuid4()
    practice.do(duplicate, records.MergePatients, by=manager, survivor_id=patient_id, reason_code="duplicate")
    practice.do(duplicate, erasure.PlaceLegalHold, by=manager, hold_id=hold_id, reason="Litigation")
    practice.do(patient_id, erasure.RequestErasure, by=manager, request_id=request_id, reason_code="court_order")
    assert practice.log.keys is not None
    erasing = Erasing(practice.handling, practice.log, practice.log.keys)
    now = practice.clock.now()
    complete = erasure.CompleteErasure(by=manager, now=now, at=now, request_id=request_id, keys_destroyed=0)
    asked = Request(by=manager, clinic_id=practice.clinic_id)

    def refused_by(error: type[DomainError]) -> None:
        with pytest.raises(error):
            erasing.erase(patient_id, complete, asked)
        assert practice.log.keys is not None
        assert not practice.log.keys.destroyed(patient_id)

    refused_by(erasure.UnderLegalHold)
    practice.do(duplicate, erasure.ReleaseLegalHold, by=manager, hold_id=hold_id)
    refused_by(erasure.SecondApproverNeeded)
    for person in (practice.manager_id, practice.prescriber_id):
        practice.do(patient_id, erasure.ApproveErasure, by=Actor(id=str(person), role="owner"), request_id=request_id,
                    approved_by=person)
    receipt = erasing.erase(patient_id, complete, asked)
    assert receipt.events == ("patient.erased.v1",)
    for one in (patient_id, duplicate):
        assert practice.log.keys.destroyed(one)
        assert practice.state(patient, one).erased
    with pytest.raises(DomainError) as refused:
        practice.do(patient_id, diary.ScorePain, score=3)
    assert refused.value.code == "record-erased"


def test_amending_what_does_not_exist_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        practice.do(uuid4(), AmendEntry, entry=1, corrections={"score": 1}, reason_code="typing_error")


def test_every_command_of_the_domain_has_a_use_case_or_belongs_to_one(practice: Practice) -> None:
    """Those that only other commands issue are no use cases of their own."""
    import importlib
    import pkgutil

    import domain
    from domain.kernel import Command

    for module in pkgutil.walk_packages(domain.__path__, "domain."):
        importlib.import_module(module.name)

    def kinds(of: type[Command]) -> set[type[Command]]:
        return {sub for kind in of.__subclasses__() for sub in {kind, *kinds(kind)}}

    without = {kind.__name__ for kind in kinds(Command) if kind.__module__.startswith("domain")} - {
        kind.__name__ for kind in use_cases(practice.log)}
    assert without == {"LinkBooster", "KeepAppointment", "NoteInfusion", "UnnoteInfusion", "RestateGiven"}


def test_an_entry_under_the_wrong_patient_is_struck_and_made_again_under_one_correlation(
    practice: Practice, patient_id: UUID
) -> None:
    right_id, by, correlation = practice.patient(), practice.actor("nurse"), uuid4()
    practice.pain(patient_id, 9)
    now = practice.clock.now()

    def asked(whose: UUID, correlation_id: UUID | None = correlation) -> Request:
        return Request(by=by, clinic_id=practice.clinic_id, patient_id=whose, correlation_id=correlation_id)

    strike = StrikeEntry(by=by, now=now, at=now, entry=1, reason_code="wrong_patient", reason="Two tablets")
    wrong = Entry(stream_id=derived_id("diary", patient_id), command=strike, request=asked(patient_id))
    right = Entry(stream_id=derived_id("diary", right_id), request=asked(right_id),
                  command=diary.ScorePain(by=by, now=now, at=now, score=9))
    with pytest.raises(NotAsWrongPatient):
        strike_and_enter_again(practice.handling, wrong, replace(right, request=asked(right_id, None)))
    strike_and_enter_again(practice.handling, wrong, right)
    assert practice.diary(patient_id).pain == ()
    assert [one.score for one in practice.diary(right_id).pain] == [9]
    struck, entered = practice.log.read(practice.log.head() - 2, 2)
    assert struck.correlation_id == entered.correlation_id == correlation
    assert (struck.subject, entered.subject) == (patient_id, right_id)


def test_a_booster_names_an_appointment_that_the_patient_has(practice: Practice, patient_id: UUID) -> None:
    course_id = practice.course(patient_id)
    practice.infusion(patient_id, course_id)
    by = practice.actor("prescriber")
    with pytest.raises(NoSuchAppointment):
        practice.do(course_id, course.ScheduleBooster, by=by, booster_id=uuid4(), appointment_id=uuid4())
    due = practice.clock.moment.replace(hour=9) + timedelta(days=28)
    booked = practice.book(patient_id, due, kind="booster", course_id=course_id)
    practice.do(course_id, course.ScheduleBooster, by=by, booster_id=uuid4(), appointment_id=booked)
    assert practice.state(course, course_id).booster.appointment_id == booked
