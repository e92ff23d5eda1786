"""How entries become a state: one evolving function per kind of event, applied in order of occurrence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import reduce

import msgspec

from domain.corrections import Entry, when
from domain.infusion import arrival, departure, drug_run, monitoring, order, side_effects
from domain.infusion.state import Given, State, initial
from domain.kernel import Event

Evolver = Callable[[State, Entry], State]


def _evolve_run(state: State, entry: Entry) -> State:
    run = drug_run.step(state.run, entry.event)
    if isinstance(entry.event, drug_run.InfusionGiven):
        return msgspec.structs.replace(state, run=run, given=Given(entry.version, entry.event))
    return msgspec.structs.replace(state, run=run)


def _noted(state: State, entry: Entry) -> State:
    return state


def _events(module: object) -> tuple[type[Event], ...]:
    name = getattr(module, "__name__", "")
    found = (thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Event))
    return tuple(event for event in found if event.__module__ == name)


APPLIED: Mapping[type[Event], Evolver] = {
    **dict.fromkeys(_events(arrival), arrival.evolve_arrival),
    **dict.fromkeys(_events(order), order.evolve_order),
    **dict.fromkeys(_events(drug_run), _noted),
    **dict.fromkeys(drug_run.RUN_EVENTS, _evolve_run),
    **dict.fromkeys(_events(monitoring), monitoring.evolve_monitoring),
    **dict.fromkeys(_events(side_effects), side_effects.evolve_side_effect),
    **dict.fromkeys(_events(departure), departure.evolve_departure),
}
"""Every event of a visit and what folds it in; those with `_noted` change nothing but are entries."""


def apply(state: State, entry: Entry) -> State:
    """`state` after one entry that stands, the next in order of occurrence; never fails."""
    evolver = APPLIED.get(type(entry.event))
    after = state if evolver is None else evolver(state, entry)
    return msgspec.structs.replace(after, latest_at=entry.event.occurred_at)


def as_of(state: State, at: datetime) -> State:
    """The visit as it was at `at` by what is on record today; the same object when nothing happened since.

    `version` and `entries` stay those of the whole visit.
    """
    if state.latest_at is None or state.latest_at <= at:
        return state
    past = (entry for entry in state.entries if not entry.struck and entry.event.occurred_at <= at)
    folded = reduce(apply, past, initial(state.stream_id))
    return msgspec.structs.replace(folded, version=state.version, entries=state.entries)


def just_before(state: State, at: datetime, version: int) -> State:
    """The visit just before entry `version`, had it happened at `at`: what comes earlier in order, ties by version."""
    past = (
        entry for entry in state.entries
        if not entry.struck and entry.version != version and when(entry) < (at, version))
    folded = reduce(apply, past, initial(state.stream_id))
    return msgspec.structs.replace(folded, version=state.version, entries=state.entries)
