"""One fact table's columns as they stood at one moment: rows in order, those that came later put among them.

Most rows lie in the columns in order (the base). The few that came since lie behind them (the loose ones); each knows
the place in the base that it stands before, so that a question joins the two without sorting anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from projections.columns.codes import NONE, Bools, Ints

Array = np.ndarray[Any, np.dtype[Any]]


SCANNED = 4
"""From one row in so many on, rows are found by looking at all of them."""

FEW = 16
"""Of fewer groups than one for so many rows near by, each is looked up."""


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

    @property
    def places(self) -> Ints:
        """Where they lie in the columns."""
        if isinstance(self._index, slice):
            return np.arange(self._index.start, self._index.stop)
        return self._index

    def where(self, chosen: Array) -> Rows:
        """The rows for which `chosen` is true, or those at the places it names."""
        if chosen.dtype == bool:
            if chosen.all():
                return self
            chosen = np.flatnonzero(chosen)
        if isinstance(self._index, slice):
            return Rows(self._columns, chosen + self._index.start)
        return Rows(self._columns, self._index[chosen])


class Loose(NamedTuple):
    """The rows behind the base, in order: where they lie, and the place in the base that each stands before."""

    rows: Ints
    before: Ints


NO_LOOSE = Loose(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


class Grouped(NamedTuple):
    """An index: the base's rows by the code in one column, and where each code's begin; one more for the end."""

    rows: Ints | None
    """None: they lie so."""
    starts: Ints

    @classmethod
    def of(cls, codes: Array) -> Grouped:
        """Null (-1) is left out."""
        known = np.flatnonzero(codes >= 0)
        return cls(known[np.argsort(codes[known], kind="stable")], _starts(codes[known]))

    def grown(self, moved: Ints, codes: Array, places: Ints) -> Grouped:
        """After the rows have `moved`, with more of these `codes` at these `places` (last among their code's)."""
        assert self.rows is not None
        by_code = np.flatnonzero(codes >= 0)
        by_code = by_code[np.argsort(codes[by_code], kind="stable")]
        codes, places = codes[by_code], places[by_code]
        count = max(len(self.starts) - 1, int(codes.max(initial=-1)) + 1)
        starts = np.append(self.starts, np.full(count + 1 - len(self.starts), self.starts[-1]))
        return Grouped(np.insert(moved[self.rows], starts[codes + 1], places), starts + _starts(codes, count))

    def counts(self, codes: Ints) -> Ints:
        """How many rows have each of these codes."""
        known = np.minimum(codes, len(self.starts) - 2)
        return np.where(known == codes, self.starts[known + 1] - self.starts[known], 0)

    def ranges(self, codes: Ints) -> Ints:
        """Places in `rows` of these codes (ascending), a code's after the other's."""
        codes = codes[codes < len(self.starts) - 1]
        first, counts = self.starts[codes], self.starts[codes + 1] - self.starts[codes]
        return np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


@dataclass(frozen=True)
class Base:
    """How many rows are in order, and what was found out about them: it holds until rows are put among them."""

    size: int = 0
    grouped: dict[str, Grouped] = field(default_factory=dict)
    having: dict[tuple[str, tuple[int, ...]], Ints] = field(default_factory=dict)
    spreads: dict[str, tuple[int, int]] = field(default_factory=dict)

    def grown(self, columns: Mapping[str, Array], loose: Loose) -> Base:
        """The base after the loose rows were put among it; its indexes are kept. `columns` are those before."""
        moved = np.arange(self.size) + np.cumsum(np.bincount(loose.before, minlength=self.size + 1))[: self.size]
        places = loose.before + np.arange(len(loose.before))
        return Base(self.size + len(places), {
            name: one.grown(moved, columns[name][loose.rows], places)
            for name, one in self.grouped.items() if one.rows is not None
        })  # fmt: skip


class Snapshot:
    """A table as it stood when it was last followed. `sort` is the column that the rows are sorted by, before time."""

    def __init__(self, columns: Mapping[str, Array], sort: str, base: Base, loose: Loose) -> None:
        self.sort = sort
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
        """Rows with low <= column < high, in order."""
        rows = self.around(column, low, high)
        values = rows[column]
        return rows.where((values >= low) & (values < high))

    def around(self, column: str, low: int, high: int) -> Rows:
        """Those and others: found by the sort column, as far as the two ever differ."""
        least, most = self._spread(column)
        return self.between(low - most, high - least)

    def among(self, column: str, member: Bools) -> Rows:
        """The rows whose `column` is one of these codes, in order. By code; the last place, null's, is not one."""
        more = np.flatnonzero(member[self._columns[column][self._loose.rows]])
        grouped = self._grouped(column)
        index = grouped.ranges(np.flatnonzero(member[:-1]))
        if len(index) * SCANNED > self._base.size and grouped.rows is not None:
            index = np.flatnonzero(member[self._columns[column][: self._base.size]])
        elif grouped.rows is not None:
            index = np.sort(grouped.rows[index])
        if len(index) and not len(more) and len(index) == index[-1] + 1 - index[0]:
            return Rows(self._columns, slice(int(index[0]), int(index[-1]) + 1))  # nobody between them is left out
        return Rows(self._columns, self._joined(index, more))

    def completed(self, column: str, member: Bools, near: Rows) -> Rows:
        """The same as `among`, for groups that have nearly all their rows in `near`, some rows of this snapshot.

        How many rows each group has is known from the index: the few groups with rows elsewhere are looked up.
        """
        codes = np.flatnonzero(member[:-1])
        if len(codes) * FEW < len(near):
            return self.among(column, member)
        inside = near.where(member[near[column]])
        found = np.bincount(inside[column], minlength=len(member))
        loose = self._columns[column][self._loose.rows]
        wanted = self._grouped(column).counts(codes) + np.bincount(loose[loose >= 0], minlength=len(member))[codes]
        lacking = codes[found[codes] != wanted]
        if not len(lacking):
            return inside
        rest = np.zeros(len(member), dtype=bool)
        rest[lacking] = True
        places = np.concatenate((inside.where(~rest[inside[column]]).places, self.among(column, rest).places))
        return Rows(self._columns, places[np.argsort(self._order(places), kind="stable")])

    def _order(self, places: Ints) -> Ints:
        """By row a number that grows in the rows' order."""
        base = self._base.size
        by_place = np.argsort(self._loose.rows)
        rank = np.zeros(len(places), dtype=np.int64)
        loose = np.flatnonzero(places >= base)
        rank[loose] = by_place[np.searchsorted(self._loose.rows[by_place], places[loose])]
        found = places + np.searchsorted(self._loose.before, places, side="right")
        found[loose] = self._loose.before[rank[loose]] + rank[loose]
        return found

    def having(self, name: str, codes: tuple[int, ...]) -> Rows:
        """All rows whose column is one of these codes, in order: for rare words, which would be sought in every row."""
        found, column = self._base.having.get((name, codes)), self._columns[name]
        if found is None:
            found = self._base.having[name, codes] = np.flatnonzero(np.isin(column[: self._base.size], codes))
        more = np.flatnonzero(np.isin(column[self._loose.rows], codes))
        return Rows(self._columns, self._joined(found, more))

    def _joined(self, index: Ints, more: Ints) -> Ints:
        """Places in the base, ascending, with these loose rows among them."""
        if not len(more):
            return index
        found: Ints = np.insert(index, np.searchsorted(index, self._loose.before[more]), self._loose.rows[more])
        return found

    def _grouped(self, column: str) -> Grouped:
        found = self._base.grouped.get(column)
        if found is None:
            codes = self._columns[column][: self._base.size]
            found = Grouped(None, _starts(codes)) if column == self.sort else Grouped.of(codes)
            self._base.grouped[column] = found
        return found

    def _spread(self, column: str) -> tuple[int, int]:
        """How far `column` lies behind the sort column, at the least and at the most."""
        base = self._base.spreads.get(column)
        if base is None:
            base = self._base.spreads[column] = _spread(self._columns[column][: self._base.size], self._sorted)
        more = _spread(self._columns[column][self._loose.rows], self._loose_sorted)
        return min(base[0], more[0]), max(base[1], more[1])


def _starts(codes: Array, count: int = 0) -> Ints:
    """Where each code's rows begin when they are ordered by code; one more for the end. None may be null."""
    return np.append(0, np.cumsum(np.bincount(codes, minlength=count)))


def _spread(column: Array, sort: Array) -> tuple[int, int]:
    known = column != NONE
    behind = column[known] - sort[known]
    return int(behind.min(initial=0)), int(behind.max(initial=0))
