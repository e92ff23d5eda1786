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
