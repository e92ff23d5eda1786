"""The clinic as a whole: its fold in order of occurrence, and which rule decides which command."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain.clinic import calendar_feed, conduct, on_call, premises
from domain.clinic.state import Facts, State
from domain.corrections import Entry
from domain.kernel import Command, Decision, Event, check_time
from domain.ledger import evolve_in_order


def initial(stream_id: UUID) -> State:
    """Nothing has happened yet."""
    return State(stream_id=stream_id)


def evolve(state: State, version: int, event: Event) -> State:
    """`state` after `event`; events that are none of a clinic's change nothing."""
    return evolve_in_order(state, version, event, initial(state.stream_id), apply)


def apply(state: State, entry: Entry) -> State:
    """One entry, in order of occurrence."""
    said = premises.evolve_premises(state, entry.event)
    for evolved in (conduct.evolve_conduct, on_call.evolve_on_call, calendar_feed.evolve_feeds):
        said = evolved(said, entry.event)
    return said


def as_of(state: State, moment: datetime) -> State:
    """The clinic as it was at `moment`, as far as is known now: what a late entry is judged by."""
    then = initial(state.stream_id)
    for entry in state.entries:
        if entry.event.occurred_at <= moment and not entry.struck:
            then = apply(then, entry)
    return then


def decide(state: State, command: Command, facts: Facts | None = None) -> Decision:
    """The events that `command` leads to. Raises what the deciding function of its kind names, InTheFuture,
    LateWithoutReason. `facts` are needed for AssignStaff and AdoptProtocol."""
    check_time(command)
    known = facts or Facts()
    match command:
        case premises.OpenClinic():
            return premises.decide_open(state, command)
        case premises.AddRoom() | premises.RetireRoom():
            return premises.decide_room(state, command)
        case premises.SetOpeningHours():
            return premises.decide_hours(state, command)
        case premises.DeclareClosure() | premises.LiftClosure():
            return premises.decide_closure(state, command)
        case conduct.AssignStaff() | conduct.UnassignStaff():
            return conduct.decide_staff(state, command, known)
        case conduct.AdoptProtocol():
            return conduct.decide_adoption(state, command, known)
        case conduct.PublishPriceList():
            return conduct.decide_prices(state, command)
        case calendar_feed.OpenCalendarFeed() | calendar_feed.CloseCalendarFeed():
            return calendar_feed.decide_feed(state, command)
        case on_call.SetOnCall():
            return on_call.decide_on_call(state, command)
    raise TypeError(f"{type(command).__name__} is no command of a clinic")
