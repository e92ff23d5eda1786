"""From a patient's tap to the open list of alerts: it comes by itself, and never over a form that is begun."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served
from tests.browser.support import follow
from tests.browser.test_from_home import OLD_PHONE, links

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

RENEW = "htmx.ajax('GET', '{path}', {{source: '{id}', target: '{id}', select: '{select}', swap: 'outerHTML'}})"
LIST, COUNT = RENEW.format(path="/alerts", id="#alerts", select="#alerts"), RENEW.format(
    path="/lag", id="#lag", select="#lag")
"""What the page asks for every 15 and 10 seconds, at once."""


def _tell(served: Served, browser: Browser) -> None:
    """A patient taps chest pain behind a link, and nothing more."""
    (path,) = links(served, 1)
    context = browser.new_context(base_url=served.address, **OLD_PHONE)
    page = context.new_page()
    page.goto(path)
    while "side effect" not in page.get_by_role("heading", level=1).inner_text():
        follow(page.get_by_role("button", name="I prefer not to answer"))
    follow(page.get_by_role("button", name="Yes"))
    follow(page.get_by_role("button", name="Chest pain"))
    assert page.get_by_role("heading", level=1).inner_text() == "This may need help at once."
    context.close()


def test_an_alert_comes_to_the_open_page_and_is_acknowledged_there(
    served: Served, browser: Browser, open_as: Callable[..., Page]
) -> None:
    page = open_as("owner", "/alerts")
    before = page.locator("#alerts > section").count()
    _tell(served, browser)
    for _ in range(60):
        page.evaluate(LIST)
        if page.locator("#alerts > section").count() > before:
            break
        page.wait_for_timeout(250)
    new = page.locator("#alerts > section").last
    expect(new).to_contain_text("Chest pain")
    page.evaluate(COUNT)
    expect(page.locator(".side-nav .nav-count b")).to_have_text(str(before + 1))
    choice = new.get_by_label("What was done")
    assert choice.input_value() == "", "nothing is chosen beforehand"
    choice.select_option("false_alarm")
    choice.blur()
    page.locator("#alerts").evaluate("list => list.dataset.old = 'yes'")
    page.evaluate(LIST)
    page.wait_for_timeout(500)
    expect(page.locator("#alerts")).to_have_attribute("data-old", "yes")
    assert choice.input_value() == "false_alarm"
    follow(new.get_by_role("button", name="Acknowledge"))
    expect(page.get_by_text("Acknowledged. Nobody else is told of it.")).to_be_visible()
