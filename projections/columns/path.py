"""The path through a course, from columns: see `projections.metrics.path` for what each figure means."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from projections.columns.bookings import folded
from projections.columns.codes import NONE, Ints
from projections.columns.courses import Courses
from projections.columns.groups import distinct, is_word, members, whole
from projections.columns.outcomes import OutcomeColumns
from projections.columns.patients import everyone_of
from projections.columns.relief import Scored, left_out
from projections.columns.snapshot import Array
from projections.columns.spans import paired
from projections.facts.encoding import DAY
from projections.facts.tables import appointment_facts, visit_facts
from projections.metrics.figures import (
    SMALL,
    FactIds,
    Figure,
    Measured,
    Spread,
    proportion,
    quotient,
    spread,
)
from projections.metrics.lazy import Later
from projections.metrics.path import (
    CHANGE_DAYS,
    CHANGING,
    GATE_PENDING,
    MEDICAL_HOLDS,
    SeriesRow,
)

EXCUSES = ("medical_hold", "clinic_cancelled")


class PathFigures:
    """All of one report."""

    def __init__(self, found: OutcomeColumns) -> None:
        self._found, self._facts, self._given = found, found.facts, found.given

    @property
    def _courses(self) -> Courses:
        return self._found.courses

    # --- the gate ----------------------------------------------------------------------------------

    def gate_rate(self) -> Figure:
        """Positive of assessed."""
        gate, chosen = self._courses.gate, self._found.gates_of_period()
        positive = chosen[gate.positive[chosen]]
        return proportion("gate_rate", FactIds("c", gate.fact[positive]), FactIds("c", gate.fact[chosen]))

    def gate_assessed(self) -> Figure:
        """Assessed of the period's trials."""
        given, here = self._given, self._found.here
        trials = here[is_word(self._facts, given.purpose[here], "trial") & (given.course[here] >= 0)]
        done = self._courses.gated_course[given.infusion[trials]] == given.course[trials]
        pending = ~done & (self._found.as_of_us - given.stopped_us[trials] < GATE_PENDING)
        fact, waiting = given.fact[trials], int(pending.sum())
        return proportion(
            "gate_assessed", FactIds("i", fact[done]), FactIds("i", fact[~pending]),
            {"pending": waiting} if waiting else {},
        )  # fmt: skip

    # --- the series --------------------------------------------------------------------------------

    def series(self) -> tuple[Figure, Sequence[SeriesRow]]:
        """Given inside the window of planned, what was excused left out; and what became of each series."""
        plans, period = self._courses.plan, self._found.period
        clinic = self._found.clinics[plans.clinic]
        ends = (plans.last_day >= period.first.toordinal()) & (plans.last_day <= period.last.toordinal())
        ends &= plans.last_day < self._found.today[plans.clinic]
        chosen = np.flatnonzero(clinic & ends)
        names = self._facts.codes("course")
        chosen = chosen[np.argsort(
            np.array([names.name(code) for code in self._courses.course[plans.course[chosen]].tolist()], dtype=str),
            kind="stable",
        )]  # fmt: skip
        which, infusion, before_relief = self._given_in(chosen)
        given = np.bincount(which, minlength=len(chosen))
        planned = np.minimum(plans.planned[chosen], np.where(before_relief < 0, 2**40, before_relief))
        shortfall = np.maximum(0, planned - given)
        excused = []
        for moments in self._excuses(chosen):
            excused.append(np.minimum(shortfall, moments))
            shortfall = shortfall - excused[-1]
        totals = {name: int(count.sum()) for name, count in zip(EXCUSES, excused, strict=True) if count.any()}
        kept = np.minimum(planned, given)
        own_facts = np.cumsum(plans.fact_counts) - plans.fact_counts
        count_of_facts = int(plans.fact_counts[chosen].sum() + len(infusion))

        def rows() -> tuple[SeriesRow, ...]:
            until = np.cumsum(given)
            return tuple(
                SeriesRow(
                    course=names.name(int(self._courses.course[plans.course[plan]])),
                    series=self._facts.codes("subject").name(int(plans.series[plan])), planned=int(planned[row]),
                    given=int(kept[row]),
                    excused={
                        name: int(found[row]) for name, found in zip(EXCUSES, excused, strict=True) if found[row]
                    },
                    facts=(
                        *_ids("c", plans.facts[own_facts[plan]: own_facts[plan] + plans.fact_counts[plan]]),
                        *_ids("i", self._given.fact[infusion[until[row] - given[row]: until[row]]]),
                    ),
                )
                for row, plan in enumerate(chosen.tolist())
            )  # fmt: skip

        made = Later(len(chosen), rows)
        figure = quotient(
            "series_adherence", int(kept.sum()), int(planned.sum()) - sum(totals.values()), n=len(chosen),
            rows=Later(count_of_facts, lambda: tuple(fact for row in made for fact in row.facts)),
            excluded=dict(sorted(totals.items())),
        )  # fmt: skip
        return figure, made

    def _given_in(self, chosen: Ints) -> tuple[Ints, Ints, Array]:
        """Infusions of each plan's series inside its window (which plan, which infusion); and how many were given
        before optimal relief ended the need for more (-1: it did not)."""
        given, plans = self._given, self._courses.plan
        series = np.flatnonzero(is_word(self._facts, given.purpose, "series") & (given.course >= 0))
        place = self._courses.place[given.course[series]]
        order = np.argsort(place, kind="stable")
        series, place = series[order], place[order]
        course = plans.course[chosen]
        low, high = np.searchsorted(place, course, side="left"), np.searchsorted(place, course, side="right")
        which, number = paired(low, high)
        infusion = series[number]
        day = self._found.days_at(plans.clinic[chosen][which], given.started_us[infusion])
        relief = self._courses.relief_us[course]
        relief = np.where((relief != NONE) & (relief >= plans.planned_us[chosen]), relief, NONE)
        before = np.bincount(which[given.started_us[infusion] <= relief[which]], minlength=len(chosen))
        inside = (day >= plans.first_day[chosen][which]) & (day <= plans.last_day[chosen][which])
        return which[inside], infusion[inside], np.where(relief == NONE, -1, before)

    def _excuses(self, chosen: Ints) -> tuple[Ints, Ints]:
        """Per plan, how many medical holds and cancellations by the clinic fall inside its window."""
        facts, at, plans = self._facts, self._found.at, self._courses.plan
        if not len(chosen):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        concerned = members(self._courses.course[plans.course[chosen]], len(facts.codes("course")))
        patients = self._courses.patient[plans.course[chosen]]
        rows = whole(facts.of(appointment_facts), "patient", everyone_of(self._found.survivor, patients), at)
        size = len(facts.codes("appointment"))
        booked = folded(facts, rows, np.zeros(size + 1, dtype=bool))
        own = booked.where(concerned[booked.course])
        clinics = is_word(facts, own.left, "cancelled") & is_word(facts, own.asked_by, "clinic")
        holds = self._holds(members(own.appointment, size))
        return (
            self._inside(chosen, *holds), self._inside(chosen, own.course[clinics], own.starts_us[clinics])
        )  # fmt: skip

    def _holds(self, appointments: Array) -> tuple[Array, Array]:
        """Courses and moments of visits that a medical hold ended."""
        facts, at = self._facts, self._found.at
        table = facts.of(visit_facts)
        arrived = whole(table, "appointment", appointments, at)
        arrived = arrived.where(is_word(facts, arrived["kind"], "arrived") & (arrived["course"] >= 0))
        size = len(facts.codes("infusion"))
        course = np.full(size + 1, -1, dtype=np.int64)
        course[arrived["infusion"]] = arrived["course"]
        ended = whole(table, "infusion", members(arrived["infusion"], size), at)
        held = is_word(facts, ended["kind"], "not_infused") & is_word(facts, ended["reason"], *MEDICAL_HOLDS)
        return course[ended["infusion"][held]], ended["at_us"][held]

    def _inside(self, chosen: Ints, course: Array, us: Array) -> Ints:
        """How many of these moments fall inside each plan's window, by the planning clinic's days."""
        plans = self._courses.plan
        place = self._courses.place[course]
        order = np.argsort(place, kind="stable")
        place, us = place[order], us[order]
        own = plans.course[chosen]
        which, number = paired(
            np.searchsorted(place, own, side="left"), np.searchsorted(place, own, side="right")
        )
        day = self._found.days_at(plans.clinic[chosen][which], us[number])
        inside = (day >= plans.first_day[chosen][which]) & (day <= plans.last_day[chosen][which])
        return np.bincount(which[inside], minlength=len(chosen))

    # --- how courses end ---------------------------------------------------------------------------

    def closures(self) -> dict[str, Figure]:
        """The mix of reasons."""
        courses, words = self._courses, self._facts.codes("word")
        closed = np.flatnonzero(
            (courses.closed_us != NONE) & self._found.within.has(courses.closed_clinic, courses.closed_us)
        )
        closed = closed[np.argsort(courses.closed_us[closed], kind="stable")]
        fact, reason = courses.closed_fact[closed], courses.closed_reason[closed]
        among = FactIds("c", fact)
        return {
            name: proportion("closures", FactIds("c", fact[reason == code]), among)
            for name, code in sorted((words.name(code) or "unknown", code) for code in distinct(reason))
        }

    # --- function, mood, cognition -----------------------------------------------------------------

    def score_changes(self) -> dict[str, Spread]:
        """Change per course of each instrument, by `kind:instrument`; those of which no course has a score left out."""
        given, facts, scores = self._given, self._facts, self._found.scores
        changing = scores.where(is_word(facts, scores["kind"], *CHANGING))
        last = self._last_of_courses()
        patient, stopped = given.patient[last], given.stopped_us[last]
        words = facts.codes("word")
        found = {}
        pairs = changing["kind"].astype(np.int64) * len(words) + changing["instrument"]
        for pair in distinct(pairs):
            own = changing.where(pairs == pair)
            scored = Scored(own, self._found.survivor)
            before = scored.last_before(patient, given.first_of_course_us[last], CHANGE_DAYS)
            low, high = scored.between(patient, stopped, stopped + CHANGE_DAYS)
            after = np.where(high > low, high - 1, -1)
            both = (before >= 0) & (after >= 0)
            if not ((before >= 0) | (after >= 0)).any():
                continue
            values = (scored.value_at(after[both]) - scored.value_at(before[both])) / 1000
            reasons = np.select([before < 0, after < 0], [1, 2], 0)
            name = ":".join(map(words.name, divmod(pair, len(words))))
            found[name] = spread(
                "score_change", Measured(values, FactIds("s", scored.fact[after[both]])), "points",
                left_out(reasons, ("", "no_baseline", "missing")),
            )  # fmt: skip
        return dict(sorted(found.items()))

    def _last_of_courses(self) -> Ints:
        """The last infusion of every course with one in the period."""
        given, here = self._given, self._found.here
        groups = np.zeros(int(given.group.max(initial=-1)) + 1, dtype=bool)
        groups[given.group[here[given.course[here] >= 0]]] = True
        last = np.full(len(groups), -1, dtype=np.int64)
        last[given.group] = np.arange(len(given))
        return last[groups]

    # --- boosters and how often --------------------------------------------------------------------

    def booster_gaps(self) -> dict[str, Spread]:
        """Days from the drug stop before it to a booster's drug start, by booster number within the course."""
        given, here = self._given, self._found.here
        boosters = here[
            is_word(self._facts, given.purpose[here], "booster") & (given.course[here] >= 0)
            & (given.before_stopped_us[here] != NONE)
        ]
        days = (given.started_us[boosters] - given.before_stopped_us[boosters]) / DAY
        numbers, fact = given.boosters[boosters], given.fact[boosters]
        return {
            str(number): spread("booster_gap", Measured(
                days[numbers == number], FactIds("i", fact[numbers == number])), "days")
            for number in distinct(numbers)
        }  # fmt: skip

    def per_90_days(self) -> Figure:
        """Infusions per patient per 90 days."""
        given, here, period = self._given, self._found.here, self._found.period
        patients = len(distinct(given.patient[here]))
        days = period.last.toordinal() - period.first.toordinal() + 1
        figure = quotient(
            "infusions_per_90_days", len(here), patients * days, "infusions", n=patients,
            rows=FactIds("i", given.fact[here]),
        )  # fmt: skip
        return figure if patients >= SMALL else msgspec.structs.replace(figure, value=None)


def _ids(prefix: str, positions: Array) -> list[str]:
    return [f"{prefix}{position}" for position in positions.tolist()]
