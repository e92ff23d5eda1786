"""Who would take a slot if one came free.

A wish is a patient, a visit kind and one stretch of time at a clinic. Its claim keeps a patient from waiting twice for
the same; whichever booking fills it takes the entry off the list.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

from domain.clinic.premises import RoomNotInService
from domain.day_sheet.slots import SlotImpossible
from domain.day_sheet.state import Facts, State, Waiting
from domain.kernel import Claim, Code, Command, Decision, DomainError, Event, Release
from domain.vocabulary.reasons import VISIT_KINDS, WAITLIST_LEFT
from domain.vocabulary.term import require


class NotWaiting(DomainError):
    """There is no such entry on the waitlist."""


class AlreadyWaiting(DomainError):
    """The patient waits for this already: `entry_id` names the entry."""


class SlotNotWanted(DomainError):
    """The slot lies outside the times the patient can come."""


class WaitlistJoined(Event, frozen=True, kw_only=True):
    """A patient would take an earlier time: any within one stretch, not certain hours of each day in it."""

    NAME: ClassVar[str] = "appointment.waitlist_joined.v1"
    entry_id: UUID
    patient_id: UUID
    visit_kind: Code
    earliest_at: datetime
    latest_at: datetime


class SlotOffered(Event, frozen=True, kw_only=True):
    """Somebody on the waiting list was offered a time."""

    NAME: ClassVar[str] = "appointment.slot_offered.v1"
    entry_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime


class WaitlistLeft(Event, frozen=True, kw_only=True):
    """A patient no longer waits for an earlier time."""

    NAME: ClassVar[str] = "appointment.waitlist_left.v1"
    entry_id: UUID
    reason_code: Code


class JoinWaitlist(Command, frozen=True, kw_only=True):
    """From `earliest_at` to `latest_at` is one stretch: on a day in between any hour may be offered."""

    entry_id: UUID
    patient_id: UUID
    visit_kind: Code
    earliest_at: datetime
    latest_at: datetime


class OfferSlot(Command, frozen=True, kw_only=True):
    entry_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime


class LeaveWaitlist(Command, frozen=True, kw_only=True):
    entry_id: UUID
    reason_code: Code


def decide_join(state: State, command: JoinWaitlist, facts: Facts) -> Decision:
    """Raises AlreadyWaiting, UnknownCode, SlotImpossible."""
    if command.entry_id in state.waiting:
        raise AlreadyWaiting(entry_id=str(command.entry_id), pointer="/entry_id")
    require(command.visit_kind, VISIT_KINDS, "/visit_kind")
    if not command.earliest_at < command.latest_at:
        raise SlotImpossible(
            "The latest time lies after the earliest.", earliest_at=command.earliest_at.isoformat(),
            latest_at=command.latest_at.isoformat(), pointer="/latest_at",
        )
    one = Waiting(
        entry_id=command.entry_id, patient_id=command.patient_id, visit_kind=command.visit_kind,
        earliest_at=command.earliest_at, latest_at=command.latest_at,
    )
    for other in (*state.waiting.values(), *facts.waiting):
        if _same(one, other):
            raise AlreadyWaiting(
                entry_id=str(other.entry_id), earliest_at=other.earliest_at.isoformat(),
                latest_at=other.latest_at.isoformat(), pointer="/patient_id",
            )
    return Decision((WaitlistJoined(
        occurred_at=command.at, late_reason=command.late_reason, entry_id=command.entry_id,
        patient_id=command.patient_id, visit_kind=command.visit_kind, earliest_at=command.earliest_at,
        latest_at=command.latest_at,
    ),), claims=(Claim(
        resource=wish(facts.clinic_id, one.patient_id, one.visit_kind), holder=holder(one.entry_id),
        starts=one.earliest_at.astimezone(UTC), ends=one.latest_at.astimezone(UTC),
    ),))


def wish(clinic_id: UUID | None, patient_id: UUID, visit_kind: Code) -> str:
    """What an entry holds over the time in which the patient can come."""
    return f"wish:{clinic_id}:{patient_id}:{visit_kind}"


def holder(entry_id: UUID) -> str:
    """The name under which an entry holds its wish."""
    return f"waitlist:{entry_id}"


def _same(one: Waiting, other: Waiting) -> bool:
    alike = (one.patient_id, one.visit_kind) == (other.patient_id, other.visit_kind)
    return alike and one.earliest_at < other.latest_at and other.earliest_at < one.latest_at


def decide_offer(state: State, command: OfferSlot, facts: Facts) -> Decision:
    """Raises NotWaiting, SlotImpossible, SlotNotWanted, RoomNotInService."""
    one = _waiting(state, command.entry_id)
    if not command.starts_at < command.ends_at:
        raise SlotImpossible(pointer="/ends_at")
    if command.starts_at < one.earliest_at or command.ends_at > one.latest_at:
        raise SlotNotWanted(earliest_at=one.earliest_at.isoformat(), latest_at=one.latest_at.isoformat(),
                            pointer="/starts_at")
    if command.room_id not in facts.rooms:
        raise RoomNotInService(room_id=str(command.room_id), pointer="/room_id")
    return Decision((SlotOffered(
        occurred_at=command.at, late_reason=command.late_reason, entry_id=command.entry_id, room_id=command.room_id,
        starts_at=command.starts_at, ends_at=command.ends_at,
    ),))


def decide_leave(state: State, command: LeaveWaitlist, facts: Facts) -> Decision:
    """Raises NotWaiting, UnknownCode."""
    one = _waiting(state, command.entry_id)
    require(command.reason_code, WAITLIST_LEFT, "/reason_code")
    return Decision((WaitlistLeft(
        occurred_at=command.at, late_reason=command.late_reason, entry_id=command.entry_id,
        reason_code=command.reason_code,
    ),), releases=(Release(
        resource=wish(facts.clinic_id, one.patient_id, one.visit_kind), holder=holder(one.entry_id)),))


def _waiting(state: State, entry_id: UUID) -> Waiting:
    one = state.waiting.get(entry_id)
    if one is None:
        raise NotWaiting(entry_id=str(entry_id), pointer="/entry_id")
    return one
