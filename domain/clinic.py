"""A clinic: its rooms, opening hours, closures, staff on duty, adopted protocol and price list."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.kernel import Code, Command, Event, Role
from domain.protocol import Protocol


class OpeningSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Open from `opens` to `closes`, clinic-local time, on ISO weekday 1 (Monday) to 7."""

    weekday: int
    opens: time
    closes: time


class PriceItem(msgspec.Struct, frozen=True, kw_only=True):
    code: Code
    description: str
    amount_cents: int


class ClinicOpened(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "clinic.opened.v1"
    clinic_name: str
    timezone: str
    fictional: bool = False


class RoomAdded(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "clinic.room_added.v1"
    room_id: UUID
    room_name: str


class RoomRetired(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "clinic.room_retired.v1"
    room_id: UUID
    reason_code: Code


class OpeningHoursSet(Event, frozen=True, kw_only=True):
    """In force from local date `effective_from` until the next. `prime` is the window called prime time."""

    NAME: ClassVar[str] = "clinic.opening_hours_set.v1"
    effective_from: date
    hours: tuple[OpeningSpan, ...]
    prime: tuple[OpeningSpan, ...] = ()


class ClosureDeclared(Event, frozen=True, kw_only=True):
    """The clinic (or one room) is closed over [starts_at, ends_at); `stranded` are the bookings it hits."""

    NAME: ClassVar[str] = "clinic.closure_declared.v1"
    closure_id: UUID
    starts_at: datetime
    ends_at: datetime
    room_id: UUID | None = None
    reason_code: Code
    stranded: tuple[UUID, ...] = ()


class ClosureLifted(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "clinic.closure_lifted.v1"
    closure_id: UUID


class StaffAssigned(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "clinic.staff_assigned.v1"
    staff_id: UUID
    role: Role


class StaffUnassigned(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "clinic.staff_unassigned.v1"
    staff_id: UUID
    role: Role


class ProtocolAdopted(Event, frozen=True, kw_only=True):
    """A prescriber adopted a protocol document: from now on its limits are this clinic's."""

    NAME: ClassVar[str] = "clinic.protocol_adopted.v1"
    protocol_version: int
    document: Protocol
    adopted_by: UUID


class PriceListPublished(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "clinic.price_list_published.v1"
    price_list_id: UUID
    effective_from: date
    currency: Code
    items: tuple[PriceItem, ...]


class OpenClinic(Command, frozen=True, kw_only=True):
    clinic_name: str
    timezone: str
    fictional: bool = False


class AddRoom(Command, frozen=True, kw_only=True):
    room_id: UUID
    room_name: str


class RetireRoom(Command, frozen=True, kw_only=True):
    room_id: UUID
    reason_code: Code


class SetOpeningHours(Command, frozen=True, kw_only=True):
    effective_from: date
    hours: tuple[OpeningSpan, ...]
    prime: tuple[OpeningSpan, ...] = ()


class DeclareClosure(Command, frozen=True, kw_only=True):
    closure_id: UUID
    starts_at: datetime
    ends_at: datetime
    room_id: UUID | None = None
    reason_code: Code
    stranded: tuple[UUID, ...] = ()


class LiftClosure(Command, frozen=True, kw_only=True):
    closure_id: UUID


class AssignStaff(Command, frozen=True, kw_only=True):
    staff_id: UUID
    role: Role


class UnassignStaff(Command, frozen=True, kw_only=True):
    staff_id: UUID
    role: Role


class AdoptProtocol(Command, frozen=True, kw_only=True):
    document: Protocol
    adopted_by: UUID


class PublishPriceList(Command, frozen=True, kw_only=True):
    price_list_id: UUID
    effective_from: date
    currency: Code
    items: tuple[PriceItem, ...]
