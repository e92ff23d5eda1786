"""Screening for what may preclude ketamine, its clearance, and consent."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.kernel import Code, Command, Event, Secret


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """status: absent, controlled, uncontrolled, unknown, or hint (from an import, to be looked at)."""

    contraindication: Code
    status: Code
    basis: Code | None = None


class ScreeningRecorded(Event, frozen=True, kw_only=True):
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
    NAME: ClassVar[str] = "patient.consent_signed.v1"
    consent_id: UUID
    kind: Code
    form_version: Code
    signed_by: Code
    taken_by: UUID


class ConsentWithdrawn(Event, frozen=True, kw_only=True):
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
