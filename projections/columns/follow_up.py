"""Prompts for follow-up and whether they were answered, from columns: see `projections.metrics.path`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np

from projections.columns.codes import NONE, Bools, Ints
from projections.columns.groups import compact, cut, distinct, first, is_word, members, pick, split, whole
from projections.columns.patients import survivors
from projections.columns.relief import Scored, left_out, scores_of
from projections.columns.safety import InPeriod
from projections.columns.snapshot import Array, Rows
from projections.columns.store import Facts
from projections.facts.reading import Cut
from projections.facts.tables import follow_up_facts
from projections.metrics.calendar import ClinicCalendar, Period
from projections.metrics.figures import FactIds, Figure, proportion
from projections.metrics.intervals import Span
from projections.metrics.path import ANSWERS_FROM, ANSWERS_UNTIL

_NOT_ANSWERED = ("", "superseded", "pending")


class _Due(NamedTuple):
    """Prompts due in the period."""

    fact: Array
    clinic: Array
    due_us: Array
    answered: Array
    reasons: Array
    """Why it does not count (0: it does), as in `_NOT_ANSWERED`."""

    def where(self, chosen: Array) -> _Due:
        """Those chosen."""
        return _Due(*(column[chosen] for column in self))


class FollowUp:
    """The prompts of one period."""

    def __init__(
        self, facts: Facts, known: Mapping[str, ClinicCalendar], period: Period, span: Span, at: Cut
    ) -> None:
        self._facts, self._span, self._at = facts, span, at
        self._within = InPeriod(facts, known, period)
        self._here = facts.codes("clinic").marked(list(known))
        self._survivor = survivors(facts, at)

    def answered(self, clinic: int | None = None, within: InPeriod | None = None) -> Figure:
        """Prompts due in the period or in a part of it, answered or not; of one clinic by its code."""
        due = self._due
        if within is not None:
            due = due.where(within.has(due.clinic, due.due_us))
        fact, answered, reasons = due.fact, due.answered, due.reasons
        if clinic is not None:
            mine = self._by_clinic[clinic] if within is None else due.clinic == clinic
            fact, answered, reasons = fact[mine], answered[mine], reasons[mine]
        return proportion(
            "follow_up_answered", FactIds("f", fact[answered]), FactIds("f", fact[reasons == 0]),
            left_out(reasons, _NOT_ANSWERED, lambda places: FactIds("f", fact[places])),
        )  # fmt: skip

    @cached_property
    def _by_clinic(self) -> list[Ints]:
        """By code of a clinic the places of its prompts; none of one that never appeared (-2)."""
        return split(self._due.clinic, len(self._facts.codes("clinic")) + 2)

    def _prompts(self) -> Rows:
        """Every step of the prompts due around the period here."""
        table = self._facts.of(follow_up_facts)
        due = cut(table.near("due_us", *self._span), self._at)
        due = due.where(self._here[due["clinic"]])
        asked = members(due["follow_up"], len(self._facts.codes("follow_up")))
        return whole(table, "follow_up", asked, self._at, table.around("due_us", *self._span))

    @cached_property
    def _due(self) -> _Due:
        """Answered is a prompt by a score of one of its instruments, while it was open."""
        facts, rows, as_of_us = self._facts, self._prompts(), self._at.as_of_us
        _, group = compact(rows["follow_up"], len(facts.codes("follow_up")) + 1)
        count = int(group.max(initial=-1)) + 1
        due = first(group, is_word(facts, rows["kind"], "due"), count)
        over = pick(rows["at_us"], first(group, is_word(facts, rows["kind"], "superseded"), count))
        due_us, clinic = pick(rows["due_us"], due), pick(rows["clinic"], due, -1)
        chosen = np.flatnonzero((due >= 0) & (due_us <= as_of_us) & self._within.has(clinic, due_us))
        due, due_us, over = due[chosen], due_us[chosen], over[chosen]
        until = due_us + ANSWERS_UNTIL
        answered = self._answered(
            self._survivor[rows["patient"][due]], rows["instruments"][due],
            np.maximum(due_us - ANSWERS_FROM, rows["at_us"][due]),
            np.where(over == NONE, until, np.minimum(until, over)),
        )
        reasons = np.select([answered, over != NONE, as_of_us < until], [0, 1, 2], 0)
        return _Due(rows["position"][due], clinic[chosen], due_us, answered, reasons)

    def _answered(self, patient: Array, instruments: Array, low: Array, high: Array) -> Bools:
        """Whether a score of an instrument asked lies in [low, high)."""
        answered = np.zeros(len(patient), dtype=bool)
        scores = scores_of(self._facts, self._survivor, patient[patient >= 0], self._at)
        at_us = scores["at_us"]
        scores = scores.where((at_us >= low.min(initial=2**62)) & (at_us < high.max(initial=0)))
        scored = Scored(scores, self._survivor)
        times, asked_as = scored.timeline, self._asked_as(scored.rows)
        begins = times.before(patient, low)
        words = self._facts.codes("word")
        for asked in distinct(instruments):
            chosen = words.marked(msgspec.json.decode(words.name(asked), type=list[str]))[asked_as]
            mine = np.flatnonzero(instruments == asked)
            answered[mine] = times.next_is_in(chosen, begins[mine], patient[mine], high[mine])
        return answered

    def _asked_as(self, scores: Rows) -> Array:
        """What each score's instrument is called in a prompt."""
        words = self._facts.codes("word")
        by_kind = np.full(len(words) + 1, -1)
        for kind, name in (("pain", "nrs"), ("relief", "relief_percent")):
            if (code := words.of(kind)) >= 0:
                by_kind[code] = words.of(name)
        found = by_kind[scores["kind"]]
        return np.where(found < 0, scores["instrument"], found)
