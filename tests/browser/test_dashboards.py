"""A manager's way through the dashboards in Chromium: by mouse, by keyboard, on a phone, on paper."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Served
from tests.browser.support import axe, drawn, follow, keep, watch

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

A_PAGE = 50
"""Rows that the page of rows shows at once."""


@pytest.mark.parametrize(("dashboard", "title", "events"), [
    ("utilization", "No-show rate", {"Appointment booked", "Appointment moved", "No show recorded"}),
    ("outcomes?from=2026-05-25&to=2026-11-22", "First infusion: 30 %", {"Infusion given"}),
    ("safety", "Infusions with any side effect", {"Infusion started", "Infusion given"}),
])  # fmt: skip
def test_from_a_tile_to_an_event(
    open_as: Callable[..., Page], dashboard: str, title: str, events: set[str]
) -> None:
    """Number, rows, the one counted, its event, the entry after it: each a click, each saying the same figure."""
    page = open_as("manager", f"/{dashboard}")
    tile = page.locator("article.figure", has=page.get_by_role("heading", name=re.compile(f"^{title}"))).first
    value = tile.locator(".figure-value").inner_text()
    follow(tile.get_by_role("link", name=re.compile(r"\d+ rows")))
    expect(page.locator("article.figure")).to_have_count(1)
    assert page.locator(".figure-value").first.inner_text() == value
    follow(page.get_by_role("link", name="In the numerator"))
    counted = int(page.locator(".figure-basis").first.inner_text().split(" of ")[0])
    assert page.locator("table tbody tr").count() == min(counted, A_PAGE) > 0
    assert set(_column(page, "In the numerator")) == {"yes"}
    named = _column(page, "Event")
    assert set(named) <= events, named
    follow(page.locator("table tbody a[href^='/events/']").first)
    expect(page.get_by_role("heading", level=1)).to_contain_text(named[0])
    expect(page.get_by_text("Leaf", exact=True)).to_be_visible()
    here = page.url
    follow(page.get_by_role("link", name=re.compile("^Entry (before|after)")).first)
    assert page.url != here and "/events/" in page.url


def _column(page: Page, title: str) -> list[str]:
    """The cells under a heading of the only table."""
    heads = [one.strip() for one in page.locator("table thead th").all_inner_texts()]
    at = next(place for place, head in enumerate(heads, 1) if head == title)
    return page.locator(f"table tbody tr > :nth-child({at})").all_inner_texts()


def test_a_definition_shows_by_mouse_and_by_keyboard_and_goes_by_escape(open_as: Callable[..., Page]) -> None:
    """On hover and on focus; it stays while one reads it; Escape takes it away without moving anything."""
    page = open_as("manager", "/utilization")
    button = page.get_by_role("button", name="What Actual utilization means").first
    tip = page.locator(f"#{button.get_attribute('aria-describedby')}")
    expect(tip).to_be_hidden()
    button.hover()
    expect(tip).to_be_visible()
    tip.hover()
    expect(tip).to_be_visible()
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    button.focus()
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("the share in which a room was occupied")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    button.blur()
    button.focus()
    page.keyboard.press("Tab")  # into the tip's own link, which stays open while it has the focus
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/glossary#actual_utilization"))


def test_a_definition_opens_by_touch(open_as: Callable[..., Page]) -> None:
    """On a phone a tap shows it, whole, inside the screen."""
    page = open_as("manager", "/utilization", "phone")
    button = page.get_by_role("button", name="What Turnover means").first
    button.tap()
    box = page.locator(f"#{button.get_attribute('aria-describedby')}").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    keep(page, "definition-phone")


def test_clinics_and_period_are_chosen_and_can_be_shared(open_as: Callable[..., Page]) -> None:
    """By keyboard alone; the address says it all, so another person's browser shows the same."""
    page = open_as("manager", "/utilization")
    all_clinics = page.locator(".figure-value").first.inner_text()
    page.get_by_text("Clinics All 3 clinics").focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("checkbox", name=re.compile("Anodyne Mesa"))
    box.focus()
    page.keyboard.press("Space")
    page.locator("details[open] button", has_text="Show").press("Enter")
    expect(page.get_by_text("2 clinics")).to_be_visible()
    follow(page.get_by_role("link", name="4 weeks"))
    assert {"clinics=", "from=", "to="} <= set(re.findall(r"(?:clinics|from|to)=", page.url))
    value = page.locator(".figure-value").first.inner_text()
    assert value != all_clinics
    other = open_as("owner", page.url)
    assert other.locator(".figure-value").first.inner_text() == value


def test_a_picker_closes_by_escape_and_by_a_click_elsewhere(open_as: Callable[..., Page]) -> None:
    """And the focus goes back to what opened it."""
    page = open_as("manager", "/utilization")
    summary = page.locator(".picker summary", has_text="Period")
    summary.click()
    expect(page.get_by_label("From")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("From")).to_be_hidden()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    summary.click()
    page.locator("h1").click()
    expect(page.get_by_label("From")).to_be_hidden()


def test_the_past_is_a_click_away_from_now(open_as: Callable[..., Page], served: Served) -> None:
    """Given an address of some weeks ago, other numbers, a banner, and the way back."""
    page = open_as("manager", "/clinics")
    now = page.locator("table").first.inner_text()
    page.goto("/clinics?as_of=2026-09-01T12:00:00Z&known_at=2026-09-01T12:00:00Z")
    expect(page.get_by_text("You look at the past")).to_be_visible()
    assert page.locator("table").first.inner_text() != now
    follow(page.get_by_role("link", name="Back to now"))
    expect(page.get_by_text("You look at the past")).to_be_hidden()


def test_charts_are_drawn_without_eval_and_tell_their_values(open_as: Callable[..., Page], served: Served) -> None:
    """SVG with marks, our own tooltip, the data a click below; drawn anew when the window changes."""
    page = open_as("manager", "about:blank")
    watched = watch(page, served.address)
    page.goto("/utilization")
    drawn(page)
    for chart in page.locator("figure.chart").all():
        assert chart.locator("svg path").count() > 5
        expect(chart.locator(".canvas")).to_have_attribute("role", "img")
    bars = page.locator('figure[data-chart="time-of-day"] svg .mark-rect path')
    bars.nth(8).hover()  # in the morning, when rooms are busy
    expect(page.locator(".chart-tip")).to_contain_text("Busy: ")
    wide = page.locator('figure[data-chart="days"] svg').bounding_box()
    page.set_viewport_size({"width": 1000, "height": 800})
    page.wait_for_timeout(500)
    narrow = page.locator('figure[data-chart="days"] svg').bounding_box()
    assert wide and narrow and abs(narrow["width"] - wide["width"]) > 20
    data = page.locator('figure[data-chart="days"] details.data')
    data.locator("summary").click()
    expect(data.locator("table")).to_be_visible()
    assert watched.found(page) == []


@pytest.mark.parametrize("path", ["clinics", "boosters", "patients"])
def test_every_table_downloads_as_csv(open_as: Callable[..., Page], tmp_path: Path, path: str) -> None:
    """What the page shows and more rows than fit it, readable by any program."""
    page = open_as("manager", f"/{path}")
    links = page.locator("a.csv").all()
    assert links
    for place, link in enumerate(links):
        with page.expect_download() as begun:
            link.click()
        saved = tmp_path / f"{place}.csv"
        begun.value.save_as(saved)
        assert begun.value.suggested_filename.startswith(f"anodyne-{path}-")
        with saved.open(encoding="utf-8", newline="") as file:
            titles, *rows = csv.reader(file, strict=True)
        assert len(set(titles)) == len(titles) and {len(row) for row in rows} == {len(titles)}
        block = link.locator("xpath=ancestor::div[contains(@class, 'table-block')]")
        assert len(rows) >= block.locator("tbody tr").count() > 0


def test_tables_sort_by_links(open_as: Callable[..., Page]) -> None:
    """Up, then down, told to those who cannot see it; without any script."""
    page = open_as("manager", "/clinics", java_script_enabled=False)
    follow(page.get_by_role("link", name="Wait", exact=True))
    head = page.locator("th[aria-sort]")
    assert (head.count(), head.get_attribute("aria-sort")) == (1, "descending")
    at = page.locator("thead th").all_inner_texts().index(head.inner_text())

    def waits() -> list[float]:
        cells = page.locator(f"#content table >> nth=0 >> tbody tr td:nth-child({at + 1}) a").all_inner_texts()
        return [float(one.split()[0].replace("\u2212", "-")) for one in cells]

    assert waits() == sorted(waits(), reverse=True) and len(waits()) == 3
    follow(page.get_by_role("link", name="Wait", exact=True))
    assert waits() == sorted(waits())


def test_dark_by_choice_is_remembered(open_as: Callable[..., Page]) -> None:
    """A link chooses, a cookie remembers, the charts follow."""
    page = open_as("manager", "/utilization")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    follow(page.get_by_role("link", name="Dark", exact=True))
    page.goto("/glossary")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    follow(page.get_by_role("link", name="Auto", exact=True))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_on_paper_everything_is_there(open_as: Callable[..., Page]) -> None:
    """Light even from a dark screen, tables open, definitions as notes, the address and when; no navigation."""
    page = open_as("manager", "/utilization", "dark")
    drawn(page)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator("nav.side-nav")).to_be_hidden()
    assert page.locator("details.data table").count() == page.locator("details.data table:visible").count() > 0
    notes = page.locator(".notes dt").all_inner_texts()
    assert any(one.startswith("Actual utilization") for one in notes)
    expect(page.locator(".printed")).to_contain_text("/utilization")
    keep(page, "utilization-on-paper")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator("details.data[open]").count() == 0


HIDDEN = """all => all.filter(one => !one.checkVisibility() || one.getBoundingClientRect().height === 0)
    .map(one => one.closest("details").querySelector("summary").textContent.trim())"""
"""The summaries of what is closed: nothing of it would be printed."""


@pytest.mark.parametrize("script", [True, False])
def test_on_paper_nothing_is_closed_on_any_dashboard(open_as: Callable[..., Page], script: bool) -> None:
    """What was left out, the board as a table, the lists of a patient: printed without a click, with a script or
    without; on the screen they are closed as before."""
    page, seen, patient = open_as("owner", "/patients", java_script_enabled=script), 0, ""
    patient = page.locator("table tbody th a").first.get_attribute("href") or ""
    for path in ("/today", "/clinics", "/utilization", "/outcomes", "/safety", "/funnel", "/boosters", patient):
        page.goto(path)
        inside = page.locator("details:not([data-closes]) > :not(summary)")
        if script and path not in ("/today", "/clinics", "/boosters"):
            drawn(page)
        closed = inside.evaluate_all(HIDDEN)
        seen += len(closed)
        page.emulate_media(media="print")
        assert inside.evaluate_all(HIDDEN) == [], path
        keep(page, f"{path.strip('/').partition('/')[0]}-on-paper{'' if script else '-without-script'}")
        page.emulate_media(media="screen")
        assert inside.evaluate_all(HIDDEN) == closed, path
        if script:
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
            assert page.locator("details:not([data-closes]):not([open])").count() == 0
            page.evaluate("dispatchEvent(new Event('afterprint'))")
            assert inside.evaluate_all(HIDDEN) == closed, path
    assert seen > 3


def test_the_lag_is_asked_for_again_by_itself(open_as: Callable[..., Page]) -> None:
    """HTMX asks for the banner every ten seconds and says that nobody is looking; no style of its own."""
    page = open_as("manager", "/glossary")
    with page.expect_request("**/lag", timeout=15_000) as asked:
        pass
    assert asked.value.headers["x-anodyne-background"] == "1" and asked.value.headers["hx-request"] == "true"
    assert page.locator("style").count() == 0


def test_the_first_tab_skips_to_the_content(open_as: Callable[..., Page]) -> None:
    """Keyboard all the way."""
    page = open_as("manager", "/utilization")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_on_a_phone_the_menu_leads_everywhere(open_as: Callable[..., Page]) -> None:
    """Opened by a tap, closed by Escape, every target big enough for a thumb."""
    page = open_as("manager", "/utilization", "phone")
    page.get_by_text("Menu", exact=True).tap()
    keep(page, "menu-phone")
    links = page.locator(".menu-panel li a:visible")
    assert links.count() >= 3
    assert all((box := one.bounding_box()) is not None and box["height"] >= 44 for one in links.all())
    links.filter(has_text="Glossary").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Glossary")


def test_where_nothing_can_draw_the_tables_stay(open_as: Callable[..., Page]) -> None:
    """Given that the library does not come, each chart's table is open and no empty picture is left."""
    page = open_as("manager", "about:blank")
    page.route("**/vega-lite.min.js", lambda route: route.abort())
    page.goto("/utilization")
    expect(page.locator("figure.chart details.data[open]")).to_have_count(page.locator("figure.chart").count())
    assert page.locator("figure.chart .canvas:visible").count() == 0


THIN = "from=2026-10-12&to=2026-11-22&known_at=2026-10-25T00:00:00Z&as_of=2026-11-25T00:00:00Z"
"""As known on 25 October, 55 of the 96 follow-ups due until a month later had been answered."""
SERIES = {"light": "#1d8a90", "dark": "#4bb4b9"}


@pytest.mark.parametrize("look", ["light", "dark"])
def test_relief_on_thin_follow_up_is_grey(open_as: Callable[..., Page], look: str) -> None:
    """Given under 60 % answered, relief's values and pictures have no colour and no black, on screen and on paper, and
    say why; other figures stay as they are; axe finds the grey readable."""
    page = open_as("manager", f"/outcomes?{THIN}", look)
    drawn(page)

    def tile(title: str) -> Locator:
        return page.locator("article.figure", has=page.get_by_role("heading", name=re.compile(f"^{title}")))

    def colour(one: Locator) -> str:
        return str(one.evaluate("(one) => getComputedStyle(one).color"))

    grey = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--doubt').trim()")
    rgb = f"rgb({int(grey[1:3], 16)}, {int(grey[3:5], 16)}, {int(grey[5:7], 16)})"
    for title in ("Fall of pain, landmark", "Onset of relief", "Infusions to the first"):
        assert colour(tile(title).locator(".figure-value")) == rgb, title
        expect(tile(title)).to_contain_text("of the follow-ups due were answered")
    assert colour(tile("Follow-up answered").locator(".figure-value")) != rgb
    assert colour(page.locator("#table-changes").locator("xpath=../..").locator("td").first) == rgb
    pictures = page.locator("figure.chart.doubtful svg").all()
    assert len(pictures) >= 2
    for chart in pictures:
        assert SERIES[look] not in chart.inner_html()
    assert axe(page) == []
    page.emulate_media(media="print")
    assert colour(tile("Onset of relief").locator(".figure-value")) == rgb
    keep(page, f"outcomes-thin-{look}")
