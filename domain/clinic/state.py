"""What a clinic knows of itself, and what it must be told of its staff to decide."""

from __future__ import annotations

from datetime import date, datetime, time
from uuid import UUID

import msgspec

from domain.kernel import Code, DomainError, Role
from domain.ledger import Entries
from domain.protocol import Protocol


class ClinicNotOpen(DomainError):
    """There is no such clinic yet."""


class OpeningSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Open from `opens` to `closes`, clinic-local time, on ISO weekday 1 (Monday) to 7.

    `closes` 00:00 is the midnight at the day's end.
    """

    weekday: int
    opens: time
    closes: time


class PriceItem(msgspec.Struct, frozen=True, kw_only=True):
    """`amount_cents` in the list's currency's hundredths."""

    code: Code
    description: str
    amount_cents: int


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A room; out of service from `retired_at` on."""

    room_id: UUID
    room_name: str
    added_at: datetime
    retired_at: datetime | None = None


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """A week's opening spans, in force from local date `effective_from` until the next."""

    effective_from: date
    hours: tuple[OpeningSpan, ...]
    prime: tuple[OpeningSpan, ...] = ()


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """Closed over [starts_at, ends_at): the clinic, or the one room. `lifted`: it did not take place after all."""

    closure_id: UUID
    starts_at: datetime
    ends_at: datetime
    room_id: UUID | None = None
    lifted: bool = False


class CalendarFeed(msgspec.Struct, frozen=True, kw_only=True):
    """An address at which the bookings can be subscribed to; `closed`: withdrawn."""

    feed_id: UUID
    label: str
    opened_at: datetime
    closed: bool = False


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    price_list_id: UUID
    effective_from: date
    currency: Code
    items: tuple[PriceItem, ...]


class OnCall(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of an alert from home, in order; how long each has; the number that patients are shown."""

    staff_ids: tuple[UUID, ...] = ()
    escalate_after_minutes: int = 10
    clinic_phone: str | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`protocols` are the adopted documents, oldest first; the last is in force."""

    stream_id: UUID
    version: int = 0
    entries: Entries = ()
    clinic_name: str = ""
    timezone: str = ""
    fictional: bool = False
    rooms: tuple[Room, ...] = ()
    hours: tuple[Hours, ...] = ()
    closures: tuple[Closure, ...] = ()
    staff: frozenset[tuple[UUID, Role]] = frozenset()
    protocols: tuple[Protocol, ...] = ()
    price_lists: tuple[PriceList, ...] = ()
    on_call: OnCall = OnCall()
    feeds: tuple[CalendarFeed, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the clinic exists (ClinicOpened)."""
        return bool(self.timezone)

    @property
    def protocol(self) -> Protocol | None:
        """The document in force; None until a prescriber has adopted one."""
        return self.protocols[-1] if self.protocols else None

    def protocol_version(self, number: int) -> Protocol | None:
        """The adopted document of that version (an order names the one it was written under)."""
        return next((one for one in self.protocols if one.protocol_version == number), None)

    def room(self, room_id: UUID) -> Room | None:
        """The room, retired or not; None when it is not this clinic's."""
        return next((room for room in self.rooms if room.room_id == room_id), None)

    def in_service(self, room_id: UUID) -> bool:
        """Whether it is this clinic's room and not retired."""
        room = self.room(room_id)
        return room is not None and room.retired_at is None

    def works_here(self, staff_id: UUID, *roles: Role) -> bool:
        """Whether the person is assigned in one of `roles` (in any, if none is given)."""
        return any(who == staff_id and (not roles or role in roles) for who, role in self.staff)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `clinic.decide` is told of the person whom AssignStaff or AdoptProtocol names, at the command's `at`.

    staff_in_service: joined and not left. prescriber_in_date: of a prescribing profession with its licence in
    date (`staff.may_prescribe`). nurse_in_date: a nursing or a prescriber's licence in date (`staff.may_nurse`).
    """

    staff_in_service: bool = False
    prescriber_in_date: bool = False
    nurse_in_date: bool = False


def require_clinic(state: State) -> None:
    """Raises ClinicNotOpen."""
    if not state.is_open:
        raise ClinicNotOpen(clinic_id=str(state.stream_id))
