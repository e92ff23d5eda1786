"""What every answer carries: a request id, and headers that give a browser nothing to misuse."""

from __future__ import annotations

import re
from uuid import uuid4

from flask import Flask, Response, g, request

from api.http.pages import is_page

__all__ = ["register"]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)

_ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

_STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}

DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI sets style attributes; its scripts and style sheets are our own files."""


PAGES_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Pages run our own files only: no inline script, no inline style, no eval."""

_PAGES = {"Content-Security-Policy": PAGES_POLICY, "Referrer-Policy": "same-origin"}
"""`same-origin`: with `no-referrer` a browser would not say where a form comes from; other sites learn nothing."""


def register(app: Flask, *, strict_transport: bool) -> None:
    """Adds the hooks. `strict_transport`: tell browsers to come back by TLS only (production)."""
    wanted = _ALWAYS if not strict_transport else {**_ALWAYS, **_STRICT_TRANSPORT}
    always = [(name.lower(), name, value) for name, value in wanted.items()]

    @app.before_request
    def name_the_request() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid4())

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        if response.mimetype == "text/html" and is_page():
            for name, value in _PAGES.items():
                headers.setdefault(name, value)
        set_already = {name.lower() for name in headers.keys()}  # noqa: SIM118  (iterating gives pairs)
        for lower, name, value in always:
            if lower not in set_already:  # `setdefault` would walk through all of them for each
                headers.add(name, value)
        headers["X-Request-Id"] = g.get("request_id", "")
        return response
