"""Numbered SQL for the log, applied under one lock; safe when several processes start it at once.

On PostgreSQL the migrating role must be `anodyne_migrator` (a member of `anodyne_owner`) or a superuser; the three
roles are created here if the migrating role may, else the error says what an administrator has to run.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.log.shapes import SchemaNotMigrated
from services.log.urls import Kind, kind_of, libpq_url, sqlite_path

LOGS = ("care", "access")
"""The two logs; their order numbers their locks."""

_LOCK = 4713
_ROLES = {
    "anodyne_owner": "CREATE ROLE anodyne_owner NOLOGIN",
    "anodyne_migrator": "CREATE ROLE anodyne_migrator LOGIN IN ROLE anodyne_owner",
    "anodyne_app": "CREATE ROLE anodyne_app LOGIN",
}


class MigrationRefused(RuntimeError):
    """The database cannot take the log's schema as it is; the message says what to do."""


class Step(msgspec.Struct, frozen=True):
    """One numbered file for one log."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """Of the text as applied: a file must not change once it has been released."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def steps(kind: Kind) -> list[Step]:
    """All steps in order: each file for each log. `{log}` and `{lock}` are filled in."""
    directory = files("services.log") / "schema" / kind
    names = sorted(entry.name for entry in directory.iterdir() if entry.name.endswith(".sql"))
    found = []
    for name in names:
        text = (directory / name).read_text("utf-8")
        for number, log in enumerate(LOGS, 1):
            found.append(Step(f"{name}:{log}", text.replace("{log}", log).replace("{lock}", str(number))))
    return found


def migrate(url: str) -> list[str]:
    """Brings the log's schema up to date; the names of the steps applied (none when it was).

    Raises MigrationRefused when the database is newer than this program, a released step was edited, the encoding
    is not UTF-8, or roles are missing and may not be created.
    """
    return _migrate_sqlite(url) if kind_of(url) == "sqlite" else _migrate_postgres(url)


def check_migrated(kind: Kind, applied: dict[str, str]) -> None:
    """Raises SchemaNotMigrated unless exactly the known steps are applied."""
    if _pending(kind, applied):
        raise SchemaNotMigrated("the log's schema is not up to date: run `anodyne db migrate`")


def _pending(kind: Kind, applied: dict[str, str]) -> list[Step]:
    known = steps(kind)
    newer = set(applied) - {step.name for step in known}
    if newer:
        raise MigrationRefused(f"the database is newer than this program: {', '.join(sorted(newer))}")
    for step in known:
        if step.name in applied and applied[step.name] != step.digest:
            raise MigrationRefused(f"{step.name} was edited after it had been applied")
    return [step for step in known if step.name not in applied]


# --- SQLite --------------------------------------------------------------------------------------


def _migrate_sqlite(url: str) -> list[str]:
    path = sqlite_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with begin_migration(path) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS log_migrations (name TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID"
        )
        applied = dict(connection.execute("SELECT name, digest FROM log_migrations"))
        pending = _pending("sqlite", applied)
        for step in pending:
            for statement in statements(step.sql):
                connection.execute(statement)
            connection.execute("INSERT INTO log_migrations VALUES (?, ?)", (step.name, step.digest))
    return [step.name for step in pending]


@contextmanager
def begin_migration(path: Path) -> Iterator[sqlite3.Connection]:
    """A write transaction on the file at `path` in WAL mode; committed unless the block raises."""
    path.touch(mode=0o600, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        _retry_locked(lambda: connection.execute("PRAGMA journal_mode=WAL"))
        connection.execute("PRAGMA synchronous=FULL")
        _retry_locked(lambda: connection.execute("BEGIN IMMEDIATE"))
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _retry_locked(action: Callable[[], Any], *, attempts: int = 200) -> None:
    """Switching to WAL does not honour the busy timeout when several processes do it at once."""
    for attempt in range(attempts):
        try:
            action()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == attempts - 1:
                raise
            time.sleep(random.uniform(0.005, 0.05))


def statements(script: str) -> Iterator[str]:
    """The statements of an SQLite script, triggers whole (executescript would commit our transaction)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            if statement.strip():
                yield statement
            statement = ""


# --- PostgreSQL ----------------------------------------------------------------------------------


def _migrate_postgres(url: str) -> list[str]:
    with psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=10) as connection:
        _check_encoding(connection)
        connection.execute("SELECT pg_advisory_lock(%s, 0)", (_LOCK,))
        try:
            _ensure_roles(connection)
            with connection.transaction():
                return _apply_postgres(connection)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s, 0)", (_LOCK,))


def _check_encoding(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SHOW server_encoding").fetchone()
    if row is None or row[0] != "UTF8":
        raise MigrationRefused("the database must be created with ENCODING 'UTF8' (leaf hashes are over UTF-8)")


def _ensure_roles(connection: psycopg.Connection[Any]) -> None:
    """Roles belong to the whole cluster, the lock to one database: another may create them at the same moment."""
    for role, statement in _ROLES.items():
        for attempt in range(10):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                break
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                wanted = "; ".join(_ROLES.values())
                raise MigrationRefused(f"role {role} is missing; as an administrator run: {wanted}") from None
            except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
                time.sleep(0.05 * (attempt + 1))


def _apply_postgres(connection: psycopg.Connection[Any]) -> list[str]:
    connection.execute("SET LOCAL lock_timeout = '60s'")
    exists = connection.execute("SELECT to_regclass('log.migrations')").fetchone()
    if exists is None or exists[0] is None:
        _bootstrap_postgres(connection)
    connection.execute("SET LOCAL ROLE anodyne_owner")
    applied = dict(connection.execute("SELECT name, digest FROM log.migrations").fetchall())
    pending = _pending("postgres", applied)
    for step in pending:
        connection.execute(step.sql)
        connection.execute("INSERT INTO log.migrations (name, digest) VALUES (%s, %s)", (step.name, step.digest))
    return [step.name for step in pending]


def _bootstrap_postgres(connection: psycopg.Connection[Any]) -> None:
    """Schemas, as the migrating role (only it may create them); what is in `log` belongs to anodyne_owner."""
    try:
        connection.execute("CREATE SCHEMA IF NOT EXISTS log")
        connection.execute("GRANT ALL ON SCHEMA log TO anodyne_owner")
        connection.execute("GRANT USAGE ON SCHEMA log TO anodyne_app")
        connection.execute("CREATE SCHEMA IF NOT EXISTS views")
        connection.execute("GRANT USAGE, CREATE ON SCHEMA views TO anodyne_app, anodyne_owner")
    except psycopg.errors.InsufficientPrivilege:
        raise MigrationRefused(
            "the migrating role may not create schemas: GRANT CREATE ON DATABASE ... TO anodyne_migrator"
        ) from None
    connection.execute("SET LOCAL ROLE anodyne_owner")
    connection.execute("CREATE TABLE log.migrations (name text PRIMARY KEY, digest text NOT NULL)")
    connection.execute("GRANT SELECT ON log.migrations TO anodyne_app")
