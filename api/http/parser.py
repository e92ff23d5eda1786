"""Reading a request: strict JSON of bounded size and depth, then the schema; nothing is guessed.

Malformed JSON, broken UTF-8, NaN, a name given twice: 400. A body that is not JSON: 415. Larger than allowed: 413.
A body that does not fit its schema: 422 with a pointer for each field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import flask
from marshmallow import Schema, ValidationError
from webargs import core
from webargs.flaskparser import FlaskParser

from api.http.problems import Problem, pointers

__all__ = ["StrictParser"]


class StrictParser(FlaskParser):
    """webargs' parser with the rules above; flask-smorest blueprints of this API use it."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": "raise", "json": "raise"}

    def load_json(self, req: flask.Request, schema: Schema) -> Any:
        """The body as builtins; raises `Problem` 400, 413 (werkzeug), 415."""
        if req.mimetype != "application/json":
            if not req.mimetype and not req.get_data(cache=True):
                raise Problem(400, "body-missing", "A JSON object is needed in the body.")
            raise Problem(415, "unsupported-media-type", "Send the body as application/json.")
        flask.g.sent = strict_json(req.get_data(cache=False))
        return flask.g.sent

    def load_querystring(self, req: flask.Request, schema: Schema) -> Any:
        """The query; a name given twice is refused unless the schema has a list there."""
        for name, values in req.args.lists():
            if len(values) > 1:
                raise Problem(422, "invalid-request", "A parameter is given twice.", errors=[
                    {"pointer": f"/{name}", "detail": "Given more than once."}])
        return super().load_querystring(req, schema)

    def handle_error(
        self,
        error: ValidationError,
        req: flask.Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """A request that does not fit its schema."""
        messages = error.messages
        if isinstance(messages, dict) and len(messages) == 1 and next(iter(messages)) in ("json", "query", "headers"):
            messages = next(iter(messages.values()))
        found = list(pointers(messages))[:50]
        raise Problem(422, "invalid-request", "The request does not fit its schema.", errors=found) from error


def strict_json(raw: bytes) -> Any:
    """`raw` as a JSON object; raises `Problem` 400."""
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Problem(400, "malformed-json", "The body is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise Problem(400, "malformed-json", "The body is not well-formed JSON.") from error
    if not isinstance(value, dict):
        raise Problem(422, "invalid-request", "The body must be a JSON object.", errors=[
            {"pointer": "/", "detail": "Not an object."}])
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name given twice")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_no_twins)
"""Made once: `json.loads` with hooks makes one for every request."""

missing = core.missing
