"""The interval of a share when whole patients are drawn with replacement: the bootstrap without its dice.

The percentile interval of a clustered bootstrap is where the resampled share lies with probability 0.025 and 0.975.
Drawing thousands of samples only estimates that; and a dashboard of 60 groups of thousands of patients would draw
hundreds of millions of patients. Here the two probabilities are computed, by the saddlepoint approximation to the
bootstrap's distribution (Davison and Hinkley 1988; Lugannani and Rice 1980, in Barndorff-Nielsen's r* form): a
resample's share is at most x when the sum of (successes - x * trials) over the drawn patients is at most 0.

Few patients make a lumpy distribution, which a smooth approximation misses: theirs is computed outright, every pair of
sums with its probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from projections.metrics.statistics import Z95, Interval

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

TAIL = 0.025
OUTRIGHT = 8_000
"""Up to so many possible pairs of sums are computed outright."""

_NEWTON, _STEPS = 40, 40


def clustered_intervals(groups: Sequence[Counts]) -> list[list[Interval | None]]:
    """For each group, whose rows are patients (successes, ..., trials), the interval of each share.

    None with fewer than two patients.
    """
    found: list[list[Interval | None]] = [[None] * (own.shape[1] - 1) for own in groups]
    asked = [(place, share) for place, own in enumerate(groups) if len(own) > 1 for share in range(own.shape[1] - 1)]
    if not asked:
        return found
    many = []
    for place, share in asked:
        own = groups[place][:, [share, -1]]
        if _sums(own) <= OUTRIGHT:
            found[place][share] = _outright(own)
        else:
            many.append((place, share, own))
    if many:
        limits = _limits([own for _, _, own in many])
        for (place, share, _), (low, high) in zip(many, limits.tolist(), strict=True):
            found[place][share] = (low, high)
    return found


def _sums(patients: Counts) -> int:
    """How many pairs of sums a resample may have, at most."""
    n, (hits, trials) = len(patients), patients.max(0).tolist()
    return int((n * hits + 1) * (n * trials + 1))


def _outright(patients: Counts) -> Interval:
    """The limits by the distribution itself: the n-th power of one draw's generating function in both counts."""
    n, (hits, trials) = len(patients), patients.max(0).tolist()
    shape = (n * hits + 1, n * trials + 1)
    one = np.zeros(shape)
    np.add.at(one, (patients[:, 0], patients[:, 1]), 1 / n)
    mass = np.fft.irfft2(np.fft.rfft2(one) ** n, shape)
    hit, of = np.nonzero(mass > 1e-12)
    shares, mass = hit / of, mass[hit, of]
    order = np.argsort(shares, kind="stable")
    reached = np.cumsum(mass[order]) / mass.sum()
    low, high = np.searchsorted(reached, (TAIL, 1 - TAIL))
    return float(shares[order][low]), float(shares[order][high])


def _limits(patients: Sequence[Counts]) -> Floats:
    """(low, high) of each share, from (successes, trials) of each patient."""
    size, most = len(patients), max(int(own.max()) for own in patients) + 1
    pairs = np.concatenate([own[:, 0] * most + own[:, 1] for own in patients])
    rows = np.repeat(np.arange(size), [len(own) for own in patients])
    kinds, counts = np.unique(rows * most * most + pairs, return_counts=True)  # patients alike are taken together
    rows = kinds // (most * most)
    column = np.arange(len(kinds)) - np.searchsorted(rows, np.arange(size))[rows]
    width = int(column.max()) + 1
    hits, trials, mass = np.zeros((size, width)), np.zeros((size, width)), np.zeros((size, width))
    hits[rows, column], trials[rows, column] = kinds % (most * most) // most, kinds % most
    mass[rows, column] = counts
    mass /= mass.sum(1, keepdims=True)
    n = np.array([len(own) for own in patients], dtype=np.float64)
    twice = [np.concatenate((column, column)) for column in (hits, trials, mass)]
    limits = _limit(twice[0], twice[1], twice[2], np.tile(n, 2), np.repeat((-Z95, Z95), size))
    low, high = limits[:size], limits[size:]
    lowest, highest = _extremes(hits, trials, mass)
    all_low = (mass * _is(hits, trials, lowest)).sum(1) ** n >= TAIL
    all_high = (mass * _is(hits, trials, highest)).sum(1) ** n >= TAIL
    return np.stack((np.where(all_low, lowest, low), np.where(all_high, highest, high)), axis=1)


def _shares(hits: Floats, trials: Floats, mass: Floats) -> Floats:
    return np.divide(hits, trials, out=np.zeros_like(hits), where=mass > 0)


def _is(hits: Floats, trials: Floats, share: Floats) -> npt.NDArray[np.bool_]:
    """Which patients have this very share: equal fractions divide to the same number."""
    found: npt.NDArray[np.bool_] = _shares(hits, trials, trials) == share[:, None]
    return found


def _extremes(hits: Floats, trials: Floats, mass: Floats) -> tuple[Floats, Floats]:
    """The least and the greatest share of any patient: no resample's lies outside."""
    shares, there = _shares(hits, trials, mass), mass > 0
    return np.where(there, shares, np.inf).min(1), np.where(there, shares, -np.inf).max(1)


def _limit(hits: Floats, trials: Floats, mass: Floats, n: Floats, target: Floats) -> Floats:
    """Where r* is `target`: secant steps from the normal approximation, inside a bracket that closes at every step."""
    least, most = _extremes(hits, trials, mass)
    share = (mass * hits).sum(1) / (mass * trials).sum(1)
    rest = hits - share[:, None] * trials
    error = np.sqrt((mass * rest * rest).sum(1) / n) / (mass * trials).sum(1)
    margin = 1e-9 * np.maximum(most - least, 1e-12)

    low, high = least + margin, most - margin
    x = np.clip(share + target * error, low, high)
    x = np.where((x > low) & (x < high), x, (share + np.where(target < 0, low, high)) / 2)
    tilt = np.zeros(len(n))
    before, r_before = share, np.zeros(len(n))  # r* is 0 at the share itself, nearly
    found: Floats = share.copy()
    left, on = np.arange(len(n)), least < most
    for _ in range(_STEPS):
        left = left[on]  # the others are settled for good: no group's answer hangs on another's
        if not len(left):
            break
        hits, trials, mass, n, target, error, tilt, low, high, before, r_before, x = (
            column[on] for column in (hits, trials, mass, n, target, error, tilt, low, high, before, r_before, x)
        )
        r, tilt = _r_star(hits, trials, mass, n, x, tilt)
        low, high = np.where(r < target, x, low), np.where(r < target, high, x)
        slope = np.where(r != r_before, (x - before) / np.where(r != r_before, r - r_before, 1.0), 0.0)
        after = x + (target - r) * slope
        after = np.where((after > low) & (after < high), after, (low + high) / 2)
        on = np.abs(after - x) > 1e-10 * np.maximum(error, 1e-300)
        before, r_before, x = x, r, after
        found[left] = x
    return found


def _r_star(
    hits: Floats, trials: Floats, mass: Floats, n: Floats, x: Floats, tilt: Floats
) -> tuple[Floats, Floats]:
    """Where x lies in the bootstrap's distribution, as a standard normal's quantile; and the tilt found for it.

    The tilt makes the expected sum 0 (Newton's steps, from that of a neighbouring x).
    """
    z = hits - x[:, None] * trials
    reach = np.maximum(np.where(mass > 0, np.abs(z), 0.0).max(1), 1e-12)
    found_it = np.zeros(len(n), dtype=bool)
    for _ in range(_NEWTON):
        weight = mass * np.exp(np.clip(tilt[:, None] * z, -500, 500))
        total = weight.sum(1)
        mean = (weight * z).sum(1) / total
        spread = (weight * z * z).sum(1) / total - mean * mean
        step = np.clip(-mean / np.maximum(spread, 1e-300), -2 / reach, 2 / reach)
        tilt = np.where(found_it, tilt, tilt + step)
        found_it |= np.abs(step * reach) < 1e-12
        if found_it.all():
            break
    weight = mass * np.exp(np.clip(tilt[:, None] * z, -500, 500))
    total = weight.sum(1)
    spread = (weight * z * z).sum(1) / total
    w = np.sign(tilt) * np.sqrt(np.maximum(-2 * n * np.log(total), 0.0))
    u = tilt * np.sqrt(n * spread)
    small = np.abs(w) < 1e-6
    safe = np.where(small, 1.0, w)
    found = np.where(small, w, w + np.log(np.maximum(np.where(small, 1.0, u / safe), 1e-300)) / safe)
    return found, tilt
