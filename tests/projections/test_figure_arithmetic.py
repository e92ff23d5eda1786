"""Every figure of every report says of what its value is made: anyone may divide the one by the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from projections import outcomes, referral_funnel, safety, utilization
from projections.metrics.calendar import Period
from projections.metrics.definitions import DEFINITIONS
from projections.metrics.figures import SMALL, plain
from tests.support.clinic_life import Life
from tests.support.facts import facts_of

FIRST = date(2026, 3, 2)
FORMULAS = {(one.name, one.version): one.formula for one in DEFINITIONS}


@pytest.fixture(scope="module")
def figures() -> list[tuple[str, dict[str, Any]]]:
    """Every figure of the reports of a busy month: of all clinics, and of a few days with too few for rates."""
    life = Life(7, days=30, patients=40)
    as_of = datetime(2026, 4, 20, 19, tzinfo=UTC)
    clinics = [str(one) for one in life.clinics]
    found = []
    with facts_of(life.history) as conn:
        for days in (2, 30):
            period = Period(FIRST, FIRST + timedelta(days=days - 1))
            for one in (utilization, outcomes, referral_funnel, safety):
                report = plain(one.report(conn, clinics, period, as_of=as_of))
                found += [(f"{one.__name__} {days}", *each) for each in _figures(report)]
    return [(f"{name}{path}", figure) for name, path, figure in found]


def _figures(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if "metric" in value and "numerator" in value:
            yield path, value
        for key, inner in value.items():
            yield from _figures(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _figures(inner, f"{path}.{index}")


def test_value_is_numerator_over_denominator_times_what_the_formula_says(
    figures: list[tuple[str, dict[str, Any]]],
) -> None:
    """`100 * episodes / infusions given`: the numerator is the episodes; without such a factor the plain ratio."""
    checked = set()
    for path, one in figures:
        if one["value"] is None or one["denominator"] is None or one["metric"] == "occupancy_by_time":
            continue  # rooms busy: the clinics' means are added up
        factor, _, rest = FORMULAS[one["definition"], one["definition_version"]].partition(" * ")
        times = int(factor) if rest and factor.isdigit() else 1
        assert one["value"] == pytest.approx(times * one["numerator"] / one["denominator"]), (path, one)
        checked.add(one["metric"])
    assert {"side_effect_rate", "infusions_per_90_days", "no_show_rate", "responders_infusion_30", "refill"} <= checked


def test_the_rows_are_what_is_counted(figures: list[tuple[str, dict[str, Any]]]) -> None:
    """A share of things has as many rows as its denominator says, and as many of them in the numerator."""
    checked = set()
    for path, one in figures:
        if one["unit"] == "share" and one["numerator_rows"]:
            assert (len(one["rows"]), len(one["numerator_rows"])) == (one["denominator"], one["numerator"]), path
            checked.add(one["metric"])
        if one["metric"] == "side_effect_rate":
            assert len(one["rows"]) == one["numerator"], path
        if one["metric"] == "infusions_per_90_days":
            assert len(one["rows"]) == one["numerator"], path
            assert one["denominator"] % one["n"] == 0, path
    assert {"no_show_rate", "responders_infusion_30", "side_effect_share"} <= checked


def test_under_ten_there_is_no_rate(figures: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever the unit, a share of fewer than ten things has counts and neither value nor interval."""
    few = [(path, one) for path, one in figures if one["method"] == "wilson" or one["denominator"] == one["n"] != 0]
    assert any(one["n"] < SMALL for _, one in few)
    for path, one in few:
        if one["n"] < SMALL:
            assert (one["value"], one["interval"]) == (None, None), path
