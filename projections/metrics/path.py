"""The path through a course: the gate, the series as planned, how courses end, follow-up, change of function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import msgspec

from projections.facts.encoding import DAY, HOUR, moment
from projections.metrics.calendar import Period, zone
from projections.metrics.courses import Course, Gate, Infusion, Plan
from projections.metrics.figures import SMALL, Figure, Spread, left_out, proportion, quotient, spread
from projections.metrics.outcomes import Material
from projections.metrics.relief import Score, Scores

Row = Mapping[str, Any]
GATE_PENDING = 7 * DAY
MEDICAL_HOLDS = frozenset({"vital_signs", "illness", "contraindication", "pregnancy", "medical", "medical_hold"})
"""Reasons of a visit ended without infusion that are a medical hold."""


# --- the gate -------------------------------------------------------------------------------------


def last_gates(courses: Iterable[Course], chosen: Callable[[Gate], bool]) -> list[tuple[Course, Gate]]:
    """Each course's last response gate, if it is chosen."""
    found = [(course, course.gates[-1]) for course in courses if course.gates]
    return sorted(((course, gate) for course, gate in found if chosen(gate)), key=lambda pair: pair[1].at_us)


def gate_rate(gates: Sequence[tuple[Course, Gate]]) -> Figure:
    """Positive of assessed."""
    return proportion("gate_rate", [gate.fact for _, gate in gates if gate.positive], [gate.fact for _, gate in gates])


def gate_assessed(material: Material) -> Figure:
    """Assessed of the period's trials."""
    assessed, among, pending = [], [], 0
    for one in material.reliefs:
        trial = one.infusion
        if trial.purpose != "trial" or trial.course is None:
            continue
        course = material.courses.get(trial.course)
        done = course is not None and any(gate.infusion == trial.infusion for gate in course.gates)
        if not done and material.as_of_us - trial.stopped_us < GATE_PENDING:
            pending += 1
            continue
        among.append(trial.fact)
        if done:
            assessed.append(trial.fact)
    return proportion("gate_assessed", assessed, among, {"pending": pending} if pending else {})


# --- the series -----------------------------------------------------------------------------------


class SeriesRow(msgspec.Struct, frozen=True, kw_only=True):
    """One series: what was planned, given in its window, and excused."""

    course: str
    series: str
    planned: int
    given: int
    excused: Mapping[str, int]
    facts: tuple[str, ...]


class Excuses(msgspec.Struct, frozen=True):
    """Medical holds and cancellations by the clinic, by course: moments."""

    holds: Mapping[str, Sequence[int]]
    cancelled: Mapping[str, Sequence[int]]


def series_rows(plans: Sequence[tuple[Course, Plan]], material: Material, excuses: Excuses) -> list[SeriesRow]:
    """What became of each series."""
    by_course: dict[str | None, list[Infusion]] = defaultdict(list)
    for one in material.infusions:
        if one.purpose == "series":
            by_course[one.course].append(one)
    return [_series_row(course, plan, by_course[course.course], material, excuses) for course, plan in plans]


def _series_row(
    course: Course, plan: Plan, own: Sequence[Infusion], material: Material, excuses: Excuses
) -> SeriesRow:
    calendar = material.calendars.get(plan.clinic)
    timezone = zone(calendar.timezone if calendar else "UTC")

    def in_window(us: int) -> bool:
        return plan.first_day <= moment(us).astimezone(timezone).date() <= plan.last_day

    given = [one for one in own if in_window(one.started_us)]
    planned = plan.planned
    if plan.relief_us is not None:
        planned = min(planned, sum(1 for one in own if one.started_us <= plan.relief_us))
    shortfall = max(0, planned - len(given))
    excused: dict[str, int] = {}
    for reason, moments in (("medical_hold", excuses.holds), ("clinic_cancelled", excuses.cancelled)):
        count = min(shortfall, sum(1 for us in moments.get(course.course, ()) if in_window(us)))
        if count:
            excused[reason] = count
            shortfall -= count
    return SeriesRow(
        course=course.course, series=plan.series, planned=planned, given=min(planned, len(given)), excused=excused,
        facts=(*plan.facts, *(one.fact for one in given)),
    )  # fmt: skip


def adherence(rows: Sequence[SeriesRow]) -> Figure:
    """Given inside the window of planned, what was excused left out."""
    excused: dict[str, int] = defaultdict(int)
    for row in rows:
        for reason, count in row.excused.items():
            excused[reason] += count
    given = sum(row.given for row in rows)
    planned = sum(row.planned - sum(row.excused.values()) for row in rows)
    return quotient(
        "series_adherence", given, planned, n=len(rows), rows=[fact for row in rows for fact in row.facts],
        excluded=dict(sorted(excused.items())),
    )  # fmt: skip


def plans_ending(
    courses: Iterable[Course], period: Period, today: Callable[[str], date]
) -> list[tuple[Course, Plan]]:
    """Series whose window ended in the period and is over today, by the days of the clinic that planned it."""
    return [
        (course, plan)
        for course in sorted(courses, key=lambda one: one.course)
        for plan in course.plans
        if period.first <= plan.last_day <= period.last and plan.last_day < today(plan.clinic)
    ]


# --- how courses end ------------------------------------------------------------------------------


def closed_in(courses: Iterable[Course], chosen: Callable[[str, int], bool]) -> list[Course]:
    """Courses that closed at a clinic and moment that are chosen."""
    return sorted(
        (one for one in courses if one.closed_us is not None and chosen(one.closed_clinic or "", one.closed_us)),
        key=lambda one: (one.closed_us or 0, one.course),
    )


def closures(closed: Sequence[Course]) -> dict[str, Figure]:
    """The mix of reasons."""
    among = [course.closed_fact or course.fact for course in closed]
    reasons: dict[str, list[str]] = defaultdict(list)
    for course in closed:
        reasons[course.closed_reason or "unknown"].append(course.closed_fact or course.fact)
    return {reason: proportion("closures", facts, among) for reason, facts in sorted(reasons.items())}


# --- function, mood, cognition --------------------------------------------------------------------

CHANGE_DAYS = 28 * DAY
CHANGING = frozenset({"function", "mood", "cognition"})


def score_changes(rows: Iterable[Row], material: Material, patient_of: Callable[[str], str]) -> dict[str, Spread]:
    """Change per course of each instrument, by `kind:instrument`; negative is better for all of them but cognition.

    An instrument of which no course has a score, neither before nor after, is left out.
    """
    scores: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["kind"] in CHANGING:
            score = Score(row["at_us"], row["value_milli"], row["fact_id"])
            scores[f"{row['kind']}:{row['instrument']}"][patient_of(row["patient"] or "")].append(score)
    last: dict[str, Infusion] = {}
    in_period = {one.infusion.course for one in material.reliefs if one.infusion.course}
    for one in material.infusions:
        if one.course in in_period and one.course is not None:
            last[one.course] = one
    found = {}
    for instrument, by_patient in sorted(scores.items()):
        ordered = {patient: Scores(own) for patient, own in by_patient.items()}
        values: list[tuple[float, str]] = []
        reasons, seen = [], False
        for _, one in sorted(last.items()):
            own = ordered.get(one.patient) or Scores()
            before = own.last_before(one.first_of_course_us, CHANGE_DAYS)
            after = own.between(one.stopped_us, one.stopped_us + CHANGE_DAYS)
            seen = seen or before is not None or bool(after)
            if before is None or not after:
                reasons.append("no_baseline" if before is None else "missing")
                continue
            values.append(((after[-1].value - before.value) / 1000, after[-1].fact))
        if seen:
            found[instrument] = spread("score_change", values, "points", left_out(reasons))
    return found


# --- follow-up ------------------------------------------------------------------------------------

ANSWERS_FROM, ANSWERS_UNTIL = 12 * HOUR, 48 * HOUR


def asked_as(row: Row) -> str:
    """The instrument as a prompt names it: pain is the NRS, relief its percentage."""
    return {"pain": "nrs", "relief": "relief_percent"}.get(row["kind"]) or str(row["instrument"])


def follow_up(
    steps: Iterable[Row], scores: Iterable[Row], due: Callable[[Row], bool], as_of_us: int,
    patient_of: Callable[[str], str] = str,
) -> Figure:
    """Answered of due. A prompt is answered by a score of one of its instruments, given while it was open.

    `patient_of` says whom an id stands for, after merges.
    """
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in scores:
        times[patient_of(row["patient"] or ""), asked_as(row)].append(row["at_us"])
    by_prompt: dict[str, list[Row]] = defaultdict(list)
    for row in steps:
        by_prompt[row["follow_up"]].append(row)
    answered, among, reasons = [], [], []
    for own in by_prompt.values():
        prompt = next((row for row in own if row["kind"] == "due"), None)
        if prompt is None or not due(prompt):
            continue
        low, high = max(prompt["due_us"] - ANSWERS_FROM, prompt["at_us"]), prompt["due_us"] + ANSWERS_UNTIL
        superseded = min((row["at_us"] for row in own if row["kind"] == "superseded"), default=high)
        instruments = msgspec.json.decode(prompt["instruments"], type=list[str])
        given = [us for asked in instruments for us in times[patient_of(prompt["patient"] or ""), asked]]
        if any(low <= us < min(high, superseded) for us in given):
            answered.append(prompt["fact_id"])
            among.append(prompt["fact_id"])
        elif any(row["kind"] == "superseded" for row in own):
            reasons.append("superseded")
        elif as_of_us < high:
            reasons.append("pending")
        else:
            among.append(prompt["fact_id"])
    return proportion("follow_up_answered", answered, among, left_out(reasons))


# --- boosters -------------------------------------------------------------------------------------


def booster_gaps(material: Material) -> dict[str, Spread]:
    """Days from the drug stop before it to a booster's drug start, by booster number within the course."""
    by_course: dict[str, list[Infusion]] = defaultdict(list)
    for one in material.infusions:
        if one.course is not None:
            by_course[one.course].append(one)
    chosen = {one.infusion.infusion for one in material.reliefs}
    found: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for own in by_course.values():
        number = 0
        if own[0].purpose == "booster":
            number = 1
        for before, one in pairwise(own):
            if one.purpose == "booster":
                number += 1
                if one.infusion in chosen:
                    found[number].append(((one.started_us - before.stopped_us) / DAY, one.fact))
    return {str(number): spread("booster_gap", values, "days") for number, values in sorted(found.items())}


# --- how often ------------------------------------------------------------------------------------


def per_90_days(infusions: Sequence[Infusion], period: Period) -> Figure:
    """Infusions per patient per 90 days."""
    patients = {one.patient for one in infusions}
    days = (period.last - period.first + timedelta(days=1)).days
    figure = quotient(
        "infusions_per_90_days", len(infusions), len(patients) * days, "infusions", n=len(patients),
        rows=[one.fact for one in infusions],
    )  # fmt: skip
    return figure if len(patients) >= SMALL else msgspec.structs.replace(figure, value=None)
