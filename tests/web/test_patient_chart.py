"""What the picture of a patient draws, and what stands beside it."""

from __future__ import annotations

import re
from datetime import timedelta

from api.http import examples as ex
from api.web.charts import Chart
from api.web.charts import patient as charts
from tests.api.world import World
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


def test_a_booster_given_is_told_from_the_other_infusions() -> None:
    """By form and colour in the picture, by name in its table and its sentence."""
    told = Told().scored((-3 * DAY, 8))
    told.infused()
    told.infused(START + 20 * DAY, "booster")
    chart = charts.course(drawn(told, START + 30 * DAY))
    (infusions,) = [layer for layer in chart.spec["layer"] if layer["name"] == "infusions"]
    assert [one["booster"] for one in infusions["data"]["values"]] == [False, True]
    for channel in ("shape", "color"):
        encoded = infusions["encoding"][channel]
        assert encoded["condition"]["test"] == "datum.booster" and encoded["condition"]["value"] != encoded["value"]
    assert [row[1].value for row in chart.table.rows if "infusion, no." in str(row[2].value)] == [
        "Infusion", "Booster given"
    ]  # fmt: skip
    assert "1\u00a0booster among them" in chart.description


def test_the_follow_up_figure_leads_to_its_prompts(lived: World) -> None:
    """Given prompts that were due, the tile's link goes to their list on the page, each with its event."""
    page = lived.browser("nurse", "A").get(f"/patients/{lived.ids[ex.PATIENT]}").text
    links = re.findall(r'class="figure-rows"><a href="#([^"]+)">', page)
    assert links == ["table-follow-up"]
    listed = page[page.index(f'id="{links[0]}"') :]
    assert "/events/" in listed[: listed.index("</table>")]
