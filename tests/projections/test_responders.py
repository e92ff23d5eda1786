"""Responders of groups: per patient as headline, per infusion with the interval of drawing patients."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import scipy.stats

from projections import outcomes
from projections.metrics.calendar import Period
from projections.metrics.outcomes import Breakdown
from projections.outcomes import OutcomeReport
from tests.support.facts import facts_of
from tests.support.histories import History, uid

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 3, 4, 15, tzinfo=UTC)
AS_OF = datetime(2026, 12, 1, tzinfo=UTC)


class People:
    """Patients of two clinics: each a course with a baseline and, per infusion, the score that follows."""

    def __init__(self) -> None:
        self.history = History()
        self.courses = self.visits = 0
        self.clinics = [uid(1, 1), uid(2, 1)]
        for number, clinic in enumerate(self.clinics):
            self.history.add("clinic.opened.v1", clinic, START - 90 * DAY, clinic=clinic, clinic_name=f"{number}",
                             timezone="America/Phoenix")  # fmt: skip

    def course(
        self, patient: int, after: list[int], *, baseline: int = 8, condition: str = "crps", begins: datetime = START,
        moved: bool = False, mg_per_kg: str = "0.5",
    ) -> People:  # fmt: skip
        """A course of `patient` at the first clinic, ten days from one infusion to the next (from the second on at the
        other clinic if `moved`)."""
        self.courses += 1
        course, diary, subject = uid(self.courses, 7), uid(patient, 8), uid(patient, 3)
        self._add("course.opened.v1", course, begins - 5 * DAY, subject, patient_id=subject, condition=condition,
                  plan="alone", prescriber_id=uid(1))  # fmt: skip
        self._add("diary.pain_scored.v1", diary, begins - HOUR, subject, score=baseline)
        for number, score in enumerate(after):
            at, clinic = begins + 10 * number * DAY, self.clinics[moved and number > 0]
            self.visits += 1
            self._add(
                "infusion.given.v1", uid(self.visits, 6), at + HOUR, subject, clinic, course_id=course,
                purpose="trial" if not number else "booster", drug_started_at=at, dose_mg=Decimal(40),
                dose_mg_per_kg=Decimal(mg_per_kg), minutes=Decimal(60), complete=True,
            )  # fmt: skip
            self._add("diary.pain_scored.v1", diary, at + 30 * HOUR, subject, clinic, score=score)
        return self

    def _add(self, name: str, stream: Any, at: datetime, subject: Any, clinic: Any = None, **fields: Any) -> None:
        self.history.add(name, stream, at, clinic=clinic or self.clinics[0], subject=subject, **fields)

    def report(self) -> OutcomeReport:
        with facts_of(self.history) as conn:
            return outcomes.report(
                conn, [str(one) for one in self.clinics], Period(date(2026, 3, 1), date(2026, 9, 30)), as_of=AS_OF
            )


def _group(report: OutcomeReport, dimension: str, name: str) -> Breakdown:
    return next(one for one in report.breakdowns[dimension] if one.group == name)


def _counts(one: Breakdown) -> tuple[Any, ...]:
    assert one.first_30 is not None and one.first_50 is not None
    return one.first_30.numerator, one.first_50.numerator, one.first_30.denominator


def test_those_who_stay_weigh_no_more_than_those_who_leave() -> None:
    """Given 12 patients, 6 of whom gain nothing from the first infusion and get no other, and 6 who gain much from it
    and get nine more: half the patients respond, and 60 of 66 infusions are followed by relief."""
    people = People()
    for patient in range(12):
        people.course(patient, [8] if patient < 6 else [2] * 10)
    report = people.report()
    one = _group(report, "condition", "crps")
    assert one.first_30 is not None
    assert (one.first_30.value, one.first_30.numerator, one.first_30.n) == (0.5, 6, 12)
    expected = scipy.stats.binomtest(6, 12).proportion_ci(method="wilson")
    assert one.first_30.interval == pytest.approx((expected.low, expected.high))
    assert (one.responders_30.numerator, one.responders_30.denominator, one.patients) == (60, 66, 12)
    assert one.first_30.numerator_rows == report.responders.first_30.numerator_rows
    assert one.first_30.excluded == report.responders.first_30.excluded == {}


def test_a_patient_counts_once_in_each_group_by_the_first_infusion_there() -> None:
    """Two courses of one patient: for crps the earlier of two, for migraine its own; by month each month's first;
    together the earliest alone."""
    people = People().course(1, [8, 2], begins=START).course(1, [2], begins=START + 60 * DAY)
    people.course(1, [3], condition="migraine", begins=START + 65 * DAY)
    report = people.report()
    assert _counts(_group(report, "condition", "crps")) == (0, 0, 1)
    assert _counts(_group(report, "condition", "migraine")) == (1, 1, 1)
    assert _counts(_group(report, "month", "2026-03")) == (0, 0, 1)
    assert _counts(_group(report, "month", "2026-05")) == (1, 1, 1)
    first = report.responders.first_30
    assert (first.numerator, first.denominator) == (0, 1)


def test_a_group_of_later_infusions_alone_has_no_patient_to_count() -> None:
    """The clinic a course moved to gave none of its first infusions: nothing of nothing, not 0 %."""
    report = People().course(1, [8, 2], moved=True).report()
    assert _counts(_group(report, "clinic", str(uid(1, 1)))) == (0, 0, 1)
    there = _group(report, "clinic", str(uid(2, 1)))
    assert _counts(there) == (0, 0, 0)
    assert there.first_30 is not None and there.first_30.value is None
    assert there.responders_30.denominator == 1


def test_by_ordinal_there_is_no_first_infusion_to_count_by() -> None:
    """The groups are themselves first, second, third: per infusion only."""
    report = People().course(1, [2, 2, 2]).report()
    assert [(one.first_30, one.first_50) for one in report.breakdowns["ordinal"]] == [(None, None)] * 3


def test_who_is_left_out_is_left_out_of_the_group_by_reason() -> None:
    """No baseline over 2, no headline: counted beside the group, not in it."""
    people = People().course(1, [0], baseline=2).course(2, [2]).course(3, [0], baseline=0, condition="migraine")
    one = _group(people.report(), "condition", "crps")
    assert _counts(one) == (1, 1, 1)
    assert one.first_30 is not None and one.first_30.excluded == {"baseline_under_3": 1}


def test_low_baselines_are_per_infusion_and_so_is_their_interval() -> None:
    """8 patients with 30 infusions from a baseline of 2: a bootstrap of patients by scipy, wider than Wilson's."""
    falls = [[0] * 8, [2] * 7, [0], [0, 2], [2], [0, 0, 2], [2, 2, 2, 2], [0, 0, 0, 0]]
    people = People()
    for patient, after in enumerate(falls):
        people.course(patient, after, baseline=2)
    low = people.report().low_baseline
    hits = np.array([sum(score == 0 for score in after) for after in falls], dtype=float)
    among = np.array([len(after) for after in falls], dtype=float)
    assert (low.numerator, low.denominator, low.method) == (hits.sum(), among.sum(), "clustered_bootstrap")
    drawn = scipy.stats.bootstrap(
        (hits, among), lambda hit, of, axis=-1: hit.sum(axis=axis) / of.sum(axis=axis), paired=True, vectorized=True,
        n_resamples=40_000, method="percentile", rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert low.interval == pytest.approx((drawn.low, drawn.high), abs=0.015)
    wilson = scipy.stats.binomtest(int(hits.sum()), int(among.sum())).proportion_ci(method="wilson")
    assert low.interval is not None and low.interval[1] - low.interval[0] > wilson.high - wilson.low


def test_low_baselines_of_one_infusion_each_have_wilson_s_interval() -> None:
    """Where no patient counts twice, infusions are patients."""
    people = People()
    for patient in range(12):
        people.course(patient, [0 if patient < 5 else 2], baseline=2)
    low = people.report().low_baseline
    expected = scipy.stats.binomtest(5, 12).proportion_ci(method="wilson")
    assert (low.method, low.interval) == ("wilson", pytest.approx((expected.low, expected.high)))
