"""What a clinic's oversight needs to see of one day: refusals, emergency access, permissions, disclosures."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.kernel import Code, Event, Role, Secret


class CommandRefused(Event, frozen=True, kw_only=True):
    """A near miss: what was asked, which rule refused it, with its data; never the health details."""

    NAME: ClassVar[str] = "oversight.command_refused.v1"
    command: Code
    rule: Code
    stream_id: UUID | None = None
    data: dict[str, str] = {}


class EmergencyAccessUsed(Event, frozen=True, kw_only=True):
    """Somebody opened a record outside their care, with a reason; loud on purpose."""

    NAME: ClassVar[str] = "oversight.emergency_access_used.v1"
    patient_id: UUID
    until: datetime
    reason_code: Code
    reason: Secret | None = None


class PermissionChanged(Event, frozen=True, kw_only=True):
    """A user, key or role was made, changed or stopped."""

    NAME: ClassVar[str] = "oversight.permission_changed.v1"
    principal: str
    change: Code
    role: Role | None = None
    clinics: tuple[UUID, ...] = ()


class DisclosureRecorded(Event, frozen=True, kw_only=True):
    """A record went to somebody outside."""

    NAME: ClassVar[str] = "oversight.disclosure_recorded.v1"
    disclosure_id: UUID
    recipient: Secret
    purpose: Code
    exempt: bool = False
