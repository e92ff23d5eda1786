"""The append as bytes on PostgreSQL's wire: one prepared statement, binary parameters, no adaptation.

psycopg's own adaptation of some twenty parameters, most of them arrays, cost more than the database's work
(115 of 250 us per command, measured); this costs 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any, cast
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg import Connection, pq
from psycopg.errors import error_from_result

from services.log.rows import Commit, CommitResult

_BYTEA, _INT8, _INT4, _TEXT, _UUID = 17, 20, 23, 25, 2950
_INT4S, _TEXTS, _UUIDS = 1007, 1009, 2951
_TYPES = (
    _UUIDS, _INT4S, _INT4S, _TEXTS, _TEXTS, _TEXT, _TEXT, _UUID, _UUID, _TEXT, _UUID, _UUID, _UUID, _UUIDS, _INT4S,
    _TEXT, _TEXT, _TEXT, _BYTEA, _INT4, _TEXT, _INT8,
)
_FORMATS = [pq.Format.BINARY] * len(_TYPES)
_STATEMENT = b"anodyne_append"
_NOT_PREPARED = b"26000"
"""psycopg forgets all prepared statements of a connection after a ROLLBACK: ours is then prepared again."""

_int4 = Struct("!i").pack
_int8 = Struct("!q").pack
_array_head = Struct("!iiiii").pack
_array_of_one = Struct("!iiiiii").pack
_element = Struct("!ii").pack
_length = Struct("!i").pack
_unpack_int4 = Struct("!i").unpack
_unpack_int8 = Struct("!q").unpack


class AppendConnection(Connection[Any]):
    """A connection that has prepared the append (of which log, it remembers)."""

    prepared_for: str = ""


def append(connection: AppendConnection, log: str, parameters: Sequence[bytes | None]) -> CommitResult:
    """Calls the append function; raises psycopg's errors as `Cursor.execute` would."""
    pgconn = connection.pgconn
    if connection.prepared_for != log:
        _prepare(connection, log)
    result = pgconn.exec_prepared(_STATEMENT, cast("Any", parameters), _FORMATS, pq.Format.BINARY)
    if result.status != pq.ExecStatus.TUPLES_OK and result.error_field(pq.DiagnosticField.SQLSTATE) == _NOT_PREPARED:
        connection.prepared_for = ""
        if pgconn.transaction_status == pq.TransactionStatus.IDLE:
            return append(connection, log, parameters)
    if result.status != pq.ExecStatus.TUPLES_OK:
        if pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError("the connection was lost while appending")
        raise error_from_result(result)
    value = result.get_value
    replayed = value(0, 4) == b"\x01"
    answer, hmac = (value(0, 6), value(0, 7)) if replayed else (None, None)
    return CommitResult(
        _int8_of(value(0, 0)), _int8_of(value(0, 1)), _int8_of(value(0, 2)), _int4s(value(0, 3)), replayed,
        _int4_of(value(0, 5)), answer.decode() if answer is not None else None, hmac,
    )


def _prepare(connection: AppendConnection, log: str) -> None:
    if connection.prepared_for:
        connection.pgconn.exec_(b"DEALLOCATE " + _STATEMENT)
    marks = ", ".join(f"${number}" for number in range(1, len(_TYPES) + 1))
    sql = f"SELECT * FROM log.{log}_append({marks})"
    result = connection.pgconn.prepare(_STATEMENT, sql.encode(), _TYPES)
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise error_from_result(result)
    connection.prepared_for = log


def parameters_of(commit: Commit, stored_events: Sequence[StoredEvent]) -> list[bytes | None]:
    """The append's parameters, in the order of the function's."""
    envelope, idempotency, unchanged = commit.envelope, commit.idempotency, commit.unchanged
    return [
        _array(_UUID, [stream.bytes for stream in commit.streams]),
        _numbers(commit.expected), _numbers(commit.counts),
        _array(_TEXT, [stored.topic.encode() for stored in stored_events]),
        _array(_TEXT, [stored.state for stored in stored_events]),
        envelope.actor.encode(), envelope.role.encode(), _uuid(envelope.clinic_id), _uuid(envelope.subject),
        envelope.origin.encode(), _uuid(envelope.correlation_id), _uuid(envelope.causation_id),
        _uuid(envelope.command_id),
        _array(_UUID, [stream.bytes for stream, _ in unchanged]) if unchanged else None,
        _numbers([seen for _, seen in unchanged]) if unchanged else None,
        None if commit.claims_json is None else commit.claims_json.encode(),
        None if idempotency is None else idempotency.principal.encode(),
        None if idempotency is None else idempotency.key.encode(),
        None if idempotency is None else idempotency.body_hmac,
        _int4(commit.status), commit.answer.encode(), None if commit.clock_us is None else _int8(commit.clock_us),
    ]


def _array(element_type: int, values: Sequence[bytes]) -> bytes:
    if len(values) == 1:
        return _array_of_one(1, 0, element_type, 1, 1, len(values[0])) + values[0]
    if not values:
        return Struct("!iii").pack(0, 0, element_type)
    parts = [_array_head(1, 0, element_type, len(values), 1)]
    for value in values:
        parts.append(_length(len(value)))
        parts.append(value)
    return b"".join(parts)


def _numbers(values: Sequence[int]) -> bytes:
    if not values:
        return Struct("!iii").pack(0, 0, _INT4)
    return _array_head(1, 0, _INT4, len(values), 1) + b"".join([_element(4, value) for value in values])


def _uuid(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _int4_of(data: bytes | None) -> int:
    number: int = _unpack_int4(data or b"\0\0\0\0")[0]
    return number


def _int8_of(data: bytes | None) -> int:
    number: int = _unpack_int8(data or bytes(8))[0]
    return number


def _int4s(data: bytes | None) -> list[int]:
    """A one-dimensional int4[] (no nulls)."""
    if data is None or len(data) < 20:
        return []
    return [_int4_of(data[offset + 4 : offset + 8]) for offset in range(20, len(data), 8)]
