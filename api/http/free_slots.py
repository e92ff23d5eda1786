"""Free slots of a clinic's local day: opening less closures less bookings, by room, on the quarter hour."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from api.http.context import wired
from api.http.problems import Problem
from api.http.scope import sheet_id
from domain import clinic, day_sheet
from domain.clinic.hours import Interval, open_on, subtract

__all__ = ["free_slots"]

STEP = timedelta(minutes=15)


def free_slots(
    state: clinic.State, clinic_id: UUID, local_date: date, minutes: int | None
) -> tuple[int, list[dict[str, str]]]:
    """The length and the slots; raises `Problem` 409 when no length is given and no protocol is adopted."""
    length = minutes or _usual_minutes(state)
    booked = _booked(clinic_id, local_date)
    now = wired().services.clock.now()
    found = []
    for room in state.rooms:
        if room.retired_at is not None:
            continue
        taken = [interval for room_id, interval in booked if room_id == room.room_id]
        for starts, ends in subtract(open_on(state, local_date, room.room_id), taken):
            found += [(start, room.room_id) for start in _starts(max(starts, now), ends, timedelta(minutes=length))]
    zone = state.timezone
    return length, [_slot(start, room_id, length, zone) for start, room_id in sorted(found)]


def _usual_minutes(state: clinic.State) -> int:
    if state.protocol is None:
        raise Problem(409, "no-protocol-adopted", "Without an adopted protocol a visit has no usual length.")
    visit = state.protocol.visit
    return visit.preparation + visit.infusion + visit.monitoring + visit.turnover


def _booked(clinic_id: UUID, local_date: date) -> list[tuple[UUID, Interval]]:
    """Live bookings that may touch the day: its own sheet's and the day's before, for a visit over midnight."""
    booked = []
    for day in (local_date - timedelta(days=1), local_date):
        sheet = wired().services.handling.current(day_sheet, sheet_id(clinic_id, day)).state
        booked += [
            (one.room_id, (one.starts_at.astimezone(UTC), one.ends_at.astimezone(UTC)))
            for one in sheet.appointments.values() if one.status in ("booked", "kept")
        ]
    return booked


def _starts(starts: datetime, ends: datetime, length: timedelta) -> list[datetime]:
    first = starts.replace(second=0, microsecond=0)
    first += timedelta(minutes=-first.minute % 15)
    if first < starts:
        first += STEP
    found = []
    while first + length <= ends:
        found.append(first)
        first += STEP
    return found


def _slot(start: datetime, room_id: UUID, minutes: int, timezone: str) -> dict[str, str]:
    zone = ZoneInfo(timezone)
    ends = start + timedelta(minutes=minutes)
    return {
        "room_id": str(room_id), "starts_at": start.astimezone(zone).isoformat(),
        "ends_at": ends.astimezone(zone).isoformat(),
    }
