"""Relief after infusions and the spells it began, from columns: the rules are those of `projections.metrics.relief`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from projections.columns.codes import FOREVER, NONE, Bools, Ints
from projections.columns.courses import Courses, Infusions
from projections.columns.groups import is_word, pick, whole
from projections.columns.patients import everyone_of
from projections.columns.snapshot import Array, Rows
from projections.columns.spans import paired
from projections.columns.store import Facts
from projections.columns.timeline import Timeline
from projections.facts.encoding import DAY, HOUR
from projections.facts.reading import Cut
from projections.facts.tables import score_facts
from projections.metrics.figures import FactIds, LeftOut
from projections.metrics.relief import (
    AFTER_SERIES,
    COURSE_BASELINE,
    LANDMARK_FROM,
    LOW_BASELINE,
    MODERATE,
    PEAK_FROM,
    WINDOW,
)

REASONS = ("", "no_baseline", "baseline_zero", "baseline_under_3", "superseded", "pending", "missing")
_NO_BASELINE, _ZERO, _UNDER_3, _SUPERSEDED, _PENDING, _MISSING = range(1, len(REASONS))
WHY = ("pain_returned", "infusion_for_returned_pain", "planned_infusion", "died_or_moved", "last_score")
RETURNED, RESCUED, PLANNED, LEFT, LAST_SCORE = range(len(WHY))


def left_out(
    reasons: Array, names: Sequence[str] = REASONS, facts: Callable[[Ints], FactIds] | None = None
) -> dict[str, int]:
    """Counts by reason (0 is none), in the order of the reasons' names; `facts` are those at some of the places."""
    counts = np.bincount(reasons, minlength=len(names)).tolist()
    found = dict(sorted((name, count) for name, count in zip(names, counts, strict=True) if count and name))
    if facts is None or not found:
        return found
    return LeftOut(found, lambda reason: facts(np.flatnonzero(reasons == names.index(reason))))


class Scored:
    """Scores, patient by patient in order of time."""

    def __init__(self, rows: Rows, survivor: Ints) -> None:
        """From rows of `score_facts` in their own order; those of merged patients are put together."""
        patient = rows["patient"]
        if (survivor[:-1] != np.arange(len(survivor) - 1)).any():
            patient = survivor[patient]
            order = np.lexsort((rows["position"], rows["at_us"], patient))
            rows, patient = rows.where(order), patient[order]
        self.rows = rows
        self.timeline = Timeline(patient, rows["at_us"])

    @property
    def at_us(self) -> Array:
        return self.rows["at_us"]

    @property
    def value(self) -> Array:
        """In thousandths."""
        return self.rows["value_milli"]

    @property
    def fact(self) -> Array:
        return self.rows["position"]

    def between(self, patient: Array, low: Array, high: Array) -> tuple[Ints, Ints]:
        """The places [from, until) of each patient's scores with low <= at <= high."""
        first = self.timeline.before(patient, low)
        return first, np.maximum(first, self.timeline.upto(patient, high))

    def last_before(self, patient: Array, us: Array, within: int) -> Ints:
        """The place of the last score in [us - within, us); -1."""
        return self.timeline.last_before(patient, us, us - within)

    def value_at(self, place: Ints) -> Array:
        """Values; NONE at place -1."""
        return pick(self.value, place)


def scores_of(facts: Facts, survivor: Ints, patients: Array, at: Cut) -> Rows:
    """All scores of these patients, in order of patient and time."""
    return whole(facts.of(score_facts), "patient", everyone_of(survivor, patients), at)


def pain_now(facts: Facts, rows: Rows, survivor: Ints) -> Scored:
    """NRS scores (now)."""
    chosen = is_word(facts, rows["kind"], "pain") & is_word(facts, rows["instrument"], "now")
    return Scored(rows.where(chosen), survivor)


def fell(baseline: Array, value: Array, percent: int) -> Bools:
    """Whether the fall from `baseline` is at least `percent` %."""
    found: Bools = 100 * (baseline - value) >= percent * baseline
    return found


class _Columns(dict[str, Array]):
    """Columns by name; those of `later` are computed when they are first asked for."""

    def __init__(self, now: Mapping[str, Array], **later: Callable[[], Array]) -> None:
        super().__init__(now)
        self._later = later

    def __missing__(self, name: str) -> Array:
        found = self[name] = self._later[name]()
        return found


class Reliefs:
    """What each of some infusions brought; `place` is where they stand among all. `left_out` as in `REASONS`.

    A column is computed, and of those chosen from others gathered, when it is first asked for.
    """

    place: Ints
    baseline: Array
    left_out: Ints
    peak_left_out: Ints
    landmark: Ints
    peak: Array
    onset_hours: Array
    moderate: Bools
    substantial: Bools
    landmark_fall: Array

    def __init__(self, columns: Mapping[str, Array], index: Ints) -> None:
        self._columns, self._index = columns, index

    def __getattr__(self, name: str) -> Array:
        if name not in Reliefs.__annotations__:
            raise AttributeError(name)
        found = self._columns[name][self._index]
        setattr(self, name, found)
        return found

    def __len__(self) -> int:
        return len(self._index)

    def where(self, chosen: Array) -> Reliefs:
        """Those chosen."""
        return Reliefs(self._columns, self._index[chosen])

    @property
    def headline(self) -> Bools:
        found: Bools = self.left_out == 0
        return found

    @property
    def low_baseline(self) -> Bools:
        found: Bools = (self.left_out == _UNDER_3) & (self.landmark >= 0)
        return found


def reliefs(given: Infusions, place: Ints, pain: Scored, as_of_us: int) -> Reliefs:
    """Baselines, landmark, peak and onset of the infusions at these places."""
    patient, stopped = given.patient[place], given.stopped_us[place]
    baseline = pain.value_at(pain.last_before(patient, given.first_of_course_us[place], COURSE_BASELINE))
    next_us = given.next_us[place]
    ends = np.minimum(stopped + WINDOW, np.where(next_us == NONE, FOREVER, next_us))
    late = pain.between(patient, stopped + LANDMARK_FROM, ends)
    opens = stopped + LANDMARK_FROM
    reason = no_baseline(baseline)
    measured = (baseline != NONE) & (baseline != 0)
    landmark = np.where((late[1] > late[0]) & measured, late[1] - 1, -1)
    value = pain.value_at(landmark)
    seen = landmark >= 0

    @cache
    def early() -> tuple[Ints, Ints]:
        first, until = pain.between(patient, stopped + PEAK_FROM, ends)
        return first, np.where(ends >= opens, until, first)

    return Reliefs(_Columns({
        "place": place, "baseline": baseline, "landmark": landmark,
        "left_out": np.where(reason > 0, reason, no_score(late, opens, ends, as_of_us)),
        "moderate": seen & fell(baseline, value, MODERATE), "substantial": seen & fell(baseline, value, 50),
        "landmark_fall": _fall(baseline, value, seen),
    },
        peak_left_out=lambda: np.where(reason > 0, reason, no_score(early(), opens, ends, as_of_us)),
        peak=lambda: np.where(measured, _lowest(pain, *early()), NONE),
        onset_hours=lambda: _onset(pain, patient, stopped, ends, baseline, measured),
    ), np.arange(len(place)))  # fmt: skip


def _fall(baseline: Array, value: Array, seen: Bools) -> Array:
    found = np.full(len(baseline), np.nan)
    found[seen] = 100 * (baseline[seen] - value[seen]) / baseline[seen]
    return found


def peak_fall(found: Reliefs) -> Array:
    """Percent of the course baseline; nan without."""
    return _fall(found.baseline, found.peak, found.peak != NONE)


def no_baseline(baseline: Array) -> Ints:
    """Why a baseline cannot be used; 0 if it can."""
    return np.select(
        [baseline == NONE, baseline == 0, baseline < LOW_BASELINE], [_NO_BASELINE, _ZERO, _UNDER_3], 0
    )


def no_score(found: tuple[Ints, Ints], opens: Array, ends: Array, as_of_us: int) -> Ints:
    """Why there is no score between `opens` and `ends`; 0 if there is."""
    return np.select([found[1] > found[0], ends < opens, as_of_us < ends], [0, _SUPERSEDED, _PENDING], _MISSING)


def _lowest(pain: Scored, first: Ints, until: Ints) -> Array:
    """The lowest value in each range; NONE of an empty one."""
    lowest = np.full(len(first), FOREVER)
    which, place = paired(first, until)
    np.minimum.at(lowest, which, pain.value[place])
    return np.where(lowest == FOREVER, NONE, lowest)


def _onset(pain: Scored, patient: Array, stopped: Array, ends: Array, baseline: Array, measured: Bools) -> Array:
    """Hours to the first moderate fall; nan when none was seen."""
    which, place = paired(*pain.between(patient, stopped, ends))
    hit = measured[which] & fell(baseline[which], pain.value[place], MODERATE)
    first = np.full(len(patient), FOREVER)
    np.minimum.at(first, which[hit], pain.at_us[place[hit]])
    return np.where(first == FOREVER, np.nan, (first - stopped) / HOUR)


def after_series(
    given: Infusions, place: Ints, pain: Scored, as_of_us: int
) -> tuple[Ints, Array, Array]:
    """For last infusions of series: why left out (0: not), course baseline, value of days 21 to 28."""
    patient, stopped, next_us = given.patient[place], given.stopped_us[place], given.next_us[place]
    baseline = pain.value_at(pain.last_before(patient, given.first_of_course_us[place], COURSE_BASELINE))
    opens, ends = stopped + AFTER_SERIES[0], stopped + AFTER_SERIES[1]
    ends = np.where(next_us == NONE, ends, np.minimum(ends, next_us))
    found = pain.between(patient, opens, ends)
    reason = no_baseline(baseline)
    reason = np.where(reason > 0, reason, no_score(found, opens, ends, as_of_us))
    return reason, baseline, pain.value_at(np.where(found[1] > found[0], found[1] - 1, -1))


# --- spells ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spells:
    """Spells of landmark responders; `of` is the place of the relief that began each."""

    of: Ints
    last_good_us: Array
    until_us: Array
    ended: Bools
    why: Ints


def spells(facts: Facts, given: Infusions, courses: Courses, found: Reliefs, pain: Scored, as_of_us: int) -> Spells:
    """How long relief lasted: see `projections.metrics.relief.spell`."""
    of = np.flatnonzero(found.headline & found.moderate)
    place = found.place[of]
    course, next_us = courses.place[given.course[place]], given.next_us[place]
    left = courses.left_us(course, given.stopped_us[place])
    until = np.minimum(np.minimum(
        np.where(next_us == NONE, FOREVER, next_us), np.where(left == NONE, FOREVER, left)
    ), as_of_us)  # fmt: skip
    landmark_us = pain.at_us[found.landmark[of]]
    unseen = landmark_us > until
    low, high = pain.between(given.patient[place], np.where(unseen, given.stopped_us[place], landmark_us), until)
    which, score = paired(low, high)
    keep = pain.at_us[score] != next_us[which]
    which, score = which[keep], score[keep]
    good = fell(found.baseline[of][which], pain.value[score], MODERATE)
    bad_twice = np.zeros(len(which), dtype=bool)
    bad_twice[:-1] = ~good[:-1] & ~good[1:] & (which[1:] == which[:-1]) & ~unseen[which[1:]]
    gone = np.full(len(of), FOREVER)
    np.minimum.at(gone, which[bad_twice], np.flatnonzero(bad_twice))
    returned = gone < FOREVER
    still = good & (np.arange(len(which)) < gone[which])
    last_good = np.where(unseen, given.stopped_us[place], landmark_us)
    np.maximum.at(last_good, which[still], pain.at_us[score[still]])
    last_seen = landmark_us.copy()
    np.maximum.at(last_seen, which, pain.at_us[score])
    to_next = (next_us != NONE) & (next_us == until)
    rescued = to_next & (
        is_word(facts, given.next_purpose[place], "re_induction")
        | (is_word(facts, given.next_purpose[place], "booster") & (course >= 0)
           & courses.words.for_returned_pain(facts, course, next_us))
    )
    to_left = (left != NONE) & (left == until)
    why = np.select([returned, rescued, to_next, to_left], [RETURNED, RESCUED, PLANNED, LEFT], LAST_SCORE)
    return Spells(
        of=of, last_good_us=last_good, ended=returned | (rescued & ~returned), why=why,
        until_us=np.select(
            [returned, to_next | to_left], [pick(pain.at_us[score], np.where(returned, gone, -1)), until], last_seen
        ),
    )  # fmt: skip


__all__ = ["DAY", "Reliefs", "Scored", "Spells"]
