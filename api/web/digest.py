"""The weekly digest on one's account: asked for, changed, ended; and ended by the link in the letter itself."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.digest.readers import NoAddress, Reader
from api.digest.sending import Digests
from api.home.links import Tokens
from api.http.context import session, wired
from api.web.address import clinics_seen
from api.web.page import render

blueprint = Blueprint("web_digest", __name__)
_log = structlog.get_logger("anodyne.mail")


def _digests() -> Digests:
    parts = wired()
    return Digests(parts.settings, parts.services, parts.read_side)


@blueprint.get("/account/digest")
def show() -> Response:
    """Whether one gets it, and where."""
    return _page()


def _page(problem: str = "", status: int = 200) -> Response:
    mine = _digests().readers.of(session().user_id)
    zone = str(_digests().zone([one.id for one in clinics_seen()]))
    return render(
        "digest.html", title="Weekly digest", active="web_digest.show", status=status, mine=mine, problem=problem,
        zone=zone, lede="Last week against the one before, every Monday at seven, each line with the way to check it.",
    )


@blueprint.post("/account/digest")
def change() -> AnyResponse:
    """Asks for it, moves it to another address, or ends it."""
    digests, user_id, now = _digests(), session().user_id, wired().services.clock.now()
    if request.form.get("do") == "stop":
        mine = digests.readers.of(user_id)
        if mine is not None:
            digests.readers.stop(mine.reader_id, now)
        return redirect(url_for("web_digest.show"), 303)
    zone = digests.zone([one.id for one in clinics_seen()])
    try:
        digests.readers.subscribe(user_id, request.form.get("email", "").strip(), None, now, zone)
    except NoAddress:
        return _page("That is no e-mail address.", 422)
    return redirect(url_for("web_digest.show"), 303)


@blueprint.route("/digest/stop/<token>", methods=["GET", "POST"])
def stop(token: str) -> AnyResponse:
    """Ends a subscription without signing in (RFC 8058). A GET only asks: mail scanners follow links."""
    digests = _digests()
    reader_id = Tokens(wired().secret, "digest").read(token)
    reader: Reader | None = None if reader_id is None else digests.readers.find(reader_id)
    if reader is None:
        return _told("unknown", 404)
    if request.method == "POST":
        digests.readers.stop(reader.reader_id, wired().services.clock.now())
        _log.info("digest.stopped")
        return _told("stopped", 200)
    return _told("stopped" if reader.stopped_at is not None else "ask", 200)


def _told(state: str, status: int) -> Response:
    page = render_template("digest_stop.html", state=state)
    return current_app.response_class(page, status=status, mimetype="text/html")
