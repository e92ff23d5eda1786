"""A stream's entries as they stand after corrections, and the fold over them in order of occurrence.

Every aggregate whose entries can be late, amended or struck keeps `entries` (a tuple of `Entry`, ordered by
`occurred_at`, ties by version) in its state and evolves through `evolve_in_order`, which applies the common
case (the newest entry is also the latest) in one step and folds again only when history changed.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from functools import reduce
from typing import Any, Protocol, TypeVar

import msgspec

from domain.corrections import AmendEntry, Entry, EntryAmended, EntryStruck, StrikeEntry, apply_correction, naive
from domain.kernel import FUTURE_TOLERANCE, BadInput, DomainError, Event, InTheFuture, secret_fields


class EntryNotFound(DomainError):
    """There is no such entry in this record."""


class EntryAlreadyStruck(DomainError):
    """The entry was struck; it can be neither amended nor struck again."""


class EntryCannotBeCorrected(DomainError):
    """Corrections and what the system itself derived are not corrected by hand."""


class UnknownFieldInCorrection(BadInput):
    """The entry has no such field."""


class NothingToCorrect(BadInput):
    """The correction names no field, or only values that the entry already has."""


class CorrectionNotValid(BadInput):
    """A corrected value is not of the field's kind."""


Entries = tuple[Entry, ...]


class Folded(Protocol):
    """What `evolve_in_order` asks of a state: a frozen struct with these two fields."""

    @property
    def version(self) -> int: ...

    @property
    def entries(self) -> Entries: ...


S = TypeVar("S", bound=Folded)


def _when(entry: Entry) -> tuple[object, int]:
    return (entry.event.occurred_at, entry.version)


def record(entries: Entries, version: int, event: Event) -> Entries:
    """`entries` after `event`, entry `version` of its stream: inserted in order, or applied as a correction."""
    match event:
        case EntryAmended():
            return _replaced(entries, event.entry, lambda entry: _amended(entry, event))
        case EntryStruck():
            return _replaced(entries, event.entry, lambda entry: Entry(entry.version, entry.event, True, entry.amended))
    entry = Entry(version, event)
    if not entries or _when(entries[-1]) < _when(entry):
        return (*entries, entry)
    ordered = list(entries)
    insort(ordered, entry, key=_when)
    return tuple(ordered)


def _replaced(entries: Entries, version: int, change: Callable[[Entry], Entry]) -> Entries:
    changed = [change(entry) if entry.version == version else entry for entry in entries]
    return tuple(sorted(changed, key=_when))


def _amended(entry: Entry, event: EntryAmended) -> Entry:
    return Entry(entry.version, apply_correction(entry.event, event.corrections, event.sealed), entry.struck, True)


def corrected(event: Event, corrections: dict[str, Any]) -> Event:
    """`event` with the named fields (as JSON builtins) put right. Raises CorrectionNotValid.

    Strict where `corrections.apply_correction` is lenient; an object given for a struct corrects what it names.
    """
    fields = msgspec.to_builtins(event)
    for name, value in corrections.items():
        part = isinstance(getattr(event, name, None), msgspec.Struct) and isinstance(value, dict)
        fields[name] = {**fields.get(name, {}), **value} if part else value
    try:
        standing = msgspec.convert(fields, type(event))
    except (msgspec.ValidationError, ValueError) as error:
        raise CorrectionNotValid(reason=str(error), pointer="/corrections") from error
    for name in corrections:
        if naive(getattr(standing, name, None)):
            raise CorrectionNotValid(reason="a moment without an offset", pointer=f"/corrections/{name}")
    return standing


def evolve_in_order(state: S, version: int, event: Event, blank: S, apply: Callable[[S, Entry], S]) -> S:
    """`state` after `event`: one step when it is the latest in occurrence, a new fold from `blank` otherwise."""
    entries = record(state.entries, version, event)
    correction = isinstance(event, EntryAmended | EntryStruck)
    if not correction and entries[-1].version == version:
        folded = apply(state, entries[-1])
    else:
        folded = reduce(apply, (entry for entry in entries if not entry.struck), blank)
    return msgspec.structs.replace(folded, version=version, entries=entries)  # type: ignore[type-var]


def entry_of(entries: Entries, version: int) -> Entry:
    """Entry `version`, if it can still be corrected. Raises EntryNotFound, EntryAlreadyStruck."""
    entry = next((one for one in entries if one.version == version), None)
    if entry is None:
        raise EntryNotFound(entry=version, pointer="/entry")
    if entry.struck:
        raise EntryAlreadyStruck(entry=version, pointer="/entry")
    return entry


def decide_amendment(entries: Entries, command: AmendEntry) -> tuple[EntryAmended, Event]:
    """The amendment and the entry as it will stand; the caller checks its own rules on the latter.

    Raises EntryNotFound, EntryAlreadyStruck, UnknownFieldInCorrection, CorrectionNotValid, InTheFuture,
    NothingToCorrect.
    """
    event = entry_of(entries, command.entry).event
    secrets = secret_fields(type(event))
    for name in command.corrections:
        if name not in type(event).__struct_encode_fields__:
            raise UnknownFieldInCorrection(field=name, pointer=f"/corrections/{name}")
    standing = corrected(event, command.corrections)
    if standing.occurred_at > command.now + FUTURE_TOLERANCE:
        raise InTheFuture(
            at=standing.occurred_at.isoformat(), now=command.now.isoformat(), pointer="/corrections/occurred_at")
    if standing == event:
        raise NothingToCorrect(entry=command.entry, pointer="/corrections")
    clear = {name: value for name, value in command.corrections.items() if name not in secrets}
    sealed = {name: value for name, value in command.corrections.items() if name in secrets}
    return EntryAmended(
        occurred_at=command.at, late_reason=command.late_reason, entry=command.entry, entry_name=event.NAME,
        corrections=clear, sealed=sealed, reason_code=command.reason_code, reason=command.reason,
    ), standing


def decide_strike(entries: Entries, command: StrikeEntry) -> EntryStruck:
    """The strike. Raises EntryNotFound, EntryAlreadyStruck."""
    event = entry_of(entries, command.entry).event
    return EntryStruck(
        occurred_at=command.at, late_reason=command.late_reason, entry=command.entry, entry_name=event.NAME,
        reason_code=command.reason_code, reason=command.reason,
    )
