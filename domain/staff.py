"""A member of staff: who they are, what they may do until when."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain.corrections import AmendEntry, Entry, StrikeEntry
from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Secret, check_time
from domain.ledger import Entries, decide_amendment, decide_strike, entry_of, evolve_in_order
from domain.vocabulary.people import CREDENTIAL_KINDS, PROFESSIONS, STAFF_LEAVING
from domain.vocabulary.reasons import AMENDED, STRUCK
from domain.vocabulary.term import require


class AlreadyJoined(DomainError):
    """This person has joined and not left."""


class NotInService(DomainError):
    """This person has not joined, or has left."""


class StaffNameMissing(BadInput):
    """A name is needed."""


class CredentialNotValid(BadInput):
    """A credential has a number, a jurisdiction, and ends no earlier than it begins."""


class NotCorrectable(DomainError):
    """Only credentials are corrected; what else changed is a new entry."""


class StaffJoined(Event, frozen=True, kw_only=True):
    """Somebody works for the organisation. profession: see vocabulary PROFESSIONS."""

    NAME: ClassVar[str] = "staff.joined.v1"
    full_name: Secret
    email: Secret | None = None
    profession: Code


class CredentialsRecorded(Event, frozen=True, kw_only=True):
    """kind: medical_license, nursing_license, dea_registration, acls; valid through `valid_until`."""

    NAME: ClassVar[str] = "staff.credentials_recorded.v1"
    kind: Code
    number: Secret
    jurisdiction: Code
    valid_from: date
    valid_until: date


class StaffLeft(Event, frozen=True, kw_only=True):
    """A member of staff no longer works for the organisation."""

    NAME: ClassVar[str] = "staff.left.v1"
    reason_code: Code


class JoinStaff(Command, frozen=True, kw_only=True):
    full_name: str
    email: str | None = None
    profession: Code


class RecordCredentials(Command, frozen=True, kw_only=True):
    """jurisdiction: an ISO 3166 code such as US or US-CA. Renewal is a new record."""

    kind: Code
    number: str
    jurisdiction: Code
    valid_from: date
    valid_until: date


class LeaveStaff(Command, frozen=True, kw_only=True):
    reason_code: Code


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """Good on local dates `valid_from` through `valid_until`, both included."""

    kind: Code
    jurisdiction: Code
    valid_from: date
    valid_until: date

    def holds(self, on: date) -> bool:
        """Whether it is in date on a local date."""
        return self.valid_from <= on <= self.valid_until


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`full_name` and `email` may be sealed or redacted: nothing is decided by them."""

    stream_id: UUID
    version: int = 0
    entries: Entries = ()
    full_name: Secret | None = None
    email: Secret | None = None
    profession: Code | None = None
    joined_at: datetime | None = None
    left_at: datetime | None = None
    credentials: tuple[Credential, ...] = ()

    @property
    def in_service(self) -> bool:
        """Joined and not left."""
        return self.joined_at is not None and self.left_at is None

    @property
    def has_left(self) -> bool:
        return self.left_at is not None


def in_date(state: State, kind: Code, on: date) -> bool:
    """Whether a person in service holds a credential of `kind` on the local date `on`."""
    return state.in_service and any(one.kind == kind and one.holds(on) for one in state.credentials)


def licence_in_date(state: State, on: date) -> bool:
    """Whether the licence of the person's own profession is in date; False where the profession has none."""
    profession = PROFESSIONS.get(state.profession or "")
    return profession is not None and profession.licence is not None and in_date(state, profession.licence, on)


def may_prescribe(state: State, on: date) -> bool:
    """Of a prescribing profession, licence in date."""
    profession = PROFESSIONS.get(state.profession or "")
    return profession is not None and profession.prescribes and licence_in_date(state, on)


def may_nurse(state: State, on: date) -> bool:
    """With a nursing licence, or a prescriber's, in date."""
    return in_date(state, "nursing_license", on) or may_prescribe(state, on)


_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


def initial(stream_id: UUID) -> State:
    """Nothing has happened yet."""
    return State(stream_id=stream_id)


def decide(state: State, command: Command, facts: object = None) -> Decision:
    """The events that `command` leads to. Raises what the deciding function of its kind names, InTheFuture,
    LateWithoutReason. Needs no facts of other streams."""
    check_time(command)
    match command:
        case JoinStaff():
            return _join(state, command)
        case RecordCredentials():
            return _record(state, command)
        case LeaveStaff():
            _require_in_service(state)
            require(command.reason_code, STAFF_LEAVING, "/reason_code")
            return Decision((StaffLeft(
                occurred_at=command.at, late_reason=command.late_reason, reason_code=command.reason_code),))
        case AmendEntry() | StrikeEntry():
            return _correct(state, command)
    raise TypeError(f"{type(command).__name__} is no command of a member of staff")


def _join(state: State, command: JoinStaff) -> Decision:
    """Raises AlreadyJoined, StaffNameMissing, UnknownCode. Who left may join again."""
    if state.in_service:
        raise AlreadyJoined(staff_id=str(state.stream_id))
    if not command.full_name.strip():
        raise StaffNameMissing(pointer="/full_name")
    require(command.profession, PROFESSIONS, "/profession")
    return Decision((StaffJoined(
        occurred_at=command.at, late_reason=command.late_reason, full_name=command.full_name, email=command.email,
        profession=command.profession,
    ),))


def _record(state: State, command: RecordCredentials) -> Decision:
    """Raises NotInService, CredentialNotValid, UnknownCode."""
    _require_in_service(state)
    if not command.number.strip():
        raise CredentialNotValid("a credential has a number", pointer="/number")
    event = CredentialsRecorded(
        occurred_at=command.at, late_reason=command.late_reason, kind=command.kind, number=command.number,
        jurisdiction=command.jurisdiction, valid_from=command.valid_from, valid_until=command.valid_until,
    )
    _check_credential(event)
    return Decision((event,))


def _check_credential(event: CredentialsRecorded, at: str = "") -> None:
    require(event.kind, CREDENTIAL_KINDS, f"{at}/kind")
    if not _JURISDICTION.fullmatch(event.jurisdiction):
        raise CredentialNotValid("not an ISO 3166 code", jurisdiction=event.jurisdiction[:20],
                                 pointer=f"{at}/jurisdiction")
    if event.valid_until < event.valid_from:
        raise CredentialNotValid(
            valid_from=event.valid_from.isoformat(), valid_until=event.valid_until.isoformat(),
            pointer=f"{at}/valid_until")


def _correct(state: State, command: AmendEntry | StrikeEntry) -> Decision:
    """Raises NotCorrectable, UnknownCode, CredentialNotValid and what `ledger` names."""
    if not isinstance(entry_of(state.entries, command.entry).event, CredentialsRecorded):
        raise NotCorrectable(entry=command.entry, pointer="/entry")
    if isinstance(command, StrikeEntry):
        require(command.reason_code, STRUCK, "/reason_code")
        return Decision((decide_strike(state.entries, command),))
    require(command.reason_code, AMENDED, "/reason_code")
    amended, standing = decide_amendment(state.entries, command)
    if isinstance(standing, CredentialsRecorded):
        _check_credential(standing, "/corrections")
    return Decision((amended,))


def _require_in_service(state: State) -> None:
    if not state.in_service:
        raise NotInService(staff_id=str(state.stream_id))


def evolve(state: State, version: int, event: Event) -> State:
    """`state` after `event`; events that are none of a member of staff's change nothing."""
    return evolve_in_order(state, version, event, initial(state.stream_id), apply)


def apply(state: State, entry: Entry) -> State:
    """One entry, as it stands, in order of occurrence."""
    match entry.event:
        case StaffJoined() as joined:
            return replace(
                state, full_name=joined.full_name, email=joined.email, profession=joined.profession,
                joined_at=joined.occurred_at, left_at=None)
        case CredentialsRecorded() as one:
            credential = Credential(
                kind=one.kind, jurisdiction=one.jurisdiction, valid_from=one.valid_from, valid_until=one.valid_until)
            return replace(state, credentials=(*state.credentials, credential))
        case StaffLeft() as left:
            return replace(state, left_at=left.occurred_at)
    return state


def as_of(state: State, moment: datetime) -> State:
    """The person as they were at `moment`, as far as is known now: what a late entry is judged by.

    Credentials count by their own dates, whenever they were recorded.
    """
    then = initial(state.stream_id)
    for entry in state.entries:
        recorded_later = isinstance(entry.event, CredentialsRecorded)
        if not entry.struck and (entry.event.occurred_at <= moment or recorded_later):
            then = apply(then, entry)
    return then
