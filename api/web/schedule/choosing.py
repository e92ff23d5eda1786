"""Choosing a patient and a time: the parts that the booking, moving and waitlist forms share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from flask import g, request
from werkzeug.datastructures import MultiDict

from api.http.context import wired
from api.http.scope import see_patient
from api.http.second_person import authorised
from api.web.schedule.place import Desk, FormSlip, local_moment, names_of, said_name
from api.web.wording import day as day_in_words
from domain import day_sheet
from domain.clinic.hours import shown
from domain.day_sheet import Opening
from domain.vocabulary.reasons import VISIT_KINDS
from projections.directory import find
from services.scheduling import Asked

OTHER = "other"
IDS = ("patient", "nurse", "prescriber", "room")
MOST_FOUND = 12
SHOWN_DAYS = 3


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A way to choose by one click."""

    value: str
    label: str
    note: str = ""
    chosen: bool = False


class FreeDay(msgspec.Struct, frozen=True, kw_only=True):
    """The free times of one day, room by room."""

    day: str
    rooms: tuple[tuple[str, tuple[Choice, ...]], ...]

    @property
    def count(self) -> int:
        return sum(len(choices) for _, choices in self.rooms)

    @property
    def chosen(self) -> bool:
        """Whether the time that is chosen is one of these."""
        return any(one.chosen for _, choices in self.rooms for one in choices)


def unreadable() -> str:
    """Leaves out of the address or form what names nobody and nothing, and says so; empty when all can be read."""
    g.unreadable = frozenset(name for name in IDS if request.values.get(name) and not is_id(request.values[name]))
    return "The address names somebody or something that is not there: choose again." if g.unreadable else ""


def is_id(value: str) -> bool:
    """Whether it can be one."""
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def given() -> MultiDict[str, str]:
    """What the form is filled with: as the address or form says, without what cannot be read."""
    left_out = g.get("unreadable", frozenset())
    found: MultiDict[str, str] = MultiDict()
    for name in request.values:
        if name not in left_out:
            found.setlist(name, request.values.getlist(name))
    return found


def patient_found(at: Desk) -> tuple[UUID, str] | None:
    """The patient that the address names, with the name; the 404 for one whom the reader may not see."""
    named = given().get("patient", "")
    if not named:
        return None
    try:
        patient_id = UUID(named)
    except ValueError as error:
        raise FormSlip("There is no such patient.", pointer="/patient") from error
    see_patient(patient_id)
    if not g.get("patient_noted"):
        at.opened("patient", count=1, patient_id=patient_id)
        g.patient_noted = True
    return patient_id, names_of([patient_id]).get(str(patient_id), "name not to be opened")


def found_by_name(at: Desk) -> list[tuple[str, str, str]]:
    """Patients of this clinic whose family name begins as the form asks: (id, name, birth date)."""
    wanted = request.form.get("name", "").strip()[:80]
    if not wanted:
        return []
    parts = wired()
    with parts.read_side.database.reads.connect() as connection:
        people = find(
            connection, parts.read_side.indexes, clinics=[str(at.clinic_id)], name=wanted, limit=MOST_FOUND,
        )
    at.opened("patients.search", count=len(people))
    return [(one.patient_id, said_name(one), one.birth_date or "") for one in people]


def slot_choices(at: Desk, openings: Sequence[Opening], chosen: str) -> list[FreeDay]:
    """Free times by day and room."""
    by_day: dict[date, dict[UUID, list[Choice]]] = {}
    for one in openings:
        value = slot_value(one.room_id, one.starts_at)
        rooms = by_day.setdefault(one.starts_at.date(), {room.room_id: [] for room in at.rooms})
        rooms.setdefault(one.room_id, []).append(
            Choice(value=value, label=at.clock(one.starts_at), chosen=value == chosen))
    return [
        FreeDay(day=day_in_words(on, weekday=True), rooms=tuple(
            (at.room_name(room_id), tuple(choices)) for room_id, choices in rooms.items() if choices))
        for on, rooms in by_day.items()
    ]


def slot_value(room_id: UUID, starts_at: datetime) -> str:
    """What a form sends for a time in a room."""
    return f"{room_id}|{starts_at.isoformat()}"


def chosen_slot(at: Desk) -> tuple[UUID, datetime]:
    """The room and time that the form chose: one of the list, or another by day and clock. Raises FormSlip."""
    given = request.form.get("slot", "")
    if given and given != OTHER:
        return slot_of(at, given)
    room = request.form.get("room", "")
    try:
        room_id = UUID(room)
    except ValueError as error:
        raise FormSlip("Choose a time, or give a room, a day and a time.", pointer="/slot") from error
    starts_at = local_moment(
        request.form.get("on", ""), request.form.get("clock", ""), request.form.get("fold", ""), at.zone
    )
    return room_id, starts_at


def slot_of(at: Desk, value: str) -> tuple[UUID, datetime]:
    """From what a form sends. Raises FormSlip."""
    room, _, moment = value.partition("|")
    try:
        room_id, starts_at = UUID(room), datetime.fromisoformat(moment)
    except ValueError as error:
        raise FormSlip("Choose a time.", pointer="/slot") from error
    if starts_at.tzinfo is None:
        raise FormSlip("Choose a time.", pointer="/slot")
    return room_id, shown(starts_at, at.zone)


def asked_from(at: Desk, *, patient_id: UUID | None, moving: UUID | None = None, kind: str = "") -> Asked:
    """What free times are looked for, as the address says: from its day on, so many days."""
    first = day_of(request.values.get("on"), at.today)
    return Asked(
        first=first, last=first + timedelta(days=SHOWN_DAYS - 1), visit_kind=kind or kind_of(),
        nurse_id=id_of("nurse"), prescriber_id=id_of("prescriber"), patient_id=patient_id, moving=moving,
        room_id=None,
    )


def kind_of() -> str:
    given = request.values.get("kind", "series")
    return given if given in VISIT_KINDS else "series"


def day_of(given: str | None, usual: date) -> date:
    """A day of the address or form; today's for nonsense."""
    try:
        return date.fromisoformat(given or "")
    except ValueError:
        return usual


def id_of(name: str) -> UUID | None:
    """An id of the address or form; None for nothing. Raises FormSlip."""
    named = given().get(name, "")
    try:
        return UUID(named) if named else None
    except ValueError as error:
        raise FormSlip("Choose one of the list.", pointer=f"/{name}") from error


def overbooking_of(at: Desk) -> day_sheet.Overbooking | None:
    """The deliberate overbooking that the form asks for, authorised by whoever is signed in or by the other's PIN;
    None when it does not. Raises FormSlip."""
    if not request.form.get("overbook"):
        return None
    authorised_by = at.authorises or id_of("authorised_by")
    reason_code = request.form.get("overbook_reason", "")
    if authorised_by is None or not reason_code:
        raise FormSlip("Overbooking needs who authorises it, and a reason.", pointer="/overbook")
    if not authorised(authorised_by, request.form.get("authoriser_pin", "")):
        raise FormSlip(
            "Whoever authorises the overbooking types their own PIN: it is wrong, not set, or locked for a while.",
            pointer="/authoriser_pin",
        )
    resources = tuple(request.form.getlist("over")) or ("room",)
    return day_sheet.Overbooking(
        authorised_by=authorised_by, reason_code=reason_code, reason=request.form.get("overbook_note") or None,
        resources=resources,
    )
