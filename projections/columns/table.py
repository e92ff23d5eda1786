"""One fact table as columns: loaded once, then followed by position; every reader keeps the snapshot it began with.

Columns are buffers with room to grow. Rows are added behind the sorted ones; a snapshot knows how many there were when
it was taken, and closing a row makes a new `known_to` column, so what a reader holds never changes under it. Once the
unsorted rows are many, all are sorted again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Integer, Table

from projections.columns.codes import FOREVER, NONE, OWN_WORDS, Codes, Days, Ints

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK = 50_000
LOOSE = 20_000
"""So many unsorted rows (or a twentieth of all, if that is more) are borne before all are sorted again."""

ALWAYS = ("at_us", "position", "known_from", "known_to")
DATES = frozenset({"from_date", "until_date", "to_date"})
DOMAINS = {
    "clinic": "clinic", "other_clinic": "clinic", "patient": "patient", "infusion": "infusion", "course": "course",
    "appointment": "appointment", "room": "room", "subject": "subject", "follow_up": "follow_up", "series": "series",
}  # fmt: skip
"""Whose codes a column of ids has; every other text column holds words."""


class Domains(dict[str, Codes]):
    """The codes of every domain, shared by all tables."""

    def __init__(self) -> None:
        super().__init__()
        for word in OWN_WORDS:
            self["word"][word]

    def __missing__(self, name: str) -> Codes:
        found = self[name] = Codes()
        return found

    def of_column(self, column: str) -> Codes:
        return self[DOMAINS.get(column, "word")]


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


class Snapshot:
    """A table as it stood when it was last followed. `sort` is the column that the rows are sorted by, before time."""

    def __init__(self, columns: Mapping[str, Array], sort: str, ordered: int, size: int) -> None:
        self.columns = columns
        self.sort = sort
        self.ordered = ordered
        self.size = size
        self._extents: dict[str, tuple[Ints, Ints]] = {}
        self._having: dict[tuple[str, tuple[int, ...]], Ints] = {}

    def between(self, low: int, high: int) -> Rows:
        """Rows with low <= sort column < high, in order (ties by time, then by position)."""
        column = self.columns[self.sort]
        first, last = (int(at) for at in np.searchsorted(column[: self.ordered], (low, high)))
        loose = column[self.ordered : self.size]
        more = np.flatnonzero((loose >= low) & (loose < high)) + self.ordered
        if not len(more):
            return Rows(self.columns, slice(first, last))
        return Rows(self.columns, self._in_order(np.concatenate((np.arange(first, last), more))))

    def of_groups(self, codes: Ints) -> Rows:
        """The rows whose sort column is one of these codes (ascending), in order."""
        column = self.columns[self.sort]
        first = np.searchsorted(column[: self.ordered], codes, side="left")
        counts = np.searchsorted(column[: self.ordered], codes, side="right") - first
        more = np.flatnonzero(np.isin(column[self.ordered : self.size], codes)) + self.ordered
        count = int(counts.sum())
        if count and not len(more) and count == int(first[-1] + counts[-1] - first[0]):
            return Rows(self.columns, slice(int(first[0]), int(first[0]) + count))  # nobody between them is left out
        index = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(count)
        if not len(more):
            return Rows(self.columns, index)
        return Rows(self.columns, self._in_order(np.concatenate((index, more))))

    def every(self) -> Rows:
        """All rows, in order."""
        if self.ordered == self.size:
            return Rows(self.columns, slice(0, self.size))
        return Rows(self.columns, self._in_order(np.arange(self.size)))

    def having(self, name: str, codes: tuple[int, ...]) -> Rows:
        """All rows whose column is one of these codes, in order: for rare words, which would be sought in every row."""
        found = self._having.get((name, codes))
        if found is None:
            found = np.flatnonzero(np.isin(self.columns[name][: self.size], codes))
            if self.ordered < self.size:
                found = self._in_order(found)
            self._having[name, codes] = found
        return Rows(self.columns, found)

    def _in_order(self, index: Ints) -> Ints:
        found: Ints = index[_order({name: self.columns[name][index] for name in _keys(self.sort)}, self.sort)]
        return found

    def extents(self, group: str, count: int) -> tuple[Ints, Ints]:
        """By code of `group` the lowest and the highest value of the sort column among its rows, whenever known."""
        found = self._extents.get(group)
        if found is None or len(found[0]) < count:
            low, high = np.full(count, FOREVER), np.full(count, NONE)
            codes, values = self.columns[group][: self.size], self.columns[self.sort][: self.size]
            known = codes >= 0
            np.minimum.at(low, codes[known], values[known])
            np.maximum.at(high, codes[known], values[known])
            found = self._extents[group] = low, high
        return found


class Followed:
    """Reads one table into columns, and keeps on reading what is new. Not for several threads at once."""

    def __init__(self, table: Table, wanted: Iterable[str], domains: Domains, sort: str = "at_us") -> None:
        self.table = table
        self.sort = sort
        self._names = (*ALWAYS, *wanted)
        self._encoders = [_encoder(table, name, domains) for name in self._names]
        self._types = [_type(table, name) for name in self._names]
        self._columns: dict[str, Array] = {
            name: np.empty(0, dtype) for name, dtype in zip(self._names, self._types, strict=True)
        }
        self._size = self._ordered = 0
        self.position = 0
        self.snapshot = self._taken()

    def follow(self, raw: Any, name: str, upto: int, mark: str) -> None:
        """Takes in what was opened and closed after `position`, up to `upto`. `mark`: how the driver binds values."""
        before = self._size
        try:
            self._open(raw, name, upto, mark)
            if before:
                cursor = raw.cursor()
                cursor.execute(
                    f"SELECT position, known_from, known_to FROM {name} "  # noqa: S608
                    f"WHERE known_to > {mark} AND known_to <= {mark} AND known_from <= {mark}",
                    (self.position, upto, self.position),
                )
                self._close(cursor.fetchall(), before)
                cursor.close()
            self._settle(before)
        except BaseException:
            self._size = before  # as if nothing had been read; closing again what was closed changes nothing
            raise
        self.position = max(upto if upto < FOREVER else self._furthest(), self.position)

    def _open(self, raw: Any, name: str, upto: int, mark: str) -> None:
        columns = ", ".join(f'"{column}"' for column in self._names)
        whole = not self._size and mark == "%s"  # the first time on PostgreSQL: not all rows at once in memory
        cursor = raw.cursor(name="columns") if whole else raw.cursor()
        cursor.execute(
            f"SELECT {columns} FROM {name} WHERE known_from > {mark} AND known_from <= {mark}",  # noqa: S608
            (self.position, upto),
        )
        while rows := cursor.fetchmany(CHUNK):
            self._add(rows, upto)
        cursor.close()

    def _furthest(self) -> int:
        if not self._size:
            return 0
        closed = self._columns["known_to"][: self._size]
        closed = closed[closed < FOREVER]
        return max(int(self._columns["known_from"][: self._size].max()), int(closed.max()) if len(closed) else 0)

    def _add(self, rows: Sequence[Sequence[Any]], upto: int) -> None:
        end = self._size + len(rows)
        self._make_room(end)
        for name, encode, values in zip(self._names, self._encoders, zip(*rows, strict=True), strict=True):
            self._columns[name][self._size : end] = encode(values)
        known_to = self._columns["known_to"][self._size : end]
        known_to[(known_to > upto) | (known_to == NONE)] = FOREVER
        self._size = end

    def _make_room(self, size: int) -> None:
        have = len(self._columns["at_us"])
        if size <= have:
            return
        room = max(size + 1024, have + have // 4)
        for name, column in self._columns.items():
            larger = np.empty(room, column.dtype)
            larger[: self._size] = column[: self._size]
            self._columns[name] = larger

    def _close(self, closed: Sequence[tuple[int, int, int]], before: int) -> None:
        if not closed:
            return
        until = {(position, known_from): known_to for position, known_from, known_to in closed}
        known_to = self._columns["known_to"].copy()
        positions, known_from = self._columns["position"][:before], self._columns["known_from"]
        for place in np.flatnonzero(np.isin(positions, [position for position, _, _ in closed])).tolist():
            found = until.get((int(positions[place]), int(known_from[place])))
            if found is not None:
                known_to[place] = found
        self._columns["known_to"] = known_to

    def _settle(self, before: int) -> None:
        loose = self._size - self._ordered
        if (loose and loose > max(LOOSE, self._ordered // 20)) or not before:
            keys = {name: self._columns[name][: self._size] for name in _keys(self.sort)}
            order = _order(keys, self.sort)
            self._columns = {name: column[: self._size][order] for name, column in self._columns.items()}
            self._ordered = self._size
        self.snapshot = self._taken()

    def _taken(self) -> Snapshot:
        return Snapshot(dict(self._columns), self.sort, self._ordered, self._size)


def _keys(sort: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((sort, "at_us", "position", "known_from")))


def _order(keys: Mapping[str, Array], sort: str) -> Ints:
    return np.lexsort([keys[name] for name in reversed(_keys(sort))])


def _type(table: Table, name: str) -> type:
    if name in DATES or isinstance(table.c[name].type, (BigInteger, Integer)):
        return np.int64
    return np.int32


def _encoder(table: Table, name: str, domains: Domains) -> Callable[[Sequence[Any]], Any]:
    if name in DATES:
        days = Days().__getitem__
        return lambda values: list(map(days, values))
    if isinstance(table.c[name].type, (BigInteger, Integer)):
        return lambda values: [NONE if value is None else value for value in values]
    code = domains.of_column(name).__getitem__
    return lambda values: list(map(code, values))

