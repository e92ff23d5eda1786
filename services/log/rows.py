"""What travels between the event log and its recorders, beside the library's StoredEvent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import msgspec
from eventsourcing.persistence import DataError, Notification, StoredEvent

from domain.kernel import Claim, Envelope, Release
from services.log.shapes import Idempotency


class Query(Protocol):
    """Runs one of our own statements (`%s` marks parameters, tables are `log.<name>`) and gives all its rows."""

    def __call__(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]: ...


FOREVER_US = 9_223_372_036_854_775_807
"""`ends_us` of a claim that lasts until it is released."""


@dataclass(frozen=True)
class StoredRow(Notification):
    """A stored event with its envelope. `id` is the position, `topic` the name, `state` the payload."""

    recorded_us: int
    clinic_id: UUID | None
    clinic_seq: int
    subject: UUID | None
    actor: str
    role: str
    origin: str
    correlation_id: UUID | None
    causation_id: UUID | None
    command_id: UUID | None
    claims: str | None
    leaf_hash: bytes

    @staticmethod
    def of(values: Sequence[object]) -> StoredRow:
        """From a row in the order of `COLUMNS`; without the cost of a frozen dataclass's constructor."""
        row = object.__new__(StoredRow)
        row.__dict__.update(zip(_FIELDS, values, strict=True))
        return row


COLUMNS = (
    "position, stream_id, version, name, payload, recorded_us, clinic_id, clinic_seq, subject, actor, role, origin, "
    "correlation_id, causation_id, command_id, claims, leaf_hash"
)
_FIELDS = (
    "id", "originator_id", "originator_version", "topic", "state", "recorded_us", "clinic_id", "clinic_seq", "subject",
    "actor", "role", "origin", "correlation_id", "causation_id", "command_id", "claims", "leaf_hash",
)


class CommitResult(msgspec.Struct, frozen=True):
    """What the append answered. `hmac` is that of the stored body when it is a replay."""

    first: int
    last: int
    recorded_us: int
    versions: Sequence[int]
    replayed: bool
    status: int
    answer: str | None
    hmac: bytes | None


class Commit(msgspec.Struct, kw_only=True):
    """One append as the recorders take it: per stream its id, expected version and number of events."""

    streams: list[UUID]
    expected: list[int]
    counts: list[int]
    envelope: Envelope
    unchanged: Sequence[tuple[UUID, int]] = ()
    claims: Sequence[Claim] = ()
    releases: Sequence[Release] = ()
    claims_json: str | None = None
    idempotency: Idempotency | None = None
    answer: str = "{}"
    status: int = 201
    clock_us: int | None = None
    result: CommitResult | None = None


def plain_commit(stored_events: Sequence[StoredEvent]) -> Commit:
    """The commit of a caller that knows only the library's interface: consecutive events of a stream together.

    Versions start at 1, as the library's aggregates do; DataError otherwise.
    """
    commit = Commit(
        streams=[], expected=[], counts=[], envelope=Envelope(actor="eventsourcing", role="system", clinic_id=None)
    )
    for stored in stored_events:
        if stored.originator_version < 1:
            raise DataError(f"version {stored.originator_version} of a stream: the first is 1")
        stream_id = stored.originator_id if isinstance(stored.originator_id, UUID) else UUID(stored.originator_id)
        if commit.streams and commit.streams[-1] == stream_id:
            commit.counts[-1] += 1
            continue
        commit.streams.append(stream_id)
        commit.expected.append(stored.originator_version - 1)
        commit.counts.append(1)
    return commit
