"""The statistics behind the figures, in plain Python: the same on both databases and on every machine.

Nothing here rounds. Tests compare each function with scipy or lifelines.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from statistics import NormalDist
from typing import TypeVar

import msgspec

Interval = tuple[float, float]
T = TypeVar("T")

Z95 = NormalDist().inv_cdf(0.975)
"""1.95996...: the standard normal's 97.5th percentile, for 95 % intervals."""


# --- proportions and counts -----------------------------------------------------------------------


def wilson(successes: int, trials: int, z: float = Z95) -> Interval | None:
    """Wilson's score interval of a proportion (Wilson 1927), without continuity correction; None without trials."""
    if trials == 0:
        return None
    share = successes / trials
    shrink = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return (0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half)


def poisson_interval(events: int, confidence: float = 0.95) -> Interval:
    """Garwood's exact interval of a Poisson mean given `events` seen (Garwood 1936)."""
    tail = (1 - confidence) / 2
    low = 0.0 if events == 0 else _gamma_quantile(events, tail)
    return (low, _gamma_quantile(events + 1, 1 - tail))


def _gamma_quantile(shape: float, probability: float) -> float:
    """Where the gamma distribution of `shape` (scale 1) reaches `probability`; bisection to machine precision."""
    low, high = 0.0, shape + 10 * math.sqrt(shape) + 20
    while regularized_gamma(shape, high) < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if regularized_gamma(shape, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def regularized_gamma(shape: float, x: float) -> float:
    """P(shape, x), the lower incomplete gamma function over Gamma(shape): series below shape + 1, fraction above."""
    if x <= 0:
        return 0.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        step = shape
        while abs(term) > abs(total) * 1e-17:
            step += 1
            term *= x / step
            total += term
        return front * total
    return 1 - front * _upper_fraction(shape, x)


def _upper_fraction(shape: float, x: float) -> float:
    """Lentz's continued fraction of the upper incomplete gamma function (Numerical Recipes 6.2)."""
    tiny = 1e-300
    b = x + 1 - shape
    c, d = 1 / tiny, 1 / b
    fraction = d
    for step in range(1, 10_000):
        a = -step * (step - shape)
        b += 2
        d = 1 / (a * d + b if abs(a * d + b) > tiny else tiny)
        c = b + a / c if abs(b + a / c) > tiny else tiny
        fraction *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return fraction


# --- order statistics -----------------------------------------------------------------------------


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between order statistics (Hyndman and Fan's type 7, numpy's default); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    rank = share * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def median(values: Sequence[float]) -> float | None:
    """The middle value, the mean of the two middle ones; None of nothing."""
    return quantile(values, 0.5)


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def mean_interval(values: Sequence[float], z: float = Z95) -> Interval | None:
    """Normal-theory interval of a mean; None with fewer than two values."""
    centre = mean(values)
    if centre is None or len(values) < 2:
        return None
    variance = math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    half = z * math.sqrt(variance / len(values))
    return (centre - half, centre + half)


# --- association ----------------------------------------------------------------------------------


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, ties sharing the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranked = [0.0] * len(values)
    place = 0
    for _, tied in groupby(order, key=values.__getitem__):
        members = list(tied)
        shared = place + (len(members) + 1) / 2
        for member in members:
            ranked[member] = shared
        place += len(members)
    return ranked


def spearman(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Spearman's rho: Pearson's correlation of the ranks; None when undefined (a constant, or fewer than two)."""
    if len(xs) < 2:
        return None
    a, b = ranks(xs), ranks(ys)
    middle = (len(xs) + 1) / 2
    covariance = math.fsum((p - middle) * (q - middle) for p, q in zip(a, b, strict=True))
    spread = math.fsum((p - middle) ** 2 for p in a) * math.fsum((q - middle) ** 2 for q in b)
    return covariance / math.sqrt(spread) if spread > 0 else None


def spearman_interval(rho: float, n: int, z: float = Z95) -> Interval | None:
    """Fisher's z with the standard error of Bonett and Wright (2000), sqrt((1 + rho^2/2)/(n - 3)); None under 4."""
    if n < 4:
        return None
    if abs(rho) >= 1:
        return (rho, rho)
    half = z * math.sqrt((1 + rho * rho / 2) / (n - 3))
    return (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))


# --- clusters -------------------------------------------------------------------------------------

BOOTSTRAP_ROUNDS = 2_000
BOOTSTRAP_SEED = 20_261_123


def clustered_bootstrap(
    clusters: Mapping[str, Sequence[T]],
    statistic: Callable[[Sequence[T]], float | None],
    rounds: int = BOOTSTRAP_ROUNDS,
    seed: int = BOOTSTRAP_SEED,
) -> Interval | None:
    """Percentile interval of `statistic` when whole clusters (patients) are drawn with replacement.

    Seeded, and drawn over the clusters in order of their names: the same facts give the same interval.
    None with fewer than two clusters.
    """
    names = sorted(clusters)
    if len(names) < 2:
        return None
    draw = random.Random(seed)  # noqa: S311 (resampling, not security)
    found = []
    for _ in range(rounds):
        sample = [item for name in draw.choices(names, k=len(names)) for item in clusters[name]]
        value = statistic(sample)
        if value is not None:
            found.append(value)
    low, high = quantile(found, 0.025), quantile(found, 0.975)
    return None if low is None or high is None else (low, high)


def clustered_shares(
    clusters: Mapping[str, Sequence[int]], rounds: int = BOOTSTRAP_ROUNDS, seed: int = BOOTSTRAP_SEED
) -> list[Interval | None]:
    """`clustered_bootstrap` of several shares at once, from (successes..., trials) per cluster.

    The counts of a cluster are packed into one integer, so that a resample is one sum.
    """
    names = sorted(name for name in clusters if clusters[name][-1])
    if len(names) < 2:
        return [None] * (len(next(iter(clusters.values()), (0,))) - 1)
    width = 40
    packed = [sum(count << (width * place) for place, count in enumerate(clusters[name])) for name in names]
    shares = len(clusters[names[0]]) - 1
    draw = random.Random(seed)  # noqa: S311 (resampling, not security)
    mask = (1 << width) - 1
    found: list[list[float]] = [[] for _ in range(shares)]
    for _ in range(rounds):
        total = sum(draw.choices(packed, k=len(packed)))
        trials = total >> (width * shares)
        for place, values in enumerate(found):
            values.append(((total >> (width * place)) & mask) / trials)
    return [(_certain(values, 0.025), _certain(values, 0.975)) for values in found]


def _certain(values: Sequence[float], share: float) -> float:
    found = quantile(values, share)
    assert found is not None
    return found


# --- survival -------------------------------------------------------------------------------------


class Step(msgspec.Struct, frozen=True):
    """The Kaplan-Meier curve from `time` on: who was at risk just before, who ended, who was censored, what is left."""

    time: float
    at_risk: int
    ended: int
    censored: int
    surviving: float
    interval: Interval


class Survival(msgspec.Struct, frozen=True):
    """A Kaplan-Meier curve. `median` is None while the curve has not come down to one half."""

    n: int
    ended: int
    steps: tuple[Step, ...]
    median: float | None
    median_interval: tuple[float | None, float | None]

    def at_risk(self, time: float) -> int:
        """How many were still followed just before `time`."""
        gone = sum(step.ended + step.censored for step in self.steps if step.time < time)
        return self.n - gone

    def surviving(self, time: float) -> float | None:
        """The share still without the event at `time`; None beyond the last observation of a curve above 0."""
        if not self.steps or (time > self.steps[-1].time and self.steps[-1].surviving > 0):
            return None
        return next((step.surviving for step in reversed(self.steps) if step.time <= time), 1.0)


def kaplan_meier(durations: Sequence[tuple[float, bool]], z: float = Z95) -> Survival:
    """Product-limit estimate from (duration, ended) pairs; intervals log-log (exponential Greenwood).

    At a tie the ended count as at risk with the censored, which leave after. The median's interval is where the
    curve's own interval crosses one half (Brookmeyer and Crowley).
    """
    at_risk = len(durations)
    surviving, variance = 1.0, 0.0
    steps: list[Step] = []
    for time, tied in groupby(sorted(durations), key=lambda pair: pair[0]):
        members = list(tied)
        ended = sum(1 for _, event in members if event)
        if ended:
            surviving *= 1 - ended / at_risk
            variance += ended / (at_risk * (at_risk - ended)) if at_risk > ended else 0.0
        steps.append(
            Step(time, at_risk, ended, len(members) - ended, surviving, _log_log(surviving, variance, z))
        )  # fmt: skip
        at_risk -= len(members)
    return Survival(
        n=len(durations),
        ended=sum(step.ended for step in steps),
        steps=tuple(steps),
        median=_first(steps, lambda step: step.surviving),
        median_interval=(_first(steps, lambda step: step.interval[0]), _first(steps, lambda step: step.interval[1])),
    )


def _log_log(surviving: float, variance: float, z: float) -> Interval:
    if surviving in (0.0, 1.0):
        return (surviving, surviving)
    half = z * math.sqrt(variance) / math.log(surviving)
    return (surviving ** math.exp(-half), surviving ** math.exp(half))


def _first(steps: Sequence[Step], height: Callable[[Step], float]) -> float | None:
    return next((step.time for step in steps if step.ended and height(step) <= 0.5), None)
