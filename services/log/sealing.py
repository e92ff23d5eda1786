"""Sealing one field: AES-256-GCM under its owner's key, bound to where it stands."""

from __future__ import annotations

import base64
import hmac
import os
from struct import Struct
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.kernel import Sealed
from services.log.shapes import LogError

DATA_KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_PADDING = 32
_length = Struct("!i").pack
_number = Struct("!iq").pack


class SealBroken(LogError):
    """A sealed field does not open at this place: it was altered, moved or swapped."""


def associated_data(*, stream_id: UUID, version: int, name: str, field: str, owner: UUID, key_id: str) -> bytes:
    """Everything a sealed field is bound to, length-prefixed."""
    named, fielded, keyed = name.encode(), field.encode(), key_id.encode()
    return b"".join((
        b"\x00\x00\x00\x0eanodyne/seal/1\x00\x00\x00\x10", stream_id.bytes, _length(len(named)), named,
        _length(len(fielded)), fielded, b"\x00\x00\x00\x10", owner.bytes, _length(len(keyed)), keyed,
        _number(8, version),
    ))


class DataKey:
    """One owner's key. Its id commits to it (AES-GCM alone would let one box open under two keys)."""

    def __init__(self, owner: UUID, secret: bytes) -> None:
        self.owner = owner
        self.key_id = key_id_of(owner, secret)
        self._cipher = AESGCM(hmac.digest(secret, b"anodyne/encrypt/1", "sha256"))
        self._index = hmac.digest(secret, b"anodyne/index/1", "sha256")

    def seal(self, plain: str, *, stream_id: UUID, version: int, name: str, field: str) -> Sealed:
        """`plain`, sealed; padded to 32 bytes so that its length says little."""
        bound = associated_data(
            stream_id=stream_id, version=version, name=name, field=field, owner=self.owner, key_id=self.key_id
        )
        data = plain.encode()
        data += b"\x80" + b"\x00" * (-(len(data) + 1) % _PADDING)
        nonce = os.urandom(_NONCE_BYTES)
        box = _FORMAT + nonce + self._cipher.encrypt(nonce, data, bound)
        return Sealed(key=self.key_id, box=base64.b64encode(box).decode("ascii"))

    def open(self, box: str, *, stream_id: UUID, version: int, name: str, field: str) -> str:
        """The plain text; SealBroken unless it was sealed at exactly this place."""
        bound = associated_data(
            stream_id=stream_id, version=version, name=name, field=field, owner=self.owner, key_id=self.key_id
        )
        try:
            raw = base64.b64decode(box, validate=True)
            if raw[:1] != _FORMAT:
                raise SealBroken(f"unknown format of a sealed field: {name} {field}")
            data = self._cipher.decrypt(raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :], bound)
        except (InvalidTag, ValueError):
            raise SealBroken(f"{field} of {name}, stream {stream_id} version {version}, does not open") from None
        return data[: data.rindex(b"\x80")].decode()

    def index(self, text: str) -> str:
        """A keyed hash of `text` (blind index); 16 bytes as hex."""
        return hmac.digest(self._index, text.encode(), "sha256")[:16].hex()


def key_id_of(owner: UUID, secret: bytes) -> str:
    """The commitment that names a data key: HMAC-SHA256 of its owner under it."""
    digest = hmac.digest(secret, b"anodyne/commit/1" + owner.bytes, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
