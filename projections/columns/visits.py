"""Visits, folded from columns: what `projections.metrics.visits` folds from rows, all at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from projections.columns.codes import Bools, Ints
from projections.columns.groups import (
    begins,
    coming_after,
    compact,
    cut,
    first,
    is_word,
    last,
    members,
    pick,
    whole,
)
from projections.columns.snapshot import Array, Rows
from projections.columns.store import Facts
from projections.facts.encoding import DAY
from projections.facts.reading import Cut
from projections.facts.tables import visit_facts
from projections.metrics.intervals import Span
from projections.metrics.visits import ENDINGS, LONGEST_VISIT

RUN = ("started", "resumed", "paused", "stopped")


@dataclass(frozen=True)
class Visits:
    """One place per visit, in order of their first step. NONE or -1 stands for what has not happened."""

    infusion: Array
    clinic: Array
    visit_kind: Array
    fact: Array
    booked_starts_us: Array
    arrived_us: Array
    roomed_us: Array
    started_us: Array
    stopped_us: Array
    ended_us: Array
    ending: Array
    reason: Array
    last_us: Array
    stays: Stays
    run: Turns
    recoveries: Recoveries

    def __len__(self) -> int:
        return len(self.infusion)


@dataclass(frozen=True)
class Stays:
    """The visits' stays in rooms, visit by visit; `until_us` NONE while the room is not released."""

    visit: Ints
    room: Array
    from_us: Array
    until_us: Array


@dataclass(frozen=True)
class Turns:
    """The drug's run: from when it was what (the place in `RUN`'s kinds), in order of time."""

    visit: Ints
    at_us: Array
    what: Ints


@dataclass(frozen=True)
class Recoveries:
    """Recovery scores, in order of time."""

    visit: Ints
    at_us: Array
    scale: Array
    score: Array


def load_visits(facts: Facts, clinics: Collection[str], span: Span, at: Cut) -> Visits:
    """Visits with a step in these clinics within `span` or shortly before it, whole."""
    table = facts.of(visit_facts)
    here = facts.codes("clinic").marked(clinics)
    low, high = span[0] - LONGEST_VISIT, min(span[1] + DAY, at.as_of_us + 1)
    around = table.between(low, high)
    near = cut(around, at)
    size = len(facts.codes("infusion"))
    concerned = members(near["infusion"][here[near["clinic"]]], size)
    return _folded(facts, whole(table, "infusion", concerned, at, around), size + 1)


def _folded(facts: Facts, rows: Rows, size: int) -> Visits:
    infusion, group = compact(rows["infusion"], size)
    kind, at_us, count = rows["kind"], rows["at_us"], len(infusion)

    def first_of(*kinds: str) -> Ints:
        return first(group, is_word(facts, kind, *kinds), count)

    arrived, roomed = first_of("arrived"), first_of("roomed")
    begun = np.where(arrived >= 0, arrived, roomed)
    known = np.flatnonzero(begun >= 0)
    number = np.full(count, -1, dtype=np.int64)
    number[known] = np.arange(len(known))
    begun, ended = begun[known], first_of(*ENDINGS)[known]
    visit = number[group]

    def when(*kinds: str) -> Array:
        return pick(at_us, first_of(*kinds)[known])

    return Visits(
        infusion=infusion[known], clinic=rows["clinic"][begun], visit_kind=rows["visit_kind"][begun],
        fact=rows["position"][begun], booked_starts_us=rows["booked_starts_us"][begun],
        arrived_us=pick(at_us, arrived[known]), roomed_us=pick(at_us, roomed[known]), started_us=when("started"),
        stopped_us=when("stopped"), ended_us=pick(at_us, ended), ending=pick(kind, ended, -1),
        reason=pick(rows["reason"], ended, -1),
        last_us=at_us[last(group, np.ones(len(group), dtype=bool), count)[known]],
        stays=_stays(facts, rows, visit), run=_run(facts, rows, visit),
        recoveries=_recoveries(facts, rows, visit),
    )  # fmt: skip


def _stays(facts: Facts, rows: Rows, visit: Ints) -> Stays:
    places = np.flatnonzero(is_word(facts, rows["kind"], "roomed", "moved_room", "released") & (visit >= 0))
    places = places[np.argsort(visit[places], kind="stable")]
    visit, at_us = visit[places], rows["at_us"][places]
    enters = ~is_word(facts, rows["kind"][places], "released")
    after = coming_after(visit, np.ones(len(visit), dtype=bool))
    return Stays(
        visit=visit[enters], room=rows["room"][places][enters], from_us=at_us[enters],
        until_us=pick(at_us, after)[enters],
    )  # fmt: skip


def _run(facts: Facts, rows: Rows, visit: Ints) -> Turns:
    """From the first start through the first final stop after it."""
    places = np.flatnonzero(is_word(facts, rows["kind"], *RUN) & (visit >= 0))
    places = places[np.argsort(visit[places], kind="stable")]
    visit, kind = visit[places], rows["kind"][places]
    what = np.zeros(len(kind), dtype=np.int64)
    for number, name in enumerate(RUN):
        what[kind == facts.word(name)] = number
    begun = _counted(visit, what == 0) > 0
    stops = _counted(visit, begun & (what == 3))
    keep = begun & ((stops == 0) | ((stops == 1) & (what == 3)))
    return Turns(visit[keep], rows["at_us"][places][keep], what[keep])


def _counted(group: Ints, chosen: Bools) -> Ints:
    """In rows ordered by group: how many chosen rows the group has had, the row itself included."""
    running = np.cumsum(chosen)
    start = np.flatnonzero(begins(group))
    before = np.zeros(len(group), dtype=np.int64)
    if len(start):
        sizes = np.diff(np.append(start, len(group)))
        before = np.repeat(running[start] - chosen[start], sizes)
    return running - before


def _recoveries(facts: Facts, rows: Rows, visit: Ints) -> Recoveries:
    places = np.flatnonzero(is_word(facts, rows["kind"], "recovery") & (visit >= 0))
    return Recoveries(visit[places], rows["at_us"][places], rows["scale"][places], rows["score"][places])
