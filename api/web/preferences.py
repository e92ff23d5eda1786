"""What a reader may choose about the look: light, dark, or as their device has it. Kept in a cookie, nothing else.

And what is asked for again every ten seconds where HTMX runs: how far the figures are behind, how many alerts wait.
"""

from __future__ import annotations

from flask import Blueprint, Response, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from api.http.cookies import is_locked
from api.http.pages import local_path
from api.http.problems import not_found
from api.web.page import LAG_TOLD_SECONDS, THEMES, alerts_waiting, lag_seconds, may

blueprint = Blueprint("web_preferences", __name__)

A_YEAR = 365 * 24 * 3600


@blueprint.get("/theme/<string:choice>")
def theme(choice: str) -> WerkzeugResponse:
    """Keeps the choice (`device` forgets it) and goes back to where the reader was, on this site only."""
    if choice not in (*THEMES, "device"):
        raise not_found()
    response = redirect(local_path(request.args.get("back")) or "/", code=303)
    secure = is_locked()
    if choice == "device":
        response.delete_cookie("theme", secure=secure, samesite="Lax", httponly=True)
    else:
        response.set_cookie("theme", choice, max_age=A_YEAR, secure=secure, samesite="Lax", httponly=True)
    return response


@blueprint.get("/lag")
def lag() -> Response:
    """The banner, and how many alerts wait for the navigation: what is renewed on every page."""
    html = render_template(
        "renewed.html", lag=lag_seconds(), lag_told=LAG_TOLD_SECONDS, alerts_waiting=alerts_waiting(), may=may)
    return current_app.response_class(html, mimetype="text/html")

