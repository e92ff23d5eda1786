"""The shape of every answer: the value with its numerator, denominator, exclusions, n, interval and the rows behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from projections.metrics.definitions import current
from projections.metrics.statistics import Interval, mean, mean_interval, median, quantile, wilson

SMALL = 10
"""Under this many, counts are shown and no rate (DESIGN section 7)."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number and all that it rests on.

    `value` is null when there is no denominator, or when a rate would rest on fewer than ten. `excluded` counts what
    was left out, by reason. `rows` are the ids of the facts counted; `numerator_rows` those in the numerator.
    """

    metric: str
    value: float | None
    unit: str
    numerator: float | None = None
    denominator: float | None = None
    excluded: Mapping[str, int] = {}
    n: int = 0
    interval: Interval | None = None
    method: str | None = None
    rows: tuple[str, ...] = ()
    numerator_rows: tuple[str, ...] = ()
    definition: str = ""
    definition_version: int = 1
    flags: Mapping[str, int] = {}


def left_out(reasons: Iterable[str]) -> dict[str, int]:
    """Counts by reason, in the order of the reasons' names."""
    return dict(sorted(Counter(reasons).items()))


def proportion(
    metric: str,
    counted: Sequence[str],
    among: Sequence[str],
    excluded: Mapping[str, int] | None = None,
    interval: Interval | None = None,
    method: str = "wilson",
) -> Figure:
    """A share of things: `counted` of `among` (fact ids). Under ten no value and no interval, only the counts."""
    n = len(among)
    shown = n >= SMALL
    limits = (interval if method != "wilson" else wilson(len(counted), n)) if shown else None
    definition = current(metric)
    return Figure(
        metric=metric, value=len(counted) / n if shown else None, unit="share", numerator=len(counted), denominator=n,
        excluded=excluded or {}, n=n, interval=limits, method=method if limits else None, rows=tuple(among),
        numerator_rows=tuple(counted), definition=definition.name, definition_version=definition.version,
    )  # fmt: skip


def quotient(
    metric: str,
    numerator: float,
    denominator: float,
    unit: str = "share",
    *,
    n: int = 0,
    rows: Iterable[str] = (),
    excluded: Mapping[str, int] | None = None,
    flags: Mapping[str, int] | None = None,
) -> Figure:
    """A ratio of amounts (minutes over minutes); null without a denominator, never 0."""
    definition = current(metric)
    return Figure(
        metric=metric, value=numerator / denominator if denominator else None, unit=unit, numerator=numerator,
        denominator=denominator, excluded=excluded or {}, n=n, rows=tuple(rows), flags=flags or {},
        definition=definition.name, definition_version=definition.version,
    )  # fmt: skip


def amount(
    metric: str,
    value: float | None,
    unit: str,
    *,
    n: int = 0,
    rows: Iterable[str] = (),
    excluded: Mapping[str, int] | None = None,
    flags: Mapping[str, int] | None = None,
    interval: Interval | None = None,
    method: str | None = None,
) -> Figure:
    """A plain amount: minutes, a count, a coefficient."""
    definition = current(metric)
    return Figure(
        metric=metric, value=value, unit=unit, n=n, rows=tuple(rows), excluded=excluded or {}, flags=flags or {},
        interval=interval, method=method, definition=definition.name, definition_version=definition.version,
    )  # fmt: skip


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Order statistics of a set of durations or scores. The 90th percentile needs at least ten."""

    metric: str
    unit: str
    n: int
    median: float | None
    p90: float | None
    mean: float | None
    mean_interval: Interval | None
    excluded: Mapping[str, int] = {}
    rows: tuple[str, ...] = ()
    definition: str = ""
    definition_version: int = 1
    flags: Mapping[str, int] = {}


def spread(
    metric: str,
    values: Sequence[tuple[float, str]],
    unit: str,
    excluded: Mapping[str, int] | None = None,
) -> Spread:
    """Median, 90th percentile and mean of `values`, each with the fact it came from."""
    numbers = [value for value, _ in values]
    definition = current(metric)
    return Spread(
        metric=metric, unit=unit, n=len(numbers), median=median(numbers),
        p90=quantile(numbers, 0.9) if len(numbers) >= SMALL else None, mean=mean(numbers),
        mean_interval=mean_interval(numbers) if len(numbers) >= SMALL else None, excluded=excluded or {},
        rows=tuple(fact for _, fact in values), definition=definition.name, definition_version=definition.version,
    )  # fmt: skip
