"""For whom it helps, as a page says it: patients before infusions, and few patients as counts."""

from __future__ import annotations

from typing import Any

from api.web.charts.groups import by_ordinal, compared, infusions
from api.web.wording import NBSP
from projections.metrics.figures import proportion, spread
from projections.metrics.outcomes import Breakdown


def _group(name: str, *, helped: int, patients: int, hits: int, given: int, ordinal: bool = False) -> Breakdown:
    def of(metric: str, counted: int, among: int) -> Any:
        return proportion(metric, [f"i{one}" for one in range(counted)], [f"i{one}" for one in range(among)])

    first = None if ordinal else of("responders_first_30", helped, patients)
    each = of("responders_infusion_30", hits, given)
    return Breakdown(
        group=name, patients=patients, first_30=first, first_50=first,
        landmark_fall=spread("landmark_fall", [], "percent"), responders_30=each, responders_50=each,
    )  # fmt: skip


def _rows(path: str) -> str:
    return "/rows/" + path


MANY = _group("complex_regional_pain_syndrome", helped=8, patients=20, hits=90, given=100)
ONE = _group("phantom_limb", helped=1, patients=1, hits=14, given=14)


def test_the_dot_is_patients_and_the_ring_infusions() -> None:
    """8 of 20 patients, 90 of 100 infusions: 40 % is the headline, with how many stand behind it."""
    chart = compared("condition", "By condition", [MANY], _rows)
    (value,) = chart.spec["data"]["values"]
    assert (value["share"], value["infusions"], value["given"]) == (0.4, 0.9, 100)
    assert value["label"] == f"complex regional pain s…, n{NBSP}20"
    assert chart.description == "complex regional pain syndrome: 40.0 % of 20 patients."
    cells = chart.table.rows[0]
    assert (cells[1].value, cells[1].href) == (0.4, "/rows/breakdowns.condition.0.first_30")
    assert (cells[5].value, cells[5].href) == (0.9, "/rows/breakdowns.condition.0.responders_30")


def test_one_patient_is_no_rate_however_many_infusions() -> None:
    """14 of 14 infusions of one patient: counts in words and table, nothing drawn, nowhere 100 %."""
    chart = compared("condition", "By condition", [ONE], _rows)
    assert chart.spec["data"]["values"] == []
    assert chart.description == "No group has ten patients. Too few for a rate: phantom limb 1 of 1."
    _, patients, low, high, n, each = chart.table.rows[0]
    assert (patients.text, patients.value, low.value, high.value, n.value) == ("1 of 1", None, None, None, 1)
    assert (each.text, each.value, each.note) == ("14 of 14", None, f"of 1{NBSP}patient: too few for a rate")
    assert infusions(ONE, "p", _rows).interval == ""


def test_by_ordinal_too() -> None:
    """Eighth and later infusions of three patients are counts."""
    few = _group("8 and later", helped=0, patients=3, hits=20, given=22, ordinal=True)
    chart = by_ordinal([_group("1", helped=0, patients=30, hits=12, given=30, ordinal=True), few], _rows)
    assert [one["label"] for one in chart.spec["data"]["values"]] == ["1"]
    assert chart.table.rows[1][1].text == "20 of 22"
