"""Members of staff: joining, credentials, leaving. They belong to the organisation, not to one clinic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain import staff
from domain.kernel import Command
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.case import Case


def use_cases() -> Mapping[type[Command], UseCase]:
    """Every command of a member of staff."""
    return {
        staff.JoinStaff: Case(staff, _joined),
        staff.RecordCredentials: Case(staff, _known),
        staff.LeaveStaff: Case(staff, _known),
    }


def _joined(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    return Plan(writes=(Write(aggregate=staff, stream_id=stream_id, command=command),))


def _known(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    if load(staff, stream_id).version == 0:
        raise NotFound(staff_id=str(stream_id))
    return _joined(stream_id, command, request, load)
