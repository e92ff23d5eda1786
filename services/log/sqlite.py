"""The log on SQLite: the library's recorder in BEGIN IMMEDIATE, doing in Python what the plpgsql function does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Notification, ProgrammingError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
)
from eventsourcing.utils import Environment

from domain.kernel import Claim, Release
from services.log.connections import Connections, Turns
from services.log.leaf import common_part, leaf_hash
from services.log.mapper import micros, moment
from services.log.rows import COLUMNS, FOREVER_US, Commit, CommitResult, Query, StoredRow, plain_commit
from services.log.shapes import ClaimConflict, LogUnavailable, SchemaNotMigrated, StreamConflict, WrongLogMode

BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for another process's commit, in seconds."""


class LogDatastore(SQLiteDatastore):
    """The library's datastore on connections of our own: readers never queue behind a waiting writer."""

    def __init__(self, path: Path, *, limit: int = 64) -> None:
        self.path = path
        self._turns = Turns(wait_s=BUSY_TIMEOUT_S)
        self.connections: Connections[sqlite3.Connection] = Connections(self._connect, reusable=_reusable, limit=limit)
        super().__init__(db_name=str(path))

    def _connect(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise SchemaNotMigrated(f"no log at {self.path}: run the migration command first")
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA cache_size=-16000")
        journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
        if (journal, synchronous) != ("wal", 2):
            raise SchemaNotMigrated(f"{self.path} is in journal mode {journal}, synchronous {synchronous}")
        return connection

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """BEGIN IMMEDIATE for writers, so that reading before writing cannot fail half way; BEGIN for readers."""
        with self._turns.take() if commit else nullcontext(), self.connections.lend() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE" if commit else "BEGIN")
            except sqlite3.OperationalError as error:
                raise LogUnavailable("the log was busy for too long; nothing was written") from error
            try:
                yield SQLiteCursor(connection.cursor())
                connection.execute("COMMIT" if commit else "ROLLBACK")
            except sqlite3.OperationalError as error:
                raise LogUnavailable(f"the log could not be written: {error}") from error
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def get_connection(self, *, commit: bool) -> Iterator[SQLiteConnection]:
        """The library's own view of a connection."""
        with self.connections.lend() as connection:
            yield SQLiteConnection(sqlite_conn=connection, max_age=None)

    def close(self) -> None:
        with suppress(AttributeError):
            self.connections.close()


def _reusable(connection: sqlite3.Connection) -> bool:
    return not connection.in_transaction


class LogRecorder(SQLiteApplicationRecorder):
    """Positions are our own dense integers, given under the write lock; the rest as on PostgreSQL."""

    datastore: LogDatastore

    def __init__(self, datastore: LogDatastore, *, log: str) -> None:
        super().__init__(datastore, events_table_name=f"{log}_events")
        self.log = log
        self.insert_events_statement = (
            f"INSERT INTO {log}_events ({COLUMNS}) VALUES ({', '.join('?' * (COLUMNS.count(',') + 1))})"
        )
        self._select = f"SELECT {COLUMNS} FROM {log}_events "

    def construct_create_table_statements(self) -> list[str]:
        return []

    def create_table(self) -> None:
        """The schema is migrated by numbered SQL under a lock, never by a constructor."""
        raise ProgrammingError("the log's tables are made by the migration command")

    # --- writing ---

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Inside the transaction; the same steps in the same order as log.<log>_append."""
        asked: Commit | None = kwargs.get("commit")
        commit = asked or plain_commit(stored_events)
        commit.result = _Appending(self.log, c.sqlite_cursor, commit, self.insert_events_statement).run(stored_events)
        if asked is not None or commit.result.replayed:
            return None
        return range(commit.result.first, commit.result.last + 1)

    def insert_all(self, work: Sequence[tuple[Commit, Sequence[StoredEvent]]]) -> None:
        """Several appends in one transaction (group commit). All or none."""
        with self.datastore.transaction(commit=True) as cursor:
            for commit, stored_events in work:
                self._insert_events(cursor, stored_events, commit=commit)

    def purge_idempotency(self, before_us: int) -> int:
        """Forgets answers from before then, never those of the last 30 days."""
        oldest_kept = time.time_ns() // 1000 - 30 * 86_400_000_000
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(
                f"DELETE FROM {self.log}_idempotency WHERE recorded_us < ?", (min(before_us, oldest_kept),)
            )
            return cursor.sqlite_cursor.rowcount

    # --- reading ---

    def select_events(
        self, originator_id: UUID | str, *, gt: int | None = None, lte: int | None = None, desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One stream, with its envelopes."""
        return self.select_rows(
            "stream_id = ? AND version > ? AND version <= ?",
            (originator_id, gt or 0, lte if lte is not None else 2_147_483_647),
            order="version DESC" if desc else "version", limit=limit,
        )

    def select_notifications(
        self, start: int | None, limit: int, stop: int | None = None, topics: Sequence[str] = (), *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log in order of position."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        condition = "position > ?"
        parameters: list[Any] = [after]
        if stop is not None:
            condition, parameters = condition + " AND position <= ?", [*parameters, stop]
        if topics:
            condition += f" AND name IN ({', '.join('?' * len(topics))})"
            parameters = [*parameters, *topics]
        return self.select_rows(condition, tuple(parameters), order="position", limit=limit)

    def select_rows(
        self, condition: str, parameters: tuple[Any, ...], *, order: str, limit: int | None = None
    ) -> list[StoredRow]:
        """Rows under `condition` (our own SQL, never a caller's text; `%s` marks parameters as well)."""
        statement = self._select + f"WHERE {condition} ORDER BY {order}" + (" LIMIT ?" if limit is not None else "")
        if limit is not None:
            parameters = (*parameters, limit)
        return [_row(values) for values in self.query(statement, parameters)]

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Any read of ours: a single statement, so it sees one state of the log."""
        plain = tuple(str(value) if isinstance(value, UUID) else value for value in parameters)
        with self.datastore.connections.lend() as connection:
            try:
                return connection.execute(statement.replace("%s", "?").replace("log.", ""), plain).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    raise SchemaNotMigrated("the log's schema is not there: run the migration command first") from error
                raise LogUnavailable(f"the log could not be read: {error}") from error

    @contextmanager
    def snapshot(self) -> Iterator[Query]:
        """Queries that all see one state of the log."""
        with self.datastore.transaction(commit=False) as cursor:
            yield lambda statement, parameters=(): cursor.sqlite_cursor.execute(
                statement.replace("%s", "?").replace("log.", ""), parameters
            ).fetchall()

    def max_notification_id(self) -> int | None:  # type: ignore[override]
        """None while the log is empty (as the library's does, whatever its annotation says)."""
        found: int | None = self.query(f"SELECT max(position) FROM {self.log}_events")[0][0]
        return found


class LogFactory(SQLiteFactory):
    """The library's factory, building our datastore and recorder."""

    def __init__(self, env: Environment, path: Path) -> None:
        env.setdefault("SQLITE_DBNAME", str(path))
        super().__init__(env)
        self.datastore = LogDatastore(path)

    def env_create_table(self) -> bool:
        """Never: workers do not run DDL."""
        return False

    def application_recorder(self) -> LogRecorder:
        assert isinstance(self.datastore, LogDatastore)
        return LogRecorder(self.datastore, log=self.env.name)


class _Appending:
    """One append under the write lock."""

    def __init__(self, log: str, cursor: sqlite3.Cursor, commit: Commit, insert: str) -> None:
        self._log = log
        self._cursor = cursor
        self._commit = commit
        self._insert = insert

    def run(self, stored_events: Sequence[StoredEvent]) -> CommitResult:
        replay = self._replay()
        if replay is not None:
            return replay
        last, recorded_us = self._clock(stored_events)
        self._check_unchanged()
        versions = self._advance_heads()
        position = self._write(stored_events, last, recorded_us, versions)
        for release in self._commit.releases:
            self._release(release, last + 1)
        for claim in self._commit.claims:
            self._claim(claim, last + 1)
        self._keep_answer(last + 1, position, recorded_us)
        return CommitResult(last + 1, position, recorded_us, versions, False, self._commit.status, None, None)

    def _one(self, sql: str, *parameters: Any) -> Any:
        return self._cursor.execute(sql.replace("{log}", self._log), parameters).fetchone()

    def _replay(self) -> CommitResult | None:
        asked = self._commit.idempotency
        if asked is None:
            return None
        row = self._one(
            "SELECT first_position, last_position, recorded_us, status, answer, body_hmac FROM {log}_idempotency "
            "WHERE principal = ? AND key = ?", asked.principal, asked.key,
        )
        return None if row is None else CommitResult(row[0], row[1], row[2], (), True, row[3], row[4], row[5])

    def _clock(self, stored_events: Sequence[StoredEvent]) -> tuple[int, int]:
        """The last position and the recording time: never before that of the last event."""
        row = self._one("SELECT position, recorded_us FROM {log}_events ORDER BY position DESC LIMIT 1")
        if row is None and (not stored_events or stored_events[0].topic != "system.log_opened.v1"):
            raise WrongLogMode("the log has not been opened")
        last, latest_us = row or (0, 0)
        if self._commit.clock_us is None:
            return last, max(time.time_ns() // 1000, latest_us)
        first = self._one("SELECT payload ->> '$.mode' FROM {log}_events WHERE position = 1") or self._one(
            "SELECT ? ->> '$.mode'", stored_events[0].state.decode()
        )
        if first[0] != "simulation":
            raise WrongLogMode("only a simulation log has a settable clock")
        return last, max(self._commit.clock_us, latest_us)

    def _head(self, stream_id: UUID) -> int:
        row = self._one("SELECT version FROM {log}_heads WHERE stream_id = ?", str(stream_id))
        return row[0] if row else 0

    def _check_unchanged(self) -> None:
        for stream_id, seen in self._commit.unchanged:
            actual = self._head(stream_id)
            if actual != seen:
                raise StreamConflict(stream_id, seen, actual)

    def _advance_heads(self) -> list[int]:
        versions = []
        for stream_id, expected, count in zip(
            self._commit.streams, self._commit.expected, self._commit.counts, strict=True
        ):
            head = self._head(stream_id)
            if expected not in (head, -1):
                raise StreamConflict(stream_id, expected, head)
            if head:
                self._one("UPDATE {log}_heads SET version = ? WHERE stream_id = ?", head + count, str(stream_id))
            else:
                self._one("INSERT INTO {log}_heads VALUES (?, ?)", str(stream_id), count)
            versions.append(head + count)
        return versions

    def _write(
        self, stored_events: Sequence[StoredEvent], position: int, recorded_us: int, versions: Sequence[int]
    ) -> int:
        commit, envelope = self._commit, self._commit.envelope
        clinic, subject = _text(envelope.clinic_id), _text(envelope.subject)
        ids = (_text(envelope.correlation_id), _text(envelope.causation_id), _text(envelope.command_id))
        common = common_part(
            log=self._log, recorded_us=recorded_us, clinic_id=_bytes(envelope.clinic_id),
            subject=_bytes(envelope.subject), actor=envelope.actor, role=envelope.role, origin=envelope.origin,
            correlation_id=_bytes(envelope.correlation_id), causation_id=_bytes(envelope.causation_id),
            command_id=_bytes(envelope.command_id),
        )
        clinic_seq = 0
        if clinic is not None:
            row = self._one(
                "SELECT clinic_seq FROM {log}_events WHERE clinic_id = ? ORDER BY clinic_seq DESC LIMIT 1", clinic
            )
            clinic_seq = row[0] if row else 0
        claims, rows, events = commit.claims_json, [], iter(stored_events)
        for stream_id, count, newest in zip(commit.streams, commit.counts, versions, strict=True):
            for version in range(newest - count + 1, newest + 1):
                stored = next(events)
                position += 1
                clinic_seq += clinic is not None
                leaf = leaf_hash(
                    common, position=position, clinic_seq=clinic_seq, stream_id=stream_id.bytes, version=version,
                    name=stored.topic, claims=claims, payload=stored.state,
                )
                rows.append((
                    position, str(stream_id), version, stored.topic, stored.state.decode(), recorded_us, clinic,
                    clinic_seq, subject, envelope.actor, envelope.role, envelope.origin, *ids, claims, leaf,
                ))
                claims = None
        self._cursor.executemany(self._insert, rows)
        return position

    def _release(self, release: Release, position: int) -> None:
        if release.ends is None:
            self._one("DELETE FROM {log}_claims WHERE resource = ? AND holder = ?", release.resource, release.holder)
            return
        ends_us = micros(release.ends)
        self._one(
            "DELETE FROM {log}_claims WHERE resource = ? AND holder = ? AND starts_us >= ?",
            release.resource, release.holder, ends_us,
        )
        self._one(
            "UPDATE {log}_claims SET ends_us = ?, position = ? WHERE resource = ? AND holder = ? AND ends_us > ?",
            ends_us, position, release.resource, release.holder, ends_us,
        )

    def _claim(self, claim: Claim, position: int) -> None:
        starts_us = micros(claim.starts)
        ends_us = FOREVER_US if claim.ends is None else micros(claim.ends)
        self._one("DELETE FROM {log}_claims WHERE resource = ? AND holder = ?", claim.resource, claim.holder)
        if claim.enforce:
            taken = self._cursor.execute(
                _OVERLAP.replace("{log}", self._log),
                {"resource": claim.resource, "starts": starts_us, "ends": ends_us, "capacity": claim.capacity},
            ).fetchone()
            if taken is not None:
                ends = None if taken[2] == FOREVER_US else moment(taken[2])
                raise ClaimConflict(claim.resource, taken[0], moment(taken[1]), ends)
        self._one(
            "INSERT INTO {log}_claims VALUES (?, ?, ?, ?, ?, ?)",
            claim.resource, claim.holder, starts_us, ends_us, claim.capacity, position,
        )

    def _keep_answer(self, first: int, last: int, recorded_us: int) -> None:
        asked = self._commit.idempotency
        if asked is not None:
            self._one(
                "INSERT INTO {log}_idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)", asked.principal, asked.key,
                asked.body_hmac, self._commit.status, self._commit.answer, first, last, recorded_us,
            )


_OVERLAP = """
SELECT a.holder, a.starts_us, a.ends_us
  FROM {log}_claims a
 WHERE a.resource = :resource AND a.ends_us > :starts AND a.starts_us < :ends
   AND (SELECT count(*) FROM {log}_claims b
         WHERE b.resource = a.resource AND b.ends_us > :starts
           AND b.starts_us <= max(a.starts_us, :starts) AND b.ends_us > max(a.starts_us, :starts)
       ) >= :capacity
 ORDER BY a.starts_us, a.holder LIMIT 1
"""


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _bytes(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _row(values: Sequence[Any]) -> StoredRow:
    row = list(values)
    row[1], row[4] = UUID(row[1]), row[4].encode()
    for index in (6, 8, 12, 13, 14):
        if row[index] is not None:
            row[index] = UUID(row[index])
    return StoredRow.of(row)
