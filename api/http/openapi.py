"""The OpenAPI document: flask-smorest's, finished with what it cannot say.

Every operation gets its errors as `application/problem+json` (flask-smorest says application/json), the headers it
takes and gives, the key it needs, and examples. `anodyne docs openapi` prints it; a test compares `docs/openapi.json`
with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask_smorest import Api

from api.auth.policy import POLICY

__all__ = ["EXTENSION", "TITLE", "document", "finished"]

EXTENSION = "anodyne-openapi"
TITLE = "Anodyne"
PROBLEM_REFERENCE = "#/components/schemas/Problem"

DESCRIPTION = """Practice management for ketamine-infusion pain clinics, event sourced.

Send an API key as `Authorization: Bearer anodyne_...`. Every POST needs an `Idempotency-Key`: a retry with the same
key and body gets the first answer (`Idempotent-Replayed: true`), another body under the same key is 422. `ETag` is
the version of what was read; commands that replace or close something need it in `If-Match` (428 without, 412 when
it has changed). Errors are RFC 9457 problem details. What belongs to another clinic answers 404 like what does not
exist. Times are RFC 3339 with an offset; decimals are strings; units are in the names."""

ERRORS = {
    400: ("BadRequest", "Malformed: JSON, a header, a missing Idempotency-Key.", "idempotency-key-missing",
          "Send an Idempotency-Key (a UUID, say) with every POST."),
    401: ("NotAuthenticated", "No key, or one that is not valid.", "not-authenticated",
          "Send an API key: Authorization: Bearer anodyne_..."),
    403: ("NotPermitted", "The role or the scopes of the key do not allow it.", "not-permitted",
          "The role biller may not do this, or the key's scopes do not."),
    404: ("NotFound", "Not there, or not for this key.", "not-found",
          "There is nothing here, or nothing that this key may see."),
    409: ("Refused", "A rule of care, or the state of things, forbids it.", "room-not-free",
          "The room is taken for that time."),
    412: ("Changed", "It has changed since it was read.", "version-mismatch",
          "The stream has moved since the caller read it."),
    413: ("TooLarge", "The body is too large.", "body-too-large", "The body is larger than 262144 bytes."),
    415: ("NotJson", "The body is not application/json.", "unsupported-media-type",
          "Send the body as application/json."),
    422: ("Invalid", "A value that cannot be, with a pointer to each.", "invalid-request",
          "The request does not fit its schema."),
    428: ("PreconditionRequired", "If-Match is missing.", "precondition-required",
          "Send If-Match with the ETag that you have seen."),
    429: ("TooMany", "The rate limit is used up.", "too-many-requests",
          "The rate limit is used up; try again after Retry-After seconds."),
    503: ("Unavailable", "The log cannot be reached, or the read side is behind the asked position.", "unavailable",
          "Nothing was recorded; a retry with the same Idempotency-Key is safe."),
}  # fmt: skip

READ_ERRORS = (401, 403, 404, 422, 429, 503)
COMMAND_ERRORS = (400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503)


def finished(api: Api) -> dict[str, Any]:
    """The whole document."""
    document: dict[str, Any] = json.loads(json.dumps(api.spec.to_dict()))
    document["info"]["description"] = DESCRIPTION
    document["info"]["license"] = {"name": "Apache-2.0"}
    document["security"] = [{"apiKey": []}]
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: anodyne_<env>_<id>_<secret>."}
    }
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for unused in ("Error", "PaginationMetadata"):  # flask-smorest's own, which we do not use
        schemas.pop(unused, None)
    components["responses"] = {_name(status): _error(status) for status in ERRORS}
    components["headers"] = _HEADERS
    components.setdefault("parameters", {}).update(_PARAMETERS)
    for operation in _operations(document):
        _finish(operation)
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method in ("get", "post"))


def _finish(operation: dict[str, Any]) -> None:
    is_command = operation.pop("x-command", None) is not None
    is_post = operation.pop("x-post", False) or is_command
    needs_if_match = operation.pop("x-if-match", False)
    parameters = operation.setdefault("parameters", [])
    if is_post:
        parameters.append(_parameter("IdempotencyKey"))
    if operation.pop("x-acting-clinic", False):
        parameters.append(_parameter("ClinicHeader"))
    if is_command:
        parameters.append(_parameter("CorrelationHeader"))
        parameters.append(_parameter("IfMatch" if needs_if_match else "IfMatchOptional"))
    if operation.pop("x-min-position", False):
        parameters.append(_parameter("MinPosition"))
    permit = POLICY.get(operation["operationId"])
    if permit is not None:
        said = f"Roles: {', '.join(sorted(permit.roles))}. Scope: `{permit.scope}`."
        operation["description"] = "\n\n".join(part for part in (operation.get("description"), said) if part)
    responses = {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
    for code, answer in responses.items():
        answer["headers"] = {name: _header(name) for name in _headers_of(code, is_command, operation)}
    errors = COMMAND_ERRORS if is_post else READ_ERRORS
    for status in (*errors, *((428,) if needs_if_match else ())):
        responses[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    operation["responses"] = dict(sorted(responses.items()))


def _headers_of(code: str, is_command: bool, operation: dict[str, Any]) -> tuple[str, ...]:
    names: tuple[str, ...] = ("X-Request-Id", "RateLimit", "RateLimit-Policy")
    if is_command and code == "201":
        names += ("ETag", "Location", "Anodyne-Position", "Idempotent-Replayed")
    if operation.pop("x-etag", False):
        names += ("ETag",)
    if operation.pop("x-pages", False):
        names += ("Link",)
    return names


def _name(status: int) -> str:
    return ERRORS[status][0]


def _parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _error(status: int) -> dict[str, Any]:
    _, description, code, detail = ERRORS[status]
    example: dict[str, Any] = {
        "type": f"urn:anodyne:problem:{code}", "title": description.split(",")[0], "status": status, "code": code,
        "detail": detail, "request_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    }
    if status == 422:
        example["errors"] = [{"pointer": "/weight_kg", "detail": 'Not a decimal in a string, such as "82.5".'}]
    answer: dict[str, Any] = {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": PROBLEM_REFERENCE}, "example": example}},
        "headers": {"X-Request-Id": _header("X-Request-Id")},
    }
    if status in (429, 503):
        answer["headers"]["Retry-After"] = _header("Retry-After")
    return answer


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "A stable URN."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "The stable name, without the URN's prefix."},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "What to quote to the operator."},
        "rule": {"type": "string", "description": "The rule of care that refused."},
        "data": {"type": "object", "description": "The rule's data."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901)."},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def _header_of(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


_HEADERS = {
    "X-Request-Id": _header_of("This request's id, the caller's own if it sent one."),
    "RateLimit": _header_of("What is left in the window (IETF draft): r requests for t seconds."),
    "RateLimit-Policy": _header_of("The policy (IETF draft): q requests per w seconds."),
    "ETag": _header_of("The version, in quotes."),
    "Location": _header_of("Where the thing can be read."),
    "Anodyne-Position": _header_of("Where the log stood after this; a read may ask for at least this.", "integer"),
    "Idempotent-Replayed": _header_of("true when this is the first answer to the same request, again."),
    "Link": _header_of('The next page, rel="next" (RFC 8288); absent on the last.'),
    "Retry-After": _header_of("Seconds to wait.", "integer"),
}

_PARAMETERS = {
    "IdempotencyKey": {
        "name": "Idempotency-Key", "in": "header", "required": True,
        "description": "Names this request (a UUID, say); kept for 30 days.",
        "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]{8,128}$"},
        "example": "3f0b3a52-6b1e-4b6e-9a6a-2f1b7f0a9c11",
    },
    "ClinicHeader": {
        "name": "X-Clinic-Id", "in": "header", "required": False,
        "description": "The clinic where the act takes place, for keys with several when the path does not say.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "CorrelationHeader": {
        "name": "X-Correlation-Id", "in": "header", "required": False,
        "description": "Binds several requests into one act, such as an entry struck here and made again there.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "IfMatch": {
        "name": "If-Match", "in": "header", "required": True, "description": "The ETag that was read.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'}, "example": '"7"',
    },
    "IfMatchOptional": {
        "name": "If-Match", "in": "header", "required": False,
        "description": "The ETag that was read; then a change since is 412.",
        "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    },
    "MinPosition": {
        "name": "min_position", "in": "query", "required": False,
        "description": "Read your writes: wait briefly until the read side has reached this position, else 503.",
        "schema": {"type": "integer", "minimum": 0},
    },
}  # fmt: skip


def document() -> str:
    """The document, as `docs/openapi.json` holds it: of an application over an empty embedded home."""
    from tempfile import TemporaryDirectory

    from api.bootstrap import migrate
    from api.http.app import create_app
    from api.settings import Settings

    with TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        migrate(settings)
        made = create_app(settings).extensions[EXTENSION]
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
