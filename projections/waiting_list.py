"""Who waits for a time at a clinic, and which freed times would suit whom? The desk's work list for refilling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from projections.facts.encoding import DAY, MINUTE, Encode, ident, micros, moment, plain
from projections.facts.loading import calendars, load_slots
from projections.facts.reading import Cut, fetch, fetch_in
from projections.facts.recording import FactOf
from projections.facts.tables import big, fact_table, text
from projections.facts.tables import ident as id_column
from projections.metrics.bookings import Slot
from projections.metrics.calendar import ClinicCalendar, Period, local_date
from projections.metrics.intervals import Span, difference, intersection, union

waitlist_facts = fact_table(
    "waitlist_facts",
    id_column("waiting"), id_column("room"), text("visit_kind"), big("starts_us"), big("ends_us"), text("reason"),
    indexed=(("waiting",), ("clinic", "ends_us")),
)
"""joined (starts_us, ends_us: from when to when the patient can come), offered (the time), left."""

_WAITING: Mapping[str, tuple[str, Encode]] = {"waiting": ("entry_id", ident)}

WAITLIST = (
    FactOf("appointment.waitlist_joined.v1", waitlist_facts, "joined", {
        **_WAITING, "visit_kind": ("visit_kind", plain), "starts_us": ("earliest_at", micros),
        "ends_us": ("latest_at", micros),
    }),
    FactOf("appointment.slot_offered.v1", waitlist_facts, "offered", {
        **_WAITING, "room": ("room_id", ident), "starts_us": ("starts_at", micros), "ends_us": ("ends_at", micros),
    }),
    FactOf("appointment.waitlist_left.v1", waitlist_facts, "left", {
        **_WAITING, "reason": ("reason_code", plain),
    }),
)

AHEAD_DAYS = 60
"""How far ahead freed times are looked for."""

QUARTER = 15 * MINUTE


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `local_date` names the day sheet that holds it; `minutes` is how long the visit kind needs a room."""

    entry_id: str
    patient: str
    visit_kind: str
    earliest: datetime
    latest: datetime
    joined: datetime
    local_date: date
    minutes: int | None
    offers: int
    fact: str


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom the freed time would suit, and when they would begin."""

    waiting: Waiting
    starts: datetime
    ends: datetime


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """A time that was given up and is free still. how: cancelled, moved, no_show.

    `free_from` to `free_until` is the whole free time of the room around it; candidates in order of joining.
    """

    room: str
    room_name: str
    starts: datetime
    ends: datetime
    free_from: datetime
    free_until: datetime
    visit_kind: str
    how: str
    asked_by: str | None
    freed_at: datetime
    fact: str
    candidates: tuple[Candidate, ...]


class WaitingReport(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in order of joining; freed times in order of time."""

    as_of: datetime
    known_at: int | None
    timezone: str
    waiting: tuple[Waiting, ...]
    freed: tuple[Freed, ...]


def report(
    conn: Connection, clinic: str, *, as_of: datetime, known_at: int | None = None
) -> WaitingReport | None:
    """The clinic's list as of a moment; None for a clinic that was not opened."""
    cut = Cut.at(as_of, known_at)
    calendar = calendars(conn, [clinic], cut).get(clinic)
    if calendar is None:
        return None
    waiting = _waiting(conn, calendar, cut)
    today = local_date(calendar.timezone, cut.as_of_us)
    ahead = Period(today, today + timedelta(days=AHEAD_DAYS))
    slots = load_slots(conn, [clinic], (cut.as_of_us - DAY, cut.as_of_us + AHEAD_DAYS * DAY), cut)
    return WaitingReport(
        as_of=as_of, known_at=known_at, timezone=calendar.timezone, waiting=tuple(waiting),
        freed=tuple(_freed(calendar, ahead, slots, waiting, cut.as_of_us)),
    )  # fmt: skip


def _waiting(conn: Connection, calendar: ClinicCalendar, cut: Cut) -> list[Waiting]:
    c = waitlist_facts.c
    joined = fetch(conn, select(waitlist_facts).where(
        c.clinic == calendar.clinic, c.ends_us > cut.as_of_us, c.kind == "joined", cut.on(waitlist_facts)
    ))  # fmt: skip
    later = fetch_in(
        conn, waitlist_facts, cut, "waiting", [row["waiting"] for row in joined], c.kind.in_(("offered", "left"))
    )
    gone = {row["waiting"] for row in later if row["kind"] == "left"}
    offers = [row["waiting"] for row in later if row["kind"] == "offered"]
    in_order = sorted(joined, key=lambda row: (row["at_us"], row["position"]))
    return [_entry(row, calendar, offers.count(row["waiting"]), cut) for row in in_order if row["waiting"] not in gone]


def _entry(row: Mapping[str, Any], calendar: ClinicCalendar, offers: int, cut: Cut) -> Waiting:
    return Waiting(
        entry_id=row["waiting"], patient=row["patient"], visit_kind=row["visit_kind"],
        earliest=moment(row["starts_us"]), latest=moment(row["ends_us"]), joined=moment(row["at_us"]),
        local_date=local_date(calendar.timezone, row["starts_us"]),
        minutes=calendar.visit_minutes(row["visit_kind"], cut.as_of_us), offers=offers, fact=row["fact_id"],
    )


def _freed(
    calendar: ClinicCalendar, ahead: Period, slots: Sequence[Slot], waiting: Sequence[Waiting], now_us: int
) -> Iterable[Freed]:
    names = {room.room: room.name for room in calendar.rooms}
    free = _free(calendar, ahead, slots, now_us)
    listed: set[tuple[str, Span]] = set()
    for slot in sorted(slots, key=lambda one: (one.starts_us, one.room, -(one.left_us or 0))):
        if slot.left is None and not slot.no_show:
            continue
        for part in intersection([(max(slot.starts_us, now_us), slot.ends_us)], free.get(slot.room, [])):
            if (slot.room, part) in listed:
                continue
            listed.add((slot.room, part))
            around = next(span for span in free[slot.room] if span[0] <= part[0] < span[1])
            yield _told(slot, names.get(slot.room, ""), part, around, waiting)


def _free(
    calendar: ClinicCalendar, ahead: Period, slots: Sequence[Slot], now_us: int
) -> dict[str, list[Span]]:
    opening = intersection(calendar.open_spans(ahead), [(now_us, now_us + AHEAD_DAYS * DAY)])
    taken: dict[str, list[Span]] = {}
    for slot in slots:
        if slot.left is None and not slot.no_show:
            taken.setdefault(slot.room, []).append((slot.starts_us, slot.ends_us))
    return {
        room.room: difference(calendar.room_open(room.room, opening), union(taken.get(room.room, ())))
        for room in calendar.rooms
    }


def _told(slot: Slot, room_name: str, part: Span, around: Span, waiting: Sequence[Waiting]) -> Freed:
    fitting = [(one, _start(one, part, around)) for one in waiting]
    return Freed(
        room=slot.room, room_name=room_name, starts=moment(part[0]), ends=moment(part[1]),
        free_from=moment(around[0]), free_until=moment(around[1]), visit_kind=slot.visit_kind,
        how=slot.left or "no_show", asked_by=slot.asked_by,
        freed_at=moment(slot.left_us if slot.left_us is not None else slot.starts_us), fact=slot.fact,
        candidates=tuple(
            Candidate(waiting=one, starts=moment(start), ends=moment(start + (one.minutes or 0) * MINUTE))
            for one, start in fitting if start is not None
        ),
    )  # fmt: skip


def _start(one: Waiting, part: Span, around: Span) -> int | None:
    """When the visit would begin: as the freed time begins if it can, else as near as its window and the room allow.

    It must use some of the freed time, and begin on the quarter hour.
    """
    earliest, latest = micros(one.earliest), micros(one.latest)
    if one.minutes is None or earliest is None or latest is None:
        return None
    need, until = one.minutes * MINUTE, min(around[1], latest)
    begin = -(-max(part[0], earliest) // QUARTER) * QUARTER
    if begin < part[1] and begin + need <= until:
        return begin
    last = (until - need) // QUARTER * QUARTER
    fits = last >= max(around[0], earliest) and part[0] < last + need and last < part[1]
    return last if fits else None
