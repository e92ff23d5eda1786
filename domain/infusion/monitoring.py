"""Watching the patient: vital signs, sedation, alerts, their answers. Deciding is in `alerts.py`."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.infusion.state import Alert, Reading, State
from domain.kernel import BadInput, Code, Command, Event, Secret
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


class ReasonNeeded(BadInput):
    """Going on in spite of an alert needs a coded reason and the prescriber."""


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


# --- what a set says -----------------------------------------------------------------------------


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
