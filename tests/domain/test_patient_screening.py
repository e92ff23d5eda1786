"""Screening, clearance, consent, and what stands of them on a day."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.corrections import AmendEntry, EntryAmended, EntryStruck, StrikeEntry
from domain.kernel import Actor, Event
from domain.ledger import Entries
from domain.patient.patient import NotCorrectable, apply, decide, evolve, initial
from domain.patient.screening import (
    CannotBeCleared,
    ClearanceNeedsPrescriber,
    ClearScreening,
    ConsentNotFound,
    ConsentSigned,
    ConsentWithdrawn,
    Finding,
    HintIsNoFinding,
    NoFindings,
    NothingToClear,
    RecordScreening,
    ScreeningCleared,
    ScreeningRecorded,
    SignConsent,
    WithdrawConsent,
    consent_signed_at,
    consent_valid,
    screened_at,
    screening_blocks,
    screening_gaps,
)
from domain.patient.state import AlreadyEntered, DateNotValid, Facts, FreeTextNeeded, PatientDeceased, State
from domain.vocabulary import UnknownCode
from domain.vocabulary.contraindications import PAGE_FOUR
from tests.domain.patients import (
    AS_DOCTOR,
    AT,
    DESK,
    DOCTOR,
    KNOWN,
    NURSE,
    PATIENT,
    TODAY,
    a_patient,
    ask,
    days,
    hinted,
    on,
    registered,
    rescreened,
    screening,
    uid,
)


def found(*pairs: tuple[str, str], by: Any = DOCTOR, **fields: Any) -> RecordScreening:
    command: RecordScreening = ask(
        RecordScreening, screening_id=uid("screening"), screened_by=by,
        findings=tuple(Finding(contraindication=code, status=status) for code, status in pairs), **fields)
    return command


def cleared(until: int = 30, at: datetime = AT, contraindication: str = "hypertension") -> ScreeningCleared:
    return ScreeningCleared(
        occurred_at=at, contraindication=contraindication, prescriber_id=DOCTOR, valid_until=on(until),
        reason_code="treated")


def clearing(**fields: Any) -> ClearScreening:
    command: ClearScreening = ask(ClearScreening, **{
        "by": AS_DOCTOR, "contraindication": "hypertension", "prescriber_id": DOCTOR, "valid_until": on(30),
        "reason_code": "treated", **fields})
    return command


# --- recording ---


def test_a_screening_is_recorded_once() -> None:
    command = found(*((code, "absent") for code in PAGE_FOUR))
    a_patient().when(decide, command).then(screening()).when(decide, command).then_refused(AlreadyEntered)


@pytest.mark.parametrize(("command", "error", "pointer"), [
    (found(), NoFindings, "/findings"),
    (found(("hypertension", "absent"), ("hypertension", "controlled")), NoFindings, "/findings"),
    (found(("gout", "absent")), UnknownCode, "/findings/0/contraindication"),
    (found(("no_escort", "absent")), UnknownCode, "/findings/0/contraindication"),
    (found(("hypertension", "fine")), UnknownCode, "/findings/0/status"),
    (found(("hypertension", "hint")), HintIsNoFinding, "/findings/0/status"),
    (found(("hypertension", "absent"), by=None), HintIsNoFinding, "/findings/0/status"),
    (found(("hypertension", "absent"), notes={"pregnancy": "?"}), NoFindings, "/notes/pregnancy"),
])
def test_screenings_that_cannot_be(command: RecordScreening, error: type[Any], pointer: str) -> None:
    a_patient().when(decide, command).then_refused(error, pointer=pointer)


def test_a_screening_of_the_deceased_may_still_be_charted() -> None:
    a_patient(deceased=True).when(decide, found(("hypertension", "absent"))).then_kinds(ScreeningRecorded)


# --- what stands ---


def test_only_a_person_s_answer_about_all_four_is_a_screening() -> None:
    assert screened_at(a_patient().state) is None
    assert screened_at(a_patient(screening()).state) == AT
    assert screened_at(a_patient(screening(heart_disease="unknown")).state) is None
    assert screened_at(a_patient(hinted(AT, *PAGE_FOUR)).state) is None
    assert screened_at(a_patient(rescreened(AT, hypertension="absent")).state) is None


def test_a_screening_is_as_old_as_its_oldest_answer() -> None:
    later = rescreened(AT + days(50), hypertension="controlled")
    state = a_patient(screening(), later).state
    assert screened_at(state) == AT
    assert screening_gaps(state, on(90), 90) == ()
    assert screening_gaps(state, on(91), 90) == ("substance_abuse", "thyroid_disease", "heart_disease")
    assert screening_gaps(state, on(141), 90) == PAGE_FOUR


def test_unknown_and_hints_leave_gaps() -> None:
    state = a_patient(screening(thyroid_disease="unknown"), hinted(AT, "thyroid_disease")).state
    assert screening_gaps(state, TODAY, 90) == ("thyroid_disease",)


def test_what_is_uncontrolled_blocks_whatever_it_is() -> None:
    state = a_patient(screening(hypertension="uncontrolled", intraocular_pressure="uncontrolled",
                                heart_disease="controlled")).state
    assert screening_blocks(state, TODAY) == ("hypertension", "intraocular_pressure")
    assert screening_blocks(a_patient().state, TODAY) == ()


def test_a_clearance_unblocks_through_its_last_day() -> None:
    state = a_patient(screening(hypertension="uncontrolled"), cleared(30)).state
    assert screening_blocks(state, on(30)) == ()
    assert screening_blocks(state, on(31)) == ("hypertension",)


def test_a_new_finding_needs_a_new_clearance() -> None:
    again = rescreened(AT + days(1), hypertension="uncontrolled")
    state = a_patient(screening(hypertension="uncontrolled"), cleared(300), again).state
    assert screening_blocks(state, on(2)) == ("hypertension",)
    better = rescreened(AT + days(2), "better", hypertension="controlled")
    assert screening_blocks(a_patient(screening(hypertension="uncontrolled"), better).state, on(2)) == ()


def test_a_clearance_charted_late_is_of_the_finding_that_stood_then() -> None:
    again = rescreened(AT + days(5), hypertension="uncontrolled")
    late = cleared(300, at=AT + days(1))
    assert screening_blocks(a_patient(screening(hypertension="uncontrolled"), again, late).state, on(6)) == (
        "hypertension",)


# --- hints ---


def test_a_hint_stays_until_somebody_has_looked() -> None:
    state = a_patient(hinted(AT - days(3000), "hypertension", "heart_disease")).state
    assert {hint.contraindication for hint in state.hints} == {"hypertension", "heart_disease"}
    looked = evolve(state, 4, rescreened(AT, hypertension="absent"))
    assert [hint.contraindication for hint in looked.hints] == ["heart_disease"]


def test_a_hint_imported_after_the_screening_is_new_however_old_it_is() -> None:
    state = a_patient(screening(), hinted(AT - days(3000), "hypertension")).state
    assert [hint.contraindication for hint in state.hints] == ["hypertension"]
    assert screening_blocks(state, TODAY) == ()


def test_a_hint_never_blocks_nor_satisfies() -> None:
    state = a_patient(hinted(AT, "hypertension")).state
    assert screening_blocks(state, TODAY) == ()
    assert "hypertension" in screening_gaps(state, TODAY, 90)


# --- clearing ---


def test_a_prescriber_clears_what_stands_uncontrolled() -> None:
    a_patient(screening(hypertension="uncontrolled")).when(decide, clearing(), KNOWN).then(cleared())
    for status in ("absent", "controlled", "unknown"):
        a_patient(screening(hypertension=status)).when(decide, clearing(), KNOWN).then_refused(
            NothingToClear, status=status)
    a_patient(hinted(AT, "hypertension")).when(decide, clearing(), KNOWN).then_refused(NothingToClear)


def test_nothing_clears_a_hypersensitivity() -> None:
    past = a_patient(screening(ketamine_hypersensitivity="uncontrolled"))
    past.when(decide, clearing(contraindication="ketamine_hypersensitivity"), KNOWN).then_refused(CannotBeCleared)


@pytest.mark.parametrize(("by", "facts"), [
    (DESK, KNOWN), (Actor(id=str(DOCTOR), role="nurse"), KNOWN), (Actor(id=str(NURSE), role="prescriber"), KNOWN),
    (AS_DOCTOR, Facts(prescriber_in_date=False)),
])
def test_nobody_clears_in_the_prescribers_place(by: Actor, facts: Facts) -> None:
    a_patient(screening(hypertension="uncontrolled")).when(decide, clearing(by=by), facts).then_refused(
        ClearanceNeedsPrescriber)


def test_a_clearance_is_reasoned_and_lies_ahead() -> None:
    past = a_patient(screening(hypertension="uncontrolled"))
    past.when(decide, clearing(valid_until=on(-1)), KNOWN).then_refused(DateNotValid, pointer="/valid_until")
    past.when(decide, clearing(reason_code="why not"), KNOWN).then_refused(UnknownCode)
    past.when(decide, clearing(reason_code="other"), KNOWN).then_refused(FreeTextNeeded)
    past.when(decide, clearing(reason_code="other", reason="told me"), KNOWN).then_kinds(ScreeningCleared)


# --- consent ---


def signed(at: datetime = AT, name: str = "consent", kind: str = "treatment") -> ConsentSigned:
    return ConsentSigned(
        occurred_at=at, consent_id=uid(name), kind=kind, form_version="2026-01", signed_by="patient", taken_by=NURSE)


def signing(**fields: Any) -> SignConsent:
    command: SignConsent = ask(SignConsent, **{
        "consent_id": uid("consent"), "kind": "treatment", "form_version": "2026-01", "signed_by": "patient",
        "taken_by": NURSE, **fields})
    return command


def test_a_consent_is_signed_once_and_withdrawn_once() -> None:
    there = a_patient().when(decide, signing()).then(signed())
    there.when(decide, signing()).then_refused(AlreadyEntered)
    withdrawing = ask(WithdrawConsent, consent_id=uid("consent"), reason_code="patients_choice")
    there.when(decide, withdrawing).then_kinds(ConsentWithdrawn).when(decide, withdrawing).then_refused(
        ConsentNotFound)


def test_the_dead_sign_nothing_and_kinds_are_known() -> None:
    a_patient(deceased=True).when(decide, signing()).then_refused(PatientDeceased)
    a_patient().when(decide, signing(kind="adoption")).then_refused(UnknownCode, pointer="/kind")
    a_patient().when(decide, signing(signed_by="neighbour")).then_refused(UnknownCode, pointer="/signed_by")


def test_a_consent_holds_from_its_day_for_its_days_until_its_withdrawal() -> None:
    withdrawn = ConsentWithdrawn(occurred_at=AT + days(10), consent_id=uid("consent"), reason_code="patients_choice")
    state = a_patient(signed()).state
    assert not consent_valid(state, "treatment", on(-1))
    assert consent_valid(state, "treatment", on(365), 365)
    assert not consent_valid(state, "treatment", on(366), 365)
    assert not consent_valid(state, "research", TODAY)
    after = a_patient(signed(), withdrawn).state
    assert consent_valid(after, "treatment", on(9))
    assert not consent_valid(after, "treatment", on(10))
    assert consent_signed_at(after) is None
    again = a_patient(signed(), withdrawn, signed(AT + days(11), "second")).state
    assert consent_valid(again, "treatment", on(11))
    assert consent_signed_at(again) == AT + days(11)


# --- corrections ---


def test_an_amended_screening_stands_as_amended() -> None:
    findings = [{"contraindication": code, "status": "absent"} for code in PAGE_FOUR]
    findings[0]["status"] = "uncontrolled"
    amending = ask(AmendEntry, entry=3, corrections={"findings": findings}, reason_code="typing_error")
    amended = a_patient(screening()).when(decide, amending).then_kinds(EntryAmended)
    assert screening_blocks(amended.state, TODAY) == ("hypertension",)


def test_an_amended_screening_keeps_the_rules() -> None:
    for corrections, error in (({"findings": []}, NoFindings), ({"screened_by": None}, HintIsNoFinding),
                               ({"notes": {"hypertension": "x"}}, NotCorrectable)):
        amending = ask(AmendEntry, entry=3, corrections=corrections, reason_code="typing_error")
        a_patient(screening()).when(decide, amending).then_refused(error)


def test_a_struck_clearance_blocks_again_but_is_not_amended() -> None:
    past = a_patient(screening(hypertension="uncontrolled"), cleared())
    struck = past.when(decide, ask(StrikeEntry, entry=4, reason_code="did_not_happen")).then_kinds(EntryStruck)
    assert screening_blocks(struck.state, TODAY) == ("hypertension",)
    longer = ask(AmendEntry, entry=4, corrections={"valid_until": "2027-01-01"}, reason_code="typing_error")
    past.when(decide, longer).then_refused(NotCorrectable)


def test_striking_the_newer_screening_brings_the_older_back() -> None:
    past = a_patient(screening(hypertension="uncontrolled"), rescreened(AT + days(1), hypertension="absent"))
    assert screening_blocks(past.state, on(2)) == ()
    struck = past.when(decide, ask(StrikeEntry, entry=4, reason_code="wrong_patient")).then_kinds(EntryStruck)
    assert screening_blocks(struck.state, on(2)) == ("hypertension",)


# --- whatever the order of charting ---


STATUSES = st.sampled_from(["absent", "controlled", "uncontrolled", "unknown"])


@st.composite
def charted(draw: st.DrawFn) -> list[Event]:
    """Screenings, hints, clearances and strikes, charted in any order of occurrence."""
    events: list[Event] = [registered(occurred_at=AT - days(100))]
    for number in range(draw(st.integers(1, 7))):
        at = AT + timedelta(days=draw(st.integers(0, 5)))
        match draw(st.sampled_from(["found", "hint", "cleared", "strike"])):
            case "found":
                events.append(rescreened(at, str(number), hypertension=draw(STATUSES)))
            case "hint":
                events.append(hinted(at, "hypertension", name=str(number)))
            case "cleared":
                events.append(cleared(draw(st.integers(0, 9)), at))
            case _ if len(events) > 1:
                entry = draw(st.integers(2, len(events)))
                events.append(EntryStruck(occurred_at=at, entry=entry, entry_name="x", reason_code="duplicate"))
    return events


@for_all(charted())
def test_folding_step_by_step_is_folding_what_stands_in_order_of_occurrence(events: list[Event]) -> None:
    state = initial(PATIENT)
    for version, event in enumerate(events, start=1):
        state = evolve(state, version, event)
    entries: Entries = state.entries
    assert list(entries) == sorted(entries, key=lambda entry: (entry.event.occurred_at, entry.version))
    again: State = reduce(apply, (entry for entry in entries if not entry.struck), initial(PATIENT))
    assert (again.findings, again.hints, again.clearances) == (state.findings, state.hints, state.clearances)
    assert len(state.findings) <= 1
    if state.findings and state.findings[0].status != "uncontrolled":
        assert screening_blocks(state, TODAY) == ()
