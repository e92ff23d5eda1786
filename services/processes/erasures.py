"""An erasure that two have approved is carried out, also when whoever approved second lost the connection.

The request that brings the second approval carries it out at once (the API does); this is what completes it after
a crash in between, or once a hold on a merged record has been released.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from domain.kernel import DomainError, Recorded
from domain.patient import patient
from domain.patient.erasure import CompleteErasure, ErasureApproved, ErasureDeclined
from domain.patient.state import State as PatientState
from services.handling import CommandHandling
from services.processes.timers import Forget, Timer, asked, by
from services.use_cases.erasing import Erasing, is_approved

GRACE = timedelta(minutes=1)
"""Left to the request that approved."""

TRY_AGAIN = timedelta(hours=1)
"""After a refusal (a hold, a visit going on)."""


@dataclass(frozen=True)
class ApprovedErasures:
    """Carries out what has been approved and stands open."""

    handling: CommandHandling
    erasing: Erasing
    name: str = "approved_erasures"
    names: tuple[str, ...] = (ErasureApproved.NAME, ErasureDeclined.NAME)

    def follow(self, record: Recorded) -> Timer | Forget | None:
        """An approval sets a timer; a decision against it takes it away."""
        event = record.event
        if isinstance(event, ErasureApproved) and record.subject is not None:
            return Timer(timer_id=event.request_id, subject=record.subject, due_at=record.recorded_at + GRACE)
        if isinstance(event, ErasureDeclined):
            return Forget(event.request_id)
        return None

    def fire(self, timer: Timer, now: datetime) -> datetime | None:
        """Erased, with what is merged into it, unless not (or no longer) approved by two; later, if forbidden now."""
        state: PatientState = self.handling.current(patient, timer.subject).state
        if not state.erased and not is_approved(state, timer.timer_id):
            return None
        command = CompleteErasure(
            by=by(self.name), now=now, at=now, request_id=timer.timer_id, keys_destroyed=0,
        )
        request = replace(asked(self.name, timer.timer_id), idempotency=None, patient_id=timer.subject)
        try:
            carry_out = self.erasing.finish if state.erased else self.erasing.erase
            carry_out(timer.subject, command, request)
        except DomainError:
            return now + TRY_AGAIN
        return None
