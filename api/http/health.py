"""Is it alive, is it ready, what are its counters. Nothing here holds health data."""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, json, request

from api.bootstrap import schema_is_current
from api.http import metrics as counters
from api.http.context import Wired, wired
from api.http.problems import Problem
from api.mail.senders import delivery
from projections.engine.status import ProjectionStatus

blueprint = Blueprint("health", __name__)

_log = structlog.get_logger("anodyne.http")


@blueprint.get("/healthz/live")
def live() -> Response:
    """The process answers."""
    return _answer({"status": "live"}, 200)


@blueprint.get("/healthz/ready")
def ready() -> Response:
    """Log and views reachable, schema current, projections near enough; 503 with what is wrong otherwise.

    `mail` says where letters go (sent, folder, nowhere); it makes nobody unready.
    """
    parts = wired()
    checks: dict[str, Any] = {}
    try:
        checks["log_position"] = parts.services.log.head()
        checks["log"] = "ok"
    except Exception as error:
        _log.warning("not ready", check="log", error=type(error).__name__)
        checks["log"] = "unreachable"
    try:
        found = parts.read_side.engine.status()
        checks["projections"] = {
            one.name: {"state": one.state, "lag_events": one.lag_events, "lag_seconds": round(one.lag_seconds, 3)}
            for one in found
        }
        checks["views"] = _standing(found, parts.settings.ready_lag_seconds)
        if not _schema_is_current(parts):
            checks["views"] = "schema not migrated"
    except Exception as error:
        _log.warning("not ready", check="views", error=type(error).__name__)
        checks["views"] = "unreachable"
    checks["mail"] = delivery(parts.settings)
    is_ready = checks["log"] == "ok" and checks["views"] == "ok"
    return _answer({"status": "ready" if is_ready else "not ready", **checks}, 200 if is_ready else 503)


def _schema_is_current(parts: Wired) -> bool:
    """Looked at until it is, and then no more: a running program's schema does not go back."""
    known = current_app.extensions.setdefault("anodyne-schema", {"current": False})
    known["current"] = known["current"] or schema_is_current(parts.settings)
    return bool(known["current"])


def _standing(found: Sequence[ProjectionStatus], longest_lag_s: float) -> str:
    if not found:
        return "not installed"
    if any(one.state == "failed" for one in found):
        return "a projection has failed"
    if any(one.lag_seconds > longest_lag_s for one in found if one.state == "live"):
        return "behind"
    return "ok"


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus counters; with ANODYNE_METRICS_TOKEN set only for its bearer."""
    token = wired().settings.metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token is not None and not compare_digest(given.encode(), token.encode()):
        raise Problem(401, "not-authenticated", "Send the metrics token.", headers={"WWW-Authenticate": "Bearer"})
    text, content_type = counters.exposition()
    return current_app.response_class(text + _standing_of_projections(), content_type=content_type)


def _standing_of_projections() -> bytes:
    """Where the log and the projections stand, asked when scraped; nothing when they cannot be reached."""
    try:
        found = wired().read_side.engine.status()
    except Exception as error:
        _log.warning("not told", check="projections", error=type(error).__name__)
        return b""
    lines = []
    for metric, text, value in (
        ("anodyne_projection_position", "Position reached.", lambda one: one.position),
        ("anodyne_projection_lag_events", "Events of the log not applied yet.", lambda one: one.lag_events),
        ("anodyne_projection_lag_seconds", "Age of the oldest of them.", lambda one: round(one.lag_seconds, 3)),
        ("anodyne_projection_failed", "1 when an event could not be applied.", lambda one: int(one.state == "failed")),
    ):
        lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge"]
        lines += [f'{metric}{{projection="{one.name}"}} {value(one)}' for one in found]
    return ("\n".join(lines) + "\n").encode()


def _answer(body: dict[str, Any], status: int) -> Response:
    return current_app.response_class(json.dumps(body), status=status, mimetype="application/json")
