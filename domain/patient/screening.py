"""Screening for what may preclude ketamine, its clearance, and consent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Secret
from domain.patient.state import (
    AlreadyEntered,
    Clearance,
    Consent,
    DateNotValid,
    Facts,
    Standing,
    State,
    day_of,
    require_living,
    require_record,
    require_words,
)
from domain.vocabulary.contraindications import PAGE_FOUR, SCREENED
from domain.vocabulary.reasons import (
    CLEARANCES,
    CONSENT_KINDS,
    CONSENT_SIGNERS,
    CONSENT_WITHDRAWN,
    FINDING_BASES,
    FINDING_STATUS,
)
from domain.vocabulary.term import require


class NoFindings(BadInput):
    """A screening has findings, each about another contraindication."""


class HintIsNoFinding(BadInput):
    """A person finds; only an import, where nobody has looked, hints."""


class NothingToClear(DomainError):
    """The contraindication does not stand as uncontrolled."""


class CannotBeCleared(DomainError):
    """Nothing resolves this contraindication."""


class ClearanceNeedsPrescriber(DomainError):
    """Only a prescriber in date clears, under their own sign-in."""


class ConsentNotFound(DomainError):
    """There is no such consent in force."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """status: absent, controlled, uncontrolled, unknown, or hint (from an import, to be looked at)."""

    contraindication: Code
    status: Code
    basis: Code | None = None


class ScreeningRecorded(Event, frozen=True, kw_only=True):
    """What was found (or not) of the conditions that may preclude ketamine."""

    NAME: ClassVar[str] = "patient.screening_recorded.v1"
    screening_id: UUID
    findings: tuple[Finding, ...]
    notes: dict[Code, Secret] = {}
    screened_by: UUID | None = None


class ScreeningCleared(Event, frozen=True, kw_only=True):
    """A prescriber's reasoned clearance of one uncontrolled finding."""

    NAME: ClassVar[str] = "patient.screening_cleared.v1"
    contraindication: Code
    prescriber_id: UUID
    valid_until: date
    reason_code: Code
    reason: Secret | None = None


class ConsentSigned(Event, frozen=True, kw_only=True):
    """A consent form was signed. kind: see vocabulary CONSENT_KINDS."""

    NAME: ClassVar[str] = "patient.consent_signed.v1"
    consent_id: UUID
    kind: Code
    form_version: Code
    signed_by: Code
    taken_by: UUID


class ConsentWithdrawn(Event, frozen=True, kw_only=True):
    """A signed consent no longer holds."""

    NAME: ClassVar[str] = "patient.consent_withdrawn.v1"
    consent_id: UUID
    reason_code: Code


class RecordScreening(Command, frozen=True, kw_only=True):
    screening_id: UUID
    findings: tuple[Finding, ...]
    notes: dict[Code, str] = {}
    screened_by: UUID | None = None


class ClearScreening(Command, frozen=True, kw_only=True):
    contraindication: Code
    prescriber_id: UUID
    valid_until: date
    reason_code: Code
    reason: str | None = None


class SignConsent(Command, frozen=True, kw_only=True):
    consent_id: UUID
    kind: Code
    form_version: Code
    signed_by: Code
    taken_by: UUID


class WithdrawConsent(Command, frozen=True, kw_only=True):
    consent_id: UUID
    reason_code: Code


def decide_screening(state: State, command: RecordScreening) -> Decision:
    """A person's findings, or (nobody having looked) an import's hints.

    Raises NoFindings, HintIsNoFinding, AlreadyEntered, UnknownCode.
    """
    require_record(state)
    if command.screening_id in state.screenings:
        raise AlreadyEntered(screening_id=str(command.screening_id), pointer="/screening_id")
    recorded = ScreeningRecorded(
        occurred_at=command.at, late_reason=command.late_reason, screening_id=command.screening_id,
        findings=command.findings, notes=dict(command.notes), screened_by=command.screened_by,
    )
    check_screening(recorded)
    return Decision((recorded,))


def check_screening(recorded: ScreeningRecorded) -> None:
    """Raises NoFindings, HintIsNoFinding, UnknownCode; asked of amended ones too."""
    named = [finding.contraindication for finding in recorded.findings]
    if not named or len(set(named)) != len(named):
        raise NoFindings(contraindications=named, pointer="/findings")
    for index, finding in enumerate(recorded.findings):
        require(finding.contraindication, SCREENED, f"/findings/{index}/contraindication")
        require(finding.status, FINDING_STATUS, f"/findings/{index}/status")
        if finding.basis is not None:
            require(finding.basis, FINDING_BASES, f"/findings/{index}/basis")
        if (finding.status == "hint") != (recorded.screened_by is None):
            raise HintIsNoFinding(status=finding.status, pointer=f"/findings/{index}/status")
    for contraindication in recorded.notes:
        if contraindication not in named:
            raise NoFindings("a note is about one of the findings", pointer=f"/notes/{contraindication}")


def decide_clearance(state: State, command: ClearScreening, facts: Facts) -> Decision:
    """A prescriber, in date and in person, clears what stands uncontrolled, with a reason, for a time.

    Raises NothingToClear, CannotBeCleared, ClearanceNeedsPrescriber, DateNotValid, FreeTextNeeded, UnknownCode.
    """
    require_record(state)
    require_living(state)
    term = require(command.contraindication, SCREENED, "/contraindication")
    standing = _about(state.findings, command.contraindication)
    if standing is None or standing.status != "uncontrolled":
        raise NothingToClear(
            contraindication=term.code, status=standing.status if standing else None, pointer="/contraindication")
    if not term.clearable:
        raise CannotBeCleared(contraindication=term.code, pointer="/contraindication")
    in_person = command.by.role in ("prescriber", "owner") and command.by.id == str(command.prescriber_id)
    if not in_person or not facts.prescriber_in_date:
        raise ClearanceNeedsPrescriber(prescriber_id=str(command.prescriber_id), pointer="/prescriber_id")
    if command.valid_until < day_of(command.at):
        raise DateNotValid(
            date=command.valid_until.isoformat(), earliest=day_of(command.at).isoformat(), pointer="/valid_until")
    require(command.reason_code, CLEARANCES, "/reason_code")
    require_words(command.reason_code, command.reason)
    return Decision((ScreeningCleared(
        occurred_at=command.at, late_reason=command.late_reason, contraindication=command.contraindication,
        prescriber_id=command.prescriber_id, valid_until=command.valid_until, reason_code=command.reason_code,
        reason=command.reason,
    ),))


def decide_consent(state: State, command: SignConsent | WithdrawConsent) -> Decision:
    """Raises AlreadyEntered, PatientDeceased, UnknownCode; ConsentNotFound."""
    require_record(state)
    known = next((one for one in state.consents if one.consent_id == command.consent_id), None)
    if isinstance(command, WithdrawConsent):
        if known is None or known.withdrawn_at is not None:
            raise ConsentNotFound(consent_id=str(command.consent_id), pointer="/consent_id")
        require(command.reason_code, CONSENT_WITHDRAWN, "/reason_code")
        return Decision((ConsentWithdrawn(
            occurred_at=command.at, late_reason=command.late_reason, consent_id=command.consent_id,
            reason_code=command.reason_code,
        ),))
    require_living(state)
    if known is not None:
        raise AlreadyEntered(consent_id=str(command.consent_id), pointer="/consent_id")
    signed = ConsentSigned(
        occurred_at=command.at, late_reason=command.late_reason, consent_id=command.consent_id, kind=command.kind,
        form_version=command.form_version, signed_by=command.signed_by, taken_by=command.taken_by,
    )
    check_consent(signed)
    return Decision((signed,))


def check_consent(signed: ConsentSigned) -> None:
    """Raises UnknownCode; asked of amended ones too."""
    require(signed.kind, CONSENT_KINDS, "/kind")
    require(signed.signed_by, CONSENT_SIGNERS, "/signed_by")


# --- what stands ---------------------------------------------------------------------------------


def screened_at(state: State) -> datetime | None:
    """Since when the screening holds: the oldest of the latest findings about the page's four; None while one lacks.

    `unknown` is no answer, and a hint never is.
    """
    answered = [
        one.found_at for one in state.findings if one.contraindication in PAGE_FOUR and one.status != "unknown"]
    return min(answered) if len(answered) == len(PAGE_FOUR) else None


def screening_gaps(state: State, on: date, valid_days: int) -> tuple[Code, ...]:
    """Which of the page's four lack a finding that is no more than `valid_days` old on local date `on`."""
    fresh = {
        one.contraindication for one in state.findings
        if one.status != "unknown" and 0 <= (on - day_of(one.found_at)).days <= valid_days
    }
    return tuple(code for code in PAGE_FOUR if code not in fresh)


def screening_blocks(state: State, on: date) -> tuple[Code, ...]:
    """What stands uncontrolled without a clearance that is good on local date `on`: none may be left to start."""
    cleared = {one.contraindication for one in state.clearances if one.valid_until >= on}
    return tuple(sorted(
        one.contraindication for one in state.findings
        if one.status == "uncontrolled" and one.contraindication not in cleared))


def consent_valid(state: State, kind: Code, on: date, valid_days: int | None = None) -> bool:
    """Whether a consent of `kind` was signed by local date `on` (no more than `valid_days` before) and stood then.

    It no longer stands on the very day of its withdrawal.
    """
    return any(
        one.kind == kind and day_of(one.signed_at) <= on
        and (one.withdrawn_at is None or day_of(one.withdrawn_at) > on)
        and (valid_days is None or (on - day_of(one.signed_at)).days <= valid_days)
        for one in state.consents)


def consent_signed_at(state: State, kind: Code = "treatment") -> datetime | None:
    """When the latest consent of `kind` that has not been withdrawn was signed."""
    return max((one.signed_at for one in state.consents if one.kind == kind and one.withdrawn_at is None), default=None)


def _about(standing: Iterable[Standing], contraindication: Code) -> Standing | None:
    return next((one for one in standing if one.contraindication == contraindication), None)


def evolve_screening(state: State, version: int, event: Event) -> State:
    """The state after an event of this file, entry `version`; any other changes nothing."""
    match event:
        case ScreeningRecorded():
            return _screened(state, version, event)
        case ScreeningCleared():
            clearance = Clearance(
                contraindication=event.contraindication, prescriber_id=event.prescriber_id,
                cleared_at=event.occurred_at, valid_until=event.valid_until)
            return replace(state, clearances=(*state.clearances, clearance))
        case ConsentSigned():
            consent = Consent(
                consent_id=event.consent_id, kind=event.kind, form_version=event.form_version,
                signed_at=event.occurred_at)
            return replace(state, consents=(*state.consents, consent))
        case ConsentWithdrawn():
            return replace(state, consents=tuple(
                replace(one, withdrawn_at=event.occurred_at) if one.consent_id == event.consent_id else one
                for one in state.consents))
    return state


def _screened(state: State, version: int, event: ScreeningRecorded) -> State:
    """A new finding takes the place of the old one, of the clearance given to it, and of the hints known by then."""
    new = tuple(
        Standing(contraindication=one.contraindication, status=one.status, found_at=event.occurred_at, version=version)
        for one in event.findings)
    names = {one.contraindication for one in new}
    screenings = (*state.screenings, event.screening_id)
    if event.screened_by is None:
        unanswered = tuple(one for one in new if not _looked_at(state, one))
        hinted = {one.contraindication for one in unanswered}
        others = tuple(one for one in state.hints if one.contraindication not in hinted)
        return replace(state, screenings=screenings, hints=(*others, *unanswered))
    return replace(
        state, screenings=screenings,
        findings=(*(one for one in state.findings if one.contraindication not in names), *new),
        hints=tuple(one for one in state.hints if one.contraindication not in names or one.version > version),
        clearances=tuple(one for one in state.clearances if one.contraindication not in names),
    )


def _looked_at(state: State, hint: Standing) -> bool:
    finding = _about(state.findings, hint.contraindication)
    return finding is not None and finding.version > hint.version
