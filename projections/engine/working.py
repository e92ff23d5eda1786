"""The working set of one batch: the open rows and states it touches, read in bulk, written in bulk.

Within a batch everything happens in dictionaries; the tables are read by `preload` (one query per
call for what is missing) and written once, at the end. Nothing is kept from one batch to the next.
What a projection sees here is what it would see had every event been its own batch: a row opened
and closed at different positions is written with both; at the same position it never was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, Table, Text

Row = dict[str, Any]
"""A fact row by column name. Rows handed out are the working set's own: read them, never change them."""

Key = str | int
Fold = TypeVar("Fold")

_PLAIN_TYPES = (Text, Integer, Boolean, Float, LargeBinary)
_BY_AGE = itemgetter("known_from", "fact_id")


class FactTableShape(TypeError):
    """A projection's table is not a fact table as `fact_table` makes them."""


class UnknownColumns(TypeError):
    """A row was opened with columns that its table does not have, or without fact_id or known_from."""


class NotALookup(LookupError):
    """Open rows were asked for by a column that no index of the table starts with."""


class FactNotOpen(ValueError):
    """A row was closed that is closed already, or before it was opened."""


class Shape:
    """What the working set must know of a table, worked out once."""

    __slots__ = ("blank", "booleans", "columns", "integers", "lookups", "table", "values", "width")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.columns: tuple[str, ...] = tuple(str(column.name) for column in table.columns)
        self._check(table)
        self.width = len(self.columns) - 1
        self.values: Callable[[Row], tuple[Any, ...]] = itemgetter(*self.columns)
        self.blank: Row = dict.fromkeys(name for name in self.columns if name != "known_to")
        self.booleans = [place for place, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
        self.integers = {str(column.name) for column in table.columns if isinstance(column.type, Integer)}
        self.lookups: tuple[str, ...] = ("fact_id", *_indexed_columns(table))

    @staticmethod
    def _check(table: Table) -> None:
        key = [column.name for column in table.primary_key.columns]
        if key not in (["fact_id", "known_from"], ["fact_id"]) or not {"known_from", "known_to"} <= set(table.c.keys()):
            raise FactTableShape(f"{table.name}: needs the key (fact_id, known_from) or (fact_id), and known_to")
        for column in table.columns:
            if not isinstance(column.type, _PLAIN_TYPES):
                raise FactTableShape(f"{table.name}.{column.name}: {column.type!r} is not a plain type")


def _indexed_columns(table: Table) -> Iterable[str]:
    return sorted({str(next(iter(index.columns)).name) for index in table.indexes})


class TableWork:
    """What a batch did to one table: `opened` in order, `closes` of stored rows, `purges` of stored rows."""

    __slots__ = ("buckets", "closes", "known", "loaded", "opened", "purges", "shape", "vanished")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.opened: list[Row] = []
        self.closes: list[tuple[int, str, int]] = []
        self.purges: list[tuple[str, Key]] = []
        self.buckets: dict[str, dict[Key, list[Row]]] = {}
        self.loaded: dict[str, set[Key]] = {}
        self.known: dict[tuple[str, int], Row] = {}
        self.vanished = False

    def lookup(self, column: str) -> set[Key]:
        """The keys of `column` read so far. At its first use the rows opened until now are put into buckets."""
        loaded = self.loaded.get(column)
        if loaded is None:
            if column not in self.shape.lookups:
                raise NotALookup(f"{self.shape.table.name}.{column}: no index starts with it")
            loaded = self.loaded[column] = set()
            buckets = self.buckets[column] = {}
            for row in self.opened:
                _place(buckets, row[column], row)
        return loaded

    def rows_to_insert(self) -> list[tuple[Any, ...]]:
        """The new rows as tuples in column order, without those closed at the position that opened them."""
        rows = self.opened
        if self.vanished:
            rows = [row for row in rows if row["known_to"] != row["known_from"]]
        try:
            return list(map(self.shape.values, rows))
        except KeyError as missing:
            raise UnknownColumns(f"{self.shape.table.name}: {missing} is missing") from None


class Tables(Protocol):
    """A projection's stored tables, live or shadow, inside the batch's transaction."""

    def fetch_open(self, shape: Shape, column: str, keys: Sequence[Key]) -> Iterable[Sequence[Any]]:
        """Open rows whose `column` is one of `keys`, as values in column order."""

    def fetch_states(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        """The stored fold states of `kind`."""

    def write(self, work: TableWork) -> None:
        """Purges, closes, inserts."""

    def write_states(self, states: Mapping[tuple[str, str], bytes | None]) -> None:
        """Replaces the states given; None deletes."""


class Working:
    """One projection's working set for one batch. `since` is the position the batch starts after."""

    def __init__(self, tables: Tables, shapes: Mapping[Table, Shape], since: int) -> None:
        self._tables = tables
        self._since = since
        self._work: dict[Table, TableWork] = {table: TableWork(shape) for table, shape in shapes.items()}
        self._states: dict[tuple[str, str], bytes | None] = {}
        self._dirty: dict[tuple[str, str], bytes | None] = {}
        self._folds: dict[tuple[str, str], Any] = {}
        self._dirty_folds: set[tuple[str, str]] = set()

    # --- rows ----------------------------------------------------------------------------------

    def preload(self, table: Table, column: str | Column[Any], keys: Iterable[Key | None]) -> None:
        """Reads the open rows with `column` in `keys`; one query for the keys not read yet in this batch.

        Raises NotALookup when no index of the table starts with `column`.
        """
        name = column if isinstance(column, str) else str(column.name)
        work = self._work[table]
        loaded = work.lookup(name)
        missing = [key for key in dict.fromkeys(keys) if key is not None and key not in loaded]
        if missing:
            loaded.update(missing)
            self._load(work, name, missing)

    def _load(self, work: TableWork, column: str, keys: Sequence[Key]) -> None:
        buckets, known, columns = work.buckets[column], work.known, work.shape.columns
        grown: dict[Key, list[Row]] = {}
        for values in self._tables.fetch_open(work.shape, column, keys):
            fetched = dict(zip(columns, values, strict=True))
            row = known.setdefault((fetched["fact_id"], fetched["known_from"]), fetched)
            if row["known_to"] is None:
                bucket = buckets.setdefault(row[column], [])
                bucket.append(row)
                if len(bucket) > 1:
                    grown[row[column]] = bucket
        for bucket in grown.values():
            bucket.sort(key=_BY_AGE)

    def open_rows(self, table: Table, column: str | Column[Any], key: Key | None) -> list[Row]:
        """The rows open now with `column` = `key`, oldest first, those opened in this batch included.

        Reads them if `preload` has not (one query: preload in bulk instead).
        """
        if key is None:
            return []
        name = column if isinstance(column, str) else str(column.name)
        work = self._work[table]
        loaded = work.loaded.get(name)
        if loaded is None or key not in loaded:
            self.preload(table, name, (key,))
        bucket = work.buckets[name].get(key)
        if not bucket:
            return []
        rows = [row for row in bucket if row["known_to"] is None]
        if len(rows) != len(bucket):
            work.buckets[name][key] = rows.copy()
        return rows

    def open(self, table: Table, **columns: Any) -> Row:
        """Opens a fact row; `fact_id` and `known_from` (the event's position) are required, the rest default to None.

        Returns the row, for `close`. Raises UnknownColumns.
        """
        return self.open_row(table, columns)

    def open_row(self, table: Table, row: Row) -> Row:
        """`open` for a row made as a dict of its own, which the working set takes over: no copy is made."""
        work = self._work[table]
        if len(row) != work.shape.width:
            row = self._completed(work.shape, row)
        row["known_to"] = None
        for column, buckets in work.buckets.items():
            _place(buckets, row[column], row)
        work.opened.append(row)
        return row

    @staticmethod
    def _completed(shape: Shape, columns: Row) -> Row:
        whole = {**shape.blank, **columns}
        if len(whole) != shape.width or "fact_id" not in columns or "known_from" not in columns:
            raise UnknownColumns(f"{shape.table.name}: {sorted(columns.keys() - shape.blank.keys())}, {columns}")
        return whole

    def close(self, table: Table, row: Row, position: int) -> None:
        """Closes `row` (from `open` or `open_rows`) at `position`. Raises FactNotOpen."""
        known_from = row["known_from"]
        if row["known_to"] is not None or position < known_from:
            raise FactNotOpen(f"{table.name} {row['fact_id']} at {position}: {known_from} to {row['known_to']}")
        row["known_to"] = position
        work = self._work[table]
        if known_from <= self._since:
            work.closes.append((position, row["fact_id"], known_from))
        elif known_from == position:
            work.vanished = True

    def revise(self, table: Table, row: Row, position: int, **changes: Any) -> Row:
        """Closes `row` and opens it anew with `changes`; when they change nothing, leaves it and returns it."""
        if all(row[column] == value for column, value in changes.items()):
            return row
        self.close(table, row, position)
        return self.open(table, **{**_own(row), "known_from": position, **changes})

    def refold(self, table: Table, open_now: Iterable[Row], wanted: Iterable[Row], position: int) -> None:
        """Makes the open rows `open_now` become `wanted` (rows without known_from/known_to, told apart by fact_id).

        What is not wanted any more is closed, what is new opened, what differs revised, the rest left.
        For amendments, which fold a whole visit again.
        """
        before = {row["fact_id"]: row for row in open_now}
        for columns in wanted:
            row = before.pop(columns["fact_id"], None)
            if row is None:
                self.open(table, known_from=position, **columns)
            else:
                self.revise(table, row, position, **columns)
        for row in before.values():
            self.close(table, row, position)

    def purge(self, table: Table, column: str | Column[Any], key: Key) -> None:
        """Deletes every row, open or closed, with `column` = `key`. For the directory, when a patient is erased."""
        name = column if isinstance(column, str) else str(column.name)
        work = self._work[table]
        work.opened = [row for row in work.opened if row[name] != key]
        work.purges.append((name, key))
        for buckets in work.buckets.values():
            for bucket_key, bucket in buckets.items():
                buckets[bucket_key] = [row for row in bucket if row[name] != key]
        for row in work.known.values():
            if row[name] == key and row["known_to"] is None:
                row["known_to"] = row["known_from"]

    # --- fold states ---------------------------------------------------------------------------

    def preload_states(self, kind: str, keys: Iterable[str | None]) -> None:
        """Reads the states of `kind` for `keys`; one query for those not read yet in this batch."""
        states = self._states
        missing = [key for key in dict.fromkeys(keys) if key is not None and (kind, key) not in states]
        if missing:
            states.update(dict.fromkeys(((kind, key) for key in missing), None))
            states.update(((kind, key), bytes(state)) for key, state in self._tables.fetch_states(kind, missing))

    def state(self, kind: str, key: str) -> bytes | None:
        """The projection's own fold state, None if there is none."""
        if (kind, key) not in self._states:
            self.preload_states(kind, (key,))
        return self._states[kind, key]

    def put_state(self, kind: str, key: str, state: bytes | None) -> None:
        """Keeps `state` for the batches to come; None forgets it."""
        self._states[kind, key] = self._dirty[kind, key] = state
        self._folds.pop((kind, key), None)
        self._dirty_folds.discard((kind, key))

    def fold(self, kind: str, key: str, shape: type[Fold]) -> Fold | None:
        """The state as a msgspec struct: decoded at its first use in the batch, encoded once at its end.

        The object is the working set's own: change it in place and call `put_fold`, or put another.
        """
        found = self._folds.get((kind, key))
        if found is None:
            stored = self.state(kind, key)
            if stored is None:
                return None
            found = self._folds[kind, key] = msgspec.msgpack.decode(stored, type=shape)
        return found

    def put_fold(self, kind: str, key: str, fold: Any) -> None:
        """Keeps `fold` (a msgspec struct) for the batches to come; None forgets it."""
        if fold is None:
            self.put_state(kind, key, None)
            return
        self._folds[kind, key] = fold
        self._dirty_folds.add((kind, key))

    # --- the end of the batch ------------------------------------------------------------------

    def flush(self) -> int:
        """Writes everything; called once by the engine. Returns the number of rows opened."""
        opened = 0
        for work in self._work.values():
            if work.opened or work.closes or work.purges:
                opened += len(work.opened)
                self._tables.write(work)
        encode = msgspec.msgpack.Encoder().encode
        dirty = self._dirty
        dirty.update((key, encode(self._folds[key])) for key in self._dirty_folds)
        if dirty:
            self._tables.write_states(dirty)
        return opened


def _place(buckets: dict[Key, list[Row]], key: Key | None, row: Row) -> None:
    if key is None:
        return
    bucket = buckets.get(key)
    if bucket is None:
        buckets[key] = [row]
        return
    last = bucket[-1] if bucket else None
    bucket.append(row)
    if last is not None and last["known_from"] == row["known_from"] and row["fact_id"] < last["fact_id"]:
        bucket.sort(key=_BY_AGE)


def _own(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "known_to"}
