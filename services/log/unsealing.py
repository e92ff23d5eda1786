"""Opening sealed fields: an explicit act, of chart, timeline, directory and documents only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from domain.kernel import Recorded, Redacted, Sealed, Secret, secret_fields
from services.log.keys import KeyStore
from services.log.sealing import SealBroken
from services.log.upcasters import Upcasters


class KeyUnsealer:
    """Implements `domain.ports.Unsealer` with a key store."""

    def __init__(self, keys: KeyStore, upcasters: Upcasters) -> None:
        self._keys = keys
        self._upcasters = upcasters

    def unseal(self, record: Recorded, field: str, value: Secret | None) -> str | Redacted | None:
        """The plain text of `value`; `Redacted` when its key is destroyed.

        `field` is the field's name, or `field/key` for a value of a dict field. Raises SealBroken when the value
        was altered or moved.
        """
        if not isinstance(value, Sealed):
            return value
        key = self._keys.opening_key(value.key)
        if key is None:
            return Redacted()
        owner = owner_of(record)
        if key.owner != owner:
            raise SealBroken(f"{field} of {record.name} is sealed for another owner")
        return self._open(record, field, value, key)

    def _open(self, record: Recorded, field: str, value: Sealed, key: Any) -> str:
        broken: SealBroken | None = None
        for name, stored_field in self._upcasters.sealed_as(record.name, field):
            try:
                opened: str = key.open(
                    value.box, stream_id=record.stream_id, version=record.version, name=name, field=stored_field
                )
                return opened
            except SealBroken as error:
                broken = broken or error
        assert broken is not None
        raise broken

    def unsealed(self, record: Recorded) -> dict[str, object]:
        """The record's payload as plain builtins with every sealed field opened (or redacted)."""
        payload: dict[str, Any] = msgspec.to_builtins(record.event)
        for field in secret_fields(type(record.event)):
            value = getattr(record.event, field)
            if isinstance(value, dict):
                payload[field] = {
                    each: _plain(self.unseal(record, f"{field}/{each}", inner)) for each, inner in value.items()
                }
            elif value is not None:
                payload[field] = _plain(self.unseal(record, field, value))
        return payload

    def preload(self, records: list[Recorded]) -> None:
        """Fetches the keys of many records at once."""
        self._keys.preload({
            value.key
            for record in records for field in secret_fields(type(record.event))
            for value in _sealed_values(getattr(record.event, field))
        })


def _sealed_values(value: object) -> list[Sealed]:
    if isinstance(value, Sealed):
        return [value]
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, Sealed)]
    return []


def _plain(value: str | Redacted | None) -> object:
    return msgspec.to_builtins(value) if isinstance(value, Redacted) else value


def owner_of(record: Recorded) -> UUID:
    """Whose key seals the record's secret fields."""
    return record.subject or record.stream_id
