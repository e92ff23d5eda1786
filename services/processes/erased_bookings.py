"""Whoever was erased is expected no more: what they had booked and waited for is given up.

Not in the commit of the erasure, because it lies on the sheets of other days and clinics, each with a decision of its
own; after it, because from `PatientErased` on nothing more can be booked for them. A slot that is over is left to
those who know whether somebody came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from msgspec.structs import replace

from domain import day_sheet
from domain.kernel import Command, DomainError, Recorded
from domain.patient.erasure import PatientErased
from services.handling import CommandHandling
from services.processes.timers import Forget, Timer, asked, by

ERASED = "record_erased"

TRY_AGAIN = timedelta(hours=1)
"""After a refusal that nobody foresaw."""


class Subjects(Protocol):
    """Gives everything that concerns one patient (implemented by `EventLog`)."""

    def read_subject(self, subject: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[Recorded]: ...


@dataclass(frozen=True)
class BookingsOfErased:
    """Cancels the bookings to come and takes off the waitlist, sheet by sheet."""

    handling: CommandHandling
    log: Subjects
    name: str = "bookings_of_erased"
    names: tuple[str, ...] = (PatientErased.NAME,)

    def follow(self, record: Recorded) -> Timer | Forget | None:
        """An erasure sets a timer that is due at once; a record merged into the erased one has its own."""
        if record.subject is None:
            return None
        return Timer(timer_id=record.subject, subject=record.subject, due_at=record.recorded_at)

    def fire(self, timer: Timer, now: datetime) -> datetime | None:
        """Nothing is left live; later again, if anything was refused."""
        again = None
        for sheet_id, clinic_id in self._sheets(timer.subject):
            for what, command in self._given_up(sheet_id, timer.subject, now):
                request = replace(asked(self.name, what), clinic_id=clinic_id, patient_id=timer.subject)
                try:
                    self.handling.handle(sheet_id, command, request)
                except DomainError:
                    again = now + TRY_AGAIN
        return again

    def _sheets(self, patient_id: UUID) -> Iterator[tuple[UUID, UUID]]:
        """The day sheets that ever named the patient, each once, with their clinics."""
        found = {
            one.stream_id: one.clinic_id for one in self.log.read_subject(patient_id)
            if one.name in (day_sheet.AppointmentBooked.NAME, day_sheet.WaitlistJoined.NAME)
        }  # fmt: skip
        return ((sheet, clinic) for sheet, clinic in found.items() if clinic is not None)

    def _given_up(self, sheet_id: UUID, patient_id: UUID, now: datetime) -> Iterator[tuple[UUID, Command]]:
        state: day_sheet.State = self.handling.current(day_sheet, sheet_id).state
        for booked in state.appointments.values():
            if booked.patient_id == patient_id and booked.status == "booked" and booked.starts_at > now:
                yield booked.appointment_id, day_sheet.CancelAppointment(
                    by=by(self.name), now=now, at=now, appointment_id=booked.appointment_id, asked_by="clinic",
                    reason_code=ERASED,
                )
        for waiting in state.waiting.values():
            if waiting.patient_id == patient_id and waiting.latest_at > now:
                yield waiting.entry_id, day_sheet.LeaveWaitlist(
                    by=by(self.name), now=now, at=now, entry_id=waiting.entry_id, reason_code=ERASED,
                )
