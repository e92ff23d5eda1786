"""Emergency access: a patient outside one's care is read when somebody's life may hang on it. Possible, reasoned, loud.

It opens reading only, to one person, for hours; nothing may be written by it. It is an event of the acting clinic's
oversight day with the patient as its subject, so it stands in the patient's own timeline; and a claim over its hours,
so that asking whether it is open costs one look-up and replaying the log gives the same answer.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec

from domain.kernel import Claim, Code, Command, Decision, Event
from domain.oversight import EmergencyAccessUsed
from domain.patient.state import FreeTextNeeded, RecordErased
from domain.vocabulary.reasons import EMERGENCY_ACCESS
from domain.vocabulary.term import require

__all__ = ["LASTS", "Facts", "State", "UseEmergencyAccess", "decide", "evolve", "initial", "resource_of"]

LASTS = timedelta(hours=4)
"""Long enough for an emergency, short enough to be asked for again in the next one."""

AT_ONCE = 1000
"""Claims of one person on one record may overlap: asking again prolongs it."""


class UseEmergencyAccess(Command, frozen=True, kw_only=True):
    """A reason in words is needed whatever the code: somebody will read it."""

    access_id: UUID
    patient_id: UUID
    reason_code: Code
    reason: str


class Facts(msgspec.Struct, frozen=True):
    """Whether the record was erased: there is nothing left to read."""

    erased: bool = False


class State(msgspec.Struct, frozen=True):
    """An oversight day tells nothing that deciding needs."""


def initial(stream_id: UUID, /) -> State:
    """Of a new day."""
    return State()


def evolve(state: State, version: int, event: Event, /) -> State:
    """Unchanged."""
    return state


def decide(state: State, command: UseEmergencyAccess, facts: Facts, /) -> Decision:
    """Raises UnknownCode, FreeTextNeeded, RecordErased."""
    require(command.reason_code, EMERGENCY_ACCESS, "/reason_code")
    if not command.reason.strip():
        raise FreeTextNeeded(pointer="/reason")
    if facts.erased:
        raise RecordErased(patient_id=str(command.patient_id))
    until = command.now + LASTS
    used = EmergencyAccessUsed(
        occurred_at=command.at, late_reason=command.late_reason, patient_id=command.patient_id, until=until,
        reason_code=command.reason_code, reason=command.reason,
    )
    claim = Claim(
        resource=resource_of(command.patient_id, command.by.id), holder=f"emergency:{command.access_id}",
        starts=command.now, ends=until, capacity=AT_ONCE,
    )
    return Decision((used,), claims=(claim,))


def resource_of(patient_id: UUID, actor: str) -> str:
    """What the claim is on: one record, for one person."""
    return f"emergency:{patient_id}:{actor}"
