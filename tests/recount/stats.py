"""Intervals, orders and curves, by scipy and lifelines; what is shown when there is too little to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times
from scipy import stats

FEW = 10
"""Fewer than this: counts without a rate, and without an interval."""


def wilson(successes: int, n: int) -> list[float] | None:
    """95 % score interval of a share."""
    if n < FEW:
        return None
    found = stats.binomtest(int(successes), int(n)).proportion_ci(method="wilson")
    return [float(found.low), float(found.high)]


def exact_poisson(events: int, exposure: float, per: float = 1.0) -> list[float] | None:
    """Garwood's exact 95 % interval of a rate, from chi-squared quantiles."""
    if exposure < FEW:
        return None
    low = 0.0 if events == 0 else stats.chi2.ppf(0.025, 2 * events) / 2
    return [float(low * per / exposure), float(stats.chi2.ppf(0.975, 2 * events + 2) / 2 * per / exposure)]


def share(successes: int, n: int, excluded: dict[str, int] | None = None, interval: str = "wilson") -> dict[str, Any]:
    """A share as a dashboard shows it."""
    value = successes / n if n >= FEW else None
    found = {"value": value, "numerator": successes, "denominator": n, "n": n, "excluded": dict(excluded or {})}
    return {**found, "interval": wilson(successes, n)} if interval == "wilson" else found


def spread(values: Sequence[float] | pd.Series, excluded: dict[str, int] | None = None) -> dict[str, Any]:
    """Median always; 90th percentile and the normal interval of the mean from ten values on."""
    held = np.asarray(values, dtype=float)
    enough = len(held) >= FEW
    interval = None
    if enough:
        half = float(stats.norm.ppf(0.975) * stats.sem(held))
        interval = [float(held.mean()) - half, float(held.mean()) + half]
    return {
        "n": len(held), "median": float(np.median(held)) if len(held) else None,
        "p90": float(np.percentile(held, 90)) if enough else None, "mean": float(held.mean()) if len(held) else None,
        "mean_interval": interval, "excluded": dict(excluded or {}),
    }  # fmt: skip


def clustered_bootstrap(
    successes: pd.Series, clusters: pd.Series, confidence: float, rounds: int = 4_000
) -> tuple[float, float]:
    """Percentile interval of a share under resampling of whole clusters, by scipy."""
    per = pd.DataFrame({"hit": successes.astype(float).to_numpy(), "of": clusters.to_numpy()})
    sums = per.groupby("of")["hit"].agg(["sum", "count"]).to_numpy(dtype=float)
    found = stats.bootstrap(
        (sums[:, 0], sums[:, 1]), lambda hit, of, axis=-1: hit.sum(axis=axis) / of.sum(axis=axis), paired=True,
        vectorized=True, n_resamples=rounds, method="percentile", confidence_level=confidence,
        rng=np.random.default_rng(7),
    )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def kaplan_meier(days: Sequence[float], ended: Sequence[bool]) -> KaplanMeierFitter:
    """The curve with log-log intervals."""
    return KaplanMeierFitter().fit(list(days), list(ended))


def km_median(fitted: KaplanMeierFitter) -> tuple[float | None, list[float | None]]:
    """Median survival and its interval; None while not reached."""
    interval = median_survival_times(fitted.confidence_interval_).to_numpy().ravel()
    lower, upper = sorted(float(one) for one in interval)
    return _finite(fitted.median_survival_time_), [_finite(lower), _finite(upper)]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def spearman(x: Sequence[float], y: Sequence[float]) -> tuple[float | None, list[float] | None]:
    """Rho and its interval by Fisher's z with the variance of Bonett and Wright."""
    if len(x) < FEW:
        return None, None
    rho = float(stats.spearmanr(x, y).statistic)
    if not np.isfinite(rho):
        return None, None
    error = np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    z = np.arctanh(rho) if abs(rho) < 1 else np.inf * np.sign(rho)
    return rho, [float(np.tanh(z - 1.959963984540054 * error)), float(np.tanh(z + 1.959963984540054 * error))]
