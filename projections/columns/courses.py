"""Whole patients' infusions and their courses, from columns: see `projections.metrics.courses`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from projections.columns.codes import FOREVER, NONE, Bools, Ints
from projections.columns.groups import begins, compact, counted, first, is_word, last, pick, whole
from projections.columns.patients import everyone_of
from projections.columns.snapshot import Array, Rows
from projections.columns.store import Facts
from projections.columns.timeline import Timeline
from projections.facts.reading import Cut
from projections.facts.tables import infusion_facts
from projections.metrics.relief import RETURNED


@dataclass(frozen=True)
class Infusions:
    """One place per InfusionGiven, patient by patient in order of drug start. `next_us` is NONE for the latest.

    `group` numbers courses from 0 (an infusion without one is a course of its own); `boosters` counts the course's
    boosters so far, this one included.
    """

    infusion: Array
    patient: Array
    clinic: Array
    course: Array
    purpose: Array
    started_us: Array
    stopped_us: Array
    dose_ng_per_kg: Array
    run_us: Array
    fact: Array
    group: Ints
    in_course: Ints
    boosters: Ints
    first_of_course_us: Array
    before_stopped_us: Array
    next_us: Array
    next_purpose: Array

    def __len__(self) -> int:
        return len(self.fact)


def load_infusions(facts: Facts, survivor: Ints, patients: Array, at: Cut) -> Infusions:
    """Everything given to these patients, whenever and wherever."""
    rows = whole(facts.of(infusion_facts), "patient", everyone_of(survivor, patients), at)
    patient = survivor[rows["patient"]]
    order = np.lexsort((rows["position"], rows["started_us"], patient))
    rows, patient = rows.where(order), patient[order]
    started, course, purpose = rows["started_us"], rows["course"], rows["purpose"]
    no_course, every = len(facts.codes("course")), len(facts.codes("course")) + len(facts.codes("infusion"))
    key = np.where(course >= 0, course, no_course + rows["infusion"].astype(np.int64))
    _, group = np.unique(patient.astype(np.int64) * every + key, return_inverse=True)
    by_course = np.argsort(group, kind="stable")
    in_course, first_us, boosters = (np.empty(len(rows), dtype=np.int64) for _ in range(3))
    before = np.full(len(rows), NONE)
    ordered = group[by_course]
    in_course[by_course] = counted(ordered)
    begun = np.maximum.accumulate(np.where(begins(ordered), np.arange(len(ordered)), 0)) if len(rows) else by_course
    first_us[by_course] = started[by_course][begun]
    is_booster = is_word(facts, purpose, "booster")[by_course]
    running = np.cumsum(is_booster)
    boosters[by_course] = running - (running[begun] - is_booster[begun])
    later = ~begins(ordered)
    before[by_course[later]] = rows["at_us"][by_course[np.flatnonzero(later) - 1]]
    same = np.append(patient[1:] == patient[:-1], False)[: len(rows)]
    return Infusions(
        infusion=rows["infusion"], patient=patient, clinic=rows["clinic"], course=course, purpose=purpose,
        started_us=started, stopped_us=rows["at_us"], dose_ng_per_kg=rows["dose_ng_per_kg"], run_us=rows["run_us"],
        fact=rows["position"], group=group, in_course=in_course, boosters=boosters, first_of_course_us=first_us,
        before_stopped_us=before, next_us=np.where(same, np.append(started[1:], 0)[: len(rows)], NONE),
        next_purpose=np.where(same, np.append(purpose[1:], 0)[: len(rows)], -1),
    )  # fmt: skip


@dataclass(frozen=True)
class Courses:
    """One place per course as of a moment; `place` finds it by code (-1: not among them, and for null)."""

    place: Ints
    course: Array
    patient: Array
    clinic: Array
    condition: Array
    opened_us: Array
    closed_us: Array
    closed_reason: Array
    closed_clinic: Array
    closed_fact: Array
    relief_us: Array
    fact: Array
    gate: Gates
    plan: Plans
    gated_course: Array
    """By code of an infusion: the course whose gate assessed it; -1."""
    words: Words
    left: Timeline
    """When courses moved to another clinic or ended with the patient's death."""

    def __len__(self) -> int:
        return len(self.course)

    def left_us(self, place: Ints, after: Array) -> Array:
        """When the patient died or the course moved, at or after a moment; NONE. Place -1: no course."""
        if not len(self.left.at_us):
            return np.full(len(place), NONE)
        found = self.left.before(np.maximum(place, 0), after)
        inside = np.minimum(found, len(self.left.at_us) - 1)
        there = (place >= 0) & (found < len(self.left.at_us)) & (self.left.group[inside] == place)
        return np.where(there, self.left.at_us[inside], NONE)


@dataclass(frozen=True)
class Gates:
    """Each course's last response gate: by course its moment (NONE: none), and what it said."""

    at_us: Array
    infusion: Array
    positive: Bools
    clinic: Array
    fact: Array


@dataclass(frozen=True)
class Plans:
    """Series as last planned, course by course in order. `facts` and `fact_counts`: the plan's, revisions included."""

    course: Ints
    series: Array
    planned: Array
    first_day: Array
    last_day: Array
    planned_us: Array
    clinic: Array
    facts: Array
    fact_counts: Ints


@dataclass(frozen=True)
class Words:
    """What was said of boosters, course by course in order."""

    timeline: Timeline
    booster: Array
    due_on: Array
    because: Array
    basis: Array
    cancelled: Bools
    fact: Array

    def for_returned_pain(self, facts: Facts, place: Ints, us: Array) -> Bools:
        """Whether the last word before `us` stands and its date is due to returned pain."""
        said = self.timeline.last_upto(place, us, np.full(len(us), NONE))
        returned = is_word(facts, self.because, *RETURNED) & ~self.cancelled
        return np.append(returned, False)[said]


def load_courses(facts: Facts, rows: Rows, survivor: Ints) -> Courses:
    """Courses from the rows of `course_facts` (cut, in order of time)."""
    size = len(facts.codes("course")) + 1
    codes, group = compact(rows["course"], size)
    count, kind, at_us = len(codes), rows["kind"], rows["at_us"]

    def of(*kinds: str) -> Bools:
        return is_word(facts, kind, *kinds)

    every = last(group, np.ones(len(rows), dtype=bool), count)
    opened, held = last(group, of("opened"), count), last(group, of("consultation"), count)
    begun = np.where(opened >= 0, opened, np.where(held >= 0, held, every))
    closed, moved = last(group, of("closed"), count), last(group, of("transferred"), count)
    place = np.full(size, -1, dtype=np.int64)
    place[codes] = np.arange(count)
    died = np.flatnonzero(pick(rows["reason"], closed, -1) == facts.word("deceased"))
    away = np.flatnonzero(of("transferred"))
    left_course = np.concatenate((group[away], died))
    left_us = np.concatenate((at_us[away], at_us[closed[died]]))
    order = np.lexsort((left_us, left_course))
    gated = np.full(len(facts.codes("infusion")) + 1, -1, dtype=np.int64)
    gates = np.flatnonzero(of("gate"))
    gated[rows["infusion"][gates]] = rows["course"][gates]
    gated[-1] = -1
    condition = pick(rows["condition"], begun, -1)
    return Courses(
        place=place, course=codes, patient=survivor[rows["patient"][begun]],
        clinic=np.where(moved >= 0, pick(rows["other_clinic"], moved, -1), pick(rows["clinic"], begun, -1)),
        condition=condition, opened_us=pick(at_us, first(group, of("opened"), count)),
        closed_us=pick(at_us, closed), closed_reason=pick(rows["reason"], closed, -1),
        closed_clinic=pick(rows["clinic"], closed, -1), closed_fact=pick(rows["position"], closed),
        relief_us=pick(at_us, first(group, of("optimal_relief"), count)), fact=rows["position"][begun],
        gate=_gates(rows, last(group, of("gate"), count)), plan=_plans(facts, rows, group), gated_course=gated,
        words=_words(facts, rows, group), left=Timeline(left_course[order], left_us[order]),
    )  # fmt: skip


def _gates(rows: Rows, gate: Ints) -> Gates:
    return Gates(
        at_us=pick(rows["at_us"], gate), infusion=pick(rows["infusion"], gate, -1),
        positive=pick(rows["positive"], gate, 0) == 1, clinic=pick(rows["clinic"], gate, -1),
        fact=pick(rows["position"], gate),
    )  # fmt: skip


def _plans(facts: Facts, rows: Rows, group: Ints) -> Plans:
    planned = np.flatnonzero(is_word(facts, rows["kind"], "series_planned"))
    planned = planned[np.argsort(group[planned], kind="stable")]
    revised = np.flatnonzero(is_word(facts, rows["kind"], "series_revised"))
    size = len(facts.codes("subject")) + 1
    subject = rows["subject"]
    latest = np.full(size, -1, dtype=np.int64)
    latest[subject[revised]] = revised
    now = np.where(latest[subject[planned]] >= 0, latest[subject[planned]], planned)
    plan_of = np.full(size, -1, dtype=np.int64)
    plan_of[subject[planned]] = np.arange(len(planned))
    owner = np.concatenate((np.arange(len(planned)), plan_of[subject[revised]]))
    fact = np.concatenate((rows["position"][planned], rows["position"][revised]))
    order = np.argsort(owner, kind="stable")
    order = order[owner[order] >= 0]
    return Plans(
        course=group[planned], series=subject[planned], planned=rows["infusions"][now],
        first_day=rows["from_date"][now], last_day=rows["until_date"][now], planned_us=rows["at_us"][planned],
        clinic=rows["clinic"][planned], facts=fact[order],
        fact_counts=np.bincount(owner[owner >= 0], minlength=len(planned)),
    )  # fmt: skip


def _words(facts: Facts, rows: Rows, group: Ints) -> Words:
    said = np.flatnonzero(is_word(facts, rows["kind"], "booster_scheduled", "booster_rescheduled", "booster_cancelled"))
    said = said[np.argsort(group[said], kind="stable")]
    subject, due, reason = rows["subject"][said], rows["until_date"][said], rows["reason"][said]
    by_booster = np.argsort(subject, kind="stable")
    due_known, because, basis = due.copy(), reason.copy(), rows["plan"][said]
    carried = due[by_booster]
    start = np.maximum.accumulate(np.where(begins(subject[by_booster]), np.arange(len(said)), 0)) if len(said) else said
    known = np.maximum.accumulate(np.where(carried != NONE, np.arange(len(said)), -1)) if len(said) else said
    due_known[by_booster] = np.where(known >= start, carried[known], NONE)
    earlier = np.append(NONE, due_known[by_booster][:-1])[: len(said)]
    sets = (carried != NONE) & (carried != earlier) & ~is_word(facts, reason[by_booster], "booked")
    setting = np.maximum.accumulate(np.where(sets | (start == np.arange(len(said))), np.arange(len(said)), 0))
    because[by_booster], basis[by_booster] = reason[by_booster][setting], basis[by_booster][setting]
    keep = due_known != NONE
    said = said[keep]
    return Words(
        timeline=Timeline(group[said], rows["at_us"][said]), booster=subject[keep], due_on=due_known[keep],
        because=because[keep], basis=basis[keep],
        cancelled=is_word(facts, rows["kind"][said], "booster_cancelled"), fact=rows["position"][said],
    )  # fmt: skip


def end_of_series(facts: Facts, given: Infusions, courses: Courses, today: Array) -> Ints:
    """Courses (by the infusions' group) whose series is over: the place of its last infusion; -1 while it may go on.

    `today` is the local day at each infusion's clinic.
    """
    count = int(given.group.max(initial=-1)) + 1
    known = given.course >= 0
    series = is_word(facts, given.purpose, "series") & known
    ending, latest = last(given.group, series, count), last(given.group, known, count)
    sizes = np.bincount(given.group[series], minlength=count)
    has = np.flatnonzero(ending >= 0)
    place = ending[has]
    followed = latest[has] != place
    course = courses.place[given.course[place]]
    plan = np.append(last(courses.plan.course, np.ones(len(courses.plan.course), dtype=bool), len(courses)), -1)[course]
    relief = np.append(courses.relief_us, NONE)[course]
    closed = np.append(courses.closed_us, NONE)[course]
    enough = sizes[has] >= np.append(courses.plan.planned, FOREVER)[plan]
    passed = today[place] > np.append(courses.plan.last_day, FOREVER)[plan]
    over = (course >= 0) & (
        (closed != NONE) | ((relief != NONE) & (relief >= given.started_us[place])) | ((plan >= 0) & (enough | passed))
    )
    found = np.full(count, -1, dtype=np.int64)
    chosen = followed | over
    found[has[chosen]] = place[chosen]
    return found


__all__ = ["Courses", "Infusions", "end_of_series", "load_courses", "load_infusions"]
