"""Between events and stored rows: stable names, readable JSON, sealed fields. Nothing is imported by name.

The library's own mapper takes the class's import path as the topic and imports whatever a row names; this one
knows the catalogue and refuses the rest, both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, StoredEvent
from eventsourcing.persistence import Mapper as LibraryMapper

from domain.corrections import EntryAmended
from domain.kernel import Event, Recorded, Sealed, secret_fields
from services.log.keys import KeyStore
from services.log.rows import StoredRow
from services.log.shapes import ANY_VERSION, InvalidEvent, UnknownEvent, UnreadableEvent
from services.log.upcasters import Upcaster, Upcasters

Decode = Callable[[bytes], Event]


class NewEvent:
    """An event on its way in: what the library's event store wants to know of a domain event, and its owner."""

    __slots__ = ("event", "originator_id", "originator_version", "owner", "stored")

    def __init__(self, stream_id: UUID, version: int, event: Event, owner: UUID) -> None:
        self.originator_id = stream_id
        self.originator_version = version
        self.event = event
        self.owner = owner
        self.stored: Event = event
        """The event as stored, its secrets sealed; set by the mapper."""


class LogMapper(LibraryMapper[UUID]):
    """`to_stored_event` seals and encodes; `to_domain_event` decodes and upcasts, leaving `Sealed` opaque."""

    def __init__(self, events: Mapping[str, type[Event]], upcasters: Upcasters, keys: KeyStore | None) -> None:
        super().__init__(transcoder=JSONTranscoder())
        self._keys = keys
        self._types = dict(events)
        self._encode = msgspec.json.Encoder(decimal_format="string", uuid_format="canonical").encode
        self._secrets = {name: secret_fields(event) for name, event in events.items()}
        self._readers: dict[str, tuple[str, Decode]] = {
            name: (name, msgspec.json.Decoder(event).decode) for name, event in events.items()
        }
        for source in upcasters.sources():
            chain = upcasters.chain(source)
            self._readers[source] = (chain[-1].target, _upcasting(chain, events[chain[-1].target]))
        self._readers_by_bytes = {name.encode(): reader for name, reader in self._readers.items()}

    # --- writing ---

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Raises UnknownEvent, InvalidEvent (it could not be read back), KeyDestroyed."""
        assert isinstance(domain_event, NewEvent)
        event = domain_event.event
        name = type(event).NAME
        if self._types.get(name) is not type(event):
            raise UnknownEvent(f"{type(event).__name__} ({name!r}) is not in the catalogue")
        if event.occurred_at.tzinfo is None:
            raise InvalidEvent(f"{name}: occurred_at without an offset")
        if isinstance(event, EntryAmended):
            self._check_amendment(event)
        try:
            sealed = self._seal(domain_event, name) if self._secrets[name] else event
            payload = self._encode(sealed)
            self._readers[name][1](payload)
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise InvalidEvent(f"{name} could not be written and read back: {error}") from None
        domain_event.stored = sealed
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, name, payload)

    def _seal(self, new: NewEvent, name: str) -> Event:
        changed: dict[str, Any] = {}
        for field in self._secrets[name]:
            value = getattr(new.event, field)
            if value is None or value == {}:
                continue
            if isinstance(value, dict):
                changed[field] = {k: self._seal_value(new, name, f"{field}/{k}", v) for k, v in value.items()}
            else:
                changed[field] = self._seal_value(new, name, field, value)
        return msgspec.structs.replace(new.event, **changed) if changed else new.event

    def _seal_value(self, new: NewEvent, name: str, field: str, value: Any) -> Any:
        if not isinstance(value, str):
            if isinstance(value, Sealed):
                raise InvalidEvent(f"{name} {field} is sealed already: a seal cannot be moved, unseal it first")
            return value
        if self._keys is None:
            raise InvalidEvent(f"{name} {field} is to be sealed and this log holds no keys")
        if new.originator_version == ANY_VERSION:
            raise InvalidEvent(f"{name} {field} is to be sealed and its version is not known")
        key = self._keys.sealing_key(new.owner)
        return key.seal(
            value, stream_id=new.originator_id, version=new.originator_version, name=name, field=field
        )

    def _check_amendment(self, event: EntryAmended) -> None:
        """An amendment names fields of the entry it corrects, secret ones only where they are sealed."""
        target = self._types.get(event.entry_name)
        if target is None:
            raise UnknownEvent(f"an amendment of {event.entry_name!r}, which is not in the catalogue")
        fields, secrets = set(target.__struct_encode_fields__), set(self._secrets[event.entry_name])
        for field in event.corrections:
            if field not in fields or field in secrets:
                raise InvalidEvent(f"{event.entry_name} has no clear field {field!r} to amend")
        for field in event.sealed:
            if field.partition("/")[0] not in secrets:
                raise InvalidEvent(f"{event.entry_name} has no secret field {field!r} to amend")

    # --- reading ---

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The `Recorded` of a row. Raises UnknownEvent, UnreadableEvent."""
        assert isinstance(stored_event, StoredRow)
        try:
            name, event = self.decode(stored_event.topic, stored_event.state)
        except (UnknownEvent, UnreadableEvent) as error:
            error.position, error.name = stored_event.id, stored_event.topic
            raise
        stream_id = stored_event.originator_id
        assert isinstance(stream_id, UUID)
        return Recorded(
            stored_event.id, stream_id, stored_event.originator_version, name, event,
            event.occurred_at, moment(stored_event.recorded_us), stored_event.actor, stored_event.role,
            stored_event.clinic_id, stored_event.clinic_seq, stored_event.subject, stored_event.origin,
            stored_event.correlation_id, stored_event.causation_id, stored_event.command_id, stored_event.leaf_hash,
        )

    def decode(self, name: str, payload: bytes) -> tuple[str, Event]:
        """The present name and the event of a stored payload."""
        reader = self._readers.get(name)
        if reader is None:
            raise UnknownEvent(f"the log holds {name!r}, which is not in the catalogue")
        try:
            return reader[0], reader[1](payload)
        except (msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            raise UnreadableEvent(f"a stored {name} does not fit its schema: {error}") from error

    @property
    def readers(self) -> Mapping[str, tuple[str, Decode]]:
        """Stored name -> (present name, decoder): for the fast path."""
        return self._readers

    @property
    def readers_by_bytes(self) -> Mapping[bytes, tuple[str, Decode]]:
        """The same by the name's bytes."""
        return self._readers_by_bytes

    def names(self) -> Iterable[str]:
        """Every name that can be read."""
        return self._readers.keys()


def _upcasting(chain: tuple[Upcaster, ...], target: type[Event]) -> Decode:
    builtins = msgspec.json.Decoder(dict[str, Any]).decode

    def decode(payload: bytes) -> Event:
        data = builtins(payload)
        for step in chain:
            data = step.convert(data)
        return msgspec.convert(data, target)

    return decode


def moment(us: int) -> datetime:
    """Microseconds since the epoch as a moment in UTC, exactly."""
    seconds, rest = divmod(us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def micros(when: datetime) -> int:
    """A moment as microseconds since the epoch, exactly."""
    delta = when - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
