"""Today: what goes on in the house now, what is overdue, who is expected, what was left open. Renews itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

import msgspec
from flask import Blueprint, Response, url_for

from api.http.access import opened
from api.http.context import wired
from api.reports import ask, position_of
from api.web.address import ClinicName, View, link, view
from api.web.figures import Shown, shown
from api.web.letters import mail_trouble
from api.web.names import names, patient_cell
from api.web.page import may, render
from api.web.tables import Cell, Column, Table, cell, event_cell
from api.web.terms import sign as sign_in_words
from api.web.wording import count, day, duration, number, words
from api.web.wording import moment as moment_in_words
from projections.facts.encoding import MINUTE, moment
from projections.metrics.board import BoardCounts, ClinicNow, Expected, LooseEnd, RoomNow, Standing
from projections.metrics.definitions import current
from projections.room_board import BoardReport, last_start

blueprint = Blueprint("web_today", __name__)

RENEWED_SECONDS = 15
TILES = (
    "patients_in", "waiting_for_room", "watch_overdue", "driver_needed", "alerts_open", "arrivals_expected",
    "arrivals_late", "orders_open", "draws_open", "unclosed_charts",
)  # fmt: skip
TONES = {"infusing": "info", "paused": "attention", "recovering": "info", "waiting_for_driver": "attention"}
ENDS = {
    "visit": "Visit not closed", "order": "Verbal order to countersign", "draw": "Drug drawn and open",
    "alert": "Open alert", "home_alert": "Open alert from home",
}  # fmt: skip
STEPS = (("A day earlier", -1440), ("An hour earlier", -60), ("An hour later", 60), ("A day later", 1440))


class Flag(msgspec.Struct, frozen=True):
    """Something about a patient that somebody has to act on, in words."""

    tone: str
    text: str


class Line(msgspec.Struct, frozen=True):
    """One patient on the board."""

    patient: Cell
    kind: str
    event: str | None
    bookings: str | None
    timers: tuple[tuple[str, str], ...]
    flags: tuple[Flag, ...]


class Card(msgspec.Struct, frozen=True):
    """One room on the board."""

    name: str
    state: str
    tone: str
    since: str
    until: str
    lines: tuple[Line, ...]


class Board(msgspec.Struct, frozen=True):
    """One clinic on the page."""

    clinic: ClinicName
    now: str
    busy: int
    cards: tuple[Card, ...]
    waiting: tuple[Line, ...]


@blueprint.get("/today")
def show() -> Response:
    """The house at this moment, or at `as_of`."""
    asked = view()
    report = cast(BoardReport, ask("operations", asked.question))
    patients = _patients(report)
    opened("today", count=len(patients))
    known = names(patients)
    boards = [_board(asked.clinic(clinic), one, known, _us(asked)) for clinic, one in report.by_clinic.items()]
    figures = _figures(report.together, asked)
    return render(
        "today.html", title="Today", mail_trouble=mail_trouble(),
        active="web_today.show", view=asked, moment_only=True,
        lede="Who is in the house, what is overdue, who is expected, and what was left open.",
        boards=sorted(boards, key=lambda one: one.clinic.name), figures=list(figures.values()), together=figures,
        urgent=_urgent(report), steps=_steps(asked), live=not asked.seen_as_of and asked.known_at is None,
        renewed=RENEWED_SECONDS, here=link(), demonstrated=_demonstrated(report, asked),
        tables=[_rooms(report, asked, known), _expected(report, asked, known), _ends(report, asked, known)],
    )


def _us(asked: View) -> int:
    return round(asked.question.as_of.timestamp() * 1_000_000)


def _patients(report: BoardReport) -> set[str]:
    boards = report.by_clinic.values()
    standing = (one.patient for board in boards for one in _standing(board))
    arriving = (one.patient for board in boards for one in board.expected)
    left = (end.patient for board in boards for end in board.loose_ends)
    return {one for one in (*standing, *arriving, *left) if one}


def _standing(board: ClinicNow) -> tuple[Standing, ...]:
    return (*board.waiting, *(one for room in board.rooms for one in room.patients))


def _figures(counts: BoardCounts, asked: View) -> dict[str, Shown]:
    rows = asked.rows("operations") if may("web_rows.show") else None
    return {name: shown(getattr(counts, name), f"together.{name}", rows) for name in TILES}


def _urgent(report: BoardReport) -> str:
    """What cannot wait, in one sentence; empty when nothing."""
    counts = report.together
    some = [
        (counts.alerts_open.n, "open alert", "open alerts"),
        (counts.watch_overdue.n, "patient whose vitals or sedation are overdue",
         "patients whose vitals or sedation are overdue"),
    ]  # fmt: skip
    return " and ".join(count(many, one, more) for many, one, more in some if many)


def _steps(asked: View) -> list[tuple[str, str]]:
    return [
        (label, link(as_of=(asked.question.as_of + timedelta(minutes=minutes)).isoformat(timespec="seconds")))
        for label, minutes in STEPS
    ]


def _demonstrated(report: BoardReport, asked: View) -> tuple[str, str] | None:
    """A demonstration's clinics stand still once its weeks are over: the way to their last busy moment, and when."""
    if report.together.patients_in.n or not any(one.fictional for one in asked.clinics):
        return None
    with wired().read_side.database.reads.connect() as connection:
        started = last_start(connection, report.clinics, report.as_of, report.known_at)
    if started is None:
        return None
    at = moment(started + 20 * MINUTE)
    return link(as_of=at.isoformat(timespec="seconds")), moment_in_words(at, asked.timezone)


# --- one clinic -----------------------------------------------------------------------------------


def _board(clinic: ClinicName, board: ClinicNow, known: Mapping[str, str], now_us: int) -> Board:
    cards = tuple(_card(room, known, clinic, now_us) for room in board.rooms)
    return Board(
        clinic, clock(now_us, clinic.timezone, now_us), sum(bool(card.lines) for card in cards), cards,
        tuple(_line(one, known, clinic, now_us) for one in board.waiting),
    )  # fmt: skip


def _card(room: RoomNow, known: Mapping[str, str], clinic: ClinicName, now_us: int) -> Card:
    until = ""
    if room.until_us is not None:
        said = "opens" if room.state == "closed" else "next booking"
        until = f"{said} {clock(room.until_us, clinic.timezone, now_us)}"
    elif room.state == "free":
        until = "nothing booked in the next hours"
    return Card(
        room.name or f"Room {room.room[:8]}", words(room.state), TONES.get(room.state, ""),
        _for(room.since_us, now_us) if room.patients or room.state == "free" else "", until,
        tuple(_line(one, known, clinic, now_us) for one in room.patients),
    )  # fmt: skip


def _line(one: Standing, known: Mapping[str, str], clinic: ClinicName, now_us: int) -> Line:
    return Line(
        patient_cell(one.patient, known), words(one.visit_kind),
        f"/events/{position_of(one.fact)}" if may("web_events.show") else None,
        _bookings(one, clinic), tuple(_timers(one, clinic.timezone, now_us)), tuple(_flags(one, now_us)),
    )  # fmt: skip


def _bookings(one: Standing, clinic: ClinicName) -> str | None:
    """To the booking on whose page a visit without infusion ends; None where it is not, or not by the reader."""
    if one.state == "cleaning" or one.drug_minutes is not None or not may("web_schedule.end_visit"):
        return None
    return url_for("web_schedule.of_patient", clinic_id=clinic.id, patient=one.patient)


def _timers(one: Standing, timezone: str, now_us: int) -> list[tuple[str, str]]:
    found = []
    if one.arrived_us is not None:
        found.append(("Arrived", clock(one.arrived_us, timezone, now_us)))
    if one.drug_minutes is not None:
        planned = f" of {one.planned_minutes}" if one.planned_minutes is not None else ""
        found.append(("Drug ran", f"{number(float(one.drug_minutes))}{planned} min, {one.dose_mg} mg"))
    if one.earliest_discharge_us is not None:
        left = one.earliest_discharge_us - now_us
        when = clock(one.earliest_discharge_us, timezone, now_us)
        said = f"{when} ({duration(left / MINUTE)})" if left > 0 else f"since {when}"
        found.append(("Home from" if one.discharge_basis == "stop" else "Home, planned", said))
    due = [us for us in (one.vitals_due_us, one.sedation_due_us) if us is not None]
    if due and not one.overdue:
        found.append(("Next look", clock(min(due), timezone, now_us)))
    return found


def _flags(one: Standing, now_us: int) -> list[Flag]:
    found = [Flag("alarm", f"Alert: {sign_in_words(sign)}" if sign != "alert" else "Alert open") for sign in one.alerts]
    for what, due in (("vitals", one.vitals_due_us), ("sedation", one.sedation_due_us)):
        if what in one.overdue and due is not None:
            found.append(Flag("alarm", f"{what.capitalize()} overdue by {duration((now_us - due) / MINUTE)}"))
    if one.driver != "named" and one.state != "cleaning" and one.visit_kind != "follow_up":
        found.append(Flag("attention", "No driver yet" if one.driver == "missing" else "Driver not asked"))
    if one.unclosed:
        found.append(Flag("attention", "Chart not closed"))
    return found


# --- words ----------------------------------------------------------------------------------------


def clock(us: int, timezone: str, now_us: int) -> str:
    """A time on the clinic's clock; with the day when it is another one."""
    local, today = (moment(one).astimezone(ZoneInfo(timezone)) for one in (us, now_us))
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{day(local.date(), weekday=True, year=local.year != today.year)} {local:%H:%M}"


def _for(since_us: int | None, now_us: int) -> str:
    return "" if since_us is None else duration((now_us - since_us) / MINUTE)


def _minutes(since_us: int | None, now_us: int) -> Cell:
    return cell(None) if since_us is None else cell(round((now_us - since_us) / MINUTE), _for(since_us, now_us))


# --- tables ---------------------------------------------------------------------------------------


def _rooms(report: BoardReport, asked: View, known: Mapping[str, str]) -> Table:
    now = _us(asked)
    rows = []
    for clinic, board in report.by_clinic.items():
        name = asked.clinic(clinic)
        for room in board.rooms:
            for one in room.patients or (None,):
                rows.append(_room_row(name, room, one, known, now))
        rows += [_room_row(name, None, one, known, now) for one in board.waiting]
    return Table(
        name="rooms", title="Every room and patient", rows=tuple(rows), empty="No room is in service.",
        columns=(
            Column("clinic", "Clinic"), Column("room", "Room"),
            Column("state", "State", definition=current("rooms_now")), Column("for", "For", numeric=True),
            Column("patient", "Patient"), Column("kind", "Visit"),
            Column("drug", "Drug ran, min", numeric=True), Column("dose", "Given, mg", numeric=True),
            Column("home", "Home from"), Column("driver", "Driver"), Column("overdue", "Overdue"),
        ),
    )  # fmt: skip


def _room_row(
    clinic: ClinicName, room: RoomNow | None, one: Standing | None, known: Mapping[str, str], now: int
) -> tuple[Cell, ...]:
    state, since = (one.state, one.since_us) if one is not None else (room.state, room.since_us) if room else ("", None)
    head = (cell(clinic.name), cell(room.name if room else None), cell(state, words(state)), _minutes(since, now))
    if one is None:
        return (*head, *(cell(None) for _ in range(7)))
    home = one.earliest_discharge_us
    return (
        *head, patient_cell(one.patient, known), cell(one.visit_kind, words(one.visit_kind)),
        cell(one.drug_minutes), cell(one.dose_mg, digits=2),
        cell(None) if home is None else cell(moment(home), _with_zone(home, clinic, now)),
        cell(one.driver, words(one.driver)), cell(" ".join(one.overdue) or None),
    )  # fmt: skip


def _expected(report: BoardReport, asked: View, known: Mapping[str, str]) -> Table:
    now, listed = _us(asked), [(clinic, one) for clinic, board in report.by_clinic.items() for one in board.expected]
    listed.sort(key=lambda pair: (pair[1].starts_us, pair[1].appointment))
    names_of_rooms = {room.room: room.name for board in report.by_clinic.values() for room in board.rooms}
    return Table(
        name="expected", title="Expected in the next hours", empty="Nobody is expected within eight hours.",
        columns=(
            Column("starts", "Booked for"), Column("patient", "Patient"), Column("kind", "Visit"),
            Column("room", "Room"), Column("clinic", "Clinic"),
            Column("late", "Late", definition=current("arrivals_late")),
        ),
        rows=tuple(_expected_row(asked.clinic(clinic), one, known, names_of_rooms, now) for clinic, one in listed),
    )  # fmt: skip


def _expected_row(
    clinic: ClinicName, one: Expected, known: Mapping[str, str], rooms: Mapping[str, str], now: int
) -> tuple[Cell, ...]:
    late = cell("late", f"late by {_for(one.starts_us, now)}", tone="attention") if one.late else cell(None, "")
    return (
        cell(moment(one.starts_us), _with_zone(one.starts_us, clinic, now), href=_booking(one, clinic)),
        patient_cell(one.patient, known), cell(one.visit_kind, words(one.visit_kind)), cell(rooms.get(one.room)),
        cell(clinic.name), late,
    )  # fmt: skip


def _booking(one: Expected, clinic: ClinicName) -> str | None:
    """Where it is said that they came."""
    if not may("web_schedule.appointment"):
        return None
    local_date = moment(one.starts_us).astimezone(ZoneInfo(clinic.timezone)).date()
    return url_for(
        "web_schedule.appointment", clinic_id=clinic.id, local_date=local_date, appointment_id=one.appointment)


def _with_zone(us: int, clinic: ClinicName, now: int) -> str:
    """For a table over several clinics."""
    return f"{clock(us, clinic.timezone, now)} {moment(us).astimezone(ZoneInfo(clinic.timezone)):%Z}"


def _ends(report: BoardReport, asked: View, known: Mapping[str, str]) -> Table:
    now = _us(asked)
    return Table(
        name="left-open", title="Left open",
        empty="Every chart is closed, every order countersigned, every draw settled.",
        columns=(
            Column("what", "What"), Column("since", "Since"), Column("for", "For", numeric=True),
            Column("patient", "Patient"), Column("clinic", "Clinic"), Column("due", "Due"), Column("event", "Event"),
        ),
        rows=tuple(
            _end_row(asked.clinic(clinic), end, known, now)
            for clinic, board in report.by_clinic.items() for end in board.loose_ends
        ),
    )  # fmt: skip


def _end_row(clinic: ClinicName, end: LooseEnd, known: Mapping[str, str], now: int) -> tuple[Cell, ...]:
    detail = sign_in_words(end.code) if end.code and end.what in ("alert", "home_alert") else ""
    position = position_of(end.fact)
    due = cell(None) if end.due_us is None else cell(
        moment(end.due_us), _with_zone(end.due_us, clinic, now), tone="alarm" if end.overdue else "",
        note="overdue" if end.overdue else "",
    )  # fmt: skip
    return (
        cell(end.what, ENDS[end.what], note=detail, tone="alarm" if end.what in ("alert", "home_alert") else ""),
        cell(moment(end.since_us), _with_zone(end.since_us, clinic, now)), _minutes(end.since_us, now),
        patient_cell(end.patient, known), cell(clinic.name), due,
        event_cell(position, opens=may("web_events.show")),
    )  # fmt: skip
