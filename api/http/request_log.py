"""One line per request: which operation, by which key in which role, under which version of the policy, how it
ended, and which process answered.

The route, never the path or the query: those hold ids. Health checks and scrapes are left out.
"""

from __future__ import annotations

import os
import time

import structlog
from flask import Flask, Response, g, request

from api.auth import policy

__all__ = ["register"]

_log = structlog.get_logger("anodyne.http")

QUIET = frozenset({"health.live", "health.ready", "health.metrics", "docs.asset"})


def register(app: Flask) -> None:
    """Adds the hook. `g.began` is set by the metrics' hook, which runs first."""

    @app.after_request
    def tell(response: Response) -> Response:
        if request.endpoint not in QUIET:
            who = g.get("principal")
            _log.info(
                "request", method=request.method if len(request.method) < 10 else "other",
                route=request.endpoint or "none", status=response.status_code,
                ms=round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000, 1),
                request_id=g.get("request_id", ""), key=who.key_id if who else None, role=who.role if who else None,
                policy=policy.VERSION, pid=os.getpid(),
            )
        return response
