"""A follow-up that nobody answered within its window is missed: nobody has to sit there and say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from domain import diary
from domain.diary.follow_ups import (
    ANSWERS_UNTIL,
    FollowUpDue,
    FollowUpMissed,
    FollowUpNotOpen,
    FollowUpSuperseded,
    MissFollowUp,
    answered,
)
from domain.kernel import LATE_WITHOUT_REASON, DomainError, Recorded
from domain.patient import patient
from domain.patient.state import State as PatientState
from services.handling import CommandHandling
from services.processes.timers import Forget, Timer, asked, by
from services.use_cases.case import diary_of

TRY_AGAIN = timedelta(hours=1)
"""After a refusal that nobody foresaw."""


@dataclass(frozen=True)
class MissedFollowUps:
    """Gives MissFollowUp when an open prompt's window has passed."""

    handling: CommandHandling
    name: str = "missed_follow_ups"
    names: tuple[str, ...] = (FollowUpDue.NAME, FollowUpSuperseded.NAME, FollowUpMissed.NAME)

    def follow(self, record: Recorded) -> Timer | Forget | None:
        """A prompt sets a timer; one that is superseded or missed needs none."""
        event = record.event
        if isinstance(event, FollowUpDue) and record.subject is not None:
            return Timer(timer_id=event.follow_up_id, subject=record.subject, due_at=event.due_at + ANSWERS_UNTIL)
        if isinstance(event, FollowUpSuperseded | FollowUpMissed):
            return Forget(event.follow_up_id)
        return None

    def fire(self, timer: Timer, now: datetime) -> datetime | None:
        """Missed, unless it was answered, superseded, or the record is closed (merged, erased)."""
        whose: PatientState = self.handling.current(patient, timer.subject).state
        state: diary.State = self.handling.current(diary, diary_of(timer.subject)).state
        one = next((one for one in state.follow_ups if one.follow_up_id == timer.timer_id), None)
        if one is None or one.status != "open" or answered(state, one) or whose.erased or whose.merged_into is not None:
            return None
        if now < one.due_at + ANSWERS_UNTIL:
            return one.due_at + ANSWERS_UNTIL  # amended to a later time
        missed_at = one.due_at + ANSWERS_UNTIL
        late = now - missed_at > LATE_WITHOUT_REASON
        command = MissFollowUp(
            by=by(self.name), now=now, at=missed_at, follow_up_id=timer.timer_id,
            late_reason="the process was not running" if late else None,
        )
        request = replace(asked(self.name, timer.timer_id), patient_id=timer.subject)
        try:
            self.handling.handle(diary_of(timer.subject), command, request)
        except FollowUpNotOpen:
            return None  # answered at this very moment
        except DomainError:
            return now + TRY_AGAIN  # one record must not hold up the others
        return None
