"""The one table from a domain error to its HTTP status.

A broken rule is 409: the request is fine but the state of things forbids it. A value that no state would accept is
422; a thing that is not there is 404; somebody who may not is 403; a precondition that does not hold is 412.
Errors are named here by their class name, so that the edge need not import every aggregate; a test checks that each
name exists, and that every error of the domain stands here or is a rule.
"""

from __future__ import annotations

from domain.kernel import BadInput, DomainError

__all__ = ["STATUSES", "status_of"]

IMPOSSIBLE = """
    InTheFuture LateWithoutReason UnknownCode
    UnknownTimeZone NameMissing OpeningSpanNotValid OpeningSpansOverlap PrimeTimeOutsideHours ClosureNotValid
    PriceListNotValid OnCallNotValid ProtocolNotValid RoleNotForStaff StaffNameMissing CredentialNotValid
    PersonalNameMissing ImplausibleBirthDate NotAnAdult NothingCorrected ClinicNotKnown DateNotValid FreeTextNeeded
    CoverageNotValid NoFindings HintIsNoFinding NotAnIndication MalformedIcd10
    ImplausibleWeight ImplausibleProposal SeriesNotPossible ReasonNeeded
    SlotImpossible NotOnThisSheet
    ImplausibleVital ImplausibleValue EmptyVitals NotASign ImplausibleAmount ImplausibleLine NotAGrade OnsetAfterReport
    ReadBackNeeded WrongDischargeItems ScoreOutOfRange WrongItemCount TooManyMissing ItemsOrTotalNeeded
    GradeOutOfRange EndsBeforeItBegins NoteNeeded
    QuantityImpossible SecondPersonNeeded ExplanationNeeded
    UnknownFieldInCorrection NothingToCorrect CorrectionNotValid
"""
"""422: the value itself cannot be, whatever the state of things."""

ABSENT = """
    NotFound AppointmentNotFound ClosureNotFound HoldNotFound RequestNotFound AdjunctNotFound ConsentNotFound
    AlertNotFound FollowUpNotFound NoSuchAlert NoSuchOrder NoSuchSideEffect NoSuchBooster NoSuchAppointment
    EntryNotFound CalendarFeedNotFound
"""
"""404: there is no such thing (inside something that the caller may see)."""

FORBIDDEN = "NotAuthorisedToOverbook NotThePrescriber ClearanceNeedsPrescriber SecondApproverNeeded"
"""403: somebody else may."""

STATUSES: dict[str, int] = {
    **dict.fromkeys(IMPOSSIBLE.split(), 422),
    **dict.fromkeys(ABSENT.split(), 404),
    **dict.fromkeys(FORBIDDEN.split(), 403),
    "VersionMismatch": 412,
}

RULE = 409


def code_of(name: str) -> str:
    """The public name of an error class, as `DomainError.code` makes it."""
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


BY_CODE: dict[str, int] = {code_of(name): status for name, status in STATUSES.items()}


def status_of(error: DomainError) -> int:
    """422 for bad input; else by the error's own name (a stored refusal has the name of the first); else 409."""
    if isinstance(error, BadInput):
        return 422
    return BY_CODE.get(error.code, RULE)
