"""How pain went after a course began, and how far it fell for each patient: the pictures of the outcome dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from projections.facts.encoding import DAY
from projections.metrics.figures import SMALL, Spread, left_out, spread
from projections.metrics.outcomes import Material, first_of_course
from projections.metrics.relief import COURSE_BASELINE, Relief, Score
from projections.metrics.statistics import quantile

STAGES = (
    ("day_1", 0, 2), ("days_2_4", 2, 5), ("days_5_9", 5, 10), ("week_2", 10, 17), ("week_3", 17, 24),
    ("week_4", 24, 35), ("week_6", 35, 49), ("week_8", 49, 70), ("week_12", 70, 98),
)  # fmt: skip
"""Stretches of days since the course's first drug start, from and until (exclusive); together 14 weeks."""

FOLLOWED = STAGES[-1][2] * DAY
"""How long after its first drug start a course's scores are looked at."""


class WaterfallBar(msgspec.Struct, frozen=True, kw_only=True):
    """One patient: the landmark fall after the first infusion, in percent of the course baseline (negative: a rise)."""

    fact: str
    fall: float
    condition: str
    with_adjunct: bool


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """One bar a patient, the deepest fall first; `falls` is the same in one line, with its rows."""

    bars: Sequence[WaterfallBar]
    falls: Spread


class PainStage(msgspec.Struct, frozen=True, kw_only=True):
    """Pain (0 to 10) of the patients seen in one stretch. `reached`: those whose course was followed to its end.

    Quartiles need at least ten. `day` is the stretch's middle, for the chart; the baseline stands at 0.
    """

    stage: str
    day: float
    reached: int
    pain: Spread
    p25: float | None
    p75: float | None


class PainCourse(msgspec.Struct, frozen=True, kw_only=True):
    """Pain from the course baseline on."""

    stages: tuple[PainStage, ...]


def waterfall(material: Material) -> Waterfall:
    """Landmark falls of first infusions, per patient, as the headline rates count them."""
    first = first_of_course(material)
    bars = [
        WaterfallBar(
            fact=one.infusion.fact, fall=one.landmark_fall, condition=material.condition(one.infusion),
            with_adjunct=one.infusion.infusion in material.on_adjunct,
        )
        for one in first
        if one.headline and one.landmark_fall is not None
    ]  # fmt: skip
    bars.sort(key=lambda bar: (-bar.fall, bar.fact))
    excluded = left_out(one.left_out for one in first if one.left_out)
    return Waterfall(
        bars=tuple(bars), falls=spread("waterfall", [(bar.fall, bar.fact) for bar in bars], "percent", excluded)
    )


def pain_course(material: Material) -> PainCourse:
    """Of patients whose first infusion lies in the period: each one's last score (now) of every stretch of days."""
    first = first_of_course(material)
    followed = [one for one in first if one.baseline is not None and one.left_out not in _WITHOUT]
    excluded = left_out(one.left_out for one in first if one.left_out in _WITHOUT)
    later = [_stage(name, low, high, followed, material, excluded) for name, low, high in STAGES]
    return PainCourse(stages=(_baseline(followed, material, excluded), *later))


_WITHOUT = frozenset({"no_baseline", "baseline_zero", "baseline_under_3"})


def _baseline(followed: Sequence[Relief], material: Material, excluded: Mapping[str, int]) -> PainStage:
    scores = [
        score
        for one in followed
        if (score := material.scores_of(one.infusion.patient).last_before(
            one.infusion.first_of_course_us, COURSE_BASELINE)) is not None
    ]  # fmt: skip
    return _of(scores, "baseline", 0.0, len(followed), excluded)


def _stage(
    name: str, low: int, high: int, followed: Sequence[Relief], material: Material, excluded: Mapping[str, int]
) -> PainStage:
    reached = [one for one in followed if one.infusion.first_of_course_us + high * DAY <= material.as_of_us]
    scores: list[Score] = []
    for one in reached:
        begun = one.infusion.first_of_course_us
        seen = material.scores_of(one.infusion.patient).between(begun + low * DAY, begun + high * DAY - 1)
        scores += seen[-1:]
    return _of(scores, name, (low + high) / 2, len(reached), excluded)


def _of(scores: Sequence[Score], name: str, day: float, reached: int, excluded: Mapping[str, int]) -> PainStage:
    points = [(score.value / 1000, score.fact) for score in scores]
    numbers = [point for point, _ in points]
    enough = len(numbers) >= SMALL
    return PainStage(
        stage=name, day=day, reached=reached, pain=spread("pain_over_time", points, "points", excluded),
        p25=quantile(numbers, 0.25) if enough else None, p75=quantile(numbers, 0.75) if enough else None,
    )  # fmt: skip
