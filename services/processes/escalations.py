"""Alerts from home: the first on call is told at once, the next after so many minutes, then everybody, until somebody
acknowledges. Whom it was brought to is in the log before a letter leaves, so no crash loses or doubles a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from msgspec.structs import replace

from domain import clinic, diary
from domain.diary.home_reports import (
    AlertAlreadyAcknowledged,
    AlertAlreadyTold,
    EscalateHomeAlert,
    HomeAlertAcknowledged,
    HomeAlertEscalated,
    HomeAlertRaised,
)
from domain.diary.state import Alert
from domain.kernel import DomainError, Recorded, derived_id
from domain.patient import patient
from services.handling import CommandHandling
from services.processes.timers import Forget, Timer, asked, by
from services.use_cases.case import diary_of

AGAIN = timedelta(hours=1)
"""Once everybody has been told, they are told again this often."""

MOST_STEPS = 60
"""After that (two days and more) nobody is told any more; the page of alerts says so, and keeps the alert."""
TRY_AGAIN = timedelta(minutes=1)

_log = structlog.get_logger("anodyne.processes")


@dataclass(frozen=True)
class Escalations:
    """Takes the next step of an alert's escalation when its time has come."""

    handling: CommandHandling
    name: str = "alert_escalations"
    names: tuple[str, ...] = (HomeAlertRaised.NAME, HomeAlertAcknowledged.NAME)

    def follow(self, record: Recorded) -> Timer | Forget | None:
        """An alert is due at once; an acknowledged one no more."""
        event = record.event
        if isinstance(event, HomeAlertRaised) and record.subject is not None:
            return Timer(timer_id=event.alert_id, subject=record.subject, due_at=record.recorded_at)
        if isinstance(event, HomeAlertAcknowledged):
            return Forget(event.alert_id)
        return None

    def fire(self, timer: Timer, now: datetime) -> datetime | None:
        """One step further; when the next is due, or None once somebody has acknowledged."""
        state: diary.State = self.handling.current(diary, diary_of(timer.subject)).state
        whose: patient.State = self.handling.current(patient, timer.subject).state
        alert = next((one for one in state.alerts if one.alert_id == timer.timer_id), None)
        if alert is None or alert.acknowledged or whose.erased or whose.home_clinic_id is None:
            return None
        here: clinic.State = self.handling.current(clinic, whose.home_clinic_id).state
        due_at = next_step_at(here, alert)
        if len(alert.told) >= MOST_STEPS:
            _log.error("alerts.given_up", alert_id=str(alert.alert_id), steps=len(alert.told))
            return None
        if now < due_at:
            return due_at
        told, everybody = whom(here, alert.told)
        step = len(alert.told) + 1
        command = EscalateHomeAlert(
            by=by(self.name), now=now, at=now, alert_id=timer.timer_id, step=step, staff_ids=told, everybody=everybody)
        request = replace(
            asked(self.name, derived_id("alert_step", timer.timer_id, step)), patient_id=timer.subject,
            clinic_id=None)
        try:
            self.handling.handle(diary_of(timer.subject), command, request)
        except AlertAlreadyAcknowledged:
            return None
        except AlertAlreadyTold:
            return now  # another worker was faster: look again
        except DomainError:
            return now + TRY_AGAIN
        return now + (AGAIN if everybody else timedelta(minutes=here.on_call.escalate_after_minutes))


def next_step_at(here: clinic.State, alert: Alert) -> datetime:
    """When the alert goes on to the next: at once, then after the clinic's own minutes, then every hour."""
    if alert.told_at is None:
        return alert.raised_at
    return alert.told_at + (
        AGAIN if alert.everybody_told else timedelta(minutes=here.on_call.escalate_after_minutes))


def whom(here: clinic.State, told: tuple[tuple[UUID, ...], ...]) -> tuple[tuple[UUID, ...], bool]:
    """Who is told next, and whether that is everybody: the first on call who was not told yet, else all who can be."""
    already = {staff_id for step in told for staff_id in step}
    waiting = [staff_id for staff_id in clinic.still_here(here) if staff_id not in already]
    return ((waiting[0],), False) if waiting else (clinic.everybody(here), True)


class AlertBox(Protocol):
    """Keeps the letters to be sent to those whom an alert was brought to, once for each."""

    def tell(
        self, patient_id: UUID, clinic_id: UUID, alert_id: UUID, step: int, staff_ids: tuple[UUID, ...],
        everybody: bool,
    ) -> None: ...


@dataclass(frozen=True)
class AlertLetters:
    """Puts the letters for each step that the log holds into the outbox."""

    handling: CommandHandling
    box: AlertBox
    name: str = "alert_letters"
    names: tuple[str, ...] = (HomeAlertEscalated.NAME,)

    def follow(self, record: Recorded) -> Timer | Forget | None:
        """Every step is due at once."""
        event = record.event
        if isinstance(event, HomeAlertEscalated) and record.subject is not None:
            return Timer(
                timer_id=derived_id("alert_step", event.alert_id, event.step), subject=record.subject,
                due_at=record.recorded_at)
        return None

    def fire(self, timer: Timer, now: datetime) -> datetime | None:
        """The letters of the step, unless somebody has acknowledged meanwhile."""
        state: diary.State = self.handling.current(diary, diary_of(timer.subject)).state
        whose: patient.State = self.handling.current(patient, timer.subject).state
        for alert in state.alerts:
            for step, staff_ids in enumerate(alert.told, start=1):
                if derived_id("alert_step", alert.alert_id, step) != timer.timer_id or alert.acknowledged:
                    continue
                if whose.home_clinic_id is not None:
                    self.box.tell(
                        timer.subject, whose.home_clinic_id, alert.alert_id, step, staff_ids,
                        alert.everybody_told)
        return None
