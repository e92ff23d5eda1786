"""A figure as a person reads it: value, what it rests on, what was left out, its definition, the way to its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from api.web.wording import NBSP, NOTHING, count, number, quantity, words
from projections.metrics.definitions import DEFINITIONS, Definition
from projections.metrics.figures import PER, SMALL, Figure, Spread
from projections.metrics.statistics import Interval

__all__ = ["Shown", "defined", "shown"]

OF_MINUTES = frozenset({
    "scheduled_utilization", "actual_utilization", "prime_time_utilization", "weekday_hour", "phase_share", "refill",
})  # fmt: skip
"""Shares of room time: what they divide are minutes."""

_EXPOSURE = {"side_effect_rate": "infusions", "infusions_per_90_days": "patient-days"}
"""What rates are counted over."""

_BY_NAME = {(one.name, one.version): one for one in DEFINITIONS}


def defined(name: str, version: int) -> Definition:
    """The definition that a figure names. Raises KeyError for one that was never published."""
    return _BY_NAME[name, version]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the macros print of a figure. `value` and `unit` are text; `raw` is the number itself (for CSV, charts).

    `doubt` says why the figure is greyed, `too_few` what it rests on where that is too little for a rate.
    """

    path: str
    title: str
    value: str
    unit: str
    raw: float | None
    n: int
    definition: Definition
    rows: int
    href: str | None
    figure: Figure | Spread
    doubt: str = ""
    too_few: str = ""

    @property
    def basis(self) -> str:
        """What the value rests on."""
        return self.too_few or _basis(self.figure)

    @property
    def interval(self) -> str:
        """Its 95 % interval; empty for none."""
        return "" if self.too_few else _interval(self.figure)

    @property
    def left_out(self) -> tuple[tuple[str, int], ...]:
        """How many were left out, by reason."""
        return _counted(self.figure.excluded)

    @property
    def flags(self) -> tuple[tuple[str, int], ...]:
        """What else is to be known of it."""
        return _counted(self.figure.flags)


def shown(figure: Figure | Spread, path: str, href: Callable[[str], str] | None = None, title: str = "") -> Shown:
    """The figure in words. `href` makes the address of the rows of a path."""
    definition = defined(figure.definition, figure.definition_version)
    raw = figure.median if isinstance(figure, Spread) else figure.value
    value, unit = quantity(raw, figure.unit)
    if isinstance(figure, Figure) and raw is None and _is_small_rate(figure):
        value, unit = f"{number(figure.numerator)} of {number(figure.denominator)}", ""
    rows = len(figure.rows)
    return Shown(
        path=path, title=title or definition.title, value=value, unit=unit, raw=raw, n=figure.n,
        definition=definition, rows=rows, figure=figure, href=href(path) if href is not None and rows else None,
    )


def _counted(reasons: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((words(reason), many) for reason, many in reasons.items() if many)


def _is_small_rate(figure: Figure) -> bool:
    return figure.unit == "share" and bool(figure.denominator) and figure.n < SMALL and figure.denominator == figure.n


def _basis(figure: Figure | Spread) -> str:
    """What the value rests on, in words."""
    if isinstance(figure, Spread):
        return _spread_basis(figure)
    if figure.denominator is None:
        return f"n{NBSP}{number(figure.n)}" if figure.n else ""
    if not figure.denominator:
        return "nothing to divide by in this period"
    if _is_small_rate(figure):
        return "too few for a rate (under ten)"
    counted = figure.denominator == figure.n
    if figure.metric in PER:
        text = f"{number(figure.numerator)} in {number(figure.denominator)}{NBSP}{_EXPOSURE[figure.metric]}"
    elif figure.metric in OF_MINUTES:
        text = _of_minutes(figure)
    else:
        text = f"{number(figure.numerator)} of {number(figure.denominator)}"
    return text if counted or not figure.n else f"{text} · n{NBSP}{number(figure.n)}"


def _of_minutes(figure: Figure) -> str:
    """Minutes of minutes; hours where the minutes are too many to grasp."""
    numerator, denominator = figure.numerator or 0.0, figure.denominator or 0.0
    if denominator >= 6_000:
        return f"{number(numerator / 60)} of {number(denominator / 60)}{NBSP}h"
    return f"{number(numerator)} of {number(denominator)}{NBSP}min"


def _spread_basis(figure: Spread) -> str:
    if figure.n == 0:
        return "none in this period"
    if figure.p90 is None:
        return f"median of {number(figure.n)}; too few for more"
    p90, unit = quantity(figure.p90, figure.unit)
    return f"median; 90{NBSP}% within {p90}{NBSP}{unit} · n{NBSP}{number(figure.n)}"


def _interval(figure: Figure | Spread) -> str:
    limits: Interval | None = figure.mean_interval if isinstance(figure, Spread) else figure.interval
    if limits is None:
        return ""
    low, unit = quantity(limits[0], figure.unit)
    high, _ = quantity(limits[1], figure.unit)
    if isinstance(figure, Spread):
        mean, _ = quantity(figure.mean, figure.unit)
        return f"mean {mean}{NBSP}{unit} (95{NBSP}%: {low} to{NBSP}{high})"
    return f"95{NBSP}%: {low} to {high}{NBSP}{unit}"


def left_out_in_words(one: Shown) -> str:
    """`3 idle, 2 walk-in`, or a dash."""
    return ", ".join(f"{number(many)} {reason}" for reason, many in one.left_out) or NOTHING


def rows_in_words(one: Shown) -> str:
    """`142 rows`."""
    return count(one.rows, "row")
