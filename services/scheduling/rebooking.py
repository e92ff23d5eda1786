"""Bookings that cannot take place where and when they stand: the work list after a closure, new hours, a room gone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from domain import clinic, day_sheet
from domain.clinic.hours import instant
from domain.kernel import Code
from services.scheduling.reading import Reading

MOST_DAYS = 400
"""Where a last day is given."""
EVER = datetime(9999, 1, 1, tzinfo=UTC)


class Stranded(msgspec.Struct, frozen=True, kw_only=True):
    """A live booking and why it cannot stay: closure (which), outside_hours, room_retired."""

    local_date: date
    appointment: day_sheet.Appointment
    why: Code
    closure_id: UUID | None = None


def stranded_bookings(reading: Reading, clinic_id: UUID, first: date, last: date | None = None) -> list[Stranded]:
    """Of bookings to come that begin on those local days (`last` None: on any from `first` on), in order of time.

    The claims of the clinic's rooms name the bookings (one query); only sheets with a booking that is hit are read.
    """
    here = reading.clinic(clinic_id)
    zone = ZoneInfo(here.timezone)
    starts = max(instant(first, time(0), zone), reading.now.astimezone(UTC))
    ends = EVER
    if last is not None:
        ends = instant(min(last, first + timedelta(days=MOST_DAYS)) + timedelta(days=1), time(0), zone)
    if starts >= ends:
        return []
    found: list[Stranded] = []
    resources = [f"room:{room.room_id}" for room in here.rooms]
    for claim in reading.reader.claims_over(resources, starts, ends):
        kind, _, identity = claim.holder.partition(":")
        if kind != "appointment" or claim.starts < starts or claim.ends is None:
            continue
        room_id = UUID(claim.resource.partition(":")[2])
        why, closure_id = _why(here, room_id, claim.starts, claim.ends)
        if why is None:
            continue
        day = clinic.local_date(here, claim.starts)
        one = reading.sheet(clinic_id, day).appointments.get(UUID(identity))
        if one is not None and one.status == "booked":
            found.append(Stranded(local_date=day, appointment=one, why=why, closure_id=closure_id))
    return found


def _why(
    here: clinic.State, room_id: UUID, starts: datetime, ends: datetime
) -> tuple[Code | None, UUID | None]:
    if not here.in_service(room_id):
        return "room_retired", None
    for closure in here.closures:
        hit = not closure.lifted and closure.room_id in (None, room_id)
        if hit and closure.starts_at < ends and starts < closure.ends_at:
            return "closure", closure.closure_id
    if not clinic.is_open_over(replace(here, closures=()), starts, ends):
        return "outside_hours", None
    return None, None
