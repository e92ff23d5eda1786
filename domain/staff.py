"""A member of staff: who they are, what they may do until when."""

from __future__ import annotations

from datetime import date
from typing import ClassVar


from domain.kernel import Code, Command, Event, Secret


class StaffJoined(Event, frozen=True, kw_only=True):
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
    NAME: ClassVar[str] = "staff.left.v1"
    reason_code: Code


class JoinStaff(Command, frozen=True, kw_only=True):
    full_name: str
    email: str | None = None
    profession: Code


class RecordCredentials(Command, frozen=True, kw_only=True):
    kind: Code
    number: str
    jurisdiction: Code
    valid_from: date
    valid_until: date


class LeaveStaff(Command, frozen=True, kw_only=True):
    reason_code: Code
