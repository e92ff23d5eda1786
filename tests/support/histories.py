"""Histories for the read side's tests: real events put straight into an in-memory log, without deciding anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.catalogue import EVENTS
from domain.kernel import Event, Recorded, Scanned

START = datetime(2026, 1, 1, tzinfo=UTC)


def uid(number: int, kind: int = 0) -> UUID:
    """A readable id: kind and number."""
    return UUID(int=(kind << 96) | number)


class History:
    """An in-memory log: `domain.ports.LogReader` over what `add` was given, one position each."""

    def __init__(self) -> None:
        self.records: list[Recorded] = []
        self._versions: dict[UUID, int] = defaultdict(int)
        self._clinic_seq: dict[UUID | None, int] = defaultdict(int)

    def add(
        self, name: str, stream: UUID, at: datetime, *, clinic: UUID | None = None, subject: UUID | None = None,
        recorded: datetime | None = None, **fields: Any,
    ) -> int:  # fmt: skip
        """Appends one event; the entry's version in its stream."""
        return self.append(EVENTS[name](occurred_at=at, **fields), stream, clinic, subject, recorded)

    def append(
        self, event: Event, stream: UUID, clinic: UUID | None = None, subject: UUID | None = None,
        recorded: datetime | None = None,
    ) -> int:  # fmt: skip
        """Appends `event`; recorded when it occurred, or later, but never before the event before it."""
        self._versions[stream] += 1
        self._clinic_seq[clinic] += 1
        last = self.records[-1].recorded_at if self.records else START - timedelta(days=9_999)
        self.records.append(Recorded(
            position=len(self.records) + 1, stream_id=stream, version=self._versions[stream], name=event.NAME,
            event=event, occurred_at=event.occurred_at, recorded_at=max(last, recorded or event.occurred_at),
            actor="nurse-1", role="nurse", clinic_id=clinic, clinic_seq=self._clinic_seq[clinic], subject=subject,
            origin="entered", correlation_id=None, causation_id=None, command_id=None, leaf_hash=b"",
        ))  # fmt: skip
        return self._versions[stream]

    def amend(self, stream: UUID, entry: int, at: datetime, sealed: Any = None, **corrections: Any) -> int:
        """Amends entry `entry`, under the envelope of the entry."""
        old = self._entry(stream, entry)
        return self.add(
            "entry.amended.v1", stream, at, clinic=old.clinic_id, subject=old.subject, entry=entry,
            entry_name=old.name, corrections=corrections, sealed=sealed or {}, reason_code="typing_error",
        )  # fmt: skip

    def strike(self, stream: UUID, entry: int, at: datetime) -> int:
        """Strikes entry `entry`."""
        old = self._entry(stream, entry)
        return self.add(
            "entry.struck.v1", stream, at, clinic=old.clinic_id, subject=old.subject, entry=entry,
            entry_name=old.name, reason_code="did_not_happen",
        )  # fmt: skip

    def _entry(self, stream: UUID, entry: int) -> Recorded:
        return next(one for one in self.records if one.stream_id == stream and one.version == entry)

    # --- LogReader ---------------------------------------------------------------------------------

    def head(self) -> int:
        return len(self.records)

    def read(
        self, after: int, limit: int, *, names: Iterable[str] | None = None, upto: int | None = None
    ) -> Sequence[Recorded]:
        wanted = None if names is None else set(names)
        found = self.records[after : upto if upto is not None else len(self.records)]
        return [one for one in found if wanted is None or one.name in wanted][:limit]

    def scan(self, after: int, limit: int, *, names: Iterable[str] | None = None) -> Sequence[Scanned]:
        return [scanned(one) for one in self.read(after, limit, names=names)]

    def read_subject(self, subject: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        return [one for one in self.read(after, len(self.records), upto=upto) if one.subject == subject]

    def read_stream(self, stream_id: UUID, *, after_version: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        found = self.read(0, len(self.records), upto=upto)
        return [one for one in found if one.stream_id == stream_id and one.version > after_version]

    def position_at(self, known_at: datetime) -> int:
        return max((one.position for one in self.records if one.recorded_at <= known_at), default=0)


def scanned(record: Recorded) -> Scanned:
    """The record as projections see it."""
    return Scanned(
        record.position, str(record.stream_id), record.version, record.name, record.event,
        str(record.clinic_id) if record.clinic_id else None, str(record.subject) if record.subject else None,
        int(record.recorded_at.timestamp() * 1_000_000),
    )  # fmt: skip
