"""Signing in through the organisation's identity provider, and out of it again."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from authlib.integrations.base_client import OAuthError
from flask import Blueprint, current_app, request
from flask import session as form_cookie
from requests import RequestException
from werkzeug.wrappers import Response

from api.auth.acting import changes_are_by
from api.auth.id_token import BadIdToken
from api.auth.oidc import Arrivals, NotLetIn, Provider
from api.auth.steps import BY_OIDC
from api.http.context import wired
from api.http.limits import limiter
from api.http.pages import local_path, next_page, whole_address
from api.http.scope import is_clinic
from api.web import sign_in_log
from api.web.identity_provider import provider
from api.web.page import render
from api.web.signing_in import begin
from domain.kernel import Actor

__all__ = ["blueprint"]

blueprint = Blueprint("web_signing_in_oidc", __name__, url_prefix="/sign-in/oidc")

_NEXT = "oidc-next"
_STATES = "_state_"

_log = structlog.get_logger("anodyne.http")


@blueprint.get("")
def start() -> Response:
    """Sends the browser to the provider; what is needed to know it again is kept in the signed form cookie."""
    limiter().count_sign_in()
    asked = provider()
    for stale in [name for name in form_cookie if name.startswith(_STATES)]:
        form_cookie.pop(stale)  # one sign-in at a time per browser: a cookie is small
    form_cookie[_NEXT] = next_page() or "/"
    try:
        return cast(Response, asked.authorize_redirect(_callback_address()))
    except (RequestException, RuntimeError) as error:
        return _unreachable(error)


@blueprint.get("/callback")
def callback() -> Response:
    """The browser comes back: the code is changed for an ID token, and that is proved."""
    limiter().count_sign_in()
    asked = provider()
    wanted = local_path(form_cookie.get(_NEXT)) or "/"
    changes_are_by(Actor(id="identity-provider", role="system"))
    try:
        claims, id_token = _proved(asked)
        account = _arrivals().account(claims)
    except (OAuthError, BadIdToken, NotLetIn) as error:
        reason = getattr(error, "reason", None) or "refused-by-provider"
        sign_in_log.failed(getattr(error, "account", None), BY_OIDC, reason)
        return _refused()
    except (RequestException, RuntimeError, ValueError) as error:
        return _unreachable(error)
    grants = wired().identity.grants.of(account.user_id)
    sign_in_log.signed_in(account, grants[0], BY_OIDC)
    return begin(
        account.user_id, grants[0].role, method=BY_OIDC, stage="full", id_token=id_token, on=wanted
    )


def _callback_address() -> str:
    return whole_address(current_app.url_for("web_signing_in_oidc.callback"))


def _proved(asked: Provider) -> tuple[dict[str, Any], str]:
    issuer = request.args.get("iss")
    if issuer is not None and issuer != asked.issuer:
        raise BadIdToken("answer-of-another-issuer")
    token = asked.authorize_access_token()
    claims = token.get("userinfo")
    if not claims:
        raise BadIdToken("no-id-token")
    claims = dict(claims)
    if wired().settings.oidc_groups_claim not in claims and "userinfo_endpoint" in asked.load_server_metadata():
        more = asked.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise BadIdToken("userinfo-of-another")
        claims = {**more, **claims}
    return claims, str(token["id_token"])


def _arrivals() -> Arrivals:
    identity = wired().identity
    return Arrivals(
        wired().read_side.database.reads, identity.accounts, identity.grants, wired().settings, is_clinic
    )


def _refused() -> Response:
    return render(
        "signing_in/refused.html", title="Not signed in", active="web_signing_in_oidc.callback", status=403,
        provider=wired().settings.oidc_name,
    )


def _unreachable(error: Exception) -> Response:
    _log.warning("oidc.unreachable", error=type(error).__name__, host=urlsplit(provider().issuer).netloc)
    return render(
        "signing_in/unreachable.html", title="The sign-in does not answer", active="web_signing_in_oidc.start",
        status=502, provider=wired().settings.oidc_name,
    )
