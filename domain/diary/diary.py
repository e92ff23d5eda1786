"""The diary as a whole: its fold in order of occurrence, corrections, and which rule decides which command."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from domain.corrections import AmendEntry, Entry, StrikeEntry
from domain.course.state import PainScore
from domain.diary import follow_ups, home_reports, scores
from domain.diary.state import Alert, Facts, FollowUp, NotedInfusion, State, Weight
from domain.kernel import Command, Decision, DomainError, Event
from domain.ledger import EntryCannotBeCorrected, decide_amendment, decide_strike, entry_of, evolve_in_order
from domain.vocabulary.reasons import AMENDED, STRUCK
from domain.vocabulary.term import require

CORRECTABLE = (
    scores.PainScored, scores.FunctionScored, scores.MoodScored, scores.CognitionScored, scores.ReliefReported,
    scores.WeightMeasured, home_reports.SideEffectReportedFromHome,
)
"""What a person entered; what the system derived from it follows by itself."""


def initial(stream_id: UUID) -> State:
    """An empty diary."""
    return State(stream_id=stream_id)


def evolve(state: State, version: int, event: Event) -> State:
    """`state` after `event`; events that are none of a diary's change nothing."""
    return evolve_in_order(state, version, event, initial(state.stream_id), apply)


def apply(state: State, entry: Entry) -> State:
    """One entry, as it stands, in order of occurrence."""
    event = entry.event
    match event:
        case scores.PainScored(kind="now"):
            return replace(state, pain=(*state.pain, PainScore(event.occurred_at, event.score)))
        case scores.WeightMeasured():
            return replace(state, weights=(*state.weights, Weight(event.occurred_at, event.weight_kg)))
        case follow_ups.InfusionNoted():
            noted = replace(state, noted=(*state.noted, NotedInfusion(entry.version, follow_ups.given(event))))
            if event.weight_kg is None:
                return noted
            return replace(noted, weights=(*state.weights, Weight(event.drug_started_at, event.weight_kg)))
        case home_reports.SideEffectReportedFromHome():
            return replace(state, side_effects=state.side_effects | {event.side_effect_id})
        case follow_ups.FollowUpDue():
            one = FollowUp(
                follow_up_id=event.follow_up_id, infusion_id=event.infusion_id, due_at=event.due_at,
                instruments=event.instruments, opened_at=event.occurred_at,
            )
            return replace(state, follow_ups=(*state.follow_ups, one))
        case follow_ups.FollowUpSuperseded():
            return _follow_up(state, event.follow_up_id, "superseded")
        case follow_ups.FollowUpMissed():
            return _follow_up(state, event.follow_up_id, "missed")
        case home_reports.HomeAlertRaised():
            alert = Alert(alert_id=event.alert_id, kind=event.kind, raised_at=event.occurred_at)
            return replace(state, alerts=(*state.alerts, alert))
        case home_reports.HomeAlertEscalated():
            return replace(state, alerts=tuple(
                _told(one, event) if one.alert_id == event.alert_id else one for one in state.alerts))
        case home_reports.HomeAlertAcknowledged():
            return replace(state, alerts=tuple(
                replace(one, acknowledged=True) if one.alert_id == event.alert_id else one for one in state.alerts
            ))
    return state


def _told(alert: Alert, event: home_reports.HomeAlertEscalated) -> Alert:
    return replace(
        alert, told=(*alert.told, event.staff_ids), told_at=event.occurred_at, everybody_told=event.everybody)


def _follow_up(state: State, follow_up_id: UUID, status: str) -> State:
    return replace(state, follow_ups=tuple(
        replace(one, status=status) if one.follow_up_id == follow_up_id else one for one in state.follow_ups
    ))


def decide(state: State, command: Command, facts: Facts | None = None) -> Decision:
    """What `command` comes to. Raises the named errors of the rule it belongs to."""
    match command:
        case (scores.ScorePain() | scores.ScoreFunction() | scores.ScoreMood() | scores.ScoreCognition()
              | scores.ReportRelief() | scores.MeasureWeight()):
            return _with_alerts(state, scores.scored(state, command), command)
        case home_reports.ReportSideEffectFromHome():
            return _with_alerts(state, home_reports.reported(state, command), command)
        case home_reports.RaiseHomeAlert():
            return home_reports.decide_raised(state, command)
        case home_reports.AcknowledgeHomeAlert():
            return home_reports.decide_acknowledgement(state, command)
        case home_reports.EscalateHomeAlert():
            return home_reports.decide_escalation(state, command)
        case follow_ups.NoteInfusion():
            return follow_ups.decide_note(state, command)
        case follow_ups.UnnoteInfusion():
            return follow_ups.decide_unnote(state, command)
        case follow_ups.ScheduleFollowUps():
            return follow_ups.decide_schedule(state, command)
        case follow_ups.MissFollowUp():
            return follow_ups.decide_missed(state, command)
        case AmendEntry():
            return _amended(state, command)
        case StrikeEntry():
            _require_correctable(state, command.entry)
            require(command.reason_code, STRUCK, "/reason_code")
            return Decision((decide_strike(state.entries, command),))
    raise TypeError(f"a diary has no rule for {type(command).__name__}")


def _with_alerts(state: State, event: Event, command: Command) -> Decision:
    return Decision((event, *home_reports.alerts(state, event, state.version + 1, command.now)))


def _check_amended(standing: Event) -> None:
    try:
        scores.check(standing)
        home_reports.check(standing)
    except DomainError as refusal:
        refusal.data["pointer"] = f"/corrections{refusal.data.get('pointer', '')}"
        raise


def _amended(state: State, command: AmendEntry) -> Decision:
    """An amendment keeps the rules of the entry; a total follows its items; an alert that follows is raised now."""
    _require_correctable(state, command.entry)
    require(command.reason_code, AMENDED, "/reason_code")
    amendment, standing = decide_amendment(state.entries, command)
    total = scores.recomputed_total(standing)
    if total is not None:
        amendment = replace(amendment, corrections={**amendment.corrections, "total": str(total)})
        standing = replace(standing, total=total)
    _check_amended(standing)
    return Decision((amendment, *home_reports.alerts(state, standing, command.entry, command.now)))


def _require_correctable(state: State, version: int) -> None:
    event = entry_of(state.entries, version).event
    if not isinstance(event, CORRECTABLE):
        raise EntryCannotBeCorrected(entry=version, name=event.NAME, pointer="/entry")
