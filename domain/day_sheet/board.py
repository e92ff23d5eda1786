"""Who holds what when, beside the bookings asked for: free time, and what stands in the way of a slot.

The log decides when a booking is written; the same rule is told here beforehand, for the people who choose. A
resource is taken over a slot when at some moment of it as many claims hold it as it has places (a room and a patient
one, a nurse as many as the protocol's ratio).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec

from domain.clinic import State as Clinic
from domain.clinic import opening_on
from domain.clinic.hours import Interval, subtract
from domain.kernel import Claim

QUARTER = timedelta(minutes=15)
FOREVER = datetime.max.replace(tzinfo=UTC)


class Board(msgspec.Struct, frozen=True):
    """Claims by resource, as read for some window."""

    held: dict[str, tuple[Claim, ...]] = {}

    @classmethod
    def of(cls, claims: Iterable[Claim]) -> Board:
        """From claims in any order."""
        held: dict[str, list[Claim]] = {}
        for claim in claims:
            held.setdefault(claim.resource, []).append(claim)
        return cls({
            resource: tuple(sorted(some, key=lambda one: (one.starts, one.holder))) for resource, some in held.items()
        })

    def taken(self, claims: Iterable[Claim]) -> Board:
        """The board once these are held too."""
        mine = tuple(claims)
        gone = {(claim.resource, claim.holder) for claim in mine}
        kept = (one for some in self.held.values() for one in some if (one.resource, one.holder) not in gone)
        return Board.of((*kept, *mine))

    def without(self, holder: str) -> Board:
        """The board as it is without what `holder` holds: for moving it."""
        return Board.of(one for some in self.held.values() for one in some if one.holder != holder)

    def blocker(self, asked: Claim) -> Claim | None:
        """The first claim that stands in the way of `asked`; None when it can be had (or is not enforced)."""
        if not asked.enforce:
            return None
        others = [one for one in self.held.get(asked.resource, ()) if one.holder != asked.holder]
        over = [one for one in others if one.starts < _end(asked) and asked.starts < _end(one)]
        for one in over:
            moment = max(one.starts, asked.starts)
            if sum(other.starts <= moment < _end(other) for other in over) >= asked.capacity:
                return one
        return None

    def busy(self, resource: str, capacity: int = 1) -> tuple[Interval, ...]:
        """When the resource has no place left, ascending."""
        steps: list[tuple[datetime, int]] = []
        for one in self.held.get(resource, ()):
            steps += [(one.starts, 1), (_end(one), -1)]
        found: list[Interval] = []
        holding, since = 0, FOREVER
        for moment, change in sorted(steps):
            before, holding = holding, holding + change
            if before < capacity <= holding:
                since = moment
            elif holding < capacity <= before and since < moment:
                found.append((since, moment))
        return tuple(found)


def _end(claim: Claim) -> datetime:
    return FOREVER if claim.ends is None else claim.ends


def free_spans(
    here: Clinic, days: Iterable[date], room_id: UUID, board: Board, needed: Mapping[str, int], since: datetime
) -> tuple[Interval, ...]:
    """When the room is open, not closed and free, and everything in `needed` has a place; from `since` on, ascending.

    Spans that only touch (midnight of a clinic that never closes) are one.
    """
    room = here.room(room_id)
    if room is None or room.retired_at is not None:
        return ()
    opening = joined(span for day in days for span in opening_on(here, day))
    closed = [
        (one.starts_at.astimezone(UTC), one.ends_at.astimezone(UTC)) for one in here.closures
        if not one.lifted and one.room_id in (None, room_id)
    ]
    wanted = {f"room:{room_id}": 1, **needed}
    busy = [span for resource, places in wanted.items() for span in board.busy(resource, places)]
    left = subtract(subtract(opening, closed), busy)
    return tuple((max(starts, since), ends) for starts, ends in left if ends > since)


def joined(spans: Iterable[Interval]) -> tuple[Interval, ...]:
    """Ascending, touching ones joined."""
    found: list[Interval] = []
    for starts, ends in sorted(spans):
        if found and starts <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((starts, ends))
    return tuple(found)


def quarters(spans: Iterable[Interval], length: timedelta) -> list[datetime]:
    """Starts on the quarter hour (every zone's offset is whole quarters) from which `length` fits into a span."""
    found = []
    for starts, ends in spans:
        begins = starts.replace(second=0, microsecond=0) - timedelta(minutes=starts.minute % 15)
        if begins < starts:
            begins += QUARTER
        while begins + length <= ends:
            found.append(begins)
            begins += QUARTER
    return found


def back_to_back(spans: Iterable[Interval], length: timedelta) -> list[datetime]:
    """Starts of slots that follow one another without a gap from each span's beginning: what could all be booked."""
    found = []
    for starts, ends in spans:
        while starts + length <= ends:
            found.append(starts)
            starts += length
    return found
