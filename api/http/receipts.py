"""What a command answers: never patient data."""

from __future__ import annotations

from marshmallow import Schema, fields

__all__ = ["RECEIPT_EXAMPLE", "ReceiptSchema"]


class ReceiptSchema(Schema):
    """The receipt of a command."""

    id = fields.UUID(required=True, metadata={"description": "The stream that was written."})
    version = fields.Integer(required=True, metadata={"description": "Its version now; also the ETag."})
    position = fields.Integer(
        required=True, metadata={"description": "Where the log stands; a read may ask for at least this."}
    )
    events = fields.List(fields.String(), required=True, metadata={"description": "What was recorded."})
    ids = fields.Dict(keys=fields.String(), values=fields.String(), required=True, metadata={"description": "New ids."})
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


RECEIPT_EXAMPLE = {
    "id": "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d10",
    "version": 7,
    "position": 48213,
    "events": ["infusion.vitals_recorded.v1"],
    "ids": {},
    "links": {"self": "/v1/infusions/6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d10"},
}
