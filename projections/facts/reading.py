"""Reading facts: the two cuts, before any metric.

`known_at` (a position) keeps the rows that stood then; `as_of` (a moment) keeps what had happened by then. Every
query here is bounded by clinic and period, or by the ids that such a query gave, and goes through an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, and_, or_, select

from projections.facts import tables
from projections.facts.encoding import micros

Row = dict[str, Any]

CHUNK = 500
"""Ids bound in one IN list: within every database's limit on bound values."""


class Cut(msgspec.Struct, frozen=True):
    """What is asked for: the world as of a moment, as known at a position (None: now)."""

    as_of_us: int
    known_at: int | None = None

    @classmethod
    def at(cls, as_of: datetime, known_at: int | None = None) -> Cut:
        """From an aware datetime and a position."""
        as_of_us = micros(as_of)
        assert as_of_us is not None
        return cls(as_of_us, known_at)

    def on(self, table: Table) -> ColumnElement[bool]:
        """The condition for rows of `table`."""
        happened = table.c.at_us <= self.as_of_us
        if self.known_at is None:
            return and_(happened, table.c.known_to.is_(None))
        stood = or_(table.c.known_to.is_(None), table.c.known_to > self.known_at)
        return and_(happened, table.c.known_from <= self.known_at, stood)


def fetch(conn: Connection, query: Select[Any]) -> list[Row]:
    """All rows, by column name."""
    result = conn.execute(query)
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """`values` in order, without doubles, in lists short enough to bind."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def fetch_in(
    conn: Connection, table: Table, cut: Cut, column: str, values: Iterable[str], *more: ColumnElement[bool]
) -> list[Row]:
    """Rows of `table` with `column` among `values`, cut, in a stable order."""
    found: list[Row] = []
    for chunk in chunks(values):
        query = select(table).where(table.c[column].in_(chunk), cut.on(table), *more)
        found += fetch(conn, query)
    return found


def opened(conn: Connection, fact_ids: Iterable[str], known_at: int | None = None) -> list[Row]:
    """The fact rows behind these ids, as they stood at `known_at`, each with its table's name and event positions.

    `positions` are those of the entry and, once corrected, of the latest correction.
    """
    from projections.facts.recording import PREFIXES

    by_prefix = {prefix: name for name, prefix in PREFIXES.items()}
    wanted: dict[str, list[str]] = {}
    for fact_id in fact_ids:
        name = by_prefix.get(fact_id[:1])
        if name is not None and not name.startswith("directory"):
            wanted.setdefault(name, []).append(fact_id)
    found: list[Row] = []
    for name, ids in sorted(wanted.items()):
        table = tables.metadata.tables[name]
        forever = Cut(2**62, known_at)
        for row in fetch_in(conn, table, forever, "fact_id", ids):
            positions: Sequence[int] = sorted({row["position"], row["known_from"]})
            found.append({**row, "table": name, "positions": positions})
    return found
