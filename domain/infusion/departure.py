"""Recovery, and the one ending each visit has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.infusion.arrival import PatientNotRoomed, left_room
from domain.infusion.drug_given import final_stop
from domain.infusion.facts import Facts
from domain.infusion.rules import NoProtocolAdopted, Outcome, begun, present
from domain.infusion.state import Ending, Recovery, State
from domain.kernel import Code, Command, DomainError, Event, Secret
from domain.vocabulary import require
from domain.vocabulary.discharge import DISCHARGE_SCORES, score
from domain.vocabulary.reasons import LEFT_AGAINST_ADVICE, NO_INFUSION, STOPPED_EARLY, TRANSFERRED


class VisitAlreadyEnded(DomainError):
    """Each visit has one ending, and this one has it."""


class VisitNotEnded(DomainError):
    """The room is released after the visit has ended."""


class RoomAlreadyReleased(DomainError):
    """The room was released before."""


class DrugStillRunning(DomainError):
    """The drug has not been stopped."""


class DrugNeverGiven(DomainError):
    """No drug was given: end the visit without an infusion."""


class DrugWasGiven(DomainError):
    """Drug was given: this visit did not end without an infusion."""


class MonitoringNotOver(DomainError):
    """The protocol's monitoring time after the drug stop is not over."""


class DischargeCriteriaNotMet(DomainError):
    """The discharge score is missing, of another scale, from before the drug stop, or too low."""


class NoDriver(DomainError):
    """No adult driver is there to take the patient home."""


class SeriousSideEffectNotSignedOff(DomainError):
    """A physician has not signed off a serious side effect."""


class RecoveryAssessed(Event, frozen=True, kw_only=True):
    """scale: aldrete, padss. `items` are the scale's own, 0 to 2 each."""

    NAME: ClassVar[str] = "infusion.recovery_assessed.v1"
    scale: Code
    items: dict[Code, int]
    total: int


class PatientDischarged(Event, frozen=True, kw_only=True):
    """The patient left with a responsible adult, criteria met, monitoring minutes over."""

    NAME: ClassVar[str] = "infusion.patient_discharged.v1"
    driver_present: bool
    instructions_given: bool
    discharged_by: UUID
    note: Secret | None = None


class LeftAgainstAdvice(Event, frozen=True, kw_only=True):
    """The patient left before they should."""

    NAME: ClassVar[str] = "infusion.left_against_advice.v1"
    reason_code: Code
    risks_explained: bool
    note: Secret | None = None


class TransferredToHospital(Event, frozen=True, kw_only=True):
    """The patient was taken to hospital."""

    NAME: ClassVar[str] = "infusion.transferred_to_hospital.v1"
    reason_code: Code
    hospital: Secret | None = None


class VisitEndedWithoutInfusion(Event, frozen=True, kw_only=True):
    """The patient came and no drug ran."""

    NAME: ClassVar[str] = "infusion.visit_ended_without_infusion.v1"
    reason_code: Code
    note: Secret | None = None


class DiedInCare(Event, frozen=True, kw_only=True):
    """The patient died during the visit."""

    NAME: ClassVar[str] = "infusion.died_in_care.v1"
    note: Secret | None = None


class RoomReleased(Event, frozen=True, kw_only=True):
    """The room is clean and free."""

    NAME: ClassVar[str] = "infusion.room_released.v1"
    room_id: UUID


class RuleBreached(Event, frozen=True, kw_only=True):
    """A rule that a recorded fact broke: the safety board's work list. `entry` is the fact's version."""

    NAME: ClassVar[str] = "infusion.rule_breached.v1"
    rule: Code
    entry: int
    data: dict[str, str] = {}


class AssessRecovery(Command, frozen=True, kw_only=True):
    scale: Code
    items: dict[Code, int]


class DischargePatient(Command, frozen=True, kw_only=True):
    driver_present: bool
    instructions_given: bool
    discharged_by: UUID
    note: str | None = None


class LeaveAgainstAdvice(Command, frozen=True, kw_only=True):
    reason_code: Code
    risks_explained: bool
    note: str | None = None


class TransferToHospital(Command, frozen=True, kw_only=True):
    reason_code: Code
    hospital: str | None = None


class EndWithoutInfusion(Command, frozen=True, kw_only=True):
    reason_code: Code
    note: str | None = None


class DieInCare(Command, frozen=True, kw_only=True):
    note: str | None = None


class ReleaseRoom(Command, frozen=True, kw_only=True):
    pass


# --- decide --------------------------------------------------------------------------------------


def decide_recovery(state: State, then: State, command: AssessRecovery, facts: Facts) -> Outcome:
    """Raises UnknownCode, WrongDischargeItems. The total is computed, never typed."""
    present(state, then, command)
    total = score(require(command.scale, DISCHARGE_SCORES, "/scale"), command.items)
    return Outcome((RecoveryAssessed(occurred_at=command.at, scale=command.scale, items=command.items, total=total),))


def decide_discharge(state: State, then: State, command: DischargePatient, facts: Facts) -> Outcome:
    """Raises DrugNeverGiven, DrugStillRunning, VisitAlreadyEnded. Breaks MonitoringNotOver,
    DischargeCriteriaNotMet, NoDriver, SeriousSideEffectNotSignedOff, NoProtocolAdopted."""
    _may_end(state, then)
    if not then.run.given:
        raise DrugNeverGiven()
    if then.run.started_at is not None and not then.run.over:
        raise DrugStillRunning()
    discharged = PatientDischarged(
        occurred_at=command.at, driver_present=command.driver_present, instructions_given=command.instructions_given,
        discharged_by=command.discharged_by, note=command.note)
    return Outcome((discharged,), tuple(unfit_to_leave(then, discharged, facts)))


def unfit_to_leave(then: State, discharged: PatientDischarged, facts: Facts) -> Iterator[DomainError]:
    """What speaks against going home at that moment."""
    stop = max(moment for moment in (then.run.stopped_at, then.run.last_bolus_at) if moment is not None)
    if facts.protocol is None:
        yield NoProtocolAdopted()
    else:
        ready_at = stop + timedelta(minutes=facts.protocol.monitoring_minutes)
        if discharged.occurred_at < ready_at:
            yield MonitoringNotOver(
                drug_stop_at=stop.isoformat(), ready_at=ready_at.isoformat(),
                monitoring_minutes=facts.protocol.monitoring_minutes)
        scale, minimum, seen = facts.protocol.discharge_scale, facts.protocol.discharge_minimum, then.recovery
        if seen is None or seen.scale != scale or seen.at < stop or seen.total < minimum:
            total = None if seen is None or seen.scale != scale or seen.at < stop else seen.total
            yield DischargeCriteriaNotMet(scale=scale, minimum=minimum, total=total)
    if not discharged.driver_present:
        yield NoDriver(pointer="/driver_present")
    for effect in then.side_effects:
        if effect.serious and not effect.signed_off:
            yield SeriousSideEffectNotSignedOff(side_effect_id=str(effect.side_effect_id), kind=effect.kind)


def decide_leave(state: State, then: State, command: LeaveAgainstAdvice, facts: Facts) -> Outcome:
    """Never refused for time or criteria; a running drug stops here. Raises VisitAlreadyEnded, UnknownCode."""
    _may_end(state, then)
    left = LeftAgainstAdvice(
        occurred_at=command.at, reason_code=command.reason_code, risks_explained=command.risks_explained,
        note=command.note)
    check_ending(left)
    return Outcome((*final_stop(state, then, command.at, "patients_wish", facts), left))


def decide_transfer(state: State, then: State, command: TransferToHospital, facts: Facts) -> Outcome:
    """Never refused for time or criteria; a running drug stops here. Raises VisitAlreadyEnded, UnknownCode."""
    _may_end(state, then)
    transferred = TransferredToHospital(
        occurred_at=command.at, reason_code=command.reason_code, hospital=command.hospital)
    check_ending(transferred)
    early = command.reason_code if command.reason_code in STOPPED_EARLY else "other"
    return Outcome((*final_stop(state, then, command.at, early, facts), transferred))


def decide_death(state: State, then: State, command: DieInCare, facts: Facts) -> Outcome:
    """A running drug stops here. Raises VisitAlreadyEnded."""
    _may_end(state, then)
    died = DiedInCare(occurred_at=command.at, note=command.note)
    return Outcome((*final_stop(state, then, command.at, "other", facts), died))


def decide_no_infusion(state: State, then: State, command: EndWithoutInfusion, facts: Facts) -> Outcome:
    """Raises DrugWasGiven, VisitAlreadyEnded, UnknownCode."""
    _may_end(state, then)
    if state.run.given:
        raise DrugWasGiven()
    ended = VisitEndedWithoutInfusion(occurred_at=command.at, reason_code=command.reason_code, note=command.note)
    check_ending(ended)
    return Outcome((ended,))


def decide_release(state: State, then: State, command: ReleaseRoom, facts: Facts) -> Outcome:
    """Raises PatientNotRoomed, VisitNotEnded, RoomAlreadyReleased."""
    begun(state, then)
    if state.room_released_at is not None:
        raise RoomAlreadyReleased(released_at=state.room_released_at.isoformat())
    if then.room_id is None:
        raise PatientNotRoomed()
    if then.ending is None:
        raise VisitNotEnded()
    return Outcome((RoomReleased(occurred_at=command.at, room_id=then.room_id),))


def _may_end(state: State, then: State) -> None:
    if state.ending is not None:
        raise VisitAlreadyEnded(ending=state.ending.name, ended_at=state.ending.at.isoformat())
    begun(state, then)


# --- what an entry must be, when made and when amended -------------------------------------------


def check_ending(event: LeftAgainstAdvice | TransferredToHospital | VisitEndedWithoutInfusion) -> None:
    """Raises UnknownCode."""
    match event:
        case LeftAgainstAdvice():
            require(event.reason_code, LEFT_AGAINST_ADVICE, "/reason_code")
        case TransferredToHospital():
            require(event.reason_code, TRANSFERRED, "/reason_code")
        case VisitEndedWithoutInfusion():
            require(event.reason_code, NO_INFUSION, "/reason_code")


def check_recovery(event: RecoveryAssessed) -> None:
    """Raises UnknownCode, WrongDischargeItems."""
    score(require(event.scale, DISCHARGE_SCORES, "/scale"), event.items)


# --- evolve --------------------------------------------------------------------------------------

ENDINGS = (PatientDischarged, LeftAgainstAdvice, TransferredToHospital, VisitEndedWithoutInfusion, DiedInCare)
"""A visit has exactly one of these."""


def evolve_departure(state: State, entry: Entry) -> State:
    """Recovery, the ending, and the room given back."""
    event, at = entry.event, entry.event.occurred_at
    match event:
        case RecoveryAssessed():
            return msgspec.structs.replace(state, recovery=Recovery(event.scale, event.total, at))
        case RoomReleased():
            return msgspec.structs.replace(state, rooms=left_room(state.rooms, at), room_released_at=at)
        case _ if isinstance(event, ENDINGS) and state.ending is None:
            return msgspec.structs.replace(state, ending=Ending(event.NAME, entry.version, at))
    return state
