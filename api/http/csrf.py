"""Forms of pages carry a token that another site cannot know (Flask-WTF), in a field or in the header of HTMX.

A browser that says where the request comes from is believed too: from another site it is refused whatever it carries.
`/v1` needs none of it: it heeds no cookie.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from flask import Flask, request
from flask_wtf.csrf import CSRFError, CSRFProtect

from api.http.cookies import FormCookie
from api.http.problems import Problem

__all__ = ["check", "register"]

HEADER = "X-CSRFToken"
_protect = CSRFProtect()
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def register(app: Flask, secret: bytes) -> None:
    """Prepares the signed form cookie and `csrf_token()` in templates. Checking is `authentication`'s."""
    app.secret_key = hmac.new(secret, b"anodyne/form-cookie/1", hashlib.sha256).digest()
    app.session_interface = FormCookie()
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_PATH="/",
        WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False,
        WTF_CSRF_HEADERS=[HEADER],
    )
    _protect.init_app(app)


def check() -> None:
    """Raises `Problem` 403 for a form that did not come from a page of ours."""
    if request.method in _SAFE:
        return
    if _comes_from_elsewhere():
        raise Problem(403, "foreign-form", "This form was sent from another site.")
    try:
        _protect.protect()
    except CSRFError as error:
        raise Problem(403, "form-expired", "The form is too old: open the page again and send it once more.") from error


def _comes_from_elsewhere() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host
