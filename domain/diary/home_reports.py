"""Side effects reported from home, and the alerts that a report raises.

DESIGN section 4, From home: PHQ-9 item 9 above 0, grade >= 3, chest pain, breathing trouble or harm raises an
alert to the clinic's on-call list, in the same decision as the report itself, or before it where it is told in steps.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from domain.diary.scores import MoodScored
from domain.diary.state import Alert, State
from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Secret, derived_id
from domain.vocabulary.reasons import HOME_ALERT_ACTIONS
from domain.vocabulary.reasons import HOME_ALERTS as HOME_ALERT_KINDS
from domain.vocabulary.scales import SUICIDE_ITEM
from domain.vocabulary.side_effects import GRADES, HOME_ALERTS, SEVERE, SIDE_EFFECTS
from domain.vocabulary.term import require

ALERTS_FOR = timedelta(days=14)
"""Older reports (imports, late paper forms) page nobody: PHQ-9 itself asks about the last two weeks."""


class GradeOutOfRange(BadInput):
    """Grades run from 1 to 5."""


class EndsBeforeItBegins(BadInput):
    """A side effect cannot end before its onset, nor begin after it was reported."""


class NoteNeeded(BadInput):
    """`other` asks for a description."""


class SideEffectAlreadyReported(DomainError):
    """This side effect has been reported."""


class AlertNotFound(DomainError):
    """There is no such alert."""


class AlertAlreadyAcknowledged(DomainError):
    """Somebody has acknowledged this alert."""


class AlertAlreadyTold(DomainError):
    """This step of the escalation has been taken."""

    kept = False


class SideEffectReportedFromHome(Event, frozen=True, kw_only=True):
    """The patient reported a side effect after the visit."""

    NAME: ClassVar[str] = "diary.side_effect_reported_from_home.v1"
    side_effect_id: UUID
    kind: Code
    grade: int
    serious: bool = False
    onset_at: datetime
    ended_at: datetime | None = None
    infusion_id: UUID | None = None
    note: Secret | None = None


class HomeAlertRaised(Event, frozen=True, kw_only=True):
    """kind: suicidal_thoughts, severe_side_effect, chest_pain, breathing_trouble, harm.

    `entry` is the version of the report behind it; none when the answer called before the report was complete.
    """

    NAME: ClassVar[str] = "diary.alert_raised.v1"
    alert_id: UUID
    kind: Code
    entry: int | None = None


class HomeAlertAcknowledged(Event, frozen=True, kw_only=True):
    """Somebody took care of an alert from home."""

    NAME: ClassVar[str] = "diary.alert_acknowledged.v1"
    alert_id: UUID
    action: Code
    note: Secret | None = None


class HomeAlertEscalated(Event, frozen=True, kw_only=True):
    """An alert from home was brought to these people: first to the one on call, then on until somebody acknowledges.

    `step` counts from 1. `everybody`: the list was used up. No `staff_ids`: there was nobody who could be told.
    """

    NAME: ClassVar[str] = "diary.alert_escalated.v1"
    alert_id: UUID
    step: int
    staff_ids: tuple[UUID, ...] = ()
    everybody: bool = False


class ReportSideEffectFromHome(Command, frozen=True, kw_only=True):
    side_effect_id: UUID
    kind: Code
    grade: int
    serious: bool = False
    onset_at: datetime
    ended_at: datetime | None = None
    infusion_id: UUID | None = None
    note: str | None = None


class RaiseHomeAlert(Command, frozen=True, kw_only=True):
    """What a patient said asks for somebody at once, though it makes no score or is only begun.

    A side effect's alert carries the id that `alert_of` gives, so that the report that follows raises none again.
    """

    alert_id: UUID
    kind: Code


class AcknowledgeHomeAlert(Command, frozen=True, kw_only=True):
    alert_id: UUID
    action: Code
    note: str | None = None


class EscalateHomeAlert(Command, frozen=True, kw_only=True):
    """Brings an alert to the next on the on-call list; given by the process that watches the time."""

    alert_id: UUID
    step: int
    staff_ids: tuple[UUID, ...] = ()
    everybody: bool = False


def reported(state: State, command: ReportSideEffectFromHome) -> SideEffectReportedFromHome:
    """The report, checked. Raises SideEffectAlreadyReported, NoteNeeded and what `check` raises."""
    if command.side_effect_id in state.side_effects:
        raise SideEffectAlreadyReported(side_effect_id=str(command.side_effect_id))
    if command.kind == "other" and not command.note:
        raise NoteNeeded(pointer="/note")
    event = SideEffectReportedFromHome(
        occurred_at=command.at, late_reason=command.late_reason, side_effect_id=command.side_effect_id,
        kind=command.kind, grade=command.grade, serious=command.serious, onset_at=command.onset_at,
        ended_at=command.ended_at, infusion_id=command.infusion_id, note=command.note,
    )
    check(event)
    return event


def check(event: Event) -> None:
    """The rules a report keeps, new or amended. Raises UnknownCode, GradeOutOfRange, EndsBeforeItBegins."""
    if not isinstance(event, SideEffectReportedFromHome):
        return
    require(event.kind, SIDE_EFFECTS, "/kind")
    if event.grade not in GRADES:
        raise GradeOutOfRange(grade=event.grade, pointer="/grade")
    if event.onset_at > event.occurred_at:
        raise EndsBeforeItBegins(onset_at=event.onset_at.isoformat(), pointer="/onset_at")
    if event.ended_at is not None and event.ended_at < event.onset_at:
        raise EndsBeforeItBegins(ended_at=event.ended_at.isoformat(), pointer="/ended_at")


def alerts(state: State, event: Event, entry: int, now: datetime) -> tuple[HomeAlertRaised, ...]:
    """The alerts that the report at version `entry` raises and that have not been raised for it before."""
    if event.occurred_at < now - ALERTS_FOR:
        return ()
    raised = {alert.alert_id for alert in state.alerts}
    found = []
    for kind in _alert_kinds(event):
        alert_id = derived_id("home_alert", state.stream_id, entry, kind)
        begun = isinstance(event, SideEffectReportedFromHome) and alert_of(event.side_effect_id, kind) in raised
        if alert_id not in raised and not begun:
            found.append(HomeAlertRaised(occurred_at=now, alert_id=alert_id, kind=kind, entry=entry))
    return tuple(found)


def _alert_kinds(event: Event) -> tuple[Code, ...]:
    match event:
        case MoodScored(instrument="phq9", items=items) if len(items) > SUICIDE_ITEM and items[SUICIDE_ITEM]:
            return ("suicidal_thoughts",)
        case SideEffectReportedFromHome():
            return alert_kinds(event.kind, event.grade, serious=event.serious)
    return ()


def alert_kinds(kind: Code, grade: int, *, serious: bool) -> tuple[Code, ...]:
    """The kinds of alert that a side effect from home raises."""
    kinds = [HOME_ALERTS[kind]] if kind in HOME_ALERTS else []
    kinds += ["severe_side_effect"] if grade >= SEVERE else []
    kinds += ["harm"] if serious else []
    return tuple(kinds)


def alert_of(side_effect_id: UUID, kind: Code) -> UUID:
    """The id of an alert raised before its side effect's report was complete."""
    return derived_id("home_alert", side_effect_id, kind)


def decide_raised(state: State, command: RaiseHomeAlert) -> Decision:
    """Raises UnknownCode; nothing when it has been raised."""
    require(command.kind, HOME_ALERT_KINDS, "/kind")
    if any(alert.alert_id == command.alert_id for alert in state.alerts):
        return Decision(())
    return Decision((HomeAlertRaised(
        occurred_at=command.at, late_reason=command.late_reason, alert_id=command.alert_id, kind=command.kind),))


def decide_acknowledgement(state: State, command: AcknowledgeHomeAlert) -> Decision:
    """Raises AlertNotFound, AlertAlreadyAcknowledged, UnknownCode, NoteNeeded."""
    _open_alert(state, command.alert_id)
    require(command.action, HOME_ALERT_ACTIONS, "/action")
    if command.action == "other" and not command.note:
        raise NoteNeeded(pointer="/note")
    return Decision((HomeAlertAcknowledged(
        occurred_at=command.at, late_reason=command.late_reason, alert_id=command.alert_id, action=command.action,
        note=command.note,
    ),))


def decide_escalation(state: State, command: EscalateHomeAlert) -> Decision:
    """One step further, once. Raises AlertNotFound, AlertAlreadyAcknowledged, AlertAlreadyTold."""
    alert = _open_alert(state, command.alert_id)
    if command.step != len(alert.told) + 1:
        raise AlertAlreadyTold(alert_id=str(command.alert_id), step=command.step)
    return Decision((HomeAlertEscalated(
        occurred_at=command.at, late_reason=command.late_reason, alert_id=command.alert_id, step=command.step,
        staff_ids=command.staff_ids, everybody=command.everybody,
    ),))


def _open_alert(state: State, alert_id: UUID) -> Alert:
    alert = next((one for one in state.alerts if one.alert_id == alert_id), None)
    if alert is None:
        raise AlertNotFound(alert_id=str(alert_id), pointer="/alert_id")
    if alert.acknowledged:
        raise AlertAlreadyAcknowledged(alert_id=str(alert_id))
    return alert
