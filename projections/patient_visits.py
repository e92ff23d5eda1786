"""Which visits is a patient booked for, and what became of those before?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from projections.patient_standing import Entry

_BECAME = {
    "appointment.cancelled.v1": "cancelled", "appointment.no_show_recorded.v1": "no_show",
    "appointment.kept.v1": "kept", "appointment.confirmed.v1": "confirmed",
}  # fmt: skip


class BookedVisit(msgspec.Struct, frozen=True, kw_only=True):
    """One appointment. state: booked, confirmed, kept, no_show, cancelled. `position` is that of its latest entry."""

    appointment: UUID
    clinic: UUID
    visit_kind: str
    starts_at: datetime
    ends_at: datetime
    state: str
    position: int


def visits(entries: Sequence[Entry]) -> tuple[BookedVisit, ...]:
    """Folded as the day sheets are: in the order of the log, since bookings are decided one after another.

    One that left a day's sheet is booked on another's under the same id. Ordered by when they begin.
    """
    steps = sorted((one for one in entries if one[0].name.startswith("appointment.")), key=lambda one: one[0].position)
    found: dict[UUID, BookedVisit] = {}
    for record, event, _ in steps:
        one = _stepped(found.get(getattr(event, "appointment_id", None)), record, event)  # type: ignore[arg-type]
        if one is not None:
            found[one.appointment] = one
    return tuple(sorted(found.values(), key=lambda one: (one.starts_at, one.position)))


def _stepped(was: BookedVisit | None, record: Any, event: Any) -> BookedVisit | None:
    if record.name == "appointment.booked.v1":
        return BookedVisit(
            appointment=event.appointment_id, clinic=record.clinic_id, visit_kind=event.visit_kind,
            starts_at=event.starts_at, ends_at=event.ends_at, state="booked", position=record.position,
        )
    if was is None:
        return None
    if record.name == "appointment.moved.v1":
        return msgspec.structs.replace(
            was, starts_at=event.starts_at, ends_at=event.ends_at, position=record.position)
    state = _BECAME.get(record.name)
    return was if state is None else msgspec.structs.replace(was, state=state, position=record.position)
