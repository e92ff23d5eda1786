"""Watching the patient: vital signs, sedation, alerts and what was done about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.infusion.drug_run import InfusionGiven, InfusionPaused, InfusionStoppedEarly
from domain.infusion.facts import Facts
from domain.infusion.rules import Outcome, begun, not_a_prescriber, present, unlicensed_prescriber
from domain.infusion.state import Alert, Reading, State
from domain.kernel import BadInput, Code, Command, DomainError, Event, Secret, derived_id
from domain.protocol import check_limit, crossed
from domain.vocabulary import require
from domain.vocabulary.reasons import ALERT_ACTIONS, ALERT_REASONS
from domain.vocabulary.scales import SEDATION, check_score
from domain.vocabulary.vitals import SET, VITALS, ImplausibleValue, check_plausible, check_pressure


class ImplausibleVital(BadInput):
    """No living patient has this value: a slip at entry. (0 is accepted for heart and respiratory rate.)"""


class EmptyVitals(BadInput):
    """A set names no value and nothing that was not obtainable."""


class NotASign(BadInput):
    """`not_obtainable` names something that is no sign of the set, or one that has a value."""


class NoSuchAlert(DomainError):
    """This visit has no such alert."""


class AlertAlreadyAnswered(DomainError):
    """The alert was answered before."""


class NotPaused(DomainError):
    """The drug is not paused, so the alert was not answered by a pause."""


class NotStopped(DomainError):
    """The drug is not stopped, so the alert was not answered by a stop."""


class ReasonNeeded(BadInput):
    """Going on in spite of an alert needs a coded reason and the prescriber."""


class AlertOpen(DomainError):
    """An alert is open, or its value has not come back: no more drug without a prescriber's reason."""


class VitalsOverdue(DomainError):
    """Vital signs are overdue: no more drug until a set is recorded."""


class SedationOverdue(DomainError):
    """The sedation score is overdue: no more drug until it is recorded."""


class VitalSigns(msgspec.Struct, frozen=True, kw_only=True):
    """One set. A sign that could not be measured is named in `not_obtainable`."""

    heart_rate_per_min: int | None = None
    systolic_mmhg: int | None = None
    diastolic_mmhg: int | None = None
    spo2_percent: int | None = None
    respiratory_rate_per_min: int | None = None
    temperature_c: Decimal | None = None
    etco2_mmhg: int | None = None
    not_obtainable: tuple[Code, ...] = ()


class VitalsRecorded(Event, frozen=True, kw_only=True):
    """phase: baseline, infusion, recovery."""

    NAME: ClassVar[str] = "infusion.vitals_recorded.v1"
    vitals: VitalSigns
    phase: Code


class SedationScored(Event, frozen=True, kw_only=True):
    """scale: rass, moaa_s, ramsay."""

    NAME: ClassVar[str] = "infusion.sedation_scored.v1"
    scale: Code
    score: int


class AlertRaised(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.alert_raised.v1"
    alert_id: UUID
    sign: Code
    value: Decimal
    limit: Decimal
    entry: int


class AlertAcknowledged(Event, frozen=True, kw_only=True):
    """action: paused, stopped, prescriber_reason."""

    NAME: ClassVar[str] = "infusion.alert_acknowledged.v1"
    alert_id: UUID
    action: Code
    prescriber_id: UUID | None = None
    reason_code: Code | None = None
    reason: Secret | None = None


class VitalLimitOverridden(Event, frozen=True, kw_only=True):
    """A prescriber let the infusion start with a sign beyond its soft limit."""

    NAME: ClassVar[str] = "infusion.vital_limit_overridden.v1"
    sign: Code
    limit_value: Decimal
    value: Decimal
    prescriber_id: UUID
    reason_code: Code
    reason: Secret | None = None


class RecordVitals(Command, frozen=True, kw_only=True):
    vitals: VitalSigns


class ScoreSedation(Command, frozen=True, kw_only=True):
    scale: Code
    score: int


class AcknowledgeAlert(Command, frozen=True, kw_only=True):
    alert_id: UUID
    action: Code
    prescriber_id: UUID | None = None
    reason_code: Code | None = None
    reason: str | None = None


# --- decide --------------------------------------------------------------------------------------


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


def phase_of(then: State) -> Code:
    """baseline until the drug starts, recovery once it has stopped."""
    if then.run.started_at is None:
        return "baseline"
    return "recovery" if then.run.over else "infusion"


def signs_of(event: Event) -> dict[Code, Decimal]:
    """The measured values of a set or a score, by the codes the protocol's limits use."""
    match event:
        case VitalsRecorded():
            values = {code: getattr(event.vitals, code) for code in SET}
            return {code: Decimal(value) for code, value in values.items() if value is not None}
        case SedationScored():
            return {event.scale: Decimal(event.score)}
    return {}


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


# --- what an entry must be, when made and when amended -------------------------------------------


def check_vitals(event: VitalsRecorded) -> None:
    """Raises ImplausibleVital, EmptyVitals, NotASign."""
    vitals = event.vitals
    signs = signs_of(event)
    if not signs and not vitals.not_obtainable:
        raise EmptyVitals(pointer="/vitals")
    for index, code in enumerate(vitals.not_obtainable):
        if code not in SET or not VITALS[code].may_be_not_obtainable or code in signs:
            raise NotASign(sign=code, allowed=list(SET), pointer=f"/vitals/not_obtainable/{index}")
    try:
        for code, value in signs.items():
            check_plausible(code, value, f"/vitals/{code}")
        check_pressure(vitals.systolic_mmhg, vitals.diastolic_mmhg, "/vitals/systolic_mmhg")
    except ImplausibleValue as error:
        raise ImplausibleVital(**error.data) from error


def check_sedation(event: SedationScored) -> None:
    """Raises UnknownCode, ScoreOutOfRange."""
    check_score(require(event.scale, SEDATION, "/scale"), event.score, "/score")


def check_acknowledgement(event: AlertAcknowledged) -> None:
    """Raises UnknownCode, ReasonNeeded."""
    require(event.action, ALERT_ACTIONS, "/action")
    if event.reason_code is not None:
        require(event.reason_code, ALERT_REASONS, "/reason_code")
    if event.action != "prescriber_reason":
        return
    if event.reason_code is None:
        raise ReasonNeeded(pointer="/reason_code")
    if event.prescriber_id is None:
        raise ReasonNeeded(pointer="/prescriber_id")


# --- evolve --------------------------------------------------------------------------------------


def evolve_monitoring(state: State, entry: Entry) -> State:
    """The latest value of each sign, when it was last looked, and the alerts with their answers."""
    event, at = entry.event, entry.event.occurred_at
    match event:
        case VitalsRecorded() | SedationScored():
            readings = {code: Reading(value, at, entry.version) for code, value in signs_of(event).items()}
            if not readings:
                return state
            last = {"sedation_at": at} if isinstance(event, SedationScored) else {"vitals_at": at}
            return msgspec.structs.replace(state, vitals={**state.vitals, **readings}, **last)
        case AlertRaised():
            alert = Alert(
                alert_id=event.alert_id, version=entry.version, sign=event.sign, entry=event.entry, raised_at=at)
            return msgspec.structs.replace(state, alerts=(*state.alerts, alert))
        case VitalLimitOverridden():
            return msgspec.structs.replace(state, vital_overrides=(*state.vital_overrides, event.sign))
        case AlertAcknowledged():
            alerts = tuple(
                msgspec.structs.replace(alert, answer=event.action) if alert.alert_id == event.alert_id else alert
                for alert in state.alerts)
            return msgspec.structs.replace(state, alerts=alerts)
    return state
