"""One fact table's columns as they stood at one moment: rows in order, those that came later put among them.

Most rows lie in the columns in order (the base). The few that came since lie behind them (the loose ones); each knows
the place in the base that it stands before, so that a question joins the two without sorting anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from projections.columns.codes import FOREVER, NONE, Bools, Ints

Array = np.ndarray[Any, np.dtype[Any]]


class Rows:
    """Some rows of a table, in order; a column is gathered when it is first asked for."""

    __slots__ = ("_columns", "_gathered", "_index", "_size")

    def __init__(self, columns: Mapping[str, Array], index: Ints | slice) -> None:
        self._columns = columns
        self._index = index
        self._size = index.stop - index.start if isinstance(index, slice) else len(index)
        self._gathered: dict[str, Array] = {}

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, name: str) -> Array:
        found = self._gathered.get(name)
        if found is None:
            found = self._gathered[name] = self._columns[name][self._index]
        return found

    def where(self, chosen: Array) -> Rows:
        """The rows for which `chosen` is true, or those at the places it names."""
        if chosen.dtype == bool:
            if chosen.all():
                return self
            chosen = np.flatnonzero(chosen)
        if isinstance(self._index, slice):
            return Rows(self._columns, chosen + self._index.start)
        return Rows(self._columns, self._index[chosen])


@dataclass(frozen=True)
class Base:
    """How many rows are in order, and what was found out about them: it holds until rows are put among them."""

    size: int = 0
    having: dict[tuple[str, tuple[int, ...]], Ints] = field(default_factory=dict)
    extents: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)
    spreads: dict[str, tuple[int, int]] = field(default_factory=dict)
    starts: list[Ints] = field(default_factory=list)


class Loose(NamedTuple):
    """The rows behind the base, in order: where they lie, and the place in the base that each stands before."""

    rows: Ints
    before: Ints


NO_LOOSE = Loose(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


class Snapshot:
    """A table as it stood when it was last followed. `sort` is the column that the rows are sorted by, before time."""

    def __init__(self, columns: Mapping[str, Array], sort: str, base: Base, loose: Loose) -> None:
        self._columns = columns
        self._base = base
        self._loose = loose
        self._sorted = columns[sort][: base.size]
        self._loose_sorted = columns[sort][loose.rows]

    def between(self, low: int, high: int) -> Rows:
        """Rows with low <= sort column < high, in order (ties by time, then by position)."""
        high = max(low, high)
        first, last = (int(at) for at in np.searchsorted(self._sorted, (low, high)))
        begin, end = (int(at) for at in np.searchsorted(self._loose_sorted, (low, high)))
        if begin == end:
            return Rows(self._columns, slice(first, last))
        index, place = self._loose.rows[begin:end], self._loose.before[begin:end]
        tail = int(place[0])  # what is loose is mostly new, and time mostly the order: little stands behind it
        return Rows(self._columns, np.concatenate((
            np.arange(first, tail), np.insert(np.arange(tail, last), place - tail, index)
        )))  # fmt: skip

    def near(self, column: str, low: int, high: int) -> Rows:
        """Rows with low <= column < high, in order: found by the sort column, as far as the two ever differ."""
        least, most = self._spread(column)
        rows = self.between(low - most, high - least)
        values = rows[column]
        return rows.where((values >= low) & (values < high))

    def of_groups(self, codes: Ints) -> Rows:
        """The rows whose sort column is one of these codes (ascending), in order."""
        more = np.flatnonzero(np.isin(self._loose_sorted, codes))
        starts = self._starts()
        codes = codes[codes < len(starts) - 1]
        first, counts = starts[codes], starts[codes + 1] - starts[codes]
        count = int(counts.sum())
        if count and not len(more) and count == int(first[-1] + counts[-1] - first[0]):
            return Rows(self._columns, slice(int(first[0]), int(first[0]) + count))  # nobody between them is left out
        index = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(count)
        return Rows(self._columns, self._joined(index, more))

    def having(self, name: str, codes: tuple[int, ...]) -> Rows:
        """All rows whose column is one of these codes, in order: for rare words, which would be sought in every row."""
        found, column = self._base.having.get((name, codes)), self._columns[name]
        if found is None:
            found = self._base.having[name, codes] = np.flatnonzero(np.isin(column[: self._base.size], codes))
        more = np.flatnonzero(np.isin(column[self._loose.rows], codes))
        return Rows(self._columns, self._joined(found, more))

    def reach(self, group: str, member: Bools) -> tuple[int, int]:
        """The lowest and highest value of the sort column in rows of these groups, whenever known.

        By code; the last place is null's. FOREVER and NONE where the groups have no row.
        """
        low, high = self._extents(group)
        there = np.flatnonzero(member[: min(len(low), len(member) - 1)])
        more = self._loose_sorted[member[self._columns[group][self._loose.rows]]]
        return (
            min(int(low[there].min(initial=FOREVER)), int(more.min(initial=FOREVER))),
            max(int(high[there].max(initial=NONE)), int(more.max(initial=NONE))),
        )

    def _joined(self, index: Ints, more: Ints) -> Ints:
        """Places in the base, ascending, with these loose rows among them."""
        if not len(more):
            return index
        found: Ints = np.insert(index, np.searchsorted(index, self._loose.before[more]), self._loose.rows[more])
        return found

    def _starts(self) -> Ints:
        """By code in the sort column, where its rows begin in the base; one more for where the last one's end."""
        if not self._base.starts:
            last = int(self._sorted[-1]) if self._base.size else -1
            self._base.starts.append(np.searchsorted(self._sorted, np.arange(last + 2)))
        return self._base.starts[0]

    def _extents(self, group: str) -> tuple[Ints, Ints]:
        """By code of `group` the lowest and the highest value of the sort column among the base's rows."""
        found = self._base.extents.get(group)
        if found is None:
            codes = self._columns[group][: self._base.size]
            known = codes >= 0
            codes, values = codes[known], self._sorted[known]
            count = int(codes.max(initial=-1)) + 1
            low, high = np.full(count, FOREVER), np.full(count, NONE)
            np.minimum.at(low, codes, values)
            np.maximum.at(high, codes, values)
            found = self._base.extents[group] = low, high
        return found

    def _spread(self, column: str) -> tuple[int, int]:
        """How far `column` lies behind the sort column, at the least and at the most."""
        base = self._base.spreads.get(column)
        if base is None:
            base = self._base.spreads[column] = _spread(self._columns[column][: self._base.size], self._sorted)
        more = _spread(self._columns[column][self._loose.rows], self._loose_sorted)
        return min(base[0], more[0]), max(base[1], more[1])


def _spread(column: Array, sort: Array) -> tuple[int, int]:
    known = column != NONE
    behind = column[known] - sort[known]
    return int(behind.min(initial=0)), int(behind.max(initial=0))
