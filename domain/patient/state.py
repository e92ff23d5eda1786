"""What a patient's record knows of itself, and what it must be told of other streams to decide."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec

from domain.kernel import BadInput, Code, DomainError
from domain.ledger import Entries


class NotRegistered(DomainError):
    """There is no such patient."""


class MergedAway(DomainError):
    """This record was merged into another; new entries go there."""


class RecordErased(DomainError):
    """This patient's record was erased; nothing more is entered in it."""


class PatientDeceased(DomainError):
    """The patient has died."""


class DateNotValid(BadInput):
    """A date lies after the entry itself, or an end before its beginning."""


class FreeTextNeeded(BadInput):
    """The reason `other` needs its words."""


class AlreadyEntered(DomainError):
    """This has been entered already."""


class RequestNotFound(DomainError):
    """There is no such open request."""


class ConditionHeld(msgspec.Struct, frozen=True, kw_only=True):
    condition: Code
    icd10: Code | None
    onset_on: date | None


class Therapy(msgspec.Struct, frozen=True, kw_only=True):
    therapy: Code
    result: Code
    started_on: date | None
    ended_on: date | None


class Adjunct(msgspec.Struct, frozen=True, kw_only=True):
    """A therapy beside the infusions; going on while `ended_on` is None."""

    adjunct_id: UUID
    therapy: Code
    started_on: date
    ended_on: date | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The latest finding about one contraindication; `version` is its entry."""

    contraindication: Code
    status: Code
    found_at: datetime
    version: int


class Clearance(msgspec.Struct, frozen=True, kw_only=True):
    """A prescriber's clearance of the finding that stands, good through local date `valid_until`."""

    contraindication: Code
    prescriber_id: UUID
    cleared_at: datetime
    valid_until: date


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    consent_id: UUID
    kind: Code
    form_version: Code
    signed_at: datetime
    withdrawn_at: datetime | None = None


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """The open request to erase, and who has approved it so far."""

    request_id: UUID
    reason_code: Code
    requested_by_law: bool
    approved_by: tuple[UUID, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing sealed is kept here but inside `entries`: no rule depends on who the patient is.

    `findings` are a person's latest per contraindication; `hints` those of imports that nobody has looked at
    since. `care` are the clinics that the patient is visible to.
    """

    stream_id: UUID
    version: int = 0
    entries: Entries = ()
    registered_at: datetime | None = None
    sex: Code | None = None
    age_band: Code | None = None
    deceased: bool = False
    home_clinic_id: UUID | None = None
    care: frozenset[UUID] = frozenset()
    referrals: tuple[UUID, ...] = ()
    conditions: tuple[ConditionHeld, ...] = ()
    therapies: tuple[Therapy, ...] = ()
    adjuncts: tuple[Adjunct, ...] = ()
    coverages: tuple[UUID, ...] = ()
    screenings: tuple[UUID, ...] = ()
    findings: tuple[Standing, ...] = ()
    hints: tuple[Standing, ...] = ()
    clearances: tuple[Clearance, ...] = ()
    consents: tuple[Consent, ...] = ()
    merged_into: UUID | None = None
    amendment_requests: frozenset[UUID] = frozenset()
    rights: frozenset[UUID] = frozenset()
    restrictions: tuple[tuple[Code, UUID | None], ...] = ()
    holds: frozenset[UUID] = frozenset()
    erasure: Erasure | None = None
    erased: bool = False

    @property
    def is_registered(self) -> bool:
        return self.registered_at is not None


class OtherRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The record that this one is to be merged into, as it is now."""

    registered: bool = False
    erased: bool = False
    merged_into: UUID | None = None
    in_visit: bool = False
    open_course: bool = False


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `patient.decide` is told of other streams.

    clinic_known: the clinic that the command names exists (RegisterPatient, OpenCareRelation, ChangeHomeClinic).
    prescriber_in_date: ClearScreening's prescriber may prescribe on the local date of `at` (`staff.may_prescribe`).
    in_visit, open_course: this patient has an unended visit, an open course (MergePatients, ApproveErasure,
    CompleteErasure). survivor: the other record (MergePatients). retain_until: the last local date through which
    the record must be kept (`records.retention_floor` of the latest entry about the patient, or a longer state
    rule); None when nothing need be kept (ApproveErasure, CompleteErasure). today: the clinic-local date of `now`
    (default: the UTC one).
    """

    clinic_known: bool = False
    prescriber_in_date: bool = False
    in_visit: bool = False
    open_course: bool = False
    survivor: OtherRecord = OtherRecord()
    retain_until: date | None = None
    today: date | None = None


def day_of(moment: datetime) -> date:
    """The local date on which it happened: the entry's own offset is that of the place."""
    return moment.date()


def require_record(state: State) -> None:
    """Raises NotRegistered, RecordErased, MergedAway: for whatever is newly entered in the record."""
    if not state.is_registered:
        raise NotRegistered(patient_id=str(state.stream_id))
    if state.erased:
        raise RecordErased(patient_id=str(state.stream_id))
    if state.merged_into is not None:
        raise MergedAway(patient_id=str(state.stream_id), survivor_id=str(state.merged_into))


def require_living(state: State) -> None:
    """Raises PatientDeceased: for what is intended, not for what is known of the past."""
    if state.deceased:
        raise PatientDeceased(patient_id=str(state.stream_id))


def check_dates(at: datetime, *, starts: date | None = None, ends: date | None = None, names: tuple[str, str]) -> None:
    """Raises DateNotValid for a beginning or end after the day of `at`, or an end before the beginning."""
    for name, day in zip(names, (starts, ends), strict=True):
        if day is not None and day > day_of(at):
            raise DateNotValid(date=day.isoformat(), latest=day_of(at).isoformat(), pointer=f"/{name}")
    check_span(starts, ends, names[1])


def check_span(starts: date | None, ends: date | None, name: str) -> None:
    """Raises DateNotValid for an end before its beginning."""
    if starts is not None and ends is not None and ends < starts:
        raise DateNotValid(date=ends.isoformat(), earliest=starts.isoformat(), pointer=f"/{name}")


def require_words(reason_code: Code, reason: object, pointer: str = "/reason") -> None:
    """Raises FreeTextNeeded when the code is `other` and nothing is said beside it."""
    if reason_code == "other" and (reason is None or (isinstance(reason, str) and not reason.strip())):
        raise FreeTextNeeded(pointer=pointer)


def require_new(state: State, right_id: UUID, field: str) -> None:
    """Raises AlreadyEntered for a request, copy, restriction or hold that has been entered."""
    if right_id in state.rights:
        raise AlreadyEntered(**{field: str(right_id)}, pointer=f"/{field}")
