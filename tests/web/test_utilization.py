"""The page Utilization: what its tables say is what the API says."""

from __future__ import annotations

import csv
import io

import pytest

from api.http import examples as ex
from api.web.figures import shown
from api.web.utilization import when_free
from projections.metrics.figures import amount
from tests.api.world import PERIOD, World


def test_the_third_next_available_is_told_by_kind_of_visit(lived: World) -> None:
    """Consultation, infusion and follow-up each by their own length, as the API has them."""
    figures = lived.get(f"/v1/dashboards/utilization?{PERIOD}", "manager", "A").get_json()["figures"]
    found = figures["third_next_available"][lived.ids[ex.CLINIC]]
    assert found["trial"]["value"] == found["booster"]["value"] == found["series"]["value"]
    answer = lived.browser("manager", "A").get(f"/utilization?{PERIOD}&format=csv&table=third-next-available")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    for title, kind in (("Consultation", "consultation"), ("Infusion", "trial"), ("Follow-up", "follow_up")):
        value = found[kind]["value"]
        assert (float(row[title]) if row[title] else None) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(("days", "text"), [(3.25, "3.2 days"), (0.0625, "1 h 30 min"), (0.01, "14 min"),
                                            (None, "none within 60 days")])  # fmt: skip
def test_soon_is_told_in_hours_and_minutes(days: float | None, text: str) -> None:
    """0.0 days is no answer to somebody on the telephone."""
    assert when_free(shown(amount("third_next_available", days, "days", n=3), "p")).text == text
