"""The read models' database: an SQLite file of its own, or the schema `views` of a PostgreSQL database.

Screens read through `reads` (an SQLAlchemy Engine with a pool). Workers write through a `Session`: one
connection of their own, whose transactions on SQLite begin IMMEDIATE (a deferred one that reads and then
writes fails at once when another process has written) and which on PostgreSQL also carries the
leader's advisory lock, so that lock and transaction are lost together or not at all.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import psycopg
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

Kind = Literal["sqlite", "postgres"]

SCHEMA = "views"
"""The schema of the read models on PostgreSQL."""

BUSY_TIMEOUT_MS = 30_000
MEANS_TO_WRITE = "anodyne_means_to_write"
_OUTAGES = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip


class UnsupportedDatabase(ValueError):
    """A database URL that is neither sqlite:///PATH nor postgresql://..."""


def kind_of(url: str) -> Kind:
    """Which database `url` names. Raises UnsupportedDatabase."""
    scheme = urlsplit(url).scheme.split("+")[0]
    if scheme == "sqlite":
        return "sqlite"
    if scheme in ("postgresql", "postgres"):
        return "postgres"
    raise UnsupportedDatabase(f"{scheme}://")


def sqlite_path(url: str) -> Path:
    """The file behind an sqlite:///PATH url. Raises UnsupportedDatabase for a database in memory."""
    path = unquote(urlsplit(url).path)[1:]
    if path in ("", ":memory:"):
        raise UnsupportedDatabase("read models need a file: several connections use them")
    return Path(path)


def is_outage(error: BaseException) -> bool:
    """Whether the database (lost, locked, full) is at fault and not the event or the projection."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_outage(error.orig))
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", None)
        return code is not None and (code & 0xFF) in _OUTAGES
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, sqlite3.ProgrammingError, OSError))


class ViewsDatabase:
    """Opens connections to the read models. Make one per process, after any fork."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.kind: Kind = kind_of(url)
        self.url = url
        self.schema = SCHEMA if self.kind == "postgres" else None
        self.reads = self._engine(pool_size)
        self._writes = self._engine(None)

    def _engine(self, pool_size: int | None) -> Engine:
        pooling: dict[str, Any] = {"poolclass": NullPool}
        if pool_size is not None:
            pooling = {"pool_size": pool_size, "max_overflow": pool_size, "pool_pre_ping": self.kind == "postgres"}
        if self.kind == "sqlite":
            path = sqlite_path(self.url)
            path.parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                URL.create("sqlite", database=str(path)), **pooling,
                connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
            )  # fmt: skip
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_immediate if pool_size is None else _begin_deferred)
            return engine
        url = make_url(self.url).set(drivername="postgresql+psycopg")
        keepalives = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "connect_timeout": 10}
        engine = create_engine(url, **pooling, connect_args={**keepalives, "application_name": "anodyne-views"})
        return engine.execution_options(schema_translate_map={None: SCHEMA})

    def session(self) -> Session:
        """A worker's own connection. Close it."""
        return Session(self, self._writes.connect())

    def name(self, table: str) -> str:
        """`table` as raw SQL must name it."""
        return f'{SCHEMA}."{table}"' if self.schema else f'"{table}"'

    def close(self) -> None:
        """Gives the pooled connections back."""
        self.reads.dispose()
        self._writes.dispose()


class Session:
    """One connection that writes, with its transactions and savepoints; belongs to one thread."""

    def __init__(self, database: ViewsDatabase, connection: Connection) -> None:
        self.database = database
        self.sql = connection
        self.raw: Any = connection.connection.driver_connection
        if database.kind == "postgres":
            with self.transaction():
                for setting in _WORKER_SETTINGS:
                    connection.exec_driver_sql(f"SET {setting}")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commits at the end, rolls back on an error. On SQLite holds the write lock from its start."""
        with self.sql.begin():
            yield self.sql

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Like `transaction`, for reads alone: on SQLite takes no write lock."""
        self.sql.info["deferred"] = True
        try:
            with self.sql.begin():
                yield self.sql
        finally:
            self.sql.info.pop("deferred", None)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Rolls back to here on an error; the transaction goes on."""
        with self.sql.begin_nested():
            yield

    def scrub(self, tables: Iterable[str]) -> None:
        """After a purge: removes what deleted rows left in the tables' files, as far as the database lets us now."""
        if self.database.kind == "sqlite":
            self.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # secure_delete has overwritten them in the pages
            return
        self.raw.autocommit = True
        try:
            for table in tables:
                self.raw.execute(f"VACUUM {self.database.name(table)}")
        finally:
            self.raw.autocommit = False

    @contextmanager
    def leaving_freed_pages(self) -> Iterator[None]:
        """SQLite: what is dropped meanwhile is not overwritten with zeros. Only for what holds no secrets."""
        if self.database.kind == "postgres":
            yield
            return
        self.raw.execute("PRAGMA secure_delete = OFF")
        try:
            yield
        finally:
            self.raw.execute("PRAGMA secure_delete = ON")

    def close(self) -> None:
        """Closes the connection, and with it gives up its transaction and its locks."""
        try:
            self.sql.invalidate()
        finally:
            self.sql.close()


_WORKER_SETTINGS = (
    # The rows and the position are lost and done again together: no need to wait for the disk.
    "synchronous_commit = off",
    # Lookups are always by index; a shadow table has no statistics yet that would tell the planner so.
    "enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "jit = off",
    "idle_in_transaction_session_timeout = '60s'",
)  # fmt: skip


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA page_size = 8192")
    _switch_to_wal(connection)
    for pragma in (
        "synchronous = NORMAL",
        "cache_size = -32768", "wal_autocheckpoint = 4000", "temp_store = MEMORY", "foreign_keys = ON",
        # The directory's purged names must not linger in free pages.
        "secure_delete = ON",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """The first switch does not honour the busy timeout when several processes make it at once."""
    for attempt in range(200):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or attempt == 199:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if "deferred" in connection.info else "BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    means_to_write = connection.get_execution_options().get(MEANS_TO_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if means_to_write else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of the edges' own tables that writes, committed at the block's end.

    On SQLite it takes the write lock when it begins: one that reads first and writes then would be refused at once,
    whatever the busy timeout, when somebody else wrote in between.
    """
    with engine.execution_options(**{MEANS_TO_WRITE: True}).begin() as connection:
        yield connection
