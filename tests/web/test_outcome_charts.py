"""How long relief lasts, and dose against fall: what stands always in sight beside the pictures."""

from __future__ import annotations

import re

import pytest

from api.web.address import Rows
from api.web.charts import outcomes as charts
from projections.metrics.duration import SHOWN_DAYS, Curve
from projections.metrics.figures import amount
from projections.metrics.statistics import kaplan_meier
from tests.api.world import PERIOD, World
from tests.web.test_outcomes_and_safety import table

ROWS = Rows("outcomes", {})


def _curve(group: str, spells: int) -> Curve:
    """One spell that ends after each 3 days more."""
    survival = kaplan_meier([(3.0 * (one + 1), True) for one in range(spells)])
    return Curve(
        group=group, n=spells, ended=spells, median_days=survival.median, median_interval=survival.median_interval,
        median=amount("relief_duration", survival.median, "days", n=spells, rows=[f"i{one}" for one in range(spells)]),
        survival=survival, at_risk={day: survival.at_risk(day) for day in SHOWN_DAYS},
        surviving={day: survival.surviving(day) for day in SHOWN_DAYS}, excluded={}, spells=(),
        definition="relief_duration", definition_version=1,
    )  # fmt: skip


def test_how_many_were_at_risk_stands_under_the_curves() -> None:
    """At weeks 0, 2, 4, 8 and 12, for every curve: those drawn first, then those in the data only."""
    chart = charts.duration([_curve("trial", 12), _curve("last_of_series", 4), _curve("booster_1", 30)], ROWS)
    assert chart.below is not None
    titles = ["After", "Start", "Week 2", "Week 4", "Week 8", "Week 12"]
    assert [column.title for column in chart.below.columns] == titles
    assert [[one.value for one in row] for row in chart.below.rows] == [
        ["first infusion", 12, 8, 3, 0, 0], ["booster 1", 30, 26, 21, 12, 3],
        ["last of the series (not drawn)", 4, 0, 0, 0, 0],
    ]  # fmt: skip


def test_curves_that_are_not_drawn_are_named() -> None:
    """Trial, last of the series and every booster are drawn or said to be in the data, with their n."""
    boosters = [_curve(f"booster_{one}", 11) for one in range(1, 8)]
    chart = charts.duration([_curve("trial", 12), _curve("last_of_series", 4), *boosters], ROWS)
    drawn = {point["group"] for point in chart.spec["data"]["values"]}
    named = set(re.findall(r"(?:in the data: |, )([a-z][a-z0-9 ]+?) \(n", chart.aid))
    assert drawn == {"first infusion", "booster 1", "booster 2", "booster 3", "booster 4"}
    assert named == {"last of the series", "booster 5", "booster 6", "booster 7"}
    assert not charts.duration([_curve("trial", 12)], ROWS).aid.count("Not drawn")
    links = dict(chart.rows)
    assert links["booster 7"] == "/rows/outcomes?figure=durations.8.median&"


@pytest.mark.parametrize("spells", [0, 9])
def test_no_curve_no_frame(spells: int) -> None:
    """Nobody followed yet, or too few: said in a sentence."""
    chart = charts.duration([_curve("trial", spells)], ROWS)
    assert chart.nothing and ("ten spells" in chart.nothing) == bool(spells)


def test_all_of_dose_and_response_is_shown(lived: World) -> None:
    """Both doses, every condition and every band stand on the page as the API has them, labelled an association."""
    found = lived.get(f"/v1/dashboards/outcomes?{PERIOD}", "manager", "A").get_json()["figures"]["dose_response"]
    shown = table(lived, "outcomes", "associations")
    assert len(shown) == 2 + len(found["by_condition"])
    assert [row["First infusions"] for row in shown[:2]] == ["mg/kg", "mg/kg/h"]
    assert len(table(lived, "outcomes", "dose-bands")) == len(found["bands"])
    page = lived.browser("manager", "A").get(f"/outcomes?{PERIOD}").text
    assert "An association, not an effect" in page and "Dose and fall: association" in page
