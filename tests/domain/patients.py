"""Patients at named points of their record, for the tests of its rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from domain.kernel import NAMESPACE, Actor, Event
from domain.patient.patient import evolve, initial
from domain.patient.registration import CareRelationOpened, PatientRegistered
from domain.patient.screening import Finding, ScreeningRecorded
from domain.patient.state import Facts, State
from domain.vocabulary.contraindications import PAGE_FOUR
from tests.domain.given_when_then import Given, given

AT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
TODAY = AT.date()


def uid(name: str) -> UUID:
    """A steady id by name."""
    return uuid5(NAMESPACE, name)


PATIENT, CLINIC, CLINIC_2, DOCTOR, NURSE, TWIN = (
    uid(name) for name in ("patient", "clinic", "clinic 2", "doctor", "nurse", "twin"))
DESK = Actor(id=str(uid("desk")), role="front_desk")
AS_DOCTOR = Actor(id=str(DOCTOR), role="prescriber")
KNOWN = Facts(clinic_known=True, prescriber_in_date=True)


def ask(kind: type[Any], /, **fields: Any) -> Any:
    """A command given by the desk now, unless `fields` says otherwise."""
    return kind(**{"by": DESK, "now": AT, "at": AT, **fields})


def registered(**fields: Any) -> PatientRegistered:
    """Ada Example, born 1980, at CLINIC."""
    return PatientRegistered(**{
        "occurred_at": AT, "family_name": "Example", "given_name": "Ada", "birth_date": "1980-05-17",
        "sex": "female", "age_band": "45-54", "home_clinic_id": CLINIC, **fields})


CARED = CareRelationOpened(occurred_at=AT, clinic_id=CLINIC, reason_code="registration")


def nobody() -> Given[State]:
    return given(initial(PATIENT), evolve)


def a_patient(*events: Event, **fields: Any) -> Given[State]:
    """Registered and in CLINIC's care, and then `events`."""
    return given(initial(PATIENT), evolve, [registered(**fields), CARED, *events])


def screening(at: datetime = AT, name: str = "screening", **statuses: str) -> ScreeningRecorded:
    """The page's four, absent unless `statuses` says otherwise, found by the doctor."""
    findings = {**dict.fromkeys(PAGE_FOUR, "absent"), **statuses}
    return ScreeningRecorded(
        occurred_at=at, screening_id=uid(name), screened_by=DOCTOR,
        findings=tuple(Finding(contraindication=code, status=status) for code, status in findings.items()))


def rescreened(at: datetime, name: str = "again", **statuses: str) -> ScreeningRecorded:
    """Only what `statuses` names, found by the doctor."""
    return ScreeningRecorded(
        occurred_at=at, screening_id=uid(name), screened_by=DOCTOR,
        findings=tuple(Finding(contraindication=code, status=status) for code, status in statuses.items()))


def hinted(at: datetime, *contraindications: str, name: str = "hints") -> ScreeningRecorded:
    """An import's hints."""
    return ScreeningRecorded(
        occurred_at=at, screening_id=uid(name),
        findings=tuple(Finding(contraindication=code, status="hint") for code in contraindications))


def days(number: int) -> timedelta:
    return timedelta(days=number)


def on(number: int) -> date:
    """The local date `number` days after today."""
    return TODAY + days(number)
