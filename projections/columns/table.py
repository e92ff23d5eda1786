"""One fact table as columns: loaded once, then followed by position; every reader keeps the snapshot it began with.

Columns are buffers with room to grow. Rows are added behind those in order; a snapshot knows how many there were when
it was taken, and closing a row makes a new `known_to` column, so what a reader holds never changes under it. Once the
rows behind are many, they are put among the others, in new buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Integer, Table

from projections.columns.codes import FOREVER, NONE, OWN_WORDS, Bools, Codes, Days, Ints
from projections.columns.snapshot import NO_LOOSE, Array, Base, Loose, Snapshot
from projections.columns.spans import paired

CHUNK = 50_000
LOOSE = 4096
"""So many rows are borne behind those in order before they are put among them."""

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
        self._size = 0
        self._base, self._loose = Base(), NO_LOOSE
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
                    f'SELECT position, known_from, known_to, "{self.sort}" FROM {name} '  # noqa: S608
                    f"WHERE known_to > {mark} AND known_to <= {mark} AND known_from <= {mark}",
                    (self.position, upto, self.position),
                )
                self._close(cursor.fetchall())
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

    def _close(self, closed: Sequence[tuple[int, int, int, Any]]) -> None:
        if not closed:
            return
        until = {(position, known_from): known_to for position, known_from, known_to, _ in closed}
        encode = self._encoders[self._names.index(self.sort)]
        sort, column = np.array(encode([row[3] for row in closed])), self._columns[self.sort][: self._base.size]
        _, place = paired(np.searchsorted(column, sort, side="left"), np.searchsorted(column, sort, side="right"))
        places = np.concatenate((np.unique(place), self._loose.rows))
        positions, known_from = self._columns["position"], self._columns["known_from"]
        places = places[np.isin(positions[places], [row[0] for row in closed])]
        known_to = self._columns["known_to"].copy()
        for at in places.tolist():
            found = until.get((int(positions[at]), int(known_from[at])))
            if found is not None:
                known_to[at] = found
        self._columns["known_to"] = known_to

    def _settle(self, before: int) -> None:
        """Puts what was added after the first `before` rows where it belongs."""
        added = self._size - before
        if added > LOOSE or not before:
            self._gather(self._order(np.arange(self._size)), Base(self._size))
        elif added:
            fresh = np.arange(before, self._size)
            index = np.concatenate((self._loose.rows, fresh))
            place = np.concatenate((self._loose.before, self._places(fresh)))
            order = self._order(index)
            loose = Loose(index[order], place[order])
            if len(index) > LOOSE:
                order = np.insert(np.arange(self._base.size), loose.before, loose.rows)
                self._gather(order, self._base.grown(self._columns, loose))
            else:
                self._loose = loose
        self.snapshot = self._taken()

    def _order(self, index: Ints) -> Ints:
        """What brings the rows at `index` into order."""
        return np.lexsort([self._columns[name][index] for name in reversed(_keys(self.sort))])

    def _places(self, rows: Ints) -> Ints:
        """By row behind the base, the place in the base that it stands before."""
        keys = [self._columns[name] for name in _keys(self.sort)]
        place = np.searchsorted(keys[0][: self._base.size], keys[0][rows], side="right")
        moving = np.flatnonzero(place > 0)
        while len(moving):  # among those of the same group or moment, back to the last that is earlier
            moving = moving[_later(keys, place[moving] - 1, rows[moving])]
            place[moving] -= 1
            moving = moving[place[moving] > 0]
        return place

    def _gather(self, order: Ints, base: Base) -> None:
        """All rows in this order, in new buffers with room for more."""
        columns = {}
        for name, column in self._columns.items():
            columns[name] = np.empty(self._size + max(1024, self._size // 16), column.dtype)
            np.take(column, order, out=columns[name][: self._size], mode="clip")
        self._columns, self._base, self._loose = columns, base, NO_LOOSE

    def _taken(self) -> Snapshot:
        return Snapshot(dict(self._columns), self.sort, self._base, self._loose)


def _keys(sort: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((sort, "at_us", "position", "known_from")))


def _later(keys: Sequence[Array], rows: Ints, others: Ints) -> Bools:
    """Which of `rows` come after their one of `others`."""
    later, same = np.zeros(len(rows), dtype=bool), np.ones(len(rows), dtype=bool)
    for key in keys:
        later |= same & (key[rows] > key[others])
        same &= key[rows] == key[others]
    return later


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

