"""What a command answers: never patient data."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from api.http import examples as ex

__all__ = ["ReceiptSchema", "receipt_example"]


class ReceiptSchema(Schema):
    """The receipt of a command."""

    id = fields.UUID(required=True, metadata={"description": "The stream that was written."})
    version = fields.Integer(required=True, metadata={"description": "Its version now; also the ETag."})
    position = fields.Integer(
        required=True, metadata={"description": "Where the log stands; a read may ask for at least this."}
    )
    events = fields.List(fields.String(), required=True, metadata={"description": "What was recorded."})
    ids = fields.Dict(keys=fields.String(), values=fields.String(), required=True, metadata={"description": "New ids."})
    told = fields.Dict(
        keys=fields.String(), values=fields.String(),
        metadata={"description": "Where a command is about several things: what became of each."},
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


_EXAMPLES = {
    "clinics": (ex.CLINIC, "clinic.room_added.v1"), "staff": (ex.NURSE, "staff.credentials_recorded.v1"),
    "patients": (ex.PATIENT, "patient.condition_recorded.v1"), "courses": (ex.COURSE, "course.series_planned.v1"),
    "appointments": (ex.SHEET, "appointment.booked.v1"), "infusions": (ex.INFUSION, "infusion.vitals_recorded.v1"),
    "scheduling": (ex.SHEET, "appointment.booked.v1"),
    "diary": (ex.DIARY, "diary.pain_scored.v1"), "cabinets": (ex.LOT, "drug_lot.drug_drawn.v1"),
}


def receipt_example(resource: str, link: str, new_ids: tuple[str, ...]) -> dict[str, Any]:
    """A receipt as a command of `resource` answers it."""
    stream, event = _EXAMPLES[resource]
    path = {"clinic_id": ex.CLINIC, "patient_id": ex.PATIENT, "local_date": ex.DAY, "id": stream}
    return {
        "id": stream, "version": 7, "position": 48213, "events": [event], "ids": dict.fromkeys(new_ids, ex.REQUEST),
        "links": {"self": "/v1" + link.format(**path)},
    }
