"""Follow-ups: one schedule a patient, anchored at the latest infusion; and the note of each infusion given.

The diary notes every infusion in the commit of its final drug stop (`InfusionNoted`), so that one stream tells
all that care across courses and clinics must know of a patient's infusions: the last drug stop, how many were
given in a course, spells of relief. A correction of the visit's figures amends or strikes the note with it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.corrections import EntryAmended, EntryStruck
from domain.course.state import GivenInfusion
from domain.diary.scores import instrument_of
from domain.diary.state import FollowUp, NotedInfusion, State
from domain.kernel import Code, Command, Decision, DomainError, Event, derived_id
from domain.ledger import entry_of
from domain.vocabulary.scales import SCALES
from domain.vocabulary.term import require

ANSWERS_FROM = timedelta(hours=12)
ANSWERS_UNTIL = timedelta(hours=48)
"""A score from 12 h before to 48 h after the due time answers a prompt; none given before the prompt was opened (the
score at the visit itself is no answer to the question some hours after it)."""


class FollowUpNotFound(DomainError):
    """There is no such follow-up."""


class FollowUpNotOpen(DomainError):
    """The follow-up was superseded, missed or answered."""


class FollowUpNotYetMissed(DomainError):
    """There is still time to answer."""


class InfusionNoted(Event, frozen=True, kw_only=True):
    """An infusion was given; `occurred_at` is its final drug stop."""

    NAME: ClassVar[str] = "diary.infusion_noted.v1"
    infusion_id: UUID
    course_id: UUID | None
    purpose: Code
    drug_started_at: datetime
    weight_kg: Decimal | None = None


class FollowUpDue(Event, frozen=True, kw_only=True):
    """The patient will be asked for these instruments at `due_at`."""

    NAME: ClassVar[str] = "diary.follow_up_due.v1"
    follow_up_id: UUID
    infusion_id: UUID
    due_at: datetime
    instruments: tuple[Code, ...]


class FollowUpSuperseded(Event, frozen=True, kw_only=True):
    """A new infusion opened a new schedule; this prompt no longer counts."""

    NAME: ClassVar[str] = "diary.follow_up_superseded.v1"
    follow_up_id: UUID
    by_infusion_id: UUID


class FollowUpMissed(Event, frozen=True, kw_only=True):
    """Nobody answered a follow-up in time."""

    NAME: ClassVar[str] = "diary.follow_up_missed.v1"
    follow_up_id: UUID


class NoteInfusion(Command, frozen=True, kw_only=True):
    """Says what the visit's own events come to now; changes nothing when it is noted so already.

    With `offsets_hours` (once the visit has ended) the follow-ups after it are scheduled too, once.
    """

    infusion_id: UUID
    course_id: UUID | None
    purpose: Code
    drug_started_at: datetime
    drug_stopped_at: datetime
    weight_kg: Decimal | None = None
    offsets_hours: tuple[int, ...] = ()
    instruments: tuple[Code, ...] = ()
    asks: dict[Code, tuple[int, ...]] = {}


class UnnoteInfusion(Command, frozen=True, kw_only=True):
    """The visit's infusion was struck."""

    infusion_id: UUID
    reason_code: Code


class ScheduleFollowUps(Command, frozen=True, kw_only=True):
    """Open one prompt per offset after `infusion_id`; what is open from an earlier one is superseded.

    `asks` says at which offsets an instrument is asked, in its order; without it all `instruments` are, at each.
    """

    infusion_id: UUID
    drug_stopped_at: datetime
    offsets_hours: tuple[int, ...]
    instruments: tuple[Code, ...]
    asks: dict[Code, tuple[int, ...]] = {}


class MissFollowUp(Command, frozen=True, kw_only=True):
    follow_up_id: UUID


def decide_note(state: State, command: NoteInfusion) -> Decision:
    """The first note, an amendment of it, or nothing; then the schedule, if the visit has ended."""
    noted = _note(state, command)
    if not command.offsets_hours:
        return noted
    scheduled = decide_schedule(state, ScheduleFollowUps(
        by=command.by, now=command.now, at=command.at, infusion_id=command.infusion_id,
        drug_stopped_at=command.drug_stopped_at, offsets_hours=command.offsets_hours,
        instruments=command.instruments, asks=command.asks,
    ))
    return Decision((*noted.events, *scheduled.events))


def _note(state: State, command: NoteInfusion) -> Decision:
    noted = InfusionNoted(
        occurred_at=command.drug_stopped_at, late_reason=command.late_reason, infusion_id=command.infusion_id,
        course_id=command.course_id, purpose=command.purpose, drug_started_at=command.drug_started_at,
        weight_kg=command.weight_kg,
    )
    known = _noted(state, command.infusion_id)
    if known is None:
        return Decision((noted,))
    standing = entry_of(state.entries, known.entry).event
    fields = ("occurred_at", "course_id", "purpose", "drug_started_at", "weight_kg")
    wanted = msgspec.to_builtins(noted)
    corrections = {
        name: wanted.get(name) for name in fields if getattr(noted, name) != getattr(standing, name)
    }
    if not corrections:
        return Decision(())
    return Decision((EntryAmended(
        occurred_at=command.at, entry=known.entry, entry_name=InfusionNoted.NAME, corrections=corrections,
        reason_code="recomputed",
    ),))


def decide_unnote(state: State, command: UnnoteInfusion) -> Decision:
    """The note is struck with the infusion, and its open prompts fall."""
    known = _noted(state, command.infusion_id)
    if known is None:
        return Decision(())
    struck = EntryStruck(
        occurred_at=command.at, entry=known.entry, entry_name=InfusionNoted.NAME, reason_code=command.reason_code,
    )
    fallen = tuple(
        FollowUpSuperseded(
            occurred_at=command.at, follow_up_id=one.follow_up_id, by_infusion_id=command.infusion_id,
        )
        for one in state.follow_ups if one.infusion_id == command.infusion_id and one.status == "open"
    )
    return Decision((struck, *fallen))


def decide_schedule(state: State, command: ScheduleFollowUps) -> Decision:
    """Prompts after the latest infusion; none for one already scheduled, or older than one that is.

    Raises UnknownCode.
    """
    for index, instrument in enumerate(command.instruments):
        require(instrument, SCALES, f"/instruments/{index}")
    for instrument in command.asks:
        require(instrument, SCALES, f"/asks/{instrument}")
    if any(one.infusion_id == command.infusion_id for one in state.follow_ups) or _overtaken(state, command):
        return Decision(())
    superseded = tuple(
        FollowUpSuperseded(occurred_at=command.at, follow_up_id=one.follow_up_id, by_infusion_id=command.infusion_id)
        for one in state.follow_ups
        if one.status == "open" and one.due_at + ANSWERS_UNTIL >= command.drug_stopped_at and not answered(state, one)
    )
    due = tuple(
        FollowUpDue(
            occurred_at=command.at, follow_up_id=derived_id("follow_up", command.infusion_id, hours),
            infusion_id=command.infusion_id, due_at=command.drug_stopped_at + timedelta(hours=hours),
            instruments=_asked(command, hours),
        )
        for hours in sorted(set(command.offsets_hours))
    )
    return Decision((*superseded, *due))


def _asked(command: ScheduleFollowUps, hours: int) -> tuple[Code, ...]:
    if not command.asks:
        return command.instruments
    return tuple(code for code, at in command.asks.items() if hours in at) or command.instruments


def decide_missed(state: State, command: MissFollowUp) -> Decision:
    """Raises FollowUpNotFound, FollowUpNotOpen, FollowUpNotYetMissed."""
    one = next((one for one in state.follow_ups if one.follow_up_id == command.follow_up_id), None)
    if one is None:
        raise FollowUpNotFound(follow_up_id=str(command.follow_up_id), pointer="/follow_up_id")
    if one.status != "open" or answered(state, one):
        raise FollowUpNotOpen(follow_up_id=str(command.follow_up_id))
    if command.at < one.due_at + ANSWERS_UNTIL:
        raise FollowUpNotYetMissed(until=(one.due_at + ANSWERS_UNTIL).isoformat())
    return Decision((FollowUpMissed(
        occurred_at=command.at, late_reason=command.late_reason, follow_up_id=command.follow_up_id),))


def answered(state: State, one: FollowUp) -> bool:
    """Whether a score of one of its instruments lies in the prompt's window."""
    starts, ends = answers_from(one), one.due_at + ANSWERS_UNTIL
    return any(
        not entry.struck and starts <= entry.event.occurred_at < ends and instrument_of(entry.event) in one.instruments
        for entry in reversed(state.entries)
    )


def answers_from(one: FollowUp) -> datetime:
    """From when on a score answers the prompt."""
    earliest = one.due_at - ANSWERS_FROM
    return earliest if one.opened_at is None else max(earliest, one.opened_at)


def given(event: InfusionNoted) -> GivenInfusion:
    """The note as courses read it."""
    return GivenInfusion(
        infusion_id=event.infusion_id, course_id=event.course_id, purpose=event.purpose,
        drug_started_at=event.drug_started_at, drug_stopped_at=event.occurred_at,
    )


def _noted(state: State, infusion_id: UUID) -> NotedInfusion | None:
    return next((one for one in state.noted if one.infusion.infusion_id == infusion_id), None)


def _overtaken(state: State, command: ScheduleFollowUps) -> bool:
    scheduled = {one.infusion_id for one in state.follow_ups}
    return any(
        one.infusion.infusion_id in scheduled and one.infusion.drug_stopped_at > command.drug_stopped_at
        for one in state.noted
    )
