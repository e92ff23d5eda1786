"""A stream as its reader sees it: every entry unsealed for those who may, with what was corrected or struck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields

from api.auth.keys import Principal
from domain.corrections import EntryAmended, EntryStruck
from domain.kernel import Recorded
from domain.ports import Unsealer

__all__ = ["EntrySchema", "RecordSchema", "shown_entries"]

READS_STRUCK = frozenset({"auditor"})


def shown_entries(records: Sequence[Recorded], unsealer: Unsealer, reader: Principal) -> list[dict[str, Any]]:
    """The entries in the order in which they were recorded.

    The content of an entry struck as `wrong_patient` belongs to somebody else's record: only its author and
    auditors still read it.
    """
    struck = {r.event.entry: r.event.reason_code for r in records if isinstance(r.event, EntryStruck)}
    amended = {r.event.entry for r in records if isinstance(r.event, EntryAmended)}
    return [_entry(record, struck, amended, unsealer, reader) for record in records]


def _entry(
    record: Recorded, struck: dict[int, str], amended: set[int], unsealer: Unsealer, reader: Principal
) -> dict[str, Any]:
    about = record.event.entry if isinstance(record.event, EntryAmended) else record.version
    withheld = (
        struck.get(about) == "wrong_patient"
        and reader.role not in READS_STRUCK
        and record.actor != reader.actor_id
    )
    data: dict[str, Any] | None = None
    if not withheld:
        data = dict(unsealer.unsealed(record))
        data.pop("occurred_at", None)
    return {
        "entry": record.version, "event": record.name, "position": record.position,
        "occurred_at": record.occurred_at.isoformat(), "recorded_at": record.recorded_at.isoformat(),
        "actor": record.actor, "role": record.role, "clinic_id": _text(record.clinic_id), "origin": record.origin,
        "struck": record.version in struck, "amended": record.version in amended, "data": data,
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


class EntrySchema(Schema):
    """One entry of a stream."""

    entry = fields.Integer(required=True, metadata={"description": "Its version; amend and strike name it so."})
    event = fields.String(required=True)
    position = fields.Integer(required=True)
    occurred_at = fields.AwareDateTime(required=True)
    recorded_at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True)
    role = fields.String(required=True)
    clinic_id = fields.UUID(required=True, allow_none=True)
    origin = fields.String(required=True)
    struck = fields.Boolean(required=True)
    amended = fields.Boolean(required=True)
    data = fields.Dict(
        keys=fields.String(), required=True, allow_none=True,
        metadata={"description": "The entry's own fields; null when it was struck as another patient's."},
    )


class RecordSchema(Schema):
    """A stream with its entries."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    clinic_id = fields.UUID(required=True, allow_none=True)
    patient_id = fields.UUID(required=True, allow_none=True)
    entries = fields.List(fields.Nested(EntrySchema), required=True)
