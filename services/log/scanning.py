"""The fast path for projections: rows to `Scanned`, ids as text, no objects that a projection does not need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from domain.kernel import Scanned
from services.log import postgres, sqlite
from services.log.mapper import LogMapper
from services.log.shapes import UnknownEvent, UnreadableEvent


def scan_postgres(
    recorder: postgres.LogRecorder, mapper: LogMapper, after: int, limit: int, topics: Sequence[str]
) -> list[Scanned]:
    statement = (
        "SELECT position, stream_id::text, version, name, payload, clinic_id::text, subject::text, recorded_us "
        f"FROM log.{recorder.log}_events WHERE position > %s" + (" AND name = ANY(%s)" if topics else "")
        + " ORDER BY position LIMIT %s"
    )
    parameters: tuple[Any, ...] = (after, list(topics), limit) if topics else (after, limit)
    return _decoded(recorder.query(statement, parameters), mapper)


def scan_sqlite(
    recorder: sqlite.LogRecorder, mapper: LogMapper, after: int, limit: int, topics: Sequence[str]
) -> list[Scanned]:
    marks = ", ".join("?" * len(topics))
    statement = (
        "SELECT position, stream_id, version, name, payload, clinic_id, subject, recorded_us "
        f"FROM {recorder.log}_events WHERE position > ?" + (f" AND name IN ({marks})" if topics else "")
        + " ORDER BY position LIMIT ?"
    )
    return _decoded(recorder.query(statement, (after, *topics, limit)), mapper)


def _decoded(rows: Sequence[tuple[Any, ...]], mapper: LogMapper) -> list[Scanned]:
    readers = mapper.readers
    scanned = []
    for position, stream, version, name, payload, clinic, subject, recorded_us in rows:
        try:
            present, decode = readers[name]
            scanned.append(
                Scanned(position, stream, version, present, decode(payload), clinic, subject, recorded_us)
            )
        except KeyError as error:
            if name in readers:
                raise _unreadable(position, name, error) from error
            message = f"event {position} is {name!r}, which is not in the catalogue"
            raise UnknownEvent(message, position=position, name=name) from None
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise _unreadable(position, name, error) from error
    return scanned


def _unreadable(position: int, name: str, error: Exception) -> UnreadableEvent:
    message = f"event {position} ({name}) does not fit its schema: {error}"
    return UnreadableEvent(message, position=position, name=name)
