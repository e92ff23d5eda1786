"""What one outcome report rests on, from columns: see `projections.facts.relief` for the same from rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from projections.columns.codes import FOREVER, NONE, Bools, Ints
from projections.columns.courses import Courses, Infusions, end_of_series, load_courses, load_infusions
from projections.columns.groups import begins, cut, is_word, members, whole
from projections.columns.patients import everyone_of, survivors
from projections.columns.relief import Reliefs, pain_now, reliefs, scores_of
from projections.columns.safety import InPeriod
from projections.columns.snapshot import Array, Rows
from projections.columns.spans import paired
from projections.columns.store import Facts
from projections.columns.zones import local_days, today_at
from projections.facts.encoding import DAY
from projections.facts.reading import Cut
from projections.facts.relief import LONGEST_SERIES
from projections.facts.tables import course_facts, infusion_facts, patient_facts
from projections.metrics.calendar import ClinicCalendar, Period
from projections.metrics.intervals import Span


class OutcomeColumns:
    """Infusions of whole patients, the period's reliefs, their courses and scores."""

    def __init__(
        self, facts: Facts, known: Mapping[str, ClinicCalendar], period: Period, span: Span, at: Cut
    ) -> None:
        self.facts, self.known, self.period, self.span, self.at = facts, known, period, span, at
        self.as_of_us = at.as_of_us
        self.within = InPeriod(facts, known, period)
        self.clinics = facts.codes("clinic").marked(list(known))
        self.survivor = survivors(facts, at)
        given_here, self._steps = self._given_here(), self._course_steps()
        patients = np.concatenate((given_here["patient"], self._steps["patient"]))
        patients = patients[patients >= 0]
        self.given: Infusions = load_infusions(facts, self.survivor, patients, at)
        self.here: Ints = np.flatnonzero(self.within.has(self.given.clinic, self.given.started_us))
        """Places of the period's infusions."""
        self._patients = patients
        self.scores: Rows = scores_of(facts, self.survivor, patients, at)
        self.pain = pain_now(facts, self.scores, self.survivor)
        self.reliefs: Reliefs = reliefs(self.given, self.here, self.pain, at.as_of_us)

    # --- what is loaded ----------------------------------------------------------------------------

    def _given_here(self) -> Rows:
        rows = self.facts.of(infusion_facts).between(self.span[0], min(self.span[1] + 2 * DAY, self.as_of_us + 1))
        rows = cut(rows, self.at)
        return rows.where(self.within.has(rows["clinic"], rows["started_us"]))

    def _course_steps(self) -> Rows:
        """Gates and closings of the period, and plans of series whose window ends in it."""
        low, high = self.span
        rows = self.facts.of(course_facts).between(low - LONGEST_SERIES, min(high, self.as_of_us + 1))
        now = (rows["at_us"] >= low) & is_word(self.facts, rows["kind"], "gate", "closed")
        until = rows["until_date"]
        planned = is_word(self.facts, rows["kind"], "series_planned", "series_revised") & (
            (until >= self.period.first.toordinal()) & (until <= self.period.last.toordinal())
        )
        return cut(rows.where(self.clinics[rows["clinic"]] & (now | planned)), self.at)

    @cached_property
    def courses(self) -> Courses:
        """Those of the period's infusions, gates, closings and plans."""
        wanted = np.concatenate((self.given.course[self.here], self._steps["course"]))
        concerned = members(wanted, len(self.facts.codes("course")))
        return load_courses(self.facts, whole(self.facts.of(course_facts), "course", concerned, self.at), self.survivor)

    @cached_property
    def end_of_series(self) -> Ints:
        """See `projections.columns.courses.end_of_series`."""
        return end_of_series(self.facts, self.given, self.courses, self.today[self.given.clinic])

    # --- local days --------------------------------------------------------------------------------

    @cached_property
    def local_day(self) -> Ints:
        """By infusion, the clinic-local day of its drug start, as an ordinal."""
        return self.days_at(self.given.clinic, self.given.started_us)

    def days_at(self, clinic: Array, us: Array) -> Ints:
        """Ordinals of the days on the clinics' own clocks; UTC's at a clinic that was not asked for."""
        return local_days(self.facts, self.known, clinic, us)

    @cached_property
    def today(self) -> Array:
        """By code of a clinic, as_of's local day."""
        return today_at(self.facts, self.known, self.as_of_us)

    # --- which infusions ---------------------------------------------------------------------------

    @cached_property
    def first(self) -> Reliefs:
        """One per patient: the first infusion of a course in the period, the earliest if there are several."""
        return self._earliest(self.firsts_of_courses)

    def first_in(self, within: InPeriod | None, clinic: int | None) -> Reliefs:
        """The same in a part of the period, or of one clinic by itself, by its code."""
        firsts = self.firsts_of_courses
        if clinic is not None:
            firsts = firsts[self.given.clinic[self.here[firsts]] == clinic]
        if within is not None:
            place = self.here[firsts]
            firsts = firsts[within.has(self.given.clinic[place], self.given.started_us[place])]
        return self._earliest(firsts)

    def _earliest(self, firsts: Ints) -> Reliefs:
        """Of these infusions of the period, each patient's first."""
        return self.reliefs.where(firsts[begins(self.given.patient[self.here[firsts]])])

    @cached_property
    def firsts_of_courses(self) -> Ints:
        """Among the period's infusions; a patient's in order of drug start."""
        place = self.here
        return np.flatnonzero((self.given.in_course[place] == 1) & (self.given.course[place] >= 0))

    def at_gate(self) -> Reliefs:
        """The infusion that each patient's last gate of the period assessed."""
        gates = self.gates_of_period()
        place = np.full(len(self.facts.codes("infusion")) + 1, -1, dtype=np.int64)
        place[self.given.infusion] = np.arange(len(self.given))
        place[-1] = -1
        assessed = place[self.courses.gate.infusion[gates]]
        last: dict[int, int] = {
            patient: found
            for patient, found in zip(self.courses.patient[gates].tolist(), assessed.tolist(), strict=True)
            if found >= 0
        }
        return reliefs(self.given, np.array(list(last.values()), dtype=np.int64), self.pain, self.as_of_us)

    def gates_of_period(self) -> Ints:
        """Courses whose last gate lies in the period, in order of the gates."""
        gate = self.courses.gate
        chosen = np.flatnonzero((gate.at_us != NONE) & self.within.has(gate.clinic, gate.at_us))
        return chosen[np.argsort(gate.at_us[chosen], kind="stable")]

    def last_of_series(self) -> Ints:
        """One per patient: the last infusion of a finished series given in the period, the latest if there are more."""
        ends = self.end_of_series[self.end_of_series >= 0]
        inside = np.zeros(len(self.given), dtype=bool)
        inside[self.here] = True
        ends = np.sort(ends[inside[ends]])  # a patient's infusions stand in order of drug start
        patient = self.given.patient[ends]
        return ends[np.append(patient[1:] != patient[:-1], True)] if len(ends) else ends

    def condition_of(self, place: Ints) -> Array:
        """The code of the condition that the infusions' courses treat; -1: unknown."""
        return np.append(self.courses.condition, -1)[self.courses.place[self.given.course[place]]]

    @cached_property
    def on_adjunct(self) -> Bools:
        """By infusion of the period whether another therapy ran, by the clinic's dates."""
        theirs = everyone_of(self.survivor, self._patients)
        rows = whole(self.facts.of(patient_facts), "patient", theirs, self.at)
        rows = rows.where(is_word(self.facts, rows["kind"], "adjunct_started", "adjunct_ended"))
        ends = is_word(self.facts, rows["kind"], "adjunct_ended")
        until = np.full(len(self.facts.codes("subject")) + 1, FOREVER)
        until[rows["subject"][ends]] = rows["until_date"][ends]
        starts = rows.where(~ends)
        patient = self.survivor[starts["patient"]]
        order = np.argsort(patient, kind="stable")
        patient, since, end = patient[order], starts["from_date"][order], until[starts["subject"][order]]
        of = self.given.patient[self.here]
        low, high = np.searchsorted(patient, of, side="left"), np.searchsorted(patient, of, side="right")
        which, therapy = paired(low, high)
        day = self.local_day[self.here][which]
        found = np.zeros(len(self.here), dtype=bool)
        found[which[(since[therapy] <= day) & (day <= end[therapy])]] = True
        return found
