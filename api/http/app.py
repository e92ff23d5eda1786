"""The application factory: everything is wired here for one `Settings`, nothing happens on import."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from threading import Semaphore
from typing import Any

from flask import Flask
from flask_smorest import Api
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, ValidationError

from api.bootstrap import ReadSide, Services, build_read_side, build_services, identity, key_registry
from api.http import authentication, calendar, csrf, docs, headers, health, metrics, openapi, problems, request_log
from api.http.context import EXTENSION, Wired
from api.http.limits import Limiter
from api.http.resources import (
    alerts,
    appointments,
    cabinets,
    clinics,
    courses,
    dashboards,
    events,
    home_links,
    infusions,
    oversight,
    patient_picture,
    projections,
    reference,
    scheduling,
    staff,
)
from api.http.scope import Origins
from api.settings import Settings
from api.web import app as web
from api.web import from_home

__all__ = ["create_app"]

RESOURCES = (
    clinics, staff, patient_picture, courses, appointments, scheduling, infusions, home_links, cabinets, dashboards,
    events, projections, reference, alerts, oversight,
)  # fmt: skip


class DateConverter(BaseConverter):
    """A calendar day in a path."""

    regex = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        """The day; an impossible one is no path of ours."""
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValidationError(value) from error

    def to_url(self, value: date) -> str:
        """ISO 8601."""
        return value.isoformat()


class Application(Flask):
    """Flask without coroutines: ours has none, and asking every hook at every request cost 20 us."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


def create_app(
    settings: Settings | None = None, *, services: Services | None = None, read_side: ReadSide | None = None
) -> Flask:
    """The WSGI application. Builds its own services and read side unless given (a test, the demo)."""
    settings = settings or Settings.from_environment()
    services = services or build_services(settings)
    read_side = read_side or build_read_side(settings, services)
    app = Application("anodyne", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_body_bytes,
        PROPAGATE_EXCEPTIONS=False,
        API_TITLE=openapi.TITLE,
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["date"] = DateConverter
    app.url_map.strict_slashes = False
    app.extensions[EXTENSION] = Wired(
        settings=settings, services=services, read_side=read_side, keys=key_registry(settings, services, read_side),
        identity=identity(settings, services, read_side), secret=settings.secret(), origins=Origins(),
        waiting=Semaphore(_most_waiting(settings)),
    )
    _add_hooks(app, settings)
    _add_routes(app)
    from_home.register(app, settings, services, read_side)
    problems.register(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def _most_waiting(settings: Settings) -> int:
    """Half of a worker's threads: the others answer on. A worker with one thread lets nobody wait."""
    return settings.threads // 2 if settings.worker_class == "gthread" else 0


def _add_hooks(app: Flask, settings: Settings) -> None:
    limiter = Limiter(
        settings.rate_limit_storage, settings.rate_limit, settings.failure_limit, settings.sign_in_limit
    )
    headers.register(app, strict_transport=settings.environment == "production")
    metrics.register(app)
    request_log.register(app)
    csrf.register(app, settings.secret())
    authentication.register(app, limiter)
    limiter.register(app)


def _add_routes(app: Flask) -> None:
    api = Api(app)
    api.register_converter(DateConverter, lambda converter: {"type": "string", "format": "date"})
    for resource in RESOURCES:
        api.register_blueprint(resource.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(docs.blueprint)
    app.register_blueprint(calendar.blueprint)
    web.register(app)
    app.extensions[openapi.EXTENSION] = openapi.finished(api)
