"""Reminders: when a follow-up is due, its patient gets one letter with a link; by day, if they agreed to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from domain import clinic, diary
from domain.diary.follow_ups import (
    ANSWERS_UNTIL,
    FollowUpDue,
    FollowUpMissed,
    FollowUpSuperseded,
    answered,
)
from domain.kernel import Code, Recorded, derived_id
from domain.patient import patient, screening
from domain.vocabulary.questions import ASKABLE, SIDE_EFFECTS_ASKED
from services.handling import CommandHandling
from services.processes.quiet import quiet_until
from services.processes.timers import Forget, Timer
from services.use_cases.case import diary_of

CONSENT = "messaging"
"""Without this consent nobody is written to; an address in the record is not one."""

WORTH_ASKING = timedelta(hours=6)
"""A prompt whose window ends sooner is not sent any more (a worker that was off for days must not ask of the past)."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up to ask for. Both ids are the same however often it is tried."""

    message_id: UUID
    link_id: UUID
    patient_id: UUID
    clinic_id: UUID
    follow_up_id: UUID
    asks: tuple[Code, ...]
    expires_at: datetime


class PromptBox(Protocol):
    """Keeps the link and the letter to be sent, in one transaction, once."""

    def remind(self, prompt: Prompt, now: datetime) -> None: ...


def may_be_written_to(state: patient.State, now: datetime) -> bool:
    """Whether the patient lives, has a record, and agreed to messages."""
    closed = not state.is_registered or state.erased or state.deceased or state.merged_into is not None
    return not closed and screening.consent_signed_at(state, CONSENT) is not None


@dataclass(frozen=True)
class Reminders:
    """Puts one letter a follow-up into the outbox."""

    handling: CommandHandling
    box: PromptBox
    name: str = "reminders"
    names: tuple[str, ...] = (FollowUpDue.NAME, FollowUpSuperseded.NAME, FollowUpMissed.NAME)

    def follow(self, record: Recorded) -> Timer | Forget | None:
        """A prompt sets a timer for its own time; one that is superseded or missed needs none."""
        event = record.event
        if isinstance(event, FollowUpDue) and record.subject is not None:
            return Timer(timer_id=event.follow_up_id, subject=record.subject, due_at=event.due_at)
        if isinstance(event, FollowUpSuperseded | FollowUpMissed):
            return Forget(event.follow_up_id)
        return None

    def fire(self, timer: Timer, now: datetime) -> datetime | None:
        """Sent, unless it is answered or gone, or the patient is not to be written to; in quiet hours, after them."""
        whose: patient.State = self.handling.current(patient, timer.subject).state
        state: diary.State = self.handling.current(diary, diary_of(timer.subject)).state
        one = next((one for one in state.follow_ups if one.follow_up_id == timer.timer_id), None)
        if one is None or one.status != "open" or answered(state, one) or not may_be_written_to(whose, now):
            return None
        if now < one.due_at:
            return one.due_at  # amended to a later time
        ends = one.due_at + ANSWERS_UNTIL
        if now > ends - WORTH_ASKING or whose.home_clinic_id is None:
            return None
        here: clinic.State = self.handling.recent(clinic, whose.home_clinic_id).state
        until = quiet_until(now, ZoneInfo(here.timezone))
        if until is not None:
            return until
        wanted = {*one.instruments, SIDE_EFFECTS_ASKED}
        self.box.remind(Prompt(
            message_id=derived_id("letter", self.name, one.follow_up_id),
            link_id=derived_id("home_link", one.follow_up_id), patient_id=timer.subject,
            clinic_id=whose.home_clinic_id, follow_up_id=one.follow_up_id,
            asks=tuple(code for code in ASKABLE if code in wanted), expires_at=ends,
        ), now)
        return None
