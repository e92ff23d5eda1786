"""Fact tables in an in-memory SQLite database, filled by the real projections through a real working set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, create_engine, delete, insert, select, update

from projections.engine.projection import Group, Projection
from projections.engine.working import Key, Shape, TableWork, Working
from projections.facts.tables import metadata
from projections.registry import facts_group
from tests.support.histories import History, scanned


class MemoryTables:
    """Implements `projections.engine.working.Tables` plainly, one statement at a time."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.states: dict[tuple[str, str], bytes] = {}

    def fetch_open(self, shape: Shape, column: str, keys: Sequence[Key]) -> Iterable[Sequence[Any]]:
        table = shape.table
        return list(self.conn.execute(select(table).where(table.c[column].in_(keys), table.c.known_to.is_(None))))

    def fetch_states(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        return [(key, self.states[kind, key]) for key in keys if (kind, key) in self.states]

    def write(self, work: TableWork) -> None:
        table = work.shape.table
        for column, key in work.purges:
            self.conn.execute(delete(table).where(table.c[column] == key))
        for position, fact_id, known_from in work.closes:
            self.conn.execute(
                update(table).where(table.c.fact_id == fact_id, table.c.known_from == known_from)
                .values(known_to=position)
            )  # fmt: skip
        rows = [dict(zip(work.shape.columns, values, strict=True)) for values in work.rows_to_insert()]
        if rows:
            self.conn.execute(insert(table), rows)

    def write_states(self, states: Mapping[tuple[str, str], bytes | None]) -> None:
        for key, state in states.items():
            if state is None:
                self.states.pop(key, None)
            else:
                self.states[key] = state


def facts_of(history: History, group: Group | None = None, batches: Iterable[int] | None = None) -> Connection:
    """A connection to the facts of `history`, applied in batches of these sizes (all in one by default)."""
    conn = create_engine("sqlite://").connect()
    metadata.create_all(conn)
    for projection in (group or facts_group()).projections:
        follow(conn, projection, history, batches or [max(1, history.head())], bool(group and group.whole_records))
    return conn


def follow(
    conn: Connection, projection: Projection, history: History, batches: Iterable[int], whole_records: bool = False
) -> None:
    """Applies `history` to one projection in consecutive batches; what the sizes leave goes into a last one."""
    tables, at = MemoryTables(conn), 0
    for size in [*batches, history.head()]:
        part = [one for one in history.records[at : at + size] if one.name in projection.names]
        if part:
            working = Working(tables, {table: Shape(table) for table in projection.tables}, at)
            batch: Any = part if whole_records else [scanned(one) for one in part]
            projection.apply(batch, working)
            working.flush()
        at += size
