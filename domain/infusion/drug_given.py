"""Deciding over the drug: bolus, start, rate, pause, resume, stop, and the one InfusionGiven.

More drug (start, rate up, bolus, resume) is refused when it is unsafe. Less (pause, stop, rate down) never is.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.infusion import limits
from domain.infusion.alerts import answers, unwatched
from domain.infusion.drug_run import (
    BolusGiven,
    ChangeRate,
    DrugRun,
    GiveBolus,
    InfusionGiven,
    InfusionPaused,
    InfusionResumed,
    InfusionStarted,
    InfusionStoppedEarly,
    PauseInfusion,
    RateChanged,
    ResumeInfusion,
    StartInfusion,
    StopInfusion,
    dose_of,
    per_kg,
    step,
)
from domain.infusion.facts import Facts
from domain.infusion.monitoring import VitalLimitOverridden
from domain.infusion.order import overrides
from domain.infusion.readiness import NoDoseOrder, soft_error, soft_vitals, unready
from domain.infusion.rules import PRESCRIBING, NoProtocolAdopted, Outcome, positive, present
from domain.infusion.state import State
from domain.kernel import Code, DomainError, Event
from domain.vocabulary import require
from domain.vocabulary.reasons import (
    PAUSED,
    PURPOSES,
    RATE_CHANGED,
    STOPPED_EARLY,
)


class AlreadyStarted(DomainError):
    """The drug was started before in this visit; two runs at once cannot be."""


class NotStarted(DomainError):
    """The drug has not been started (yet, at that time)."""


class AlreadyStopped(DomainError):
    """The drug was finally stopped; more needs another visit (or strike the stop if it was none)."""


class DrugNotRunning(DomainError):
    """The drug does not run at that time."""


class DrugNotPaused(DomainError):
    """The drug is not paused at that time."""


# --- more drug -----------------------------------------------------------------------------------


def decide_start(state: State, then: State, command: StartInfusion, facts: Facts) -> Outcome:
    """Raises AlreadyStarted, WeightNotMeasured, ImplausibleAmount; breaks all of `readiness` and the dose limits."""
    present(state, then, command)
    if state.run.started_at is not None:
        raise AlreadyStarted(started_at=state.run.started_at.isoformat())
    started = InfusionStarted(occurred_at=command.at, rate_mg_per_h=command.rate_mg_per_h)
    check_drug_entry(started)
    broken = [*unready(then, command.at, facts)]
    vitals, refused_vitals = _vital_overrides(then, command, facts)
    doses, refused_doses = _dose_overrides(then, started, command, facts)
    return Outcome((started, *vitals, *doses), (*broken, *refused_vitals, *refused_doses))


def _vital_overrides(
    then: State, command: StartInfusion, facts: Facts
) -> tuple[tuple[VitalLimitOverridden, ...], tuple[DomainError, ...]]:
    found, reason, order = soft_vitals(then, facts), command.override_reason_code, then.order
    if reason is not None and command.by.role in PRESCRIBING and order is not None:
        return tuple(
            VitalLimitOverridden(
                occurred_at=command.at, sign=hit.sign, limit_value=hit.bound, value=hit.value,
                prescriber_id=order.prescriber_id, reason_code=reason, reason=command.override_reason)
            for hit in found), ()
    return (), tuple(map(soft_error, found))


def _dose_overrides(
    then: State, event: InfusionStarted | RateChanged, command: StartInfusion | ChangeRate, facts: Facts
) -> tuple[tuple[Event, ...], tuple[DomainError, ...]]:
    order = then.order
    found = drug_hits(then, event, facts)
    if order is None:
        return (), tuple(map(limits.error_of, found))
    return overrides(found, command, order.order_id, order.prescriber_id)


def drug_hits(then: State, event: Event, facts: Facts) -> tuple[limits.Hit, ...]:
    """The limits that `event` (more drug) crosses and no override of the order in force covers. `then`: just before."""
    weight = weight_of(then, facts)
    if facts.protocol is None or weight is None:
        return ()
    at = event.occurred_at
    match event:
        case InfusionStarted():
            asked = {**limits.of_rate(then, event.rate_mg_per_h, weight, at), **limits.since_last(facts, at)}
        case RateChanged() | InfusionResumed():
            if event.rate_mg_per_h <= then.run.rate_mg_per_h:
                return ()
            asked = limits.of_rate(then, event.rate_mg_per_h, weight, at)
        case BolusGiven():
            asked = limits.of_bolus(then, event.dose_mg, weight, at)
        case _:
            return ()
    found = limits.hits(asked, facts.protocol.dose)
    wanted = tuple(hit for hit in found if hit.above or hit.limit == "hours_since_last")
    return limits.uncovered(wanted, then.order)


def weight_of(then: State, facts: Facts) -> Decimal | None:
    """What doses are divided by; before a weight of this visit, the patient's last one."""
    return then.dosing_weight_kg if then.dosing_weight_kg is not None else facts.last_weight_kg


def decide_rate(state: State, then: State, command: ChangeRate, facts: Facts) -> Outcome:
    """Raises DrugNotRunning, ImplausibleAmount, UnknownCode. Down is never refused; up breaks AlertOpen,
    VitalsOverdue, SedationOverdue and the dose limits."""
    present(state, then, command)
    _running(state, then)
    changed = RateChanged(
        occurred_at=command.at, rate_mg_per_h=command.rate_mg_per_h, reason_code=command.reason_code)
    check_drug_entry(changed)
    if changed.rate_mg_per_h <= then.run.rate_mg_per_h:
        return Outcome((changed,))
    overridden, refused = _dose_overrides(then, changed, command, facts)
    return Outcome((changed, *overridden), (*_unordered(then, facts), *unwatched(then, command.at, facts), *refused))


def decide_bolus(state: State, then: State, command: GiveBolus, facts: Facts) -> Outcome:
    """Raises WeightNotMeasured, ImplausibleAmount. The first drug of a visit must be ready for; later ones break
    AlertOpen, VitalsOverdue, SedationOverdue, AlreadyStopped and the dose limits."""
    present(state, then, command)
    bolus = BolusGiven(occurred_at=command.at, dose_mg=command.dose_mg)
    check_drug_entry(bolus)
    broken: list[DomainError] = []
    if not then.run.given:
        broken.extend(unready(then, command.at, facts))
        broken.extend(_vital_overrides(then, _as_start(command), facts)[1])
    else:
        broken.extend((*_unordered(then, facts), *unwatched(then, command.at, facts)))
    if then.run.over:
        broken.append(AlreadyStopped(stopped_at=str(then.run.stopped_at)))
    broken.extend(map(limits.error_of, drug_hits(then, bolus, facts)))
    return Outcome((bolus,), tuple(broken))


def _as_start(command: GiveBolus) -> StartInfusion:
    return StartInfusion(by=command.by, now=command.now, at=command.at, rate_mg_per_h=Decimal(0))


def decide_resume(state: State, then: State, command: ResumeInfusion, facts: Facts) -> Outcome:
    """Raises DrugNotPaused, ImplausibleAmount; breaks AlertOpen, VitalsOverdue, SedationOverdue, dose limits."""
    present(state, then, command)
    if not then.run.paused:
        raise DrugNotPaused(**_run_data(then.run))
    resumed = InfusionResumed(occurred_at=command.at, rate_mg_per_h=command.rate_mg_per_h)
    check_drug_entry(resumed)
    refused = map(limits.error_of, drug_hits(then, resumed, facts))
    return Outcome((resumed,), (*_unordered(then, facts), *unwatched(then, command.at, facts), *refused))


def _unordered(then: State, facts: Facts) -> tuple[DomainError, ...]:
    broken: list[DomainError] = []
    if then.order is None:
        broken.append(NoDoseOrder())
    if facts.protocol is None:
        broken.append(NoProtocolAdopted())
    return tuple(broken)


# --- less drug: never refused --------------------------------------------------------------------


def decide_pause(state: State, then: State, command: PauseInfusion, facts: Facts) -> Outcome:
    """Raises DrugNotRunning, UnknownCode. Answers the open alerts."""
    present(state, then, command)
    _running(state, then)
    paused = InfusionPaused(occurred_at=command.at, reason_code=command.reason_code)
    check_drug_entry(paused)
    return Outcome((paused, *answers(then, "paused", command.at)))


def decide_stop(state: State, then: State, command: StopInfusion, facts: Facts) -> Outcome:
    """The final stop, with what was given. Raises NotStarted, AlreadyStopped, UnknownCode."""
    present(state, then, command)
    if then.run.started_at is None:
        raise NotStarted(pointer="/at")
    if state.run.over:
        raise AlreadyStopped(stopped_at=str(state.run.stopped_at))
    if command.early_reason_code is not None:
        require(command.early_reason_code, STOPPED_EARLY, "/early_reason_code")
    return Outcome(final_stop(state, then, command.at, command.early_reason_code, facts, command.note))


def final_stop(
    state: State, then: State, at: datetime, early: Code | None, facts: Facts, note: str | None = None
) -> tuple[Event, ...]:
    """The stop of a drug that was started and not stopped: early or not, what was given, alerts answered.

    A run of 0 minutes gives no InfusionGiven, only the early stop. Nothing when no drug runs or it is stopped.
    """
    if then.run.started_at is None or state.run.over:
        return ()
    run = _stopped(then.run, at, early)
    if early is None and not run.ran:
        early = "other"
    events: list[Event] = []
    if early is not None:
        events.append(InfusionStoppedEarly(occurred_at=at, reason_code=early, note=note))
    if run.ran:
        events.append(given_of(then, run, facts))
    return (*events, *answers(then, "stopped", at))


def _stopped(run: DrugRun, at: datetime, early: Code | None) -> DrugRun:
    if early is not None:
        return step(run, InfusionStoppedEarly(occurred_at=at, reason_code=early))
    nothing = Decimal(0)
    return step(run, InfusionGiven(
        occurred_at=at, course_id=None, purpose="", drug_started_at=at, dose_mg=nothing, dose_mg_per_kg=nothing,
        minutes=nothing, complete=True))


def given_of(state: State, run: DrugRun, facts: Facts) -> InfusionGiven:
    """What a stopped run came to. mg/kg by `weight_of`; 0 when no weight is on record at all."""
    assert run.started_at is not None
    assert run.stopped_at is not None
    dose, weight, order = dose_of(run), weight_of(state, facts), state.order
    purpose = order.purpose if order is not None else state.visit_kind or ""
    return InfusionGiven(
        occurred_at=run.stopped_at, course_id=state.course_id, purpose=purpose if purpose in PURPOSES else "series",
        drug_started_at=run.started_at, dose_mg=dose.dose_mg, minutes=dose.minutes, complete=not run.stopped_early,
        dose_mg_per_kg=per_kg(dose.dose_mg, weight) if weight is not None and weight > 0 else Decimal(0))


def _running(state: State, then: State) -> None:
    if then.run.started_at is None:
        raise NotStarted(pointer="/at")
    if then.run.over:
        raise AlreadyStopped(stopped_at=str(then.run.stopped_at))
    if not then.run.running:
        raise DrugNotRunning(**_run_data(then.run))


def _run_data(run: DrugRun) -> dict[str, Any]:
    moments = {"started_at": run.started_at, "stopped_at": run.stopped_at}
    return {"paused": run.paused, **{name: at.isoformat() for name, at in moments.items() if at is not None}}


# --- what an entry must be, when made and when amended -------------------------------------------


def check_drug_entry(event: Event) -> None:
    """Raises UnknownCode, ImplausibleAmount. (A rate may be lowered to 0.)"""
    match event:
        case InfusionStarted() | InfusionResumed():
            positive((("rate_mg_per_h", event.rate_mg_per_h),))
        case RateChanged():
            positive((("rate_mg_per_h", event.rate_mg_per_h),), zero=True)
            require(event.reason_code, RATE_CHANGED, "/reason_code")
        case BolusGiven():
            positive((("dose_mg", event.dose_mg),))
        case InfusionPaused():
            require(event.reason_code, PAUSED, "/reason_code")
        case InfusionStoppedEarly():
            require(event.reason_code, STOPPED_EARLY, "/reason_code")
