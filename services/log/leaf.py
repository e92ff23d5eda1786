"""The canonical entry of an event and its leaf hash: SHA-256(0x00 || fields), each field length-prefixed.

Four bytes of length (big-endian; -1 for null), then the bytes: text as UTF-8, ids as their 16 bytes, numbers as
eight bytes. Over what is stored (sealed fields stay sealed), so it can be checked without any key and still holds
after a key is destroyed. `schema/postgres/0002_append.sql` computes the same bytes.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct

_length = Struct("!i").pack
_number = Struct("!iq").pack
_NULL = b"\xff\xff\xff\xff"
_TAG = b"\x00\x00\x00\x00\x0eanodyne/leaf/1"


def _text(value: str | bytes | None) -> bytes:
    if value is None:
        return _NULL
    data = value if isinstance(value, bytes) else value.encode()
    return _length(len(data)) + data


def _uuid(value: bytes | None) -> bytes:
    return _NULL if value is None else b"\x00\x00\x00\x10" + value


def common_part(
    *, log: str, recorded_us: int, clinic_id: bytes | None, subject: bytes | None, actor: str, role: str, origin: str,
    correlation_id: bytes | None, causation_id: bytes | None, command_id: bytes | None,
) -> bytes:
    """The beginning of the entry, the same for all events of one commit (the 0x00 of a leaf included).

    Ids are their 16 bytes.
    """
    return b"".join((
        _TAG, _text(log), _number(8, recorded_us), _uuid(clinic_id), _uuid(subject), _text(actor), _text(role),
        _text(origin), _uuid(correlation_id), _uuid(causation_id), _uuid(command_id),
    ))


def leaf_hash(
    common: bytes, *, position: int, clinic_seq: int, stream_id: bytes, version: int, name: str, claims: str | None,
    payload: str | bytes,
) -> bytes:
    """The leaf of one event."""
    return sha256(b"".join((
        common, _number(8, position), _number(8, clinic_seq), b"\x00\x00\x00\x10", stream_id,
        _number(8, version), _text(name), _text(claims), _text(payload),
    ))).digest()
