"""Which requests are for pages (those of operations named `web_...`, and unknown paths outside the API), and their
addresses."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, request

from api.http.context import wired

__all__ = ["NOT_PAGES", "is_page", "local_path", "next_page", "whole_address"]

PREFIX = "web_"
NOT_PAGES = ("/v1", "/fhir", "/docs", "/openapi.json", "/healthz", "/metrics")
"""Where machines ask: their errors are problem details."""


def is_page(endpoint: str | None = None) -> bool:
    """Whether this request (or the named endpoint) is answered with a page rather than with data for programs."""
    name = endpoint or request.endpoint
    if name is not None:
        return name.startswith(PREFIX)
    return not any(request.path == root or request.path.startswith(root + "/") for root in NOT_PAGES)


def local_path(given: str | None) -> str | None:
    """`given` where it is a path of ours (with its query), else None: never another site's address."""
    if not given or len(given) > 2000 or not given.startswith("/") or given.startswith(("//", "/\\")):
        return None
    if any(ord(character) <= 32 or character == "\\" or ord(character) == 127 for character in given):
        return None  # browsers drop tabs and line ends, and take a backslash for a slash
    return given


def next_page() -> str | None:
    """Where `?next=` leads once somebody has signed in: where that takes forms only, the nearest page above it."""
    wanted = local_path(request.args.get("next"))
    if wanted is None:
        return None
    methods = current_app.url_map.bind("").allowed_methods
    here = urlsplit(wanted).path
    if "GET" in methods(here) or not methods(here):
        return wanted
    while here and "GET" not in methods(here):
        here = here.rpartition("/")[0]
    return here or "/"


def whole_address(path: str) -> str:
    """`path` as others reach it, by the configured public address (a Host header is what anybody sends)."""
    return (wired().settings.public_url or request.url_root.rstrip("/")) + path
