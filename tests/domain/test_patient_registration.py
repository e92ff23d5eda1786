"""Registering, demographics, care relations, referrals."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from domain.kernel import InTheFuture, Redacted, Sealed
from domain.patient.patient import as_of, decide
from domain.patient.records import PatientsMerged
from domain.patient.registration import (
    AlreadyInCare,
    AlreadyRegistered,
    CareRelationClosed,
    CareRelationOpened,
    ChangeHomeClinic,
    ClinicNotKnown,
    CloseCareRelation,
    CorrectDemographics,
    DemographicsCorrected,
    HomeClinicCares,
    HomeClinicChanged,
    NothingCorrected,
    NotInCare,
    OpenCareRelation,
    PersonalNameMissing,
    ReceiveReferral,
    ReferralReceived,
    RegisterPatient,
)
from domain.patient.state import (
    AlreadyEntered,
    DateNotValid,
    Facts,
    MergedAway,
    NotRegistered,
    PatientDeceased,
)
from domain.vocabulary import UnknownCode
from domain.vocabulary.people import ImplausibleBirthDate, NotAnAdult
from tests.domain.patients import (
    AT,
    CARED,
    CLINIC,
    CLINIC_2,
    KNOWN,
    TWIN,
    a_patient,
    ask,
    nobody,
    registered,
    uid,
)


def registering(**fields: Any) -> RegisterPatient:
    command: RegisterPatient = ask(RegisterPatient, **{
        "family_name": "Example", "given_name": "Ada", "birth_date": date(1980, 5, 17), "sex": "female",
        "home_clinic_id": CLINIC, **fields})
    return command


def test_registration_opens_the_home_clinics_care() -> None:
    there = nobody().when(decide, registering(), KNOWN).then(registered(), CARED)
    assert there.state.care == {CLINIC}
    there.when(decide, registering(), KNOWN).then_refused(AlreadyRegistered)


@pytest.mark.parametrize(("fields", "error", "pointer"), [
    ({"family_name": " "}, PersonalNameMissing, "/family_name"),
    ({"given_name": ""}, PersonalNameMissing, "/given_name"),
    ({"sex": "F"}, UnknownCode, "/sex"),
    ({"birth_date": date(2008, 3, 3)}, NotAnAdult, "/birth_date"),
    ({"birth_date": date(2030, 1, 1)}, ImplausibleBirthDate, "/birth_date"),
    ({"birth_date": date(1900, 1, 1)}, ImplausibleBirthDate, "/birth_date"),
])
def test_who_is_not_registered(fields: dict[str, Any], error: type[Any], pointer: str) -> None:
    nobody().when(decide, registering(**fields), KNOWN).then_refused(error, pointer=pointer)


def test_the_home_clinic_exists() -> None:
    nobody().when(decide, registering(), Facts()).then_refused(ClinicNotKnown, pointer="/home_clinic_id")


def test_a_refusal_does_not_tell_the_birth_date() -> None:
    """Refusals are kept: they hold no health details and nobody's birth date."""
    refusal = nobody().when(decide, registering(birth_date=date(2008, 3, 3)), KNOWN).then_refused(NotAnAdult)
    assert "2008" not in str(refusal.data)


def test_the_age_band_is_that_of_the_day_of_registration() -> None:
    birthday = registering(birth_date=date(2001, 3, 2))
    (first, _) = nobody().when(decide, birthday, KNOWN).events
    assert first.age_band == "25-34"  # type: ignore[attr-defined]


def test_a_corrected_birth_date_gives_the_band_it_would_have_given_at_registration() -> None:
    later = AT + timedelta(days=4000)
    command = CorrectDemographics(
        by=registering().by, now=later, at=later, birth_date=date(2001, 3, 3), reason_code="typing_error")
    a_patient().when(decide, command).then(DemographicsCorrected(
        occurred_at=later, birth_date="2001-03-03", age_band="18-24", reason_code="typing_error"))
    impossible = CorrectDemographics(
        by=registering().by, now=later, at=later, birth_date=date(2009, 1, 1), reason_code="typing_error")
    a_patient().when(decide, impossible).then_refused(NotAnAdult)


def test_only_what_changed_is_in_a_correction() -> None:
    moved = a_patient().when(decide, ask(CorrectDemographics, phone="555-0100", reason_code="contact_changed")).then(
        DemographicsCorrected(occurred_at=AT, phone="555-0100", reason_code="contact_changed"))
    assert (moved.state.sex, moved.state.age_band) == ("female", "45-54")
    a_patient().when(decide, ask(CorrectDemographics, reason_code="moved")).then_refused(NothingCorrected)
    a_patient().when(decide, ask(CorrectDemographics, given_name=" ", reason_code="moved")).then_refused(
        PersonalNameMissing)


def test_clinics_come_into_care_and_leave_it_but_the_home_clinic_stays() -> None:
    closing = ask(CloseCareRelation, clinic_id=CLINIC, reason_code="moved")
    a_patient().when(decide, closing).then_refused(HomeClinicCares)
    opening = ask(OpenCareRelation, clinic_id=CLINIC_2, reason_code="transfer")
    both = a_patient().when(decide, opening, KNOWN).then(
        CareRelationOpened(occurred_at=AT, clinic_id=CLINIC_2, reason_code="transfer"))
    both.when(decide, opening, KNOWN).then_refused(AlreadyInCare)
    moved = both.when(decide, ask(ChangeHomeClinic, clinic_id=CLINIC_2), KNOWN).then(
        HomeClinicChanged(occurred_at=AT, clinic_id=CLINIC_2))
    left = moved.when(decide, closing).then(
        CareRelationClosed(occurred_at=AT, clinic_id=CLINIC, reason_code="moved"))
    assert left.state.care == {CLINIC_2}
    left.when(decide, closing).then_refused(NotInCare)


def test_a_home_clinic_cares_first() -> None:
    a_patient().when(decide, ask(ChangeHomeClinic, clinic_id=CLINIC_2), KNOWN).then_refused(NotInCare)
    a_patient().when(decide, ask(ChangeHomeClinic, clinic_id=CLINIC), KNOWN).then_refused(AlreadyEntered)
    a_patient().when(decide, ask(OpenCareRelation, clinic_id=CLINIC_2, reason_code="transfer"), Facts()).then_refused(
        ClinicNotKnown)


def test_the_dead_are_not_taken_into_care_but_their_past_is_recorded() -> None:
    died = a_patient().when(decide, ask(CorrectDemographics, deceased=True, reason_code="died")).then_kinds(
        DemographicsCorrected)
    assert died.state.deceased
    died.when(decide, ask(OpenCareRelation, clinic_id=CLINIC_2, reason_code="transfer"), KNOWN).then_refused(
        PatientDeceased)
    died.when(decide, ask(ReceiveReferral, referral_id=uid("r"), source="imported", received_on=AT.date())).then_kinds(
        ReferralReceived)
    undone = died.when(decide, ask(CorrectDemographics, deceased=False, reason_code="typing_error")).then_kinds(
        DemographicsCorrected)
    assert not undone.state.deceased


@pytest.mark.parametrize(("fields", "error", "pointer"), [
    ({"source": "a bird"}, UnknownCode, "/source"),
    ({"conditions": ("crps", "gout")}, UnknownCode, "/conditions/1"),
    ({"received_on": date(2026, 3, 3)}, DateNotValid, "/received_on"),
])
def test_referrals_that_cannot_be(fields: dict[str, Any], error: type[Any], pointer: str) -> None:
    command = ask(ReceiveReferral, **{
        "referral_id": uid("r"), "source": "physician", "received_on": AT.date(), "conditions": ("crps",), **fields})
    a_patient().when(decide, command).then_refused(error, pointer=pointer)


def test_a_referral_is_received_once() -> None:
    command = ask(ReceiveReferral, referral_id=uid("r"), source="physician", received_on=AT.date())
    a_patient().when(decide, command).then_kinds(ReferralReceived).when(decide, command).then_refused(AlreadyEntered)


def test_nothing_is_entered_for_nobody_or_in_a_record_merged_away() -> None:
    command = ask(CorrectDemographics, phone="1", reason_code="moved")
    nobody().when(decide, command).then_refused(NotRegistered)
    merged = a_patient(PatientsMerged(occurred_at=AT, survivor_id=TWIN, reason_code="duplicate"))
    merged.when(decide, command).then_refused(MergedAway, survivor_id=str(TWIN))


def test_nothing_lies_ahead_of_the_clock() -> None:
    nobody().when(decide, registering(at=AT + timedelta(minutes=3)), KNOWN).then_refused(InTheFuture)


@pytest.mark.parametrize("secret", [Sealed("key", "box"), Redacted(), "plain"])
def test_rules_go_on_whatever_became_of_the_secrets(secret: Any) -> None:
    """The record is folded from what the log gives back: sealed, or redacted once the key is destroyed."""
    sealed = a_patient(
        family_name=secret, given_name=secret, birth_date=secret, phone=secret, identifiers={"mrn": secret},
        late_reason=secret)
    sealed.when(decide, ask(CorrectDemographics, phone="555-0100", reason_code="moved")).then_kinds(
        DemographicsCorrected)
    assert sealed.state.age_band == "45-54"


def test_the_record_as_it_was() -> None:
    later = AT + timedelta(days=10)
    state = a_patient(CareRelationOpened(occurred_at=later, clinic_id=CLINIC_2, reason_code="cover")).state
    assert as_of(state, AT).care == {CLINIC}
    assert as_of(state, later).care == {CLINIC, CLINIC_2}
