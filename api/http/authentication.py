"""Before any operation: who is it, and may they. Denied unless the policy says otherwise."""

from __future__ import annotations

from flask import Flask, g, request

from api.auth import policy
from api.auth.keys import Principal
from api.http.context import wired
from api.http.limits import Limiter
from api.http.problems import Problem, not_found

__all__ = ["register"]


def register(app: Flask, limiter: Limiter) -> None:
    """Authenticates and authorises every request whose endpoint is not public."""

    @app.before_request
    def check() -> None:
        if request.method == "OPTIONS":
            return
        operation = request.endpoint
        if operation is None:
            if request.path.startswith("/v1/"):
                _authenticate(limiter)
            return
        if operation in policy.PUBLIC:
            return
        principal = _authenticate(limiter)
        permit = policy.POLICY.get(operation)
        if permit is None:
            raise not_found()
        if not policy.allows(permit, principal.role, principal.scopes):
            raise Problem(
                403, "not-permitted", f"The role {principal.role} may not do this, or the key's scopes do not."
            )


def _authenticate(limiter: Limiter) -> Principal:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    principal = wired().keys.authenticate(text.strip()) if scheme.lower() == "bearer" else None
    if principal is None:
        if text:
            limiter.count_failure()
        raise Problem(
            401, "not-authenticated", "Send an API key: Authorization: Bearer anodyne_...",
            headers={"WWW-Authenticate": 'Bearer realm="anodyne"'},
        )
    g.principal = principal
    limiter.count(principal.key_id)
    return principal
