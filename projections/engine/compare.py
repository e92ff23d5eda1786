"""Replay beside the live tables, and compare row by row: rebuilt must equal incremental.

Fact rows are bitemporal, so the live tables are cut at the replay's position first; the two need not stand
still. Fold states have no history: they are compared when both sets stand at the same position.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, TableClause, case, column, null, select, table

from projections.engine import positions
from projections.engine.batch import Cursor
from projections.engine.database import Session
from projections.engine.rebuild import Loader
from projections.engine.tableset import TableSet, state_table

_CHUNK = 2_000
_EXAMPLES = 20


class Difference(msgspec.Struct, frozen=True):
    """A row that is not the same in both sets; None where it is missing. `columns` are those that differ."""

    table: str
    key: tuple[str, int | str]
    columns: tuple[str, ...]
    missing_in: str | None = None


class TableComparison(msgspec.Struct, frozen=True):
    """One table: rows compared on each side, how many differ, and the first of those."""

    table: str
    live_rows: int
    replayed_rows: int
    differing: int
    examples: tuple[Difference, ...]


class Comparison(msgspec.Struct, frozen=True):
    """One projection, live against replayed, as known at `position`. `states_compared`: both stood there."""

    projection: str
    position: int
    tables: tuple[TableComparison, ...]
    states_compared: bool

    @property
    def equal(self) -> bool:
        """Whether every row is the same."""
        return not any(compared.differing for compared in self.tables)


def replay_and_compare(loader: Loader, live: Session) -> list[Comparison]:
    """Fills `loader`'s replay set up to where the live tables stand, compares, drops it. The caller holds its lock.

    Where the live tables have moved on meanwhile, follows a few times so that fold states can be compared too.
    """
    loader.begin(resume=False)
    comparisons: list[Comparison] = []
    try:
        for _ in range(5):
            _follow(loader, live)
            comparisons = [compare(live, cursor) for cursor in loader.cursors]
            if all(comparison.states_compared or not comparison.equal for comparison in comparisons):
                break
        return comparisons
    finally:
        loader.discard()


def _follow(loader: Loader, live: Session) -> None:
    with live.reading() as sql:
        found = [positions.of(sql, cursor.projection.name) for cursor in loader.cursors]
    furthest = max((standing.position for standing in found if standing is not None), default=0)
    while loader.position < furthest:
        loader.load_batch(furthest)


def compare(session: Session, replayed: Cursor) -> Comparison:
    """Compares a replayed (or shadow) set with the live one, in one read transaction."""
    projection = replayed.projection
    if session.database.kind == "postgres":
        session.sql.execution_options(isolation_level="REPEATABLE READ")
    try:
        with session.reading() as sql:
            standing = positions.of(sql, projection.name)
            live = TableSet(session, projection, "live", 0)
            at = replayed.position
            same_place = standing is not None and standing.position == at
            tables = [_facts(sql, each, live, replayed.tables, at) for each in projection.tables]
            if same_place:
                tables.append(_states(sql, projection.name, live, replayed.tables))
    finally:
        if session.database.kind == "postgres":
            session.sql.execution_options(isolation_level="READ COMMITTED")
    return Comparison(projection.name, at, tuple(tables), same_place)


def _facts(sql: Connection, shape: Table, live: TableSet, replayed: TableSet, at: int) -> TableComparison:
    names = [str(each.name) for each in shape.columns]
    left, right = (_fact_rows(sql, _as_stored(shape, tables), at) for tables in (live, replayed))
    return _merge(shape.name, names, names.index("fact_id"), names.index("known_from"), left, right)


def _as_stored(shape: Table, tables: TableSet) -> TableClause:
    columns = (column(each.name, each.type) for each in shape.columns)
    return table(tables.physical(shape.name), *columns, schema=tables.session.database.schema)


def _fact_rows(sql: Connection, source: TableClause, at: int) -> Iterator[tuple[Any, ...]]:
    closed = case((source.c.known_to <= at, source.c.known_to), else_=null()).label("known_to")
    columns = [closed if each.name == "known_to" else each for each in source.columns]
    query = select(*columns).where(source.c.known_from <= at)
    yield from _stream(sql, query.order_by(_bytewise(sql, source.c.fact_id), source.c.known_from))


def _states(sql: Connection, projection: str, live: TableSet, replayed: TableSet) -> TableComparison:
    name, names = state_table(projection), ["kind", "key", "state"]
    sides = []
    for tables in (live, replayed):
        source = table(tables.physical(name), *map(column, names), schema=tables.session.database.schema)
        query = select(*source.c).order_by(_bytewise(sql, source.c.kind), _bytewise(sql, source.c.key))
        sides.append(_stream(sql, query))
    return _merge(name, names, 0, 1, sides[0], sides[1])


def _bytewise(sql: Connection, ordered: Any) -> Any:
    return ordered.collate("C" if sql.dialect.name == "postgresql" else "BINARY")


def _stream(sql: Connection, query: Any) -> Iterator[tuple[Any, ...]]:
    result = sql.execute(query, execution_options={"stream_results": True, "yield_per": _CHUNK})
    for row in result:
        yield tuple(row)


def _merge(
    name: str, names: list[str], first: int, second: int, left: Iterator[tuple[Any, ...]],
    right: Iterator[tuple[Any, ...]],
) -> TableComparison:  # fmt: skip
    """Walks both sides in key order."""
    counts = [0, 0]
    differences: list[Difference] = []
    differing = 0

    def step(side: int, rows: Iterator[tuple[Any, ...]]) -> tuple[Any, ...] | None:
        row = next(rows, None)
        counts[side] += row is not None
        return row

    live, replayed = step(0, left), step(1, right)
    while live is not None or replayed is not None:
        live_key = None if live is None else (live[first], live[second])
        replayed_key = None if replayed is None else (replayed[first], replayed[second])
        found: Difference | None = None
        if replayed_key is None or (live_key is not None and live_key < replayed_key):
            assert live_key is not None
            found = Difference(name, live_key, (), "replayed")
            live = step(0, left)
        elif live_key is None or replayed_key < live_key:
            found = Difference(name, replayed_key, (), "live")
            replayed = step(1, right)
        else:
            assert live is not None
            assert replayed is not None
            if live != replayed:
                unequal = (n for n, a, b in zip(names, live, replayed, strict=True) if a != b)
                found = Difference(name, live_key, tuple(unequal))
            live, replayed = step(0, left), step(1, right)
        if found is not None:
            differing += 1
            if len(differences) < _EXAMPLES:
                differences.append(found)
    return TableComparison(name, counts[0], counts[1], differing, tuple(differences))
