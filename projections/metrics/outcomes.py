"""Relief as figures: falls, responders per patient and per infusion, breakdowns, onset, dose and response."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np

from projections.facts.encoding import moment
from projections.metrics.bootstrap import clustered_intervals
from projections.metrics.calendar import ClinicCalendar, zone
from projections.metrics.courses import Course, Infusion
from projections.metrics.figures import SMALL, Figure, Spread, amount, left_out, proportion, spread
from projections.metrics.relief import MODERATE, SUBSTANTIAL, Relief, Scores, after_series, fell
from projections.metrics.statistics import Interval, spearman, spearman_interval, wilson

DOSE_BANDS = ((0.3, "under 0.3"), (0.5, "0.3 to 0.5"), (0.75, "0.5 to 0.75"), (1.0, "0.75 to 1"))
"""mg/kg, upper limits exclusive; from 1 up is the last band."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the outcome figures rest on, loaded and cut.

    `infusions` are whole patients'; `reliefs` those of the period, by drug start.
    """

    calendars: Mapping[str, ClinicCalendar]
    infusions: Sequence[Infusion]
    reliefs: Sequence[Relief]
    gate_reliefs: Mapping[str, Relief]
    courses: Mapping[str, Course]
    pain: Mapping[str, Scores]
    on_adjunct: frozenset[str]
    as_of_us: int

    def scores_of(self, patient: str) -> Scores:
        """The patient's pain scores."""
        return self.pain.get(patient) or Scores()

    def condition(self, one: Infusion) -> str:
        """What the course treats."""
        course = self.courses.get(one.course or "")
        return course.condition if course else "unknown"


def dose_band(mg_per_kg: float) -> str:
    """The band's name."""
    return next((name for limit, name in DOSE_BANDS if mg_per_kg < limit), "1 and over")


def ordinal_band(one: Infusion) -> str:
    """Ordinal within the course, the boosters of long courses together."""
    return str(one.in_course) if one.in_course <= 7 else "8 and later"


# --- falls ----------------------------------------------------------------------------------------


def falls(metric: str, reliefs: Sequence[Relief]) -> Spread:
    """Landmark or peak falls of headline infusions, in percent."""
    peak = metric == "peak_fall"
    counted = [one for one in reliefs if (one.peak_left_out if peak else one.left_out) is None]
    values = [
        (value, one.infusion.fact)
        for one in counted
        if (value := one.peak_fall if peak else one.landmark_fall) is not None
    ]
    reasons = [reason for one in reliefs if (reason := one.peak_left_out if peak else one.left_out) is not None]
    return spread(metric, values, "percent", left_out(reasons))


# --- responders per patient -----------------------------------------------------------------------


def first_of_course(material: Material) -> list[Relief]:
    """One per patient: the first infusion of a course in the period, the earliest if there are several."""
    return _first_of_course(material.reliefs)


def _first_of_course(reliefs: Sequence[Relief]) -> list[Relief]:
    first: dict[str, Relief] = {}
    for one in reliefs:
        if one.infusion.in_course == 1 and one.infusion.course is not None:
            first.setdefault(one.infusion.patient, one)
    return list(first.values())


def responders(metric: str, percent: int, reliefs: Sequence[Relief]) -> Figure:
    """Per patient, with Wilson's interval; each patient once in `reliefs`."""
    counted = [one for one in reliefs if one.headline]
    return proportion(
        metric, [one.infusion.fact for one in counted if one.responded(percent)],
        [one.infusion.fact for one in counted], left_out(one.left_out for one in reliefs if one.left_out),
    )  # fmt: skip


def last_of_series(material: Material) -> list[Infusion]:
    """One per patient: the last infusion of a finished series given in the period, the latest if there are several."""
    by_course: dict[str, list[Infusion]] = defaultdict(list)
    for one in material.infusions:
        if one.course is not None:
            by_course[one.course].append(one)
    in_period = {one.infusion.infusion for one in material.reliefs}
    last: dict[str, Infusion] = {}
    for course, own in sorted(by_course.items()):
        found = end_of_series(material.courses.get(course), own, material)
        if found is not None and found.infusion in in_period:
            known = last.get(found.patient)
            if known is None or found.started_us > known.started_us:
                last[found.patient] = found
    return list(last.values())


def end_of_series(course: Course | None, own: Sequence[Infusion], material: Material) -> Infusion | None:
    """The course's last infusion of a series, once the series is over; None while it may go on.

    Over: a booster or another purpose followed, optimal relief was reached, the course closed, as many as planned
    were given, or the planned window has passed.
    """
    series = [one for one in own if one.purpose == "series"]
    if not series:
        return None
    last = series[-1]
    if own[-1].infusion != last.infusion or course is None:
        return last if own[-1].infusion != last.infusion else None
    plan = course.plans[-1] if course.plans else None
    calendar = material.calendars.get(last.clinic)
    today = moment(material.as_of_us).astimezone(zone(calendar.timezone if calendar else "UTC")).date()
    over = (
        course.closed_us is not None
        or (course.relief_us is not None and course.relief_us >= last.started_us)
        or (plan is not None and (len(series) >= plan.planned or today > plan.last_day))
    )  # fmt: skip
    return last if over else None


def after_28_days(metric: str, percent: int, material: Material) -> Figure:
    """Responders 28 days after the last of the series, per patient."""
    counted, positive, reasons = [], [], []
    for one in last_of_series(material):
        reason, baseline, score = after_series(one, material.scores_of(one.patient), material.as_of_us)
        if reason is not None or baseline is None or score is None:
            reasons.append(reason or "missing")
            continue
        counted.append(one.fact)
        if fell(baseline, score.value, percent):
            positive.append(one.fact)
    return proportion(metric, positive, counted, left_out(reasons))


# --- responders per infusion ----------------------------------------------------------------------


def per_infusion(reliefs: Sequence[Relief]) -> tuple[Figure, Figure]:
    """Moderate and substantial, per infusion; interval by drawing patients (Wilson where each has but one)."""
    excluded = left_out(one.left_out for one in reliefs if one.left_out)
    return _by_patient(
        ("responders_infusion_30", "responders_infusion_50"), [one for one in reliefs if one.headline], excluded
    )


def low_baseline(reliefs: Sequence[Relief]) -> Figure:
    """Shown apart: baselines of 1 and 2; interval as per infusion."""
    metrics = ("responders_low_baseline_30", "responders_low_baseline_30")
    return _by_patient(metrics, [one for one in reliefs if one.low_baseline], {})[0]


def _by_patient(
    metrics: tuple[str, str], counted: Sequence[Relief], excluded: Mapping[str, int]
) -> tuple[Figure, Figure]:
    clusters: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in counted:
        own = clusters[one.infusion.patient]
        own[0] += one.responded(MODERATE)
        own[1] += one.responded(SUBSTANTIAL)
        own[2] += 1
    single = all(own[2] == 1 for own in clusters.values())
    moderate = [one.infusion.fact for one in counted if one.responded(MODERATE)]
    substantial = [one.infusion.fact for one in counted if one.responded(SUBSTANTIAL)]
    if single or len(counted) < SMALL:
        intervals: list[Interval | None] = [wilson(len(some), len(counted)) for some in (moderate, substantial)]
    else:
        (intervals,) = clustered_intervals([np.array([clusters[name] for name in sorted(clusters)])])
    among = [one.infusion.fact for one in counted]
    method = "wilson" if single else "clustered_bootstrap"
    return (
        proportion(metrics[0], moderate, among, excluded, intervals[0], method),
        proportion(metrics[1], substantial, among, excluded, intervals[1], method),
    )


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """One group: responders to first infusions, per patient (headline; not by ordinal), and falls and responders per
    infusion. `patients` stand behind those."""

    group: str
    patients: int
    first_30: Figure | None
    first_50: Figure | None
    landmark_fall: Spread
    responders_30: Figure
    responders_50: Figure


def breakdowns(material: Material) -> dict[str, tuple[Breakdown, ...]]:
    """By condition, ordinal, dose band, adjunct therapy, clinic and month of drug start."""

    def month(one: Infusion) -> str:
        calendar = material.calendars.get(one.clinic)
        return moment(one.started_us).astimezone(zone(calendar.timezone if calendar else "UTC")).strftime("%Y-%m")

    groups: dict[str, Callable[[Infusion], str]] = {
        "condition": material.condition,
        "ordinal": ordinal_band,
        "dose_band": lambda one: dose_band(one.mg_per_kg),
        "adjunct": lambda one: "yes" if one.infusion in material.on_adjunct else "no",
        "clinic": lambda one: one.clinic,
        "month": month,
    }
    return {
        name: tuple(_broken_down(material.reliefs, group, per_patient=name != "ordinal"))
        for name, group in groups.items()
    }


def _broken_down(
    reliefs: Sequence[Relief], group: Callable[[Infusion], str], *, per_patient: bool
) -> Iterable[Breakdown]:
    members: dict[str, list[Relief]] = defaultdict(list)
    for one in reliefs:
        members[group(one.infusion)].append(one)
    for name, own in sorted(members.items()):
        moderate, substantial = per_infusion(own)
        first = _first_of_course(own)
        yield Breakdown(
            group=name, patients=len({one.infusion.patient for one in own if one.headline}),
            first_30=responders("responders_first_30", MODERATE, first) if per_patient else None,
            first_50=responders("responders_first_50", SUBSTANTIAL, first) if per_patient else None,
            landmark_fall=falls("landmark_fall", own), responders_30=moderate, responders_50=substantial,
        )  # fmt: skip


# --- onset, how many it takes ---------------------------------------------------------------------


def onset(reliefs: Sequence[Relief]) -> Spread:
    """Hours from drug stop to the first moderate fall."""
    values = []
    reasons = []
    for one in reliefs:
        if not one.baseline or one.left_out == "baseline_under_3":
            reasons.append(one.left_out or "no_baseline")
        elif one.onset_hours is None:
            reasons.append("no_fall_seen")
        else:
            values.append((one.onset_hours, one.infusion.fact))
    return spread("onset", values, "hours", left_out(reasons))


def infusions_to_relief(material: Material, every_relief: Callable[[Infusion], Relief]) -> Spread:
    """Ordinal of the first substantial responder in courses begun in the period."""
    begun = {one.infusion.course for one in material.reliefs if one.infusion.in_course == 1 and one.infusion.course}
    found: dict[str, tuple[float, str]] = {}
    for one in material.infusions:
        if one.course in begun and one.course not in found:
            own = every_relief(one)
            if own.headline and own.responded(SUBSTANTIAL):
                found[one.course or ""] = (float(one.in_course), one.fact)
    missing = ["not_reached" for course in begun if course not in found]
    return spread("infusions_to_relief", [found[course] for course in sorted(found)], "infusions", left_out(missing))


# --- dose and response ----------------------------------------------------------------------------


class DosePoint(msgspec.Struct, frozen=True):
    """One first infusion: its dose and the fall that followed."""

    mg_per_kg: float
    mg_per_kg_h: float | None
    fall_percent: float
    condition: str
    fact: str


class DoseResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An association. `bands` are the falls by dose band."""

    mg_per_kg: Figure
    mg_per_kg_h: Figure
    by_condition: Mapping[str, Figure]
    bands: tuple[tuple[str, Spread], ...]
    points: Sequence[DosePoint]


def dose_response(material: Material) -> DoseResponse:
    """Landmark fall of each course's first infusion against its dose."""
    firsts = [one for one in material.reliefs if one.infusion.in_course == 1 and one.infusion.course is not None]
    points = tuple(
        DosePoint(
            one.infusion.mg_per_kg, one.infusion.mg_per_kg_h, value, material.condition(one.infusion),
            one.infusion.fact,
        )
        for one in firsts
        if one.headline and (value := one.landmark_fall) is not None
    )  # fmt: skip
    excluded = left_out(one.left_out for one in firsts if one.left_out)
    by_condition: dict[str, list[DosePoint]] = defaultdict(list)
    by_band: dict[str, list[DosePoint]] = defaultdict(list)
    for point in points:
        by_condition[point.condition].append(point)
        by_band[dose_band(point.mg_per_kg)].append(point)
    return DoseResponse(
        mg_per_kg=_rho(points, lambda one: one.mg_per_kg, excluded),
        mg_per_kg_h=_rho(points, lambda one: one.mg_per_kg_h, excluded),
        by_condition={
            condition: _rho(some, lambda one: one.mg_per_kg, {}) for condition, some in sorted(by_condition.items())
        },
        bands=tuple(
            (band, spread("landmark_fall", [(one.fall_percent, one.fact) for one in by_band[band]], "percent"))
            for band in [*(name for _, name in DOSE_BANDS), "1 and over"]
            if band in by_band
        ),
        points=points,
    )  # fmt: skip


def _rho(
    points: Sequence[DosePoint], dose: Callable[[DosePoint], float | None], excluded: Mapping[str, int]
) -> Figure:
    pairs = [(found, one) for one in points if (found := dose(one)) is not None]
    enough = len(pairs) >= SMALL
    rho = spearman([found for found, _ in pairs], [one.fall_percent for _, one in pairs]) if enough else None
    return amount(
        "dose_response", rho, "rho", n=len(pairs), rows=[one.fact for _, one in pairs], excluded=excluded,
        interval=spearman_interval(rho, len(pairs)) if rho is not None else None,
        method="bonett_wright" if rho is not None else None,
    )  # fmt: skip
