"""Several bookings at once: what stands in the way of each, and which other times come near what was wished.

The series of six in the two weeks after the first infusion is booked in one go (DESIGN section 2). Nothing here
decides: each occurrence is booked by the booking's own rules, on the sheet of its own local day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from domain.day_sheet.board import Board
from domain.day_sheet.booking import BookAppointment, slot_of
from domain.day_sheet.slots import Overbooking, check_overbooking, check_people, check_slot, claims
from domain.day_sheet.state import Appointment, Facts, local_date
from domain.kernel import BadInput, Code, Command, DomainError, derived_id
from domain.vocabulary.term import UnknownCode

MOST_OCCURRENCES = 30
OFFERED_SAME_DAY = 3
OFFERED_DAYS = 4


class NothingToBook(BadInput):
    """A series is 1 to 30 occurrences with a number of their own each."""


class SeriesNotBookable(DomainError):
    """Not every occurrence can be booked as asked, so none was: `conflicts` says which and why."""


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One of several bookings. `number` names it in the answer. `ends_at` None: the visit kind's default length."""

    number: int
    room_id: UUID
    starts_at: datetime
    ends_at: datetime | None = None


class BookSeries(Command, frozen=True, kw_only=True):
    """Books every occurrence or, with `only_free`, those that are free; in one commit either way.

    The rest is told per occurrence. `booking_id` names the whole, and with the number each appointment.
    """

    booking_id: UUID
    patient_id: UUID
    visit_kind: Code = "series"
    occurrences: tuple[Occurrence, ...]
    course_id: UUID | None = None
    series_id: UUID | None = None
    prescriber_id: UUID | None = None
    nurse_id: UUID | None = None
    only_free: bool = False


class BookFromWaitlist(Command, frozen=True, kw_only=True):
    """Who waits gets the slot: booked and off the list in one commit. Patient and visit kind are the entry's.

    `course_id` None: the patient's open course, where the visit kind needs one.
    """

    entry_id: UUID
    appointment_id: UUID
    room_id: UUID
    starts_at: datetime
    ends_at: datetime | None = None
    course_id: UUID | None = None
    prescriber_id: UUID | None = None
    nurse_id: UUID | None = None
    overbooking: Overbooking | None = None


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the way of a slot. `rule` is the public name of the rule that would refuse it.

    what: room, patient, nurse, prescriber (taken until `until` by `holder`), else the field at fault.
    """

    rule: Code
    what: Code
    message: str
    until: datetime | None = None
    holder: str | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A time in a room that is free."""

    room_id: UUID
    starts_at: datetime
    ends_at: datetime


def occurrence_id(booking_id: UUID, number: int) -> UUID:
    """The appointment that an occurrence becomes: the same in every retry."""
    return derived_id("series_occurrence", booking_id, number)


def check_numbers(occurrences: Sequence[Occurrence]) -> None:
    """Raises NothingToBook."""
    numbers = {one.number for one in occurrences}
    if not 1 <= len(occurrences) <= MOST_OCCURRENCES or len(numbers) < len(occurrences):
        raise NothingToBook(occurrences=len(occurrences), most=MOST_OCCURRENCES, pointer="/occurrences")


def obstacles(command: BookAppointment, facts: Facts, board: Board) -> tuple[Obstacle, ...]:
    """Everything that stands in the way, where the booking itself would name the first.

    Raises what is no matter of the slot: UnknownCode, NoProtocolAdopted, NotAuthorisedToOverbook.
    """
    slot = slot_of(command, facts)
    if command.overbooking is not None:
        check_overbooking(command.overbooking, facts)
    found = [_of_rule(refusal) for refusal in _refusals(slot, command.at, facts)]
    if slot.starts_at < slot.ends_at:
        found += _taken(slot, command, facts, board)
    return tuple(found)


def _refusals(slot: Appointment, at: datetime, facts: Facts) -> Iterator[DomainError]:
    try:
        check_people(slot, facts)
    except UnknownCode:
        raise
    except DomainError as refusal:
        yield refusal
    try:
        check_slot(slot.room_id, slot.starts_at, slot.ends_at, at, facts)
    except DomainError as refusal:
        yield refusal


def _taken(slot: Appointment, command: BookAppointment, facts: Facts, board: Board) -> Iterator[Obstacle]:
    over = command.overbooking.resources if command.overbooking is not None else ()
    for claim in claims(slot, None, facts):
        blocker, kind = board.blocker(claim), claim.resource.partition(":")[0]
        if blocker is not None and kind not in over:
            yield Obstacle(
                rule="claim-conflict", what=kind, message=f"The {kind} is taken for that time.", until=blocker.ends,
                holder=blocker.holder,
            )


def _of_rule(rule: DomainError) -> Obstacle:
    return Obstacle(rule=rule.code, what=str(rule.data.get("pointer", "/")).strip("/") or "slot", message=str(rule))


def spread_days(days: Sequence[date], count: int) -> list[date]:
    """`count` of the days, as evenly apart as they allow: the first, the last, and those between."""
    if count >= len(days):
        return list(days)
    if count == 1:
        return [days[0]]
    return [days[round(number * (len(days) - 1) / (count - 1))] for number in range(count)]


def nearest(
    wished: datetime, room_id: UUID | None, free: Iterable[Opening], timezone: str, *, but: Collection[date] = (),
) -> tuple[Opening, ...]:
    """Free times near a wish, best first: some of the same day, then the nearest time of each neighbouring day.

    One room per time (the wished one if it is free). `but` are days on which the series has an occurrence already.
    """
    zone = ZoneInfo(timezone)
    by_start: dict[datetime, Opening] = {}
    for opening in free:
        known = by_start.get(opening.starts_at)
        if known is None or (opening.room_id == room_id != known.room_id):
            by_start[opening.starts_at] = opening
    day, clock = local_date(wished, timezone), wished.astimezone(zone).replace(tzinfo=None)

    def apart(one: Opening) -> tuple[int, timedelta, datetime]:
        local = one.starts_at.astimezone(zone).replace(tzinfo=None)
        days_apart = (local.date() - day).days
        return abs(days_apart), abs(local - timedelta(days=days_apart) - clock), one.starts_at

    same: list[Opening] = []
    others: dict[date, Opening] = {}
    for one in sorted(by_start.values(), key=apart):
        on = local_date(one.starts_at, timezone)
        if on == day:
            same.append(one)
        elif on not in but:
            others.setdefault(on, one)
    return (*same[:OFFERED_SAME_DAY], *list(others.values())[:OFFERED_DAYS])
