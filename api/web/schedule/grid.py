"""A day as a grid: rooms as columns, quarter hours as rows. A table: it needs neither script nor style to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from api.web.schedule.place import Desk
from domain import day_sheet
from domain.clinic.hours import Interval, shown
from domain.day_sheet.board import QUARTER
from domain.vocabulary.reasons import VISIT_KINDS
from services.scheduling import ScheduledDay

IN_THE_ROOM = ("booked", "kept", "no_show")
STATUS = {
    "booked": "booked", "confirmed": "confirmed", "kept": "arrived", "held": "held", "no_show": "no-show",
    "moved": "moved", "cancelled": "cancelled",
}
TONES = {"confirmed": "ok", "kept": "info", "held": "info", "no_show": "alarm"}


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as the grid and the lists show it."""

    appointment_id: str
    patient_id: str
    name: str
    kind: str
    time: str
    room: str
    status: str
    tone: str
    href: str
    overbooked: bool = False


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A cell over some rows. state: booked, free, past, closed. `href`: book here."""

    state: str
    rows: int
    label: str = ""
    href: str = ""
    booked: Booked | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter hour; its label is shown (`told`) on the hour and half hour."""

    label: str
    told: bool
    hour: bool
    now: bool
    blocks: tuple[Block, ...]


class Column(msgspec.Struct, frozen=True):
    """A room, with as many lanes beside each other as bookings overlap in it."""

    room_id: str
    name: str
    lanes: int


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """`lines` empty: closed all day, nothing booked."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def booked_of(at: Desk, one: day_sheet.Appointment, names: Mapping[str, str], *, overbooked: bool = False) -> Booked:
    """A booking in words."""
    status = _status(one)
    day = one.starts_at.astimezone(at.zone).date()
    return Booked(
        appointment_id=str(one.appointment_id), patient_id=str(one.patient_id),
        name=names.get(str(one.patient_id), "name not to be opened"), kind=VISIT_KINDS[one.visit_kind].text,
        time=at.span(one.starts_at, one.ends_at), room=at.room_name(one.room_id), status=STATUS[status],
        tone=TONES.get(status, ""), href=at.to_slot(day, one.appointment_id), overbooked=overbooked,
    )


def _status(one: day_sheet.Appointment) -> str:
    if one.status == "booked" and one.confirmed:
        return "confirmed"
    held = one.status == "kept" and one.visit_kind == "consultation" and one.infusion_id is None
    return "held" if held else one.status


def day_grid(
    at: Desk, day: ScheduledDay, names: Mapping[str, str], *, books: bool,
    night: Sequence[day_sheet.Appointment] = (),
) -> Grid:
    """The grid of a day; `books`: whether free time leads to the booking form; `night`: what lasts into the day."""
    live = [*night, *(one for one in day.appointments if one.status in IN_THE_ROOM)]
    window = _window(at, day, live)
    if window is None:
        return Grid(columns=(), lines=())
    starts, ends = window
    quarters = [starts + number * QUARTER for number in range(int((ends - starts) / QUARTER))]
    columns, lanes = [], []
    for room in at.rooms:
        placed = _lanes([one for one in live if one.room_id == room.room_id])
        columns.append(Column(str(room.room_id), room.room_name, len(placed)))
        free = day.free_spans.get(room.room_id, ())
        for number, some in enumerate(placed):
            others = [one for lane in placed for one in lane]
            lanes.append(_cells(at, quarters, some, free if number == 0 else (), day, room.room_id, names, books,
                                others, number))
    lines = tuple(
        Line(
            label=at.clock(quarter), told=_past_hour(at, quarter).seconds % 1800 == 0, hour=not _past_hour(at, quarter),
            now=quarter <= at.known.now < quarter + QUARTER,
            blocks=tuple(lane[index] for lane in lanes if index in lane),
        )
        for index, quarter in enumerate(quarters)
    )
    return Grid(columns=tuple(columns), lines=lines)


def _past_hour(at: Desk, moment: datetime) -> timedelta:
    """Since the full hour of the clinic's clock: in some zones that is no full hour of UTC."""
    local = moment.astimezone(at.zone)
    return timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _window(at: Desk, day: ScheduledDay, live: Sequence[day_sheet.Appointment]) -> Interval | None:
    """From the first full hour to the last that anything happens in."""
    spans = [*day.open_spans, *((one.starts_at.astimezone(UTC), one.ends_at.astimezone(UTC)) for one in live)]
    if not spans:
        return None
    first, last = min(starts for starts, _ in spans), max(ends for _, ends in spans)
    first = max(first - _past_hour(at, first), day.starts.astimezone(UTC))
    whole = last - _past_hour(at, last)
    return first, last if whole == last else whole + timedelta(hours=1)


def _lanes(some: Sequence[day_sheet.Appointment]) -> list[list[day_sheet.Appointment]]:
    lanes: list[list[day_sheet.Appointment]] = [[]]
    for one in sorted(some, key=lambda one: one.starts_at):
        free = next((lane for lane in lanes if not lane or _ceiling(lane[-1].ends_at) <= _floor(one.starts_at)), None)
        if free is None:
            lanes.append([one])
        else:
            free.append(one)
    return lanes


def _meet(one: day_sheet.Appointment, other: day_sheet.Appointment) -> bool:
    """Whether two bookings need the room at once; who did not come no longer does."""
    apart = one.appointment_id == other.appointment_id or "no_show" in (one.status, other.status)
    return not apart and one.starts_at < other.ends_at and other.starts_at < one.ends_at


def _floor(moment: datetime) -> datetime:
    utc = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return utc - timedelta(minutes=utc.minute % 15)


def _ceiling(moment: datetime) -> datetime:
    floor = _floor(moment)
    return floor if floor == moment else floor + QUARTER


def _cells(
    at: Desk, quarters: Sequence[datetime], some: Sequence[day_sheet.Appointment], free: Sequence[Interval],
    day: ScheduledDay, room_id: UUID, names: Mapping[str, str], books: bool,
    others: Sequence[day_sheet.Appointment], lane: int,
) -> dict[int, Block]:
    """Blocks by the row in which they begin."""
    cells: dict[int, Block] = {}
    states: list[Any] = []
    for quarter in quarters:
        booking = next((one for one in some if _floor(one.starts_at) <= quarter < _ceiling(one.ends_at)), None)
        if booking is not None:
            states.append(("booked", booking.appointment_id))
        else:
            states.append((_state(quarter, free, day, at.known.now, lane), quarter - _past_hour(at, quarter)))
    begin = 0
    for index in range(1, len(quarters) + 1):
        same = index < len(quarters) and _same(states[index], states[begin])
        if same:
            continue
        rows, (state, which) = index - begin, states[begin]
        if state == "booked":
            one = next(each for each in some if each.appointment_id == which)
            said = booked_of(at, one, names, overbooked=any(_meet(one, other) for other in others))
            cells[begin] = Block(state=state, rows=rows, booked=said)
        else:
            label = at.clock(quarters[begin]) if state == "free" else ""
            href = ""
            if state == "free" and books:
                href = at.to("book", on=day.local_date.isoformat(), room=room_id, at=_iso(at, quarters[begin]))
            cells[begin] = Block(state=state, rows=rows, label=label, href=href)
        begin = index
    return cells


def _iso(at: Desk, moment: datetime) -> str:
    return shown(moment, at.zone).isoformat()


def _same(one: Any, other: Any) -> bool:
    """Free time is cut at the hour, so that there is a way in at each; closed time is one."""
    return bool(one == other if one[0] in ("booked", "free") else one[0] == other[0])


def _state(quarter: datetime, free: Sequence[Interval], day: ScheduledDay, now: datetime, lane: int) -> str:
    if lane > 0:
        return "beside"
    if any(starts <= quarter and quarter + QUARTER <= ends for starts, ends in free):
        return "free"
    if any(starts <= quarter and quarter + QUARTER <= ends for starts, ends in day.open_spans):
        return "past" if quarter < now else "closed"
    return "closed"
