"""Local clocks over whole arrays: the same rules as `projections.metrics.calendar`, without a loop over moments."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from projections.columns.codes import Ints
from projections.columns.snapshot import Array
from projections.columns.store import Facts
from projections.facts.encoding import DAY, HOUR, MINUTE, moment
from projections.metrics.calendar import BIN, ClinicCalendar, local_date, zone

UNIX_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
WEEK_BINS = 7 * 96
_STEP = 6 * HOUR


class Clock:
    """A zone's offsets: segment k lasts over [from_us[k], from_us[k+1]) and is `offset[k]` ahead of UTC."""

    def __init__(self, from_us: Sequence[int], offset: Sequence[int]) -> None:
        self.from_us: Ints = np.array(from_us, dtype=np.int64)
        self.offset: Ints = np.array(offset, dtype=np.int64)
        self._local_end: Ints = np.append(self.from_us[1:] + self.offset[:-1], 2**62)

    def local(self, us: Ints) -> Ints:
        """Microseconds on the local clock since its 1970-01-01 00:00."""
        found: Ints = us + self.offset[self._segment(us)]
        return found

    def _segment(self, us: Ints) -> Ints:
        return np.maximum(np.searchsorted(self.from_us, us, side="right") - 1, 0)

    def day(self, us: Ints) -> Ints:
        """Local days since 1970-01-01."""
        return self.local(us) // DAY

    def instant(self, local_us: Ints) -> Ints:
        """When the clock first shows, or in a gap passes, these local times."""
        segment = np.searchsorted(self._local_end, local_us, side="right")
        found: Ints = np.maximum(self.from_us[segment], local_us - self.offset[segment])
        return found

    def pieces(self, starts: Ints, ends: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """[starts, ends) cut at local midnight and where the clock changes: (which, day, from, until), local."""
        which = np.arange(len(starts))
        changes = self.from_us[(self.from_us > starts.min(initial=2**62)) & (self.from_us < ends.max(initial=0))]
        for change in changes.tolist():
            across = np.flatnonzero((starts < change) & (ends > change))
            which = np.concatenate((which, which[across]))
            begun = np.full(len(across), change)
            starts, ends = np.concatenate((starts, begun)), np.concatenate((ends, ends[across]))
            ends[across] = change
        keep = starts < ends
        which, starts, ends = which[keep], starts[keep], ends[keep]
        shift = self.offset[self._segment(starts)]
        low, high = starts + shift, ends + shift
        first = low // DAY
        days = (high - 1) // DAY - first + 1
        if len(days) and days.max() > 1:
            place = np.repeat(np.arange(len(low)), days)
            day = first[place] + (np.arange(len(place)) - np.repeat(np.cumsum(days) - days, days))
            which, low, high = which[place], np.maximum(low[place], day * DAY), np.minimum(high[place], (day + 1) * DAY)
        else:
            day = first
        return which, day, low - day * DAY, high - day * DAY


@lru_cache(maxsize=1024)
def _changes(timezone: str, year: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the zone's offset changes within a year, and to what; the first entry is the year's beginning."""
    known = zone(timezone)

    def offset(us: int) -> int:
        found = moment(us).astimezone(known).utcoffset()
        assert found is not None
        return round(found.total_seconds() * 1_000_000)

    at = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    end = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    moments, offsets = [at], [offset(at)]
    while at < end:
        until = min(at + _STEP, end)
        if offset(until) != offsets[-1] and until < end:
            before = offsets[-1]
            minutes = range((until - at) // MINUTE + 1)
            first = bisect_left(minutes, True, key=lambda minute: offset(at + minute * MINUTE) != before)
            moments.append(at + first * MINUTE)
            offsets.append(offset(until))
        at = until
    return tuple(moments), tuple(offsets)


def clock(timezone: str, low_us: int, high_us: int) -> Clock:
    """The zone's clock, right at least over [low_us, high_us] and a year on either side."""
    return _clock(timezone, moment(low_us).year - 1, moment(high_us).year + 1)


def clocks(
    facts: Facts, known: Mapping[str, ClinicCalendar], clinic: Array, us: Array
) -> Iterator[tuple[Ints, Clock]]:
    """The places of the known clinics' moments, zone by zone, with its clock over them; zones without any are left."""
    zones = sorted({calendar.timezone for calendar in known.values()})
    number = facts.codes("clinic").column(-1)
    for name, calendar in known.items():
        number[facts.codes("clinic").of(name)] = zones.index(calendar.timezone)
    here = number[clinic]
    for place, timezone in enumerate(zones):
        mine = np.flatnonzero(here == place)
        if len(mine):
            yield mine, clock(timezone, int(us[mine].min()), int(us[mine].max()))


def local_days(facts: Facts, known: Mapping[str, ClinicCalendar], clinic: Array, us: Array) -> Ints:
    """Ordinals of the days on the clinics' own clocks; UTC's at a clinic that is not known."""
    days: Ints = us // DAY
    for mine, local in clocks(facts, known, clinic, us):
        days[mine] = local.day(us[mine])
    return days + UNIX_DAY


def today_at(facts: Facts, known: Mapping[str, ClinicCalendar], us: int) -> Ints:
    """By code of a clinic, the ordinal of the day that its clock shows at this moment; UTC's where it is not known."""
    today = facts.codes("clinic").column(us // DAY + UNIX_DAY)
    for name, calendar in known.items():
        today[facts.codes("clinic").of(name)] = local_date(calendar.timezone, us).toordinal()
    return today


@lru_cache(maxsize=1024)
def _clock(timezone: str, first: int, last: int) -> Clock:
    moments: list[int] = []
    offsets: list[int] = []
    for year in range(first, last + 1):
        for at, offset in zip(*_changes(timezone, year), strict=True):
            if not offsets or offsets[-1] != offset:
                moments.append(at)
                offsets.append(offset)
    return Clock(moments, offsets)


def summed(place: Ints, amounts: Ints, count: int) -> Ints:
    """Sums of whole amounts by place; exact below 2**53."""
    return np.bincount(place, weights=amounts, minlength=count).astype(np.int64)


def by_quarter(group: Ints, day: Ints, low: Ints, high: Ints, groups: int) -> Ints:
    """Microseconds by group and quarter hour of the week (Monday 00:00 first) of pieces that lie within one day."""
    width = WEEK_BINS
    start = (group * 7 + (day + 3) % 7) * 96
    first, last = start + low // BIN, start + high // BIN
    full = np.bincount(first, minlength=groups * width + 1) - np.bincount(last, minlength=groups * width + 1)
    whole = np.cumsum(full)[: groups * width] * BIN
    short = summed(first, low % BIN, groups * width + 1) - summed(last, high % BIN, groups * width + 1)
    found: Ints = (whole - short[: groups * width]).reshape(groups, 7, 96)
    return found
