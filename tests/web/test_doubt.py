"""Relief on thin follow-up is greyed, with the reason; a chart without a mark is a sentence, not an empty frame."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from api.digest.lines import Line
from api.digest.sending import _TEMPLATES
from api.digest.week import Week
from api.web.charts import outcomes as charts
from api.web.deltas import delta
from api.web.doubt import RELIEF, doubted, thin
from api.web.figures import Shown, shown
from api.web.outcomes import RESPONDERS, SINGLE
from api.web.tables import figure_cell, figure_table
from projections.metrics.definitions import current
from projections.metrics.figures import Figure, proportion
from tests.api.world import PERIOD, World

ABOUT = (
    "responders_first_30", "responders_gate_30", "responders_28d_30", "landmark_fall", "peak_fall", "onset",
    "infusions_to_relief", "relief_duration", "pain_over_time", "waterfall", "dose_response", "score_change",
)  # fmt: skip
NOT_ABOUT = ("follow_up_answered", "gate_rate", "series_adherence", "closures", "booster_gap", "no_show_rate")


def _answered(many: int, of: int) -> Figure:
    return proportion("follow_up_answered", [f"f{one}" for one in range(many)], [f"f{one}" for one in range(of)])


def _responders(counted: int, of: int) -> Shown:
    facts = [f"i{one}" for one in range(of)]
    return shown(proportion("responders_first_30", facts[:counted], facts), "responders.first_30")


@pytest.mark.parametrize(("many", "of", "why"), [
    (59, 100, "Greyed: only 59.0 % of the follow-ups due were answered."), (60, 100, ""), (100, 100, ""),
    (2, 9, "Greyed: only 2 of 9 follow-ups due were answered."), (6, 9, ""), (0, 0, ""),
    (0, 1, "Greyed: only 0 of 1 follow-ups due were answered."),
])  # fmt: skip
def test_under_sixty_in_a_hundred_answered_relief_is_in_doubt(many: int, of: int, why: str) -> None:
    """The limit itself is enough; of few it is told in counts; where none was due there is nothing to doubt."""
    assert thin(_answered(many, of)) == why


@pytest.mark.parametrize("metric", ABOUT)
def test_every_metric_of_relief_can_be_in_doubt(metric: str) -> None:
    """Whatever is made of scores after infusions rests on those who answered."""
    assert current(metric).name in RELIEF


@pytest.mark.parametrize("metric", NOT_ABOUT)
def test_what_is_no_relief_is_never_in_doubt(metric: str) -> None:
    """Follow-up itself, the gate, attendance: these are of all, not of those who answered."""
    one = structs.replace(_responders(3, 30), definition=current(metric))
    assert doubted(one, "because") == one


def test_a_cell_and_a_row_in_doubt_are_greyed_and_say_why() -> None:
    """In tables the tone never stands without words."""
    one = doubted(_responders(12, 30), "because")
    assert (figure_cell(one).tone, figure_cell(one).note) == ("doubtful", "n\u00a030 · thin follow-up")
    value = figure_table("t", "T", [one]).rows[0][1]
    assert (value.tone, value.note) == ("doubtful", "thin follow-up")
    assert figure_cell(_responders(12, 30)).tone == ""


def test_a_change_from_or_to_a_figure_in_doubt_is_neither_better_nor_worse() -> None:
    """Given a clear rise, it is better; given thin follow-up in either week, it is only a rise, and says so."""
    now, before = _responders(90, 100), _responders(40, 100)
    assert delta(now, before).text.endswith("better")
    for one in (delta(doubted(now, "x"), before), delta(now, doubted(before, "x"))):
        assert (one.tone, one.text) == ("", "50.0\u00a0points")
    assert delta(now, doubted(before, "x")).was.endswith("follow-up was thin")


# --- on the pages -----------------------------------------------------------------------------------


def _tiles(page: str) -> dict[str, str]:
    """The page's tiles by their titles."""
    found = re.findall(r'(<article class="figure.*?</article>)', page, re.S)
    return {_plain(re.search(r"<h\d[^>]*>(.*?)<span class=\"defined\"", one, re.S)[1]): one for one in found}  # type: ignore[index]


def _plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


def test_outcomes_greys_every_figure_of_relief_and_no_other(lived: World) -> None:
    """Given the story's one follow-up, which was missed: tiles, charts and tables of relief are greyed, each with the
    reason; follow-up itself, the gate and adherence are not."""
    page = lived.browser("manager", "A").get(f"/outcomes?{PERIOD}").text
    why = "Greyed: only 0 of 1 follow-ups due were answered."
    assert "Follow-up is thin." in page
    relief = {*RESPONDERS.values(), *(current(name).title for name in SINGLE if name in RELIEF)}
    tiles = _tiles(page)
    for title, tile in tiles.items():
        assert ("doubtful" in tile) == (why in tile) == (title in relief), title
    assert {"Onset of relief", "Infusions to the first substantial relief", "Follow-up answered"} <= tiles.keys()
    charts = re.findall(r'<figure class="chart([^"]*)".*?</figure>', page, re.S)
    assert len(charts) == 9 and set(charts) == {" doubtful"}
    changes = re.search(r'<div class="table-block doubtful">\s*<div class="table-head">\s*<h3 id="table-changes"', page)
    closures = re.search(r'<div class="table-block">\s*<div class="table-head">\s*<h3 id="table-closures"', page)
    assert changes and closures


def test_clinics_and_rows_grey_relief_too(lived: World) -> None:
    """Side by side each clinic by its own follow-up; the figure above its rows as on its dashboard."""
    browser = lived.browser("manager", "A")
    page = browser.get(f"/clinics?{PERIOD}").text
    value = r'<span class="mark doubtful">[^<]*(?:<a[^>]*>)?[^<]*(?:</a>)?</span>'
    cell = re.search(value + r'\s*<span class="cell-note">([^<]*)', page)
    assert cell and cell[1].endswith("thin follow-up")
    rows = browser.get(f"/rows/outcomes?figure=responders.first_30&{PERIOD}").text
    assert 'class="figure doubtful"' in rows and "Greyed: only 0 of 1" in rows
    assert "doubtful" not in browser.get(f"/rows/outcomes?figure=follow_up_answered&{PERIOD}").text


def test_the_digest_says_so_too() -> None:
    """A line in doubt says why, in text and in HTML."""
    now = doubted(_responders(12, 30), "Greyed: only 2 of 9 follow-ups due were answered.")
    line = Line(now=now, change=delta(now, now), dashboard="outcomes", path="p", rows_href="x", command="y")
    about = {"asked": _Asked(), "lines": [line], "stop": "", "clinics": [], "week": "", "week_before": "", "as_of": ""}
    text, html = (_TEMPLATES.get_template(f"digest.{kind}").render(**about) for kind in ("txt", "html"))
    assert "    Greyed: only 2 of 9 follow-ups due were answered.\n    12 / 30, n 30" in text
    assert "Greyed: only 2 of 9" in html and "opacity: 0.7" in html
    plain = structs.replace(now, doubt="")
    about["lines"] = [Line(now=plain, change=delta(plain, plain), dashboard="", path="", rows_href="", command="")]
    assert "Greyed" not in _TEMPLATES.get_template("digest.txt").render(**about)


class _Asked:
    """What the letter's templates read of the question."""

    week, known_at, href, command = Week.of("2026-W13"), 1, "", ""


# --- nothing to draw --------------------------------------------------------------------------------


def test_a_chart_without_a_mark_is_a_sentence(lived: World) -> None:
    """Given an infusion without scores, no frame is drawn: each chart says what is missing, in a sentence."""
    page = lived.browser("manager", "A").get(f"/outcomes?{PERIOD}").text
    empty = re.findall(r'<figure class="chart[^"]*" data-drawn="nothing".*?</figure>', page, re.S)
    assert len(empty) >= 7
    for one in empty:
        said = re.search(r'<p class="nothing">([^<]+)</p>', one)
        assert said and said[1].endswith(".") and len(said[1]) > 40
        assert "canvas" not in one and "spec" not in one


@pytest.mark.parametrize(("many", "said"), [(0, "No score after"), (4, "No group has ten yet"), (12, "")])
def test_rates_say_why_there_is_no_dot(many: int, said: str) -> None:
    """Nobody scored yet; scored, but too few for a rate; enough: drawn."""
    chart = charts.rates("t", "T", "aid", [("a", _responders(many // 2, many))], (current("responders_first_30"),))
    assert chart.nothing.startswith(said) and bool(chart.nothing) == bool(said)
    assert bool(chart.spec["data"]["values"]) == (not said)
