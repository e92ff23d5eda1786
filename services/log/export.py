"""The log as NDJSON, for other programs to recompute our figures from and for auditors to read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

import msgspec

from domain.kernel import Recorded
from domain.ports import Unsealer
from services.log.event_log import EventLog

_BATCH = 2_000
_encode = msgspec.json.Encoder(decimal_format="string").encode


def export(
    log: EventLog, *, after: int = 0, upto: int | None = None, clinics: Collection[UUID] | None = None,
    unsealer: Unsealer | None = None,
) -> Iterator[bytes]:
    """One line per event, ascending by position, each ending in a newline; the memory used does not grow.

    Sealed fields stay sealed unless `unsealer` is given; those whose key is destroyed are then `redacted`.
    `clinics` narrows to events of those clinics (with `clinic_seq` proving completeness).
    """
    upto = log.head() if upto is None else upto
    while after < upto:
        records = log.read(after, _BATCH, upto=upto)
        if not records:
            return
        for record in records:
            if clinics is None or record.clinic_id in clinics:
                yield _encode(as_exported(record, unsealer)) + b"\n"
        after = records[-1].position


def as_exported(record: Recorded, unsealer: Unsealer | None) -> dict[str, Any]:
    """What a line holds."""
    return {
        "position": record.position,
        "stream_id": record.stream_id,
        "version": record.version,
        "name": record.name,
        "occurred_at": record.occurred_at,
        "recorded_at": record.recorded_at,
        "actor": record.actor,
        "role": record.role,
        "origin": record.origin,
        "clinic_id": record.clinic_id,
        "clinic_seq": record.clinic_seq,
        "subject": record.subject,
        "correlation_id": record.correlation_id,
        "causation_id": record.causation_id,
        "command_id": record.command_id,
        "leaf_hash": record.leaf_hash.hex(),
        "payload": record.event if unsealer is None else unsealer.unsealed(record),
    }
