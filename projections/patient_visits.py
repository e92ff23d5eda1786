"""Which visits is a patient booked for, and what became of those before?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from projections.patient_standing import Entry, named

_BECAME = {
    "appointment.cancelled.v1": "cancelled", "appointment.no_show_recorded.v1": "no_show",
    "appointment.kept.v2": "kept", "appointment.confirmed.v1": "confirmed",
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


ZoneOf = Callable[[UUID], str | None]
"""A clinic's IANA zone; None for one that is not known."""


def visits(entries: Sequence[Entry], zone_of: ZoneOf) -> tuple[BookedVisit, ...]:
    """Folded as the day sheets are: in the order of the log, since bookings are decided one after another.

    One that left a day's sheet is booked on another's under the same id. Ordered by when they begin.
    """
    steps = sorted((one for one in entries if one[0].name.startswith("appointment.")), key=lambda one: one[0].position)
    found: dict[UUID, BookedVisit] = {}
    for record, event, _ in steps:
        one = _stepped(found.get(getattr(event, "appointment_id", None)), record, event)  # type: ignore[arg-type]
        if one is not None:
            found[one.appointment] = one
    held = _held(entries, zone_of)
    became = [_as_held(one, held, zone_of) for one in found.values()]
    return tuple(sorted(became, key=lambda one: (one.starts_at, one.position)))


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


# --- consultations held before they kept their booking themselves --------------------------------

_Days = dict[tuple[UUID | None, date | None], int]


def _held(entries: Sequence[Entry], zone_of: ZoneOf) -> _Days:
    """(clinic, its local day) of each consultation that stands, with its position."""
    return {
        (record.clinic_id, _local_day(record.clinic_id, event.occurred_at, zone_of)): record.position
        for record, event, _ in named(entries, "course.consultation_held.v1")
    }


def _as_held(one: BookedVisit, held: _Days, zone_of: ZoneOf) -> BookedVisit:
    """A booking for a consultation is kept when one was held at its clinic on its day, as the figures count it."""
    if not held or one.visit_kind != "consultation" or one.state not in ("booked", "confirmed", "no_show"):
        return one
    day = _local_day(one.clinic, one.starts_at, zone_of)
    position = held.get((one.clinic, day)) if day is not None else None
    return one if position is None else msgspec.structs.replace(one, state="kept", position=position)


def _local_day(clinic: UUID | None, at: datetime, zone_of: ZoneOf) -> date | None:
    zone = zone_of(clinic) if clinic is not None else None
    return at.astimezone(ZoneInfo(zone)).date() if zone is not None else None
