"""What became of referrals, from columns: see `projections.facts.referrals` and `projections.metrics.funnel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlalchemy import Table

from projections.columns.codes import FOREVER, NONE, Bools, Ints
from projections.columns.groups import cut, is_word, whole
from projections.columns.patients import everyone_of, survivors
from projections.columns.snapshot import Array, Rows
from projections.columns.store import Facts
from projections.columns.timeline import Timeline
from projections.columns.zones import UNIX_DAY, clocks
from projections.facts.encoding import DAY
from projections.facts.reading import Cut
from projections.facts.tables import course_facts, infusion_facts, patient_facts
from projections.metrics.calendar import ClinicCalendar, Period
from projections.metrics.figures import FactIds, Figure, proportion
from projections.metrics.funnel import STEPS, WITHIN_DAYS, Funnel, FunnelWeek, StepCounts
from projections.metrics.intervals import Span


@dataclass(frozen=True)
class Became:
    """What a step says of referrals: it was reached, care ended before it, or it may still be reached."""

    done: FactIds
    failed: FactIds
    failed_by_reason: Mapping[str, FactIds]
    open: FactIds


def referrals(facts: Facts, known: Mapping[str, ClinicCalendar], period: Period, span: Span, at: Cut) -> Referrals:
    """The referrals received in the period at these clinics, by the date each was received on."""
    rows = facts.of(patient_facts).between(span[0] - DAY, at.as_of_us + 1)
    day = rows["from_date"]
    inside = (day >= period.first.toordinal()) & (day <= period.last.toordinal())
    here = facts.codes("clinic").marked(list(known))[rows["clinic"]]
    rows = cut(rows.where(is_word(facts, rows["kind"], "referral") & inside & here), at)
    return Referrals(facts, rows, known, at)


class Referrals:
    """Referrals with what each has reached; `_us` is the beginning of the day on which it was received."""

    def __init__(self, facts: Facts, rows: Rows, known: Mapping[str, ClinicCalendar], at: Cut) -> None:
        self._facts, self._as_of_us = facts, at.as_of_us
        self._fact, self._clinic, day = rows["position"], rows["clinic"], rows["from_date"]
        self._monday = day - (day + 6) % 7
        self._us = (day - UNIX_DAY) * DAY
        for mine, local in clocks(facts, known, self._clinic, self._us):
            self._us[mine] = local.instant(self._us[mine])
        self._survivor = survivors(facts, at)
        self._patient = self._survivor[rows["patient"]]
        whose = everyone_of(self._survivor, rows["patient"])
        steps = [self._theirs(table, whose, at) for table in (patient_facts, course_facts, infusion_facts)]
        self._reached = {step: self._first(*parts) for step, parts in _reaching(facts, *steps).items()}
        self._failed = self._standing_failure(*steps)

    def _theirs(self, table: Table, whose: Bools, at: Cut) -> Rows:
        return whole(self._facts.of(table), "patient", whose, at)

    def _first(self, rows: Rows, chosen: Bools) -> Array:
        """By referral the first of these rows at or after it; NONE."""
        return _after(self._timeline([(rows, chosen)]), self._patient, self._us)

    def _timeline(self, parts: Sequence[tuple[Rows, Bools]]) -> Timeline:
        group = np.concatenate([self._survivor[rows["patient"][chosen]] for rows, chosen in parts])
        us = np.concatenate([rows["at_us"][chosen] for rows, chosen in parts])
        order = np.lexsort((us, group))
        return Timeline(group[order], us[order])

    def _standing_failure(self, patients: Rows, courses: Rows, infusions: Rows) -> Array:
        """By referral the code of the reason why care ended, the last of those that still hold; -1.

        A reason holds until what it was is put right (see `projections.facts.referrals`), or an infusion is given.
        """
        every = (infusions, np.ones(len(infusions), dtype=bool))
        found, found_us = np.full(len(self._us), -1), np.full(len(self._us), NONE)
        endings = zip(_endings(self._facts, patients, courses), _lifting(self._facts, patients, courses), strict=True)
        for (rows, chosen, reason), lifting in endings:
            us, why = self._last_ending(rows, chosen, reason)
            again = _after(self._timeline([*lifting, every]), self._patient, np.where(us == NONE, FOREVER, us))
            later = (us != NONE) & (again == NONE) & (us >= found_us)
            found, found_us = np.where(later, why, found), np.where(later, us, found_us)
        return found

    def _last_ending(self, rows: Rows, chosen: Bools, reason: int | None) -> tuple[Array, Array]:
        """By referral the last of these endings at or after it, and the code of its reason; NONE and -1."""
        patient, us = self._survivor[rows["patient"][chosen]], rows["at_us"][chosen]
        why = rows["reason"][chosen] if reason is None else np.full(len(us), reason)
        words = self._facts.codes("word")
        spelt = np.argsort(np.argsort([*map(words.name, range(len(words))), ""], kind="stable"), kind="stable")[why]
        order = np.lexsort((spelt, us, patient))
        place = np.searchsorted(patient[order], self._patient, side="right") - 1
        mine = (place >= 0) & (np.append(patient[order], -2)[place] == self._patient)
        mine &= np.append(us[order], NONE)[place] >= self._us
        place = np.where(mine, place, len(order))
        return np.append(us[order], NONE)[place], np.append(why[order], -1)[place]

    def at(self, clinic: str) -> Referrals:
        """Those received by this clinic."""
        own = np.flatnonzero(self._clinic == self._facts.codes("clinic").of(clinic))
        found = copy(self)
        found._fact, found._clinic, found._us = self._fact[own], self._clinic[own], self._us[own]
        found._monday, found._failed = self._monday[own], self._failed[own]
        found._reached = {step: reached[own] for step, reached in self._reached.items()}
        return found

    # --- counts ------------------------------------------------------------------------------------

    def became(self, step: str) -> Became:
        """Which referrals reached a step, and what became of the others."""
        reached, fact, names = self._reached[step] != NONE, self._fact, self._facts.codes("word")
        ended = ~reached & (self._failed >= 0)
        return Became(
            done=FactIds("p", fact[reached]), failed=FactIds("p", fact[ended]),
            failed_by_reason={
                names.name(code): FactIds("p", fact[ended & (self._failed == code)])
                for code in np.unique(self._failed[ended]).tolist()
            },
            open=FactIds("p", fact[~reached & (self._failed < 0)]),
        )  # fmt: skip

    def funnel(self) -> Funnel:
        """The funnel by week, and the rates within so many days."""
        mondays, week = np.unique(self._monday, return_inverse=True)
        steps = {step: self._counts(step, week, len(mondays)) for step in STEPS}
        referred = np.bincount(week, minlength=len(mondays)).tolist()
        return Funnel(
            referred=len(self._fact),
            weeks=tuple(
                FunnelWeek(week=date.fromordinal(monday), referred=referred[number],
                           steps={step: counts[number] for step, counts in steps.items()})
                for number, monday in enumerate(mondays.tolist())
            ),
            within={
                step: {f"{days}_days": self._within(step, days) for days in WITHIN_DAYS} for step in STEPS
            },
        )  # fmt: skip

    def _counts(self, step: str, week: Ints, weeks: int) -> list[StepCounts]:
        """By week (numbered from 0) what became of its referrals."""
        names, done = self._facts.codes("word"), self._reached[step] != NONE
        reached = np.bincount(week[done], minlength=weeks).tolist()
        still_open = np.bincount(week[~done & (self._failed < 0)], minlength=weeks).tolist()
        ended = np.flatnonzero(~done & (self._failed >= 0))
        failed: list[dict[str, int]] = [{} for _ in range(weeks)]
        pairs, counts = np.unique(week[ended] * len(names) + self._failed[ended], return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            failed[pair // len(names)][names.name(pair % len(names))] = count
        return [
            StepCounts(done=reached[number], open=still_open[number], failed=dict(sorted(failed[number].items())))
            for number in range(weeks)
        ]

    def _within(self, step: str, days: int) -> Figure:
        old_enough = self._as_of_us - self._us >= days * DAY
        reached = self._reached[step]
        hit = old_enough & (reached != NONE) & (reached - self._us <= days * DAY)
        too_young = int((~old_enough).sum())
        return proportion(
            "funnel", FactIds("p", self._fact[hit]), FactIds("p", self._fact[old_enough]),
            {"referred_too_recently": too_young} if too_young else {},
        )  # fmt: skip


def _reaching(facts: Facts, patients: Rows, courses: Rows, infusions: Rows) -> dict[str, tuple[Rows, Bools]]:
    """Which rows mean that a step is reached."""
    def patient(kind: str) -> tuple[Rows, Bools]:
        return patients, is_word(facts, patients["kind"], kind)

    def course(kind: str) -> tuple[Rows, Bools]:
        return courses, is_word(facts, courses["kind"], kind)

    found = {
        "consulted": course("consultation"), "screened": patient("screening"), "consented": patient("consent"),
        "trial": (infusions, is_word(facts, infusions["purpose"], "trial")),
        "gate_passed": (courses, is_word(facts, courses["kind"], "gate") & _passed(facts, courses)),
        "series": (infusions, is_word(facts, infusions["purpose"], "series")),
        "optimal_relief": course("optimal_relief"),
        "booster": (infusions, is_word(facts, infusions["purpose"], "booster")),
    }  # fmt: skip
    return {step: found[step] for step in STEPS}


def _endings(facts: Facts, patients: Rows, courses: Rows) -> list[tuple[Rows, Bools, int | None]]:
    """What ends care, with the reason's code (None: the row's own); at one moment the later in this list counts."""
    words, kind = facts.codes("word"), courses["kind"]
    unsuitable = is_word(facts, kind, "consultation") & is_word(facts, courses["decision"], "not_suitable")
    return [
        (courses, is_word(facts, kind, "closed"), None),
        (courses, is_word(facts, kind, "gate") & ~_passed(facts, courses), words.of("no_response")),
        (courses, unsuitable, words.of("not_suitable")),
        (patients, is_word(facts, patients["kind"], "screening") & (patients["failed"] > 0), words.of("screening")),
    ]


def _lifting(facts: Facts, patients: Rows, courses: Rows) -> list[list[tuple[Rows, Bools]]]:
    """What puts right each of `_endings`: a closing, no_response, not_suitable, a failed screening."""
    def course(kind: str, also: Bools | None = None) -> tuple[Rows, Bools]:
        chosen = is_word(facts, courses["kind"], kind)
        return courses, chosen if also is None else chosen & also

    passed = is_word(facts, patients["kind"], "screening") & ~(patients["failed"] > 0)
    proceeds = course("consultation", is_word(facts, courses["decision"], "proceed"))
    return [
        [proceeds, course("opened")], [course("gate", _passed(facts, courses))], [proceeds],
        [(patients, is_word(facts, patients["kind"], "cleared") | passed)],
    ]  # fmt: skip


def _passed(facts: Facts, courses: Rows) -> Bools:
    found: Bools = (courses["positive"] > 0) | is_word(facts, courses["decision"], "go_on")
    return found


def _after(times: Timeline, group: Array, us: Array) -> Array:
    """The first moment of each group at or after `us`; NONE."""
    place = times.before(group, us)
    there = np.append(times.group, -2)[place] == group
    return np.where(there, np.append(times.at_us, NONE)[place], NONE)

