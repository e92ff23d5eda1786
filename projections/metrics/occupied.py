"""How long a room was taken, and with what: stays with their end settled, and their phases.

A stay that was never released has no end on record. Counting on for ever invents room time (one forgotten click on a
Friday evening would fill the weekend), cutting at closing loses what the visit's own steps prove. The definition of
`occupied_minutes` says where such a stay ends; it never reaches past the opening or local day it began in unless the
visit itself does, so no figure depends on visits long before its period.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from projections.metrics.calendar import ClinicCalendar, day_span, local_date
from projections.metrics.intervals import Span, clipped, length, union
from projections.metrics.visits import Visit, ready_us

PHASES = ("preparing", "infusing", "paused", "recovering", "waiting_for_driver", "cleaning")


class Occupied(msgspec.Struct, frozen=True):
    """A stay with its end settled: as recorded, or by the definition of `occupied_minutes` and then `unclosed`."""

    visit: Visit
    room: str
    from_us: int
    until_us: int
    unclosed: bool


def occupied(visits: Iterable[Visit], timezone: str, opening: Sequence[Span], as_of_us: int) -> list[Occupied]:
    """The stays of one clinic's visits, which must hold everyone roomed there while one of them is unclosed."""
    stays = [(visit, stay) for visit in visits for stay in visit.stays]
    roomed: dict[str, list[int]] = {}
    for _, stay in stays:
        roomed.setdefault(stay.room, []).append(stay.from_us)
    for starts in roomed.values():
        starts.sort()
    found = []
    for visit, stay in stays:
        until, unclosed = stay.until_us, stay.until_us is None
        if until is None:
            until = closing(timezone, opening, stay.from_us)
            if until is None:
                midnight = day_span(timezone, local_date(timezone, stay.from_us))[1]
                until = midnight if visit.ended_us is None else visit.ended_us
            later = bisect_right(roomed[stay.room], stay.from_us)
            until = min([until, *roomed[stay.room][later : later + 1]])
            until = min(as_of_us, max(until, visit.last_us))
        found.append(Occupied(visit, stay.room, stay.from_us, until, unclosed))
    return found


def closing(timezone: str, opening: Sequence[Span], at_us: int) -> int | None:
    """When the clinic closes on who is roomed at `at_us`: the end of the opening that holds the moment or, while
    closed, of the next one to begin on that local day. None after the day's last. `opening` is a union, in order."""
    after = bisect_right(opening, at_us, key=lambda span: span[0])
    if after and opening[after - 1][1] > at_us:
        return opening[after - 1][1]
    if after < len(opening) and local_date(timezone, opening[after][0]) == local_date(timezone, at_us):
        return opening[after][1]
    return None


def phases(visit: Visit, stays: Sequence[Occupied], calendar: ClinicCalendar, within: Span) -> dict[str, int]:
    """Microseconds of the visit's occupied time in each phase, inside `within`."""
    found = dict.fromkeys(PHASES, 0)
    if not stays:
        return found
    there = clipped(union((stay.from_us, stay.until_us) for stay in stays), within)
    start, end = stays[0].from_us, stays[-1].until_us
    ended = visit.ended_us
    turns = [(start, "preparing"), *((us, what) for us, what in visit.run if ended is None or us < ended)]
    ready = ready_us(visit, calendar)
    if ready is not None and (ended is None or ready < ended):
        turns.append((ready, "waiting_for_driver"))
    if ended is not None:
        turns.append((ended, "cleaning"))
    for (begins, what), (ends, _) in pairwise([*turns, (end, "")]):
        low, high = max(begins, start), min(ends, end)
        if low < high:
            found[what] += length(clipped(there, (low, high)))
    return found
