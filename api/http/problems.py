"""RFC 9457 problem details: every refusal of this API, whoever raises it, has the same shape.

`type` is a stable URN, `code` the same without the prefix, `errors[].pointer` the JSON pointer of each field at
fault, `request_id` what to quote to the operator. A problem never repeats the value that was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, json, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from api.http.statuses import status_of
from domain.kernel import DomainError
from services.handling import harmless
from services.log import IdempotencyMismatch, KeyDestroyed, LogError, LogUnavailable, StreamConflict

__all__ = ["PAGES", "PROBLEM_JSON", "Problem", "not_found", "problem_response", "register"]

PROBLEM_JSON = "application/problem+json"
PAGES = "anodyne-problem-pages"
"""The extension that may answer a problem with a page for people (`api/web/errors.py`), or None for problem+json."""
TYPE_PREFIX = "urn:anodyne:problem:"

_log = structlog.get_logger("anodyne.http")


class Problem(Exception):
    """A refusal that the edge itself decides on."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers, self.extra = errors or [], dict(headers or {}), extra


def not_found() -> Problem:
    """The one 404: another clinic's id, a random id and an unknown path are told apart by nobody."""
    return Problem(404, "not-found", "There is nothing here, or nothing that this key may see.")


def problem_response(problem: Problem) -> Response:
    """The problem as a response of its own content type; on a page as a page."""
    page: Callable[[Problem], Response | None] | None = current_app.extensions.get(PAGES)
    shown = page(problem) if page is not None else None
    if shown is not None:
        return shown
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": g.get("request_id", ""),
    }
    if problem.errors:
        body["errors"] = problem.errors
    body.update(problem.extra)
    response = current_app.response_class(json.dumps(body), status=problem.status, mimetype=PROBLEM_JSON)
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def register(app: Flask) -> None:
    """Registers the handlers; flask-smorest's own comes before and is replaced."""
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(DomainError, _domain_error)
    app.register_error_handler(LogError, _log_error)
    for unreachable in (OperationalError, InterfaceError, PoolTimeout):  # keys, directory, read models
        app.register_error_handler(unreachable, _views_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


_LOG_ERRORS: tuple[tuple[type[LogError], int, str, str], ...] = (
    (IdempotencyMismatch, 422, "idempotency-key-reused", "This Idempotency-Key was used for another request."),
    (StreamConflict, 409, "busy", "Others were faster five times: try again."),
    (KeyDestroyed, 409, "record-erased", "The record has been erased; nothing more can be written about it."),
    (LogUnavailable, 503, "unavailable", "The log cannot be reached; a retry with the same Idempotency-Key is safe."),
)
"""What may go wrong with the log itself; anything else is our fault (500)."""


def _log_error(error: LogError) -> Response:
    for kind, status, code, detail in _LOG_ERRORS:
        if isinstance(error, kind):
            headers = {"Retry-After": "1"} if status == 503 else None
            return problem_response(Problem(status, code, detail, headers=headers))
    return _unexpected(error)


def _views_error(error: Exception) -> Response:
    """The views' database is away (restarting, say): nothing was decided, a retry is safe."""
    _log.warning("views.unreachable", request_id=g.get("request_id", ""), error=type(error).__name__)
    detail = "The database cannot be reached; a retry with the same Idempotency-Key is safe."
    return problem_response(Problem(503, "unavailable", detail, headers={"Retry-After": "1"}))


def of_domain_error(error: DomainError) -> Problem:
    """A broken rule as a problem: its name, its data, the field at fault. The status comes from one table."""
    data = harmless(error.data)  # what a near miss keeps: so a retry of a refusal gets the same answer
    pointer = data.pop("pointer", None)
    errors = [{"pointer": pointer, "detail": str(error)}] if pointer else None
    status = status_of(error)
    if error.code == "not-found":
        return not_found()
    return Problem(status, error.code, str(error), errors=errors, rule=error.code, data=data)


def _domain_error(error: DomainError) -> Response:
    return problem_response(of_domain_error(error))


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return current_app.response_class(status=status, headers=dict(error.get_headers()))
    if status == 404:
        return problem_response(not_found())
    headers = {n: v for n, v in error.get_headers() if n.lower() in ("allow", "retry-after", "www-authenticate")}
    code = HTTPStatus(status).phrase.lower().replace(" ", "-").replace("'", "")
    known = {
        413: ("body-too-large", f"The body is larger than {current_app.config['MAX_CONTENT_LENGTH']} bytes."),
        429: ("too-many-requests", "The rate limit of this key is used up; see RateLimit and Retry-After."),
        405: ("method-not-allowed", "This path does not take that method; see Allow."),
    }
    code, detail = known.get(status, (code, HTTPStatus(status).description or HTTPStatus(status).phrase))
    return problem_response(Problem(status, code, detail, headers=headers))


def _unexpected(error: Exception) -> Response:
    _log.exception("unexpected", request_id=g.get("request_id", ""), route=str(request.url_rule))
    return problem_response(Problem(500, "internal-error", "Something went wrong on our side; quote the request id."))


def pointers(messages: Any, prefix: str = "") -> Iterator[dict[str, str]]:
    """marshmallow's messages (nested dicts and lists, in any mix) as JSON pointers with a detail each."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            step = "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
            if step in ("/key", "/value") and prefix:  # marshmallow wraps dict errors so
                step = ""
            yield from pointers(inner, prefix + step)
    elif isinstance(messages, (list, tuple)):
        for inner in messages:
            yield from pointers(inner, prefix)
    else:
        yield {"pointer": prefix or "/", "detail": str(messages)}
