"""Signing in by OpenID Connect: against a provider's own process, and against one that does everything wrong."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
import requests

from api.auth import group_roles
from api.http.app import create_app
from api.http.cookies import SESSION
from api.settings import Settings
from tests.api.browsing import PASSWORD, Browser, identity_of
from tests.api.world import World
from tests.conftest import Database
from tests.support.crooked_oidc import CLIENT_ID, CLIENT_SECRET

ROOT = Path(__file__).parents[2]
NEVER_OPENED = "00000000-0000-4000-8000-000000000001"


def roles(harbor: str, mesa: str) -> str:
    """The setting: what groups mean."""
    return json.dumps({
        "auditors": {"role": "auditor", "clinics": "all"},
        "harbor-managers": {"role": "manager", "clinics": [harbor, NEVER_OPENED]},
        "mesa-managers": {"role": "manager", "clinics": [mesa]},
        "early-managers": {"role": "manager", "clinics": [NEVER_OPENED]},
    })  # fmt: skip


@contextmanager
def provider(*command: str) -> Iterator[str]:
    """A provider's process on a port of its own; its issuer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *[part.replace("PORT", port) for part in command]], cwd=ROOT,
        env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"}, stderr=subprocess.DEVNULL,
    )
    issuer, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while time.monotonic() < until:
            assert process.poll() is None, "the provider has ended"
            try:
                requests.get(f"{issuer}/.well-known/openid-configuration", timeout=5).raise_for_status()
                break
            except requests.RequestException:
                time.sleep(0.1)
        yield issuer
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def crooked() -> Iterator[str]:
    with provider("tests.support.crooked_oidc", "PORT") as issuer:
        yield issuer


def world_of(
    make_world: Callable[..., World], issuer: str, database: Database | None = None, **more: Any
) -> World:
    """An organisation of two clinics (`ids` "harbor" and "mesa") whose people sign in at `issuer`."""
    urls = {} if database is None or database.kind == "sqlite" else {
        "database_url": database.log_url, "migration_url": database.admin_url
    }  # fmt: skip
    plain = make_world(home=None if database is None else database.home, **urls)
    ids = {name: _opened(plain, name) for name in ("harbor", "mesa")}
    settings = replace(
        plain.services.settings, oidc_issuer=issuer, oidc_client_id=CLIENT_ID, oidc_client_secret=CLIENT_SECRET,
        oidc_roles=roles(ids["harbor"], ids["mesa"]), **more,
    )
    app = create_app(settings, services=plain.services, read_side=plain.read_side)
    return replace(plain, app=app, ids=ids)


def _opened(world: World, name: str) -> str:
    body = {"clinic_name": name.title(), "timezone": "America/Phoenix"}
    made = world.post("/v1/clinics", body, key=world.keys["owner", "all"], idempotency_key=str(uuid4()))
    clinic_id: str = made.get_json()["id"]
    return clinic_id


@pytest.fixture(scope="module")
def world(crooked: str, make_world: Callable[..., World]) -> World:
    return world_of(make_world, crooked)


def crook(at: str, /, **wrong: Any) -> None:
    requests.post(f"{at}/crook", data=json.dumps(wrong), timeout=5).raise_for_status()


def come_back(browser: Browser, wanted: str = "/account") -> str:
    """Starts at our page, lets the provider answer: the path to which it sends the browser back."""
    sent = browser.client.get("/sign-in/oidc", query_string={"next": wanted})
    assert sent.status_code == 302, sent.text
    answer = requests.get(sent.headers["Location"], allow_redirects=False, timeout=5)
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def arrive(browser: Browser) -> int:
    """The whole way; the last status."""
    return browser.open(come_back(browser)).status_code


def last_failure(world: World) -> str:
    (record,) = world.services.access.log.read(world.services.access.log.head() - 1, 1)
    assert record.name == "access.sign_in_failed.v1", record.name
    reason: str = record.event.reason_code  # type: ignore[attr-defined]
    return reason


# --- a provider that is right --------------------------------------------------------------------


@pytest.mark.parametrize(("program", "ending"), [("oidc_provider_mock", ""), ("tests.support.slashed_oidc", "/")])
def test_against_a_provider_s_own_process(
    database: Database, make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, program: str, ending: str
) -> None:
    """Discovery, code, PKCE, nonce, groups to roles, and the provider's own sign-out; on both databases.

    So it is with an issuer that ends in a slash (Auth0, authentik), given as the operator gives it.
    """
    claims = {"sub": "maria", "name": "Maria Manager", "groups": ["harbor-managers", "mesa-managers", "cooks"]}
    command = (program, "-p", "PORT", "--require-nonce", "true", "--user-claims", json.dumps(claims))
    with provider(*command) as issuer:
        for name, value in (("ISSUER", issuer + ending), ("CLIENT_ID", CLIENT_ID), ("CLIENT_SECRET", CLIENT_SECRET)):
            monkeypatch.setenv(f"ANODYNE_OIDC_{name}", value)
        world = world_of(make_world, Settings.from_environment().oidc_issuer or "", database)
        browser = Browser(world.app)
        page = browser.open("/account")
        assert "Sign in with" in page.text
        sent = browser.client.get("/sign-in/oidc?next=/account")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["Location"]).query).items()}
        assert asked["code_challenge_method"] == "S256" and asked["nonce"] and asked["state"]
        answer = requests.post(sent.headers["Location"], data={"sub": "maria"}, allow_redirects=False, timeout=10)
        back = urlsplit(answer.headers["Location"])
        page = browser.open(f"{back.path}?{back.query}")
        assert (page.status_code, browser.at) == (200, "/account") and "Maria Manager" in page.text
        session = identity_of(world.app).sessions.find(browser.client.get_cookie(SESSION).value)  # type: ignore[union-attr]
        assert session is not None
        assert (session.principal.role, session.principal.clinics) == (
            "manager", {UUID(world.ids["harbor"]), UUID(world.ids["mesa"])}
        )
        page = browser.send("/sign-out")
        away = re.search(r'content="0;url=([^"]+)"', page.text)
        assert away is not None
        address = unescape(away[1])
        assert address.startswith(f"{issuer}/oauth2/end_session?") and "id_token_hint=" in address
        assert requests.get(address, timeout=10).status_code == 200
        assert browser.open("/account").request.path == "/sign-in"


def test_an_account_is_made_once_and_signed_in_events_kept(world: World, crooked: str) -> None:
    crook(crooked)
    for _ in range(2):
        assert arrive(Browser(world.app)) == 200
    accounts = [one for one in identity_of(world.app).accounts.all() if one.user_name == "Ada Auditor"]
    assert len(accounts) == 1 and not accounts[0].has_password
    (record,) = world.services.access.log.read(world.services.access.log.head() - 1, 1)
    while record.name != "access.signed_in.v1":
        (record,) = world.services.access.log.read(record.position - 2, 1)
    assert (record.actor, record.role, record.event.method) == (accounts[0].user_id, "auditor", "oidc")  # type: ignore[attr-defined]


def test_who_leaves_a_group_loses_its_role_and_its_sessions(world: World, crooked: str) -> None:
    """Roles are renewed at every sign-in; a role that is taken ends the sessions that acted in it."""
    crook(crooked, claims={"sub": "otto", "groups": ["auditors", "mesa-managers"]})
    before = Browser(world.app)
    assert arrive(before) == 200
    crook(crooked, claims={"sub": "otto", "groups": ["auditors"]})
    assert arrive(Browser(world.app)) == 200
    assert before.open("/account").request.path == "/sign-in", "it acted as manager, the wider role"
    crook(crooked, claims={"sub": "otto", "groups": []})
    gone = Browser(world.app)
    assert (arrive(gone), last_failure(world)) == (403, "no-role")
    changes = [
        (record.event.change, record.event.role)  # type: ignore[attr-defined]
        for record in world.services.log.read(0, 1000, names=["oversight.permission_changed.v1"])
    ]
    assert changes[-4:] == [
        ("role_given", "auditor"), ("role_given", "manager"), ("role_taken", "manager"), ("role_taken", "auditor")
    ]


def test_groups_may_come_by_userinfo(world: World, crooked: str) -> None:
    """Many providers keep groups out of the ID token; what is said of another subject is not believed."""
    crook(crooked, claims={"sub": "uma", "groups": None}, userinfo={"sub": "uma", "groups": ["auditors"]})
    assert arrive(Browser(world.app)) == 200, last_failure(world)
    crook(crooked, claims={"sub": "uma", "groups": None}, userinfo={"sub": "ada", "groups": ["auditors"]})
    assert (arrive(Browser(world.app)), last_failure(world)) == (403, "userinfo-of-another")


def test_when_it_changes_its_keys_the_new_one_is_fetched(world: World, crooked: str) -> None:
    """Given a token signed by a key not seen before, the published keys are asked for again."""
    crook(crooked)
    assert arrive(Browser(world.app)) == 200
    crook(crooked, key="second", published=["second"])
    assert arrive(Browser(world.app)) == 200
    crook(crooked, key="first", published=["first"], no_kid=True)
    assert arrive(Browser(world.app)) == 200
    crook(crooked, key="second", published=["first"])
    assert (arrive(Browser(world.app)), last_failure(world)) == (403, "id-token-not-signed-by-provider")


# --- one that is not -----------------------------------------------------------------------------

NOW = int(time.time())
WRONGS: list[tuple[str, dict[str, Any], str]] = [
    ("another nonce", {"claims": {"nonce": "another"}}, "id-token-invalid-claim"),
    ("no nonce", {"claims": {"nonce": None}}, "id-token-missing-claim"),
    ("expired", {"claims": {"exp": NOW - 3600, "iat": NOW - 7200}}, "id-token-expired-token"),
    ("never expires", {"claims": {"exp": None}}, "id-token-missing-claim"),
    ("issued tomorrow", {"claims": {"iat": NOW + 86_400}}, "id-token-invalid-claim"),
    ("for another client", {"claims": {"aud": "another"}}, "id-token-invalid-claim"),
    ("for several, of another party", {"claims": {"aud": [CLIENT_ID, "x"], "azp": "x"}}, "id-token-for-another-party"),
    ("for several, of nobody", {"claims": {"aud": [CLIENT_ID, "x"]}}, "id-token-for-another-party"),
    ("of another issuer", {"claims": {"iss": "https://evil.example"}}, "id-token-invalid-claim"),
    ("without a subject", {"claims": {"sub": None}}, "id-token-missing-claim"),
    ("with an empty subject", {"claims": {"sub": ""}}, "id-token-invalid-claim"),
    ("unsigned", {"alg": "none"}, "id-token-not-readable"),
    ("signed with the shared secret", {"alg": "HS256"}, "id-token-not-readable"),
    ("signed by an unpublished key", {"key": "second"}, "id-token-not-signed-by-provider"),
    ("without an ID token", {"no_id_token": True}, "no-id-token"),
    ("refused there", {"error": "access_denied"}, "refused-by-provider"),
    ("answered as another issuer", {"iss": "https://evil.example"}, "answer-of-another-issuer"),
    ("in no group of ours", {"claims": {"sub": "new", "groups": ["cooks"]}}, "no-role"),
    ("in a group whose clinic was never opened", {"claims": {"sub": "new", "groups": ["early-managers"]}}, "no-role"),
    ("groups of a strange shape", {"claims": {"sub": "new", "groups": {"auditors": True}}}, "no-role"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "reason"), [(one[1], one[2]) for one in WRONGS], ids=[one[0] for one in WRONGS])
def test_nobody_is_let_in_by_a_token_that_is(world: World, crooked: str, wrong: dict[str, Any], reason: str) -> None:
    """403 in the same words, no session, no account, and the reason in the access log."""
    crook(crooked, **wrong)
    before = {one.user_id for one in identity_of(world.app).accounts.all()}
    browser = Browser(world.app)
    assert (arrive(browser), last_failure(world)) == (403, reason)
    assert browser.client.get_cookie(SESSION) is None
    assert browser.open("/account").request.path == "/sign-in"
    assert {one.user_id for one in identity_of(world.app).accounts.all()} == before


def test_the_answer_must_belong_to_this_browser(world: World, crooked: str) -> None:
    """State: an answer that another browser asked for, that was used, or that nobody asked for opens nothing."""
    crook(crooked)
    mine, other = Browser(world.app), Browser(world.app)
    address = come_back(mine)
    assert other.open(address).status_code == 403
    assert mine.open(address).status_code == 200
    assert Browser(world.app).open(address).status_code == 403
    assert mine.open(address).status_code == 403, "once"
    assert Browser(world.app).open("/sign-in/oidc/callback?code=x&state=y").status_code == 403
    assert Browser(world.app).open("/sign-in/oidc/callback").status_code == 403


def test_a_provider_whose_discovery_names_another_issuer_is_not_believed(
    crooked: str, make_world: Callable[..., World]
) -> None:
    crook(crooked, issuer="https://evil.example")
    world = world_of(make_world, crooked)
    assert (arrive(Browser(world.app)), last_failure(world)) == (403, "issuer-is-another")


def test_back_to_paths_of_ours_only(world: World, crooked: str) -> None:
    crook(crooked)
    browser = Browser(world.app)
    address = come_back(browser, "https://evil.example/")
    assert browser.client.get(address).headers["Location"] == "/"


def test_a_provider_that_does_not_answer_is_said_so(make_world: Callable[..., World]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        world = world_of(make_world, f"http://127.0.0.1:{probe.getsockname()[1]}")
        answer = Browser(world.app).open("/sign-in/oidc")
    assert answer.status_code == 502 and "cannot be reached" in answer.text


# --- by e-mail, and without local accounts -------------------------------------------------------


def test_by_a_verified_address_an_existing_account_is_found(crooked: str, make_world: Callable[..., World]) -> None:
    world = world_of(make_world, crooked, oidc_user_claim="email")
    accounts = identity_of(world.app).accounts
    known = accounts.create("Ada of old", PASSWORD, sign_in_name="ada@clinic.example")
    crook(crooked, claims={"email_verified": False})
    assert (arrive(Browser(world.app)), last_failure(world)) == (403, "email-not-verified")
    crook(crooked, claims={"email": "ADA@clinic.example"})
    browser = Browser(world.app)
    assert arrive(browser) == 200 and "Ada of old" in browser.page.text
    crook(crooked, claims={"email": "other@clinic.example"})
    assert arrive(browser := Browser(world.app)) == 200 and "Ada of old" in browser.page.text, "known by subject now"
    assert [one.user_id for one in accounts.all()] == [known.user_id]


def test_a_disabled_user_stays_out(crooked: str, make_world: Callable[..., World]) -> None:
    world = world_of(make_world, crooked)
    crook(crooked)
    assert arrive(Browser(world.app)) == 200
    world.registry.disable_user(identity_of(world.app).accounts.all()[0].user_id)
    assert (arrive(Browser(world.app)), last_failure(world)) == (403, "disabled")


def test_local_sign_in_can_be_switched_off(crooked: str, make_world: Callable[..., World]) -> None:
    world = world_of(make_world, crooked, local_sign_in=False)
    identity_of(world.app).person("Maria Manager", PASSWORD, "manager", clinics=None)
    browser = Browser(world.app)
    page = browser.open("/sign-in")
    assert 'name="password"' not in page.text and "Sign in with" in page.text
    other = Browser(world_of(make_world, crooked).app)
    other.open("/sign-in")
    browser.client.get("/sign-in/oidc")
    with browser.client.session_transaction() as cookie:
        cookie["csrf_token"] = "x" * 40
    answer = browser.client.post("/sign-in", data={"name": "maria manager", "password": PASSWORD})
    assert answer.status_code == 403 and browser.client.get_cookie(SESSION) is None


def test_without_a_provider_there_is_no_such_page(lived: World) -> None:
    assert lived.app.test_client().get("/sign-in/oidc").status_code == 404
    assert lived.app.test_client().get("/sign-in/oidc/callback").status_code == 404


@pytest.mark.parametrize("text", [
    "nonsense", "[]", '{"a": 1}', '{"a": {"role": "manager"}}', '{"a": {"role": "integrator", "clinics": "all"}}',
    '{"a": {"role": "manager", "clinics": []}}', '{"a": {"role": "manager", "clinics": "some"}}',
    '{"a": {"role": "manager", "clinics": ["x"]}}', '{"a": {"role": "manager", "clinics": "all", "more": 1}}',
])  # fmt: skip
def test_a_setting_of_groups_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(group_roles.BadGroupRoles):
        group_roles.parse(text)


def test_groups_of_one_role_are_put_together() -> None:
    harbor, mesa = str(uuid4()), str(uuid4())
    meanings = group_roles.parse(roles(harbor, mesa))
    both = group_roles.roles_of(["harbor-managers", "mesa-managers", "cooks"], meanings)
    assert both == {"manager": frozenset({UUID(harbor), UUID(mesa), UUID(NEVER_OPENED)})}
    assert group_roles.roles_of(["cooks"], meanings) == {}
