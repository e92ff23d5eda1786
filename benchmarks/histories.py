"""Long logs of the demo's own mix: the demo is lived once, then its commits are written again with new ids.

Every commit of the demo becomes a template: its events' JSON (sealed fields opened) cut at every id and every
date. A copy fills in fresh ids and shifted dates, decodes, and appends through `EventLog.append_all`, which seals
under new patients' keys, numbers, hashes and checks as ever; so a grown log verifies like any other. (Claims are
left out: they hold bookings apart while they are made, and all of these were made.)
"""

from __future__ import annotations

import gc
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from api.bootstrap import build_services, migrate
from api.demo.load import load as live_through_demo
from api.settings import Settings
from benchmarks.places import Ground
from domain.catalogue import EVENTS
from domain.kernel import Envelope, Recorded
from services.log import Append, EventLog, KeyUnsealer, StreamWrite

_SLOTS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # an id
    r"|(?<![\w-])(?:19|20)\d\d-\d\d-\d\d(?!\d)"  # a date, or a moment's
)
_COMMITS_AT_ONCE = 400
KEPT_KINDS = ("clinic.", "staff.")
"""Streams that a longer history of the same clinics has only once."""


@dataclass(frozen=True)
class Copy:
    """One repetition: `mask` makes fresh ids (0: the demo's own), `days` shifts every date, `kept` ids stay."""

    mask: int
    days: int = 0
    kept: frozenset[str] = frozenset()

    def filled(self, slot: str, cache: dict[str, str]) -> str:
        """An id or a date as this copy has it."""
        found = cache.get(slot)
        if found is None:
            if len(slot) == 10:
                found = (date.fromisoformat(slot) + timedelta(days=self.days)).isoformat() if self.days else slot
            elif slot in self.kept or not self.mask:
                found = slot
            else:
                found = str(UUID(int=UUID(slot).int ^ self.mask))
            cache[slot] = found
        return found


@dataclass(frozen=True)
class Template:
    """Text cut into literals and slots, in turn."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Template:
        pieces, end = [], 0
        for match in _SLOTS.finditer(text):
            pieces += [text[end : match.start()], match.group()]
            end = match.end()
        return cls((*pieces, text[end:]))

    def fill(self, copy: Copy, cache: dict[str, str]) -> str:
        parts = list(self.pieces)
        for place in range(1, len(parts), 2):
            slot = parts[place]
            parts[place] = cache.get(slot) or copy.filled(slot, cache)
        return "".join(parts)


class Entry(msgspec.Struct, frozen=True):
    stream_id: str
    version: int
    name: str
    payload: Template


class Commit(msgspec.Struct, frozen=True):
    recorded_at: datetime
    envelope: Template
    entries: tuple[Entry, ...]


@dataclass
class Original:
    """The demo, as templates. `patients` by number of events, most first; `end` is the demo's last moment."""

    commits: list[Commit]
    clinics: list[str]
    patients: list[str]
    end: datetime
    events: int

    @property
    def kept_ids(self) -> frozenset[str]:
        """Clinics, staff and whatever else their own streams name (rooms, closures)."""
        return frozenset(
            piece
            for commit in self.commits for entry in commit.entries if entry.name.startswith(KEPT_KINDS)
            for piece in (entry.stream_id, *entry.payload.pieces[1::2]) if len(piece) == 36
        )


@cache
def live_once(scale: float, seed: int = 2026) -> Original:
    """Lives the demo, in memory where there is some (nothing of it is measured), and takes it apart."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="anodyne-demo-", dir=memory if memory.is_dir() else None) as home:
        settings = Settings(home=Path(home))
        live_through_demo(settings, seed=seed, scale=scale)
        services = build_services(settings)
        try:
            return _taken_apart(services.log, services.unsealer)
        finally:
            services.close()


def _taken_apart(log: EventLog, unsealer: KeyUnsealer) -> Original:
    encode = msgspec.json.Encoder(decimal_format="string").encode
    commits: list[Commit] = []
    count: dict[str, int] = {}
    clinics, end = [], datetime(2000, 1, 1, tzinfo=UTC)
    together: list[Entry] = []
    last: Recorded | None = None
    events = 0
    for record in _all(log):
        if record.name.startswith("system."):
            continue  # one stream for all, begun by the log itself
        events += 1
        end = max(end, record.recorded_at)
        if record.name == "clinic.opened.v1":
            clinics.append(str(record.stream_id))
        if record.subject is not None:
            count[str(record.subject)] = count.get(str(record.subject), 0) + 1
        if last is not None and not _same_commit(last, record):
            commits.append(Commit(last.recorded_at, _envelope_template(last), tuple(together)))
            together = []
        text = encode(unsealer.unsealed(record)).decode()
        together.append(Entry(str(record.stream_id), record.version, record.name, Template.of(text)))
        last = record
    assert last is not None
    commits.append(Commit(last.recorded_at, _envelope_template(last), tuple(together)))
    return Original(commits, clinics, sorted(count, key=lambda one: (-count[one], one)), end, events)


def _all(log: EventLog) -> Iterator[Recorded]:
    after = 0
    while records := log.read(after, 2000):
        yield from records
        after = records[-1].position


def _same_commit(one: Recorded, other: Recorded) -> bool:
    return one.command_id is not None and (one.command_id, one.actor, one.subject, one.clinic_id, one.recorded_at) == (
        other.command_id, other.actor, other.subject, other.clinic_id, other.recorded_at
    )


def _envelope_template(record: Recorded) -> Template:
    envelope = Envelope(
        actor=record.actor, role=record.role, clinic_id=record.clinic_id, subject=record.subject,
        origin=record.origin, correlation_id=record.correlation_id,  # type: ignore[arg-type]
        causation_id=record.causation_id, command_id=record.command_id,
    )
    return Template.of(msgspec.json.encode(envelope).decode())


# --- writing -------------------------------------------------------------------------------------


class _Script:
    """A recording clock that says, call after call, when each commit was made."""

    def __init__(self) -> None:
        self.moments: list[datetime] = [datetime(2015, 1, 1, tzinfo=UTC)]

    def now(self) -> datetime:
        return self.moments.pop() if len(self.moments) > 1 else self.moments[0]


@dataclass
class Grower:
    """A simulation log on SQLite that copies are written to; `settings` is its home."""

    settings: Settings
    clock: _Script = field(default_factory=_Script)

    def __post_init__(self) -> None:
        migrate(self.settings)
        self.services = build_services(self.settings, clock=self.clock, mode="simulation")
        self._decoders = {name: msgspec.json.Decoder(event).decode for name, event in EVENTS.items()}
        self._envelope = msgspec.json.Decoder(Envelope).decode

    @property
    def head(self) -> int:
        return self.services.log.head()

    def write(
        self, original: Original, copies: Sequence[Copy], *,
        only: Callable[[Entry], bool] = lambda entry: True,
        tell: Callable[[int], None] = lambda position: None,
    ) -> None:
        """All copies side by side, in the demo's own order; entries that `only` refuses are left out."""
        gc.disable()  # nothing here is a cycle, and there is a lot of it
        caches: list[dict[str, str]] = [{} for _ in copies]
        moments: list[datetime] = []
        appends: list[Append] = []
        for commit in original.commits:
            entries = tuple(filter(only, commit.entries))
            if not entries:
                continue
            for copy, filled in zip(copies, caches, strict=True):
                appends.append(self._append(commit, entries, copy, filled))
                moments.append(commit.recorded_at + timedelta(days=copy.days))
            if len(appends) >= _COMMITS_AT_ONCE:
                self._flush(appends, moments)
                tell(self.head)
        self._flush(appends, moments)
        gc.enable()

    def _append(self, commit: Commit, entries: Iterable[Entry], copy: Copy, cache: dict[str, str]) -> Append:
        writes: list[StreamWrite] = []
        for entry in entries:
            event = self._decoders[entry.name](entry.payload.fill(copy, cache))
            stream_id = UUID(copy.filled(entry.stream_id, cache))
            if writes and writes[-1].stream_id == stream_id:
                writes[-1] = replace_events(writes[-1], event)
            else:
                writes.append(StreamWrite(stream_id, entry.version - 1, (event,)))
        return Append(writes=tuple(writes), envelope=self._envelope(commit.envelope.fill(copy, cache)))

    def _flush(self, appends: list[Append], moments: list[datetime]) -> None:
        if appends:
            self.clock.moments[1:] = reversed(moments)
            self.services.log.append_all(appends)
        appends.clear()
        moments.clear()

    def settle(self) -> None:
        """Folds the journal into the file and gathers statistics."""
        with closing(sqlite3.connect(self.settings.home / "log.sqlite3")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("ANALYZE")

    def close(self) -> None:
        """Closes the log."""
        self.services.close()


def replace_events(write: StreamWrite, event: Any) -> StreamWrite:
    """The write with one event more."""
    return msgspec.structs.replace(write, events=(*write.events, event))


def copied_to_postgresql(source: Settings, ground: Ground, stem: str) -> Settings:
    """The same log, row for row (leaves too: they are the same bytes on both), in a new PostgreSQL database."""
    target = ground.settings("postgresql", stem)
    shared = replace(target, home=source.home)
    migrate(shared)
    with (
        closing(sqlite3.connect(source.home / "log.sqlite3")) as rows,
        psycopg.connect(str(target.migration_url), autocommit=True) as connection,
    ):
        for table in ("care_events", "care_heads"):
            columns = [row[1] for row in rows.execute(f"PRAGMA table_info({table})")]
            with connection.cursor() as cursor, cursor.copy(
                f"COPY log.{table} ({', '.join(columns)}) FROM STDIN"  # type: ignore[call-overload]
            ) as copy:
                for row in rows.execute(f"SELECT {', '.join(columns)} FROM {table}"):
                    copy.write_row(row)
        for table in ("care_events", "care_heads"):
            connection.execute(f"VACUUM ANALYZE log.{table}")  # type: ignore[call-overload]
    return shared
