"""Merging, the patient's rights over the record, legal holds and erasure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.kernel import Actor
from domain.patient.erasure import (
    ApproveErasure,
    CompleteErasure,
    DeclineErasure,
    ErasureAlreadyRequested,
    ErasureApproved,
    ErasureDeclined,
    ErasureInVisit,
    ErasureRequested,
    HoldNotFound,
    LegalHoldPlaced,
    LegalHoldReleased,
    PatientErased,
    PlaceLegalHold,
    ReleaseLegalHold,
    RequestErasure,
    RetentionNotOver,
    SecondApproverNeeded,
    UnderLegalHold,
    retention_floor,
)
from domain.patient.history import ConditionRecorded, RecordCondition
from domain.patient.patient import decide
from domain.patient.records import (
    AcceptAmendment,
    AmendmentAccepted,
    AmendmentDenied,
    AmendmentRequested,
    BothHaveOpenCourses,
    CannotMerge,
    DenyAmendment,
    DisclosureRestricted,
    GiveRecordCopy,
    MergeDuringVisit,
    MergePatients,
    NotMerged,
    PatientsMerged,
    PatientsUnmerged,
    RecordCopyGiven,
    RequestAmendment,
    RestrictDisclosure,
    UnmergePatients,
)
from domain.patient.state import (
    AlreadyEntered,
    Facts,
    FreeTextNeeded,
    MergedAway,
    NotRegistered,
    OtherRecord,
    RecordErased,
    RequestNotFound,
    State,
)
from domain.vocabulary import UnknownCode
from tests.domain.given_when_then import Given
from tests.domain.patients import AT, PATIENT, TWIN, a_patient, ask, nobody, on, uid

SURVIVOR = OtherRecord(registered=True)
REQUEST, FIRST, SECOND = uid("request"), uid("first approver"), uid("second approver")


# --- merging ---


def merging(survivor: Any = TWIN) -> MergePatients:
    command: MergePatients = ask(MergePatients, survivor_id=survivor, reason_code="duplicate")
    return command


def test_a_duplicate_is_merged_and_unmerged() -> None:
    merged = a_patient().when(decide, merging(), Facts(survivor=SURVIVOR)).then(
        PatientsMerged(occurred_at=AT, survivor_id=TWIN, reason_code="duplicate"))
    merged.when(decide, merging(), Facts(survivor=SURVIVOR)).then_refused(MergedAway)
    merged.when(decide, ask(RecordCondition, condition="crps")).then_refused(MergedAway, survivor_id=str(TWIN))
    wrong = ask(UnmergePatients, survivor_id=uid("else"), reason_code="different_people")
    merged.when(decide, wrong).then_refused(NotMerged)
    right = ask(UnmergePatients, survivor_id=TWIN, reason_code="different_people")
    apart = merged.when(decide, right).then(
        PatientsUnmerged(occurred_at=AT, survivor_id=TWIN, reason_code="different_people"))
    apart.when(decide, right).then_refused(NotMerged)
    apart.when(decide, ask(RecordCondition, condition="crps")).then_kinds(ConditionRecorded)


@pytest.mark.parametrize(("survivor_id", "facts", "error", "data"), [
    (PATIENT, Facts(survivor=SURVIVOR), CannotMerge, {"why": "same"}),
    (TWIN, Facts(), CannotMerge, {"why": "survivor_unknown"}),
    (TWIN, Facts(survivor=OtherRecord(registered=True, erased=True)), CannotMerge, {"why": "survivor_erased"}),
    (TWIN, Facts(survivor=OtherRecord(registered=True, merged_into=PATIENT)), CannotMerge,
     {"why": "survivor_merged", "merged_into": str(PATIENT)}),
    (TWIN, Facts(survivor=SURVIVOR, in_visit=True), MergeDuringVisit, {}),
    (TWIN, Facts(survivor=OtherRecord(registered=True, in_visit=True)), MergeDuringVisit, {}),
    (TWIN, Facts(survivor=OtherRecord(registered=True, open_course=True), open_course=True), BothHaveOpenCourses, {}),
])
def test_records_that_cannot_be_merged(
    survivor_id: Any, facts: Facts, error: type[Any], data: dict[str, Any]
) -> None:
    a_patient().when(decide, merging(survivor_id), facts).then_refused(error, **data)


@pytest.mark.parametrize("facts", [
    Facts(survivor=OtherRecord(registered=True, open_course=True)), Facts(survivor=SURVIVOR, open_course=True)])
def test_one_open_course_between_the_two_is_no_hindrance(facts: Facts) -> None:
    a_patient().when(decide, merging(), facts).then_kinds(PatientsMerged)


# --- rights ---


def test_a_request_to_amend_is_answered_once() -> None:
    requesting = ask(RequestAmendment, request_id=REQUEST, text="The onset was in 2020.")
    requested = a_patient().when(decide, requesting).then(
        AmendmentRequested(occurred_at=AT, request_id=REQUEST, text="The onset was in 2020."))
    requested.when(decide, requesting).then_refused(AlreadyEntered)
    accepting = ask(AcceptAmendment, request_id=REQUEST)
    denying = ask(DenyAmendment, request_id=REQUEST, reason_code="accurate")
    requested.when(decide, accepting).then_kinds(AmendmentAccepted).when(decide, denying).then_refused(RequestNotFound)
    requested.when(decide, denying).then_kinds(AmendmentDenied).when(decide, accepting).then_refused(RequestNotFound)
    requested.when(decide, ask(DenyAmendment, request_id=REQUEST, reason_code="no")).then_refused(UnknownCode)


def test_copies_and_restrictions_are_entered_once() -> None:
    copying = ask(GiveRecordCopy, copy_id=uid("copy"), given_to="the patient", scope="whole_record")
    a_patient().when(decide, copying).then_kinds(RecordCopyGiven).when(decide, copying).then_refused(AlreadyEntered)
    restricting = ask(
        RestrictDisclosure, restriction_id=uid("restriction"), scope="self_paid_visit", infusion_id=uid("visit"))
    restricted = a_patient().when(decide, restricting).then_kinds(DisclosureRestricted)
    assert restricted.state.restrictions == (("self_paid_visit", uid("visit")),)
    restricted.when(decide, restricting).then_refused(AlreadyEntered)
    a_patient(deceased=True).when(decide, copying).then_kinds(RecordCopyGiven)


# --- holds and erasure ---


def approving(who: Any, **fields: Any) -> ApproveErasure:
    command: ApproveErasure = ask(ApproveErasure, **{
        "request_id": REQUEST, "approved_by": who, "by": Actor(id=str(who), role="manager"), **fields})
    return command


def requested(reason_code: str = "patients_request") -> Given[State]:
    return a_patient(ErasureRequested(occurred_at=AT, request_id=REQUEST, reason_code=reason_code))


def approved_by(*who: Any) -> Given[State]:
    return requested().and_given(
        *(ErasureApproved(occurred_at=AT, request_id=REQUEST, approved_by=one) for one in who))


COMPLETING = ask(CompleteErasure, request_id=REQUEST, keys_destroyed=2)


def test_erasure_is_requested_approved_by_two_and_carried_out() -> None:
    requesting = ask(RequestErasure, request_id=REQUEST, reason_code="patients_request")
    one = a_patient().when(decide, requesting).then_kinds(ErasureRequested).when(
        decide, approving(FIRST), Facts()).then(
        ErasureApproved(occurred_at=AT, request_id=REQUEST, approved_by=FIRST))
    one.when(decide, COMPLETING, Facts()).then_refused(SecondApproverNeeded, approved=1)
    two = one.when(decide, approving(SECOND), Facts()).then_kinds(ErasureApproved)
    erased = two.when(decide, COMPLETING, Facts()).then(
        PatientErased(occurred_at=AT, request_id=REQUEST, keys_destroyed=2))
    assert erased.state.erased
    assert erased.state.age_band == "45-54"
    erased.when(decide, ask(RecordCondition, condition="crps")).then_refused(RecordErased)
    erased.when(decide, requesting).then_refused(RecordErased)
    erased.when(decide, ask(PlaceLegalHold, hold_id=uid("hold"), reason="x")).then_refused(RecordErased)


def test_the_second_approver_is_another_person_signed_in_as_themselves() -> None:
    approved_by(FIRST).when(decide, approving(FIRST), Facts()).then_refused(SecondApproverNeeded)
    pretended = approving(SECOND, by=Actor(id=str(FIRST), role="manager"))
    approved_by(FIRST).when(decide, pretended, Facts()).then_refused(SecondApproverNeeded)
    approved_by(FIRST, SECOND).when(decide, approving(uid("third")), Facts()).then_refused(AlreadyEntered)


def test_one_request_at_a_time_and_a_declined_one_is_closed() -> None:
    again = ask(RequestErasure, request_id=uid("again"), reason_code="patients_request")
    requested().when(decide, again).then_refused(ErasureAlreadyRequested)
    declined = approved_by(FIRST).when(
        decide, ask(DeclineErasure, request_id=REQUEST, reason_code="withdrawn")).then_kinds(ErasureDeclined)
    declined.when(decide, approving(SECOND), Facts()).then_refused(RequestNotFound)
    reopened = declined.when(decide, again).then_kinds(ErasureRequested)
    assert reopened.state.erasure is not None
    assert reopened.state.erasure.approved_by == ()
    declined.when(decide, ask(RequestErasure, request_id=REQUEST, reason_code="patients_request")).then_refused(
        AlreadyEntered)


def test_a_legal_hold_forbids_erasing_until_it_is_released() -> None:
    held = approved_by(FIRST, SECOND).and_given(
        LegalHoldPlaced(occurred_at=AT, hold_id=uid("hold"), reason="Letter"))
    held.when(decide, COMPLETING, Facts()).then_refused(UnderLegalHold)
    held.when(decide, approving(uid("third")), Facts()).then_refused(UnderLegalHold)
    releasing = ask(ReleaseLegalHold, hold_id=uid("hold"))
    free = held.when(decide, releasing).then_kinds(LegalHoldReleased)
    free.when(decide, releasing).then_refused(HoldNotFound)
    free.when(decide, COMPLETING, Facts()).then_kinds(PatientErased)


def test_a_hold_says_why_and_may_be_placed_on_a_merged_record() -> None:
    a_patient().when(decide, ask(PlaceLegalHold, hold_id=uid("hold"), reason=" ")).then_refused(FreeTextNeeded)
    merged = a_patient(PatientsMerged(occurred_at=AT, survivor_id=TWIN, reason_code="duplicate"))
    merged.when(decide, ask(PlaceLegalHold, hold_id=uid("hold"), reason="Letter")).then_kinds(LegalHoldPlaced)
    merged.when(decide, ask(RequestErasure, request_id=REQUEST, reason_code="patients_request")).then_refused(
        MergedAway)
    nobody().when(decide, ask(PlaceLegalHold, hold_id=uid("hold"), reason="Letter")).then_refused(NotRegistered)


def test_retention_holds_through_its_last_day_but_not_against_a_court() -> None:
    requested().when(decide, approving(FIRST), Facts(retain_until=on(0))).then_refused(RetentionNotOver)
    requested().when(decide, approving(FIRST), Facts(retain_until=on(-1))).then_kinds(ErasureApproved)
    requested("court_order").when(decide, approving(FIRST), Facts(retain_until=on(999))).then_kinds(ErasureApproved)
    approved_by(FIRST, SECOND).when(decide, COMPLETING, Facts(retain_until=on(0))).then_refused(RetentionNotOver)
    local_tomorrow = Facts(retain_until=on(0), today=on(1))
    requested().when(decide, approving(FIRST), local_tomorrow).then_kinds(ErasureApproved)


def test_nobody_is_erased_during_a_visit() -> None:
    requested().when(decide, approving(FIRST), Facts(in_visit=True)).then_refused(ErasureInVisit)


def test_another_request_is_not_this_one() -> None:
    requested().when(decide, approving(FIRST, request_id=uid("else")), Facts()).then_refused(RequestNotFound)
    a_patient().when(decide, COMPLETING, Facts()).then_refused(RequestNotFound)


@for_all(st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 1900 < moment.year < 2100))
def test_the_floor_is_ten_calendar_years(last: datetime) -> None:
    floor = retention_floor(last)
    assert floor.year == last.year + 10
    assert (floor.month, floor.day) in {(last.month, last.day), (2, 28)}


def test_the_floor_of_29_february() -> None:
    assert retention_floor(datetime(2024, 2, 29, tzinfo=UTC)) == date(2034, 2, 28)
