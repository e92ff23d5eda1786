"""The two cookies of pages: the session's token, and a signed form cookie (CSRF token, a sign-in under way).

Both are `__Host-` cookies (Secure, this host only, path /), HttpOnly and SameSite=Lax. Only the embedded default
served by plain HTTP goes without the prefix and without Secure, because not every browser keeps a Secure cookie
that came by plain HTTP from this machine (Chromium 156 does, as measured; Safari is known not to). Production never
goes without.
"""

from __future__ import annotations

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.wrappers import Response

from api.http.context import wired
from api.http.pages import is_page

__all__ = ["FORM", "SESSION", "FormCookie", "clear_session", "name_of", "session_token", "set_session"]

SESSION = "anodyne"
FORM = "anodyne-form"


def is_locked() -> bool:
    """Whether cookies are `__Host-` and Secure: always, but for an embedded server asked by plain HTTP."""
    return request.is_secure or wired().settings.environment == "production"


def name_of(stem: str) -> str:
    """The cookie's name for this request: a cookie set by plain HTTP is never taken for a secure one."""
    return f"__Host-{stem}" if is_locked() else stem


def session_token() -> str | None:
    """The session's token that the browser sent."""
    return request.cookies.get(name_of(SESSION))


def set_session(response: Response, token: str) -> None:
    """Gives the browser the token; it keeps it until it is closed (the server ends it earlier)."""
    response.set_cookie(name_of(SESSION), token, path="/", secure=is_locked(), httponly=True, samesite="Lax")


def clear_session(response: Response) -> None:
    """Takes the token away."""
    response.delete_cookie(name_of(SESSION), path="/", secure=is_locked(), httponly=True, samesite="Lax")


class FormCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, named and secured like the session's. Machines have none: a twentieth of a command's time
    went into it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """None (Flask's empty session that refuses to be written to) where machines ask."""
        return super().open_session(app, request) if is_page() else None

    def get_cookie_name(self, app: Flask) -> str:
        """See `name_of`."""
        return name_of(FORM)

    def get_cookie_secure(self, app: Flask) -> bool:
        """See `is_locked`."""
        return is_locked()
