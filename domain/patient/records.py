"""Merging duplicates, and the patient's rights over the record: amendment, copy, restriction."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.kernel import Claim, Code, Command, Decision, DomainError, Event, Release, Secret
from domain.patient.state import Facts, RecordErased, RequestNotFound, State, require_new, require_record
from domain.vocabulary.reasons import AMENDMENT_DENIED, MERGE, RECORD_SCOPES, RESTRICTIONS, UNMERGE
from domain.vocabulary.term import require


class CannotMerge(DomainError):
    """The two records cannot be merged. why: same, survivor_unknown, survivor_erased, survivor_merged."""


class MergeDuringVisit(DomainError):
    """One of the two is in a visit."""


class BothHaveOpenCourses(DomainError):
    """Both have an open course: close one first."""


class NotMerged(DomainError):
    """This record was not merged into that one."""


class PatientsMerged(Event, frozen=True, kw_only=True):
    """On the duplicate's stream: from here on read it under `survivor_id`."""

    NAME: ClassVar[str] = "patient.merged.v1"
    survivor_id: UUID
    reason_code: Code


class PatientsUnmerged(Event, frozen=True, kw_only=True):
    """Two merged records are read as two patients again."""

    NAME: ClassVar[str] = "patient.unmerged.v1"
    survivor_id: UUID
    reason_code: Code


class AmendmentRequested(Event, frozen=True, kw_only=True):
    """The patient asked for a correction of the record (45 CFR 164.526)."""

    NAME: ClassVar[str] = "patient.amendment_requested.v1"
    request_id: UUID
    text: Secret


class AmendmentAccepted(Event, frozen=True, kw_only=True):
    """A requested correction was accepted; the correction itself is an EntryAmended."""

    NAME: ClassVar[str] = "patient.amendment_accepted.v1"
    request_id: UUID


class AmendmentDenied(Event, frozen=True, kw_only=True):
    """A requested correction was denied, for a reason the law knows."""

    NAME: ClassVar[str] = "patient.amendment_denied.v1"
    request_id: UUID
    reason_code: Code
    reason: Secret | None = None


class RecordCopyGiven(Event, frozen=True, kw_only=True):
    """The patient was given a copy of the record."""

    NAME: ClassVar[str] = "patient.record_copy_given.v1"
    copy_id: UUID
    given_to: Secret
    scope: Code


class DisclosureRestricted(Event, frozen=True, kw_only=True):
    """The patient restricted to whom the record may be disclosed (45 CFR 164.522)."""

    NAME: ClassVar[str] = "patient.disclosure_restricted.v1"
    restriction_id: UUID
    scope: Code
    infusion_id: UUID | None = None


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
            reason_code=command.reason_code),), releases=(Release(
                resource=merged_into(survivor_id), holder=f"patient:{state.stream_id}"),))
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
        occurred_at=at, late_reason=command.late_reason, survivor_id=survivor_id, reason_code=command.reason_code),),
        claims=(Claim(
            resource=merged_into(survivor_id), holder=f"patient:{state.stream_id}", starts=at, ends=None, enforce=False,
        ),))


def merged_into(survivor_id: UUID) -> str:
    """The claim that tells which records were merged into this one (held by `patient:<duplicate>`)."""
    return f"merged-into:{survivor_id}"


def decide_amendment_request(state: State, command: RequestAmendment | AcceptAmendment | DenyAmendment) -> Decision:
    """Raises AlreadyEntered; RequestNotFound, UnknownCode. Accepting changes nothing by itself: entries are
    amended one by one, with this request as their reason."""
    require_record(state)
    request, at, late = command.request_id, command.at, command.late_reason
    if isinstance(command, RequestAmendment):
        require_new(state, request, "request_id")
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
        require_new(state, command.copy_id, "copy_id")
        require(command.scope, RECORD_SCOPES, "/scope")
        return Decision((RecordCopyGiven(
            occurred_at=at, late_reason=late, copy_id=command.copy_id, given_to=command.given_to,
            scope=command.scope),))
    require_new(state, command.restriction_id, "restriction_id")
    require(command.scope, RESTRICTIONS, "/scope")
    return Decision((DisclosureRestricted(
        occurred_at=at, late_reason=late, restriction_id=command.restriction_id, scope=command.scope,
        infusion_id=command.infusion_id,
    ),))


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
    return state
