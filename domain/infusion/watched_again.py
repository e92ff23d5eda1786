"""Sets and scores looked at again: when they, or the start or stop of the drug, are corrected.

The phase of a set says whether drug was in play, and only then does a value raise an alert. A start charted late
therefore raises the alerts of the sets that were recorded in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from domain.corrections import Entry, EntryAmended
from domain.infusion.alerts import alerts_of
from domain.infusion.facts import Facts
from domain.infusion.folding import just_before
from domain.infusion.monitoring import AlertAcknowledged, AlertRaised, SedationScored, VitalsRecorded, phase_of
from domain.infusion.state import State
from domain.infusion.striking import live, strikes
from domain.kernel import Code, Event

WATCHED = (VitalsRecorded, SedationScored)


def phases_again(before: State, after: State, at: datetime, facts: Facts) -> Iterator[Event]:
    """What follows for sets and scores when the drug's start or stop is not where it was."""
    if (before.run.started_at, before.run.stopped_at) == (after.run.started_at, after.run.stopped_at):
        return
    for entry in live(after):
        if not isinstance(entry.event, WATCHED) or _phase(before, entry) == _phase(after, entry):
            continue
        if isinstance(entry.event, VitalsRecorded) and entry.event.phase != _phase(after, entry):
            yield EntryAmended(
                occurred_at=at, entry=entry.version, entry_name=VitalsRecorded.NAME, reason_code="recomputed",
                corrections={"phase": _phase(after, entry)})
        yield from alerts_again(after, entry, entry.event, at, facts)


def _phase(state: State, entry: Entry) -> Code:
    return phase_of(just_before(state, entry.event.occurred_at, entry.version))


def alerts_again(state: State, was: Entry, standing: Event, at: datetime, facts: Facts) -> Iterator[Event]:
    """Alerts of a corrected set or score: those it no longer warrants are struck, those it now does are raised.

    `standing` is entry `was` as corrected; `state` is the rest of the visit; `at` is when the correction is made.
    """
    if not isinstance(standing, WATCHED):
        return
    raised = {
        entry.event.sign: entry for entry in live(state)
        if isinstance(entry.event, AlertRaised) and entry.event.entry == was.version
    }
    before = just_before(state, standing.occurred_at, was.version)
    wanted = alerts_of(state, before, standing, was.version, facts)
    warranted = [event for event in wanted if isinstance(event, AlertRaised)]
    signs = {event.sign for event in warranted}
    fresh = {event.alert_id for event in warranted if event.sign not in raised}
    for sign, entry in raised.items():
        if sign not in signs:
            yield from strikes(state, entry, at, "did_not_happen")
    for event in wanted:
        if isinstance(event, AlertRaised | AlertAcknowledged) and event.alert_id in fresh:
            yield event
