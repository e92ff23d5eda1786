"""Registers the pages: their blueprints and where their templates lie."""

from __future__ import annotations

from flask import Blueprint, Flask

from api.web import account, signing_in

__all__ = ["register"]

PAGES = (signing_in.blueprint, account.blueprint)


def register(app: Flask) -> None:
    """Adds every page to the application."""
    app.register_blueprint(Blueprint("web", __name__, template_folder="templates"))
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
