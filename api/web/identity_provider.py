"""The organisation's identity provider, as pages reach it."""

from __future__ import annotations

from typing import cast

from flask import current_app
from requests import RequestException

from api.auth.oidc import Provider
from api.http.pages import whole_address
from api.http.problems import not_found

__all__ = ["EXTENSION", "provider", "sign_out_address"]

EXTENSION = "anodyne-oidc"


def provider() -> Provider:
    """The configured provider; the 404 where there is none."""
    found = current_app.extensions.get(EXTENSION)
    if found is None:
        raise not_found()
    return cast(Provider, found)


def sign_out_address(id_token: str | None) -> str | None:
    """Where the provider ends its own session, if it can (RP-initiated logout)."""
    asked = current_app.extensions.get(EXTENSION)
    if asked is None or id_token is None:
        return None
    back = whole_address(current_app.url_for("web_signing_in.sign_in"))
    try:
        made = asked.create_logout_url(
            post_logout_redirect_uri=back, id_token_hint=id_token, client_id=asked.client_id
        )
    except (RequestException, RuntimeError):
        return None  # it cannot; here the session is ended already
    return str(made["url"])
