"""Relief against a recount in exact fractions from the raw events, survival against lifelines; the rules by example."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from projections import outcomes
from projections.metrics.calendar import Period
from projections.outcomes import OutcomeReport
from tests.projections.naive import Entry, entries
from tests.support.clinic_life import Life
from tests.support.facts import facts_of
from tests.support.histories import History, uid

FIRST = date(2026, 3, 2)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOME = settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate))


class Recount:
    """Every infusion with its baselines, window and falls, from what stands in the log."""

    def __init__(
        self, known: list[Entry], zones: dict[UUID, ZoneInfo], first: date, last: date, as_of: datetime
    ) -> None:
        self.as_of = as_of
        self.scores: dict[UUID | None, list[tuple[datetime, int]]] = defaultdict(list)
        for one in known:
            if one.name == "diary.pain_scored.v1" and one.event.kind == "now":
                self.scores[one.patient].append((one.at, one.event.score))
        given = [one for one in known if one.name == "infusion.given.v1"]
        self.given = sorted(given, key=lambda one: (one.event.drug_started_at, one.record.position))
        self.rows = []
        for one in self.given:
            local = one.event.drug_started_at.astimezone(zones[one.clinic]).date()
            if first <= local <= last:
                self.rows.append(self.row(one))

    def row(self, one: Entry) -> dict[str, Any]:
        same = [other for other in self.given if other.patient == one.patient]
        later = same[same.index(one) + 1] if one is not same[-1] else None
        course = [other for other in same if other.event.course_id == one.event.course_id]
        begun, stop = course[0].event.drug_started_at, one.at
        before = [score for at, score in self.scores[one.patient] if begun - 7 * DAY <= at < begun]
        ends = min(stop + 72 * HOUR, later.event.drug_started_at) if later else stop + 72 * HOUR
        late = [score for at, score in self.scores[one.patient] if stop + 24 * HOUR <= at <= ends]
        baseline = before[-1] if before else None
        return {
            "fact": f"i{one.record.position}", "patient": one.patient, "ordinal": course.index(one) + 1,
            "mg_per_kg": float(one.event.dose_mg_per_kg), "purpose": one.event.purpose, "clinic": str(one.clinic),
            "reason": self._reason(baseline, late, stop + 24 * HOUR, ends), "entry": one, "later": later,
            "baseline": baseline, "landmark": late[-1] if late else None,
            "fall": Fraction(baseline - late[-1], baseline) if baseline and late else None,
            "landmark_at": max(at for at, _ in self.scores[one.patient] if at <= ends) if late else None,
        }  # fmt: skip

    def _reason(self, baseline: int | None, late: list[int], opens: datetime, ends: datetime) -> str | None:
        if baseline is None:
            return "no_baseline"
        if baseline < 3:
            return "baseline_zero" if baseline == 0 else "baseline_under_3"
        if late:
            return None
        if ends < opens:
            return "superseded"
        return "pending" if self.as_of < ends else "missing"


@given(seed=st.integers(0, 10_000), days=st.sampled_from([6, 60]))
@SOME
def test_relief_is_the_recount(seed: int, days: int) -> None:
    """Falls, exclusions by reason, responders per infusion and per patient, groups, Wilson, Spearman."""
    life = Life(seed, days=10)
    as_of = datetime(2026, 3, 2, 19, tzinfo=UTC) + timedelta(days=days)
    period = Period(FIRST, FIRST + timedelta(days=9))
    known = entries(life.history, as_of=as_of)
    with facts_of(life.history) as conn:
        report = outcomes.report(conn, [str(one) for one in life.clinics], period, as_of=as_of)
    frame = pd.DataFrame(Recount(known, life.zones, period.first, period.last, as_of).rows)
    assert report.infusions == len(frame)
    if frame.empty:
        return
    counted = frame[frame.reason.isna()]
    assert dict(report.landmark_fall.excluded) == frame.reason.dropna().value_counts().to_dict()
    assert set(report.landmark_fall.rows) == set(counted.fact)
    falls = [100 * float(one) for one in counted.fall]
    assert report.landmark_fall.median == (pytest.approx(float(np.median(falls))) if falls else None)
    for percent, figure in ((30, report.per_infusion_30), (50, report.per_infusion_50)):
        hits = counted[counted.fall >= Fraction(percent, 100)]
        assert (figure.numerator, figure.denominator) == (len(hits), len(counted))
        assert set(figure.numerator_rows) == set(hits.fact)
        assert figure.value == (len(hits) / len(counted) if len(counted) >= 10 else None)
    firsts = frame[frame.ordinal == 1].drop_duplicates("patient")
    usable = firsts[firsts.reason.isna()]
    positive = int((usable.fall >= Fraction(3, 10)).sum())
    figure = report.responders.first_30
    assert (figure.numerator, figure.denominator) == (positive, len(usable))
    if len(usable) >= 10:
        expected = scipy.stats.binomtest(positive, len(usable)).proportion_ci(method="wilson")
        assert figure.interval == pytest.approx((expected.low, expected.high))
    _same_groups(report, frame)
    doses = frame[(frame.ordinal == 1) & frame.reason.isna()]
    if len(doses) >= 10 and doses.fall.nunique() > 1:
        rho = scipy.stats.spearmanr(doses.mg_per_kg, [float(one) for one in doses.fall]).statistic
        assert report.dose_response.mg_per_kg.value == pytest.approx(float(rho))


def _same_groups(report: OutcomeReport, frame: pd.DataFrame) -> None:
    groups = {
        "clinic": frame.clinic, "ordinal": frame.ordinal.map(lambda one: str(one) if one <= 7 else "8 and later"),
        "dose_band": pd.cut(
            frame.mg_per_kg, [0, 0.3, 0.5, 0.75, 1.0, 99], right=False,
            labels=["under 0.3", "0.3 to 0.5", "0.5 to 0.75", "0.75 to 1", "1 and over"],
        ).astype(str),
    }  # fmt: skip
    for name, labels in groups.items():
        expected = {}
        for label, own in frame.groupby(labels):
            counted = own[own.reason.isna()]
            expected[label] = (int((counted.fall >= Fraction(3, 10)).sum()), len(counted))
        found = {
            one.group: (one.responders_30.numerator, one.responders_30.denominator) for one in report.breakdowns[name]
        }
        assert found == expected


STAGES = {"day_1": (0, 2), "days_2_4": (2, 5), "days_5_9": (5, 10), "week_2": (10, 17), "week_3": (17, 24),
          "week_4": (24, 35), "week_6": (35, 49), "week_8": (49, 70), "week_12": (70, 98)}  # fmt: skip


@given(seed=st.integers(0, 10_000), days=st.sampled_from([30, 120]))
@SOME
def test_pain_over_time_and_the_waterfall_are_the_recount(seed: int, days: int) -> None:
    """Each patient's last score of every stretch of days that had passed; one bar a patient, deepest first."""
    life = Life(seed, days=12, patients=20)
    as_of = datetime(2026, 3, 2, 19, tzinfo=UTC) + timedelta(days=days)
    period = Period(FIRST, FIRST + timedelta(days=11))
    known = entries(life.history, as_of=as_of)
    with facts_of(life.history) as conn:
        report = outcomes.report(conn, [str(one) for one in life.clinics], period, as_of=as_of)
    recount = Recount(known, life.zones, period.first, period.last, as_of)
    firsts = pd.DataFrame(recount.rows).query("ordinal == 1").drop_duplicates("patient")
    usable = firsts[firsts.reason.isna()]
    expected = sorted((100 * float(one) for one in usable.fall), reverse=True)
    assert [bar.fall for bar in report.waterfall.bars] == pytest.approx(expected)
    assert {bar.fact for bar in report.waterfall.bars} == set(usable.fact) == set(report.waterfall.falls.rows)
    followed = firsts[firsts.baseline.fillna(0) >= 3]
    shown = {one.stage: one for one in report.pain_over_time.stages}
    assert list(shown) == ["baseline", *STAGES]
    assert shown["baseline"].pain.median == (
        pytest.approx(float(followed.baseline.median())) if len(followed) else None
    )
    for name, (low, high) in STAGES.items():
        last, reached = [], 0
        for row in followed.itertuples():
            begun = row.entry.event.drug_started_at
            if begun + high * DAY > as_of:
                continue
            reached += 1
            own = [score for at, score in recount.scores[row.patient] if low * DAY <= at - begun < high * DAY]
            last += own[-1:]
        stage = shown[name]
        assert (stage.reached, stage.pain.n) == (reached, len(last))
        assert stage.pain.median == (pytest.approx(float(np.median(last))) if last else None)
        quartiles = np.percentile(last, [25, 75]) if len(last) >= 10 else (None, None)
        assert (stage.p25, stage.p75) == (pytest.approx(quartiles[0]), pytest.approx(quartiles[1]))


@given(seed=st.integers(0, 10_000))
@SOME
def test_spells_and_their_curves_are_the_recount(seed: int) -> None:
    """Each spell's end, reason and length recounted; the curve handed to lifelines."""
    life = Life(seed, days=12, patients=20)
    as_of = datetime(2026, 6, 1, tzinfo=UTC)
    period = Period(FIRST, FIRST + timedelta(days=11))
    with facts_of(life.history) as conn:
        report = outcomes.report(conn, [str(one) for one in life.clinics], period, as_of=as_of)
    recount = Recount(entries(life.history, as_of=as_of), life.zones, period.first, period.last, as_of)
    by_fact = {row["fact"]: row for row in recount.rows}
    for curve in report.durations:
        for spell in curve.spells:
            days, ended = _spell(recount, by_fact[spell.fact])
            assert (spell.days, spell.ended) == (pytest.approx(days), ended)
        if curve.spells:
            fitted = KaplanMeierFitter().fit(
                [one.days for one in curve.spells], [one.ended for one in curve.spells]
            )  # fmt: skip
            expected = float(fitted.median_survival_time_)
            assert curve.median_days == (None if np.isinf(expected) else pytest.approx(expected))
    trials = [row for row in recount.rows if row["purpose"] == "trial"]
    responders = {row["fact"] for row in trials if row["reason"] is None and row["fall"] >= Fraction(3, 10)}
    shown = {one.fact for curve in report.durations if curve.group == "trial" for one in curve.spells}
    assert shown == responders


def _spell(recount: Recount, row: dict[str, Any]) -> tuple[float, bool]:
    stop, later = row["entry"].at, row["later"]
    scores = [
        (at, score) for at, score in recount.scores[row["patient"]]
        if at >= row["landmark_at"] and (later is None or at < later.event.drug_started_at)
    ]  # fmt: skip
    low = [Fraction(row["baseline"] - score, row["baseline"]) < Fraction(3, 10) for _, score in scores]
    for index in range(len(scores) - 1):
        if low[index] and low[index + 1]:
            return (scores[index][0] - stop) / DAY, True
    if later is not None:
        return (later.event.drug_started_at - stop) / DAY, later.event.purpose == "re_induction"
    return (scores[-1][0] - stop) / DAY, False


# --- by example -----------------------------------------------------------------------------------

CLINIC, PATIENT, COURSE, DIARY = uid(1, 1), uid(1, 3), uid(1, 7), uid(1, 8)
START = datetime(2026, 3, 4, 15, tzinfo=UTC)
STOP = START + HOUR
AS_OF = datetime(2026, 8, 1, tzinfo=UTC)


class Told:
    """A clinic in Phoenix and one patient's course, told step by step."""

    def __init__(self) -> None:
        self.history = History()
        self.visits = 0
        opened = START - 90 * DAY
        self.history.add("clinic.opened.v1", CLINIC, opened, clinic=CLINIC, clinic_name="A", timezone="America/Phoenix")
        self.add(
            "course.opened.v1", COURSE, START - 5 * DAY, patient_id=PATIENT, condition="crps", plan="alone",
            prescriber_id=uid(1),
        )  # fmt: skip

    def add(self, name: str, stream: UUID, at: datetime, **fields: Any) -> None:
        self.history.add(name, stream, at, clinic=CLINIC, subject=PATIENT, **fields)

    def scored(self, *scores: tuple[timedelta, int]) -> Told:
        """Scores at these times after the first drug stop."""
        for after, score in scores:
            self.add("diary.pain_scored.v1", DIARY, STOP + after, score=score)
        return self

    def infused(self, at: datetime = START, purpose: str = "trial") -> UUID:
        self.visits += 1
        visit = uid(self.visits, 6)
        self.add(
            "infusion.given.v1", visit, at + HOUR, course_id=COURSE, purpose=purpose, drug_started_at=at,
            dose_mg=Decimal(40), dose_mg_per_kg=Decimal("0.5"), minutes=Decimal(60), complete=True,
        )  # fmt: skip
        return visit

    def report(self, **asked: Any) -> OutcomeReport:
        with facts_of(self.history) as conn:
            return outcomes.report(
                conn, [str(CLINIC)], Period(date(2026, 3, 1), date(2026, 6, 30)), **{"as_of": AS_OF, **asked}
            )


def test_the_landmark_is_the_last_score_from_24_to_72_hours() -> None:
    """Scores before 24 h and after 72 h do not count; the course baseline does, not the visit's."""
    told = Told().scored((-3 * DAY, 8), (-2 * HOUR, 5))
    told.infused()
    told.scored((2 * HOUR, 1), (30 * HOUR, 5), (71 * HOUR, 4), (73 * HOUR, 0))
    report = told.report()
    assert report.landmark_fall.median == 100 * (5 - 4) / 5
    assert report.peak_fall.median == 100 * (5 - 1) / 5


def test_the_course_baseline_stays_that_of_the_first_infusion() -> None:
    """A later infusion is measured against the score before the course, though its own visit began lower."""
    told = Told().scored((-1 * DAY, 8))
    told.infused()
    told.scored((10 * DAY, 4))
    told.infused(START + 11 * DAY, "series")
    told.scored((11 * DAY + 30 * HOUR, 2))
    ordinals = {one.group: one.landmark_fall.median for one in told.report().breakdowns["ordinal"]}
    assert ordinals["2"] == 75.0


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([], [(30 * HOUR, 3)], "no_baseline"),
        ([(-8 * DAY, 7)], [(30 * HOUR, 3)], "no_baseline"),
        ([(-DAY, 0)], [(30 * HOUR, 3)], "baseline_zero"),
        ([(-DAY, 2)], [(30 * HOUR, 0)], "baseline_under_3"),
        ([(-DAY, 7)], [(20 * HOUR, 3), (80 * HOUR, 3)], "missing"),
    ],
)
def test_what_is_left_out_says_why(before: list[Any], after: list[Any], reason: str) -> None:
    """Neither missing nor without baseline is non-response."""
    told = Told().scored(*before)
    told.infused()
    report = told.scored(*after).report()
    assert report.landmark_fall.excluded == {reason: 1}
    assert report.per_infusion_30.denominator == 0
    assert report.per_infusion_30.value is None


def test_a_low_baseline_is_shown_apart() -> None:
    """A fall from 2 to 0 is in the figure for low baselines only."""
    told = Told().scored((-DAY, 2))
    told.infused()
    report = told.scored((30 * HOUR, 0)).report()
    assert (report.low_baseline.numerator, report.low_baseline.denominator) == (1, 1)


def test_an_infusion_the_next_day_supersedes_the_window() -> None:
    """A window under 24 h is superseded, not missing; one still open is pending."""
    told = Told().scored((-DAY, 8))
    told.infused()
    told.infused(STOP + 20 * HOUR, "series")
    assert told.report(as_of=STOP + 60 * HOUR).landmark_fall.excluded == {"superseded": 1, "pending": 1}


def test_exactly_thirty_percent_is_a_response() -> None:
    """10 to 7 is 30 %, whole numbers compared, never floats."""
    told = Told().scored((-DAY, 10))
    told.infused()
    report = told.scored((30 * HOUR, 7)).report()
    assert report.per_infusion_30.numerator == 1
    assert report.per_infusion_50.numerator == 0


def curve(report: OutcomeReport, group: str) -> Any:
    return next(one for one in report.durations if one.group == group)


def test_a_spell_ends_at_the_first_of_two_low_scores_in_a_row() -> None:
    """One bad day is not the end of relief; both ends of the interval are kept."""
    told = Told().scored((-DAY, 8))
    told.infused()
    told.scored((2 * DAY, 3), (4 * DAY, 7), (6 * DAY, 3), (9 * DAY, 7), (10 * DAY, 8), (12 * DAY, 2))
    (spell,) = curve(told.report(), "trial").spells
    assert (spell.days, spell.last_good_days, spell.ended, spell.why) == (9.0, 6.0, True, "pain_returned")


def test_a_planned_infusion_censors_and_a_re_induction_ends_a_spell() -> None:
    """What was planned says nothing about relief; a rescue does."""
    for purpose, ended in (("series", False), ("re_induction", True)):
        told = Told().scored((-DAY, 8))
        told.infused()
        told.scored((2 * DAY, 3))
        told.infused(STOP + 5 * DAY, purpose)
        (spell,) = curve(told.report(), "trial").spells
        assert (spell.days, spell.ended) == (5.0, ended)


def test_a_booster_brought_forward_because_pain_returned_ends_a_spell() -> None:
    """The same booster as planned only censors it."""
    for reason, ended in (("pain_returned", True), ("booked", False)):
        told = Told().scored((-DAY, 8))
        told.infused()
        told.scored((2 * DAY, 3))
        booster = uid(1, 9)
        told.add(
            "course.booster_scheduled.v1", COURSE, STOP + 3 * DAY, booster_id=booster, due_on=date(2026, 4, 4),
            reason_code="protocol_default",
        )  # fmt: skip
        told.add(
            "course.booster_rescheduled.v1", COURSE, STOP + 5 * DAY, booster_id=booster, due_on=date(2026, 3, 12),
            reason_code=reason,
        )  # fmt: skip
        told.infused(STOP + 8 * DAY, "booster")
        (spell,) = curve(told.report(), "trial").spells
        assert (spell.days, spell.ended) == (8.0, ended)


def test_death_censors_and_the_median_is_null_while_not_reached() -> None:
    """A spell without an end has no median."""
    told = Told().scored((-DAY, 8))
    told.infused()
    told.scored((2 * DAY, 3), (4 * DAY, 3))
    told.add("course.closed.v1", COURSE, STOP + 10 * DAY, reason_code="deceased")
    found = curve(told.report(), "trial")
    assert [(one.days, one.ended, one.why) for one in found.spells] == [(10.0, False, "died_or_moved")]
    assert found.median_days is None
    assert found.at_risk[7] == 1


def series(told: Told, planned: int = 6) -> None:
    told.add(
        "course.series_planned.v1", COURSE, STOP + DAY, series_id=uid(1, 4), infusions=planned,
        window_starts=date(2026, 3, 5), window_ends=date(2026, 3, 19),
    )  # fmt: skip


def test_adherence_is_given_of_planned_inside_the_window() -> None:
    """Four of six, one of them after the window."""
    told = Told()
    told.infused()
    series(told)
    for day in (3, 6, 9, 30):
        told.infused(START + day * DAY, "series")
    adherence = told.report().path.series_adherence
    assert (adherence.numerator, adherence.denominator) == (3, 6)


def test_stopping_because_it_worked_is_no_shortfall() -> None:
    """Optimal relief reduces the plan to what had been given."""
    told = Told()
    told.infused()
    series(told)
    given = [told.infused(START + day * DAY, "series") for day in (3, 6)]
    told.add("course.optimal_relief_reached.v1", COURSE, START + 8 * DAY, after_infusion_id=given[-1])
    adherence = told.report().path.series_adherence
    assert (adherence.numerator, adherence.denominator) == (2, 2)


def test_holds_and_the_clinics_cancellations_are_left_out_of_the_plan() -> None:
    """They are excused, up to the shortfall, and counted."""
    told = Told()
    told.infused()
    series(told, planned=4)
    told.infused(START + 3 * DAY, "series")
    for number, (name, fields) in enumerate([
        ("cancelled", {"asked_by": "clinic", "reason_code": "staff_absence"}),
        ("cancelled", {"asked_by": "patient", "reason_code": "illness"}), ("held", {}),
    ]):  # fmt: skip
        appointment, starts = uid(number + 1, 5), START + (4 + number) * DAY
        told.add(
            "appointment.booked.v1", uid(9, 9), START, appointment_id=appointment, patient_id=PATIENT,
            room_id=uid(1, 2), visit_kind="series", starts_at=starts, ends_at=starts + 2 * HOUR, course_id=COURSE,
        )  # fmt: skip
        if name == "cancelled":
            told.add("appointment.cancelled.v1", uid(9, 9), START + DAY, appointment_id=appointment, **fields)
        else:
            visit = uid(99, 6)
            told.add(
                "infusion.patient_arrived.v1", visit, starts, patient_id=PATIENT, visit_kind="series",
                course_id=COURSE, appointment_id=appointment, booked_starts_at=starts,
            )  # fmt: skip
            told.add("infusion.visit_ended_without_infusion.v1", visit, starts + HOUR, reason_code="vital_signs")
    adherence = told.report().path.series_adherence
    assert (adherence.numerator, adherence.denominator) == (1, 2)
    assert adherence.excluded == {"clinic_cancelled": 1, "medical_hold": 1}


def test_28_days_after_the_last_of_the_series() -> None:
    """The last score of days 21 to 28, against the course baseline."""
    told = Told().scored((-DAY, 8))
    told.infused()
    series(told, planned=1)
    told.infused(START + 3 * DAY, "series")
    told.scored((24 * DAY, 2), (30 * DAY, 5), (33 * DAY, 0))
    rates = told.report().responders
    assert (rates.after_28_days_30.numerator, rates.after_28_days_30.denominator) == (1, 1)
    assert (rates.after_28_days_50.numerator, rates.after_28_days_50.denominator) == (0, 1)


def test_the_gate_counts_its_patients_once_and_names_trials_not_assessed() -> None:
    """Positive of assessed; a young trial is pending."""
    told = Told().scored((-DAY, 8))
    visit = told.infused()
    told.scored((30 * HOUR, 3))
    assert told.report(as_of=STOP + 2 * DAY).path.gate_assessed.excluded == {"pending": 1}
    told.add(
        "course.response_assessed.v1", COURSE, STOP + 3 * DAY, infusion_id=visit, positive=True, basis="nrs_fall",
        decision="go_on", prescriber_id=uid(1),
    )  # fmt: skip
    report = told.report()
    assert (report.path.gate_rate.numerator, report.path.gate_rate.denominator) == (1, 1)
    assert (report.path.gate_assessed.numerator, report.path.gate_assessed.denominator) == (1, 1)
    assert (report.responders.gate_50.numerator, report.responders.gate_50.denominator) == (1, 1)


def test_merged_patients_count_as_one() -> None:
    """From the merge on; before it (known_at) as two."""
    told = Told().scored((-DAY, 8))
    told.infused()
    other, visit = uid(2, 3), uid(50, 6)
    told.history.add(
        "infusion.given.v1", visit, START + 9 * DAY, clinic=CLINIC, subject=other, course_id=uid(2, 7), purpose="trial",
        drug_started_at=START + 8 * DAY, dose_mg=Decimal(40), dose_mg_per_kg=Decimal("0.5"), minutes=Decimal(60),
        complete=True,
    )  # fmt: skip
    apart = told.history.head()
    told.history.add(
        "patient.merged.v1", other, START + 20 * DAY, clinic=CLINIC, subject=other, survivor_id=PATIENT,
        reason_code="duplicate",
    )  # fmt: skip
    assert told.report().patients == 1
    assert told.report(known_at=apart).patients == 2


def test_a_prompt_answered_in_its_window_counts_a_superseded_one_does_not() -> None:
    """From 12 h before to 48 h after the due time, with one of the instruments asked."""
    told = Told()
    visit = told.infused()
    for number, days in enumerate((3, 7, 14)):
        told.add(
            "diary.follow_up_due.v1", DIARY, STOP, follow_up_id=uid(number, 9), infusion_id=visit,
            due_at=STOP + days * DAY, instruments=("nrs",),
        )  # fmt: skip
    told.scored((3 * DAY - 11 * HOUR, 4), (7 * DAY + 48 * HOUR, 4))
    told.add("diary.follow_up_superseded.v1", DIARY, STOP + 8 * DAY, follow_up_id=uid(2, 9), by_infusion_id=visit)
    answered = told.report().follow_up_answered
    assert (answered.numerator, answered.denominator, answered.excluded) == (1, 2, {"superseded": 1})


def test_adjunct_therapy_divides_by_the_dates_it_ran() -> None:
    """Started before the infusion and not yet ended."""
    told = Told()
    told.add(
        "patient.adjunct_therapy_started.v1", PATIENT, START, adjunct_id=uid(1, 9), therapy="physiotherapy",
        started_on=date(2026, 3, 1),
    )  # fmt: skip
    told.add(
        "patient.adjunct_therapy_ended.v1", PATIENT, START, adjunct_id=uid(1, 9), ended_on=date(2026, 3, 10),
        reason_code="done",
    )  # fmt: skip
    told.infused()
    told.infused(START + 10 * DAY, "series")
    groups = {one.group: one.landmark_fall.excluded for one in told.report().breakdowns["adjunct"]}
    assert groups == {"yes": {"no_baseline": 1}, "no": {"no_baseline": 1}}
