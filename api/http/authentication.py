"""Before any operation: who is it, and may they. Denied unless the policy says otherwise.

Machines send an API key and get problem details; people have a session cookie and get pages. A key opens no page and
a session no `/v1`: what a browser sends by itself can never reach the API.
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from flask import Flask, current_app, g, redirect, request
from werkzeug.wrappers import Response

from api.auth import policy
from api.auth.keys import Principal
from api.auth.sessions import Session
from api.http import csrf
from api.http.context import wired
from api.http.cookies import session_token
from api.http.limits import Limiter
from api.http.pages import is_page, local_path
from api.http.problems import Problem, not_found

__all__ = ["register", "session_of_request", "to_sign_in"]

BACKGROUND = "X-Anodyne-Background"
"""A page that renews itself sends this header (`hx-headers`), so that nobody stays signed in by looking away."""

STEPS = {
    "code": "web_signing_in.code", "enrol": "web_signing_in.enrol", "password": "web_signing_in.new_password",
}  # fmt: skip
"""The page of each unfinished step of signing in."""


def register(app: Flask, limiter: Limiter) -> None:
    """Authenticates and authorises every request whose endpoint is not public."""

    @app.before_request
    def check() -> Response | None:
        if request.method == "OPTIONS":
            return None
        operation = request.endpoint
        if operation is None:
            if request.path.startswith("/v1/"):
                _authenticate(limiter)
            return None
        if is_page():
            return _check_page(operation, limiter)
        if operation not in policy.PUBLIC:
            _authorise(operation, _authenticate(limiter))
        return None


def _authorise(operation: str, principal: Principal) -> None:
    permit = policy.POLICY.get(operation)
    if permit is None:
        raise not_found()
    if not policy.allows(permit, principal.role, principal.scopes):
        raise Problem(
            403, "not-permitted", f"The role {principal.role} may not do this, or the key's scopes do not."
        )


def _authenticate(limiter: Limiter) -> Principal:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    principal = wired().keys.authenticate(text.strip()) if scheme.lower() == "bearer" else None
    if principal is None:
        if text:
            limiter.count_failure()
        raise Problem(
            401, "not-authenticated", "Send an API key: Authorization: Bearer anodyne_...",
            headers={"WWW-Authenticate": 'Bearer realm="anodyne"'},
        )
    g.principal = principal
    limiter.count(principal.key_id)
    return principal


# --- pages ---------------------------------------------------------------------------------------


def _check_page(operation: str, limiter: Limiter) -> Response | None:
    if operation not in policy.LINKED:
        csrf.check()
    if operation in policy.PUBLIC or operation in policy.LINKED:
        return None
    session = session_of_request()
    if session is None or session.stage != "full":
        if operation not in policy.POLICY:
            raise not_found()
        return to_sign_in(session)
    g.session, g.principal = session, session.principal
    limiter.count(session.principal.key_id)
    _authorise(operation, session.principal)
    return None


def session_of_request() -> Session | None:
    """The live session of the browser's cookie, finished or not; None for a demo account in production."""
    token = session_token()
    if token is None:
        return None
    session = wired().identity.sessions.find(token, touch=BACKGROUND not in request.headers)
    if session is not None and session.demo and wired().settings.environment == "production":
        return None
    return session


def to_sign_in(session: Session | None) -> Response:
    """Sends the browser to sign in (or to the step that is missing), and from there back to where it wanted to go."""
    if session is not None and session.stage != "full":
        address = current_app.url_for(STEPS[session.stage])
    else:
        address = current_app.url_for("web_signing_in.sign_in")
    said = {}
    if session is None and request.method not in ("GET", "HEAD"):
        said["ended"] = "unsent"
    elif session is None and session_token() is not None:
        said["ended"] = "1"
    wanted = _wanted()
    if wanted is not None and wanted != "/":
        said["next"] = wanted
    if said:
        address += "?" + urlencode(said)
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": address})
    return redirect(address, code=303)


def _wanted() -> str | None:
    """The page that was asked for; for what is not a page of its own (a form, a part) the page it stands in."""
    if request.method in ("GET", "HEAD") and "HX-Request" not in request.headers:
        return local_path(request.full_path.rstrip("?"))
    shown = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    if shown.netloc != request.host:
        return None
    return local_path(shown.path + ("?" + shown.query if shown.query else ""))
