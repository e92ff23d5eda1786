"""One event of the log in CloudEvents 1.0 shape.

`sequence` is the log's position and `prevsequence` that of the item before it under the same filter, so that a hole
shows; `leafhash` is what the log's tree is built of. Sealed values never leave by the feed: in `data` they read
`{"withheld": true}`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from marshmallow import Schema, fields

from domain.kernel import Recorded, secret_fields

__all__ = ["EVENT_EXAMPLE", "CloudEventSchema", "clear_data", "cloud_event"]

SOURCE = "urn:anodyne:log:care"
WITHHELD = {"withheld": True}


def cloud_event(record: Recorded, previous: int) -> dict[str, Any]:
    """`record` as a CloudEvent whose predecessor under the caller's filter is at position `previous`."""
    shown: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{record.stream_id}/{record.version}",
        "source": SOURCE,
        "type": record.name,
        "subject": f"{record.name.partition('.')[0]}/{record.stream_id}",
        "time": record.occurred_at.isoformat(),
        "datacontenttype": "application/json",
        "sequence": str(record.position),
        "prevsequence": str(previous),
        "recordedtime": record.recorded_at.isoformat(),
        "authcontext": f"{record.role}:{record.actor}",
        "streamversion": record.version,
        "origin": record.origin,
        "clinicsequence": str(record.clinic_seq),
        "leafhash": record.leaf_hash.hex(),
        "data": clear_data(record),
    }
    optional = {
        "clinic": record.clinic_id, "patient": record.subject, "correlation": record.correlation_id,
        "causation": record.causation_id,
    }
    shown.update({name: str(value) for name, value in optional.items() if value is not None})
    return shown


def clear_data(record: Recorded) -> dict[str, Any]:
    """The payload in the clear; what is sealed reads `{"withheld": true}`."""
    payload: dict[str, Any] = msgspec.to_builtins(record.event)
    payload.pop("occurred_at", None)
    for name in secret_fields(type(record.event)):
        value = payload.get(name)
        if isinstance(value, dict) and "secret" not in value:
            payload[name] = dict.fromkeys(value, WITHHELD)
        elif value is not None:
            payload[name] = WITHHELD
    return payload


class CloudEventSchema(Schema):
    """CloudEvents 1.0 with extension attributes."""

    specversion = fields.String(required=True, metadata={"enum": ["1.0"]})
    id = fields.String(required=True, metadata={"description": "Stream and version; unique within `source`."})
    source = fields.String(required=True)
    type = fields.String(required=True, metadata={"description": "The event's stable public name."})
    subject = fields.String(required=True)
    time = fields.AwareDateTime(required=True, metadata={"description": "When it happened in the world."})
    datacontenttype = fields.String(required=True)
    sequence = fields.String(required=True, metadata={"description": "Position in the log.", "pattern": "^[0-9]+$"})
    prevsequence = fields.String(
        required=True,
        metadata={"description": "That of the item before it under the same filter; 0: none.", "pattern": "^[0-9]+$"},
    )
    recordedtime = fields.AwareDateTime(required=True, metadata={"description": "When it entered the log."})
    authcontext = fields.String(required=True, metadata={"description": "Role and id of who acted."})
    streamversion = fields.Integer(required=True)
    origin = fields.String(required=True)
    clinicsequence = fields.String(required=True, metadata={"description": "Dense per clinic; 0 without one."})
    leafhash = fields.String(required=True, metadata={"description": "SHA-256 leaf, hex."})
    clinic = fields.UUID()
    patient = fields.UUID(metadata={"description": "Pseudonymous id of the patient it is about."})
    correlation = fields.UUID()
    causation = fields.UUID()
    data = fields.Dict(keys=fields.String(), required=True)


EVENT_EXAMPLE = {
    "specversion": "1.0", "id": "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d10/14", "source": SOURCE,
    "type": "infusion.given.v1", "subject": "infusion/6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d10",
    "time": "2026-03-02T10:31:00-08:00", "datacontenttype": "application/json", "sequence": "48213",
    "prevsequence": "48102", "recordedtime": "2026-03-02T18:31:04.120000+00:00",
    "authcontext": "nurse:9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607102", "streamversion": 14, "origin": "entered",
    "clinicsequence": "20117", "leafhash": "9f2b0c6e5d1a4f7788c0d3e2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e",
    "clinic": "0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7e01", "patient": "5a7c3e10-9d2b-4f6a-8c1e-2b3d4f5a6c01",
    "data": {"purpose": "trial", "dose_mg": "20", "dose_mg_per_kg": "0.242", "minutes": "60", "complete": True},
}  # fmt: skip
