"""Dashboards: figures that open into their rows, cut by as_of and known_at, as fresh as was asked for."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from api.http import examples as ex
from tests.api.world import World

NAMES = ("utilization", "outcomes", "safety", "boosters", "operations", "funnel")


def _figures(value: Any) -> list[dict[str, Any]]:
    """Every figure of a dashboard, wherever it stands."""
    if isinstance(value, dict):
        if "metric" in value and "rows" in value:
            return [value]
        return [figure for inner in value.values() for figure in _figures(inner)]
    if isinstance(value, list):
        return [figure for inner in value for figure in _figures(inner)]
    return []


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_says_what_it_rests_on(lived: World, name: str) -> None:
    """Value, n, exclusions, definition and version; a ratio without a denominator is null."""
    shown = lived.get(f"/v1/dashboards/{name}", "manager", "A").get_json()
    assert shown["clinics"] == [lived.ids[ex.CLINIC]]
    for figure in _figures(shown["figures"]):
        assert figure["definition"] and figure["definition_version"] >= 1, figure
        assert "excluded" in figure and "n" in figure
        if figure.get("denominator") == 0:
            assert figure["value"] is None, figure


@pytest.mark.parametrize("name", ["utilization", "outcomes", "safety", "operations", "funnel"])
def test_every_figure_opens_into_its_rows(lived: World, name: str) -> None:
    """The link of each figure leads to as many rows as it counted, each an entry of the log."""
    shown = lived.get(f"/v1/dashboards/{name}", "manager", "A").get_json()
    opened = 0
    for figure in [one for one in _figures(shown["figures"]) if one["rows"]["count"]][:12]:
        answer = lived.get(figure["rows"]["href"] + "&limit=500", "manager", "A")
        assert answer.status_code == 200, answer.text
        page = answer.get_json()
        assert page["count"] == figure["rows"]["count"]
        assert len(page["rows"]) == page["count"], figure["metric"]
        opened += 1
    assert opened


def test_known_at_shows_what_was_known(lived: World) -> None:
    """At an early position nothing had been given yet; the answer says which position it took."""
    now = lived.get("/v1/dashboards/safety", "manager", "A").get_json()
    early = lived.get("/v1/dashboards/safety?known_at=30", "manager", "A").get_json()
    assert (now["figures"]["infusions"], early["figures"]["infusions"]) == (1, 0)
    assert early["known_at"] == 30
    moment = lived.services.log.read(29, 1)[0].recorded_at.isoformat().replace("+", "%2B")
    assert lived.get(f"/v1/dashboards/safety?known_at={moment}", "manager", "A").get_json()["known_at"] >= 30


def test_a_dashboard_waits_for_the_position_asked(lived: World) -> None:
    """Read your writes: 503 with Retry-After while the read side is behind, an answer once it is there."""
    written = lived.post(
        f"/v1/diary/{lived.ids[ex.PATIENT]}/pain", {"score": 5}, key=lived.keys["nurse", "A"],
        idempotency_key=str(uuid4()),
    )
    position = int(written.headers["Anodyne-Position"])
    url = f"/v1/dashboards/outcomes?min_position={position}"
    behind = lived.get(url, "manager", "A")
    assert (behind.status_code, behind.get_json()["code"]) == (503, "read-side-behind")
    assert behind.headers["Retry-After"] == "1"
    lived.caught_up()
    assert lived.get(url, "manager", "A").status_code == 200
    assert lived.get("/v1/dashboards/outcomes?min_position=999999999", "manager", "A").status_code == 422


@pytest.mark.parametrize("query", [
    "?from=2026-03-02&to=2026-03-01", "?from=2010-01-01&to=2026-01-01", "?from=2026-02-30", "?as_of=now", "?known_at=x",
    "?clinics=x", "?min_position=-1", "?x=1",
])  # fmt: skip
def test_a_wrong_question_is_refused(lived: World, query: str) -> None:
    """422 with a pointer."""
    answer = lived.get(f"/v1/dashboards/utilization{query}", "manager", "A")
    assert answer.status_code == 422 and answer.get_json()["errors"], answer.text


def test_another_clinics_dashboard_is_not_there(lived: World) -> None:
    """404, whether the clinic exists or not."""
    theirs = lived.get(f"/v1/dashboards/outcomes?clinics={lived.ids[ex.OTHER_CLINIC]}", "manager", "A")
    nowhere = lived.get(f"/v1/dashboards/outcomes?clinics={uuid4()}", "manager", "A")
    assert theirs.status_code == nowhere.status_code == 404
