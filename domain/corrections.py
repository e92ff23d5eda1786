"""Corrections: nothing is edited; an amendment or a strike points at the entry it corrects.

An entry is named by its version in its own stream. `EntryAmended.corrections` holds new values of clear
fields (as JSON builtins), `sealed` those of secret fields; both old and new stay in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec

from domain.kernel import Code, Command, Event, Secret

E = TypeVar("E", bound=Event)


class EntryAmended(Event, frozen=True, kw_only=True):
    """An earlier entry of this stream was wrong in the named fields."""

    NAME: ClassVar[str] = "entry.amended.v1"
    entry: int
    entry_name: str
    corrections: dict[str, Any] = {}
    sealed: dict[str, Secret] = {}
    reason_code: Code
    reason: Secret | None = None


class EntryStruck(Event, frozen=True, kw_only=True):
    """An earlier entry of this stream should never have been made (e.g. `wrong_patient`)."""

    NAME: ClassVar[str] = "entry.struck.v1"
    entry: int
    entry_name: str
    reason_code: Code
    reason: Secret | None = None


class AmendEntry(Command, frozen=True, kw_only=True):
    """Correct the named fields of entry `entry`. reason_code: typing_error, late_information, recomputed, other."""

    entry: int
    corrections: dict[str, Any]
    reason_code: Code
    reason: str | None = None


class StrikeEntry(Command, frozen=True, kw_only=True):
    """Strike entry `entry`. reason_code: wrong_patient, duplicate, did_not_happen, other."""

    entry: int
    reason_code: Code
    reason: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """One entry of a stream as it stands after corrections."""

    version: int
    event: Event
    struck: bool = False
    amended: bool = False


def when(entry: Entry) -> tuple[datetime, int]:
    """What entries are ordered by: when it happened, ties by when it was entered."""
    return (entry.event.occurred_at, entry.version)


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries that stand (not struck), in order of occurrence, ties by version."""
    return tuple(sorted((entry for entry in entries if not entry.struck), key=when))


def apply_correction(event: E, corrections: Mapping[str, Any], sealed: Mapping[str, Secret] | None = None) -> E:
    """`event` with the named fields put right; never fails.

    `corrections` holds JSON builtins; for a field that is itself a struct an object corrects only the members it
    names. A field the event no longer has, or a value that no longer fits, is passed over: an old amendment
    must not make a stream unreadable. (What is accepted today is checked when it is written.)
    """
    changed: dict[str, Any] = {}
    for field in msgspec.structs.fields(type(event)):
        name = field.encode_name
        if sealed and name in sealed:
            changed[field.name] = sealed[name]
        elif name in corrections:
            try:
                changed[field.name] = _converted(getattr(event, field.name), corrections[name], field.type)
            except (msgspec.ValidationError, ValueError, TypeError):
                continue
    return msgspec.structs.replace(event, **changed) if changed else event


def _converted(before: Any, value: Any, kind: Any) -> Any:
    if isinstance(before, msgspec.Struct) and isinstance(value, Mapping):
        value = {**msgspec.to_builtins(before), **value}
    changed = msgspec.convert(value, kind)
    if naive(changed):
        raise ValueError("a moment without an offset cannot be ordered")
    return changed


def naive(value: Any) -> bool:
    """Whether `value` is a moment without an offset: entries could no longer be put in order by it."""
    return isinstance(value, datetime) and value.tzinfo is None


def standing(recorded: Iterable[tuple[int, Event]]) -> tuple[Entry, ...]:
    """The entries of (version, event) pairs given by version, as they stand after all corrections, in order.

    Struck ones are left out; amendments and strikes are applied and are no entries themselves.
    """
    entries: dict[int, Entry] = {}
    for version, event in recorded:
        match event:
            case EntryAmended(entry=target) if target in entries:
                was = entries[target]
                changed = apply_correction(was.event, event.corrections, event.sealed)
                entries[target] = Entry(target, changed, was.struck, True)
            case EntryStruck(entry=target) if target in entries:
                was = entries[target]
                entries[target] = Entry(target, was.event, True, was.amended)
            case EntryAmended() | EntryStruck():
                continue
            case _:
                entries[version] = Entry(version, event)
    return in_order(entries.values())
