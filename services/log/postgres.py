"""The log on PostgreSQL: the library's recorder, appending through one plpgsql function, without its table lock."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import ApplicationRecorder, Notification, ProgrammingError, StoredEvent, Subscription
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresFactory
from eventsourcing.utils import Environment
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from services.log import wire
from services.log.connections import Connections
from services.log.mapper import moment
from services.log.rows import COLUMNS, Commit, CommitResult, Query, StoredRow, plain_commit
from services.log.shapes import (
    ClaimConflict,
    InvalidEvent,
    LogError,
    LogUnavailable,
    SchemaNotMigrated,
    StreamConflict,
    WrongLogMode,
)
from services.log.urls import libpq_url

PATIENCE_S = 5.0
"""How long a call goes on trying to reach a database that restarts, in seconds."""

_SESSION = (
    "-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c TimeZone=UTC "
    "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=10s"
)
_T = TypeVar("_T")


class UnsafeConfiguration(LogError):
    """A setting that would break the order of events; refused at start."""


class LogDatastore(PostgresDatastore):
    """The library's datastore on our own connections: autocommit, made on demand and after a fork, no workers."""

    def __init__(self, url: str, *, limit: int = 32) -> None:
        self.url = libpq_url(url)
        parts = conninfo_to_dict(self.url)
        super().__init__(
            dbname=str(parts.get("dbname", "")), host=str(parts.get("host", "")), port=str(parts.get("port", "5432")),
            user=str(parts.get("user", "")), password=str(parts.get("password", "")), schema="log",
            enable_db_functions=False,
        )
        self.connections = Connections(self._connect, reusable=_reusable, limit=limit)

    def _connect(self) -> wire.AppendConnection:
        connection = wire.AppendConnection.connect(
            self.url, autocommit=True, connect_timeout=5, application_name="anodyne-log", options=_SESSION,
            keepalives=1, keepalives_idle=10, keepalives_interval=5, keepalives_count=3, tcp_user_timeout=20_000,
        )
        connection.prepare_threshold = 1
        return connection

    def register_type_adapters(self) -> None:
        """None needed: events travel as arrays, not as the library's composite type."""

    @contextmanager
    def get_connection(self) -> Iterator[Connection[DictRow]]:
        with self.connections.lend() as connection:
            connection.row_factory = dict_row
            try:
                yield connection
            finally:
                connection.row_factory = psycopg.rows.tuple_row

    def close(self) -> None:
        with suppress(AttributeError):
            self.connections.close()


def _reusable(connection: Connection[Any]) -> bool:
    return not connection.closed and connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE


class LogRecorder(PostgresApplicationRecorder):
    """Appends with `log.<log>_append`; reads with the envelope. `lock_table_statements` is empty and stays so."""

    datastore: LogDatastore

    def __init__(self, datastore: LogDatastore, *, log: str) -> None:
        refuse_db_functions(datastore)
        super().__init__(datastore, events_table_name=f"{log}_events")
        self.log = log
        self.lock_table_statements = []
        self._select = f"SELECT {COLUMNS} FROM log.{log}_events "

    def create_table(self) -> None:
        """The schema is migrated by numbered SQL under a lock, never by a constructor."""
        raise ProgrammingError("the log's tables are made by the migration command")

    # --- writing ---

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """One statement, one commit, one round trip. Sets the result of `commit`; the ids are for the library.

        Raises StreamConflict (an IntegrityError), ClaimConflict, WrongLogMode, LogUnavailable.
        """
        asked: Commit | None = kwargs.get("commit")
        commit = asked or plain_commit(stored_events)
        parameters = wire.parameters_of(commit, stored_events)
        commit.result = self._attempt(
            lambda connection: wire.append(connection, self.log, parameters),
            lambda connection: self._already_written(connection, commit, stored_events),
        )
        if asked is not None or commit.result.replayed:
            return None
        return range(commit.result.first, commit.result.last + 1)

    def insert_all(self, work: Sequence[tuple[Commit, Sequence[StoredEvent]]]) -> None:
        """Several appends in one transaction, so one flush to disk (group commit). All or none."""
        parameters = [wire.parameters_of(commit, stored_events) for commit, stored_events in work]

        def append(connection: wire.AppendConnection) -> list[CommitResult]:
            with connection.transaction():
                return [wire.append(connection, self.log, each) for each in parameters]

        for (commit, _), result in zip(work, self._attempt(append, None), strict=True):
            commit.result = result

    def _attempt(
        self, action: Callable[[wire.AppendConnection], _T],
        done_already: Callable[[wire.AppendConnection], _T | None] | None,
    ) -> _T:
        """Runs `action`; when the connection is lost, finds out whether it was done, and if not runs it again."""
        deadline = time.monotonic() + PATIENCE_S
        pause, lost = 0.02, False
        while True:
            try:
                with self.datastore.connections.lend() as connection:
                    if lost and done_already is not None:
                        result = done_already(connection)
                        if result is not None:
                            return result
                    return action(connection)
            except psycopg.Error as error:
                translated = _translate(error)
                if translated is not None:
                    raise translated from error
                lost = True
                self.datastore.connections.close()
                if time.monotonic() > deadline:
                    raise LogUnavailable("the log's database cannot be reached") from error
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 0.5)

    def _already_written(
        self, connection: Connection[Any], commit: Commit, stored_events: Sequence[StoredEvent]
    ) -> CommitResult | None:
        """After a lost answer: the result if exactly these events stand where they were to go.

        With an idempotency key nothing need be done (the append itself replays); without one, the bytes tell.
        """
        if commit.idempotency is not None or not stored_events or min(commit.expected) < 0:
            return None
        first = stored_events[0]
        rows = connection.execute(
            self._select + "WHERE stream_id = %s AND version = %s", (first.originator_id, first.originator_version)
        ).fetchall()
        row = StoredRow.of(rows[0]) if rows else None
        envelope = commit.envelope
        if row is None or str(row.state).encode() != first.state or row.topic != first.topic:
            return None
        if (row.actor, row.command_id, row.subject) != (envelope.actor, envelope.command_id, envelope.subject):
            return None
        versions = [expected + count for expected, count in zip(commit.expected, commit.counts, strict=True)]
        last = row.id + len(stored_events) - 1
        return CommitResult(row.id, last, row.recorded_us, versions, False, commit.status, None, None)

    # --- reading ---

    def select_events(
        self, originator_id: UUID | str, *, gt: int | None = None, lte: int | None = None, desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One stream, with its envelopes."""
        return self.select_rows(
            "stream_id = %s AND version > %s AND version <= %s",
            (originator_id, gt or 0, lte if lte is not None else 2_147_483_647),
            order="version DESC" if desc else "version", limit=limit,
        )

    def select_notifications(
        self, start: int | None, limit: int, stop: int | None = None, topics: Sequence[str] = (), *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log in order of position."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        condition = "position > %s"
        parameters: list[Any] = [after]
        if stop is not None:
            condition, parameters = condition + " AND position <= %s", [*parameters, stop]
        if topics:
            condition += " AND name = ANY(%s)"
            parameters = [*parameters, list(topics)]
        return self.select_rows(condition, tuple(parameters), order="position", limit=limit)

    def select_rows(
        self, condition: str, parameters: tuple[Any, ...], *, order: str, limit: int | None = None
    ) -> list[StoredRow]:
        """Rows under `condition` (our own SQL, never a caller's text)."""
        statement = self._select + f"WHERE {condition} ORDER BY {order}" + (" LIMIT %s" if limit is not None else "")
        if limit is not None:
            parameters = (*parameters, limit)
        return [_row(values) for values in self.query(statement, parameters)]

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Any read of ours; tried again while the database restarts."""

        def read(connection: Connection[Any]) -> list[tuple[Any, ...]]:
            with connection.cursor(binary=True) as cursor:
                cursor.execute(statement, parameters, prepare=True)
                return cursor.fetchall()

        return self._attempt(read, None)

    @contextmanager
    def snapshot(self) -> Iterator[Query]:
        """Queries that all see one state of the log."""
        with self.datastore.connections.lend() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            with connection.cursor(binary=True) as cursor:
                yield lambda statement, parameters=(): cursor.execute(statement, parameters).fetchall()
            connection.execute("COMMIT")

    def max_notification_id(self) -> int | None:
        rows = self.query(f"SELECT max(position) FROM log.{self.log}_events")
        found: int | None = rows[0][0]
        return found

    def purge_idempotency(self, before_us: int) -> int:
        """Forgets answers from before then; the function keeps those of the last 30 days whatever is asked."""
        gone: int = self.query(f"SELECT log.{self.log}_purge_idempotency(%s)", (before_us,))[0][0]
        return gone

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Not offered: a lost LISTEN or one bad event would end it for good. Readers poll positions."""
        raise NotImplementedError("poll select_notifications; positions are dense")


class LogFactory(PostgresFactory):
    """The library's factory, for an environment it might be configured by; refuses what would break the log."""

    def __init__(self, env: Environment, url: str) -> None:
        env.setdefault("POSTGRES_DBNAME", "-")
        env.setdefault("POSTGRES_HOST", "-")
        env.setdefault("POSTGRES_USER", "-")
        env.setdefault("POSTGRES_PASSWORD", "-")
        super().__init__(env)
        refuse_db_functions(self.datastore)
        self.datastore = LogDatastore(url)

    def env_create_table(self) -> bool:
        """Never: workers do not run DDL (48 constructions at once: 31 failed)."""
        return False

    def application_recorder(self) -> LogRecorder:
        assert isinstance(self.datastore, LogDatastore)
        return LogRecorder(self.datastore, log=self.env.name)


def library_switches() -> dict[str, str]:
    """What the process's environment says to the library about the one switch that would break the log.

    We configure the library ourselves and read nothing else of its environment; whoever set this expects it to work.
    """
    return {name: value for name, value in os.environ.items() if name.endswith("POSTGRES_ENABLE_DB_FUNCTIONS")}


def refuse_db_functions(datastore: PostgresDatastore) -> None:
    """`enable_db_functions` skips the lock (subscribers miss events), the right table and every hook."""
    if datastore.enable_db_functions:
        raise UnsafeConfiguration("POSTGRES_ENABLE_DB_FUNCTIONS must be off: it breaks the order of events")


def _row(values: tuple[Any, ...]) -> StoredRow:
    return StoredRow.of((*values[:4], values[4].encode(), *values[5:]))


def _translate(error: psycopg.Error) -> Exception | None:
    """Our own error for what the append refused; None when the connection was lost and a retry is in order."""
    state, detail = error.sqlstate, error.diag.message_detail
    if state == "AN001":
        told = msgspec.json.decode(detail or "{}")
        return StreamConflict(UUID(told["stream"]), told["expected"], told["actual"])
    if state == "AN002":
        told = msgspec.json.decode(detail or "{}")
        ends = told["ends"]
        return ClaimConflict(
            told["resource"], told["holder"], moment(told["starts"]), None if ends is None else moment(ends)
        )
    if state in ("AN003", "AN004"):
        return WrongLogMode(error.diag.message_primary or "")
    if state in ("55P03", "57014"):
        return LogUnavailable("the log was busy for too long; nothing was written")
    if state in ("22021", "22P05"):
        return InvalidEvent(f"text that PostgreSQL cannot hold: {error.diag.message_primary}")
    if state in ("42P01", "3F000", "42883"):
        return SchemaNotMigrated("the log's schema is not there: run the migration command first")
    if (state or "")[:2] in ("53", "58"):
        return LogUnavailable(f"the log's database is short of resources: {error}")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and (state or "57P01")[:2] in ("57", "08"):
        return None
    if state == "26000":
        return None
    return LogError(f"the database refused: {error}")
