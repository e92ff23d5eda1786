"""The course as a whole: its fold in order of occurrence, and which rule decides which command."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from domain.corrections import AmendEntry, Entry, StrikeEntry
from domain.course import boosters, consultation, ending, series
from domain.course.state import Booster, Consultation, Facts, Response, Series, State
from domain.kernel import Command, Decision, DomainError, Event
from domain.ledger import EntryCannotBeCorrected, decide_amendment, decide_strike, entry_of, evolve_in_order
from domain.vocabulary.reasons import AMENDED, STRUCK
from domain.vocabulary.term import require


def initial(stream_id: UUID) -> State:
    """Nothing has happened yet."""
    return State(stream_id=stream_id)


def evolve(state: State, version: int, event: Event) -> State:
    """`state` after `event`; events that are none of a course's change nothing."""
    return evolve_in_order(state, version, event, initial(state.stream_id), apply)


def apply(state: State, entry: Entry) -> State:
    """One entry, as it stands, in order of occurrence."""
    match entry.event:
        case consultation.ConsultationHeld() as held:
            return _consulted(state, held)
        case consultation.CourseOpened() as opened:
            return replace(
                state, status="open", patient_id=opened.patient_id, condition=opened.condition, plan=opened.plan,
                prescriber_id=opened.prescriber_id, clinic_id=opened.clinic_id, opened_at=opened.occurred_at,
            )
        case series.ResponseAssessed() as gate:
            response = Response(infusion_id=gate.infusion_id, positive=gate.positive, decision=gate.decision)
            return replace(state, responses=(*state.responses, response))
        case series.SeriesPlanned() | series.SeriesRevised() as planned:
            return replace(state, series=_series(state, planned), optimal_relief_after=None)
        case series.OptimalReliefReached() as reached:
            return replace(state, series=None, optimal_relief_after=reached.after_infusion_id)
        case boosters.BoosterScheduled() | boosters.BoosterRescheduled() | boosters.BoosterCancelled() as booster:
            after = _boostered(state, booster)
            returned = after.booster is not None and after.booster.because == boosters.PAIN_RETURNED
            return replace(after, brought_forward=(*after.brought_forward, (booster.occurred_at, returned)))
        case ending.CourseTransferred() as transferred:
            return replace(
                state, clinic_id=transferred.to_clinic_id,
                transferred_at=(*state.transferred_at, transferred.occurred_at),
            )
        case ending.CourseClosed() as closed:
            return replace(
                state, status="closed", closed_at=closed.occurred_at, closed_because=closed.reason_code,
                series=None, booster=None,
            )
    return state


def _consulted(state: State, held: consultation.ConsultationHeld) -> State:
    one = Consultation(
        consultation_id=held.consultation_id, held_at=held.occurred_at, decision=held.decision,
        condition=held.condition, plan=held.plan, prescriber_id=held.prescriber_id, weight_kg=held.weight_kg,
    )
    return replace(state, patient_id=held.patient_id, consultations=(*state.consultations, one))


def _series(state: State, planned: series.SeriesPlanned | series.SeriesRevised) -> Series:
    began = state.series.planned_at if state.series is not None else planned.occurred_at
    return Series(
        series_id=planned.series_id, infusions=planned.infusions, window_starts=planned.window_starts,
        window_ends=planned.window_ends, planned_at=began,
    )


def _boostered(
    state: State, event: boosters.BoosterScheduled | boosters.BoosterRescheduled | boosters.BoosterCancelled
) -> State:
    match event:
        case boosters.BoosterScheduled():
            return replace(state, booster_ids=(*state.booster_ids, event.booster_id), booster=Booster(
                booster_id=event.booster_id, due_on=event.due_on, scheduled_at=event.occurred_at,
                appointment_id=event.appointment_id, because=event.reason_code,
            ))
        case boosters.BoosterRescheduled() if state.booster is not None:
            moved = event.due_on != state.booster.due_on and event.reason_code != boosters.BOOKED
            return replace(state, booster=replace(
                state.booster, due_on=event.due_on, appointment_id=event.appointment_id,
                because=event.reason_code if moved else state.booster.because,
            ))
        case boosters.BoosterCancelled():
            return replace(state, booster=None)
    return state


def decide(state: State, command: Command, facts: Facts) -> Decision:
    """What `command` comes to. Raises the named errors of the rule it belongs to."""
    match command:
        case consultation.HoldConsultation():
            return consultation.decide_consultation(state, command, facts)
        case consultation.OpenCourse():
            return consultation.decide_opening(state, command, facts)
        case series.AssessResponse():
            return series.decide_response(state, command, facts)
        case series.PlanSeries():
            return series.decide_series(state, command, facts)
        case series.ReviseSeries():
            return series.decide_revision(state, command, facts)
        case series.ReachOptimalRelief():
            return series.decide_optimal_relief(state, command, facts)
        case boosters.ScheduleBooster():
            return boosters.decide_booster(state, command, facts)
        case boosters.RescheduleBooster():
            return boosters.decide_reschedule(state, command, facts)
        case boosters.LinkBooster():
            return boosters.decide_link(state, command, facts)
        case boosters.CancelBooster():
            return boosters.decide_cancel(state, command, facts)
        case ending.TransferCourse():
            return ending.decide_transfer(state, command, facts)
        case ending.CloseCourse():
            return ending.decide_close(state, command, facts)
        case AmendEntry() | StrikeEntry():
            return _corrected(state, command)
    raise TypeError(f"a course has no rule for {type(command).__name__}")


CORRECTABLE = (consultation.ConsultationHeld, series.ResponseAssessed)
"""What a person found and wrote down; plans and dates are put right by revising them."""


def _corrected(state: State, command: AmendEntry | StrikeEntry) -> Decision:
    """Raises EntryNotFound, EntryAlreadyStruck, EntryCannotBeCorrected, UnknownCode and what the entry must keep."""
    event = entry_of(state.entries, command.entry).event
    if not isinstance(event, CORRECTABLE):
        raise EntryCannotBeCorrected(entry=command.entry, name=event.NAME, pointer="/entry")
    if isinstance(command, StrikeEntry):
        require(command.reason_code, STRUCK, "/reason_code")
        return Decision((decide_strike(state.entries, command),))
    require(command.reason_code, AMENDED, "/reason_code")
    amendment, standing = decide_amendment(state.entries, command)
    try:
        if isinstance(standing, consultation.ConsultationHeld):
            consultation.check(standing)
        elif isinstance(standing, series.ResponseAssessed):
            series.check(standing)
    except DomainError as refusal:
        refusal.data["pointer"] = f"/corrections{refusal.data.get('pointer', '')}"
        raise
    return Decision((amendment,))
