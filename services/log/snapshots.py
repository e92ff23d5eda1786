"""Snapshots: folded states of long streams, so that who meets one first need not fold it from its beginning.

A snapshot is derived from the log and no part of it: anything about one that is not as it should be means that it is
passed over and the stream folded in full. It counts only while all of this holds: it was folded by this very code
(`fingerprint`), the event it was taken at is still that event (its leaf hash), and its bytes are those that were
written (its digest). Secrets are in it as they are in the log, sealed.

After the library's snapshotting (an interval per aggregate; the latest snapshot, then the later events) with what it
leaves open settled: taken outside the caller's thread, one row a stream, and no failure reaches a command.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock, Thread
from types import ModuleType
from typing import Any
from uuid import UUID

import msgspec
import structlog

import domain
from domain import clinic, diary, staff
from domain.corrections import Entry
from domain.kernel import secret_fields
from domain.patient.erasure import PatientErased
from services.log.event_log import EventLog

INTERVALS: Mapping[ModuleType, int] = {clinic: 100, staff: 100, diary: 100}
"""Whose streams get snapshots (those bounded by no day, lot, visit or course), every how many events."""

FORMAT = b"anodyne/snapshot/1"
REST_S = 60.0
"""So long the store is left alone after it failed: commands must not wait for what they do not need."""

logger = structlog.get_logger("anodyne.snapshots")


class Unsealed(Exception):
    """A state holds a secret in the clear; no snapshot of it is taken. (What comes out of the log never does.)"""


class Unusable(Exception):
    """A stored snapshot is not what was written."""


class Taken(msgspec.Struct, frozen=True):
    """A stream's state at a version, as its events up to there fold to it."""

    state: Any
    version: int


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """`same` snapshots are what their events fold to; `wrong` streams' were not; the rest was of no use any more."""

    same: int
    wrong: tuple[UUID, ...]
    unusable: int


class Snapshots:
    """One per process and log. Nothing here raises but `check`; `intervals` are as `INTERVALS`."""

    def __init__(self, log: EventLog, intervals: Mapping[Any, int] = INTERVALS) -> None:
        self._log = log
        self._kinds = {aggregate: _Kind(aggregate, every) for aggregate, every in intervals.items()}
        self._table = f"log.{log.log}_snapshots"
        self._events = f"log.{log.log}_events"
        self._busy = Lock()
        self._thread: Thread | None = None
        self._resting_until = 0.0

    # --- loading ---

    def latest(self, aggregate: Any, stream_id: UUID) -> Taken | None:
        """The stream's last snapshot; None when there is none of any use."""
        kind = self._kinds.get(aggregate)
        if kind is None or time.monotonic() < self._resting_until:
            return None
        try:
            return self._read(kind, stream_id)
        except Unusable as error:
            logger.warning("snapshots.unusable", kind=kind.name, error=type(error.__cause__ or error).__name__)
        except Exception as error:
            self._failed("load", kind.name, error)
        return None

    def _read(self, kind: _Kind, stream_id: UUID) -> Taken | None:
        """None when there is none, or it is of another code or history. Raises Unusable, LogError."""
        rows = self._log.recorder.query(
            f"SELECT s.version, s.digest, s.payload FROM {self._table} s "
            f"JOIN {self._events} e ON e.stream_id = s.stream_id AND e.version = s.version "
            "AND e.leaf_hash = s.leaf_hash WHERE s.stream_id = %s AND s.kind = %s AND s.fingerprint = %s",
            (stream_id, kind.name, kind.fingerprint),
        )
        try:
            return self._decoded(kind, stream_id, *rows[0]) if rows else None
        except Unusable:
            raise
        except Exception as error:
            raise Unusable("not a snapshot of this form") from error

    def _decoded(self, kind: _Kind, stream_id: UUID, version: int, digest: bytes, payload: bytes) -> Taken:
        """Raises Unusable, and whatever reading something else than a snapshot raises."""
        if bytes(digest) != _digest(kind, stream_id, version, payload):
            raise Unusable("the bytes are not those that were written")
        stored = kind.stored.decode(zlib.decompress(payload))
        state = kind.state.decode(stored.state)
        read = self._log.mapper.decode
        entries = tuple([
            Entry(one.version, read(one.name, one.event)[1], one.struck, one.amended)
            for one in stored.entries
        ])
        if (state.stream_id, state.version) != (stream_id, version):
            raise Unusable("the state of another stream or version")
        return Taken(msgspec.structs.replace(state, entries=entries), version)

    # --- taking ---

    def offer(self, aggregate: Any, stream_id: UUID, state: Any, *, before: int, version: int) -> None:
        """`state` is the stream's at `version`, where it was known at `before`: taken if it passed an interval, in a
        thread of its own, one at a time; while that is busy others are left for the next interval."""
        kind = self._kinds.get(aggregate)
        if kind is None or version // kind.every == before // kind.every or time.monotonic() < self._resting_until:
            return
        if not self._busy.acquire(blocking=False):
            return
        try:
            thread = Thread(target=self._take, args=(kind, stream_id, state), name="snapshots", daemon=True)
            thread.start()
            self._thread = thread
        except BaseException as error:  # no thread to be had: then no snapshot
            self._busy.release()
            self._failed("take", kind.name, error)
            if not isinstance(error, Exception):
                raise

    def _take(self, kind: _Kind, stream_id: UUID, state: Any) -> None:
        try:
            self.take(kind.aggregate, stream_id, state)
        except Exception as error:
            self._failed("take", kind.name, error)
        finally:
            self._busy.release()

    def take(self, aggregate: Any, stream_id: UUID, state: Any) -> bool:
        """Keeps `state` now; whether it was (not when its patient is erased). Raises Unsealed, LogError."""
        kind = self._kinds[aggregate]
        payload = kind.encoded(state)
        rows = self._log.recorder.query(
            f"INSERT INTO {self._table} "
            "(stream_id, version, kind, fingerprint, subject, leaf_hash, digest, payload) "
            "SELECT e.stream_id, e.version, %s, %s, e.subject, e.leaf_hash, %s, %s "
            f"FROM {self._events} e WHERE e.stream_id = %s AND e.version = %s AND NOT EXISTS "
            f"(SELECT 1 FROM {self._events} x WHERE x.stream_id = e.subject AND x.name = %s) "
            "ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, kind = excluded.kind, "
            "fingerprint = excluded.fingerprint, subject = excluded.subject, leaf_hash = excluded.leaf_hash, "
            "digest = excluded.digest, payload = excluded.payload RETURNING version",
            (kind.name, kind.fingerprint, _digest(kind, stream_id, state.version, payload), payload, stream_id,
             state.version, PatientErased.NAME),
        )
        return bool(rows)

    def settle(self, timeout_s: float = 5.0) -> None:
        """Waits for a snapshot that is being taken."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    # --- forgetting and checking ---

    def forget(self, subject: UUID) -> None:
        """Deletes what is kept of this patient's streams. What a failure leaves is sealed, and `check` sweeps it."""
        try:
            self._log.recorder.query(f"DELETE FROM {self._table} WHERE subject = %s RETURNING version", (subject,))
        except Exception as error:
            self._failed("forget", "diary", error)

    def check(self) -> Checked:
        """Folds every snapshot's stream anew and deletes what is not the same, or of no use. Raises LogError."""
        same, wrong, unusable = 0, [], 0
        for stream_id, kind in self._kept():
            taken = None
            if kind is not None:
                with suppress(Unusable):
                    taken = self._read(kind, stream_id)
            if kind is None or taken is None:
                unusable += 1
            elif taken.state == self._folded(kind, stream_id, taken.version):
                same += 1
                continue
            else:
                wrong.append(stream_id)
            self._log.recorder.query(
                f"DELETE FROM {self._table} WHERE stream_id = %s RETURNING version", (stream_id,)
            )
        return Checked(same=same, wrong=tuple(wrong), unusable=unusable)

    def _kept(self) -> Iterator[tuple[UUID, _Kind | None]]:
        """Every stream with a snapshot, and what folds it; None where that is unknown, or its patient erased."""
        kinds = {kind.name: kind for kind in self._kinds.values()}
        rows = self._log.recorder.query(
            f"SELECT s.stream_id, s.kind, (SELECT count(*) FROM {self._events} x "
            f"WHERE x.stream_id = s.subject AND x.name = %s) FROM {self._table} s ORDER BY s.stream_id",
            (PatientErased.NAME,),
        )
        for stream_id, kind, erased in rows:
            yield stream_id if isinstance(stream_id, UUID) else UUID(stream_id), None if erased else kinds.get(kind)

    def _folded(self, kind: _Kind, stream_id: UUID, version: int) -> Any:
        state = kind.aggregate.initial(stream_id)
        for record in self._log.read_stream(stream_id):
            if record.version <= version:
                state = kind.aggregate.evolve(state, record.version, record.event)
        return state

    def _failed(self, phase: str, kind: str, error: BaseException) -> None:
        self._resting_until = time.monotonic() + REST_S
        logger.warning("snapshots.failed", phase=phase, kind=kind, error=type(error).__name__, retry_in_s=REST_S)


# --- encoding ------------------------------------------------------------------------------------


class _StoredEntry(msgspec.Struct, frozen=True, array_like=True):
    """An entry as it stands; its event under its stable name, so that it is read as the log's are, upcast and all."""

    version: int
    name: str
    event: msgspec.Raw
    struck: bool
    amended: bool


class _Stored(msgspec.Struct, frozen=True):
    """A state; its entries apart, since an event's struct does not say which event it is."""

    state: msgspec.Raw
    entries: tuple[_StoredEntry, ...]


_encode = msgspec.json.Encoder(order="deterministic").encode


class _Kind:
    """How one aggregate's states are kept. `aggregate.State` is a frozen struct with `version` and `entries`."""

    def __init__(self, aggregate: Any, every: int) -> None:
        self.aggregate = aggregate
        self.every = every
        self.name: str = aggregate.__name__.rpartition(".")[2]
        self.fingerprint = fingerprint(aggregate.State)
        self.stored = msgspec.json.Decoder(_Stored)
        self.state = msgspec.json.Decoder(aggregate.State)

    def encoded(self, state: Any) -> bytes:
        """Raises Unsealed."""
        _require_sealed(state)
        for entry in state.entries:
            _require_sealed(entry.event)
        without = msgspec.structs.replace(state, entries=())
        entries = tuple([
            _StoredEntry(one.version, one.event.NAME, msgspec.Raw(_encode(one.event)), one.struck, one.amended)
            for one in state.entries
        ])
        return zlib.compress(_encode(_Stored(msgspec.Raw(_encode(without)), entries)), 1)


_secrets_of = cache(secret_fields)


def _require_sealed(struct: msgspec.Struct) -> None:
    for field in _secrets_of(type(struct)):
        value = getattr(struct, field)
        if any(isinstance(one, str) for one in (value.values() if isinstance(value, dict) else (value,))):
            raise Unsealed(f"{type(struct).__name__}.{field}")


def _digest(kind: _Kind, stream_id: UUID, version: int, payload: bytes) -> bytes:
    bound = b"\x00".join((FORMAT, kind.name.encode(), kind.fingerprint.encode(), stream_id.bytes, b"%d" % version))
    return sha256(bound + b"\x00" + payload).digest()


def fingerprint(state: type[msgspec.Struct]) -> str:
    """Of the format, the state's schema, and all rules of the domain as this process has them on disk.

    Not a number to be raised by hand: who forgets that once decides on states that the log does not fold to. The price
    is that after every upgrade each stream is folded in full once more.
    """
    schema = msgspec.json.encode(msgspec.json.schema(state), order="sorted")
    return sha256(FORMAT + b"\x00" + schema + b"\x00" + _rules()).hexdigest()


@cache
def _rules() -> bytes:
    folder = Path(next(iter(domain.__path__)))
    digest = sha256()
    for source in sorted(folder.rglob("*.py")) or sorted(folder.rglob("*.pyc")):
        digest.update(source.relative_to(folder).as_posix().encode() + b"\x00" + source.read_bytes() + b"\x00")
    return digest.digest()
