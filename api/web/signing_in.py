"""Signing in and out: name and password here, then whatever step is still missing."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, render_template, request
from flask import session as form_cookie
from werkzeug.wrappers import Response

from api.auth.accounts import Attempt
from api.auth.sessions import Stage
from api.http.authentication import session_of_request
from api.http.context import wired
from api.http.cookies import clear_session, session_token, set_session
from api.http.limits import limiter
from api.http.pages import local_path
from api.web import sign_in_log

blueprint = Blueprint("web_signing_in", __name__)


@blueprint.get("/sign-in")
def sign_in() -> Response | str:
    """The form; whoever is signed in already goes on."""
    session = session_of_request()
    if session is not None and session.stage == "full":
        return _go_on()
    return _form()


@blueprint.post("/sign-in")
def give_password() -> Response | tuple[str, int]:
    """Judges name and password; the answer to a wrong one never says what was wrong."""
    limiter().count_sign_in()
    attempt = wired().identity.accounts.attempt(request.form.get("name", ""), request.form.get("password", ""))
    if not attempt.passed:
        sign_in_log.failed(attempt.account, "password", attempt.reason)
        return _form("That name and password do not go together, or too many attempts were made."), 401
    return _admit(attempt)


def _admit(attempt: Attempt) -> Response | tuple[str, int]:
    identity, account = wired().identity, attempt.account
    assert account is not None
    grants = identity.grants.of(account.user_id)
    if not grants:
        sign_in_log.failed(account, "password", "no-role")
        return _form("This account has no role at any clinic. Ask whoever manages Anodyne for you."), 403
    identity.accounts.succeeded(account.user_id)
    sign_in_log.signed_in(account, grants[0], "password")
    return begin(account.user_id, grants[0].role, method="password", stage="full")


def begin(user_id: str, role: str, *, method: str, stage: Stage, id_token: str | None = None) -> Response:
    """Starts a session under a new token (whatever the browser held before is ended) and goes on."""
    sessions = wired().identity.sessions
    end_present()
    token = sessions.start(
        user_id, role, method=method, stage=stage, agent=request.headers.get("User-Agent", ""),  # type: ignore[arg-type]
        address=request.remote_addr or "", id_token=id_token,
    )
    form_cookie.clear()
    response = _go_on()
    set_session(response, token)
    return response


def end_present() -> str | None:
    """Ends the session that the browser holds, if any; the identity token it came with."""
    token = session_token()
    if token is None:
        return None
    sessions = wired().identity.sessions
    held = sessions.find(token, touch=False)
    return None if held is None else sessions.end(held.user_id, held.session_id)


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """Ends this session."""
    end_present()
    form_cookie.clear()
    response = redirect(current_app.url_for("web_signing_in.sign_in"), code=303)
    clear_session(response)
    return response


def _go_on() -> Response:
    return redirect(local_path(request.args.get("next")) or "/", code=303)


def _form(problem: str | None = None) -> str:
    return render_template(
        "signing_in/sign_in.html", problem=problem, name=request.form.get("name", ""),
        next=local_path(request.args.get("next")),
    )
