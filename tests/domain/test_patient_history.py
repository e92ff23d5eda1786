"""Conditions, therapies, adjuncts, coverage, and putting them right."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from domain.corrections import AmendEntry, EntryAmended, EntryStruck, StrikeEntry
from domain.kernel import InTheFuture
from domain.ledger import CorrectionNotValid, EntryAlreadyStruck, EntryNotFound, UnknownFieldInCorrection
from domain.patient.history import (
    AdjunctNotFound,
    AdjunctTherapyEnded,
    AdjunctTherapyStarted,
    ConditionRecorded,
    CoverageNotValid,
    CoverageRecorded,
    EndAdjunctTherapy,
    RecordCondition,
    RecordCoverage,
    RecordTherapyTried,
    StartAdjunctTherapy,
    TherapyTried,
    therapies_failed,
)
from domain.patient.patient import NotCorrectable, decide
from domain.patient.state import AlreadyEntered, ConditionHeld, DateNotValid, FreeTextNeeded, PatientDeceased
from domain.vocabulary import UnknownCode
from domain.vocabulary.conditions import MalformedIcd10, NotAnIndication
from tests.domain.patients import AT, TODAY, a_patient, ask, on, registered, uid

CRPS = ConditionRecorded(occurred_at=AT, condition="crps", icd10="G90.511", onset_on=date(2020, 1, 1))


def test_a_condition_is_recorded_once_per_code_and_onset() -> None:
    command = ask(RecordCondition, condition="crps", icd10="G90.511", onset_on=date(2020, 1, 1))
    there = a_patient().when(decide, command).then(CRPS)
    there.when(decide, command).then_refused(AlreadyEntered)
    there.when(decide, ask(RecordCondition, condition="crps", icd10="G90.512")).then_kinds(ConditionRecorded)


@pytest.mark.parametrize(("fields", "error", "pointer"), [
    ({"condition": "gout"}, UnknownCode, "/condition"),
    ({"icd10": "CRPS"}, MalformedIcd10, "/icd10"),
    ({"icd10": "G90.51"}, NotAnIndication, "/icd10"),
    ({"onset_on": TODAY + timedelta(days=1)}, DateNotValid, "/onset_on"),
])
def test_conditions_that_cannot_be(fields: dict[str, Any], error: type[Any], pointer: str) -> None:
    a_patient().when(decide, ask(RecordCondition, **{"condition": "crps", **fields})).then_refused(
        error, pointer=pointer)


@pytest.mark.parametrize(("fields", "error", "pointer"), [
    ({"therapy": "leeches"}, UnknownCode, "/therapy"),
    ({"result": "meh"}, UnknownCode, "/result"),
    ({"started_on": TODAY + timedelta(days=1)}, DateNotValid, "/started_on"),
    ({"ended_on": TODAY + timedelta(days=1)}, DateNotValid, "/ended_on"),
    ({"started_on": date(2020, 2, 1), "ended_on": date(2020, 1, 1)}, DateNotValid, "/ended_on"),
])
def test_therapies_that_cannot_be(fields: dict[str, Any], error: type[Any], pointer: str) -> None:
    command = ask(RecordTherapyTried, **{"therapy": "opioid", "result": "no_relief", **fields})
    a_patient().when(decide, command).then_refused(error, pointer=pointer)


def test_treatment_resistance_counts_different_therapies_that_failed() -> None:
    def tried(therapy: str, result: str) -> TherapyTried:
        return TherapyTried(occurred_at=AT, therapy=therapy, result=result)

    state = a_patient(
        tried("opioid", "no_relief"), tried("opioid", "not_tolerated"), tried("triptan", "relief"),
        tried("nerve_block", "relief_lost"), tried("surgery", "unknown")).state
    assert therapies_failed(state) == 2


def test_an_adjunct_therapy_starts_and_ends_once() -> None:
    adjunct = uid("adjunct")
    starting = ask(StartAdjunctTherapy, adjunct_id=adjunct, therapy="physical_therapy", started_on=on(3))
    started = a_patient().when(decide, starting).then(AdjunctTherapyStarted(
        occurred_at=AT, adjunct_id=adjunct, therapy="physical_therapy", started_on=on(3)))
    started.when(decide, starting).then_refused(AlreadyEntered)
    early = ask(EndAdjunctTherapy, adjunct_id=adjunct, ended_on=on(2), reason_code="cost")
    started.when(decide, early).then_refused(DateNotValid, pointer="/ended_on")
    ending = ask(EndAdjunctTherapy, adjunct_id=adjunct, ended_on=on(3), reason_code="cost")
    started.when(decide, ending).then_kinds(AdjunctTherapyEnded).when(decide, ending).then_refused(AdjunctNotFound)
    a_patient(deceased=True).when(decide, starting).then_refused(PatientDeceased)


def test_cover_names_its_payer_and_who_pays_has_none() -> None:
    def covering(**fields: Any) -> RecordCoverage:
        command: RecordCoverage = ask(
            RecordCoverage, **{"coverage_id": uid("cover"), "self_pay": False, "payer": "Example Payer",
                               "member_number": "M1", "valid_from": TODAY, **fields})
        return command

    there = a_patient().when(decide, covering()).then_kinds(CoverageRecorded)
    there.when(decide, covering()).then_refused(AlreadyEntered)
    for wrong in ({"self_pay": True}, {"payer": None}, {"payer": " "}):
        a_patient().when(decide, covering(**wrong)).then_refused(CoverageNotValid)
    a_patient().when(decide, covering(valid_until=on(-1))).then_refused(DateNotValid)


# --- corrections ---


def test_an_amended_condition_stands_as_amended() -> None:
    amending = ask(AmendEntry, entry=3, corrections={"icd10": "G90.512", "note": "left, not right"},
                   reason_code="typing_error")
    amended = a_patient(CRPS).when(decide, amending).then(EntryAmended(
        occurred_at=AT, entry=3, entry_name=CRPS.NAME, corrections={"icd10": "G90.512"},
        sealed={"note": "left, not right"}, reason_code="typing_error"))
    assert amended.state.conditions == (
        ConditionHeld(condition="crps", icd10="G90.512", onset_on=date(2020, 1, 1)),)


def test_a_struck_condition_is_gone_and_may_be_recorded_again() -> None:
    striking = ask(StrikeEntry, entry=3, reason_code="wrong_patient")
    struck = a_patient(CRPS).when(decide, striking).then(EntryStruck(
        occurred_at=AT, entry=3, entry_name=CRPS.NAME, reason_code="wrong_patient"))
    assert struck.state.conditions == ()
    struck.when(decide, striking).then_refused(EntryAlreadyStruck)
    struck.when(decide, ask(RecordCondition, condition="crps", icd10="G90.511", onset_on=date(2020, 1, 1))).then(CRPS)


@pytest.mark.parametrize(("corrections", "error", "pointer"), [
    ({"icd10": "G90.51"}, NotAnIndication, "/corrections/icd10"),
    ({"condition": "gout"}, UnknownCode, "/corrections/condition"),
    ({"onset_on": "2031-01-01"}, DateNotValid, "/corrections/onset_on"),
    ({"colour": "red"}, UnknownFieldInCorrection, "/corrections/colour"),
    ({"occurred_at": "2026-03-02T10:00:00"}, CorrectionNotValid, "/corrections/occurred_at"),
    ({"occurred_at": "2026-03-02T16:03:00Z"}, InTheFuture, "/corrections/occurred_at"),
    ({"onset_on": "yesterday"}, CorrectionNotValid, "/corrections"),
])
def test_a_corrected_entry_keeps_the_rules(corrections: dict[str, Any], error: type[Any], pointer: str) -> None:
    amending = ask(AmendEntry, entry=3, corrections=corrections, reason_code="typing_error")
    a_patient(CRPS).when(decide, amending).then_refused(error, pointer=pointer)


def test_what_is_put_right_by_a_new_entry_is_neither_amended_nor_struck() -> None:
    for entry in (1, 2):
        a_patient(CRPS).when(decide, ask(StrikeEntry, entry=entry, reason_code="duplicate")).then_refused(
            NotCorrectable, entry=entry)
    amending = ask(AmendEntry, entry=1, corrections={"sex": "male"}, reason_code="typing_error")
    a_patient().when(decide, amending).then_refused(NotCorrectable, entry_name=registered().NAME)
    a_patient().when(decide, ask(StrikeEntry, entry=9, reason_code="duplicate")).then_refused(EntryNotFound)


def test_an_old_amendment_that_no_longer_fits_does_not_make_the_record_unreadable() -> None:
    """Whatever was once written: a moment without an offset would stop every later fold."""
    odd = EntryAmended(
        occurred_at=AT, entry=3, entry_name=CRPS.NAME, reason_code="typing_error",
        corrections={"occurred_at": "2026-03-02T10:00:00", "onset_on": 7, "gone": 1, "icd10": "G90.512"})
    assert a_patient(CRPS, odd).state.conditions[0].icd10 == "G90.512"


def test_other_needs_its_words() -> None:
    a_patient(CRPS).when(decide, ask(StrikeEntry, entry=3, reason_code="other")).then_refused(FreeTextNeeded)
    a_patient(CRPS).when(decide, ask(StrikeEntry, entry=3, reason_code="other", reason="said so")).then_kinds(
        EntryStruck)


def test_a_late_entry_is_folded_where_it_happened() -> None:
    """The adjunct's end, charted first, still ends it when its start is charted afterwards."""
    adjunct = uid("adjunct")
    ended = AdjunctTherapyEnded(occurred_at=AT, adjunct_id=adjunct, ended_on=TODAY, reason_code="cost")
    started = AdjunctTherapyStarted(
        occurred_at=AT - timedelta(days=9), adjunct_id=adjunct, therapy="tens", started_on=on(-9))
    assert a_patient(ended, started).state.adjuncts[0].ended_on == TODAY
