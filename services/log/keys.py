"""The key store: one data key per owner, wrapped by the key-encryption key, in a database or file of its own."""

from __future__ import annotations

import base64
import os
import sqlite3
import time
import unicodedata
from collections.abc import Iterable, Sequence
from importlib.resources import files
from threading import Lock
from typing import Any, Protocol
from uuid import UUID

import psycopg

from domain.kernel import derived_id
from services.log.connections import Connections
from services.log.key_encryption import KekError, KekProvider
from services.log.migrations import begin_migration, statements
from services.log.sealing import DATA_KEY_BYTES, DataKey
from services.log.shapes import LogError, LogUnavailable
from services.log.urls import kind_of, libpq_url, sqlite_path

EPOCH_CHECK_S = 1.0
"""How old a process's knowledge of destroyed keys may be, in seconds."""


class KeyDestroyed(LogError):
    """Something was to be sealed for an owner whose key has been destroyed (an erased patient)."""


class KeyStore:
    """Makes, finds and destroys data keys. Safe for all threads of a process; made after the fork or carried over it.

    A key is committed here before it is first used, so no event can name a key that was lost in a crash.
    """

    def __init__(self, url: str, provider: KekProvider, *, epoch_check_s: float = EPOCH_CHECK_S) -> None:
        self._rows: _Rows = _SqliteRows(url) if kind_of(url) == "sqlite" else _PostgresRows(url)
        self._provider = provider
        self._epoch_check_s = epoch_check_s
        self._lock = Lock()
        self._in_use: dict[UUID, DataKey] = {}
        self._by_id: dict[str, DataKey | None] = {}
        self._epoch = -1
        self._checked = 0.0

    def sealing_key(self, owner: UUID) -> DataKey:
        """The key to seal with for `owner`, made (and committed) if there is none. Raises KeyDestroyed, KekError."""
        self._drop_destroyed()
        in_use = self._in_use
        key = in_use.get(owner)
        if key is None:
            key = in_use[owner] = self._find_or_make(owner)
        return key

    def opening_key(self, key_id: str) -> DataKey | None:
        """The key named `key_id`, or None when it has been destroyed (or never was here)."""
        self._drop_destroyed()
        known = self._by_id
        if key_id not in known:
            known.update(self._fetch([key_id]))
        return known[key_id]

    def preload(self, key_ids: Iterable[str]) -> None:
        """Fetches many keys at once (a page of a directory)."""
        self._drop_destroyed()
        known = self._by_id
        wanted = [key_id for key_id in set(key_ids) if key_id not in known]
        for start in range(0, len(wanted), 500):
            known.update(self._fetch(wanted[start : start + 500]))

    def destroy(self, owner: UUID, *, by: str, reason: str) -> int:
        """Destroys every key of `owner`, for ever, in every process within `EPOCH_CHECK_S`; how many there were.

        Nothing can be sealed for that owner again, even if it never had a key.
        """
        now_us = time.time_ns() // 1000
        destroyed = self._rows.execute(
            ("UPDATE data_keys SET wrapped = NULL, destroyed_us = ?, destroyed_by = ?, reason = ? "
             "WHERE owner = ? AND destroyed_us IS NULL", (now_us, by, reason, str(owner))),
            ("INSERT INTO data_keys (key_id, owner, kek_id, created_us, destroyed_us, destroyed_by, reason) "
             "SELECT ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM data_keys WHERE owner = ?)",
             (f"none:{owner}", str(owner), self._provider.kek_id, now_us, now_us, by, reason, str(owner))),
            ("UPDATE key_epoch SET epoch = epoch + 1", ()),
        )[0]
        self._rows.scrub()
        self._checked = 0.0
        self._drop_destroyed()
        return destroyed

    def destroyed(self, owner: UUID) -> bool:
        """Whether `owner` had keys and has none left."""
        rows = self._rows.query(
            "SELECT count(*), sum(CASE WHEN destroyed_us IS NULL THEN 1 ELSE 0 END) FROM data_keys WHERE owner = ?",
            (str(owner),),
        )
        return bool(rows[0][0]) and not rows[0][1]

    def rewrap(self) -> int:
        """Wraps every key that an older KEK holds with the provider's present one (rotation); how many."""
        done = 0
        for key_id, owner, wrapped, kek_id in self._rows.query(
            "SELECT key_id, owner, wrapped, kek_id FROM data_keys WHERE wrapped IS NOT NULL AND kek_id <> ?",
            (self._provider.kek_id,),
        ):
            secret = self._unwrap(owner, wrapped, kek_id, key_id)
            done += self._rows.execute((
                "UPDATE data_keys SET wrapped = ?, kek_id = ? WHERE key_id = ? AND wrapped IS NOT NULL",
                (self._wrap(UUID(owner), secret), self._provider.kek_id, key_id),
            ))[0]
        return done

    def close(self) -> None:
        self._rows.close()

    # --- inside ---

    def _drop_destroyed(self) -> None:
        """Forgets all cached keys once any process has destroyed one.

        The dicts are replaced, not cleared: a thread that fetched a key before its destruction puts it into a dict
        that nobody reads any more.
        """
        if time.monotonic() - self._checked < self._epoch_check_s:
            return
        with self._lock:
            epoch = self._rows.query("SELECT epoch FROM key_epoch", ())[0][0]
            if epoch != self._epoch:
                self._in_use = {}
                self._by_id = {}
                self._epoch = epoch
            self._checked = time.monotonic()

    def _fetch(self, key_ids: Sequence[str]) -> dict[str, DataKey | None]:
        marks = ", ".join("?" * len(key_ids))
        found: dict[str, DataKey | None] = dict.fromkeys(key_ids)
        for key_id, owner, wrapped, kek_id in self._rows.query(
            f"SELECT key_id, owner, wrapped, kek_id FROM data_keys WHERE key_id IN ({marks})", tuple(key_ids)
        ):
            if wrapped is not None:
                found[key_id] = DataKey(UUID(owner), self._unwrap(owner, wrapped, kek_id, key_id))
        return found

    def _find_or_make(self, owner: UUID) -> DataKey:
        key = self._find(owner)
        if key is not None:
            return key
        secret = os.urandom(DATA_KEY_BYTES)
        self._rows.execute((
            "INSERT INTO data_keys (key_id, owner, wrapped, kek_id, created_us) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (DataKey(owner, secret).key_id, str(owner), self._wrap(owner, secret), self._provider.kek_id,
             time.time_ns() // 1000),
        ))
        key = self._find(owner)
        if key is None:
            raise KeyDestroyed(f"the key of {owner} was destroyed")
        return key

    def _find(self, owner: UUID) -> DataKey | None:
        rows = self._rows.query(
            "SELECT key_id, owner, wrapped, kek_id FROM data_keys WHERE owner = ? ORDER BY destroyed_us IS NULL DESC",
            (str(owner),),
        )
        if not rows:
            return None
        key_id, text, wrapped, kek_id = rows[0]
        if wrapped is None:
            raise KeyDestroyed(f"the key of {owner} was destroyed; nothing more can be sealed for it")
        return DataKey(owner, self._unwrap(text, wrapped, kek_id, key_id))

    def _wrap(self, owner: UUID, secret: bytes) -> str:
        return base64.b64encode(self._provider.wrap(secret, _context(owner))).decode("ascii")

    def _unwrap(self, owner: str, wrapped: str, kek_id: str, key_id: str) -> bytes:
        secret = self._provider.unwrap(base64.b64decode(wrapped), _context(UUID(owner)), kek_id)
        if DataKey(UUID(owner), secret).key_id != key_id:
            raise KekError(f"data key {key_id} does not fit its commitment: the key store was altered")
        return secret


def _context(owner: UUID) -> bytes:
    return b"anodyne/data-key/1" + owner.bytes


class BlindIndex:
    """Finds a sealed value without opening it: a keyed hash per field, held only by the directory projection."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def of(self, field: str, *values: str) -> str:
        """The index of `values` (several: compound, e.g. surname with birth date) in `field`."""
        folded = [" ".join(unicodedata.normalize("NFKC", value).casefold().split()) for value in values]
        key = self._keys.sealing_key(derived_id("blind_index", field))
        return key.index("\x1f".join(folded))


# --- rows ----------------------------------------------------------------------------------------


class _Rows(Protocol):
    """The few statements of the key store, on either database. `?` marks parameters."""

    def query(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]: ...
    def execute(self, *work: tuple[str, tuple[Any, ...]]) -> list[int]: ...
    def scrub(self) -> None: ...
    def close(self) -> None: ...


class _SqliteRows:
    def __init__(self, url: str) -> None:
        self._path = sqlite_path(url)
        self._connections = Connections(self._connect, reusable=lambda connection: not connection.in_transaction)

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise LogUnavailable(f"no key store at {self._path}: run the migration command first")
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
        return connection

    def query(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._connections.lend() as connection:
            return connection.execute(sql, parameters).fetchall()

    def execute(self, *work: tuple[str, tuple[Any, ...]]) -> list[int]:
        with self._connections.lend() as connection:
            connection.execute("BEGIN IMMEDIATE")
            counts = [connection.execute(sql, parameters).rowcount for sql, parameters in work]
            connection.execute("COMMIT")
            return counts

    def scrub(self) -> None:
        """Overwrites what the write-ahead log still holds of a destroyed key."""
        with self._connections.lend() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._connections.close()


class _PostgresRows:
    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._connections = Connections(self._connect, reusable=lambda connection: False)

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(
                self._url, autocommit=True, connect_timeout=5,
                options="-c synchronous_commit=on -c statement_timeout=10s",
            )
        except psycopg.OperationalError as error:
            raise LogUnavailable("the key store cannot be reached") from error

    def query(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        for attempt in range(2):
            try:
                with self._connections.lend() as connection:
                    return connection.execute(sql.replace("?", "%s"), parameters).fetchall()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self._connections.close()
                if attempt:
                    raise LogUnavailable("the key store cannot be reached") from error
        raise AssertionError("unreachable")

    def execute(self, *work: tuple[str, tuple[Any, ...]]) -> list[int]:
        """All statements are such that running them twice does no harm, so a lost connection is tried again."""
        for attempt in range(2):
            try:
                with self._connections.lend() as connection, connection.transaction():
                    return [
                        connection.execute(sql.replace("?", "%s"), parameters).rowcount
                        for sql, parameters in work
                    ]
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self._connections.close()
                if attempt:
                    raise LogUnavailable("the key store cannot be reached") from error
        raise AssertionError("unreachable")

    def scrub(self) -> None:
        """Removes the row version that held the wrapped key; write-ahead log and backups age out by themselves."""
        with self._connections.lend() as connection:
            connection.execute("VACUUM data_keys")

    def close(self) -> None:
        self._connections.close()


def migrate_keys(url: str) -> bool:
    """Makes the key store's tables if they are missing, under a lock; whether it did."""
    script = (files("services.log") / "schema" / "keys" / "0001_keys.sql").read_text("utf-8")
    if kind_of(url) == "sqlite":
        return _migrate_sqlite_keys(url, script)
    with psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=10) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(4713, 1)")
        row = connection.execute("SELECT to_regclass('data_keys')").fetchone()
        if row is not None and row[0] is not None:
            return False
        connection.execute(script)
        return True


def _migrate_sqlite_keys(url: str, script: str) -> bool:
    path = sqlite_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with begin_migration(path) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'data_keys'").fetchone():
            return False
        for statement in statements(script):
            connection.execute(statement)
        return True
