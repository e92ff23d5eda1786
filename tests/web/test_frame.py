"""Every page of the navigation: the frame, who may open it, the same figures as the API's."""

from __future__ import annotations

import re
from html import unescape

import pytest

from api.web.page import NAVIGATION
from projections.metrics.definitions import DEFINITIONS
from tests.api.world import PERIOD, World

THERE = [item.operation for _, items in NAVIGATION for item in items]


@pytest.mark.parametrize("path", ["/utilization", "/clinics", "/glossary"])
def test_a_manager_opens_the_page(lived: World, path: str) -> None:
    """Given a manager, the page has one main heading, the navigation, and says that this is no real clinic."""
    page = lived.browser("manager", "A").get(path)
    assert page.status_code == 200
    assert page.text.count("<h1>") == 1 and 'aria-current="page"' in page.text
    assert "Fictional data" in page.text


@pytest.mark.parametrize("menu", ["menu-panel", "side-nav"])
def test_one_signs_out_on_every_page(lived: World, menu: str) -> None:
    """At a desk that several share: in the menu, by a form of its own, beside the name of who is signed in."""
    browser = lived.browser("manager", "A")
    for path in ("/glossary", "/utilization?from=yesterday", "/account"):
        shown = browser.get(path).text.partition(f'class="{menu}"')[2].partition("</nav>")[0]
        assert "manager A" in shown and '<form method="post" action="/sign-out">' in shown, path
    token = re.search(r'name="csrf_token" value="([^"]+)"', shown)
    assert token is not None
    assert browser.post("/sign-out").status_code == 403, "not from another site's page"
    assert browser.get("/account").status_code == 200
    assert browser.post("/sign-out", data={"csrf_token": token[1]}).status_code == 303
    assert browser.get("/account").status_code == 303


def test_the_front_door_leads_to_the_first_page_of_the_role(lived: World) -> None:
    """A manager lands on a dashboard, a biller, who may open none yet, on what there is."""
    assert lived.browser("manager", "A").get("/").status_code == 303
    assert lived.browser("biller", "A").get("/").status_code == 303


def test_the_page_shows_the_api_s_figure(lived: World) -> None:
    """One definition, one number, whoever asks."""
    figures = lived.get(f"/v1/dashboards/utilization?{PERIOD}", "manager", "A").get_json()["figures"]
    minutes = figures["together"]["rooms"]["occupied_minutes"]
    page = lived.browser("manager", "A").get(f"/utilization?{PERIOD}&format=csv&table=figures").text
    row = next(line for line in page.splitlines() if line.startswith("Occupied room-minutes"))
    assert float(row.split(",")[1]) == pytest.approx(minutes["value"]) and minutes["value"] > 0


def test_a_figure_opens_into_its_rows_and_a_row_into_its_event(lived: World) -> None:
    """Tile, rows, event: three clicks from a number to what was written down."""
    browser = lived.browser("manager", "A")
    page = browser.get(f"/utilization?{PERIOD}").text
    rows = re.search(r'href="(/rows/utilization\?figure=together\.rooms\.actual_utilization[^"]*)"', page)
    assert rows is not None
    shown = browser.get(rows[1].replace("&amp;", "&")).text
    event = re.search(r'href="(/events/[0-9]+)"', shown)
    assert event is not None
    told = browser.get(event[1]).text
    assert "Leaf" in told and "Recorded" in told


def test_what_is_not_there_is_told_in_words(lived: World) -> None:
    """A person gets a page, a program problem+json."""
    browser = lived.browser("manager", "A")
    page = browser.get("/nothing-here")
    assert (page.status_code, page.mimetype) == (404, "text/html") and "Nothing here" in page.text
    assert lived.get("/v1/nothing-here").mimetype == "application/problem+json"
    wrong = browser.get("/utilization?from=yesterday")
    assert wrong.status_code == 422 and "from" in wrong.text


def test_the_glossary_has_every_definition_and_what_it_meant_before(lived: World) -> None:
    """Each name once, at its anchor, with the version in force; versions before it below."""
    page = unescape(lived.browser("nurse", "A").get("/glossary").text)
    for one in DEFINITIONS:
        assert page.count(f'id="{one.name}"') == 1, one.name
        assert one.text in page and one.formula in page, (one.name, one.version)
    assert "<h2 id=\"group-1\">" in page and ">More<" not in page, "every definition has its group"


def test_the_menu_names_a_page_as_the_page_does(lived: World) -> None:
    """What one chooses is the heading of where one comes: alerts of visits are on Today and Safety, not there."""
    client = lived.browser("manager", "A")
    page = client.get("/alerts").text
    here = re.search(r'<a href="/alerts[^"]*" aria-current="page">([^<]+)', page)
    assert here and here[1].strip() == "Alerts from home"
    assert "<h1>Alerts from home</h1>" in page
