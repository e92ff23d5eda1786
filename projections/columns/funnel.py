"""What became of referrals, from columns: see `projections.facts.referrals` and `projections.metrics.funnel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from sqlalchemy import Table

from projections.columns.codes import FOREVER, NONE, Bools, Ints
from projections.columns.groups import cut, is_word
from projections.columns.patients import everyone_of, survivors
from projections.columns.store import Facts
from projections.columns.table import Array, Rows
from projections.columns.timeline import Timeline
from projections.columns.zones import UNIX_DAY, clock
from projections.facts.encoding import DAY
from projections.facts.reading import Cut
from projections.facts.tables import course_facts, infusion_facts, patient_facts
from projections.metrics.calendar import ClinicCalendar, Period
from projections.metrics.figures import FactIds, Figure, proportion
from projections.metrics.funnel import STEPS, WITHIN_DAYS, Funnel, FunnelWeek, StepCounts
from projections.metrics.intervals import Span


def funnel(facts: Facts, known: Mapping[str, ClinicCalendar], period: Period, span: Span, at: Cut) -> Funnel:
    """The funnel of the referrals received in the period at these clinics, by the date each was received on."""
    rows = facts.of(patient_facts).between(span[0] - DAY, at.as_of_us + 1)
    day = rows["from_date"]
    inside = (day >= period.first.toordinal()) & (day <= period.last.toordinal())
    here = facts.codes("clinic").marked(list(known))[rows["clinic"]]
    rows = cut(rows.where(is_word(facts, rows["kind"], "referral") & inside & here), at)
    return _Referrals(facts, rows, known, at).funnel()


class _Referrals:
    """Referrals with what each has reached; `_us` is the beginning of the day on which it was received."""

    def __init__(self, facts: Facts, rows: Rows, known: Mapping[str, ClinicCalendar], at: Cut) -> None:
        self._facts, self._as_of_us = facts, at.as_of_us
        self._fact, day = rows["position"], rows["from_date"]
        self._monday = day - (day + 6) % 7
        self._us = (day - UNIX_DAY) * DAY
        for name, calendar in known.items():
            mine = np.flatnonzero(rows["clinic"] == facts.codes("clinic").of(name))
            if len(mine):
                midnights = self._us[mine]
                local = clock(calendar.timezone, int(midnights.min()), int(midnights.max()))
                self._us[mine] = local.instant(midnights)
        self._survivor = survivors(facts, at)
        self._patient = self._survivor[rows["patient"]]
        whose = everyone_of(self._survivor, rows["patient"])
        steps = [self._theirs(table, whose, at) for table in (patient_facts, course_facts, infusion_facts)]
        self._reached = {step: self._first(*parts) for step, parts in _reaching(facts, *steps).items()}
        self._failed = self._standing_failure(*steps)

    def _theirs(self, table: Table, whose: Bools, at: Cut) -> Rows:
        rows = self._facts.of(table).between(0, at.as_of_us + 1)
        return cut(rows.where(whose[rows["patient"]]), at)

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

    # --- counts ------------------------------------------------------------------------------------

    def funnel(self) -> Funnel:
        weeks = np.unique(self._monday).tolist()
        return Funnel(
            referred=len(self._fact),
            weeks=tuple(self._week(week, np.flatnonzero(self._monday == week)) for week in weeks),
            within={
                step: {f"{days}_days": self._within(step, days) for days in WITHIN_DAYS} for step in STEPS
            },
        )  # fmt: skip

    def _week(self, monday: int, own: Ints) -> FunnelWeek:
        return FunnelWeek(
            week=date.fromordinal(monday), referred=len(own), steps={step: self._counts(step, own) for step in STEPS}
        )

    def _counts(self, step: str, own: Ints) -> StepCounts:
        names = self._facts.codes("word")
        rest = own[self._reached[step][own] == NONE]
        failed = self._failed[rest]
        counts = dict(zip(*(side.tolist() for side in np.unique(failed, return_counts=True)), strict=True))
        still_open = counts.pop(-1, 0)
        return StepCounts(
            done=len(own) - len(rest), open=still_open,
            failed=dict(sorted((names.name(code), count) for code, count in counts.items())),
        )  # fmt: skip

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

