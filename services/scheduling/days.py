"""Rooms and days: what is booked on each, and how much is free, for a day's view and a week's."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from domain import clinic, day_sheet
from domain.clinic.hours import Interval, instant, shown
from services.scheduling.openings import MOST_DAYS, Asked, Openings
from services.scheduling.reading import Reading

UNCLOSED_DAYS = 14
"""How far back bookings with nothing recorded are looked for."""


class ScheduledDay(msgspec.Struct, frozen=True, kw_only=True):
    """One local day. `open_spans` are the clinic's, closures taken off; `free_spans` by room, from now on.

    Appointments in order of time: those that begin that day, whatever became of them.
    """

    local_date: date
    version: int
    starts: datetime
    ends: datetime
    open_spans: tuple[Interval, ...]
    free_spans: dict[UUID, tuple[Interval, ...]]
    appointments: tuple[day_sheet.Appointment, ...]

    @property
    def open_minutes(self) -> int:
        """Of the clinic."""
        return minutes(self.open_spans)

    def free_minutes(self, room_id: UUID) -> int:
        """Of a room, from now on."""
        return minutes(self.free_spans.get(room_id, ()))


def minutes(spans: tuple[Interval, ...]) -> int:
    """Whole minutes, elapsed."""
    return int(sum((ends - starts).total_seconds() for starts, ends in spans) // 60)


def scheduled_days(reading: Reading, clinic_id: UUID, first: date, last: date) -> list[ScheduledDay]:
    """Each local day from `first` to `last`. One query for what is free, one reading of each sheet."""
    here = reading.clinic(clinic_id)
    zone = ZoneInfo(here.timezone)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    free = dict(Openings(reading, clinic_id).spans(Asked(first=first, last=last)))
    found = []
    for day in days:
        starts, ends = instant(day, time(0), zone), instant(day + timedelta(days=1), time(0), zone)
        sheet = reading.sheet(clinic_id, day)
        found.append(ScheduledDay(
            local_date=day, version=sheet.version, starts=shown(starts, zone), ends=shown(ends, zone),
            open_spans=clinic.open_on(here, day),
            free_spans={room: _within(spans, starts, ends) for room, spans in free.items()},
            appointments=tuple(sorted(
                sheet.appointments.values(), key=lambda one: (one.starts_at, str(one.appointment_id)))),
        ))
    return found


def over_midnight(reading: Reading, clinic_id: UUID, day: date) -> list[day_sheet.Appointment]:
    """What was booked on the day before and lasts into this one, given up or not come left out."""
    here = reading.clinic(clinic_id)
    starts = instant(day, time(0), ZoneInfo(here.timezone))
    before = reading.sheet(clinic_id, day - timedelta(days=1)).appointments.values()
    return [one for one in before if one.status in ("booked", "kept") and one.ends_at > starts]


def unclosed_bookings(reading: Reading, clinic_id: UUID) -> list[day_sheet.Appointment]:
    """Bookings of the last two weeks that are over with nothing recorded: neither kept, missed nor given up."""
    here, since = reading.clinic(clinic_id), reading.now - timedelta(days=UNCLOSED_DAYS)
    rooms = [f"room:{room.room_id}" for room in here.rooms]
    found = []
    for claim in reading.reader.claims_over(rooms, since, reading.now):
        kind, _, identity = claim.holder.partition(":")
        if kind == "appointment" and claim.ends is not None and claim.ends <= reading.now:
            one = reading.sheet(clinic_id, clinic.local_date(here, claim.starts)).appointments.get(UUID(identity))
            if one is not None and one.status == "booked":
                found.append(one)
    return found


def next_booking(reading: Reading, clinic_id: UUID, after: datetime) -> day_sheet.Appointment | None:
    """The first live booking that begins after a moment, looked for as far as free slots are."""
    here = reading.clinic(clinic_id)
    rooms = [f"room:{room.room_id}" for room in here.rooms]
    for claim in reading.reader.claims_over(rooms, after, after + timedelta(days=MOST_DAYS)):
        kind, _, identity = claim.holder.partition(":")
        if kind == "appointment" and claim.starts > after:
            one = reading.sheet(clinic_id, clinic.local_date(here, claim.starts)).appointments.get(UUID(identity))
            if one is not None and one.status == "booked":
                return one
    return None


def _within(spans: tuple[Interval, ...], starts: datetime, ends: datetime) -> tuple[Interval, ...]:
    return tuple((max(begin, starts), min(end, ends)) for begin, end in spans if begin < ends and starts < end)
