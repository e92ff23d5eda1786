"""Signing in, step by step, and what is refused on the way; on both databases."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pyotp
import pytest
from flask.testing import FlaskClient

from api.auth import passwords
from api.auth.accounts import Accounts
from api.auth.grants import Grant
from api.http.app import create_app
from api.http.cookies import SESSION
from api.web.account import browser_name
from api.web.signing_in import ANSWER_STEP_S
from services.log import EventLog, LogUnavailable
from tests.api.browsing import PASSWORD, Browser, identity_of
from tests.api.world import WINDOW_DAYS, World
from tests.conftest import Database

WRONG = "violet harbour kettle 42"


@pytest.fixture
def world(database: Database, make_world: Callable[..., World]) -> World:
    """An organisation with one manager, Maria."""
    urls = {} if database.kind == "sqlite" else {
        "database_url": database.log_url, "migration_url": database.admin_url
    }  # fmt: skip
    made = make_world(home=database.home, **urls)
    identity_of(made.app).person("Maria Manager", PASSWORD, "manager", clinics=None)
    return made


@pytest.fixture(scope="module")
def shared(make_world: Callable[..., World]) -> World:
    """The same for tests that leave nothing behind."""
    made = make_world()
    identity_of(made.app).person("Maria Manager", PASSWORD, "manager", clinics=None)
    return made


def entries(world: World) -> list[tuple[str, str | None]]:
    """The access log's sign-ins: (event, reason or method)."""
    found = []
    for record in world.services.access.log.read(0, 1000):
        if record.name.startswith("access.sign"):
            found.append((record.name, getattr(record.event, "reason_code", None) or record.event.method))  # type: ignore[attr-defined]
    return found


def test_every_attempt_is_in_the_access_log(world: World) -> None:
    """Kept before it is answered: who, how, and why not; never what was typed."""
    browser = Browser(world.app)
    browser.sign_in("maria manager", WRONG)
    assert (browser.page.status_code, browser.at) == (401, "/sign-in")
    browser.send("/sign-in", name="no such person", password=WRONG)
    browser.send("/sign-in", name="maria manager", password=PASSWORD)
    assert entries(world) == [
        ("access.sign_in_failed.v1", "wrong-password"), ("access.sign_in_failed.v1", "unknown-name"),
        ("access.signed_in.v1", "password"),
    ]  # fmt: skip
    records = world.services.access.log.read(0, 1000)
    maria = identity_of(world.app).accounts.named("maria manager")
    assert maria is not None
    assert [record.actor for record in records if record.name.startswith("access.sign")] == [
        maria.user_id, "unknown", maria.user_id
    ]
    assert "no such person" not in str(records) and WRONG not in str(records)


def test_without_its_entry_nobody_is_let_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the access log cannot be written, the answer is 503 and no session."""
    browser = Browser(world.app)
    browser.open("/sign-in")

    def fail(*args: object, **kwargs: object) -> None:
        raise LogUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(EventLog, "append", fail)
        browser.send("/sign-in", name="maria manager", password=PASSWORD)
    assert browser.page.status_code == 503
    assert browser.client.get_cookie(SESSION) is None
    assert browser.open("/account").request.path == "/sign-in"


def test_the_second_step_is_asked_for_and_good_once(world: World) -> None:
    """Password alone opens nothing where an app is set up; its code does; a code that was used does not."""
    identity, browser = identity_of(world.app), Browser(world.app)
    browser.sign_in("maria manager")
    browser.open("/account/second-step")
    secret = re.search(r'class="secret">([^<]+)<', browser.page.text)
    assert secret is not None
    app = pyotp.TOTP(secret[1].replace(" ", ""))
    code = app.now()
    browser.send("/account/second-step", code=code, password=PASSWORD)
    recovery = re.findall(r"<li><code>([A-Z2-7-]+)</code>", browser.page.text)
    assert len(recovery) == 10

    other = Browser(world.app)
    other.sign_in("maria manager")
    assert other.at == "/sign-in/code"
    assert other.open("/account").request.path == "/sign-in/code", "a password alone opens nothing"
    other.send("/sign-in/code?next=/account", code=code)
    assert other.page.status_code == 401, "the code that set it up is spent"
    other.send("/sign-in/code?next=/account", code=recovery[0])
    assert (other.page.status_code, other.at) == (200, "/account")
    assert re.search(r"9\s+recovery codes", other.page.text)
    third = Browser(world.app)
    third.sign_in("maria manager")
    third.send("/sign-in/code", code=recovery[0])
    assert third.page.status_code == 401
    assert entries(world)[-3:] == [
        ("access.sign_in_failed.v1", "wrong-code"), ("access.signed_in.v1", "password_and_recovery_code"),
        ("access.sign_in_failed.v1", "wrong-code"),
    ]  # fmt: skip
    account = identity.accounts.named("maria manager")
    assert account is not None and account.totp_confirmed_at is not None


def test_guessed_codes_lock_the_account_though_the_password_is_known(world: World) -> None:
    """The fifth wrong code locks; signing in anew in between does not set the count back."""
    identity = identity_of(world.app)
    account = identity.accounts.named("maria manager")
    assert account is not None
    pending = identity.second_step.pending(account.user_id, "x", identity.second_step.sealed_new(account.user_id))
    assert pending is not None
    identity.second_step.confirm(account.user_id, pending, pyotp.TOTP(pending.secret).now())
    for attempt in range(5):
        browser = Browser(world.app)
        browser.sign_in("maria manager")
        assert browser.at == "/sign-in/code", attempt
        browser.send("/sign-in/code", code="000000")
        assert browser.page.status_code == 401
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    assert (browser.page.status_code, browser.at) == (401, "/sign-in")


def test_a_role_that_needs_a_second_step_sets_it_up_first(
    database: Database, make_world: Callable[..., World]
) -> None:
    """By setting; a session that has not opens no page but that of the step."""
    urls = {} if database.kind == "sqlite" else {
        "database_url": database.log_url, "migration_url": database.admin_url
    }  # fmt: skip
    world = make_world(home=database.home, second_step_roles=frozenset({"auditor"}), **urls)
    identity = identity_of(world.app)
    identity.person("Maria Manager", PASSWORD, "manager", clinics=None)
    identity.person("Ada Auditor", PASSWORD, "auditor", clinics=None)
    Browser(world.app).sign_in("maria manager")
    browser = Browser(world.app)
    browser.sign_in("ada auditor")
    assert browser.at == "/sign-in/enrol"
    assert browser.open("/account").request.path == "/sign-in/enrol"
    assert "<svg" in browser.page.text and "style=" not in browser.page.text
    secret = re.search(r'class="secret">([^<]+)<', browser.page.text)
    assert secret is not None
    browser.send("/sign-in/enrol?next=/account", code="12345x")
    assert browser.page.status_code == 422 and secret[1] in browser.page.text
    browser.send("/sign-in/enrol?next=/account", code=pyotp.TOTP(secret[1].replace(" ", "")).now())
    assert "Recovery codes" in browser.page.text and 'href="/account"' in browser.page.text
    assert browser.open("/account").request.path == "/account"
    browser.send("/account/second-step/remove", **{"remove-password": PASSWORD})
    assert browser.page.status_code == 403


def test_a_password_that_was_given_must_be_changed(world: World) -> None:
    """Given an operator's password: nothing opens until the person has chosen another."""
    identity = identity_of(world.app)
    account = identity.accounts.named("maria manager")
    assert account is not None
    identity.accounts.set_password(account.user_id, "given by an operator", must_change=True)
    browser = Browser(world.app)
    browser.sign_in("maria manager", "given by an operator")
    assert browser.at == "/sign-in/password"
    for password, again in (("short", "short"), ("a brand new kettle", "another"), ("given by an operator",) * 2):
        browser.send("/sign-in/password", password=password, again=again)
        assert browser.page.status_code == 422
    browser.send("/sign-in/password?next=/account", password="a brand new kettle", again="a brand new kettle")
    assert (browser.page.status_code, browser.at) == (200, "/account")
    assert identity.accounts.attempt("maria manager", "a brand new kettle").passed


def test_signing_in_gives_a_new_token_and_ends_what_was_there(world: World) -> None:
    """Session fixation: a token planted in the browser before is worth nothing afterwards."""
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    planted = browser.client.get_cookie(SESSION)
    assert planted is not None
    victim = Browser(world.app)
    victim.client.set_cookie(SESSION, planted.value)
    victim.open("/account")
    victim.send("/sign-out")
    victim.client.set_cookie(SESSION, "planted-by-somebody")
    victim.sign_in("maria manager")
    given = victim.client.get_cookie(SESSION)
    assert given is not None and given.value not in (planted.value, "planted-by-somebody")
    assert browser.open("/account").request.path == "/sign-in", "what was there before is ended"
    assert victim.open("/account").request.path == "/account"


def test_signing_in_over_a_session_ends_it(world: World) -> None:
    first = Browser(world.app)
    first.sign_in("maria manager")
    before = first.client.get_cookie(SESSION)
    identity_of(world.app).person("Nina Nurse", PASSWORD, "nurse", clinics=None)
    other = Browser(world.app)
    other.open("/sign-in")
    other.client.set_cookie(SESSION, before.value)  # type: ignore[union-attr]
    other.send("/sign-in?next=/account", name="nina nurse", password=PASSWORD)
    assert "Nina Nurse" in other.page.text
    assert first.open("/account").request.path == "/sign-in"


def test_signing_out_ends_the_session_on_the_server(world: World) -> None:
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    kept = browser.client.get_cookie(SESSION)
    browser.send("/sign-out")
    assert browser.at == "/sign-in" and browser.client.get_cookie(SESSION) is None
    browser.client.set_cookie(SESSION, kept.value)  # type: ignore[union-attr]
    assert browser.open("/account").request.path == "/sign-in"


def test_an_account_without_a_role_is_told_so(world: World) -> None:
    identity_of(world.app).accounts.create("Nobody Special", PASSWORD)
    browser = Browser(world.app)
    browser.sign_in("nobody special")
    assert browser.page.status_code == 403 and "no role" in browser.page.text


def test_a_demo_account_is_refused_in_production(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At sign-in, and a session that was open before the settings changed is closed."""
    identity = identity_of(world.app)
    identity.person("Demo manager", PASSWORD, "manager", clinics=None, demo=True)
    browser = Browser(world.app)
    browser.sign_in("demo manager")
    assert browser.at == "/account"
    settings = replace(world.services.settings, environment="production")
    app = create_app(settings, services=world.services, read_side=world.read_side)
    production = app.test_client()
    token = browser.client.get_cookie(SESSION)
    production.set_cookie(f"__Host-{SESSION}", token.value, secure=True)  # type: ignore[union-attr]
    assert production.get("/account", base_url="https://localhost").status_code == 303
    assert isinstance(identity_of(app).accounts, Accounts)
    assert identity_of(app).accounts.attempt("demo manager", PASSWORD).reason == "demo-account"


# --- the same whatever is wrong ------------------------------------------------------------------


def test_the_answer_is_the_same_whatever_is_wrong(shared: World) -> None:
    """Unknown name, wrong password, no password, empty fields: one page, word for word."""
    identity_of(shared.app).accounts.create("Only Oidc", None)
    told = set()
    for name, password in (("maria manager", WRONG), ("only oidc", WRONG), ("nobody here", WRONG), ("", "")):
        browser = Browser(shared.app)
        browser.open("/sign-in")
        browser.send("/sign-in", name=name, password=password)
        told.add((browser.page.status_code, re.sub(r'value="[^"]*"', "", browser.page.text)))
    identity_of(shared.app).accounts.succeeded(identity_of(shared.app).accounts.named("maria manager").user_id)  # type: ignore[union-attr]
    texts = {text.replace(" autofocus", "") for _, text in told}
    assert {status for status, _ in told} == {401} and len({re.sub(r"[0-9a-f-]{36}", "", t) for t in texts}) == 1


def test_a_refusal_leaves_at_a_whole_step(shared: World) -> None:
    """Counting a known name's failure takes a commit that an unknown one does not: it does not show."""
    for name in ("maria manager", "nobody here"):
        browser = Browser(shared.app)
        browser.open("/sign-in")
        begun = time.perf_counter()
        browser.send("/sign-in", name=name, password=WRONG)
        steps = (time.perf_counter() - begun) / ANSWER_STEP_S
        assert browser.page.status_code == 401 and steps >= 1
    identity_of(shared.app).accounts.succeeded(identity_of(shared.app).accounts.named("maria manager").user_id)  # type: ignore[union-attr]


def test_the_log_names_who_changed_an_account(world: World) -> None:
    """One's own password is changed by oneself, not by an operator."""
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    new = "orange meadow lantern 8"
    browser.send("/account/password", current=PASSWORD, password=new, again=new)
    changes = list(world.services.log.read(0, 1000, names=["oversight.permission_changed.v1"]))
    maria = identity_of(world.app).accounts.named("maria manager")
    assert maria is not None
    assert (changes[-1].event.change, changes[-1].actor, changes[-1].role) == (  # type: ignore[attr-defined]
        "password_changed", maria.user_id, "manager"
    )
    assert {change.actor for change in changes[:-1]} == {"operator"}


def test_attempts_are_limited_by_address(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are judged: no password is hashed for the one too many."""
    world = make_world(sign_in_limit=f"3 per {WINDOW_DAYS} days")
    hashed = []
    monkeypatch.setattr(passwords, "matches", lambda *given: bool(hashed.append(given)))
    browser = Browser(world.app)
    statuses = []
    for _ in range(5):
        browser.open("/sign-in")
        statuses.append(browser.send("/sign-in", name="x", password="y").status_code)
    assert statuses == [401, 401, 401, 429, 429] and len(hashed) == 3


@pytest.mark.parametrize("elsewhere", [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
    "/\t/evil.example", "/ /evil.example", "http:evil.example", "/%0d%0aLocation:evil", "",
])  # fmt: skip
def test_nobody_is_sent_to_another_site(shared: World, elsewhere: str) -> None:
    """Only paths of ours are gone back to."""
    client = shared.app.test_client()
    page = client.get("/sign-in", query_string={"next": elsewhere}).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    answer = client.post(
        "/sign-in", query_string={"next": elsewhere},
        data={"name": "maria manager", "password": PASSWORD, "csrf_token": token[1]},
    )
    location = answer.headers["Location"]
    assert answer.status_code == 303
    assert location == "/" or (location.startswith("/%") and "\r" not in location)


# --- forms ---------------------------------------------------------------------------------------


def signed_in(world: World) -> tuple[FlaskClient, Browser]:
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    return browser.client, browser


@pytest.mark.parametrize("path", [
    "/sign-in", "/sign-out", "/account/password", "/account/sign-out-everywhere", "/account/role", "/account/stay",
])  # fmt: skip
def test_a_form_without_its_token_is_refused(shared: World, path: str) -> None:
    """Nothing is done: the session lives on."""
    client, _ = signed_in(shared)
    for token in (None, "nonsense", Browser(shared.app).client.get("/sign-in").text[-20:]):
        fields = {"name": "maria manager", "password": PASSWORD, **({} if token is None else {"csrf_token": token})}
        assert client.post(path, data=fields).status_code == 403
    assert client.get("/account").status_code == 200


def test_a_token_of_another_browser_is_refused(shared: World) -> None:
    client, _ = signed_in(shared)
    other = Browser(shared.app)
    other.open("/sign-in")
    assert client.post("/sign-out", data={"csrf_token": other.token()}).status_code == 403


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
    {"Origin": "null"},
])  # fmt: skip
def test_a_form_from_another_site_is_refused_whatever_it_carries(shared: World, headers: dict[str, str]) -> None:
    client, browser = signed_in(shared)
    token = browser.token()
    assert client.post("/sign-out", data={"csrf_token": token}, headers=headers).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    assert client.post("/account/stay", data={"csrf_token": token}, headers=own).status_code == 303


def test_htmx_sends_the_token_in_a_header(shared: World) -> None:
    client, browser = signed_in(shared)
    assert client.post("/account/stay", headers={"X-CSRFToken": browser.token()}).status_code == 303


def test_the_token_is_another_after_signing_in(shared: World) -> None:
    """What a page knew before somebody signed in is worth nothing afterwards."""
    browser = Browser(shared.app)
    browser.open("/sign-in")
    before = browser.token()
    browser.send("/sign-in?next=/account", name="maria manager", password=PASSWORD)
    assert browser.client.post("/sign-out", data={"csrf_token": before}).status_code == 403


# --- cookies -------------------------------------------------------------------------------------


def cookies_of(client: FlaskClient, world: World, base_url: str) -> dict[str, str]:
    page = client.get("/sign-in", base_url=base_url)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    answer = client.post(
        "/sign-in", base_url=base_url, data={"name": "maria manager", "password": PASSWORD, "csrf_token": token[1]}
    )
    assert answer.status_code == 303, answer.text
    given = [*page.headers.getlist("Set-Cookie"), *answer.headers.getlist("Set-Cookie")]
    return {one.partition("=")[0]: one for one in given}


def test_cookies_are_locked_to_this_host(shared: World) -> None:
    """Over TLS: __Host- prefix, Secure, HttpOnly, SameSite=Lax, path /, no domain, no lifetime of their own."""
    cookies = cookies_of(shared.app.test_client(), shared, "https://localhost")
    assert set(cookies) == {"__Host-anodyne", "__Host-anodyne-form"}
    for cookie in cookies.values():
        parts = {part.strip() for part in cookie.split(";")[1:]}
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= parts
        assert "Domain" not in cookie


def test_plain_http_has_cookies_of_another_name_that_are_not_taken_over_tls(shared: World) -> None:
    """Only the embedded default on this machine; what came by plain HTTP is never believed over TLS."""
    client = shared.app.test_client()
    cookies = cookies_of(client, shared, "http://localhost")
    assert set(cookies) == {"anodyne", "anodyne-form"}
    assert all("HttpOnly" in one and "SameSite=Lax" in one and "Secure" not in one for one in cookies.values())
    assert client.get("/account").status_code == 200
    assert client.get("/account", base_url="https://localhost").status_code == 303


def test_production_never_goes_without(shared: World) -> None:
    """Even behind a proxy that forgets to say it is TLS."""
    settings = replace(shared.services.settings, environment="production")
    app = create_app(settings, services=shared.services, read_side=shared.read_side)
    given = app.test_client().get("/sign-in", base_url="http://localhost").headers.getlist("Set-Cookie")
    assert given and all(one.startswith("__Host-") and "Secure" in one for one in given)


# --- one's own account ---------------------------------------------------------------------------


def test_sessions_are_listed_and_ended(world: World) -> None:
    """One of them, and all of them; another's is not found."""
    first, second = Browser(world.app), Browser(world.app)
    first.sign_in("maria manager"), second.sign_in("maria manager")
    second.open("/account")
    second.send(second.form("/account/sessions/"))
    assert first.open("/account").request.path == "/sign-in"
    first.sign_in("maria manager")
    identity_of(world.app).person("Nina Nurse", PASSWORD, "nurse", clinics=None)
    nina = Browser(world.app)
    nina.sign_in("nina nurse")
    (hers,) = identity_of(world.app).sessions.of(identity_of(world.app).accounts.named("nina nurse").user_id)  # type: ignore[union-attr]
    first.send(f"/account/sessions/{hers.session_id}/end")
    assert first.page.status_code == 404
    first.open("/account")
    first.send("/account/sign-out-everywhere")
    assert first.at == "/sign-in"
    assert [one.open("/account").request.path for one in (first, second, nina)] == ["/sign-in", "/sign-in", "/account"]


def test_a_changed_password_signs_out_everywhere_else(world: World) -> None:
    first, second = Browser(world.app), Browser(world.app)
    first.sign_in("maria manager"), second.sign_in("maria manager")
    new = "orange meadow lantern 8"
    first.send("/account/password", current=WRONG, password=new, again=new)
    assert first.page.status_code == 403
    first.send("/account/password", current=PASSWORD, password=new, again="another meadow lantern")
    assert first.page.status_code == 422
    first.send("/account/password", current=PASSWORD, password="mariamanager", again="mariamanager")
    assert first.page.status_code == 422
    first.send("/account/password", current=PASSWORD, password=new, again=new)
    assert (first.page.status_code, first.at) == (200, "/account")
    assert second.open("/account").request.path == "/sign-in"
    assert identity_of(world.app).accounts.attempt("maria manager", new).passed


def test_one_acts_in_one_role_at_a_time(world: World) -> None:
    identity = identity_of(world.app)
    user_id = identity.accounts.named("maria manager").user_id  # type: ignore[union-attr]
    identity.grants.set(user_id, [Grant(role="manager", clinics=None), Grant(role="auditor", clinics=None)])
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    browser.send("/account/role", role="auditor")
    assert browser.page.status_code == 200
    session = identity.sessions.find(browser.client.get_cookie(SESSION).value)  # type: ignore[union-attr]
    assert session is not None and session.principal.role == "auditor"
    browser.send("/account/role", role="owner")
    assert browser.page.status_code == 404


def test_what_is_left_of_a_session_is_told_without_lengthening_it(shared: World) -> None:
    client, browser = signed_in(shared)
    asked = client.get("/account/session", headers={"X-Anodyne-Background": "1"}).get_json()
    assert 1750 < asked["seconds"] <= 1800
    stayed = client.post(
        "/account/stay", data={"csrf_token": browser.token()}, headers={"Accept": "application/json"}
    ).get_json()
    assert 1750 < stayed["seconds"] <= 1800


@pytest.mark.parametrize(("agent", "name"), [
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120 Safari/537.36 Edg/120", "Edge on Windows"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari on iPhone"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox on Linux"),
    ("curl/8", "Another program"), ("", "Another program"),
])  # fmt: skip
def test_a_browser_is_named_as_people_do(agent: str, name: str) -> None:
    assert browser_name(agent) == name
