"""Signing in and out: name and password, then each step that is still missing (`api/auth/steps.py`).

Between the steps the browser holds a session that opens nothing but its step; every step gives it a new token.
Whatever is wrong with a name and a password, the answer and the time it takes are the same.
"""

from __future__ import annotations

import math
import time
from urllib.parse import urlencode

from flask import Blueprint, current_app, redirect, request
from flask import session as form_cookie
from werkzeug.wrappers import Response

from api.auth.accounts import Account
from api.auth.acting import changes_are_by
from api.auth.passwords import WeakPassword
from api.auth.sessions import Session, Stage
from api.auth.standing import Overtaken, Stamp
from api.auth.steps import BY_CODE, BY_PASSWORD, BY_RECOVERY_CODE, next_stage
from api.http.authentication import STEPS, session_of_request
from api.http.context import wired
from api.http.cookies import clear_session, session_token, set_session
from api.http.limits import limiter
from api.http.pages import next_page
from api.web import sign_in_log
from api.web.identity_provider import sign_out_address
from api.web.page import render
from domain.kernel import Actor, Role

__all__ = ["admit", "begin", "blueprint", "end_present", "to_form"]

blueprint = Blueprint("web_signing_in", __name__)

REFUSED = "That name and password do not go together, or there were too many attempts. Wait a little and try again."
ANSWER_STEP_S = 0.5
"""Refusals leave at whole steps after they came."""

ENDED = {
    "1": "Your session has ended. What was saved before is kept; what was not sent is lost.",
    "unsent": "Your session had ended already, so what you sent last was not taken. Sign in and send it again.",
    "step": "This sign-in is over: it took too long, or it went on in another browser. Begin again. If that other "
            "browser was not yours, tell whoever manages Anodyne for you.",
}
"""What is said where somebody has to sign in again."""

PENDING = "second-step"
"""In the form cookie: the wrapped secret of an authenticator app that is being set up."""


# --- name and password ---------------------------------------------------------------------------


@blueprint.get("/sign-in")
def sign_in() -> Response:
    """The form; whoever is signed in already goes on."""
    session = session_of_request()
    if session is not None and session.stage == "full":
        return redirect(next_page() or "/", code=303)
    return _form()


@blueprint.post("/sign-in")
def give_password() -> Response:
    """Judges name and password."""
    limiter().count_sign_in()
    if not wired().settings.local_sign_in:
        return _form("People sign in through the organisation's own sign-in here.", 403)
    begun = time.monotonic()
    attempt = wired().identity.accounts.attempt(request.form.get("name", ""), request.form.get("password", ""))
    if not attempt.passed or attempt.account is None:
        sign_in_log.failed(attempt.account, BY_PASSWORD, attempt.reason)
        _at_a_whole_step(begun)
        return _form(REFUSED, 401)
    return admit(attempt.account, BY_PASSWORD)


@blueprint.errorhandler(Overtaken)
def overtaken(error: Overtaken) -> Response:
    """Somebody else took the same step first: this browser begins again."""
    sign_in_log.failed(wired().identity.accounts.of(error.user_id), BY_PASSWORD, "overtaken")
    end_present()
    return _over()


def _at_a_whole_step(begun: float) -> None:
    """Waits until a whole number of steps has gone by: what was done for a name that exists does not show."""
    gone = time.monotonic() - begun
    time.sleep(math.ceil(gone / ANSWER_STEP_S) * ANSWER_STEP_S - gone)


def admit(account: Account, method: str, *, after: Session | None = None) -> Response:
    """Lets the person on to the next step, or in; `after` is the step's session. Who has no role anywhere is told so.

    Raises `Overtaken`.
    """
    identity = wired().identity
    grants = identity.grants.of(account.user_id)
    if not grants:
        sign_in_log.failed(account, method, "no-role")
        return _form("This account has no role at any clinic. Ask whoever manages Anodyne for you.", 403)
    stage = next_stage(
        account, [grant.role for grant in grants], method=method, needing=wired().settings.second_step_roles
    )
    if stage == "full":
        identity.accounts.succeeded(account.user_id)
        sign_in_log.signed_in(account, grants[0], method)
    return begin(
        account.user_id, grants[0].role, method=method, stage=stage, proved=account.stamp,
        after=None if after is None else after.session_id,
    )


def begin(
    user_id: str, role: Role, *, method: str, stage: Stage, id_token: str | None = None, on: str | None = None,
    proved: Stamp | None = None, after: str | None = None,
) -> Response:
    """Starts a session under a new token (what the browser held before is ended) and goes on to its page.

    Raises `Overtaken` as `Sessions.start` does.
    """
    if after is None:
        end_present()
    token = wired().identity.sessions.start(
        user_id, role, method=method, stage=stage, agent=request.headers.get("User-Agent", ""),
        address=request.remote_addr or "", id_token=id_token, proved=proved, after=after,
    )
    form_cookie.clear()
    response = redirect(on or next_page() or "/", code=303) if stage == "full" else _to(STEPS[stage])
    set_session(response, token)
    return response


def end_present() -> tuple[Session, str | None] | None:
    """Ends the session that the browser holds, if any; it and the identity token it came with."""
    token = session_token()
    held = None if token is None else wired().identity.sessions.find(token, touch=False)
    if held is None:
        return None
    return held, wired().identity.sessions.end(held.user_id, held.session_id)


# --- the steps after it --------------------------------------------------------------------------


@blueprint.get("/sign-in/code")
def code() -> Response:
    """Asks for the code of the authenticator app."""
    return _over() if _held("code") is None else _code_form()


@blueprint.post("/sign-in/code")
def give_code() -> Response:
    """Judges a code or a recovery code: counted before it is judged, like passwords."""
    limiter().count_sign_in()
    session = _held("code")
    if session is None:
        return _over()
    accounts = wired().identity.accounts
    free = accounts.count(session.user_id)
    by = wired().identity.second_step.check(session.user_id, request.form.get("code", "")) if free else None
    account = accounts.of(session.user_id)
    assert account is not None
    if by is None:
        sign_in_log.failed(account, BY_CODE, "wrong-code" if free else "locked")
        return _code_form("That code is not good (any more), or there were too many attempts.", 401)
    accounts.take_back(session.user_id)
    return admit(account, BY_CODE if by == "totp" else BY_RECOVERY_CODE, after=session)


@blueprint.get("/sign-in/enrol")
def enrol() -> Response:
    """Shows what the authenticator app needs, where the role needs one and none is set up."""
    session = _held("enrol")
    return _over() if session is None else _enrol_form(session)


@blueprint.post("/sign-in/enrol")
def confirm_enrolment() -> Response:
    """Keeps the app's secret once its first code is right, and shows the recovery codes."""
    limiter().count_sign_in()
    session = _held("enrol")
    if session is None:
        return _over()
    identity = wired().identity
    account = identity.accounts.of(session.user_id)
    assert account is not None
    pending = identity.second_step.pending(session.user_id, account.sign_in_name, form_cookie.get(PENDING, ""))
    codes = pending and identity.second_step.confirm(
        session.user_id, pending, request.form.get("code", ""), by=session.session_id, first=True
    )
    if not codes:
        return _enrol_form(session, "That is not the code of this secret. Is the phone's clock right?", 422)
    account = identity.accounts.of(session.user_id)
    assert account is not None
    entered = admit(account, BY_CODE, after=session)
    shown = render(
        "signing_in/recovery_codes.html", title="Recovery codes", active="web_signing_in.enrol", codes=codes,
        on=entered.headers["Location"],
    )
    shown.headers.extend([("Set-Cookie", cookie) for cookie in entered.headers.getlist("Set-Cookie")])
    return shown


@blueprint.get("/sign-in/password")
def new_password() -> Response:
    """Asks for a password of one's own, where an operator set the present one."""
    return _over() if _held("password") is None else _password_form()


@blueprint.post("/sign-in/password")
def set_new_password() -> Response:
    """Sets it, if it is still to be set."""
    limiter().count_sign_in()
    session = _held("password")
    if session is None:
        return _over()
    given, again = request.form.get("password", ""), request.form.get("again", "")
    accounts = wired().identity.accounts
    if given != again:
        return _password_form("The two are not the same.", 422)
    if accounts.has_this_password(session.user_id, given):
        return _password_form("Choose another than the one you were given.", 422)
    try:
        accounts.change_password(session.user_id, given, by=session.session_id, given=True)
    except WeakPassword as weak:
        return _password_form(str(weak), 422)
    account = accounts.of(session.user_id)
    assert account is not None
    return admit(account, session.method, after=session)


def _over() -> Response:
    """From a step that is not this session's (any more): on to where it has come, or back to the beginning."""
    session = session_of_request()
    if session is None:
        begun = request.method == "POST" or session_token() is not None
        return _to("web_signing_in.sign_in", ended="step" if begun else None)
    return redirect(next_page() or "/", code=303) if session.stage == "full" else _to(STEPS[session.stage])


def _held(stage: Stage) -> Session | None:
    session = session_of_request()
    if session is None or session.stage != stage:
        return None
    changes_are_by(Actor(id=session.principal.actor_id, role=session.principal.role))
    return session


# --- out -----------------------------------------------------------------------------------------


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """Ends this session; who came by the identity provider is led to its own sign-out."""
    ended = end_present()
    form_cookie.clear()
    address = sign_out_address(None if ended is None else ended[1])
    if address is None:
        return to_form()
    response = render(
        "signing_in/signed_out.html", title="Signed out", active="web_signing_in.sign_out", address=address,
        provider=wired().settings.oidc_name,
    )
    clear_session(response)
    return response


# --- pages ---------------------------------------------------------------------------------------


def to_form() -> Response:
    """Back to the beginning, with a cookie that is good for nothing taken away."""
    response = _to("web_signing_in.sign_in")
    clear_session(response)
    return response


def _to(operation: str, *, ended: str | None = None) -> Response:
    said = {name: value for name, value in (("ended", ended), ("next", next_page())) if value}
    address = current_app.url_for(operation)
    return redirect(address + ("?" + urlencode(said) if said else ""), code=303)


def _form(problem: str | None = None, status: int = 200) -> Response:
    return render(
        "signing_in/sign_in.html", title="Sign in", active="web_signing_in.sign_in", status=status, problem=problem,
        name=request.form.get("name", ""), next=next_page(), local=wired().settings.local_sign_in,
        ended=ENDED.get(request.args.get("ended", "")),
        provider=wired().settings.oidc_issuer and wired().settings.oidc_name,
        plain=not request.is_secure and request.host.partition(":")[0] not in ("127.0.0.1", "localhost"),
    )


def _code_form(problem: str | None = None, status: int = 200) -> Response:
    return render(
        "signing_in/code.html", title="Your code", active="web_signing_in.code", status=status, problem=problem,
        next=next_page(),
    )


def _enrol_form(session: Session, problem: str | None = None, status: int = 200) -> Response:
    step, account = wired().identity.second_step, wired().identity.accounts.of(session.user_id)
    assert account is not None
    pending = step.pending(session.user_id, account.sign_in_name, form_cookie.get(PENDING, ""))
    if pending is None:
        form_cookie[PENDING] = step.sealed_new(session.user_id)
        pending = step.pending(session.user_id, account.sign_in_name, form_cookie[PENDING])
    return render(
        "signing_in/enrol.html", title="Set up a second step", active="web_signing_in.enrol", status=status,
        problem=problem, pending=pending, next=next_page(),
    )


def _password_form(problem: str | None = None, status: int = 200) -> Response:
    return render(
        "signing_in/new_password.html", title="A password of your own", active="web_signing_in.new_password",
        status=status, problem=problem, next=next_page(),
    )
