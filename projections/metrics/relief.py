"""Relief after one infusion: baselines, the score window, landmark and peak fall, onset, the spell it began.

The rules are those of DESIGN section 7, Relief and Duration; shares are compared as whole numbers, never as floats.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from projections.facts.encoding import DAY, HOUR
from projections.metrics.courses import Course, Identities, Infusion

COURSE_BASELINE = 7 * DAY
VISIT_BASELINE = 24 * HOUR
WINDOW = 72 * HOUR
LANDMARK_FROM = 24 * HOUR
PEAK_FROM = 1 * HOUR
MODERATE, SUBSTANTIAL = 30, 50
LOW_BASELINE = 3_000
AFTER_SERIES = (21 * DAY, 28 * DAY)


class Score(msgspec.Struct, frozen=True):
    """One score; `value` in thousandths of the instrument's unit."""

    at_us: int
    value: int
    fact: str


class Scores:
    """A patient's scores of one instrument, in order of occurrence."""

    def __init__(self, scores: Iterable[Score] = ()) -> None:
        self._scores = sorted(scores, key=lambda one: (one.at_us, int(one.fact[1:])))
        self._times = [one.at_us for one in self._scores]

    def between(self, low: int, high: int) -> Sequence[Score]:
        """Scores with low <= at <= high."""
        return self._scores[bisect_left(self._times, low) : bisect_right(self._times, high)]

    def last_before(self, us: int, within: int) -> Score | None:
        """The last score in [us - within, us)."""
        index = bisect_left(self._times, us)
        found = self._scores[index - 1] if index else None
        return found if found is not None and found.at_us >= us - within else None


def pain_by_patient(rows: Iterable[Mapping[str, Any]], identities: Identities) -> dict[str, Scores]:
    """NRS scores (now) by patient."""
    found: dict[str, list[Score]] = {}
    for row in rows:
        if row["kind"] == "pain" and row["instrument"] == "now":
            score = Score(row["at_us"], row["value_milli"], row["fact_id"])
            found.setdefault(identities.of(row["patient"] or ""), []).append(score)
    return {patient: Scores(scores) for patient, scores in found.items()}


def fell(baseline: int, score: int, percent: int) -> bool:
    """Whether the fall from `baseline` (above 0) is at least `percent` %."""
    return 100 * (baseline - score) >= percent * baseline


def fall(baseline: int, score: int) -> float:
    """The fall in percent of `baseline` (above 0); negative when pain rose."""
    return 100 * (baseline - score) / baseline


class Relief(msgspec.Struct, frozen=True, kw_only=True):
    """What an infusion brought. `left_out` says why it is not in the headline; `landmark`/`peak` are None then,
    but for a low baseline, which is shown apart."""

    infusion: Infusion
    baseline: int | None
    visit_baseline: int | None
    left_out: str | None
    peak_left_out: str | None
    landmark: Score | None
    peak: Score | None
    onset_hours: float | None

    @property
    def landmark_fall(self) -> float | None:
        """Percent of the course baseline."""
        return fall(self.baseline, self.landmark.value) if self.baseline and self.landmark else None

    @property
    def peak_fall(self) -> float | None:
        """Percent of the course baseline."""
        return fall(self.baseline, self.peak.value) if self.baseline and self.peak else None

    def responded(self, percent: int) -> bool:
        """Whether the landmark fall is at least `percent` %."""
        return bool(self.baseline and self.landmark and fell(self.baseline, self.landmark.value, percent))

    @property
    def headline(self) -> bool:
        """Whether it counts in headline figures."""
        return self.left_out is None

    @property
    def low_baseline(self) -> bool:
        """Baseline 1 or 2, with a landmark: shown apart."""
        return self.left_out == "baseline_under_3" and self.landmark is not None


def relief(infusion: Infusion, scores: Scores, as_of_us: int) -> Relief:
    """Baselines, landmark, peak and onset of one infusion."""
    stopped = infusion.stopped_us
    course = scores.last_before(infusion.first_of_course_us, COURSE_BASELINE)
    visit = scores.last_before(infusion.started_us, VISIT_BASELINE)
    ends = min(stopped + WINDOW, infusion.next_us if infusion.next_us is not None else stopped + WINDOW)
    baseline = course.value if course else None
    opens = stopped + LANDMARK_FROM
    late = scores.between(opens, ends)
    early = scores.between(stopped + PEAK_FROM, ends)
    window = scores.between(stopped, ends)
    reason = _no_baseline(baseline)
    return Relief(
        infusion=infusion, baseline=baseline, visit_baseline=visit.value if visit else None,
        left_out=reason or _no_score(late, opens, ends, as_of_us),
        peak_left_out=reason or _no_score(early if ends >= opens else (), opens, ends, as_of_us),
        landmark=late[-1] if late and baseline else None,
        peak=min(early, key=lambda one: (one.value, one.at_us)) if early and baseline and ends >= opens else None,
        onset_hours=next(
            ((one.at_us - stopped) / HOUR for one in window if baseline and fell(baseline, one.value, MODERATE)), None
        ),
    )  # fmt: skip


def _no_baseline(baseline: int | None) -> str | None:
    if baseline is None:
        return "no_baseline"
    if baseline == 0:
        return "baseline_zero"
    return "baseline_under_3" if baseline < LOW_BASELINE else None


def _no_score(scores: Sequence[Score], opens: int, ends: int, as_of_us: int) -> str | None:
    if scores:
        return None
    if ends < opens:
        return "superseded"
    return "pending" if as_of_us < ends else "missing"


# --- 28 days after the series ---------------------------------------------------------------------


def after_series(infusion: Infusion, scores: Scores, as_of_us: int) -> tuple[str | None, int | None, Score | None]:
    """For the last infusion of a series: (why left out, course baseline, score of days 21 to 28)."""
    course = scores.last_before(infusion.first_of_course_us, COURSE_BASELINE)
    baseline = course.value if course else None
    reason = _no_baseline(baseline)
    opens, ends = (infusion.stopped_us + days for days in AFTER_SERIES)
    if infusion.next_us is not None:
        ends = min(ends, infusion.next_us)
    found = scores.between(opens, ends)
    reason = reason or _no_score(found, opens, ends, as_of_us)
    return reason, baseline, found[-1] if found else None


# --- spells ---------------------------------------------------------------------------------------

RETURNED = frozenset({"pain_returned"})


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """Relief after an infusion: it was still there at `last_good_us`, gone (or out of sight) at `until_us`."""

    relief: Relief
    last_good_us: int
    until_us: int
    ended: bool
    why: str

    @property
    def days(self) -> float:
        """From drug stop to the later end of the interval."""
        return (self.until_us - self.relief.infusion.stopped_us) / DAY


def for_returned_pain(infusion: Infusion, course: Course | None) -> bool:
    """Whether the infusion after this one was given because pain had returned, not because it was planned."""
    if infusion.next_purpose == "re_induction":
        return True
    if infusion.next_purpose != "booster" or course is None or infusion.next_us is None:
        return False
    return brought_forward(course, infusion.next_us)


def brought_forward(course: Course, us: int) -> bool:
    """Whether, of boosters, the last word before a moment stands and its date is due to returned pain."""
    booster = course.booster_before(us)
    return booster is not None and not booster.cancelled and booster.because in RETURNED


def spell(one: Relief, scores: Scores, course: Course | None, as_of_us: int) -> Spell | None:
    """The spell of a landmark responder (30 %) of the headline; None for everybody else."""
    if not one.headline or not one.responded(MODERATE) or one.landmark is None or one.baseline is None:
        return None
    infusion, baseline = one.infusion, one.baseline
    left = course.left_us(infusion.stopped_us) if course else None
    until = min(us for us in (as_of_us, infusion.next_us, left) if us is not None)
    seen = [score for score in scores.between(one.landmark.at_us, until) if score.at_us != infusion.next_us]
    last_good = one.landmark.at_us if one.landmark.at_us <= until else _good_until(one, scores, until)
    for score, after in pairwise(seen):
        if fell(baseline, score.value, MODERATE):
            last_good = score.at_us
        elif not fell(baseline, after.value, MODERATE):
            return Spell(relief=one, last_good_us=last_good, until_us=score.at_us, ended=True, why="pain_returned")
    if seen and fell(baseline, seen[-1].value, MODERATE):
        last_good = seen[-1].at_us
    if infusion.next_us is not None and infusion.next_us == until:
        rescued = for_returned_pain(infusion, course)
        why = "infusion_for_returned_pain" if rescued else "planned_infusion"
        return Spell(relief=one, last_good_us=last_good, until_us=until, ended=rescued, why=why)
    if left is not None and left == until:
        return Spell(relief=one, last_good_us=last_good, until_us=left, ended=False, why="died_or_moved")
    last = seen[-1].at_us if seen else one.landmark.at_us
    return Spell(relief=one, last_good_us=last_good, until_us=last, ended=False, why="last_score")


def _good_until(one: Relief, scores: Scores, until: int) -> int:
    """Out of sight before the landmark: the last score until then that showed relief, else the drug stop."""
    stopped, baseline = one.infusion.stopped_us, one.baseline
    seen = scores.between(stopped, until)
    return max((one.at_us for one in seen if baseline and fell(baseline, one.value, MODERATE)), default=stopped)
