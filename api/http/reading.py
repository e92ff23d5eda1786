"""Registering reads: one route, one schema, one example, told as an entry of the access log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, current_app, json
from flask_smorest import Blueprint

from api.http.access import opened
from api.http.context import principal, wired
from api.http.entries import RecordSchema, shown_entries
from api.http.preconditions import set_version
from api.http.problems import not_found

__all__ = ["RECORD", "answer", "read_endpoint", "record_response"]


def read_endpoint(
    blueprint: Blueprint,
    path: str,
    name: str,
    schema: type,
    example: Any,
    *,
    query: type | None = None,
    **documented: bool,
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Registers a GET: operation `<blueprint>.<name>`; `documented` are x-etag, x-pages, x-min-position."""

    def register(view: Callable[..., Response]) -> Callable[..., Response]:
        flags = {f"x-{flag.replace('_', '-')}": value for flag, value in documented.items()}
        wrapped = blueprint.doc(operationId=f"{blueprint.name}.{name}", **flags)(view)
        wrapped = blueprint.response(200, schema, example=example)(wrapped)
        if query is not None:
            wrapped = blueprint.arguments(query, location="query")(wrapped)
        blueprint.add_url_rule(path, name, wrapped, methods=["GET"])
        return view

    return register


def answer(body: Any, version: int | None = None) -> Response:
    """JSON with the version as ETag."""
    response = current_app.response_class(json.dumps(body), mimetype="application/json")
    if version is not None:
        set_version(response, version)
    return response


def record_response(
    resource: str, stream_id: UUID, *, patient_id: UUID | None = None, clinic_id: UUID | None = None
) -> Response:
    """A stream with its entries, after the access has been noted. The 404 when nothing was written to it."""
    services = wired().services
    position = opened(resource, patient_id=patient_id, clinic_id=clinic_id)
    records = services.log.read_stream(stream_id, upto=position)
    if not records:
        raise not_found()
    body = {
        "id": str(stream_id), "version": records[-1].version,
        "clinic_id": None if records[0].clinic_id is None else str(records[0].clinic_id),
        "patient_id": None if patient_id is None else str(patient_id),
        "entries": shown_entries(records, services.unsealer, principal()),
    }
    return answer(body, records[-1].version)


RECORD_EXAMPLE = {
    "id": "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d10", "version": 2,
    "clinic_id": "0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7e01", "patient_id": "5a7c3e10-9d2b-4f6a-8c1e-2b3d4f5a6c01",
    "entries": [
        {"entry": 1, "event": "infusion.patient_arrived.v1", "position": 48190,
         "occurred_at": "2026-03-02T08:52:00-08:00", "recorded_at": "2026-03-02T16:52:03.004000+00:00",
         "actor": "9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607102", "role": "nurse",
         "clinic_id": "0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7e01", "origin": "entered", "struck": False, "amended": False,
         "data": {"patient_id": "5a7c3e10-9d2b-4f6a-8c1e-2b3d4f5a6c01", "visit_kind": "trial"}},
    ],
}  # fmt: skip

RECORD = (RecordSchema, RECORD_EXAMPLE)
