"""When are a clinic's rooms booked? For a calendar that staff subscribe to: no patient, no kind of visit, no reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, or_, select

from projections.facts.encoding import moment
from projections.facts.loading import calendars
from projections.facts.reading import Cut, fetch, fetch_in
from projections.facts.tables import appointment_facts
from projections.metrics.intervals import Span


class BookedRoom(msgspec.Struct, frozen=True, kw_only=True):
    """One booking. `sequence` counts its changes (a move, a cancellation), as iCalendar does."""

    appointment_id: str
    room_name: str
    starts: datetime
    ends: datetime
    sequence: int
    cancelled: bool
    made: datetime
    changed: datetime


class RoomCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """Bookings in order of time."""

    timezone: str
    bookings: tuple[BookedRoom, ...]


CHANGES = ("moved", "cancelled", "no_show")


def bookings(conn: Connection, clinic: str, span: Span, as_of: datetime) -> RoomCalendar | None:
    """Bookings that begin within `span`, or did before they were moved; None for a clinic that was not opened."""
    cut = Cut.at(as_of)
    calendar = calendars(conn, [clinic], cut).get(clinic)
    if calendar is None:
        return None
    c = appointment_facts.c
    within = or_(c.starts_us.between(span[0], span[1] - 1), c.was_starts_us.between(span[0], span[1] - 1))
    ids = fetch(conn, select(c.appointment).where(c.clinic == clinic, within, cut.on(appointment_facts)).distinct())
    steps: dict[str, list[Mapping[str, Any]]] = {}
    for row in fetch_in(conn, appointment_facts, cut, "appointment", [one["appointment"] for one in ids]):
        steps.setdefault(row["appointment"], []).append(row)
    names = {room.room: room.name for room in calendar.rooms}
    found = [_folded(appointment, rows, names) for appointment, rows in steps.items()]
    in_order = sorted((one for one in found if one is not None), key=lambda one: (one.starts, one.appointment_id))
    return RoomCalendar(timezone=calendar.timezone, bookings=tuple(in_order))


def _folded(appointment: str, rows: list[Mapping[str, Any]], names: Mapping[str, str]) -> BookedRoom | None:
    """The steps in order: booked, then what changed it. A booking on another day's sheet after a move is the move."""
    rows.sort(key=lambda row: (row["at_us"], row["position"]))
    placed: Mapping[str, Any] | None = None
    sequence, cancelled = 0, False
    for row in rows:
        if row["kind"] in ("booked", "moved"):
            placed = row
        if row["kind"] in CHANGES:
            sequence += 1
        cancelled = cancelled or row["kind"] in ("cancelled", "no_show")
    if placed is None:
        return None
    changed = [row["at_us"] for row in rows if row["kind"] in ("booked", *CHANGES)]
    return BookedRoom(
        appointment_id=appointment, room_name=names.get(placed["room"], ""), starts=moment(placed["starts_us"]),
        ends=moment(placed["ends_us"]), sequence=sequence, cancelled=cancelled, made=moment(rows[0]["at_us"]),
        changed=moment(max(changed)),
    )
