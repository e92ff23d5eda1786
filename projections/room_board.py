"""What goes on in the house right now? Rooms with their states and timers, who is expected, what was left open.

The same question at any moment of the past gives that moment's board, as it was known at any position.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select

from projections.facts.encoding import DAY, MINUTE
from projections.facts.loading import calendars, load_slots, with_consultations
from projections.facts.reading import Cut, Row, fetch, fetch_in
from projections.facts.tables import clinic_facts, visit_facts, watch_facts
from projections.loose_ends import open_ends
from projections.metrics.board import (
    EXPECTED_WITHIN,
    LATE_FOR,
    BoardCounts,
    ClinicNow,
    Intervals,
    RoomFacts,
    Standing,
    counts,
    expected,
    loose_ends,
    rooms_now,
    standing,
)
from projections.metrics.bookings import Slot
from projections.metrics.calendar import ClinicCalendar
from projections.metrics.definitions import BOARD, Definition
from projections.metrics.visits import visits


class BoardReport(msgspec.Struct, frozen=True, kw_only=True):
    """The boards of some clinics, and their counts together."""

    as_of: datetime
    known_at: int | None
    clinics: tuple[str, ...]
    together: BoardCounts
    by_clinic: Mapping[str, ClinicNow]
    definitions: tuple[Definition, ...] = BOARD


class _Protocol(msgspec.Struct):
    vitals_every_minutes: int
    vitals_every_minutes_recovery: int
    monitoring_minutes: int


_PROTOCOL = msgspec.json.Decoder(_Protocol)


def report(
    conn: Connection, clinics: Collection[str], *, as_of: datetime, known_at: int | None = None
) -> BoardReport:
    """The board at `as_of`. Nine queries, bounded by what is open now and by the day's bookings."""
    cut = Cut.at(as_of, known_at)
    known = calendars(conn, clinics, cut)
    open_now = open_ends(conn, known, cut)
    here = _standing(conn, open_now, known, cut)
    span = (cut.as_of_us - LATE_FOR, cut.as_of_us + EXPECTED_WITHIN + 1)
    slots = with_consultations(conn, load_slots(conn, known, span, cut), known, span, cut)
    facts = _room_facts(conn, known, cut)
    boards = {clinic: _board(known[clinic], facts[clinic], here, open_now, slots, cut.as_of_us) for clinic in known}
    every = boards.values()
    return BoardReport(
        as_of=as_of, known_at=known_at, clinics=tuple(known),
        together=counts(
            [room for one in every for room in one.rooms], here, [one for board in every for one in board.expected],
            [one for board in every for one in board.loose_ends],
        ),
        by_clinic=boards,
    )  # fmt: skip


def _board(
    calendar: ClinicCalendar, facts: RoomFacts, everyone: Sequence[Standing], open_now: Sequence[Row],
    slots: Sequence[Slot], as_of_us: int,
) -> ClinicNow:  # fmt: skip
    here = [one for one in everyone if one.clinic == calendar.clinic]
    booked = [one for one in slots if one.clinic == calendar.clinic]
    rooms = rooms_now(calendar, facts, here, booked, as_of_us)
    arriving = expected(booked, as_of_us)
    ends = loose_ends([row for row in open_now if row["clinic"] == calendar.clinic], calendar, as_of_us)
    return ClinicNow(
        clinic=calendar.clinic, timezone=calendar.timezone, counts=counts(rooms, here, arriving, ends), rooms=rooms,
        waiting=tuple(one for one in here if one.state == "waiting_for_room"), expected=arriving, loose_ends=ends,
    )  # fmt: skip


def _standing(
    conn: Connection, open_now: Iterable[Row], known: Mapping[str, ClinicCalendar], cut: Cut
) -> list[Standing]:
    """Everybody whose visit is not ended or whose room is not released."""
    infusions = {row["infusion"] for row in open_now if row["kind"] in ("visit", "room")}
    alerts: dict[str, list[str]] = defaultdict(list)
    for row in open_now:
        if row["kind"] == "alert":
            alerts[row["infusion"]].append(row["code"])
    watched: dict[str, list[Row]] = defaultdict(list)
    for row in fetch_in(conn, watch_facts, cut, "infusion", infusions):
        watched[row["infusion"]].append(row)
    for rows in watched.values():
        rows.sort(key=lambda row: (row["at_us"], row["position"]))
    found = visits(fetch_in(conn, visit_facts, cut, "infusion", infusions))
    intervals = _intervals(conn, known, cut)
    return [
        standing(
            one, watched[one.infusion], alerts[one.infusion], known[one.clinic], intervals[one.clinic], cut.as_of_us
        )
        for one in found if one.clinic in known
    ]  # fmt: skip


def _intervals(conn: Connection, known: Collection[str], cut: Cut) -> dict[str, list[Intervals]]:
    found: dict[str, list[Intervals]] = defaultdict(list)
    for row in fetch_in(conn, clinic_facts, cut, "clinic", known, clinic_facts.c.kind == "protocol"):
        one = _PROTOCOL.decode(row["detail"])
        found[row["clinic"]].append(Intervals(
            row["at_us"], one.vitals_every_minutes * MINUTE, one.vitals_every_minutes_recovery * MINUTE,
            one.monitoring_minutes * MINUTE,
        ))  # fmt: skip
    return found


def _room_facts(conn: Connection, known: Collection[str], cut: Cut) -> dict[str, RoomFacts]:
    """By clinic: the entry that added each room, and when each was last released within a day."""
    added: dict[str, dict[str, str]] = defaultdict(dict)
    for row in fetch_in(conn, clinic_facts, cut, "clinic", known, clinic_facts.c.kind == "room_added"):
        added[row["clinic"]][row["room"]] = row["fact_id"]
    c = visit_facts.c
    query = (
        select(c.clinic, c.room, func.max(c.at_us).label("at_us"))
        .where(c.clinic.in_(sorted(known)), c.at_us > cut.as_of_us - DAY, c.kind == "released", cut.on(visit_facts))
        .group_by(c.clinic, c.room)
    )  # fmt: skip
    released: dict[str, dict[str, int]] = defaultdict(dict)
    for row in fetch(conn, query):
        released[row["clinic"]][row["room"]] = row["at_us"]
    return {clinic: RoomFacts(added[clinic], released[clinic]) for clinic in known}


def last_start(conn: Connection, clinics: Collection[str], as_of: datetime, known_at: int | None = None) -> int | None:
    """When drug was last started in these clinics before `as_of`; None when it never was."""
    c, cut = visit_facts.c, Cut.at(as_of, known_at)
    query = select(func.max(c.at_us)).where(c.clinic.in_(sorted(clinics)), c.kind == "started", cut.on(visit_facts))
    found: int | None = conn.scalar(query)
    return found


def without_signs(report: BoardReport) -> BoardReport:
    """The board for those who run the day but read no charts: that an alert is open, not which sign raised it."""
    boards = {clinic: _shut(one) for clinic, one in report.by_clinic.items()}
    return msgspec.structs.replace(report, by_clinic=boards)


def _shut(board: ClinicNow) -> ClinicNow:
    def patient(one: Standing) -> Standing:
        return msgspec.structs.replace(one, alerts=("alert",) * len(one.alerts))

    return msgspec.structs.replace(
        board, waiting=tuple(map(patient, board.waiting)),
        rooms=tuple(
            msgspec.structs.replace(room, patients=tuple(map(patient, room.patients))) for room in board.rooms
        ),
        loose_ends=tuple(
            msgspec.structs.replace(one, code=None) if one.what in ("alert", "home_alert") else one
            for one in board.loose_ends
        ),
    )  # fmt: skip
