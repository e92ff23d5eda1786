"""The front door: the first page of the navigation that the reader may open."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from api.web.page import NAVIGATION, may

blueprint = Blueprint("web_home", __name__)


@blueprint.get("/")
def show() -> Response:
    """Today where there is one for this role, else the next page."""
    first = next((item.operation for _, items in NAVIGATION for item in items if may(item.operation)), None)
    return redirect(url_for(first or "web_account.show"), code=303)
