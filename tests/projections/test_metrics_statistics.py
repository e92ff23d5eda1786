"""Each statistic against an independent implementation: scipy, lifelines, numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times

from projections.metrics.bootstrap import clustered_intervals
from projections.metrics.statistics import (
    clustered_bootstrap,
    clustered_shares,
    kaplan_meier,
    mean_interval,
    median,
    poisson_interval,
    quantile,
    regularized_gamma,
    spearman,
    spearman_interval,
    wilson,
)

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    """The score interval without continuity correction."""
    expected = scipy.stats.binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_nothing_has_no_interval() -> None:
    """Null, never 0."""
    assert wilson(0, 0) is None
    assert median([]) is None
    assert mean_interval([3.0]) is None


@pytest.mark.parametrize("events", [0, 1, 2, 7, 50, 999, 20_000])
def test_poisson_limits_are_those_of_the_chi_squared_quantiles(events: int) -> None:
    """Garwood: half the chi-squared quantiles with 2k and 2k + 2 degrees of freedom."""
    low, high = poisson_interval(events)
    assert low == pytest.approx(scipy.stats.chi2.ppf(0.025, 2 * events) / 2 if events else 0.0, rel=1e-9)
    assert high == pytest.approx(scipy.stats.chi2.ppf(0.975, 2 * events + 2) / 2, rel=1e-9)


@given(st.floats(0.5, 500), st.floats(0, 1_500))
def test_the_incomplete_gamma_function_is_scipys(shape: float, x: float) -> None:
    """On both sides of the switch from series to fraction."""
    assert regularized_gamma(shape, x) == pytest.approx(scipy.stats.gamma.cdf(x, shape), abs=1e-10)


@given(st.lists(numbers, min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_are_numpys(values: list[float], share: float) -> None:
    """Type 7: linear between order statistics."""
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-5, 5)), min_size=2, max_size=40))
def test_spearman_is_scipys_ties_and_all(pairs: list[tuple[int, int]]) -> None:
    """Mean ranks for ties; undefined for a constant."""
    xs, ys = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    rho = spearman(xs, ys)
    if len(set(xs)) == 1 or len(set(ys)) == 1:
        assert rho is None
    else:
        assert rho == pytest.approx(float(scipy.stats.spearmanr(xs, ys).statistic), abs=1e-12)


def test_spearmans_interval_holds_rho_and_needs_four() -> None:
    """Fisher's z with Bonett and Wright's error, worked by hand for rho 0.5 and n 30."""
    low, high = spearman_interval(0.5, 30) or (0, 0)
    half = 1.959963984540054 * math.sqrt((1 + 0.125) / 27)
    assert (low, high) == pytest.approx((math.tanh(math.atanh(0.5) - half), math.tanh(math.atanh(0.5) + half)))
    assert spearman_interval(0.5, 3) is None


durations = st.lists(st.tuples(st.integers(1, 25).map(float), st.booleans()), min_size=1, max_size=80)


@given(durations)
@settings(max_examples=60, deadline=None)
def test_kaplan_meier_is_lifelines(pairs: list[tuple[float, bool]]) -> None:
    """Curve, number at risk, log-log limits, median and its limits; ties and censoring mixed."""
    ours = kaplan_meier(pairs)
    theirs = KaplanMeierFitter().fit([time for time, _ in pairs], [ended for _, ended in pairs])
    limits = theirs.confidence_interval_survival_function_
    for step in ours.steps:
        assert step.surviving == pytest.approx(float(theirs.predict(step.time)), abs=1e-12)
        assert step.at_risk == theirs.event_table.loc[step.time, "at_risk"] == ours.at_risk(step.time)
        low, high = limits.loc[step.time]
        if not math.isnan(low):
            assert step.interval == pytest.approx((low, high), abs=1e-9)
    if not any(math.isclose(step.surviving, 0.5) for step in ours.steps):  # lifelines takes logarithms: either way
        expected = float(theirs.median_survival_time_)
        assert ours.median == (None if math.isinf(expected) else expected)
        low, high = (float(value) for value in median_survival_times(limits).to_numpy()[0])
        assert ours.median_interval == (None if math.isinf(low) else low, None if math.isinf(high) else high)


def test_the_median_is_where_the_curve_first_reaches_one_half() -> None:
    """Exactly one half counts as reached (Kaplan-Meier: the first time with S(t) <= 0.5)."""
    assert kaplan_meier([(1.0, True), (2.0, True), (3.0, False), (4.0, False)]).median == 2.0


def test_the_median_is_null_while_the_curve_stays_above_one_half() -> None:
    """Not reached is not a number."""
    curve = kaplan_meier([(5.0, True), (6.0, False), (7.0, False), (8.0, False)])
    assert curve.median is None
    assert curve.surviving(6.5) == 0.75
    assert curve.surviving(9.0) is None


def test_a_bootstrap_of_patients_is_wider_than_one_of_infusions() -> None:
    """Ten patients of ten like infusions each carry less than a hundred independent ones."""
    alike = {str(patient): [patient % 2] * 10 for patient in range(10)}
    single = {f"{patient}.{n}": [patient % 2] for patient in range(10) for n in range(10)}

    def share(sample: object) -> float | None:
        return sum(sample) / len(sample)  # type: ignore[arg-type, call-overload]

    wide, narrow = clustered_bootstrap(alike, share, 500), clustered_bootstrap(single, share, 500)
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_shares_at_once_are_those_of_the_plain_bootstrap() -> None:
    """The packed sums draw the same patients: the same seed gives the same interval."""
    counts = {"a": (1, 0, 3), "b": (2, 2, 2), "c": (0, 0, 4), "d": (3, 1, 5)}
    for place in (0, 1):
        plain = clustered_bootstrap(
            {name: [own] for name, own in counts.items()},
            lambda sample, at=place: sum(own[at] for own in sample) / sum(own[2] for own in sample), 300,
        )  # fmt: skip
        assert clustered_shares(counts, 300)[place] == pytest.approx(plain)
    assert clustered_shares({"a": (1, 1, 1)}, 300) == [None, None]


@pytest.mark.parametrize(("patients", "most", "likely"), [(6, 3, 0.9), (12, 6, 0.5), (80, 6, 0.05), (400, 7, 0.6)])
def test_the_interval_that_is_computed_is_the_one_that_drawing_patients_gives(
    patients: int, most: int, likely: float
) -> None:
    """Against 8,000 resamples: each end lies between the percentiles beside it (1.5 and 3.5 of a hundred)."""
    draw = np.random.default_rng(patients)
    trials = draw.integers(1, most + 1, patients)
    own = np.stack((draw.binomial(trials, likely), trials), axis=1)
    drawn = own[draw.integers(0, patients, (8_000, patients))].sum(1)
    shares = drawn[:, 0] / drawn[:, 1]
    ((found,),) = clustered_intervals([own])
    assert found is not None
    for end, low, high in ((found[0], 0.015, 0.035), (found[1], 0.965, 0.985)):
        assert np.quantile(shares, low) - 1e-9 <= end <= np.quantile(shares, high) + 1e-9


@pytest.mark.parametrize(("hits", "end"), [((1, 0), 1), ((1, 2), 0)])
def test_an_end_that_many_resamples_share_is_that_share(hits: tuple[int, int], end: int) -> None:
    """Of 300 patients all but two have a share of exactly one half: an eighth of the resamples are one half exactly."""
    own = np.array([[hits[0], 2]] * 298 + [[hits[1], 2]] * 2)
    ((found,),) = clustered_intervals([own])
    assert found is not None
    assert found[end] == 0.5
    assert found[1 - end] == pytest.approx(0.5 + (0.5 if end == 0 else -0.5) * 5 / 300, abs=0.5 / 300)


@pytest.mark.parametrize(("patients", "most"), [(60, 6), (400, 7), (3_000, 6)])
@pytest.mark.parametrize("rare", [1, 2, 5])
@pytest.mark.parametrize("nearly", ["none", "all"])
def test_an_interval_near_none_or_all_is_the_one_that_drawing_patients_gives(
    patients: int, most: int, rare: int, nearly: str
) -> None:
    """Given few successes (or few failures) in all, then the ends stay at 0 (or 1) or between the percentiles there."""
    draw = np.random.default_rng(patients + rare)
    trials = draw.integers(1, most + 1, patients)
    few = np.where(np.arange(patients) < rare, 1, 0)
    own = np.stack((few if nearly == "none" else trials - few, trials), axis=1)
    drawn = np.concatenate([own[draw.integers(0, patients, (1_000, patients))].sum(1) for _ in range(8)])
    shares = drawn[:, 0] / drawn[:, 1]
    ((found,),) = clustered_intervals([own])
    assert found is not None
    assert 0.0 <= found[0] <= own[:, 0].sum() / trials.sum() <= found[1] <= 1.0
    step = 0.25 / trials.sum()  # the share is lumpy: an end may lie between two possible ones
    for end, low, high in ((found[0], 0.01, 0.045), (found[1], 0.955, 0.99)):
        assert np.quantile(shares, low) - step <= end <= np.quantile(shares, high) + step


@given(st.data())
def test_no_interval_hangs_on_which_others_are_computed_with_it(data: st.DataObject) -> None:
    """Given groups of all sizes, near 0 and 100 % too, asked together, alone or turned round: the same."""
    seeds = data.draw(st.lists(st.integers(0, 10_000), min_size=2, max_size=6))
    groups = []
    for seed in seeds:
        draw = np.random.default_rng(seed)
        trials = draw.integers(1, 7, draw.integers(2, 300))
        hits = draw.binomial(trials, draw.choice([0.0, 0.004, 0.3, 0.6, 0.997, 1.0]))
        groups.append(np.stack((hits, np.minimum(hits, draw.binomial(trials, 0.5)), trials), axis=1))
    together, turned = clustered_intervals(groups), clustered_intervals(groups[::-1])[::-1]
    for place, own in enumerate(groups):
        (alone,) = clustered_intervals([own])
        for mine, among, other in zip(alone, together[place], turned[place], strict=True):
            assert mine == pytest.approx(among, abs=1e-9)
            assert mine == pytest.approx(other, abs=1e-9)


def test_one_patient_has_no_interval() -> None:
    """Nothing varies between patients when there is but one."""
    assert clustered_intervals([np.array([[2, 3]])]) == [[None]]


def test_the_bootstrap_is_the_same_every_time() -> None:
    """Seeded: two readers of the same facts see the same interval."""
    counts = {str(name): (name % 3, 3) for name in range(20)}
    assert clustered_shares(counts) == clustered_shares(dict(reversed(counts.items())))


@given(st.lists(numbers, min_size=2, max_size=50))
def test_the_means_interval_is_the_normal_one(values: list[float]) -> None:
    """Mean +- 1.96 standard errors."""
    low, high = mean_interval(values) or (0.0, 0.0)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert high - low == pytest.approx(2 * 1.959963984540054 * error, rel=1e-6, abs=1e-6)
