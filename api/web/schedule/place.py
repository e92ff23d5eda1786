"""Where a page of the schedule stands: the clinic, its clock, its people; and what a form of it carries out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
from flask import Blueprint, request, url_for

from api.http.access import opened
from api.http.context import principal, wired
from api.http.idempotency import id_for
from api.http.scheduling import reading
from api.http.scope import Place, check_references, see_clinic, sheet_id
from api.web.address import ClinicName, clinics_seen
from api.web.names import names
from domain import clinic, day_sheet
from domain.clinic.hours import shown
from domain.kernel import Actor, BadInput, Command
from domain.staff import StaffJoined
from projections.directory import Person
from services.handling import Receipt, Request
from services.log import Idempotency
from services.scheduling import Openings, Reading
from services.use_cases.case import AUTHORISERS, NURSES, PRESCRIBERS

__all__ = ["Desk", "FormSlip", "blueprint", "desk", "full_name", "local_moment", "names_of"]

blueprint = Blueprint("web_schedule", __name__, url_prefix="/schedule")


class FormSlip(BadInput):
    """Something in the form is missing or cannot be."""


@dataclass(frozen=True)
class Desk:
    """A clinic as its front desk sees it, for one request."""

    clinic_id: UUID
    known: Reading
    here: clinic.State

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.here.timezone)

    @property
    def now(self) -> datetime:
        """By the clinic's clock."""
        return shown(self.known.now, self.zone)

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def name(self) -> str:
        return self.here.clinic_name.replace(" (fictional)", "")

    @property
    def rooms(self) -> list[clinic.Room]:
        """In service."""
        return [room for room in self.here.rooms if room.retired_at is None]

    def room_name(self, room_id: UUID) -> str:
        room = self.here.room(room_id)
        return room.room_name if room is not None else "a room that is gone"

    @property
    def openings(self) -> Openings:
        return Openings(self.known, self.clinic_id)

    def clock(self, moment: datetime) -> str:
        """`09:30`; on the days of a change of the clock with the zone's short name, so that no hour is taken for
        the other."""
        local = moment.astimezone(self.zone)
        changes = clinic.instant(local.date(), time(0), self.zone).astimezone(self.zone).utcoffset() != clinic.instant(
            local.date(), time(23, 59), self.zone).astimezone(self.zone).utcoffset()
        return f"{local:%H:%M %Z}" if changes else f"{local:%H:%M}"

    def span(self, starts: datetime, ends: datetime) -> str:
        return f"{self.clock(starts)}–{self.clock(ends)}"

    # --- people ---

    def staff(self, *roles: str) -> list[tuple[UUID, str]]:
        """Those assigned here in one of the roles, by name."""
        ids = {who for who, role in self.here.staff if role in roles}
        return sorted(((one, full_name(one)) for one in ids), key=lambda pair: pair[1])

    def nurses(self) -> list[tuple[UUID, str]]:
        return self.staff(*NURSES)

    def prescribers(self) -> list[tuple[UUID, str]]:
        return self.staff(*PRESCRIBERS)

    def authorisers(self) -> list[tuple[UUID, str]]:
        """Who may answer for an overbooking."""
        return self.staff(*AUTHORISERS)

    @property
    def authorises(self) -> UUID | None:
        """Whoever is signed in, where they may answer for an overbooking themselves."""
        return next((one for one, _ in self.authorisers() if str(one) == principal().actor_id), None)

    # --- acting ---

    def act(
        self, stream_id: UUID, command: type[Command], *, when: datetime | None = None, late_reason: str | None = None,
        **fields: Any,
    ) -> Receipt:
        """Carries a form out as the API would: same use case, scope and idempotency (its key is a field of the form).

        `when`: the moment it happened; None: now.

        Raises the domain's refusals, the 404 for what the caller may not see.
        """
        parts, who = wired(), principal()
        place = Place(stream_id=stream_id, clinic_id=self.clinic_id)
        check_references(fields, place)
        key = form_key()
        new = {name: id_for(key, name) for name, value in fields.items() if value is NEW}
        by = Actor(id=who.actor_id, role=who.role)
        asked = Request(
            by=by, clinic_id=self.clinic_id, idempotency=key, command_id=id_for(key, "command"),
        )
        now = self.known.now
        made = command(by=by, now=now, at=when or now, late_reason=late_reason, **{**fields, **new})
        return parts.services.handle(stream_id, made, asked)

    def sheet_id(self, day: date) -> UUID:
        """The clinic's sheet of a local day."""
        return sheet_id(self.clinic_id, day)

    def opened(self, what: str, *, count: int, patient_id: UUID | None = None) -> None:
        """Notes the access before anything is shown."""
        opened(what, clinic_id=self.clinic_id, count=count, patient_id=patient_id)

    # --- addresses ---

    def to(self, page: str, **values: Any) -> str:
        """The address of a page of this clinic's schedule."""
        return url_for(f"web_schedule.{page}", clinic_id=self.clinic_id, **values)

    def to_slot(self, day: date, appointment_id: UUID | str) -> str:
        return self.to("appointment", local_date=day, appointment_id=appointment_id)

    @property
    def others(self) -> list[ClinicName]:
        """Every clinic that the reader sees."""
        return clinics_seen()


NEW = object()
"""Stands for an id that is made from the form's key: the same when the form is sent twice."""


def desk(clinic_id: UUID) -> Desk:
    """Raises the 404 for a clinic that is not the reader's."""
    see_clinic(clinic_id)
    known = reading()
    return Desk(clinic_id, known, known.clinic(clinic_id))


def form_key() -> Idempotency:
    """From the hidden field; the fingerprint is over the path and all fields but the token."""
    given = request.form.get("key", "")
    if not 8 <= len(given) <= 128:
        raise FormSlip("The form is incomplete: open the page again.", pointer="/key")
    sent = request.form.items(multi=True)
    fields = sorted((name, value) for name, value in sent if name not in ("csrf_token", "key"))
    said = msgspec.json.encode([request.path, fields])
    return Idempotency(
        principal=principal().key_id, key=given, body_hmac=hmac.new(wired().secret, said, hashlib.sha256).digest()
    )


def new_key() -> str:
    """For the hidden field of a form that is shown."""
    return str(uuid4())


def full_name(staff_id: UUID) -> str:
    """A member of staff by name."""
    services = wired().services
    for record in services.log.read_stream(staff_id):
        if isinstance(record.event, StaffJoined):
            name = services.unsealer.unseal(record, "full_name", record.event.full_name)
            return name if isinstance(name, str) else "somebody"
    return "somebody"


def names_of(patients: Collection[UUID | str]) -> dict[str, str]:
    """`Doe, Sam` by patient id; absent for whom the reader's clinics no longer care, and what cannot be opened."""
    return dict(names(str(one) for one in patients))


def said_name(person: Person) -> str:
    parts = [part for part in (person.family_name, person.given_name) if part]
    return ", ".join(parts) or "name not to be opened"


def local_moment(given_day: str, given_clock: str, fold: str, zone: ZoneInfo) -> datetime:
    """A wall clock time of the clinic; raises FormSlip for one that its clocks skip, or show twice without `fold`."""
    try:
        wall = datetime.combine(date.fromisoformat(given_day), time.fromisoformat(given_clock))
    except ValueError as error:
        raise FormSlip("Give a day and a time.", pointer="/starts_at") from error
    first, second = (wall.replace(tzinfo=zone, fold=number) for number in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return shown(first, zone)
    if first.utcoffset() < second.utcoffset():  # type: ignore[operator]
        raise FormSlip(
            f"The clocks go forward that night: {wall:%H:%M} does not exist on that day.", pointer="/starts_at"
        )
    if fold not in ("0", "1"):
        raise FormSlip(
            f"The clocks go back that night: {wall:%H:%M} comes twice. Choose the first ({first:%Z}) or the second "
            f"({second:%Z}).", pointer="/fold",
        )
    return shown(second if fold == "1" else first, zone)


def appointment_of(at: Desk, day: date, appointment_id: UUID) -> day_sheet.Appointment | None:
    """What the day's sheet holds under that id."""
    return at.known.sheet(at.clinic_id, day).appointments.get(appointment_id)
