"""A report as JSON: nothing of a figure is lost on the way, and each leads to its facts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from api.http.figures import as_json
from projections.metrics.figures import Figure, Spread
from projections.metrics.lazy import Later, Lazily

SHARE = Figure(
    metric="no_show_rate", value=0.25, unit="share", numerator=3, denominator=12, excluded={"late": 1}, n=12,
    interval=(0.1, 0.5), method="wilson", rows=("a1", "a2", "a3"), numerator_rows=("a1",), definition="no_show_rate",
)
WAIT = Spread(metric="wait", unit="minutes", n=2, median=4.0, p90=None, mean=4.5, mean_interval=None, rows=("v1", "v2"))


class Clinic(msgspec.Struct, frozen=True):
    share: Figure
    by_reason: Any
    days: Any


class Report(msgspec.Struct, frozen=True):
    as_of: datetime
    together: Clinic


def shown() -> dict[str, Any]:
    days = Later(2, lambda: ((datetime(2026, 3, 1, 9, tzinfo=UTC), WAIT), (None, float("nan"))))
    clinic = Clinic(SHARE, Lazily(["a b&c"], lambda _: SHARE), days)
    report = Report(datetime(2026, 3, 2, tzinfo=UTC), clinic)
    found: dict[str, Any] = json.loads(as_json(report, "/rows?figure=", dashboard="utilization"))
    return found


def test_every_field_of_a_figure_is_told_and_its_facts_are_counted() -> None:
    assert shown()["figures"]["together"]["share"] == {
        "metric": "no_show_rate", "value": 0.25, "unit": "share", "numerator": 3, "denominator": 12,
        "excluded": {"late": 1}, "n": 12, "interval": [0.1, 0.5], "method": "wilson", "definition": "no_show_rate",
        "definition_version": 1, "flags": {}, "rows": {"count": 3, "href": "/rows?figure=together.share"},
    }  # fmt: skip
    assert set(msgspec.to_builtins(SHARE)) - {"numerator_rows"} == set(shown()["figures"]["together"]["share"])


def test_an_address_takes_any_key_of_a_mapping() -> None:
    (figure,) = shown()["figures"]["together"]["by_reason"].values()
    assert figure["rows"]["href"] == "/rows?figure=together.by_reason.a+b%26c"


def test_lists_made_later_moments_and_what_is_not_finite() -> None:
    first, second = shown()["figures"]["together"]["days"]
    assert first[0] == "2026-03-01T09:00:00+00:00"
    assert (first[1]["median"], first[1]["p90"], first[1]["rows"]) == (
        4.0, None, {"count": 2, "href": "/rows?figure=together.days.0.1"})
    assert second == [None, None]


def test_what_the_answer_says_already_is_not_said_again() -> None:
    assert set(shown()) == {"dashboard", "figures"}
    assert set(shown()["figures"]) == {"together"}
