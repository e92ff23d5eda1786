"""The page of one's own account: role, sessions, password, second step."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.http.context import session, wired

blueprint = Blueprint("web_account", __name__)


@blueprint.get("/account")
def show() -> str:
    """Who is signed in, in which role, and where else."""
    mine, identity = session(), wired().identity
    return render_template(
        "signing_in/account.html", session=mine, sessions=identity.sessions.of(mine.user_id),
        grants=identity.grants.of(mine.user_id),
    )
