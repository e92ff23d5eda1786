"""Signing in as a person does it, in Chromium: every step, what the browser keeps, and what it refuses to send."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pyotp
import pytest
from playwright.sync_api import Browser, Page

from tests.api.test_oidc import provider
from tests.browser.conftest import Served, serving
from tests.browser.support import axe, follow, keep, watch

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

GIVEN, OWN = "given by an operator", "violet harbour kettle 41"


def make_user(served: Served, name: str, *more: str, password: str = OWN) -> None:
    anodyne = str(Path(sys.executable).parent / "anodyne")
    command = [anodyne, "user", "create", name, "--role", "manager", "--all-clinics", "--password-stdin", *more]
    subprocess.run(command, input=password, text=True, env=served.environment, check=True, capture_output=True)


def give(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    follow(page.get_by_role("button", name="Sign in"))


def test_from_a_given_password_to_a_second_step(served: Served, browser: Browser) -> None:
    """A new manager: own password, authenticator app, recovery codes; then back in with code and with recovery code.

    Every page on the way is looked at: no violation of axe or of the content policy, nothing asked elsewhere.
    """
    make_user(served, "Nora New", password=GIVEN)
    page = browser.new_context(base_url=served.address).new_page()
    seen = watch(page, served.address)

    def look(name: str) -> None:
        assert (axe(page), seen.found(page)) == ([], []), name
        keep(page, f"signing in {name}")

    page.goto("/account")
    look("form")
    give(page, "Nora New", "not the password at all")
    assert "do not go together" in page.get_by_role("alert").inner_text()
    seen.complaints.clear()  # Chromium tells every 401
    give(page, "nora new", GIVEN)
    page.wait_for_url("**/sign-in/password*")
    look("own password")
    page.get_by_label("New password").fill(OWN)
    page.get_by_label("Once more").fill(OWN)
    follow(page.get_by_role("button", name="Go on"))
    page.wait_for_url("**/account")
    look("account")
    follow(page.get_by_role("link", name="Set up an authenticator app"))
    look("second step")
    app = pyotp.TOTP(page.locator("code.secret").inner_text().replace(" ", ""))
    assert page.locator(".qr svg").bounding_box()["width"] > 150  # type: ignore[index]
    page.get_by_label("six digits").fill(app.now())
    page.get_by_label("Your password").fill(OWN)
    follow(page.get_by_role("button", name="Set it up"))
    look("recovery codes")
    recovery = page.locator(".recovery code").all_inner_texts()
    follow(page.get_by_role("link", name="I have kept them"))
    follow(page.get_by_role("button", name="Sign out", exact=True).first)
    page.wait_for_url("**/sign-in")
    give(page, "Nora New", OWN)
    page.wait_for_url("**/sign-in/code*")
    look("code")
    page.get_by_label("Six digits").fill(app.at(int(time.time()) + 30))  # the one of this half minute is spent
    follow(page.get_by_role("button", name="Go on"))
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.context.clear_cookies()
    page.goto("/account")
    give(page, "Nora New", OWN)
    page.get_by_label("Six digits").fill(recovery[3])
    follow(page.get_by_role("button", name="Go on"))
    page.wait_for_url("**/account")
    page.context.close()


def test_no_script_sees_the_session_and_no_other_site_uses_it(served: Served, open_as: Callable[..., Page]) -> None:
    """HttpOnly and SameSite; a form on another site that posts to ours is refused, and the session lives on."""
    page = open_as("manager", "/account")
    kept = {one["name"]: one for one in page.context.cookies()}
    assert {"anodyne", "anodyne-form"} <= kept.keys()
    for name in ("anodyne", "anodyne-form"):
        assert (kept[name]["httpOnly"], kept[name]["sameSite"], kept[name]["expires"]) == (True, "Lax", -1)
    assert "anodyne" not in page.evaluate("document.cookie")
    with elsewhere(f'<form method="post" action="{served.address}/sign-out"><button>Win</button></form>') as address:
        page.goto(address)
        with page.expect_navigation() as arrived:
            page.get_by_role("button", name="Win").click()
        assert arrived.value.status == 403
    page.goto(f"{served.address}/account")
    assert page.url.endswith("/account")


@contextmanager
def elsewhere(html: str) -> Iterator[str]:
    """Another site (another host name) that serves `html`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def last_asked(served: Served, name: str, minutes_ago: float) -> None:
    """Makes the server believe that this person's sessions were last used so long ago."""
    moment = int((time.time() - minutes_ago * 60) * 1_000_000)
    with sqlite3.connect(served.home / "views.sqlite3", timeout=30) as views:
        views.execute(
            "UPDATE ops_sessions SET seen_us = ? WHERE user_id = (SELECT user_id FROM ops_users WHERE user_name = ?)",
            (moment, name),
        )


def test_before_a_session_ends_the_page_warns_and_offers_to_stay(served: Served, browser: Browser) -> None:
    """The page asks the server, warns two minutes before, stays when told so, and goes away when it has ended."""
    make_user(served, "Ida Idle", "--lasting")
    context = browser.new_context(base_url=served.address)
    page = context.new_page()
    seen = watch(page, served.address)
    page.clock.install()
    page.goto("/account?done=role")
    give(page, "Ida Idle", OWN)
    page.wait_for_url("**/account?done=role")
    warning = page.get_by_role("alertdialog")
    page.clock.fast_forward(28.6 * 60 * 1000)
    page.wait_for_timeout(1500)
    assert not warning.is_visible(), "another tab was used: the server knows better"
    last_asked(served, "Ida Idle", 28.6)
    page.clock.fast_forward(28.6 * 60 * 1000)
    warning.wait_for()
    assert "1 min" in warning.inner_text()
    assert axe(page) == []
    keep(page, "session ends soon")
    warning.get_by_role("button", name="Stay signed in").click()
    warning.wait_for(state="hidden")
    last_asked(served, "Ida Idle", 31)
    page.clock.fast_forward(31 * 60 * 1000)
    page.wait_for_url("**/sign-in?ended=1*")
    assert "Your session has ended" in page.content()
    assert [one for one in seen.found(page) if "401" not in one] == [], "Chromium tells every 401"
    give(page, "Ida Idle", OWN)
    page.wait_for_url("**/account?done=role")
    context.close()


def test_signing_out_everywhere_ends_the_other_browser_too(served: Served, browser: Browser) -> None:
    """Two workers serve, two browsers are signed in: one click ends both."""
    make_user(served, "Eve Everywhere", "--lasting")
    pages = [browser.new_context(base_url=served.address).new_page() for _ in range(2)]
    for page in pages:
        page.goto("/account")
        give(page, "Eve Everywhere", OWN)
        page.wait_for_url("**/account")
    pages[0].reload()
    assert pages[0].get_by_role("row").count() == 3
    follow(pages[0].get_by_role("button", name="Sign out everywhere"))
    pages[0].wait_for_url("**/sign-in*")
    for _ in range(4):
        pages[1].goto("/account")
        assert "/sign-in" in pages[1].url
    for page in pages:
        page.context.close()


@pytest.mark.parametrize(("width", "theme"), [(1280, "dark"), (390, "light")])
def test_one_signs_out_from_the_menu_without_scripts(
    served: Served, browser: Browser, width: int, theme: Literal["dark", "light"]
) -> None:
    """On a shared desk by keyboard, on a phone by touch: two steps from any page, and nobody is signed in any more."""
    name = f"Sam Shared {width}"
    make_user(served, name, "--lasting")
    page = browser.new_context(
        base_url=served.address, viewport={"width": width, "height": 844}, color_scheme=theme, java_script_enabled=False
    ).new_page()
    page.goto("/glossary")
    give(page, name, OWN)
    page.wait_for_url("**/glossary")
    if width < 760:
        page.get_by_text("Menu", exact=True).click()
    out = page.get_by_role("button", name="Sign out", exact=True)
    assert out.count() == 1
    out.scroll_into_view_if_needed()
    if width < 760:
        assert out.bounding_box()["height"] >= 44  # type: ignore[index]
        out.click()
    else:
        page.get_by_role("link", name="Account").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")
    page.goto("/glossary")
    assert "/sign-in" in page.url
    page.context.close()


def test_through_the_organisation_s_identity_provider(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> None:
    """A real provider's page in between; back to the page that was asked for; out here and there."""
    claims = json.dumps({"sub": "maria", "name": "Maria Manager", "groups": ["managers"]})
    with provider("oidc_provider_mock", "-p", "PORT", "--user-claims", claims) as issuer:
        settings = {
            "ANODYNE_OIDC_ISSUER": issuer, "ANODYNE_OIDC_CLIENT_ID": "tests", "ANODYNE_OIDC_CLIENT_SECRET": "secret",
            "ANODYNE_OIDC_NAME": "Example Health", "ANODYNE_LOCAL_SIGN_IN": "false",
            "ANODYNE_OIDC_ROLES": json.dumps({"managers": {"role": "manager", "clinics": "all"}}),
        }  # fmt: skip
        with serving(tmp_path_factory.mktemp("oidc") / "home", **settings) as served:
            page = browser.new_context(base_url=served.address).new_page()
            page.add_init_script("window.__violations = []")
            page.goto("/account")
            assert page.get_by_label("Password").count() == 0
            assert axe(page) == []
            keep(page, "signing in by a provider")
            page.get_by_role("link", name="Sign in with Example Health").click()
            page.wait_for_url(f"{issuer}/**")
            page.get_by_role("button", name="maria").click()
            page.wait_for_url("**/account")
            assert "Maria Manager" in page.content()
            page.get_by_role("button", name="Sign out", exact=True).first.click()
            page.wait_for_url(f"{issuer}/oauth2/end_session*")
            page.goto(f"{served.address}/account")
            assert page.url.startswith(f"{served.address}/sign-in")
            page.context.close()
