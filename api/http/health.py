"""Is it alive, is it ready, what are its counters. Nothing here holds health data."""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, json, request

from api.http import metrics as counters
from api.http.context import wired
from api.http.problems import Problem

blueprint = Blueprint("health", __name__)

_log = structlog.get_logger("anodyne.http")


@blueprint.get("/healthz/live")
def live() -> Response:
    """The process answers."""
    return _answer({"status": "live"}, 200)


@blueprint.get("/healthz/ready")
def ready() -> Response:
    """Log and views reachable, schema current, projections near enough; 503 with what is wrong otherwise."""
    parts = wired()
    checks: dict[str, Any] = {}
    try:
        checks["log_position"] = parts.services.log.head()
        checks["log"] = "ok"
    except Exception as error:  # noqa: BLE001  whatever it is, we are not ready
        _log.warning("not ready", check="log", error=type(error).__name__)
        checks["log"] = "unreachable"
    try:
        status = parts.read_side.status()
        checks["views"] = "ok"
        checks["projections"] = {name: {"lag_events": lag.events, "lag_seconds": lag.seconds, "state": lag.state}
                                 for name, lag in status.items()}
        if any(lag.state not in ("running", "rebuilding") for lag in status.values()):
            checks["views"] = "a projection stands still"
        if any(lag.seconds > parts.settings.ready_lag_seconds for lag in status.values()):
            checks["views"] = "behind"
    except Exception as error:  # noqa: BLE001
        _log.warning("not ready", check="views", error=type(error).__name__)
        checks["views"] = "unreachable"
    is_ready = checks["log"] == "ok" and checks["views"] == "ok"
    return _answer({"status": "ready" if is_ready else "not ready", **checks}, 200 if is_ready else 503)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus counters; with ANODYNE_METRICS_TOKEN set only for its bearer."""
    token = wired().settings.metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token is not None and not compare_digest(given.encode(), token.encode()):
        raise Problem(401, "not-authenticated", "Send the metrics token.", headers={"WWW-Authenticate": "Bearer"})
    text, content_type = counters.exposition()
    return current_app.response_class(text, content_type=content_type)


def _answer(body: dict[str, Any], status: int) -> Response:
    return current_app.response_class(json.dumps(body), status=status, mimetype="application/json")
