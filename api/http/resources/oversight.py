"""Oversight: what those who answer for the clinics must see. Emergency accesses, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response
from marshmallow import RAISE, Schema, fields, validate

from api.http import examples as ex
from api.http.access import opened
from api.http.commands import ResourceBlueprint
from api.http.context import principal, wired
from api.http.cursors import link_next, read_cursor, write_cursor
from api.http.fields import Text
from api.http.reading import answer, read_endpoint
from domain.kernel import Recorded
from domain.oversight import EmergencyAccessUsed
from domain.patient import patient

blueprint = ResourceBlueprint("oversight", __name__, url_prefix="/v1", description=__doc__)

BATCH = 500


class EmergencyAccessSchema(Schema):
    """One use of emergency access."""

    position = fields.Integer(required=True)
    recorded_at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True)
    role = fields.String(required=True)
    clinic_id = fields.UUID(required=True, metadata={"description": "Where whoever used it acted."})
    patient_id = fields.UUID(required=True)
    until = fields.AwareDateTime(required=True)
    reason_code = fields.String(required=True)
    reason = fields.Raw(required=True, metadata={"description": "In words; what is left of it once erased."})


class EmergencyAccessesSchema(Schema):
    """A page of emergency accesses, oldest first."""

    accesses = fields.List(fields.Nested(EmergencyAccessSchema), required=True)


class PageSchema(Schema):
    """A page."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    cursor = Text(longest=512, pattern=r"[A-Za-z0-9_-]+")
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))


_ONE = {
    "position": 51020, "recorded_at": "2026-03-02T22:14:09.120000+00:00", "actor": ex.NURSE, "role": "nurse",
    "clinic_id": ex.OTHER_CLINIC, "patient_id": ex.PATIENT, "until": "2026-03-03T02:14:09.100000+00:00",
    "reason_code": "emergency", "reason": "Found unconscious in the car park, our ward was called.",
}


@read_endpoint(blueprint, "/emergency-accesses", "emergency_accesses", EmergencyAccessesSchema, {"accesses": [_ONE]},
               query=PageSchema, pages=True)
def emergency_accesses(query: dict[str, Any]) -> Response:
    """Who opened which record in an emergency, and why: at your clinics, or of patients whom your clinics care for."""
    after = read_cursor(query["cursor"], int)[0] if "cursor" in query else 0
    found: list[Recorded] = []
    for record in _uses(after):
        if _concerns_caller(record):
            found.append(record)
        if len(found) > query["limit"]:
            break
    page = found[: query["limit"]]
    opened("emergency_accesses", count=len(page))
    response = answer({"accesses": [_shown(record) for record in page]})
    if len(found) > len(page):
        link_next(response, cursor=write_cursor(page[-1].position))
    return response


def _uses(after: int) -> Iterator[Recorded]:
    while batch := wired().services.log.read(after, BATCH, names=(EmergencyAccessUsed.NAME,)):
        yield from batch
        after = batch[-1].position


def _concerns_caller(record: Recorded) -> bool:
    clinics = principal().clinics
    if clinics is None or record.clinic_id in clinics:
        return True
    if record.subject is None:
        return False
    return bool(clinics & wired().services.handling.recent(patient, record.subject).state.care)


def _shown(record: Recorded) -> dict[str, Any]:
    event, said = record.event, wired().services.unsealer.unsealed(record)
    assert isinstance(event, EmergencyAccessUsed)
    return {
        "position": record.position, "recorded_at": record.recorded_at.isoformat(), "actor": record.actor,
        "role": record.role, "clinic_id": str(record.clinic_id), "patient_id": str(event.patient_id),
        "until": event.until.isoformat(), "reason_code": event.reason_code, "reason": said["reason"],
    }
