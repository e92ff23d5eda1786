"""What hangs on an entry: when it is struck, everything that exists only because of it is struck with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from domain.corrections import Entry, EntryStruck
from domain.infusion import arrival, departure, drug_run, monitoring, order, side_effects
from domain.infusion.state import State
from domain.kernel import Code


def strikes(state: State, entry: Entry, at: datetime, reason_code: Code) -> Iterator[EntryStruck]:
    """Strikes of `entry` and of everything that hangs on it, directly or not, each once."""
    waiting, done = [entry], {entry.version}
    while waiting:
        one = waiting.pop(0)
        yield EntryStruck(occurred_at=at, entry=one.version, entry_name=one.event.NAME, reason_code=reason_code)
        for other in live(state):
            if other.version not in done and _hangs_on(other, one):
                done.add(other.version)
                waiting.append(other)


_RUN_OF_A_START = (
    drug_run.RateChanged, drug_run.InfusionPaused, drug_run.InfusionResumed, drug_run.InfusionStoppedEarly,
    drug_run.InfusionGiven)


def _hangs_on(other: Entry, struck: Entry) -> bool:
    """Whether `other` exists only because of `struck`."""
    event, gone = other.event, struck.event
    if isinstance(event, monitoring.AlertRaised | departure.RuleBreached) and event.entry == struck.version:
        return True
    match gone:
        case arrival.PatientArrived():
            return True
        case monitoring.AlertRaised():
            return isinstance(event, monitoring.AlertAcknowledged) and event.alert_id == gone.alert_id
        case order.DoseOrdered():
            parts = (order.DoseLimitOverridden, order.VerbalOrderTaken, order.OrderCountersigned)
            return isinstance(event, parts) and event.order_id == gone.order_id
        case side_effects.SideEffectReported():
            follows = (side_effects.SideEffectRegraded, side_effects.SideEffectTreated,
                       side_effects.SideEffectResolved, side_effects.SideEffectSignedOff)
            return isinstance(event, follows) and event.side_effect_id == gone.side_effect_id
        case drug_run.InfusionStarted():
            return isinstance(event, (*_RUN_OF_A_START, monitoring.VitalLimitOverridden))
        case drug_run.InfusionGiven():
            return isinstance(event, drug_run.InfusionStoppedEarly) and event.occurred_at == gone.occurred_at
    return False


def live(state: State) -> Iterator[Entry]:
    return (entry for entry in state.entries if not entry.struck)
