"""Events and envelopes the log's tests write: real events of the catalogue, as small as they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.infusion.monitoring import SedationScored
from domain.kernel import Claim, Envelope, Event, Release
from domain.patient.registration import DemographicsCorrected
from services.log import Append, Appended, EventLog, Idempotency, StreamWrite, open_log

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=-7)))


def at(hour: float) -> datetime:
    """A moment of 2 March 2026, UTC."""
    return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=hour)


def scored(score: int = -1) -> SedationScored:
    """An event without secrets."""
    return SedationScored(occurred_at=NOW, scale="rass", score=score)


def renamed(family_name: str) -> DemographicsCorrected:
    """An event with one sealed field."""
    return DemographicsCorrected(occurred_at=NOW, family_name=family_name, reason_code="typing_error")


def by_nurse(**more: Any) -> Envelope:
    return Envelope(**{"actor": "staff:1", "role": "nurse", "clinic_id": None, **more})


def write(stream: UUID, expected: int, *events: Event, **more: Any) -> Append:
    """An append to one stream; keywords are those of `Append`."""
    return Append(**{
        "writes": (StreamWrite(stream, expected, events),), "envelope": by_nurse(), **more,
    })


def append(log: EventLog, stream: UUID, expected: int, *events: Event, **more: Any) -> Appended:
    return log.append(write(stream, expected, *events, **more))


def key(name: str, body: bytes = b"1") -> Idempotency:
    return Idempotency("key:1", name, body * 32)


def room(starts: float, ends: float | None, *, holder: str = "a", resource: str = "room:1", **more: Any) -> Claim:
    return Claim(
        resource=resource, holder=holder, starts=at(starts), ends=None if ends is None else at(ends), **more
    )


def given_up(holder: str, *, resource: str = "room:1", ends: float | None = None) -> Release:
    return Release(resource=resource, holder=holder, ends=None if ends is None else at(ends))


def another_process(database: Any, **more: Any) -> EventLog:
    """The same log as another process would open it: nothing shared but the files."""
    return open_log(database.log_url, keys_url=database.keys_url, home=Path(database.home), **more)
