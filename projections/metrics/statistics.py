"""The statistics behind the figures, in plain Python: the same on both databases and on every machine.

Nothing here rounds. Tests compare each function with scipy or lifelines.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from projections.metrics.lazy import Later

Numbers = Sequence[float] | npt.NDArray[np.float64]
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
    """Where the gamma distribution of `shape` (scale 1) reaches `probability`.

    Newton's steps from Wilson and Hilferty's approximation (1931), kept between limits that are known to enclose it.
    """
    z = NormalDist().inv_cdf(probability)
    x = shape * max(1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape)), 1e-3) ** 3
    low, high = 0.0, math.inf
    for _ in range(100):
        missing = regularized_gamma(shape, x) - probability
        low, high = (x, high) if missing < 0 else (low, x)
        density = math.exp((shape - 1) * math.log(x) - x - math.lgamma(shape)) if x > 0 else 0.0
        step = x - missing / density if density > 0 else -1.0
        if not low < step < high:
            step = (low + high) / 2 if high < math.inf else 2 * x
        if abs(step - x) <= 1e-14 * x:
            return step
        x = step
    return x


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


def quantile(values: Numbers, share: float) -> float | None:
    """Linear interpolation between order statistics (Hyndman and Fan's type 7, numpy's default); None of nothing.

    An array has to be in order already.
    """
    if not len(values):
        return None
    ordered = values if isinstance(values, np.ndarray) else sorted(values)
    rank = share * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (rank - below)


def median(values: Numbers) -> float | None:
    """The middle value, the mean of the two middle ones; None of nothing."""
    return quantile(values, 0.5)


def mean(values: Numbers) -> float | None:
    """Arithmetic mean; None of nothing."""
    if not len(values):
        return None
    return float(np.asarray(values, dtype=np.float64).sum()) / len(values)


def mean_interval(values: Numbers, z: float = Z95, *, centre: float | None = None) -> Interval | None:
    """Normal-theory interval of a mean (`centre`, when it is known); None with fewer than two values."""
    centre = mean(values) if centre is None else centre
    if centre is None or len(values) < 2:
        return None
    variance = float(((np.asarray(values, dtype=np.float64) - centre) ** 2).sum()) / (len(values) - 1)
    half = z * math.sqrt(variance / len(values))
    return (centre - half, centre + half)


# --- association ----------------------------------------------------------------------------------


def ranks(values: Numbers) -> npt.NDArray[np.float64]:
    """Ranks from 1, ties sharing the mean of their ranks."""
    _, place, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def spearman(xs: Numbers, ys: Numbers) -> float | None:
    """Spearman's rho: Pearson's correlation of the ranks; None when undefined (a constant, or fewer than two)."""
    if len(xs) < 2:
        return None
    middle = (len(xs) + 1) / 2
    a, b = ranks(xs) - middle, ranks(ys) - middle
    spread = float((a * a).sum() * (b * b).sum())
    return float((a * b).sum()) / math.sqrt(spread) if spread > 0 else None


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
    steps: Sequence[Step]
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


class ProductLimit:
    """The estimate of a Kaplan-Meier curve as arrays, a place for each time at which someone ended or left.

    Intervals log-log (exponential Greenwood). At a tie the ended count as at risk with the censored, which leave
    after. The median's interval is where the curve's own interval crosses one half (Brookmeyer and Crowley).
    """

    def __init__(self, days: Numbers, ended: Sequence[bool] | npt.NDArray[np.bool_], z: float = Z95) -> None:
        self.time, place, together = np.unique(
            np.asarray(days, dtype=np.float64), return_inverse=True, return_counts=True
        )
        self.n = len(days)
        self._before = np.cumsum(together) - together
        self.at_risks = self.n - self._before
        self.ended = np.bincount(place, weights=np.asarray(ended, dtype=np.float64), minlength=len(self.time))
        self.ended = self.ended.astype(np.int64)
        self.censored = together - self.ended
        self.survivors = np.cumprod(1 - self.ended / self.at_risks)
        left = self.at_risks - self.ended
        step = np.divide(self.ended, self.at_risks * left, out=np.zeros(len(self.time)), where=left > 0)
        inner = (self.survivors > 0) & (self.survivors < 1)
        half = z * np.sqrt(np.cumsum(step))[inner] / np.log(self.survivors[inner])
        self.low, self.high = self.survivors.copy(), self.survivors.copy()
        self.low[inner] = self.survivors[inner] ** np.exp(-half)
        self.high[inner] = self.survivors[inner] ** np.exp(half)

    def at_risk(self, time: float) -> int:
        """How many were still followed just before `time`."""
        place = int(np.searchsorted(self.time, time, side="left"))
        return int(self.at_risks[place]) if place < len(self.time) else 0

    def surviving(self, time: float) -> float | None:
        """The share still without the event at `time`; None beyond the last observation of a curve above 0."""
        if not len(self.time) or (time > self.time[-1] and self.survivors[-1] > 0):
            return None
        place = int(np.searchsorted(self.time, time, side="right"))
        return float(self.survivors[place - 1]) if place else 1.0

    def survival(self) -> Survival:
        """The curve; its steps are made when they are looked at."""
        return Survival(
            n=self.n, ended=int(self.ended.sum()), steps=Later(len(self.time), self._steps),
            median=self._reached(self.survivors),
            median_interval=(self._reached(self.low), self._reached(self.high)),
        )  # fmt: skip

    def _steps(self) -> tuple[Step, ...]:
        columns = (self.time, self.at_risks, self.ended, self.censored, self.survivors, self.low, self.high)
        return tuple(
            Step(time, at_risk, ended, censored, surviving, (low, high))
            for time, at_risk, ended, censored, surviving, low, high in zip(
                *(column.tolist() for column in columns), strict=True
            )
        )

    def _reached(self, heights: npt.NDArray[np.float64]) -> float | None:
        """The first time at which the curve of these heights is at one half or below."""
        places = np.flatnonzero((heights <= 0.5) & (self.ended > 0))
        return float(self.time[places[0]]) if len(places) else None


def kaplan_meier(durations: Sequence[tuple[float, bool]], z: float = Z95) -> Survival:
    """The curve of (duration, ended) pairs."""
    return ProductLimit([time for time, _ in durations], [ended for _, ended in durations], z).survival()
