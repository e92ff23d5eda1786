"""The patient's record as a whole: its fold in order of occurrence, and which rule decides which command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.corrections import AmendEntry, Entry, StrikeEntry
from domain.kernel import Command, Decision, DomainError, Event, check_time
from domain.ledger import decide_amendment, decide_strike, entry_of, evolve_in_order
from domain.patient import erasure, history, records, registration, screening
from domain.patient.state import Facts, State, require_record, require_words
from domain.vocabulary.reasons import AMENDED, STRUCK
from domain.vocabulary.term import require

__all__ = ["Facts", "NotCorrectable", "State", "apply", "as_of", "decide", "evolve", "initial"]


class NotCorrectable(DomainError):
    """This kind of entry is put right by a new one (demographics, care, merging, rights), not amended or struck."""


def initial(stream_id: UUID) -> State:
    """Nothing has happened yet."""
    return State(stream_id=stream_id)


def evolve(state: State, version: int, event: Event) -> State:
    """`state` after `event`; events that are none of a patient's record change nothing."""
    return evolve_in_order(state, version, event, initial(state.stream_id), apply)


def apply(state: State, entry: Entry) -> State:
    """One entry, as it stands, in order of occurrence."""
    state = registration.evolve_registration(state, entry.event)
    state = history.evolve_history(state, entry.event)
    state = screening.evolve_screening(state, entry.version, entry.event)
    state = records.evolve_records(state, entry.event)
    return erasure.evolve_erasure(state, entry.event)


def as_of(state: State, moment: datetime) -> State:
    """The record as it was at `moment`, as far as is known now: what a late entry is judged by."""
    then = initial(state.stream_id)
    for entry in state.entries:
        if entry.event.occurred_at <= moment and not entry.struck:
            then = apply(then, entry)
    return then


def decide(state: State, command: Command, facts: Facts | None = None) -> Decision:
    """The events that `command` leads to. Raises what the deciding function of its kind names, InTheFuture,
    LateWithoutReason, and (for whatever is newly entered) NotRegistered, RecordErased, MergedAway."""
    check_time(command)
    known = facts or Facts()
    match command:
        case registration.RegisterPatient():
            return registration.decide_registration(state, command, known)
        case registration.CorrectDemographics():
            return registration.decide_demographics(state, command)
        case registration.OpenCareRelation() | registration.CloseCareRelation() | registration.ChangeHomeClinic():
            return registration.decide_care(state, command, known)
        case registration.ReceiveReferral():
            return registration.decide_referral(state, command)
        case screening.RecordScreening():
            return screening.decide_screening(state, command)
        case screening.ClearScreening():
            return screening.decide_clearance(state, command, known)
        case screening.SignConsent() | screening.WithdrawConsent():
            return screening.decide_consent(state, command)
        case AmendEntry() | StrikeEntry():
            return _correct(state, command)
    return _decide_history(state, command) or _decide_records(state, command, known)


def _decide_history(state: State, command: Command) -> Decision | None:
    match command:
        case history.RecordCondition():
            return history.decide_condition(state, command)
        case history.RecordTherapyTried():
            return history.decide_therapy(state, command)
        case history.StartAdjunctTherapy() | history.EndAdjunctTherapy():
            return history.decide_adjunct(state, command)
        case history.RecordCoverage():
            return history.decide_coverage(state, command)
    return None


def _decide_records(state: State, command: Command, facts: Facts) -> Decision:
    match command:
        case records.MergePatients() | records.UnmergePatients():
            return records.decide_merge(state, command, facts)
        case records.RequestAmendment() | records.AcceptAmendment() | records.DenyAmendment():
            return records.decide_amendment_request(state, command)
        case records.GiveRecordCopy() | records.RestrictDisclosure():
            return records.decide_disclosure(state, command)
        case erasure.PlaceLegalHold() | erasure.ReleaseLegalHold():
            return erasure.decide_hold(state, command)
        case (erasure.RequestErasure() | erasure.DeclineErasure() | erasure.ApproveErasure()
              | erasure.CompleteErasure()):
            return erasure.decide_erasure(state, command, facts)
    raise TypeError(f"{type(command).__name__} is no command of a patient's record")


_CHECKS: dict[type[Event], Callable[[Any], None]] = {
    registration.ReferralReceived: registration.check_referral,
    history.ConditionRecorded: history.check_condition,
    history.TherapyTried: history.check_therapy,
    screening.ScreeningRecorded: screening.check_screening,
    screening.ConsentSigned: screening.check_consent,
}
"""What may be amended or struck, and the rule that its corrected form must keep."""

_STRIKE_ONLY: tuple[type[Event], ...] = (
    screening.ScreeningCleared, screening.ConsentWithdrawn, history.AdjunctTherapyStarted, history.AdjunctTherapyEnded,
    history.CoverageRecorded,
)
"""A clearance or a withdrawal is somebody's act: it can turn out not to have happened, but not to say otherwise."""


def _correct(state: State, command: AmendEntry | StrikeEntry) -> Decision:
    """Raises NotCorrectable, FreeTextNeeded, UnknownCode, what `ledger` names, and the corrected entry's own rules."""
    require_record(state)
    event = entry_of(state.entries, command.entry).event
    check = _CHECKS.get(type(event))
    if isinstance(command, StrikeEntry):
        if check is None and not isinstance(event, _STRIKE_ONLY):
            raise NotCorrectable(entry=command.entry, entry_name=event.NAME, pointer="/entry")
        require(command.reason_code, STRUCK, "/reason_code")
        require_words(command.reason_code, command.reason)
        return Decision((decide_strike(state.entries, command),))
    if check is None or "notes" in command.corrections:
        raise NotCorrectable(entry=command.entry, entry_name=event.NAME, pointer="/entry")
    require(command.reason_code, AMENDED, "/reason_code")
    require_words(command.reason_code, command.reason)
    amended, standing = decide_amendment(state.entries, command)
    try:
        check(standing)
    except DomainError as error:
        error.data["pointer"] = f"/corrections{error.data.get('pointer', '')}"
        raise
    return Decision((amended,))
