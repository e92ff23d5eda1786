"""Deciding over what is watched: sets and scores, the alerts they raise, who answers them, what they forbid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from domain.infusion.drug_run import InfusionGiven, InfusionPaused, InfusionStoppedEarly
from domain.infusion.facts import Facts
from domain.infusion.monitoring import (
    AcknowledgeAlert,
    AlertAcknowledged,
    AlertRaised,
    RecordVitals,
    ScoreSedation,
    SedationScored,
    VitalsRecorded,
    check_acknowledgement,
    check_sedation,
    check_vitals,
    phase_of,
    signs_of,
)
from domain.infusion.rules import Outcome, begun, not_a_prescriber, present, unlicensed_prescriber
from domain.infusion.state import Alert, State
from domain.kernel import Code, DomainError, Event, derived_id
from domain.protocol import check_limit, crossed


class NoSuchAlert(DomainError):
    """This visit has no such alert."""


class AlertAlreadyAnswered(DomainError):
    """The alert was answered before."""


class NotPaused(DomainError):
    """The drug is not paused, so the alert was not answered by a pause."""


class NotStopped(DomainError):
    """The drug is not stopped, so the alert was not answered by a stop."""


class AlertOpen(DomainError):
    """An alert is open, or its value has not come back: no more drug without a prescriber's reason."""


class VitalsOverdue(DomainError):
    """Vital signs are overdue: no more drug until a set is recorded."""


class SedationOverdue(DomainError):
    """The sedation score is overdue: no more drug until it is recorded."""


# --- sets and scores -----------------------------------------------------------------------------


def decide_vitals(state: State, then: State, command: RecordVitals, facts: Facts) -> Outcome:
    """Raises ImplausibleVital, EmptyVitals, NotASign; an alert for every sign beyond the pause limit."""
    present(state, then, command)
    recorded = VitalsRecorded(occurred_at=command.at, vitals=command.vitals, phase=phase_of(then))
    check_vitals(recorded)
    return Outcome((recorded, *alerts_of(state, then, recorded, state.version + 1, facts)))


def decide_sedation(state: State, then: State, command: ScoreSedation, facts: Facts) -> Outcome:
    """Raises UnknownCode, ScoreOutOfRange; an alert beyond the pause limit."""
    present(state, then, command)
    scored = SedationScored(occurred_at=command.at, scale=command.scale, score=command.score)
    check_sedation(scored)
    return Outcome((scored, *alerts_of(state, then, scored, state.version + 1, facts)))


# --- alerts --------------------------------------------------------------------------------------


def alerts_of(state: State, then: State, event: Event, entry: int, facts: Facts) -> tuple[Event, ...]:
    """AlertRaised for every sign of `event` beyond the pause limit between drug start and drug stop.

    A sign whose alert is still open raises no second one. An alert charted late, after a pause or stop that
    answered it, is acknowledged in the same breath. `entry` is the version the event has or will have.
    """
    if facts.protocol is None or phase_of(then) != "infusion":
        return ()
    red = {alert.sign for alert in then.open_alerts if alert.entry != entry}
    answer = None if then.run.paused else _answer_after(state, event.occurred_at)
    events: list[Event] = []
    for sign, value in signs_of(event).items():
        limit = facts.protocol.vitals.pause.get(sign)
        bound = crossed(limit, value) if limit is not None else None
        if bound is None or sign in red:
            continue
        alert_id = derived_id("alert", state.stream_id, entry, sign)
        events.append(AlertRaised(
            occurred_at=event.occurred_at, alert_id=alert_id, sign=sign, value=value, limit=bound, entry=entry))
        if answer is not None:
            events.append(AlertAcknowledged(occurred_at=answer[1], alert_id=alert_id, action=answer[0]))
    return tuple(events)


def _answer_after(state: State, at: datetime) -> tuple[Code, datetime] | None:
    """The first pause or stop on record after `at`."""
    for entry in state.entries:
        if entry.struck or entry.event.occurred_at <= at:
            continue
        if isinstance(entry.event, InfusionPaused):
            return ("paused", entry.event.occurred_at)
        if isinstance(entry.event, InfusionStoppedEarly | InfusionGiven):
            return ("stopped", entry.event.occurred_at)
    return None


def answers(then: State, action: Code, at: datetime) -> tuple[AlertAcknowledged, ...]:
    """What a pause or a stop does to the open alerts: it answers them."""
    return tuple(
        AlertAcknowledged(occurred_at=at, alert_id=alert.alert_id, action=action) for alert in then.open_alerts)


def decide_acknowledge(state: State, then: State, command: AcknowledgeAlert, facts: Facts) -> Outcome:
    """Raises NoSuchAlert, AlertAlreadyAnswered, NotPaused, NotStopped, ReasonNeeded, UnknownCode.

    A prescriber's reason breaks PrescriberNeeded, PrescriberNotLicensed where they hold.
    """
    begun(state, then)
    alert = next((alert for alert in state.alerts if alert.alert_id == command.alert_id), None)
    if alert is None or alert.raised_at > command.at:
        raise NoSuchAlert(alert_id=str(command.alert_id), pointer="/alert_id")
    reasoned_later = command.action == "prescriber_reason" != alert.answer
    if alert.answer is not None and not reasoned_later:
        raise AlertAlreadyAnswered(alert_id=str(command.alert_id), action=alert.answer, pointer="/alert_id")
    acknowledged = AlertAcknowledged(
        occurred_at=command.at, alert_id=command.alert_id, action=command.action, prescriber_id=command.prescriber_id,
        reason_code=command.reason_code, reason=command.reason)
    check_acknowledgement(acknowledged)
    if command.action == "paused" and not (then.run.paused or then.run.over):
        raise NotPaused(pointer="/action")
    if command.action == "stopped" and not then.run.over:
        raise NotStopped(pointer="/action")
    if command.action != "prescriber_reason" or command.prescriber_id is None:
        return Outcome((acknowledged,))
    unlicensed = unlicensed_prescriber(facts, command.prescriber_id, command.at)
    return Outcome((acknowledged,), (*not_a_prescriber(command), *unlicensed))


def unwatched(then: State, at: datetime, facts: Facts) -> Iterator[DomainError]:
    """Why no more drug may be given now: alerts, values still beyond the limit, overdue vitals or sedation."""
    for alert in alerts_in_force(then, facts):
        yield AlertOpen(alert_id=str(alert.alert_id), sign=alert.sign)
    if facts.protocol is None or then.run.started_at is None or then.run.over:
        return
    every = timedelta(minutes=facts.protocol.vitals_every_minutes)
    for error, last in ((VitalsOverdue, then.vitals_at), (SedationOverdue, then.sedation_at)):
        since = max(last, then.run.started_at) if last is not None else then.run.started_at
        if at - since > every:
            yield error(last_at=since.isoformat(), every_minutes=facts.protocol.vitals_every_minutes)


def alerts_in_force(then: State, facts: Facts) -> tuple[Alert, ...]:
    """Open alerts, and a sign's latest if a pause answered it and the sign, as last measured, is still beyond."""
    latest = {alert.sign: alert for alert in then.alerts}
    return tuple(
        alert for alert in then.alerts
        if alert.answer is None
        or (alert.answer == "paused" and alert is latest[alert.sign] and _still_beyond(then, alert.sign, facts)))


def _still_beyond(then: State, sign: Code, facts: Facts) -> bool:
    reading = then.vitals.get(sign)
    limit = facts.protocol.vitals.pause.get(sign) if facts.protocol is not None else None
    return reading is not None and limit is not None and check_limit(limit, reading.value) == "hard"
