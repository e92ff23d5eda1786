"""Today, Boosters, Patient and Funnel in Chromium: drilling down, renewing, and the picture against the log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Served
from tests.browser.states import log, most_infused
from tests.browser.support import drawn, follow

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def _busiest(served: Served) -> str:
    """A moment at which most infusions of the demo ran at once."""
    begun: dict[object, int] = {}
    turns: list[tuple[int, int]] = []
    names = "('infusion.started.v1', 'infusion.given.v1')"
    query = f"SELECT stream_id, name, payload FROM care_events WHERE name IN {names} ORDER BY position"
    for stream, name, payload in log(served, query):
        at = round(datetime.fromisoformat(json.loads(str(payload))["occurred_at"]).timestamp())
        if name == "infusion.started.v1":
            begun[stream] = at
        elif stream in begun:
            turns += [(begun[stream], 1), (at, -1)]
    running, most, best = 0, 0, 0
    for at, step in sorted(turns):
        running += step
        if running > most:
            most, best = running, at
    return datetime.fromtimestamp(best + 1, UTC).isoformat().replace("+00:00", "Z")


def test_from_a_tile_of_today_to_an_event(open_as: Callable[..., Page], served: Served) -> None:
    """A busy moment: the board shows who infuses; the tile leads to rows, a row to its event."""
    page = open_as("owner", f"/today?as_of={_busiest(served)}")
    infusing = page.locator(".room", has=page.locator(".state-word", has_text="infusing"))
    assert infusing.count() >= 2
    expect(infusing.first).to_contain_text("Drug ran")
    expect(infusing.first).to_contain_text("Home, planned")
    tile = page.locator("article.figure", has_text="Patients in the house")
    follow(tile.get_by_role("link").last)
    expect(page.get_by_role("heading", level=1)).to_have_text("Patients in the house")
    follow(page.locator("main tbody a[href^='/events/']").first)
    expect(page).to_have_url(re.compile(r"/events/\d+"))
    expect(page.locator("main")).to_contain_text("Recorded")


def test_the_board_renews_itself(open_as: Callable[..., Page]) -> None:
    """The request that HTMX makes brings the board again, in its place."""
    page = open_as("owner", "/today")
    board = page.locator("#board")
    board.evaluate("board => board.dataset.old = 'yes'")
    with page.expect_response(lambda answer: "/today" in answer.url):
        page.evaluate("htmx.ajax('GET', location.pathname, {target: '#board', select: '#board', swap: 'outerHTML'})")
    expect(page.locator("#board")).not_to_have_attribute("data-old", "yes")
    assert page.locator("#board").count() == 1


def test_without_scripts_the_browser_renews_it(open_as: Callable[..., Page]) -> None:
    """A refresh every 15 seconds, and every table is there."""
    page = open_as("owner", "/today", java_script_enabled=False)
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "15"
    expect(page.get_by_role("heading", name="Left open")).to_be_visible()


def test_a_patients_picture_has_as_many_infusions_as_the_log(open_as: Callable[..., Page], served: Served) -> None:
    """The patient of the demo with most infusions: one triangle each, counted in the log's file."""
    patient, given = most_infused(served)
    assert given >= 5
    page = open_as("owner", f"/patients/{patient}")
    drawn(page)
    assert page.locator("figure[data-chart=course] .infusions_marks path").count() == given
    assert page.locator("figure[data-chart=course] .pain_marks, figure[data-chart=course] [class*=pain]").count() > 0


def test_the_list_of_a_chart_filters(open_as: Callable[..., Page], served: Served) -> None:
    """From the list of boosters to a chart, and there to the doses alone."""
    page = open_as("nurse", "/boosters")
    follow(page.locator("#table-boosters").locator("xpath=ancestor::section").locator("tbody th a").first)
    expect(page).to_have_url(re.compile(r"/patients/[0-9a-f-]{36}"))
    page.locator(".kinds summary").click()
    follow(page.locator(".kinds").get_by_role("link", name="dose", exact=True))
    titles = page.locator(".timeline .entry p:first-child a")
    expect(page.locator(".kinds summary")).to_contain_text("dose")
    assert set(titles.all_text_contents()) <= {
        "Dose ordered", "Dose limit overridden", "Verbal order taken", "Order countersigned", "Bolus given",
        "Infusion started", "Rate changed", "Infusion paused", "Infusion resumed", "Infusion stopped early",
        "Infusion given",
    }  # fmt: skip


def test_one_click_leads_to_the_booking_form_filled_in(open_as: Callable[..., Page]) -> None:
    """Patient, kind and first day come along; the form shows them and offers times."""
    page = open_as("front_desk", "/boosters")
    row = page.locator("tbody tr", has=page.get_by_role("link", name="Book", exact=True)).first
    name = (row.locator("th").first.text_content() or "").strip()
    link = row.get_by_role("link", name="Book", exact=True)
    day = re.search(r"on=(\d{4}-\d\d-\d\d)", link.get_attribute("href") or "")
    assert day is not None
    follow(link)
    expect(page).to_have_url(re.compile(r"/schedule/[0-9a-f-]{36}/book\?"))
    expect(page.locator("main")).to_contain_text(name.split(",")[0])
    assert page.locator("select[name=kind]").input_value() == "booster"
    assert page.locator(f"[value='{day[1]}']").count() > 0


def test_a_name_is_found(open_as: Callable[..., Page]) -> None:
    """Typed, found, opened; the address never holds it."""
    page = open_as("nurse", "/patients")
    name = page.locator("tbody th a").first.text_content() or ""
    page.get_by_label("Family name").fill(name[:4])
    follow(page.get_by_role("button", name="Find"))
    expect(page.locator("tbody th a", has_text=name).first).to_be_visible()
    assert name[:4].lower() not in page.url.lower()


def test_the_funnel_opens_into_referrals(open_as: Callable[..., Page]) -> None:
    """From the step to the referrals that reached it."""
    page = open_as("manager", "/funnel?from=2026-05-01&to=2026-11-24")
    drawn(page)
    page.get_by_text("Data", exact=True).first.click()
    follow(page.locator("#table-steps").locator("xpath=ancestor::section[1]").locator("tbody td a").first)
    expect(page.get_by_role("heading", level=1)).to_have_text("Step reached")
    expect(page.locator("tbody tr").first).to_contain_text("Referral received")
