"""What cannot have happened, whatever anybody charts: stop before start, two runs at once, two endings.

A late entry, an amendment or a strike that would make the visit impossible is refused. Oddities that were there
before are let be, so that one can never block the entry that puts it right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.corrections import Entry
from domain.infusion.arrival import PatientArrived, PatientMovedRoom, PatientRoomed, PreInfusionChecked
from domain.infusion.departure import (
    ENDINGS,
    PatientDischarged,
    RecoveryAssessed,
    RoomReleased,
    RuleBreached,
    VisitEndedWithoutInfusion,
)
from domain.infusion.drug_run import (
    BagHung,
    BolusGiven,
    DrugRun,
    InfusionGiven,
    InfusionPaused,
    InfusionResumed,
    InfusionStarted,
    InfusionStoppedEarly,
    IVFailed,
    IVPlaced,
    MedicationGiven,
    RateChanged,
    step,
)
from domain.infusion.monitoring import SedationScored, VitalsRecorded
from domain.infusion.order import DoseOrdered
from domain.infusion.side_effects import (
    SideEffectRegraded,
    SideEffectReported,
    SideEffectResolved,
    SideEffectSignedOff,
    SideEffectTreated,
)
from domain.infusion.state import State
from domain.kernel import Code, DomainError


class ImpossibleSequence(DomainError):
    """That cannot have happened in this order."""


class Contradiction(NamedTuple):
    """Entry `entry` cannot stand where it is. why: before_arrival, after_ending, second_run, before_start,
    after_stop, still_running, drug_was_given, second_ending, before_ending, before_report, not_roomed."""

    entry: int
    why: Code


_PRESENT = (PatientRoomed, PatientMovedRoom, PreInfusionChecked, DoseOrdered, IVPlaced, IVFailed, BagHung, BolusGiven,
            InfusionStarted, RateChanged, InfusionPaused, InfusionResumed, InfusionStoppedEarly, InfusionGiven,
            MedicationGiven, VitalsRecorded, SedationScored, RecoveryAssessed)
"""What is done to or asked of a patient who is there."""

_FOLLOWS_REPORT = (SideEffectRegraded, SideEffectTreated, SideEffectResolved, SideEffectSignedOff)


def check_possible(before: State, after: State) -> None:
    """Raises ImpossibleSequence for the first contradiction that `after` has and `before` had not."""
    if only_adds(before, after):
        return
    known = set(contradictions(before))
    for found in contradictions(after):
        if found not in known:
            raise ImpossibleSequence(entry=found.entry, why=found.why, pointer="/at")


def only_adds(before: State, after: State) -> bool:
    """Whether `after` only adds entries at the end (then the deciding functions have seen all there is)."""
    return after.entries[: len(before.entries)] == before.entries


def contradictions(state: State) -> Iterator[Contradiction]:
    """Everything in the visit that cannot have been, in order of occurrence."""
    arrived = roomed = False
    ended: Entry | None = None
    run, reported = DrugRun(), set()
    for entry in state.entries:
        event = entry.event
        if entry.struck or isinstance(event, RuleBreached):
            continue
        if isinstance(event, PatientArrived):
            arrived = True
        elif not arrived:
            yield Contradiction(entry.version, "before_arrival")
        if ended is not None and event.occurred_at > ended.event.occurred_at and isinstance(event, _PRESENT):
            yield Contradiction(entry.version, "after_ending")
        yield from _of_run(run, entry)
        run = step(run, event)
        match event:
            case PatientRoomed():
                roomed = True
            case PatientMovedRoom() if not roomed:
                yield Contradiction(entry.version, "not_roomed")
            case RoomReleased() if ended is None:
                yield Contradiction(entry.version, "before_ending")
            case SideEffectReported():
                reported.add(event.side_effect_id)
            case _ if isinstance(event, _FOLLOWS_REPORT) and event.side_effect_id not in reported:
                yield Contradiction(entry.version, "before_report")
            case _ if isinstance(event, ENDINGS):
                yield from _of_ending(run, entry, ended)
                ended = entry


def _of_run(run: DrugRun, entry: Entry) -> Iterator[Contradiction]:
    match entry.event:
        case InfusionStarted() if run.started_at is not None:
            yield Contradiction(entry.version, "second_run")
        case InfusionGiven() if run.started_at is None:
            yield Contradiction(entry.version, "before_start")
        case InfusionStoppedEarly() | RateChanged() | InfusionPaused() | InfusionResumed():
            if run.started_at is None:
                yield Contradiction(entry.version, "before_start")
            elif run.over:
                yield Contradiction(entry.version, "after_stop")


def _of_ending(run: DrugRun, entry: Entry, ended: Entry | None) -> Iterator[Contradiction]:
    if ended is not None:
        yield Contradiction(entry.version, "second_ending")
    if isinstance(entry.event, VisitEndedWithoutInfusion) and run.given:
        yield Contradiction(entry.version, "drug_was_given")
    if isinstance(entry.event, PatientDischarged) and run.started_at is not None and not run.over:
        yield Contradiction(entry.version, "still_running")
