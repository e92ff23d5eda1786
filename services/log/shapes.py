"""What is asked of the log and what it answers; the errors it raises."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import IntegrityError

from domain.kernel import Claim, DomainError, Envelope, Event, Release

ANY_VERSION = -1
"""`expected_version` of an entry that depends on nothing before it in its stream (an access entry, a refusal)."""


class StreamWrite(msgspec.Struct, frozen=True):
    """Events to add to one stream whose head must be at `expected_version` (0: a new stream)."""

    stream_id: UUID
    expected_version: int
    events: tuple[Event, ...]


class Idempotency(msgspec.Struct, frozen=True):
    """Names a request so that its retry gets the first answer. `body_hmac` tells another body under the same key."""

    principal: str
    key: str
    body_hmac: bytes


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """One commit: all of it or nothing."""

    writes: tuple[StreamWrite, ...]
    envelope: Envelope
    unchanged: tuple[tuple[UUID, int], ...] = ()
    claims: tuple[Claim, ...] = ()
    releases: tuple[Release, ...] = ()
    idempotency: Idempotency | None = None
    answer: dict[str, Any] | None = None
    status: int = 201


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit came to. `events`, per write, are the events as stored (sealed); empty for a replay.

    An append without events (everything already so) has first_position = last_position + 1.
    """

    first_position: int
    last_position: int
    versions: dict[UUID, int]
    replayed: bool = False
    status: int = 201
    answer: dict[str, Any] = {}
    events: tuple[tuple[Event, ...], ...] = ()
    recorded_at: datetime | None = None


# --- errors --------------------------------------------------------------------------------------


class LogError(Exception):
    """The log could not do what was asked; not a rule of care."""


class StreamConflict(LogError, IntegrityError):
    """A stream is not at the version it was read at: another writer was faster."""

    def __init__(self, stream_id: UUID, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream_id} is at version {actual}, not {expected}")
        self.stream_id, self.expected, self.actual = stream_id, expected, actual


class ClaimConflict(DomainError):
    """The resource is taken for that time."""

    def __init__(self, resource: str, holder: str, starts: datetime, ends: datetime | None) -> None:
        super().__init__(resource=resource, holder=holder, starts=starts, ends=ends)
        self.resource, self.holder, self.starts, self.ends = resource, holder, starts, ends


class IdempotencyMismatch(LogError):
    """The same idempotency key came with another body."""


class EntryError(LogError):
    """One entry is at fault; `position` and `name` say which, when it was being read (projections pass around it)."""

    position: int | None = None
    name: str | None = None

    def __init__(self, message: str, *, position: int | None = None, name: str | None = None) -> None:
        super().__init__(message)
        self.position, self.name = position, name


class UnknownEvent(EntryError):
    """An event whose name the catalogue does not know; neither written nor read."""


class UnreadableEvent(EntryError):
    """A stored payload that does not fit its event's schema."""


class InvalidEvent(LogError):
    """An event that could not be read back: a field of the wrong type, a moment without an offset."""


class LogUnavailable(LogError):
    """The database could not be reached (in time); nothing was answered, a retry is safe with a key."""


class WrongLogMode(LogError):
    """A simulation log in production, or a settable clock on a production log."""


class SchemaNotMigrated(LogError):
    """The database lacks the log's current schema: run the migration command first."""
