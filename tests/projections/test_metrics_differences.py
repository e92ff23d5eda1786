"""Differences against scipy and published examples; what carries no answer gives none."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from projections.metrics.differences import differ, equal_rates, newcombe, rank_sum
from projections.metrics.figures import FactIds, Measured, Spread, amount, proportion, quotient, spread
from projections.metrics.statistics import wilson

VALUES = st.lists(st.integers(0, 8).map(float), min_size=10, max_size=40)


@pytest.mark.parametrize(("first", "second", "limits"), [
    ((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)), ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)), ((10, 10), (0, 10), (0.6075, 1.0)),
])  # fmt: skip
def test_newcombe_s_own_examples(first: tuple[int, int], second: tuple[int, int], limits: tuple[float, float]) -> None:
    """Statistics in Medicine 1998, table II, method 10."""
    of_first, of_second = wilson(*first), wilson(*second)
    assert of_first is not None and of_second is not None
    found = newcombe(first[0] / first[1], of_first, second[0] / second[1], of_second)
    assert found == pytest.approx(limits, abs=6e-5)


@given(VALUES, VALUES)
def test_the_rank_test_is_scipys(first: list[float], second: list[float]) -> None:
    """Ties and all."""
    p, excess = rank_sum(first, second)
    if len({*first, *second}) == 1:
        assert (p, excess) == (1.0, 0.0)
        return
    expected = scipy.stats.mannwhitneyu(first, second, method="asymptotic")
    assert p == pytest.approx(float(expected.pvalue), abs=1e-9)
    assert excess == pytest.approx(float(expected.statistic) - len(first) * len(second) / 2)


@given(st.integers(0, 60), st.integers(10, 400), st.integers(0, 60), st.integers(10, 400))
def test_the_test_of_rates_is_scipys_binomial_tails(x: int, n: int, y: int, m: int) -> None:
    """Conditional on all events; twice the smaller tail."""
    if not x + y:
        assert equal_rates(x, n, y, m) == 1.0
        return
    tails = [float(scipy.stats.binomtest(x, x + y, n / (n + m), alternative=one).pvalue) for one in ("less", "greater")]
    assert equal_rates(x, n, y, m) == pytest.approx(min(1.0, 2 * min(tails)), abs=1e-9)


def _spread(values: list[float], metric: str = "wait") -> Spread:
    facts = FactIds("v", np.arange(len(values))[::-1].copy())
    return spread(metric, Measured(np.array(values), facts), "minutes")


def test_means_apart_are_no_medians_apart() -> None:
    """Half wait 0 and half 20 minutes, in one week three of them for hours: the mean's interval leapt, the ranks did
    not."""
    before, now = [0.0] * 10 + [20.0] * 10, [0.0] * 10 + [21.0] * 7 + [4000.0] * 3
    assert differ(_spread(now), _spread(before)) is False


def test_all_longer_is_clear() -> None:
    """Everybody waits ten minutes more; and the same numbers in another order are the same."""
    before = [float(one) for one in range(20)]
    now = [one + 10 for one in before]
    assert differ(_spread(now), _spread(before)) is True
    assert differ(_spread(before), _spread(before[::-1])) is False


def test_ranks_against_the_median_are_not_clear() -> None:
    """More ranks gained than lost, and the median fell: nothing is claimed."""
    before = [1.0] * 9 + [1.5] * 2 + [2.0] * 9
    now = [1.0] * 2 + [1.4] * 20 + [9.0] * 15
    p, excess = rank_sum(now, before)
    assert p < 0.05 and excess > 0
    assert _spread(now).median == 1.4 and _spread(before).median == 1.5
    assert differ(_spread(now), _spread(before)) is False


def test_few_numbers_or_none_at_hand_say_nothing() -> None:
    """Nine are too few; facts without their numbers cannot be ranked; several falls of one patient are not ranked."""
    many = [float(one) for one in range(20)]
    assert differ(_spread([50.0 + one for one in range(9)]), _spread(many)) is None
    plain = spread("wait", [(one, "v1") for one in many], "minutes")
    assert differ(plain, _spread(many)) is None
    assert differ(_spread([one + 50 for one in many], "landmark_fall"), _spread(many, "landmark_fall")) is None


def test_what_carries_no_answer_gives_none() -> None:
    """Amounts, shares of minutes, and shares whose infusions are not independent."""
    facts = [f"i{one}" for one in range(100)]
    assert differ(amount("overtime_minutes", 90, "minutes"), amount("overtime_minutes", 10, "minutes")) is None
    assert differ(quotient("actual_utilization", 9, 10), quotient("actual_utilization", 1, 10)) is None
    drawn = [
        proportion("responders_infusion_30", facts[:many], facts, None, (many / 100 - 0.01, many / 100 + 0.01),
                   "clustered_bootstrap") for many in (20, 80)
    ]  # fmt: skip
    assert differ(drawn[0], drawn[1]) is None
    assert differ(proportion("no_show_rate", facts[:80], facts), proportion("no_show_rate", facts[:50], facts)) is True
