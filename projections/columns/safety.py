"""Infusions, their side effects as episodes, and how they ended, from columns: see `projections.metrics.safety`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from projections.columns.codes import FOREVER, NONE, Bools, Ints
from projections.columns.groups import compact, counted, cut, first, is_word, members, pick, whole
from projections.columns.patients import everyone_of, survivors
from projections.columns.snapshot import Array, Rows
from projections.columns.store import Facts
from projections.columns.timeline import Timeline
from projections.columns.zones import clocks
from projections.facts.encoding import DAY
from projections.facts.reading import Cut
from projections.facts.tables import safety_facts
from projections.metrics.calendar import ClinicCalendar, Period, period_span
from projections.metrics.intervals import Span
from projections.metrics.safety import ATTRIBUTED_WITHIN

TOLD_WITHIN = 28 * DAY
"""So long after its onset a side effect at home is looked for among the reports."""

STEPS = ("side_effect", "regraded", "treated", "resolved", "signed_off")
ENDS = ("stopped_early", "left_against_advice", "transferred", "died")
BOARD = ("refusal", "override", "breach", "alert", "home_alert", "verbal_order")
ANSWERS = ("alert_acknowledged", "home_alert_acknowledged", "countersigned")


@dataclass(frozen=True)
class Given:
    """Infusions given to some patients since shortly before the period, by drug start. `counted`: those of it."""

    infusion: Array
    patient: Array
    clinic: Array
    started_us: Array
    stopped_us: Array
    fact: Array
    counted: Bools


@dataclass(frozen=True)
class Episodes:
    """One place per side effect; `given` is the place of its infusion among those counted, -1 for another or none."""

    subject: Array
    kind: Array
    grade: Array
    serious: Bools
    onset_us: Array
    ended_us: Array
    treated: Bools
    infusion: Array
    given: Ints
    fact: Array

    def where(self, chosen: Array) -> Episodes:
        """Those chosen."""
        return Episodes(**{name: column[chosen] for name, column in vars(self).items()})

    def __len__(self) -> int:
        return len(self.fact)


class InPeriod:
    """The period of each clinic's own days, by code of the clinic."""

    def __init__(self, facts: Facts, known: Mapping[str, ClinicCalendar], period: Period) -> None:
        self.low, self.high = (facts.codes("clinic").column(value) for value in (FOREVER, NONE))
        for clinic, calendar in known.items():
            code = facts.codes("clinic").of(clinic)
            self.low[code], self.high[code] = period_span(calendar.timezone, period)

    def has(self, clinic: Array, us: Array) -> Bools:
        found: Bools = (us >= self.low[clinic]) & (us < self.high[clinic])
        return found


class SafetyFacts:
    """What one safety report rests on."""

    def __init__(
        self, facts: Facts, known: Mapping[str, ClinicCalendar], period: Period, span: Span, at: Cut
    ) -> None:
        self._facts, self._span, self._at = facts, span, at
        self.as_of_us = at.as_of_us
        self.period = InPeriod(facts, known, period)
        self._here = facts.codes("clinic").marked(list(known))
        self._table = facts.of(safety_facts)
        self._survivor = survivors(facts, at)
        self._around = self._table.between(span[0], min(span[1] + 2 * DAY, at.as_of_us + 1))
        near = cut(self._around, at)
        near = near.where(self._here[near["clinic"]])
        own = self._own_steps(near)
        self._here_or_told(own)
        home = self._reports.where(self._counts(self._reports))
        self.given = self._given(home)
        self.infusions = np.flatnonzero(self.given.counted)
        """Places, in `given`, of the period's infusions."""
        self.local_start = self._local_start(known)
        """What the clinic's clock showed at drug start, by the period's infusions."""
        self.episodes, self.unattributed = self._episodes(own, home)
        self.ends = own.where(is_word(facts, own["kind"], *ENDS))
        self.board = near.where(
            is_word(facts, near["kind"], *BOARD) & self.period.has(near["clinic"], near["at_us"])
        )

    def _own_steps(self, near: Rows) -> Rows:
        """Everything of the infusions whose drug stop lies around the period here."""
        around = near["infusion"][is_word(self._facts, near["kind"], "given")]
        concerned = members(around, len(self._facts.codes("infusion")))
        return whole(self._table, "infusion", concerned, self._at, self._around)

    def _here_or_told(self, own: Rows) -> None:
        """Reports from home since the period began, and whose patients are the period's or told something in it."""
        given = own.where(is_word(self._facts, own["kind"], "given"))
        self._patients: Array = given["patient"][self.period.has(given["clinic"], given["onset_us"])]
        rows = self._table.between(self._span[0], self._at.as_of_us + 1)
        rows = cut(rows.where(is_word(self._facts, rows["kind"], "side_effect_from_home")), self._at)
        here = self._told_here(rows)
        told = here & self.period.has(rows["clinic"], rows["onset_us"])
        self.told_at = np.full(len(self._facts.codes("subject")) + 1, -1, dtype=np.int64)
        """By code of a report from home with its onset in the period, where it was told; -1 for every other."""
        self.told_at[rows["subject"][told]] = rows["clinic"][told]
        self._theirs = everyone_of(self._survivor, np.concatenate((self._patients, rows["patient"][here])))
        self._reports = rows

    def _told_here(self, rows: Rows) -> Bools:
        found: Bools = self._here[rows["clinic"]] & (rows["at_us"] < self._span[1] + TOLD_WITHIN)
        return found

    def _counts(self, rows: Rows) -> Bools:
        """Reports made here in the period or soon after, and those of its patients since it began."""
        found: Bools = (rows["at_us"] >= self._span[0]) & (self._told_here(rows) | self._theirs[rows["patient"]])
        return found

    def _given(self, home: Rows) -> Given:
        """The period's patients' and, to tell what they belong to, those of patients who reported from home."""
        low = min(self._span[0], int(home["onset_us"].min(initial=self._span[0]))) - ATTRIBUTED_WITHIN
        rows = self._table.between(low, self.as_of_us + 1)
        rows = cut(rows.where(is_word(self._facts, rows["kind"], "given")), self._at)
        told = np.concatenate((self._patients, home["patient"]))
        rows = _by_start(rows.where(everyone_of(self._survivor, told)[rows["patient"]]))
        return Given(
            infusion=rows["infusion"], patient=self._survivor[rows["patient"]], clinic=rows["clinic"],
            started_us=rows["onset_us"], stopped_us=rows["at_us"], fact=rows["position"],
            counted=self.period.has(rows["clinic"], rows["onset_us"]),
        )  # fmt: skip

    @cached_property
    def so_far(self) -> Ints:
        """How many infusions the patient has had, each of the period's included."""
        rows = whole(self._table, "patient", everyone_of(self._survivor, self._patients), self._at)
        rows = _by_start(rows.where(is_word(self._facts, rows["kind"], "given")))
        patient = self._survivor[rows["patient"]]
        by_patient = np.argsort(patient, kind="stable")
        number = np.empty(len(rows), dtype=np.int64)
        number[by_patient] = counted(patient[by_patient])
        of = np.zeros(len(self._facts.codes("infusion")) + 1, dtype=np.int64)
        of[rows["infusion"]] = number
        return of[self.given.infusion[self.infusions]]

    def _local_start(self, known: Mapping[str, ClinicCalendar]) -> Array:
        us, clinic = self.given.started_us[self.infusions].copy(), self.given.clinic[self.infusions]
        for mine, local in clocks(self._facts, known, clinic, us):
            us[mine] = local.local(us[mine])
        return us

    def _episodes(self, own: Rows, home: Rows) -> tuple[Episodes, Episodes]:
        """Those of the period's infusions; those that belong to none, by their onset."""
        size = len(self._facts.codes("subject"))
        steps = own["subject"][is_word(self._facts, own["kind"], "side_effect")]
        member = members(np.concatenate((steps, home["subject"])), size)
        rows = whole(self._table, "subject", member, self._at, self._around)
        reported_here = members(own["infusion"], len(self._facts.codes("infusion")))[rows["infusion"]]
        from_home = members(home["subject"], size)[rows["subject"]]
        home_report = is_word(self._facts, rows["kind"], "side_effect_from_home")
        counted_home = home_report & self._counts(rows)
        step = is_word(self._facts, rows["kind"], *STEPS)
        rows = rows.where((step & (reported_here | from_home)) | counted_home)
        found = self._folded(rows)
        unattributed = (found.infusion < 0) & (self.told_at[found.subject] >= 0)
        return found.where(found.given >= 0), found.where(unattributed)

    def _folded(self, rows: Rows) -> Episodes:
        facts = self._facts
        groups, group = compact(rows["subject"], len(facts.codes("subject")) + 1)
        kind, count = rows["kind"], len(groups)
        home = is_word(facts, kind, "side_effect_from_home")
        report = first(group, home | is_word(facts, kind, "side_effect"), count)
        grade = np.full(count, NONE)
        np.maximum.at(grade, group, rows["grade"])
        serious, treated = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        serious[group[(rows["serious"] == 1) & (rows["grade"] != NONE)]] = True
        treated[group[is_word(facts, kind, "treated")]] = True
        resolved = np.full(count, FOREVER)
        done = is_word(facts, kind, "resolved")
        np.minimum.at(resolved, group[done], rows["at_us"][done])
        told = pick(rows["ended_us"], report)
        ended = np.minimum(resolved, np.where(told == NONE, FOREVER, told))
        known = np.flatnonzero(report >= 0)
        report = report[known]
        onset, from_home = rows["onset_us"][report], home[report]
        infusion = np.where(from_home, self._attributed(rows["patient"][report], onset), rows["infusion"][report])
        place = np.full(len(facts.codes("infusion")) + 1, -1, dtype=np.int64)
        place[self.given.infusion[self.infusions]] = np.arange(len(self.infusions))
        place[-1] = -1
        found = Episodes(
            subject=rows["subject"][report], kind=rows["code"][report], grade=grade[known], serious=serious[known],
            onset_us=onset,
            ended_us=np.where(ended == FOREVER, NONE, ended)[known], treated=treated[known], infusion=infusion,
            given=place[infusion], fact=rows["position"][report],
        )  # fmt: skip
        return found.where(np.lexsort((found.fact, onset)))

    def _attributed(self, patient: Array, onset_us: Array) -> Array:
        """The last drug stop at or before the onset, within 7 days."""
        given = self.given
        order = np.lexsort((given.stopped_us, given.patient))
        stops = Timeline(given.patient[order], given.stopped_us[order])
        place = stops.last_upto(self._survivor[patient], onset_us, onset_us - ATTRIBUTED_WITHIN)
        return pick(given.infusion[order], place, -1)

    def answers(self) -> Rows:
        """What was answered of the board's alerts and orders."""
        asks = is_word(self._facts, self.board["kind"], "alert", "home_alert", "verbal_order")
        member = members(self.board["subject"][asks], len(self._facts.codes("subject")))
        rows = whole(self._table, "subject", member, self._at)
        return rows.where(is_word(self._facts, rows["kind"], *ANSWERS))


def _by_start(given: Rows) -> Rows:
    """Infusions by drug start."""
    return given.where(np.lexsort((given["position"], given["onset_us"])))
