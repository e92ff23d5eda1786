"""Merging duplicates, the patient's rights over the record, holds and erasure."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.kernel import Code, Command, Event, Secret


class PatientsMerged(Event, frozen=True, kw_only=True):
    """On the duplicate's stream: from here on read it under `survivor_id`."""

    NAME: ClassVar[str] = "patient.merged.v1"
    survivor_id: UUID
    reason_code: Code


class PatientsUnmerged(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.unmerged.v1"
    survivor_id: UUID
    reason_code: Code


class AmendmentRequested(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.amendment_requested.v1"
    request_id: UUID
    text: Secret


class AmendmentAccepted(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.amendment_accepted.v1"
    request_id: UUID


class AmendmentDenied(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.amendment_denied.v1"
    request_id: UUID
    reason_code: Code
    reason: Secret | None = None


class RecordCopyGiven(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.record_copy_given.v1"
    copy_id: UUID
    given_to: Secret
    scope: Code


class DisclosureRestricted(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.disclosure_restricted.v1"
    restriction_id: UUID
    scope: Code
    infusion_id: UUID | None = None


class LegalHoldPlaced(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.legal_hold_placed.v1"
    hold_id: UUID
    reason: Secret


class LegalHoldReleased(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.legal_hold_released.v1"
    hold_id: UUID


class ErasureRequested(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.erasure_requested.v1"
    request_id: UUID
    reason_code: Code


class ErasureDeclined(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.erasure_declined.v1"
    request_id: UUID
    reason_code: Code


class ErasureApproved(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.erasure_approved.v1"
    request_id: UUID
    approved_by: UUID


class PatientErased(Event, frozen=True, kw_only=True):
    """The keys are destroyed. What remains is pseudonymous, not anonymous."""

    NAME: ClassVar[str] = "patient.erased.v1"
    request_id: UUID
    keys_destroyed: int


class MergePatients(Command, frozen=True, kw_only=True):
    survivor_id: UUID
    reason_code: Code


class UnmergePatients(Command, frozen=True, kw_only=True):
    survivor_id: UUID
    reason_code: Code


class RequestAmendment(Command, frozen=True, kw_only=True):
    request_id: UUID
    text: str


class AcceptAmendment(Command, frozen=True, kw_only=True):
    request_id: UUID


class DenyAmendment(Command, frozen=True, kw_only=True):
    request_id: UUID
    reason_code: Code
    reason: str | None = None


class GiveRecordCopy(Command, frozen=True, kw_only=True):
    copy_id: UUID
    given_to: str
    scope: Code


class RestrictDisclosure(Command, frozen=True, kw_only=True):
    restriction_id: UUID
    scope: Code
    infusion_id: UUID | None = None


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


# --- merging -------------------------------------------------------------------------------------


def decide_merge(state: State, command: MergePatients | UnmergePatients, facts: Facts) -> Decision:
    """Merging changes reads only, so it is refused while reads would mix two acts that are going on.

    Raises CannotMerge, MergeDuringVisit, BothHaveOpenCourses, UnknownCode; NotMerged, NotRegistered, RecordErased.
    """
    survivor_id, at = command.survivor_id, command.at
    if isinstance(command, UnmergePatients):
        if state.erased:
            raise RecordErased(patient_id=str(state.stream_id))
        if state.merged_into != survivor_id:
            raise NotMerged(survivor_id=str(survivor_id), pointer="/survivor_id")
        require(command.reason_code, UNMERGE, "/reason_code")
        return Decision((PatientsUnmerged(
            occurred_at=at, late_reason=command.late_reason, survivor_id=survivor_id,
            reason_code=command.reason_code),))
    require_record(state)
    require(command.reason_code, MERGE, "/reason_code")
    other = facts.survivor
    why = (
        "same" if survivor_id == state.stream_id else "survivor_unknown" if not other.registered
        else "survivor_erased" if other.erased else "survivor_merged" if other.merged_into is not None else None)
    if why is not None:
        into = str(other.merged_into) if other.merged_into else None
        raise CannotMerge(why=why, survivor_id=str(survivor_id), merged_into=into, pointer="/survivor_id")
    if facts.in_visit or other.in_visit:
        raise MergeDuringVisit(survivor_id=str(survivor_id))
    if facts.open_course and other.open_course:
        raise BothHaveOpenCourses(survivor_id=str(survivor_id))
    return Decision((PatientsMerged(
        occurred_at=at, late_reason=command.late_reason, survivor_id=survivor_id, reason_code=command.reason_code),))


# --- the patient's rights ------------------------------------------------------------------------


def decide_amendment_request(state: State, command: RequestAmendment | AcceptAmendment | DenyAmendment) -> Decision:
    """Raises AlreadyEntered; RequestNotFound, UnknownCode. Accepting changes nothing by itself: entries are
    amended one by one, with this request as their reason."""
    require_record(state)
    request, at, late = command.request_id, command.at, command.late_reason
    if isinstance(command, RequestAmendment):
        _require_new(state, request, "request_id")
        return Decision((AmendmentRequested(
            occurred_at=at, late_reason=late, request_id=request, text=command.text),))
    if request not in state.amendment_requests:
        raise RequestNotFound(request_id=str(request), pointer="/request_id")
    if isinstance(command, AcceptAmendment):
        return Decision((AmendmentAccepted(occurred_at=at, late_reason=late, request_id=request),))
    require(command.reason_code, AMENDMENT_DENIED, "/reason_code")
    return Decision((AmendmentDenied(
        occurred_at=at, late_reason=late, request_id=request, reason_code=command.reason_code,
        reason=command.reason,
    ),))


def decide_disclosure(state: State, command: GiveRecordCopy | RestrictDisclosure) -> Decision:
    """Raises AlreadyEntered, UnknownCode. A copy may be given of a deceased patient's record too."""
    require_record(state)
    at, late = command.at, command.late_reason
    if isinstance(command, GiveRecordCopy):
        _require_new(state, command.copy_id, "copy_id")
        require(command.scope, RECORD_SCOPES, "/scope")
        return Decision((RecordCopyGiven(
            occurred_at=at, late_reason=late, copy_id=command.copy_id, given_to=command.given_to,
            scope=command.scope),))
    _require_new(state, command.restriction_id, "restriction_id")
    require(command.scope, RESTRICTIONS, "/scope")
    return Decision((DisclosureRestricted(
        occurred_at=at, late_reason=late, restriction_id=command.restriction_id, scope=command.scope,
        infusion_id=command.infusion_id,
    ),))


def _require_new(state: State, right_id: UUID, field: str) -> None:
    if right_id in state.rights:
        raise AlreadyEntered(**{field: str(right_id)}, pointer=f"/{field}")


# --- holds and erasure ---------------------------------------------------------------------------


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
        _require_new(state, hold, "hold_id")
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
    if state.merged_into is not None:
        raise MergedAway(patient_id=str(state.stream_id), survivor_id=str(state.merged_into))
    at, late = command.at, command.late_reason
    if isinstance(command, RequestErasure):
        if state.erasure is not None:
            raise ErasureAlreadyRequested(request_id=str(state.erasure.request_id))
        _require_new(state, command.request_id, "request_id")
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


# --- state ---------------------------------------------------------------------------------------


def evolve_records(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case PatientsMerged():
            return replace(state, merged_into=event.survivor_id)
        case PatientsUnmerged():
            return replace(state, merged_into=None)
        case AmendmentRequested():
            return replace(state, amendment_requests=state.amendment_requests | {event.request_id},
                           rights=state.rights | {event.request_id})
        case AmendmentAccepted() | AmendmentDenied():
            return replace(state, amendment_requests=state.amendment_requests - {event.request_id})
        case RecordCopyGiven():
            return replace(state, rights=state.rights | {event.copy_id})
        case DisclosureRestricted():
            return replace(state, rights=state.rights | {event.restriction_id},
                           restrictions=(*state.restrictions, (event.scope, event.infusion_id)))
        case LegalHoldPlaced():
            return replace(state, holds=state.holds | {event.hold_id}, rights=state.rights | {event.hold_id})
        case LegalHoldReleased():
            return replace(state, holds=state.holds - {event.hold_id})
    return _evolve_erasure(state, event)


def _evolve_erasure(state: State, event: Event) -> State:
    match event:
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
