"""Puts the pages into the application: blueprints, Jinja, static files, error pages."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask
from jinja2 import FileSystemLoader, StrictUndefined

from api.auth.oidc import make_client
from api.http.context import wired_of
from api.web import (
    account,
    alerts,
    assets,
    boosters,
    clinics,
    digest,
    errors,
    events,
    figures,
    funnel,
    glossary,
    home,
    home_links,
    identity_provider,
    letters,
    outcomes,
    patient,
    preferences,
    rows,
    safety,
    schedule,
    signing_in,
    signing_in_oidc,
    terms,
    today,
    utilization,
    wording,
)
from api.web.address import link

__all__ = ["PAGES", "register"]

PAGES: tuple[Blueprint, ...] = (
    assets.blueprint, preferences.blueprint, signing_in.blueprint, signing_in_oidc.blueprint,
    account.blueprint,
    home.blueprint, clinics.blueprint, utilization.blueprint, outcomes.blueprint, safety.blueprint,
    glossary.blueprint, rows.blueprint, events.blueprint, alerts.blueprint, letters.blueprint, digest.blueprint,
    today.blueprint, schedule.blueprint, boosters.blueprint, patient.blueprint, funnel.blueprint,
    home_links.blueprint,
)  # fmt: skip
"""Every page's blueprint; a new page is one line here, one in `api/auth/policy.py`, one in `page.NAVIGATION`."""

def register(app: Flask) -> None:
    """Adds the pages to the application."""
    app.jinja_loader = FileSystemLoader(Path(__file__).parent / "templates")
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        words=wording.words, number=wording.number, duration=wording.duration, lapse=wording.lapse, day=wording.day,
        when=wording.when, moment=wording.moment, quantity=wording.quantity, left_out=figures.left_out_in_words,
        condition=terms.condition,
    )
    app.jinja_env.globals.update(
        asset=assets.asset, session_seconds=account.session_seconds, link=link, count=wording.count,
        period=wording.period, rows_in_words=figures.rows_in_words
    )
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    errors.register(app)
    provider = make_client(app, wired_of(app).settings)
    if provider is not None:
        app.extensions[identity_provider.EXTENSION] = provider
