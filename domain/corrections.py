"""Corrections: nothing is edited; an amendment or a strike points at the entry it corrects.

An entry is named by its version in its own stream. `EntryAmended.corrections` holds new values of clear
fields (as JSON builtins), `sealed` those of secret fields; both old and new stay in the log.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from domain.kernel import Code, Command, Event, Secret


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
