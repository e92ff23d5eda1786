"""What the picture of a patient draws."""

from __future__ import annotations

from datetime import timedelta

from api.web.charts import Chart
from api.web.charts import patient as charts
from tests.projections.test_outcomes import DAY, START, Told
from tests.projections.test_patient_picture import drawn


def test_what_lies_years_before_the_course_is_drawn_on_request_only() -> None:
    """Imported scores of years before the first course would press the course into a corner: the picture begins eight
    weeks before it; its table always holds all."""
    recent = drawn(Told().scored((-3 * DAY, 8)), START + DAY)
    told = Told().scored((-3 * DAY, 8), (-3000 * DAY, 4))
    found = drawn(told, START + DAY)
    since = charts.drawn_from(found)
    assert charts.drawn_from(recent) is None
    assert since == (START - 5 * DAY - timedelta(days=charts.BEFORE_DAYS)).date()

    def scores(chart: Chart) -> list[int]:
        (pain,) = [layer for layer in chart.spec["layer"] if layer["name"] == "pain"]
        return [one["y"] for one in pain["data"]["values"]]

    assert scores(charts.course(found, since)) == [8]
    assert scores(charts.course(found)) == [4, 8]
    assert charts.course(found, since).table == charts.course(found).table
