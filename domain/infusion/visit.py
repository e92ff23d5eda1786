"""The visit: one patient's infusion from the door to the door. State, evolve and the dispatch of decide.

It guards DESIGN section 4. Every command is judged against the visit *as it was at `command.at`*; what it adds is
then folded into the whole visit, which must stay possible (`sequence`) and whose computed figures, judgements and
claims follow (`consequences`). The sub-files hold the parts: arrival, order, limits, readiness, drug_run,
drug_given, monitoring, side_effects, departure, amendments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any
from uuid import UUID

import msgspec

from domain.corrections import AmendEntry, EntryAmended, EntryStruck, StrikeEntry
from domain.infusion import alerts, arrival, departure, drug_given, drug_run, line, monitoring, order, side_effects
from domain.infusion.amendments import decide_amend, decide_strike
from domain.infusion.consequences import breaches, claims_between, consequences
from domain.infusion.facts import (
    ClearanceFact,
    CourseFacts,
    CredentialFact,
    Facts,
    FindingFact,
    RoomFacts,
    StaffFacts,
)
from domain.infusion.folding import APPLIED, apply, as_of
from domain.infusion.rules import Outcome, check_moments, enforce, is_late
from domain.infusion.sequence import check_possible
from domain.infusion.state import State, initial
from domain.kernel import Command, Decision, DomainError, Event, check_time
from domain.ledger import evolve_in_order

__all__ = [
    "ClearanceFact", "CourseFacts", "CredentialFact", "Facts", "FindingFact", "RoomFacts", "StaffFacts", "State",
    "as_of", "decide", "evolve", "initial", "rooms_named", "staff_named",
]


class NotACommandOfTheVisit(DomainError):
    """The visit does not know this command."""


Decider = Callable[[State, State, Any, Facts], Outcome]

_DECIDERS: Mapping[type[Command], Decider] = {
    arrival.ArrivePatient: arrival.decide_arrive,
    arrival.RoomPatient: arrival.decide_room,
    arrival.MovePatient: arrival.decide_move,
    arrival.CheckBeforeInfusion: arrival.decide_check,
    order.OrderDose: order.decide_order,
    order.CountersignOrder: order.decide_countersign,
    drug_run.PlaceIV: line.decide_iv,
    drug_run.FailIV: line.decide_iv_failed,
    drug_run.HangBag: line.decide_bag,
    drug_run.GiveBolus: drug_given.decide_bolus,
    drug_run.StartInfusion: drug_given.decide_start,
    drug_run.ChangeRate: drug_given.decide_rate,
    drug_run.PauseInfusion: drug_given.decide_pause,
    drug_run.ResumeInfusion: drug_given.decide_resume,
    drug_run.StopInfusion: drug_given.decide_stop,
    drug_run.GiveMedication: line.decide_medication,
    monitoring.RecordVitals: alerts.decide_vitals,
    monitoring.ScoreSedation: alerts.decide_sedation,
    monitoring.AcknowledgeAlert: alerts.decide_acknowledge,
    side_effects.ReportSideEffect: side_effects.decide_report,
    side_effects.RegradeSideEffect: side_effects.decide_regrade,
    side_effects.TreatSideEffect: side_effects.decide_treat,
    side_effects.ResolveSideEffect: side_effects.decide_resolve,
    side_effects.SignOffSideEffect: side_effects.decide_sign_off,
    departure.AssessRecovery: departure.decide_recovery,
    departure.DischargePatient: departure.decide_discharge,
    departure.LeaveAgainstAdvice: departure.decide_leave,
    departure.TransferToHospital: departure.decide_transfer,
    departure.EndWithoutInfusion: departure.decide_no_infusion,
    departure.DieInCare: departure.decide_death,
    departure.ReleaseRoom: departure.decide_release,
    AmendEntry: decide_amend,
    StrikeEntry: decide_strike,
}

COMMANDS: tuple[type[Command], ...] = tuple(_DECIDERS)
"""Every command of a visit."""


def decide(state: State, command: Command, facts: Facts) -> Decision:
    """What `command` comes to. Raises InTheFuture, LateWithoutReason, ImplausibleMoment, BreachNeedsReason,
    ImpossibleSequence, and the named error of the rule that refuses it (see the deciding function of each command)."""
    check_moments(command, command.__struct_fields__, command.now)
    check_time(command)
    decider = _DECIDERS.get(type(command))
    if decider is None:
        raise NotACommandOfTheVisit(command=type(command).__name__)
    outcome = decider(state, as_of(state, command.at), command, facts)
    enforce(command, outcome.broken)
    reasoned = tuple(_with_reason(event, command) for event in outcome.events)
    noted = (*outcome.broken, *outcome.noted)
    events: tuple[Event, ...] = (*reasoned, *breaches(noted, state.version + 1, command.at))
    after = _folded(state, events)
    check_possible(state, after)
    more = consequences(state, after, command, facts)
    after = _folded(after, more)
    claims, releases = claims_between(state, after, enforced=not _of_the_past(command))
    return Decision(events=(*events, *more), claims=claims, releases=releases)


def _of_the_past(command: Command) -> bool:
    return is_late(command) or isinstance(command, AmendEntry | StrikeEntry)


def _with_reason(event: Event, command: Command) -> Event:
    if command.late_reason is None:
        return event
    return msgspec.structs.replace(event, late_reason=command.late_reason)


def _folded(state: State, events: tuple[Event, ...]) -> State:
    return reduce(lambda was, event: evolve(was, was.version + 1, event), events, state)


def evolve(state: State, version: int, event: Event) -> State:
    """The visit after `event`; never fails. One step for the newest occurrence, a refold for anything earlier.

    An event that is none of a visit's is ignored; only `version` moves on.
    """
    if type(event) not in APPLIED and not isinstance(event, EntryAmended | EntryStruck):
        return msgspec.structs.replace(state, version=version)
    return evolve_in_order(state, version, event, initial(state.stream_id), apply)


# --- what the use case has to look up ------------------------------------------------------------


def staff_named(state: State, command: Command) -> frozenset[UUID]:
    """Everyone whose credentials `decide` may ask for: named by the command or by the visit so far."""
    named = {getattr(command, field, None) for field in ("prescriber_id", "nurse_id")}
    named.update(placed.prescriber_id for placed in state.orders)
    if state.check is not None:
        named.add(state.check.nurse_id)
    return frozenset(person for person in named if isinstance(person, UUID))


def rooms_named(state: State, command: Command) -> frozenset[UUID]:
    """Every room that `decide` may ask about: named by the command (or a correction) or by the visit so far."""
    named: set[object] = {getattr(command, "room_id", None), *(use.room_id for use in state.rooms)}
    if isinstance(command, AmendEntry):
        named.add(_uuid(command.corrections.get("room_id")))
    return frozenset(room for room in named if isinstance(room, UUID))


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
