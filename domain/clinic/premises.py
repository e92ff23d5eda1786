"""The clinic's premises: where and in which time zone, its rooms, opening hours and closures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from functools import cache
from itertools import pairwise
from typing import ClassVar
from uuid import UUID
from zoneinfo import available_timezones

from msgspec.structs import replace

from domain.clinic.state import Closure, Hours, OpeningSpan, Room, State, require_clinic
from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event
from domain.vocabulary.reasons import CLOSURE, ROOM_RETIRED
from domain.vocabulary.term import require


class ClinicAlreadyOpen(DomainError):
    """This clinic has been opened."""


class UnknownTimeZone(BadInput):
    """Not a time zone of the IANA database."""


class NameMissing(BadInput):
    """A name is needed."""


class RoomAlreadyAdded(DomainError):
    """This room has been added."""


class RoomNameTaken(DomainError):
    """Another room in service has this name."""


class RoomNotInService(DomainError):
    """The clinic has no such room in service."""


class OpeningSpanNotValid(BadInput):
    """An opening span ends before it begins, or is on no day of the week."""


class OpeningSpansOverlap(BadInput):
    """Two opening spans of one day overlap."""


class PrimeTimeOutsideHours(BadInput):
    """Prime time lies outside opening hours."""


class ClosureNotValid(BadInput):
    """A closure must end after it begins."""


class ClosureAlreadyDeclared(DomainError):
    """This closure has been declared."""


class ClosureNotFound(DomainError):
    """There is no such closure in force."""


class ClinicOpened(Event, frozen=True, kw_only=True):
    """`timezone` is an IANA zone: all calendar days of the clinic are its days."""

    NAME: ClassVar[str] = "clinic.opened.v1"
    clinic_name: str
    timezone: str
    fictional: bool = False


class RoomAdded(Event, frozen=True, kw_only=True):
    """A room is in service from now on: one patient at a time."""

    NAME: ClassVar[str] = "clinic.room_added.v1"
    room_id: UUID
    room_name: str


class RoomRetired(Event, frozen=True, kw_only=True):
    """Out of service from here on; `stranded` are the bookings it hits."""

    NAME: ClassVar[str] = "clinic.room_retired.v1"
    room_id: UUID
    reason_code: Code
    stranded: tuple[UUID, ...] = ()


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
    """A declared closure no longer holds."""

    NAME: ClassVar[str] = "clinic.closure_lifted.v1"
    closure_id: UUID


class OpenClinic(Command, frozen=True, kw_only=True):
    clinic_name: str
    timezone: str
    fictional: bool = False


class AddRoom(Command, frozen=True, kw_only=True):
    room_id: UUID
    room_name: str


class RetireRoom(Command, frozen=True, kw_only=True):
    """`stranded`: the appointments booked in it from `at` on, looked up by the use case."""

    room_id: UUID
    reason_code: Code
    stranded: tuple[UUID, ...] = ()


class SetOpeningHours(Command, frozen=True, kw_only=True):
    effective_from: date
    hours: tuple[OpeningSpan, ...]
    prime: tuple[OpeningSpan, ...] = ()


class DeclareClosure(Command, frozen=True, kw_only=True):
    """`stranded`: the appointments booked inside it, looked up by the use case."""

    closure_id: UUID
    starts_at: datetime
    ends_at: datetime
    room_id: UUID | None = None
    reason_code: Code
    stranded: tuple[UUID, ...] = ()


class LiftClosure(Command, frozen=True, kw_only=True):
    closure_id: UUID


def decide_open(state: State, command: OpenClinic) -> Decision:
    """Raises ClinicAlreadyOpen, NameMissing, UnknownTimeZone."""
    if state.is_open:
        raise ClinicAlreadyOpen(clinic_id=str(state.stream_id))
    require_name(command.clinic_name, "/clinic_name")
    if command.timezone not in _zones():
        raise UnknownTimeZone(timezone=command.timezone[:60], pointer="/timezone")
    return Decision((ClinicOpened(
        occurred_at=command.at, late_reason=command.late_reason, clinic_name=command.clinic_name,
        timezone=command.timezone, fictional=command.fictional,
    ),))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory", "localtime"})


def require_name(name: str, pointer: str) -> None:
    """Raises NameMissing."""
    if not name.strip():
        raise NameMissing(pointer=pointer)


def decide_room(state: State, command: AddRoom | RetireRoom) -> Decision:
    """Raises RoomAlreadyAdded, RoomNameTaken, NameMissing; RoomNotInService, UnknownCode."""
    require_clinic(state)
    if isinstance(command, RetireRoom):
        require_room(state, command.room_id)
        require(command.reason_code, ROOM_RETIRED, "/reason_code")
        return Decision((RoomRetired(
            occurred_at=command.at, late_reason=command.late_reason, room_id=command.room_id,
            reason_code=command.reason_code, stranded=command.stranded,
        ),))
    require_name(command.room_name, "/room_name")
    if state.room(command.room_id) is not None:
        raise RoomAlreadyAdded(room_id=str(command.room_id), pointer="/room_id")
    wanted = command.room_name.strip().casefold()
    if any(room.retired_at is None and room.room_name.strip().casefold() == wanted for room in state.rooms):
        raise RoomNameTaken(room_name=command.room_name, pointer="/room_name")
    return Decision((RoomAdded(
        occurred_at=command.at, late_reason=command.late_reason, room_id=command.room_id, room_name=command.room_name,
    ),))


def require_room(state: State, room_id: UUID, pointer: str = "/room_id") -> None:
    """Raises RoomNotInService."""
    if not state.in_service(room_id):
        raise RoomNotInService(room_id=str(room_id), pointer=pointer)


def decide_hours(state: State, command: SetOpeningHours) -> Decision:
    """Raises OpeningSpanNotValid, OpeningSpansOverlap, PrimeTimeOutsideHours. No spans at all: closed all week."""
    require_clinic(state)
    check_spans(command.hours, "/hours")
    check_spans(command.prime, "/prime")
    for index, span in enumerate(command.prime):
        if not any(_inside(span, hours) for hours in command.hours):
            raise PrimeTimeOutsideHours(weekday=span.weekday, pointer=f"/prime/{index}")
    return Decision((OpeningHoursSet(
        occurred_at=command.at, late_reason=command.late_reason, effective_from=command.effective_from,
        hours=command.hours, prime=command.prime,
    ),))


def minutes_of(span: OpeningSpan) -> tuple[float, float]:
    """Begin and end in local minutes since midnight; midnight at the end is 1440."""
    ends = _minute(span.closes)
    return _minute(span.opens), ends or 1440.0


def _minute(moment: time) -> float:
    return moment.hour * 60 + moment.minute + (moment.second + moment.microsecond / 1e6) / 60


def _inside(inner: OpeningSpan, outer: OpeningSpan) -> bool:
    (begins, ends), (opens, closes) = minutes_of(inner), minutes_of(outer)
    return inner.weekday == outer.weekday and opens <= begins and ends <= closes


def check_spans(spans: Sequence[OpeningSpan], pointer: str) -> None:
    """Raises OpeningSpanNotValid, OpeningSpansOverlap. Spans that only touch do not overlap."""
    for index, span in enumerate(spans):
        begins, ends = minutes_of(span)
        zoned = span.opens.tzinfo is not None or span.closes.tzinfo is not None
        if not 1 <= span.weekday <= 7 or begins >= ends or zoned:
            raise OpeningSpanNotValid(
                weekday=span.weekday, opens=str(span.opens), closes=str(span.closes), pointer=f"{pointer}/{index}")
    ordered = sorted(spans, key=lambda span: (span.weekday, minutes_of(span)))
    for earlier, later in pairwise(ordered):
        if earlier.weekday == later.weekday and minutes_of(later)[0] < minutes_of(earlier)[1]:
            raise OpeningSpansOverlap(weekday=later.weekday, opens=str(later.opens), pointer=pointer)


def decide_closure(state: State, command: DeclareClosure | LiftClosure) -> Decision:
    """Raises ClosureNotValid, ClosureAlreadyDeclared, RoomNotInService, UnknownCode; ClosureNotFound."""
    require_clinic(state)
    known = next((one for one in state.closures if one.closure_id == command.closure_id), None)
    if isinstance(command, LiftClosure):
        if known is None or known.lifted:
            raise ClosureNotFound(closure_id=str(command.closure_id), pointer="/closure_id")
        return Decision((ClosureLifted(
            occurred_at=command.at, late_reason=command.late_reason, closure_id=command.closure_id),))
    if known is not None:
        raise ClosureAlreadyDeclared(closure_id=str(command.closure_id), pointer="/closure_id")
    if command.starts_at >= command.ends_at:
        raise ClosureNotValid(
            starts_at=command.starts_at.isoformat(), ends_at=command.ends_at.isoformat(), pointer="/ends_at")
    if command.room_id is not None:
        require_room(state, command.room_id)
    require(command.reason_code, CLOSURE, "/reason_code")
    return Decision((ClosureDeclared(
        occurred_at=command.at, late_reason=command.late_reason, closure_id=command.closure_id,
        starts_at=command.starts_at, ends_at=command.ends_at, room_id=command.room_id,
        reason_code=command.reason_code, stranded=command.stranded,
    ),))


def evolve_premises(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case ClinicOpened():
            return replace(
                state, clinic_name=event.clinic_name, timezone=event.timezone, fictional=event.fictional)
        case RoomAdded():
            room = Room(room_id=event.room_id, room_name=event.room_name, added_at=event.occurred_at)
            return replace(state, rooms=(*state.rooms, room))
        case RoomRetired():
            return replace(state, rooms=tuple(
                replace(room, retired_at=event.occurred_at) if room.room_id == event.room_id else room
                for room in state.rooms))
        case OpeningHoursSet():
            hours = Hours(effective_from=event.effective_from, hours=event.hours, prime=event.prime)
            return replace(state, hours=(*state.hours, hours))
        case ClosureDeclared():
            closure = Closure(
                closure_id=event.closure_id, starts_at=event.starts_at, ends_at=event.ends_at, room_id=event.room_id)
            return replace(state, closures=(*state.closures, closure))
        case ClosureLifted():
            return replace(state, closures=tuple(
                replace(one, lifted=True) if one.closure_id == event.closure_id else one for one in state.closures))
    return state
