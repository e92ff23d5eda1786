"""The event log: appends through the library's event store, reads in order, never skips."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec
from eventsourcing.persistence import EventStore
from eventsourcing.utils import Environment

from domain.catalogue import EVENTS
from domain.kernel import Claim, Envelope, Event, Recorded, Release, Scanned, derived_id
from domain.ports import Clock
from domain.system import LogOpened
from services.log import postgres, sqlite
from services.log.key_encryption import KekProvider, file_kek
from services.log.keys import KeyStore
from services.log.mapper import LogMapper, NewEvent, micros, moment
from services.log.migrations import check_migrated
from services.log.rows import FOREVER_US, Commit, CommitResult, StoredRow
from services.log.scanning import scan_postgres, scan_sqlite
from services.log.shapes import (
    Append,
    Appended,
    Idempotency,
    IdempotencyMismatch,
    InvalidEvent,
    StreamConflict,
    StreamWrite,
    UnknownEvent,
    WrongLogMode,
)
from services.log.upcasters import UPCASTERS, Upcaster, Upcasters
from services.log.urls import kind_of, sqlite_path

LogName = Literal["care", "access"]
Mode = Literal["production", "simulation"]
SYSTEM_STREAM = derived_id("system")
MOST_RESOURCES = 200
"""Resources bound in one IN list."""


class EventLog:
    """One log (`care` or `access`). Implements `domain.ports.LogReader`. One per process, for all its threads.

    Nothing here may be made before a fork and used after it, except that connections renew themselves then.
    """

    def __init__(
        self, url: str, *, log: LogName = "care", keys: KeyStore | None = None, clock: Clock | None = None,
        events: Mapping[str, type[Event]] = EVENTS, upcasters: Iterable[Upcaster] = UPCASTERS,
    ) -> None:
        self.log: LogName = log
        self.kind = kind_of(url)
        self.keys = keys
        self.upcasters = Upcasters(upcasters, events)
        self.mapper = LogMapper(events, self.upcasters, keys)
        self._clock = clock
        factory: postgres.LogFactory | sqlite.LogFactory
        if self.kind == "postgres":
            factory = postgres.LogFactory(Environment(log, postgres.library_switches()), url)
        else:
            factory = sqlite.LogFactory(Environment(log), sqlite_path(url))
        self.recorder: postgres.LogRecorder | sqlite.LogRecorder = factory.application_recorder()
        self.store: EventStore[UUID] = EventStore(mapper=self.mapper, recorder=self.recorder)
        self._table = f"log.{log}_events"

    # --- opening ---

    def open(self, mode: Mode = "production") -> EventLog:
        """Checks the schema and writes LogOpened if the log is empty.

        Raises SchemaNotMigrated, and WrongLogMode when the log was opened in another mode, or a production log is
        given a clock of ours (there the database's counts).
        """
        if mode == "production" and self._clock is not None:
            raise WrongLogMode("a production log takes its recording clock from the database")
        check_migrated(self.kind, dict(self.recorder.query(
            "SELECT name, digest FROM log.migrations" if self.kind == "postgres"
            else "SELECT name, digest FROM log_migrations"
        )))
        opened = self.mode() or self._write_opened(mode)
        if opened != mode:
            raise WrongLogMode(f"this is a {opened} log, and the settings ask for {mode}")
        return self

    def mode(self) -> str | None:
        """`production` or `simulation`, as the log's first event says; None while it is empty."""
        first = self.read(0, 1)
        return first[0].event.mode if first and isinstance(first[0].event, LogOpened) else None

    def _write_opened(self, mode: Mode) -> str:
        now = self._clock.now() if self._clock else datetime.now().astimezone()
        opened = LogOpened(occurred_at=now, mode=mode, log=self.log)
        with suppress(StreamConflict):
            self.append(Append(
                writes=(StreamWrite(SYSTEM_STREAM, 0, (opened,)),),
                envelope=Envelope(actor="system", role="system", clinic_id=None, origin="process"),
            ))
        return self.mode() or mode

    # --- writing ---

    def append(self, append: Append) -> Appended:
        """All of it in one commit and one round trip, or nothing.

        Raises StreamConflict, ClaimConflict, IdempotencyMismatch, UnknownEvent, InvalidEvent, LogUnavailable.
        """
        new, commit = self._prepare(append)
        self.store.put(new, commit=commit)
        assert commit.result is not None
        return _appended(append, commit.result, new)

    def append_all(self, appends: Sequence[Append]) -> list[Appended]:
        """Several appends in one commit (group commit); if one fails, none is written."""
        prepared = [self._prepare(append) for append in appends]
        self.recorder.insert_all([
            (commit, [self.mapper.to_stored_event(each) for each in new])
            for new, commit in prepared
        ])
        return [
            _appended(append, commit.result, new)
            for append, (new, commit) in zip(appends, prepared, strict=True) if commit.result is not None
        ]

    def _prepare(self, append: Append) -> tuple[list[NewEvent], Commit]:
        new: list[NewEvent] = []
        subject = append.envelope.subject
        for write in append.writes:
            if not write.events:
                raise InvalidEvent(f"a write to stream {write.stream_id} without events")
            version, step = write.expected_version, 1 if write.expected_version >= 0 else 0
            for event in write.events:
                version += step
                new.append(NewEvent(write.stream_id, version, event, subject or write.stream_id))
        if (append.claims or append.releases) and not new:
            raise InvalidEvent("claims without an event: they could not be rebuilt from the log")
        return new, Commit(
            streams=[write.stream_id for write in append.writes],
            expected=[write.expected_version for write in append.writes],
            counts=[len(write.events) for write in append.writes],
            envelope=append.envelope, unchanged=append.unchanged, claims=append.claims, releases=append.releases,
            claims_json=_claims_json(append.claims, append.releases), idempotency=append.idempotency,
            answer=msgspec.json.encode(append.answer or {}).decode(), status=append.status,
            clock_us=micros(self._clock.now()) if self._clock else None,
        )

    def answer_of(self, asked: Idempotency) -> Appended | None:
        """The stored answer to an earlier request under this key; IdempotencyMismatch for another body."""
        rows = self.recorder.query(
            "SELECT first_position, last_position, recorded_us, status, answer, body_hmac "
            f"FROM log.{self.log}_idempotency WHERE principal = %s AND key = %s", (asked.principal, asked.key)
        )
        if not rows:
            return None
        first, last, recorded_us, status, answer, hmac = rows[0]
        return _replayed(asked, CommitResult(first, last, recorded_us, (), True, status, answer, bytes(hmac)))

    def purge_idempotency(self, before: datetime) -> int:
        """Forgets answers older than `before` (never younger than 30 days); how many."""
        return self.recorder.purge_idempotency(micros(before))

    # --- reading (LogReader) ---

    def head(self) -> int:
        return self.recorder.max_notification_id() or 0

    def read(
        self, after: int, limit: int, *, names: Iterable[str] | None = None, upto: int | None = None
    ) -> Sequence[Recorded]:
        topics = self.stored_names(names)
        if names is not None and not topics:
            return []
        rows = self.recorder.select_notifications(after, limit, upto, topics, inclusive_of_start=False)
        return [self.mapper.to_domain_event(row) for row in rows]

    def scan(self, after: int, limit: int, *, names: Iterable[str] | None = None) -> Sequence[Scanned]:
        topics = self.stored_names(names)
        if names is not None and not topics:
            return []
        if isinstance(self.recorder, postgres.LogRecorder):
            return scan_postgres(self.recorder, self.mapper, after, limit, topics)
        return scan_sqlite(self.recorder, self.mapper, after, limit, topics)

    def read_subject(self, subject: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        rows = self.recorder.select_rows(
            "subject = %s AND position > %s AND position <= %s", (subject, after, _bound(upto)), order="position"
        )
        return [self.mapper.to_domain_event(row) for row in rows]

    def read_stream(self, stream_id: UUID, *, after_version: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        if upto is None:
            rows: Sequence[Any] = self.recorder.select_events(stream_id, gt=after_version)
        else:
            rows = self.recorder.select_rows(
                "stream_id = %s AND version > %s AND position <= %s", (stream_id, after_version, upto), order="version"
            )
        return [self.mapper.to_domain_event(row) for row in rows]

    def first_of(self, stream_id: UUID) -> Recorded | None:
        """What began the stream; None when nothing has been written to it."""
        rows = self.recorder.select_events(stream_id, lte=1)
        return self.mapper.to_domain_event(rows[0]) if rows else None

    def position_at(self, known_at: datetime) -> int:
        """By bisection: recorded_at never decreases with position."""
        wanted, low, high = micros(known_at), 0, self.head()
        while low < high:
            middle = (low + high + 1) // 2
            rows = self.recorder.query(f"SELECT recorded_us FROM {self._table} WHERE position = %s", (middle,))
            if rows and rows[0][0] <= wanted:
                low = middle
            else:
                high = middle - 1
        return low

    def head_of(self, stream_id: UUID) -> int:
        """The version of a stream; 0 when nothing has been written to it."""
        rows = self.recorder.query(f"SELECT version FROM log.{self.log}_heads WHERE stream_id = %s", (stream_id,))
        return rows[0][0] if rows else 0

    def claims_on(self, resource: str) -> list[Claim]:
        """Who holds `resource` now or later, by start; for facts to decide by (the append decides in the end)."""
        rows = self.recorder.query(
            f"SELECT holder, starts_us, ends_us, capacity FROM log.{self.log}_claims WHERE resource = %s "
            "ORDER BY starts_us, holder", (resource,)
        )
        return [
            Claim(resource=resource, holder=holder, starts=moment(starts_us),
                  ends=None if ends_us == FOREVER_US else moment(ends_us), capacity=capacity)
            for holder, starts_us, ends_us, capacity in rows
        ]

    def claims_over(self, resources: Collection[str], starts: datetime, ends: datetime) -> list[Claim]:
        """Who holds any of `resources` at some moment of [starts, ends), by start; its cost is that of the window.

        Read from the end of claims (that is how they are indexed): what was over before `starts` is not visited.
        """
        wanted, found = sorted(set(resources)), []
        for first in range(0, len(wanted), MOST_RESOURCES):
            some = wanted[first : first + MOST_RESOURCES]
            found += self.recorder.query(
                f"SELECT resource, holder, starts_us, ends_us, capacity FROM log.{self.log}_claims "
                f"WHERE resource IN ({', '.join(['%s'] * len(some))}) AND ends_us > %s AND starts_us < %s",
                (*some, micros(starts), micros(ends)),
            )
        return [
            Claim(resource=resource, holder=holder, starts=moment(starts_us),
                  ends=None if ends_us == FOREVER_US else moment(ends_us), capacity=capacity)
            for resource, holder, starts_us, ends_us, capacity in sorted(found, key=itemgetter(2, 0, 1))
        ]

    def rows(self, after: int, limit: int, *, upto: int | None = None) -> list[StoredRow]:
        """Rows as stored, undecoded: for verifying and exporting."""
        return self.recorder.select_rows(
            "position > %s AND position <= %s", (after, _bound(upto)), order="position", limit=limit
        )

    def stored_names(self, names: Iterable[str] | None) -> Sequence[str]:
        """As stored (older versions included); empty for all."""
        if names is None:
            return ()
        known = set(self.mapper.names())
        wanted = list(names)
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise UnknownEvent(f"no event has the name {unknown[0]!r}")
        return self.upcasters.stored_names(wanted)

    def close(self) -> None:
        self.recorder.datastore.close()
        if self.keys is not None:
            self.keys.close()


def open_log(
    url: str, *, keys_url: str | None = None, home: Path | None = None, kek: KekProvider | None = None,
    log: LogName = "care", mode: Mode = "production", clock: Clock | None = None,
) -> EventLog:
    """The log at `url`, opened; for the embedded default and tests: keys in `keys_url`, their KEK in `home`."""
    keys = None
    if keys_url is not None:
        if kek is None:
            if home is None:
                raise ValueError("a key store needs a key-encryption key: give `kek` or `home`")
            kek = file_kek(home / "kek", create=True)
        keys = KeyStore(keys_url, kek)
    return EventLog(url, log=log, keys=keys, clock=clock).open(mode)


def _bound(upto: int | None) -> int:
    return 9_223_372_036_854_775_807 if upto is None else upto


def _appended(append: Append, result: CommitResult, new: Sequence[NewEvent]) -> Appended:
    if result.replayed:
        assert append.idempotency is not None
        return _replayed(append.idempotency, result)
    events: list[tuple[Event, ...]] = []
    start = 0
    for write in append.writes:
        events.append(tuple(each.stored for each in new[start : start + len(write.events)]))
        start += len(write.events)
    return Appended(
        first_position=result.first, last_position=result.last,
        versions={write.stream_id: version for write, version in zip(append.writes, result.versions, strict=True)},
        status=append.status, answer=append.answer or {}, events=tuple(events),
        recorded_at=moment(result.recorded_us),
    )


def _replayed(asked: Idempotency, result: CommitResult) -> Appended:
    if result.hmac != asked.body_hmac:
        raise IdempotencyMismatch("this idempotency key was used for another request")
    return Appended(
        first_position=result.first, last_position=result.last, versions={}, replayed=True, status=result.status,
        answer=msgspec.json.decode(result.answer or "{}"), recorded_at=moment(result.recorded_us),
    )


def _claims_json(claims: Sequence[Claim], releases: Sequence[Release]) -> str | None:
    """What the first event of a commit keeps of its claims, so that the claims table can be rebuilt."""
    if not claims and not releases:
        return None
    return msgspec.json.encode({
        "claims": [
            {"resource": claim.resource, "holder": claim.holder, "starts": micros(claim.starts),
             "ends": None if claim.ends is None else micros(claim.ends), "capacity": claim.capacity,
             "enforce": claim.enforce}
            for claim in claims
        ],
        "releases": [
            {"resource": release.resource, "holder": release.holder,
             "ends": None if release.ends is None else micros(release.ends)}
            for release in releases
        ],
    }).decode()
