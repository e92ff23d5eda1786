"""Legal holds and erasure: requested, checked, approved by two people, then the keys are destroyed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.kernel import Code, Command, Decision, DomainError, Event, Secret
from domain.patient.state import (
    AlreadyEntered,
    Erasure,
    Facts,
    MergedAway,
    NotRegistered,
    RecordErased,
    RequestNotFound,
    State,
    require_new,
    require_words,
)
from domain.vocabulary.reasons import ERASURE_DECLINED, ERASURE_REQUESTED, ORDERED_ERASURES
from domain.vocabulary.term import require

RETENTION_YEARS = 10
"""Proposed floor of how long a record is kept after the last entry (data dictionary section 9); states ask more."""

APPROVERS = 2
"""How many different people must approve an erasure."""


class HoldNotFound(DomainError):
    """There is no such legal hold."""


class UnderLegalHold(DomainError):
    """A legal hold forbids erasing."""


class RetentionNotOver(DomainError):
    """The record must still be kept."""


class ErasureInVisit(DomainError):
    """The patient is in a visit."""


class ErasureAlreadyRequested(DomainError):
    """A request to erase is open."""


class SecondApproverNeeded(DomainError):
    """An erasure is approved by two different people, each under their own sign-in."""


class LegalHoldPlaced(Event, frozen=True, kw_only=True):
    """Nothing of this record may be erased until the hold is released."""

    NAME: ClassVar[str] = "patient.legal_hold_placed.v1"
    hold_id: UUID
    reason: Secret


class LegalHoldReleased(Event, frozen=True, kw_only=True):
    """A legal hold no longer stands in the way of erasure."""

    NAME: ClassVar[str] = "patient.legal_hold_released.v1"
    hold_id: UUID


class ErasureRequested(Event, frozen=True, kw_only=True):
    """Somebody asked that what identifies the patient be destroyed."""

    NAME: ClassVar[str] = "patient.erasure_requested.v1"
    request_id: UUID
    reason_code: Code


class ErasureDeclined(Event, frozen=True, kw_only=True):
    """A requested erasure will not be carried out."""

    NAME: ClassVar[str] = "patient.erasure_declined.v1"
    request_id: UUID
    reason_code: Code


class ErasureApproved(Event, frozen=True, kw_only=True):
    """One of the two approvals that an erasure needs."""

    NAME: ClassVar[str] = "patient.erasure_approved.v1"
    request_id: UUID
    approved_by: UUID


class PatientErased(Event, frozen=True, kw_only=True):
    """The keys are destroyed. What remains is pseudonymous, not anonymous."""

    NAME: ClassVar[str] = "patient.erased.v1"
    request_id: UUID
    keys_destroyed: int


class PlaceLegalHold(Command, frozen=True, kw_only=True):
    hold_id: UUID
    reason: str


class ReleaseLegalHold(Command, frozen=True, kw_only=True):
    hold_id: UUID


class RequestErasure(Command, frozen=True, kw_only=True):
    request_id: UUID
    reason_code: Code


class DeclineErasure(Command, frozen=True, kw_only=True):
    request_id: UUID
    reason_code: Code


class ApproveErasure(Command, frozen=True, kw_only=True):
    request_id: UUID
    approved_by: UUID


class CompleteErasure(Command, frozen=True, kw_only=True):
    request_id: UUID
    keys_destroyed: int


def retention_floor(last_entry_at: datetime, years: int = RETENTION_YEARS) -> date:
    """The last date through which a record is kept when its last entry was made then (29 February: 28)."""
    last = last_entry_at.astimezone(UTC).date()
    day = 28 if (last.month, last.day) == (2, 29) else last.day
    return date(last.year + years, last.month, day)


def decide_hold(state: State, command: PlaceLegalHold | ReleaseLegalHold) -> Decision:
    """A hold may be placed on a merged record too: its keys are what it protects. Raises AlreadyEntered,
    FreeTextNeeded, HoldNotFound, NotRegistered, RecordErased."""
    _require_keys(state)
    hold, at, late = command.hold_id, command.at, command.late_reason
    if isinstance(command, PlaceLegalHold):
        require_new(state, hold, "hold_id")
        require_words("other", command.reason)
        return Decision((LegalHoldPlaced(occurred_at=at, late_reason=late, hold_id=hold, reason=command.reason),))
    if hold not in state.holds:
        raise HoldNotFound(hold_id=str(hold), pointer="/hold_id")
    return Decision((LegalHoldReleased(occurred_at=at, late_reason=late, hold_id=hold),))


def _require_keys(state: State) -> None:
    if not state.is_registered:
        raise NotRegistered(patient_id=str(state.stream_id))
    if state.erased:
        raise RecordErased(patient_id=str(state.stream_id))


def decide_erasure(
    state: State, command: RequestErasure | DeclineErasure | ApproveErasure | CompleteErasure, facts: Facts
) -> Decision:
    """Requested, checked against retention and legal hold, approved by two, then carried out.

    A merged record is erased with its survivor, by the survivor's request. Raises ErasureAlreadyRequested,
    UnknownCode; RequestNotFound; UnderLegalHold, RetentionNotOver, ErasureInVisit, SecondApproverNeeded.
    """
    _require_keys(state)
    at, late = command.at, command.late_reason
    if state.merged_into is not None:
        return _erased_with_survivor(state, command, facts)
    if isinstance(command, RequestErasure):
        if state.erasure is not None:
            raise ErasureAlreadyRequested(request_id=str(state.erasure.request_id))
        require_new(state, command.request_id, "request_id")
        require(command.reason_code, ERASURE_REQUESTED, "/reason_code")
        return Decision((ErasureRequested(
            occurred_at=at, late_reason=late, request_id=command.request_id, reason_code=command.reason_code),))
    if state.erasure is None or state.erasure.request_id != command.request_id:
        raise RequestNotFound(request_id=str(command.request_id), pointer="/request_id")
    if isinstance(command, DeclineErasure):
        require(command.reason_code, ERASURE_DECLINED, "/reason_code")
        return Decision((ErasureDeclined(
            occurred_at=at, late_reason=late, request_id=command.request_id, reason_code=command.reason_code),))
    _require_erasable(state, state.erasure, facts, command.now)
    if isinstance(command, ApproveErasure):
        return _approved(state.erasure, command)
    if len(state.erasure.approved_by) < APPROVERS:
        raise SecondApproverNeeded(approved=len(state.erasure.approved_by), needed=APPROVERS)
    return Decision((PatientErased(
        occurred_at=at, late_reason=late, request_id=command.request_id, keys_destroyed=command.keys_destroyed),))


def _erased_with_survivor(state: State, command: Command, facts: Facts) -> Decision:
    """A merged record follows the one it was merged into, and no hold of its own may stand in the way."""
    if not isinstance(command, CompleteErasure) or not facts.survivor.erased:
        raise MergedAway(patient_id=str(state.stream_id), survivor_id=str(state.merged_into))
    if state.holds:
        raise UnderLegalHold(holds=[str(hold) for hold in sorted(state.holds)])
    return Decision((PatientErased(
        occurred_at=command.at, late_reason=command.late_reason, request_id=command.request_id,
        keys_destroyed=command.keys_destroyed,
    ),))


def _require_erasable(state: State, erasure: Erasure, facts: Facts, now: datetime) -> None:
    if state.holds:
        raise UnderLegalHold(holds=[str(hold) for hold in sorted(state.holds)])
    today = facts.today or now.astimezone(UTC).date()
    if facts.retain_until is not None and today <= facts.retain_until and not erasure.requested_by_law:
        raise RetentionNotOver(retain_until=facts.retain_until.isoformat())
    if facts.in_visit:
        raise ErasureInVisit(patient_id=str(state.stream_id))


def _approved(erasure: Erasure, command: ApproveErasure) -> Decision:
    who = command.approved_by
    if who in erasure.approved_by or command.by.id != str(who):
        raise SecondApproverNeeded(approved_by=str(who), pointer="/approved_by")
    if len(erasure.approved_by) >= APPROVERS:
        raise AlreadyEntered(request_id=str(command.request_id))
    return Decision((ErasureApproved(
        occurred_at=command.at, late_reason=command.late_reason, request_id=command.request_id, approved_by=who),))


def evolve_erasure(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case LegalHoldPlaced():
            return replace(state, holds=state.holds | {event.hold_id}, rights=state.rights | {event.hold_id})
        case LegalHoldReleased():
            return replace(state, holds=state.holds - {event.hold_id})
        case ErasureRequested():
            erasure = Erasure(
                request_id=event.request_id, reason_code=event.reason_code,
                requested_by_law=event.reason_code in ORDERED_ERASURES)
            return replace(state, erasure=erasure, rights=state.rights | {event.request_id})
        case ErasureApproved() if state.erasure is not None:
            approved = (*state.erasure.approved_by, event.approved_by)
            return replace(state, erasure=replace(state.erasure, approved_by=approved))
        case ErasureDeclined():
            return replace(state, erasure=None)
        case PatientErased():
            return replace(state, erasure=None, erased=True)
    return state
