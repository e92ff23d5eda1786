"""A session opens pages and nothing else; a key opens the API and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from api.auth import policy
from api.auth.grants import Grant
from api.auth.identity import Identity
from api.http import examples as ex
from api.http.context import EXTENSION
from api.http.cookies import SESSION
from api.http.pages import is_page
from tests.api.world import World
from tests.conftest import Database

PASSWORD = "violet harbour kettle 41"


@pytest.fixture
def world(database: Database, make_world: Callable[..., World]) -> World:
    """An empty organisation on each database."""
    if database.kind == "sqlite":
        return make_world(home=database.home)
    return make_world(home=database.home, database_url=database.log_url, migration_url=database.admin_url)


def identity(world: World) -> Identity:
    found: Identity = world.app.extensions[EXTENSION].identity
    return found


def form_token(client: FlaskClient, path: str = "/sign-in") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def test_a_password_opens_a_session_in_the_account_s_role(world: World) -> None:
    """Given an account with a role, its password leads on to the page that was asked for."""
    identity(world).person("Maria Manager", PASSWORD, "manager", clinics=None)
    client = world.app.test_client()
    asked = client.get("/account")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/sign-in?next=%2Faccount")
    form = {"name": " maria  MANAGER", "password": PASSWORD, "csrf_token": form_token(client)}
    answer = client.post(asked.headers["Location"], data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    page = client.get("/account")
    assert page.status_code == 200 and "Maria Manager" in page.text and "manager" in page.text


def test_a_key_opens_no_page_and_a_session_no_api(lived: World) -> None:
    """What a browser sends by itself never reaches /v1; what a program holds never opens a page."""
    keyed = lived.client.get("/account", headers={"Authorization": f"Bearer {lived.keys['owner', 'all']}"})
    assert keyed.status_code == 303
    browser = lived.browser("manager")
    assert browser.get("/account").status_code == 200
    assert browser.get("/v1/clinics").status_code == 401


def test_a_session_has_the_clinics_of_its_grant(lived: World) -> None:
    """The same principal as a key's: role, clinics, the member of staff whose acts they are."""
    sessions = lived.app.extensions[EXTENSION].identity.sessions
    session = sessions.find(lived.browser("nurse", "A").get_cookie(SESSION).value)
    keyed = lived.registry.authenticate(lived.keys["nurse", "A"])
    assert session.principal.clinics == keyed.clinics == {UUID(lived.ids[ex.CLINIC])}
    assert (session.principal.role, session.principal.actor_id) == ("nurse", keyed.actor_id)


def test_a_role_that_is_taken_ends_its_sessions(world: World) -> None:
    """At the next request, without waiting for the session to end."""
    client = world.browser("owner", "all")
    assert client.get("/account").status_code == 200
    identity(world).grants.set(world.users["owner", "all"], [Grant(role="auditor", clinics=None)])
    assert client.get("/account").status_code == 303


def test_htmx_is_sent_to_sign_in_by_its_own_header(lived: World) -> None:
    """A part of a page that is asked for after the session ended takes the whole page to sign in, and back."""
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/today?clinics=a"}
    answer = lived.app.test_client().get("/account", headers=headers)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in?next=%2Ftoday%3Fclinics%3Da")


def test_pages_have_a_strict_policy(lived: World) -> None:
    """Our own scripts and styles only; not stored; not framed."""
    headers = lived.browser("manager").get("/account").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
    assert headers["Cache-Control"] == "no-store"


def test_every_page_says_who_may_open_it(lived: World) -> None:
    """A page without a row in the policy, or a row without its page, is a mistake."""
    pages = {rule.endpoint for rule in lived.app.url_map.iter_rules() if is_page(rule.endpoint)}
    ruled = {name for name in policy.POLICY if is_page(name)}
    assert pages == ruled | {name for name in policy.PUBLIC if is_page(name)} | policy.LINKED


def test_the_common_passwords_are_shipped() -> None:
    """The list stands beside the code."""
    assert (Path(__file__).parents[2] / "api/auth/common_passwords.txt").read_text().count("\n") > 200
