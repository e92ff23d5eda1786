"""The page of one's own account: role, sessions, second step, password; and how long the session still lasts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, current_app, json, redirect, request
from flask import session as form_cookie
from werkzeug.wrappers import Response

from api.auth.grants import Grant
from api.auth.passwords import WeakPassword
from api.auth.standing import Overtaken
from api.auth.steps import BY_OIDC
from api.auth.totp import Pending
from api.http.authentication import to_sign_in
from api.http.context import session, wired
from api.http.cookies import clear_session
from api.http.limits import limiter
from api.http.problems import Problem, not_found
from api.web.address import clinic_name
from api.web.page import render
from api.web.signing_in import PENDING

blueprint = Blueprint("web_account", __name__, url_prefix="/account")

DONE = {
    "password": "Your password is changed. You are signed out everywhere else.",
    "role": "You act in your other role now.",
    "ended": "That session is ended.",
    "second-step": "The second step is set up. You are signed out everywhere else.",
    "no-second-step": "The second step is taken away. You are signed out everywhere else.",
}
BROWSERS = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
"""In this order: Edge and Opera also say Chrome, and Chrome says Safari."""

SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
    ("CrOS", "Chromebook"), ("Linux", "Linux"),
)

NOT_ITS_CODE = "That is not the code of this secret. Is the phone's clock right?"
NOT_PROVED = "Your present password or its code is not right, or there were too many attempts."


@blueprint.get("")
def show() -> Response:
    """Who is signed in, in which role, and where else."""
    return _page(done=DONE.get(request.args.get("done", "")))


@blueprint.post("/role")
def change_role() -> Response:
    """Acts in another of one's roles from now on."""
    wanted = request.form.get("role", "")
    if _needs_an_app(wanted):
        raise Problem(403, "second-step-first", "That role needs a second step.")
    if not wired().identity.sessions.change_role(session(), wanted):  # type: ignore[arg-type]  # asked of the table
        raise not_found()
    return _back("role")


# --- sessions ------------------------------------------------------------------------------------


@blueprint.post("/sessions/<string:session_id>/end")
def end_session(session_id: str) -> Response:
    """Ends one of one's own sessions; another's is not found."""
    mine, sessions = session(), wired().identity.sessions
    if session_id not in {one.session_id for one in sessions.of(mine.user_id)}:
        raise not_found()
    sessions.end(mine.user_id, session_id)
    return _back("ended")


@blueprint.post("/sign-out-everywhere")
def sign_out_everywhere() -> Response:
    """Ends every session of the account, this one too."""
    wired().identity.sessions.end_all(session().user_id)
    form_cookie.clear()
    response = redirect(current_app.url_for("web_signing_in.sign_in"), code=303)
    clear_session(response)
    return response


@blueprint.get("/session")
def remaining() -> Response:
    """How many seconds the session lasts if nothing more is asked. Asking this way does not lengthen it."""
    return _left()


@blueprint.post("/stay")
def stay() -> Response:
    """The same after lengthening it; for a form without a script the way back."""
    if "application/json" in request.headers.get("Accept", ""):
        return _left()
    return redirect(current_app.url_for("web_account.show"), code=303)


def session_seconds() -> int:
    """How long this session lasts if nothing more is asked."""
    return max(0, round((session().ends_at - datetime.now(UTC)).total_seconds()))


def _left() -> Response:
    body = json.dumps({"seconds": session_seconds(), "may_stay": session().idle_until <= session().expires_at})
    return current_app.response_class(body, mimetype="application/json")


# --- password and second step --------------------------------------------------------------------


@blueprint.errorhandler(Overtaken)
def overtaken(error: Overtaken) -> Response:
    """The session was ended from elsewhere while it asked for a change: nothing was done."""
    return to_sign_in(None)


@blueprint.post("/password")
def change_password() -> Response:
    """Sets another password and ends the account's other sessions."""
    limiter().count_sign_in()
    mine, accounts = session(), wired().identity.accounts
    given, again = request.form.get("password", ""), request.form.get("again", "")
    if given != again:
        return _page(problem="The two new passwords are not the same.", status=422)
    try:
        accounts.check_strength(mine.user_id, given)
    except WeakPassword as weak:
        return _page(problem=str(weak), status=422)
    if not _is_proved("current", "current-code"):
        return _page(problem=NOT_PROVED, status=403)
    accounts.change_password(mine.user_id, given, by=mine.session_id)
    return _back("password")


@blueprint.get("/second-step")
def second_step() -> Response:
    """Shows what an authenticator app needs."""
    return _second_step()


@blueprint.post("/second-step")
def confirm_second_step() -> Response:
    """Keeps it once its first code and all that signing in asks for are right; shows the recovery codes."""
    limiter().count_sign_in()
    mine, step, pending = session(), wired().identity.second_step, _pending()
    code = request.form.get("code", "")
    if not step.fits(pending, code):  # first: whoever mistypes it keeps the code of the present app
        return _second_step(NOT_ITS_CODE, 422)
    if not _is_proved("password", "present-code"):
        return _second_step(NOT_PROVED, 403)
    codes = step.confirm(mine.user_id, pending, code, by=mine.session_id)
    if codes is None:
        return _second_step(NOT_ITS_CODE, 422)
    form_cookie.pop(PENDING, None)
    return render(
        "signing_in/recovery_codes.html", title="Recovery codes", active="web_account.second_step", codes=codes,
        on=current_app.url_for("web_account.show", done="second-step"),
    )


@blueprint.post("/second-step/remove")
def remove_second_step() -> Response:
    """Takes it away, where none of the account's roles needs it."""
    limiter().count_sign_in()
    mine, identity = session(), wired().identity
    if _step_needed(identity.grants.of(mine.user_id)):
        raise Problem(403, "second-step-needed", "Your role needs a second step.")
    if not _is_proved("remove-password", "remove-code"):
        return _page(problem=NOT_PROVED, status=403)
    identity.second_step.remove(mine.user_id, by=mine.session_id)
    return _back("no-second-step")


def _is_proved(password: str, code: str) -> bool:
    """Whether these fields of the form hold all that signing in asks for."""
    given = request.form
    return wired().identity.proves(session().user_id, given.get(password, ""), given.get(code, ""))


# --- pages ---------------------------------------------------------------------------------------


def _page(*, problem: str | None = None, done: str | None = None, status: int = 200) -> Response:
    mine, identity, settings = session(), wired().identity, wired().settings
    grants = identity.grants.of(mine.user_id)
    return render(
        "signing_in/account.html", title=mine.principal.user_name, active="web_account.show", status=status, mine=mine,
        account=identity.accounts.of(mine.user_id), sessions=identity.sessions.of(mine.user_id), grants=grants,
        places={grant.role: _places(grant) for grant in grants}, zone=_zone(mine.principal.clinics),
        browser_name=browser_name,
        codes_left=identity.second_step.recovery_codes_left(mine.user_id), step_needed=_step_needed(grants),
        idle_minutes=settings.session_idle_minutes, longest_hours=settings.session_hours, problem=problem, done=done,
    )


def _second_step(problem: str | None = None, status: int = 200) -> Response:
    return render(
        "signing_in/second_step.html", title="Set up an authenticator app", active="web_account.second_step",
        status=status, pending=_pending(), problem=problem,
        account=wired().identity.accounts.of(session().user_id),
    )


def _pending() -> Pending:
    """What is being set up in this browser; a new secret where nothing is."""
    mine, identity = session(), wired().identity
    account = identity.accounts.of(mine.user_id)
    if account is None or not account.has_password:
        raise not_found()  # whoever comes by the identity provider has the second step there
    step = identity.second_step
    pending = step.pending(mine.user_id, account.sign_in_name, form_cookie.get(PENDING, ""))
    if pending is None:
        form_cookie[PENDING] = step.sealed_new(mine.user_id)
        pending = step.pending(mine.user_id, account.sign_in_name, form_cookie[PENDING])
    assert pending is not None
    return pending


def _needs_an_app(role: str) -> bool:
    """Whether the role needs a second step and none is set up; whoever comes by the provider has it there."""
    mine = session()
    if mine.method == BY_OIDC or role not in wired().settings.second_step_roles:
        return False
    account = wired().identity.accounts.of(mine.user_id)
    return account is not None and account.totp_confirmed_at is None


def _step_needed(grants: Sequence[Grant]) -> bool:
    return any(grant.role in wired().settings.second_step_roles for grant in grants)


def _places(grant: Grant) -> str:
    if grant.clinics is None:
        return "all clinics"
    return ", ".join(sorted(clinic_name(str(clinic_id)).name for clinic_id in grant.clinics))


def _zone(clinics: frozenset[UUID] | None) -> str:
    """The zone that moments are shown in: that of the one clinic, else UTC."""
    if clinics is not None and len(clinics) == 1:
        return clinic_name(str(next(iter(clinics)))).timezone
    return "UTC"


def browser_name(agent: str) -> str:
    """What a person calls the browser that says this of itself."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "Another program")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def _back(done: str) -> Response:
    return redirect(current_app.url_for("web_account.show", done=done), code=303)
