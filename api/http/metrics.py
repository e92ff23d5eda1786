"""Prometheus counters of the HTTP edge: by method, route and status, never by id, name or query.

Under gunicorn the workers share a directory (`PROMETHEUS_MULTIPROC_DIR`, set in `api/gunicorn_conf.py`); alone, the
process's own registry serves.
"""

from __future__ import annotations

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["exposition", "register"]

REQUESTS = Counter("anodyne_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "anodyne_http_request_seconds", "Time to answer.", ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


def register(app: Flask) -> None:
    """Times and counts every request under its route's rule."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "unknown"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(method, route).observe(time.perf_counter() - g.get("began", time.perf_counter()))
        return response


def exposition() -> tuple[bytes, str]:
    """The counters of all workers as text, and its content type."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
