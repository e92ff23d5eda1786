"""The access log: who signed in, who opened which record, what was exported."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.kernel import Code, Event


class SignedIn(Event, frozen=True, kw_only=True):
    """Somebody signed in."""

    NAME: ClassVar[str] = "access.signed_in.v1"
    method: Code


class SignInFailed(Event, frozen=True, kw_only=True):
    """Somebody failed to sign in."""

    NAME: ClassVar[str] = "access.sign_in_failed.v1"
    method: Code
    reason_code: Code


class RecordOpened(Event, frozen=True, kw_only=True):
    """`care_position` is how much of the care log the answer showed."""

    NAME: ClassVar[str] = "access.record_opened.v1"
    resource: Code
    patient_id: UUID | None = None
    care_position: int
    purpose: Code = "treatment"
    result_count: int = 1


class ExportMade(Event, frozen=True, kw_only=True):
    """Records left the system: how many, up to which position of the care log, sealed or not."""

    NAME: ClassVar[str] = "access.export_made.v1"
    scope: Code
    care_position: int
    records: int
    unsealed: bool = False
