"""How long relief lasts, from columns: see `projections.metrics.duration`."""

from __future__ import annotations

import numpy as np

from projections.columns.codes import Ints
from projections.columns.groups import is_word
from projections.columns.outcomes import OutcomeColumns
from projections.columns.relief import REASONS, WHY, Spells, left_out, spells
from projections.columns.snapshot import Array
from projections.facts.encoding import DAY
from projections.metrics.definitions import current
from projections.metrics.duration import SHOWN_DAYS, Curve, SpellRow
from projections.metrics.figures import FactIds, Figure, amount
from projections.metrics.lazy import Later
from projections.metrics.statistics import ProductLimit

_NONE, _TRIAL, _LAST, _BOOSTERS = -1, 0, 1, 1
"""A booster's group is its number more than `_BOOSTERS`."""


def curves(found: OutcomeColumns) -> tuple[Curve, ...]:
    """A curve for each group with an infusion in the period."""
    groups = _groups(found)
    began = spells(found.facts, found.given, found.courses, found.reliefs, found.pain, found.as_of_us)
    has = np.zeros(len(groups), dtype=bool)
    has[began.of] = True
    reasons = np.where(has, 0, np.where(found.reliefs.left_out > 0, found.reliefs.left_out, len(REASONS)))
    return tuple(
        _curve(found, _name(group), began, groups[began.of] == group, left_out(
            reasons[groups == group], (*REASONS, "not_a_responder")
        ))
        for group in np.unique(groups[groups != _NONE]).tolist()
    )  # fmt: skip


def _groups(found: OutcomeColumns) -> Ints:
    """By relief, which curve its spell belongs to."""
    given, place = found.given, found.reliefs.place
    last = found.end_of_series[given.group[place]] == place if len(place) else np.zeros(0, dtype=bool)
    groups = np.select(
        [
            given.course[place] < 0, is_word(found.facts, given.purpose[place], "trial"),
            is_word(found.facts, given.purpose[place], "booster"), last,
        ],
        [_NONE, _TRIAL, _BOOSTERS + given.boosters[place], _LAST], _NONE,
    )  # fmt: skip
    return groups


def _name(group: int) -> str:
    return ("trial", "last_of_series")[group] if group <= _LAST else f"booster_{group - _BOOSTERS}"


def _curve(found: OutcomeColumns, name: str, began: Spells, own: Array, excluded: dict[str, int]) -> Curve:
    own = np.flatnonzero(own)
    own = own[np.argsort(found.given.fact[found.reliefs.place[began.of[own]]])]
    place = found.reliefs.place[began.of[own]]
    stopped, fact = found.given.stopped_us[place], found.given.fact[place]
    days, ended = (began.until_us[own] - stopped) / DAY, began.ended[own]
    good, why = (began.last_good_us[own] - stopped) / DAY, began.why[own]
    estimate = ProductLimit(days, ended)
    survival = estimate.survival()
    definition = current("relief_duration")
    low, high = survival.median_interval
    both = (low, high) if low is not None and high is not None else None
    median: Figure = amount(
        "relief_duration", survival.median, "days", n=survival.n, excluded=excluded, interval=both,
        method="log_log" if both else None, rows=FactIds("i", fact), numerator_rows=FactIds("i", fact[ended]),
    )  # fmt: skip
    return Curve(
        group=name, n=survival.n, ended=survival.ended, median=median, median_days=survival.median,
        median_interval=survival.median_interval, survival=survival,
        at_risk={day: estimate.at_risk(day) for day in SHOWN_DAYS},
        surviving={day: estimate.surviving(day) for day in SHOWN_DAYS}, excluded=excluded,
        definition=definition.name, definition_version=definition.version,
        spells=Later(len(fact), lambda: tuple(
            SpellRow(f"i{position}", last_good, until, over, WHY[number])
            for position, last_good, until, over, number in zip(
                fact.tolist(), good.tolist(), days.tolist(), ended.tolist(), why.tolist(), strict=True
            )
        )),
    )  # fmt: skip
