"""Moments in order within groups (a patient's scores, a patient's drug stops), found for many questions at once."""

from __future__ import annotations

import numpy as np

from projections.columns.codes import Bools, Ints
from projections.columns.snapshot import Array

_BITS, _STEP_BITS = 41, 10
_BASE = 946_684_800_000_000 >> _STEP_BITS
"""2000-01-01: a step of 1,024 microseconds since then has 41 bits for 71 years."""

_NO_KEY = np.int64(-1)
"""The key of what lies behind the last row."""


class Timeline:
    """Rows ordered by group (a code, not null) and moment."""

    def __init__(self, group: Array, at_us: Array) -> None:
        self.group, self.at_us = group, at_us
        self._key_at = np.empty(len(group) + 1, dtype=np.int64)
        self._key_at[-1] = _NO_KEY
        self._key = _keyed(group, at_us, self._key_at[:-1])

    def before(self, group: Array, us: Array) -> Ints:
        """How many rows come before the group's first with at_us >= us."""
        return self._advanced(group, us, lambda at, asked: at < asked)

    def upto(self, group: Array, us: Array) -> Ints:
        """How many rows come before the group's first with at_us > us."""
        return self._advanced(group, us, lambda at, asked: at <= asked)

    def _advanced(self, group: Array, us: Array, earlier: object) -> Ints:
        """From the first row of the same step on to the exact place: moments are compared as they are."""
        asked = _keyed(group, us, np.empty(len(group), dtype=np.int64))
        place = np.searchsorted(self._key, asked, side="left")
        open_ = np.flatnonzero(self._key_at[place] == asked)
        while len(open_):
            open_ = open_[self._key_at[place[open_]] == asked[open_]]
            open_ = open_[earlier(self.at_us[place[open_]], us[open_])]  # type: ignore[operator]
            place[open_] += 1
        return place

    def next_is_in(self, chosen: Bools, place: Ints, group: Array, high: Array) -> Bools:
        """Whether the first chosen row at or behind `place` is of the group and before `high`."""
        size = len(self.group)
        ahead = np.append(np.minimum.accumulate(np.where(chosen, np.arange(size), size)[::-1])[::-1], size)[place]
        found = ahead < size
        found[found] = (self.group[ahead[found]] == group[found]) & (self.at_us[ahead[found]] < high[found])
        return found

    def last_before(self, group: Array, us: Array, since: Array) -> Ints:
        """The place of the group's last row in [since, us); -1 for none."""
        place = self.before(group, us) - 1
        return np.where(self._is(place, group) & (self.at_us[place] >= since), place, -1) if len(self.at_us) else place

    def last_upto(self, group: Array, us: Array, since: Array) -> Ints:
        """The place of the group's last row in [since, us]; -1 for none."""
        place = self.upto(group, us) - 1
        return np.where(self._is(place, group) & (self.at_us[place] >= since), place, -1) if len(self.at_us) else place

    def _is(self, place: Ints, group: Array) -> Bools:
        found: Bools = (place >= 0) & (self.group[place] == group)
        return found


def _keyed(group: Array, us: Array, into: Ints) -> Ints:
    """Group and step of the moment as one number, written into `into`."""
    np.right_shift(us, _STEP_BITS, out=into)
    into -= _BASE
    np.clip(into, 0, (1 << _BITS) - 1, out=into)
    into |= group.astype(np.int64) << _BITS
    return into
