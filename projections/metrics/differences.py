"""Whether two samples differ by more than chance, each kind of figure by a test of its own; 5 %, two-sided."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, hypot, lgamma, log, sqrt

import numpy as np

from projections.metrics.figures import SMALL, FactIds, Figure, Spread
from projections.metrics.statistics import Interval

LEVEL = 0.05

RANKED = frozenset({"wait", "turnover", "drug_start_delay", "lead_time", "waterfall", "infusions_to_relief"})
"""Spreads whose every number is another visit or patient; falls of pain come several from one patient."""


def differ(now: Figure | Spread, before: Figure | Spread) -> bool | None:
    """None where the figures do not carry an answer: amounts, ratios of minutes, intervals of another making, few."""
    if isinstance(now, Spread) and isinstance(before, Spread):
        return _spreads_differ(now, before)
    if not isinstance(now, Figure) or not isinstance(before, Figure) or now.method != before.method:
        return None
    if now.method == "wilson" and now.interval and before.interval and now.value is not None:
        low, high = newcombe(now.value, now.interval, before.value or 0.0, before.interval)
        return not low <= 0 <= high
    if now.method == "exact_poisson":
        events, exposures = [int(one.numerator or 0) for one in (now, before)], (now.denominator, before.denominator)
        return equal_rates(events[0], exposures[0] or 0, events[1], exposures[1] or 0) < LEVEL
    return None


def newcombe(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """The interval of a difference of shares from the Wilson intervals of both (Newcombe 1998, method 10)."""
    difference = first - second
    return (
        difference - hypot(first - of_first[0], of_second[1] - second),
        difference + hypot(of_first[1] - first, second - of_second[0]),
    )


def equal_rates(first: int, over_first: float, second: int, over_second: float) -> float:
    """P of two Poisson rates being one: given all events, those of the first are binomial; the smaller tail doubled."""
    events = first + second
    if not events or not over_first or not over_second:
        return 1.0
    share = over_first / (over_first + over_second)
    below = sum(_binomial(some, events, share) for some in range(first + 1))
    above = sum(_binomial(some, events, share) for some in range(first, events + 1))
    return min(1.0, 2 * min(below, above))


def _binomial(some: int, of: int, share: float) -> float:
    ways = lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)
    return exp(ways + some * log(share) + (of - some) * log(1 - share))


def rank_sum(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """(P, the first's excess of rank) of Wilcoxon, Mann and Whitney: normal, for ties and continuity corrected."""
    values = np.concatenate((first, second))
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    n, m, all_ = len(first), len(second), len(values)
    excess = float(ranks[:n].sum()) - n * (all_ + 1) / 2
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    error = sqrt(n * m / 12 * (all_ + 1 - ties / (all_ * (all_ - 1))))
    if not error:
        return 1.0, excess
    return min(1.0, erfc(max(0.0, abs(excess) - 0.5) / error / sqrt(2))), excess


def _spreads_differ(now: Spread, before: Spread) -> bool | None:
    """By the ranks of the numbers themselves; clear only when the medians went the way that the ranks did."""
    if now.metric not in RANKED:
        return None
    values = [one.rows.numbers if isinstance(one.rows, FactIds) else None for one in (now, before)]
    if values[0] is None or values[1] is None or min(now.n, before.n) < SMALL:
        return None
    p, excess = rank_sum(values[0], values[1])
    return p < LEVEL and excess * ((now.median or 0.0) - (before.median or 0.0)) > 0
