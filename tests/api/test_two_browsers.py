"""Two browsers on their way into one account, by the pages: what one has finished is over for the other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pyotp
import pytest

from api.auth.grants import Grant
from api.auth.identity import Identity
from api.auth.sessions import Sessions
from api.http.cookies import SESSION
from tests.api.browsing import PASSWORD, Browser, identity_of
from tests.api.world import WINDOW_DAYS, World
from tests.conftest import Database

GIVEN, OWN, THIEFS = "given by an operator", "the owner chose this one", "the thief chose this one"


@pytest.fixture
def world(database: Database, make_world: Callable[..., World]) -> World:
    """An organisation whose auditors need a second step, with one manager, Maria."""
    urls = {} if database.kind == "sqlite" else {
        "database_url": database.log_url, "migration_url": database.admin_url
    }  # fmt: skip
    made = make_world(home=database.home, second_step_roles=frozenset({"auditor"}), **urls)
    identity_of(made.app).person("Maria Manager", PASSWORD, "manager", clinics=None)
    return made


def maria(world: World) -> tuple[Identity, str]:
    identity = identity_of(world.app)
    account = identity.accounts.named("maria manager")
    assert account is not None
    return identity, account.user_id


def secret(browser: Browser) -> pyotp.TOTP:
    """The app that the shown page is about to set up."""
    shown = re.search(r'class="secret">([^<]+)<', browser.page.text)
    assert shown is not None, browser.page.text
    return pyotp.TOTP(shown[1].replace(" ", ""))


def with_an_app(world: World, browser: Browser) -> list[str]:
    """Maria signed in with an app set up; her recovery codes."""
    browser.sign_in("maria manager")
    browser.open("/account/second-step")
    browser.send("/account/second-step", code=secret(browser).now(), password=PASSWORD)
    return re.findall(r"<li><code>([A-Z2-7-]+)</code>", browser.page.text)


def failures(world: World) -> list[str]:
    log = world.services.access.log
    return [one.event.reason_code for one in log.read(0, 1000) if one.name == "access.sign_in_failed.v1"]  # type: ignore[attr-defined]


def is_out(browser: Browser) -> bool:
    return browser.open("/account").request.path.startswith("/sign-in")


def test_a_given_password_opens_nothing_once_the_owner_has_chosen(world: World) -> None:
    """Both came in by the operator's password: the second to choose is out, and the first one's password stays."""
    identity, user_id = maria(world)
    identity.accounts.set_password(user_id, GIVEN, must_change=True)
    thief, owner = Browser(world.app), Browser(world.app)
    for browser in (thief, owner):
        browser.sign_in("maria manager", GIVEN)
        assert browser.at == "/sign-in/password"
    owner.send("/sign-in/password?next=/account", password=OWN, again=OWN)
    assert owner.at == "/account"
    thief.send("/sign-in/password", password=THIEFS, again=THIEFS)
    assert thief.at == "/sign-in" and "went on in another browser" in thief.page.text
    assert is_out(thief) and not is_out(owner)
    assert identity.accounts.attempt("maria manager", OWN).passed
    assert not identity.accounts.attempt("maria manager", THIEFS).passed


def test_nor_where_the_owner_chose_between_its_look_and_its_write(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session still lived when the request began; the write itself finds that nothing is to be chosen any more."""
    identity, user_id = maria(world)
    identity.accounts.set_password(user_id, GIVEN, must_change=True)
    thief, owner = Browser(world.app), Browser(world.app)
    thief.sign_in("maria manager", GIVEN), owner.sign_in("maria manager", GIVEN)
    accounts, look = type(identity.accounts), identity.accounts.has_this_password

    def meanwhile(self: object, user_id: str, password: str) -> bool:
        monkeypatch.setattr(accounts, "has_this_password", lambda self, *given: look(*given))
        owner.send("/sign-in/password", password=OWN, again=OWN)
        return False

    monkeypatch.setattr(accounts, "has_this_password", meanwhile)
    thief.send("/sign-in/password", password=THIEFS, again=THIEFS)
    assert thief.at == "/sign-in" and is_out(thief)
    assert identity.accounts.attempt("maria manager", OWN).passed
    assert failures(world) == ["overtaken"]


def test_an_app_is_set_up_once(world: World) -> None:
    """A role that needs a second step: the second browser's app is not set up over the first one's."""
    identity, user_id = maria(world)
    identity.grants.set(user_id, [Grant(role="auditor", clinics=None)])
    thief, owner = Browser(world.app), Browser(world.app)
    for browser in (thief, owner):
        browser.sign_in("maria manager")
        assert browser.at == "/sign-in/enrol"
    owners, thiefs = secret(owner), secret(thief)
    owner.send("/sign-in/enrol", code=owners.now())
    assert "Recovery codes" in owner.page.text
    thief.send("/sign-in/enrol", code=thiefs.now())
    assert thief.at == "/sign-in" and "Recovery codes" not in thief.page.text
    assert is_out(thief) and not is_out(owner)
    again = Browser(world.app)
    again.sign_in("maria manager")
    again.send("/sign-in/code", code=owners.at(_later()))
    assert not is_out(again)


def test_who_waits_for_a_code_is_out_when_the_password_is_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the change comes after the code was judged and before the session begins."""
    owner, early, late = (Browser(world.app) for _ in range(3))
    recovery = with_an_app(world, owner)
    for browser in (early, late):
        browser.sign_in("maria manager")
        assert browser.at == "/sign-in/code"

    def change(password: str, code: str) -> None:
        owner.open("/account")
        owner.send("/account/password", **{"current": password, "password": OWN, "again": OWN, "current-code": code})
        assert owner.page.status_code == 200, owner.page.text

    begin = Sessions.start

    def meanwhile(self: Sessions, *given: object, **more: object) -> str:
        monkeypatch.setattr(Sessions, "start", begin)
        change(PASSWORD, recovery[0])
        return begin(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Sessions, "start", meanwhile)
    late.send("/sign-in/code", code=recovery[1])
    early.send("/sign-in/code", code=recovery[2])
    assert is_out(late) and is_out(early) and not is_out(owner)


def test_a_form_of_signing_in_that_is_sent_twice_does_no_harm(world: World) -> None:
    """A double click: whoever is in by the first stays in."""
    identity, user_id = maria(world)
    identity.accounts.set_password(user_id, GIVEN, must_change=True)
    browser = Browser(world.app)
    browser.sign_in("maria manager", GIVEN)
    before = browser.client.get_cookie(SESSION)
    browser.send("/sign-in/password?next=/account", password=OWN, again=OWN)
    now = browser.client.get_cookie(SESSION)
    assert before is not None and now is not None and before.value != now.value
    browser.client.set_cookie(SESSION, before.value)
    browser.send("/sign-in/password", follow=False, password=OWN, again=OWN)
    assert not browser.page.headers.getlist("Set-Cookie"), "the cookie of the first answer stays"
    browser.client.set_cookie(SESSION, now.value)
    assert browser.open("/sign-in/password?next=/account").request.path == "/account"


def test_choosing_a_password_is_limited_by_address(make_world: Callable[..., World]) -> None:
    """Like every other step."""
    world = make_world(sign_in_limit=f"3 per {WINDOW_DAYS} days")
    identity = identity_of(world.app)
    identity.person("Maria Manager", PASSWORD, "manager", clinics=None)
    identity.accounts.set_password(maria(world)[1], GIVEN, must_change=True)
    browser = Browser(world.app)
    browser.sign_in("maria manager", GIVEN)
    statuses = []
    for _ in range(3):
        browser.open("/sign-in/password")
        statuses.append(browser.send("/sign-in/password", password="short", again="short").status_code)
    assert statuses == [422, 422, 429]


# --- a full session ------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "fields"), [
    ("/account/second-step/remove", {"remove-password": PASSWORD, "remove-code": ""}),
    ("/account/second-step", {"password": PASSWORD, "present-code": ""}),
    ("/account/password", {"current": PASSWORD, "password": OWN, "again": OWN, "current-code": ""}),
])  # fmt: skip
def test_a_second_step_is_asked_for_before_how_one_signs_in_is_changed(
    world: World, form: str, fields: dict[str, str]
) -> None:
    """A desk left open and a known password are not enough; with a code the other sessions end."""
    identity, user_id = maria(world)
    browser, other = Browser(world.app), Browser(world.app)
    recovery = with_an_app(world, browser)
    before = identity.accounts.of(user_id)
    other.sign_in("maria manager")
    other.send("/sign-in/code", code=recovery[0])
    for code in ("", "000000", recovery[0]):
        browser.open("/account/second-step" if form == "/account/second-step" else "/account")
        given = {name: code if name.endswith("-code") else value for name, value in fields.items()}
        if form == "/account/second-step":
            given["code"] = secret(browser).now()
        browser.send(form, **given)
        assert browser.page.status_code == 403, code
        assert identity.accounts.of(user_id) == before
    given = {name: recovery[1] if name.endswith("-code") else value for name, value in fields.items()}
    if form == "/account/second-step":
        given["code"] = secret(browser).now()
    browser.send(form, **given)
    assert browser.page.status_code == 200
    assert identity.accounts.of(user_id) != before
    assert is_out(other) and not is_out(browser)


def test_a_role_that_needs_a_second_step_is_not_taken_up_without(world: World) -> None:
    """A role given while somebody is signed in: the session may act in it once an app is set up."""
    identity, user_id = maria(world)
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    identity.grants.set(user_id, [Grant(role="manager", clinics=None), Grant(role="auditor", clinics=None)])
    browser.open("/account")
    browser.send("/account/role", role="auditor")
    assert browser.page.status_code == 403 and "second step first" in browser.page.text
    browser.open("/account/second-step")
    browser.send("/account/second-step", code=secret(browser).now(), password=PASSWORD)
    browser.open("/account")
    browser.send("/account/role", role="auditor")
    assert browser.page.status_code == 200 and "You act in your other role now" in browser.page.text


# --- a session that has ended --------------------------------------------------------------------


def test_what_is_sent_after_the_end_is_said_not_to_be_taken(world: World) -> None:
    """A form that came too late is thrown away, and whoever sent it is told; who only looked is not."""
    identity, user_id = maria(world)
    browser = Browser(world.app)
    browser.sign_in("maria manager")
    identity.sessions.end_all(user_id)
    for headers in ({}, {"HX-Request": "true", "HX-Current-URL": "http://localhost/account"}):
        answer = browser.client.post("/account/stay", data={"csrf_token": browser.token()}, headers=headers)
        address = answer.headers.get("HX-Redirect") or answer.headers["Location"]
        told = browser.client.get(address).text
        assert "what you sent last was not taken" in told and "is kept" not in told
    told = browser.client.get("/account", follow_redirects=True).text
    assert "Your session has ended" in told and "was not taken" not in told
    assert "Whatever you had sent is safe" not in told


@pytest.mark.parametrize(("wanted", "led_to"), [
    ("/account/password?x=1", "/account"), ("/account/second-step/remove", "/account/second-step"),
    ("/account?done=role", "/account?done=role"), ("/no/such/page", "/no/such/page"), ("/sign-out", "/"),
])  # fmt: skip
def test_after_it_one_is_led_to_a_page_that_opens(world: World, wanted: str, led_to: str) -> None:
    """The page of a form that was refused stands at the form's address, which cannot be opened."""
    browser = Browser(world.app)
    browser.open("/sign-in")
    answer = browser.client.post(
        "/sign-in", query_string={"next": wanted},
        data={"name": "maria manager", "password": PASSWORD, "csrf_token": browser.token()},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, led_to)


def _later() -> int:
    """A moment of the next half minute, whose code counts as now."""
    return int(time.time()) + 30
