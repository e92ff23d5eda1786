"""A projection's stored tables of one slot: their DDL, and the bulk reads and writes of the working set.

The live set bears the tables' own names. A shadow set has the generation appended (`room_uses__g7`) and
keeps those index names when it becomes the live one; a set replayed for comparison has `__r7`. DDL is part
of the engine, not of Alembic: the tables follow the projection's version, and changing them is a rebuild.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from sqlalchemy import Column, Connection, Index, LargeBinary, MetaData, Table, inspect
from sqlalchemy.schema import CreateIndex, CreateTable

from projections.engine.database import Session, ViewsDatabase
from projections.engine.positions import Slot
from projections.engine.projection import Id, Projection
from projections.engine.working import Key, Shape, TableWork

_RETIRED = re.compile(r"__old\d+$")


class RowsLost(RuntimeError):
    """A stored row that the batch closes is not there: the tables do not fit their position."""


_CHOSEN_BY = ("known_from", "known_to", "kind")


class Unfinished(NamedTuple):
    """A table that has been loaded: the statements that make it fit to be asked."""

    indexes: list[CreateIndex]
    analyze: str


def state_table(projection: str) -> str:
    """Name of the table of a projection's fold states."""
    return f"{projection}__state"


def canonical_names(projection: Projection) -> list[str]:
    """Every table of a projection by its live name, the state table last."""
    return [*(str(table.name) for table in projection.tables), state_table(projection.name)]


def suffix(slot: Slot, generation: int) -> str:
    """What the stored names of a slot's tables end in."""
    return {"live": "", "shadow": f"__g{generation}", "replay": f"__r{generation}"}[slot]


def shapes_of(projection: Projection) -> dict[Table, Shape]:
    """The projection's tables as the working set sees them. Raises FactTableShape."""
    return {table: Shape(table) for table in projection.tables}


class TableSet:
    """One slot's tables. Implements `projections.engine.working.Tables` inside the session's transaction."""

    def __init__(self, session: Session, projection: Projection, slot: Slot, generation: int) -> None:
        self.session = session
        self.projection = projection
        self.shapes = shapes_of(projection)
        self._tag = f"{'r' if slot == 'replay' else 'g'}{generation}"
        self._suffix = suffix(slot, generation)
        self._database = session.database
        self._ready_lookups: set[tuple[str, str]] = set()
        self._io = _PostgresIO(session.raw) if session.database.kind == "postgres" else _SqliteIO(session.raw)
        self._state = self._database.name(state_table(projection.name) + self._suffix)
        self._purged: set[str] = set()
        self._statements: dict[tuple[str, ...], str] = {}

    def physical(self, name: str) -> str:
        """The stored name of the table called `name`."""
        return name + self._suffix

    # --- DDL -----------------------------------------------------------------------------------

    def create(self, sql: Connection, *, all_indexes: bool) -> None:
        """Makes the tables; with `all_indexes` all their indexes too, else only those `apply` looks rows up by."""
        for table in self.projection.tables:
            stored = self._stored(table)
            sql.execute(CreateTable(stored, if_not_exists=True))
            for index in self._indexes(table, stored):
                if all_indexes or index.info.get("lookup"):
                    sql.execute(CreateIndex(index, if_not_exists=True))
        sql.execute(CreateTable(self._state_shape(), if_not_exists=True))

    def unfinished(self, sql: Connection) -> list[Unfinished]:
        """Every table with what a rebuild has left for last: the screens' indexes, the planner's statistics."""
        found = inspect(sql)
        work: list[Unfinished] = []
        for table in self.projection.tables:
            name = self.physical(table.name)
            there = {index["name"] for index in found.get_indexes(name, self._database.schema)}
            missing = [index for index in self._indexes(table, self._stored(table)) if index.name not in there]
            work.append(Unfinished([CreateIndex(index, if_not_exists=True) for index in missing], self._analyze(table)))
        return [*work, Unfinished([], f"ANALYZE {self._state}")]

    def _analyze(self, table: Table) -> str:
        """Statistics of the columns that rows are chosen by: half the time of all. Autovacuum sees to the rest."""
        name = self._database.name(self.physical(table.name))
        if self._database.kind == "sqlite":
            return f"ANALYZE {name}"
        chosen = {*_CHOSEN_BY, *(column.name for index in table.indexes for column in index.columns)}
        return f"ANALYZE {name} ({_quoted(column.name for column in table.columns if column.name in chosen)})"

    def _stored(self, table: Table) -> Table:
        copy = table.to_metadata(MetaData(), schema=cast(Any, self._database.schema), name=self.physical(table.name))
        for index in list(copy.indexes):
            copy.indexes.discard(index)
        copy.primary_key.name = None
        return copy

    def _indexes(self, table: Table, stored: Table) -> list[Index]:
        made = []
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            columns = [stored.c[column.name] for column in index.columns]
            options: dict[str, Any] = {
                name: value for name, value in index.dialect_kwargs.items() if not name.endswith("_where")
            }
            if index.dialect_kwargs.get("postgresql_where") is not None:
                partial = stored.c.known_to.is_not(None) if index.info.get("closed") else stored.c.known_to.is_(None)
                options |= {"postgresql_where": partial, "sqlite_where": partial}
            name = f"{index.name}_{self._tag}"
            made.append(Index(name, *columns, unique=index.unique, info=index.info, **options))
        return made

    def _state_shape(self) -> Table:
        return Table(
            self.physical(state_table(self.projection.name)),
            MetaData(),
            Column("kind", Id, primary_key=True),
            Column("key", Id, primary_key=True),
            Column("state", LargeBinary, nullable=False),
            schema=self._database.schema,
            sqlite_with_rowid=False,
        )

    # --- the working set's reads and writes ----------------------------------------------------

    def fetch_open(self, shape: Shape, column: str, keys: Sequence[Key]) -> Iterable[Sequence[Any]]:
        """Open rows by one indexed column. In a rebuild makes the index at its first use."""
        self._ensure_lookup(shape.table, column)
        return self._io.fetch_open(self._statement("fetch", shape, column), shape, column, keys)

    def _ensure_lookup(self, table: Table, column: str) -> None:
        asked = (table.name, column)
        if not self._suffix or column == "fact_id" or asked in self._ready_lookups:
            return
        for index in self._indexes(table, self._stored(table)):
            if next(iter(index.columns)).name == column:
                self.session.sql.execute(CreateIndex(index, if_not_exists=True))
                break
        self._ready_lookups.add(asked)

    def fetch_states(self, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        """Fold states by kind and keys."""
        return self._io.fetch_states(self._state, kind, keys)

    def write(self, work: TableWork) -> None:
        """Closes, purges, inserts: in this order, so that a purge spares what was opened after it."""
        shape = work.shape
        if work.closes:
            closed = self._io.close(self._statement("close", shape), work.closes)
            if closed != len(work.closes):
                raise RowsLost(f"{shape.table.name}: {len(work.closes)} rows to close, {closed} found")
        for column, key in work.purges:
            self._io.purge(self._statement("purge", shape, column), key)
            self._purged.add(self.physical(shape.table.name))
        rows = work.rows_to_insert()
        if rows:
            self._io.insert(self._statement("insert", shape), rows)

    def write_states(self, states: Mapping[tuple[str, str], bytes | None]) -> None:
        """Replaces fold states."""
        kept = [(kind, key, state) for (kind, key), state in states.items() if state is not None]
        gone = [key for key, state in states.items() if state is None]
        self._io.write_states(self._state, kept, gone)

    def scrub(self) -> None:
        """Between transactions: sees to it that what was purged is gone from the files too."""
        if self._purged:
            self.session.scrub(sorted(self._purged))
            self._purged.clear()

    def _statement(self, purpose: str, shape: Shape, column: str = "") -> str:
        asked = (purpose, shape.table.name, column)
        found = self._statements.get(asked)
        if found is None:
            name = self._database.name(self.physical(shape.table.name))
            build: Callable[[str, Shape, str], str] = getattr(self._io, f"{purpose}_sql")
            found = self._statements[asked] = build(name, shape, column)
        return found


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class _SqliteIO:
    """Bulk reads and writes on the `sqlite3` connection itself."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    @staticmethod
    def fetch_sql(name: str, shape: Shape, column: str) -> str:
        wanted = f'"{column}" IN (SELECT value FROM json_each(?))'  # noqa: S608
        return f"SELECT {_quoted(shape.columns)} FROM {name} WHERE known_to IS NULL AND {wanted}"  # noqa: S608

    def fetch_open(self, statement: str, shape: Shape, column: str, keys: Sequence[Key]) -> Iterable[Sequence[Any]]:
        rows = self._raw.execute(statement, (json.dumps(keys),)).fetchall()
        if not shape.booleans:
            return rows  # type: ignore[no-any-return]
        return [_with_booleans(row, shape.booleans) for row in rows]

    def fetch_states(self, table: str, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        statement = f"SELECT key, state FROM {table} WHERE kind = ? AND key IN (SELECT value FROM json_each(?))"  # noqa: S608
        return self._raw.execute(statement, (kind, json.dumps(keys))).fetchall()  # type: ignore[no-any-return]

    @staticmethod
    def close_sql(name: str, shape: Shape, column: str) -> str:
        return f"UPDATE {name} SET known_to = ? WHERE fact_id = ? AND known_from = ? AND known_to IS NULL"  # noqa: S608

    def close(self, statement: str, closes: Sequence[tuple[int, str, int]]) -> int:
        return self._raw.executemany(statement, closes).rowcount  # type: ignore[no-any-return]

    @staticmethod
    def purge_sql(name: str, shape: Shape, column: str) -> str:
        return f'DELETE FROM {name} WHERE "{column}" = ?'  # noqa: S608

    def purge(self, statement: str, key: Key) -> None:
        self._raw.execute(statement, (key,))

    @staticmethod
    def insert_sql(name: str, shape: Shape, column: str) -> str:
        places = ", ".join("?" * len(shape.columns))
        return f"INSERT INTO {name} ({_quoted(shape.columns)}) VALUES ({places})"  # noqa: S608

    def insert(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._raw.executemany(statement, rows)

    def write_states(self, table: str, kept: list[tuple[str, str, bytes]], gone: list[tuple[str, str]]) -> None:
        upsert = "ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state"
        self._raw.executemany(f"INSERT INTO {table} (kind, key, state) VALUES (?, ?, ?) {upsert}", kept)  # noqa: S608
        if gone:
            self._raw.executemany(f"DELETE FROM {table} WHERE kind = ? AND key = ?", gone)  # noqa: S608


def _with_booleans(row: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    values = list(row)
    for place in places:
        if values[place] is not None:
            values[place] = bool(values[place])
    return values


class _PostgresIO:
    """Bulk reads and writes on the psycopg connection itself: arrays and COPY."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    @staticmethod
    def fetch_sql(name: str, shape: Shape, column: str) -> str:
        array = "bigint[]" if column in shape.integers else "text[]"
        wanted = f'"{column}" = ANY(%s::{array})'
        return f"SELECT {_quoted(shape.columns)} FROM {name} WHERE known_to IS NULL AND {wanted}"  # noqa: S608

    def fetch_open(self, statement: str, shape: Shape, column: str, keys: Sequence[Key]) -> Iterable[Sequence[Any]]:
        return self._raw.execute(statement, (list(keys),), binary=True).fetchall()  # type: ignore[no-any-return]

    def fetch_states(self, table: str, kind: str, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        statement = f"SELECT key, state FROM {table} WHERE kind = %s AND key = ANY(%s::text[])"  # noqa: S608
        return self._raw.execute(statement, (kind, list(keys)), binary=True).fetchall()  # type: ignore[no-any-return]

    @staticmethod
    def close_sql(name: str, shape: Shape, column: str) -> str:
        given = "unnest(%s::bigint[], %s::text[], %s::bigint[]) AS given (known_to, fact_id, known_from)"
        return (
            f"UPDATE {name} AS fact SET known_to = given.known_to FROM {given} "  # noqa: S608
            "WHERE fact.fact_id = given.fact_id AND fact.known_from = given.known_from AND fact.known_to IS NULL"
        )

    def close(self, statement: str, closes: Sequence[tuple[int, str, int]]) -> int:
        positions, fact_ids, known_froms = (list(column) for column in zip(*closes, strict=True))
        return self._raw.execute(statement, (positions, fact_ids, known_froms)).rowcount  # type: ignore[no-any-return]

    @staticmethod
    def purge_sql(name: str, shape: Shape, column: str) -> str:
        return f'DELETE FROM {name} WHERE "{column}" = %s'  # noqa: S608

    def purge(self, statement: str, key: Key) -> None:
        self._raw.execute(statement, (key,))

    @staticmethod
    def insert_sql(name: str, shape: Shape, column: str) -> str:
        return f"COPY {name} ({_quoted(shape.columns)}) FROM STDIN"

    def insert(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._raw.cursor() as cursor, cursor.copy(statement) as copy:
            write_row = copy.write_row
            for row in rows:
                write_row(row)

    def write_states(self, table: str, kept: list[tuple[str, str, bytes]], gone: list[tuple[str, str]]) -> None:
        if kept:
            kinds, keys, states = (list(column) for column in zip(*kept, strict=True))
            self._raw.execute(
                f"INSERT INTO {table} (kind, key, state) "  # noqa: S608
                "SELECT * FROM unnest(%s::text[], %s::text[], %b::bytea[]) "
                "ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state",
                (kinds, keys, states),
            )
        if gone:
            kinds, keys = (list(column) for column in zip(*gone, strict=True))
            self._raw.execute(
                f"DELETE FROM {table} WHERE (kind, key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",  # noqa: S608
                (kinds, keys),
            )


# --- whole sets ----------------------------------------------------------------------------------


def existing_tables(sql: Connection, database: ViewsDatabase) -> set[str]:
    """Names of the tables in the read models' database."""
    return set(inspect(sql).get_table_names(database.schema))


def rename(sql: Connection, database: ViewsDatabase, old: str, new: str) -> None:
    """Renames a table; its indexes keep their names."""
    sql.exec_driver_sql(f'ALTER TABLE {database.name(old)} RENAME TO "{new}"')


def drop(sql: Connection, database: ViewsDatabase, names: Iterable[str]) -> None:
    """Drops tables that exist."""
    for name in names:
        sql.exec_driver_sql(f"DROP TABLE IF EXISTS {database.name(name)}")


def lock_out_readers(sql: Connection, database: ViewsDatabase, names: Sequence[str]) -> None:
    """PostgreSQL: takes the locks of a swap at once and gives up soon, before a deadlock is suspected (1 s)."""
    if database.kind == "postgres" and names:
        sql.exec_driver_sql("SET LOCAL lock_timeout = '300ms'")
        sql.exec_driver_sql(f"LOCK TABLE {', '.join(map(database.name, names))} IN ACCESS EXCLUSIVE MODE")


def retired(table: str, generation: int) -> str:
    """What a table is called between the swap that takes it out of service and its end."""
    return f"{table}__old{generation}"


def is_retired(table: str) -> bool:
    """Whether a swap left this table to be dropped."""
    return _RETIRED.search(table) is not None


def names_as_json(projection: Projection) -> str:
    """`canonical_names` as the position row keeps them."""
    return msgspec.json.encode(canonical_names(projection)).decode()


__all__ = [
    "RowsLost", "TableSet", "canonical_names", "drop", "existing_tables", "is_retired",
    "lock_out_readers", "names_as_json", "rename", "retired", "shapes_of", "state_table", "suffix",
]  # fmt: skip
