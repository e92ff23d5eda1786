"""Every page of the application, found by following links from the front page, in every look.

A new page is in these sweeps by itself. One that no link leads to fails here: people could not find it either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.exceptions import HTTPException

from api.auth import policy
from api.http.app import create_app
from api.http.pages import is_page
from api.settings import Settings
from tests.browser.conftest import LOOKS, Served
from tests.browser.states import other_states
from tests.browser.support import Watch, axe, drawn, follow, keep, transferred, watch

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LARGEST = 600_000
"""Bytes on first load (issue 3)."""

NOT_A_PAGE = frozenset({
    "web_home.show", "web_preferences.lag", "web_preferences.theme", "web_assets.file", "web_account.remaining",
})  # fmt: skip
"""What is no page of its own: the front door leads on, the lag is a part of every page."""


@pytest.fixture(scope="session")
def application(served: Served) -> Flask:
    """The same program over the same home, asked only which addresses there are."""
    return create_app(Settings(home=served.home))


@pytest.fixture(scope="session")
def pages_of(
    application: Flask, browser: Browser, served: Served, signed_in: Callable[[str], Any]
) -> Callable[[str], dict[str, str]]:
    """From a role of the demo to one address of every page that its person can click to, by operation."""
    routes = application.url_map.bind("localhost")

    def found_by(role: str) -> dict[str, str]:
        context = browser.new_context(base_url=served.address, storage_state=signed_in(role))
        found: dict[str, str] = {}
        waiting, seen = ["/"], {"/"}
        while waiting:
            answer = context.request.get(waiting.pop(0))
            assert answer.ok, (role, answer.url, answer.status)
            if "text/html" not in answer.headers["content-type"]:
                continue
            for address in _addresses(answer.url.removeprefix(served.address), answer.text()):
                try:
                    operation = routes.match(address.partition("?")[0], method="GET")[0]
                except HTTPException:
                    continue
                if is_page(operation) and operation not in NOT_A_PAGE and operation not in found:
                    found[operation] = address
                    if address not in seen:
                        seen.add(address)
                        waiting.append(address)
        context.close()
        return found

    return found_by


@pytest.fixture(scope="session")
def pages(pages_of: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """One address of every page that the demo's owner can click to, by operation."""
    return pages_of("owner")


def _addresses(here: str, html: str) -> list[str]:
    hrefs = [unescape(one) for one in re.findall(r'href="([^"#]+)', html)]
    plain = [one for one in hrefs if one.startswith("/") and "format=csv" not in one and not one.startswith("/theme")]
    return [here, *plain]


def test_every_page_is_found_by_following_links(application: Flask, pages: dict[str, str]) -> None:
    """Whatever the owner may open is a click away from something."""
    asked = {
        rule.endpoint for rule in application.url_map.iter_rules()
        if rule.endpoint in policy.POLICY and is_page(rule.endpoint) and "GET" in (rule.methods or ())
        and "owner" in policy.POLICY[rule.endpoint].roles
    }  # fmt: skip
    assert asked - NOT_A_PAGE - pages.keys() == set()


@pytest.mark.parametrize("look", LOOKS)
def test_pages_are_sound_in_every_look(
    look: str, pages: dict[str, str], open_as: Callable[..., Page], served: Served
) -> None:
    """No axe violation, no console error, nothing refused by the policy, nothing asked elsewhere, nothing too wide."""
    wrong: list[str] = []
    page = open_as("owner", "about:blank", look)
    watched = watch(page, served.address)
    for operation, address in {**pages, "sign-in": "/sign-in?next=/today"}.items():
        page.goto(address)
        drawn(page)
        keep(page, f"{operation.removeprefix('web_').replace('.show', '')}-{look}")
        wrong += [f"{operation} ({address}): {one}" for one in faults(page, watched)]
    assert not wrong, "\n".join(wrong)


def faults(page: Page, watched: Watch) -> list[str]:
    """What is wrong with the page that is open."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found = [*axe(page), *watched.found(page), *([f"{wide} px too wide"] if wide > 1 else [])]
    watched.complaints.clear()
    watched.elsewhere.clear()
    return found


@pytest.mark.parametrize("look", ["light", "dark"])
def test_pages_are_sound_in_other_states(look: str, open_as: Callable[..., Page], served: Served) -> None:
    """Busy, past, empty, thin, refused, long: what the demo's own now does not show. The errors are told by Chromium
    as errors of the console; nothing else may be."""
    subscribe = open_as("owner", "/account/digest")
    subscribe.get_by_label("E-mail address").fill("owner@example.org")
    follow(subscribe.locator("main form button").first)
    wrong: list[str] = []
    page = open_as("owner", "about:blank", look)
    watched = watch(page, served.address)
    for name, (address, words) in other_states(served).items():
        answer = page.goto(address)
        drawn(page)
        keep(page, f"{name}-{look}")
        said = (page.locator("body").text_content() or "").replace("\u00a0", " ")
        assert words in said, f"{name} ({address}) does not say: {words}"
        told = [one for one in faults(page, watched) if answer is None or str(answer.status) not in one]
        wrong += [f"{name} ({address}): {one}" for one in told]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ["manager", "biller", "auditor"])
def test_pages_are_sound_as_other_roles_see_them(
    role: str, pages_of: Callable[[str], dict[str, str]], open_as: Callable[..., Page], served: Served
) -> None:
    """Each page that the role can click to and that says to it what it does not say to the owner."""
    found = pages_of(role)
    assert len(found) >= 4, found
    wrong: list[str] = []
    page, owner = open_as(role, "about:blank"), open_as("owner", "about:blank")
    watched = watch(page, served.address)
    for operation, address in found.items():
        if _content(page, address) == _content(owner, address):
            continue  # judged as the owner's
        page.goto(address)
        drawn(page)
        keep(page, f"{operation.removeprefix('web_').replace('.show', '')}-{role}")
        wrong += [f"{operation} ({address}): {one}" for one in faults(page, watched)]
    assert not wrong, "\n".join(wrong)


def _content(page: Page, address: str) -> str:
    """What the page says, without its navigation and without the moment and the tokens of this one answer."""
    html = page.context.request.get(address).text().partition("<main")[2].partition("</main>")[0]
    return re.sub(r'(?<=as_of=)[^&"]*|(?<=known_at=)[^&"]*|(?<=name="csrf_token" value=")[^"]*', "", html)


def test_pages_are_light_to_load(
    pages: dict[str, str], browser: Browser, served: Served, signed_in: Callable[[str], Any]
) -> None:
    """Under 600 kB over the wire on a first load, with nothing in the browser's cache."""
    heavy = {}
    for operation, address in pages.items():
        context = browser.new_context(base_url=served.address, storage_state=signed_in("owner"))
        page = context.new_page()
        page.goto(address)
        drawn(page)
        if (size := transferred(page)) >= LARGEST:
            heavy[operation] = size
        context.close()
    assert heavy == {}


def test_pages_say_everything_without_a_script(pages: dict[str, str], open_as: Callable[..., Page]) -> None:
    """Without JavaScript a page has its heading, and every chart its table, open."""
    page = open_as("owner", "about:blank", java_script_enabled=False)
    for operation, address in pages.items():
        page.goto(address)
        assert page.locator("h1").count() == 1, operation
        for chart in page.locator("figure.chart").all():
            assert chart.locator("table, .empty-line").first.is_visible(), operation
            assert not chart.locator(".canvas").is_visible(), operation
        keep(page, f"{operation.removeprefix('web_').replace('.show', '')}-without-script")
