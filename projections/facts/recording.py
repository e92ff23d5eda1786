"""Putting entries into columns: one declared `FactOf` per event name, and the loop that follows the log.

An entry opens one row. `EntryAmended` closes it and opens it corrected under the same fact_id; `EntryStruck`
closes it. Both find the row by `entry`, so a correction costs two rows whatever the visit's length, and a rebuild
gives the same rows as following along did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Table

from domain.catalogue import EVENTS
from domain.corrections import EntryAmended, EntryStruck, naive
from domain.kernel import Scanned
from projections.engine.working import Working
from projections.facts.encoding import Encode, micros, plain

AMENDED = EntryAmended.NAME
STRUCK = EntryStruck.NAME
CORRECTIONS = frozenset({AMENDED, STRUCK})

PREFIXES = {
    "clinic_facts": "k", "appointment_facts": "a", "visit_facts": "v", "infusion_facts": "i", "score_facts": "s",
    "follow_up_facts": "f",
    "course_facts": "c", "patient_facts": "p", "safety_facts": "y", "care_relation_facts": "r",
    "waitlist_facts": "w", "watch_facts": "m", "loose_end_facts": "o",
    "directory_people": "d", "directory_indexes": "x",
}
"""First letter of a fact's id: which table it is in."""


@dataclass(frozen=True, slots=True)
class FactOf:
    """How one event becomes a row of `table`: `columns` maps a column to the event's field and its encoding.

    `name` is the event's stable name. `stream` names the column that takes the stream's id; `constants` are
    columns that the event's name implies.
    """

    name: str
    table: Table
    kind: str
    columns: Mapping[str, tuple[str, Encode]] = field(default_factory=dict)
    stream: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)

    def opener(self) -> Callable[[Scanned], dict[str, Any]]:
        """The function that makes the row, with everything that does not depend on the event looked up once."""
        prefix, stream = PREFIXES[self.table.name], self.stream
        as_is = tuple((column, name) for column, (name, encode) in self.columns.items() if encode is plain)
        coded = tuple((column, *how) for column, how in self.columns.items() if how[1] is not plain)
        blank = dict.fromkeys(column.name for column in self.table.columns if column.name != "known_to")
        blank.update(kind=self.kind, **self.constants)
        fresh = blank.copy

        def row(scanned: Scanned) -> dict[str, Any]:
            made: dict[str, Any] = fresh()
            position, event = scanned.position, scanned.event
            made["fact_id"] = f"{prefix}{position}"
            made["known_from"] = made["position"] = position
            made["entry"] = f"{scanned.stream}:{scanned.version}"
            made["at_us"] = micros(event.occurred_at)
            made["clinic"] = scanned.clinic
            made["patient"] = scanned.subject
            if stream is not None:
                made[stream] = scanned.stream
            for column, name in as_is:
                made[column] = getattr(event, name)
            for column, name, encode in coded:
                made[column] = encode(getattr(event, name))
            return made

        return row

    def corrected(self, corrections: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that `corrections` change; a value that is not of its field's kind is passed over."""
        types = {one.encode_name: one.type for one in msgspec.structs.fields(EVENTS[self.name])}
        values: dict[str, Any] = {}
        for name, value in corrections.items():
            try:
                converted = msgspec.convert(value, types[name])
            except (KeyError, msgspec.ValidationError, ValueError, TypeError):
                continue
            if not naive(converted):
                values[name] = converted
        changed = {
            column: encode(values[name]) for column, (name, encode) in self.columns.items() if name in values
        }
        if "occurred_at" in values:
            changed["at_us"] = micros(values["occurred_at"])
        return changed


class FactRecorder:
    """Follows the log for one projection's fact tables."""

    def __init__(self, facts: Sequence[FactOf]) -> None:
        self._facts = {fact.name: fact for fact in facts}
        if len(self._facts) != len(facts):
            raise ValueError("two facts for one event name")
        self._openers = {name: (fact.table, fact.opener()) for name, fact in self._facts.items()}
        self.names = frozenset(self._facts) | CORRECTIONS
        self.tables = tuple(dict.fromkeys(fact.table for fact in facts))

    def apply(self, batch: Sequence[Scanned], working: Working) -> None:
        """Opens, corrects and closes rows for the events of `batch`, in order."""
        self._preload(batch, working)
        openers = self._openers
        for scanned in batch:
            name = scanned.name
            found = openers.get(name)
            if found is not None:
                table, opener = found
                working.open_row(table, opener(scanned))
            elif name in CORRECTIONS:
                self.correct(scanned, working)

    def correct(self, scanned: Scanned, working: Working) -> None:
        """Applies an amendment or a strike to the row of the entry that it names, if this projection has it."""
        event = scanned.event
        assert isinstance(event, EntryAmended | EntryStruck)
        fact = self._facts.get(event.entry_name)
        if fact is None:
            return
        for row in working.open_rows(fact.table, "entry", f"{scanned.stream}:{event.entry}"):
            if isinstance(event, EntryStruck):
                working.close(fact.table, row, scanned.position)
            else:
                working.revise(fact.table, row, scanned.position, **fact.corrected(event.corrections))

    def _preload(self, batch: Sequence[Scanned], working: Working) -> None:
        wanted: dict[Table, list[str]] = {}
        for scanned in batch:
            if scanned.name in CORRECTIONS:
                fact = self._facts.get(scanned.event.entry_name)  # type: ignore[attr-defined]
                if fact is not None:
                    key = f"{scanned.stream}:{scanned.event.entry}"  # type: ignore[attr-defined]
                    wanted.setdefault(fact.table, []).append(key)
        for table, keys in wanted.items():
            working.preload(table, "entry", keys)


class FactProjection:
    """A projection of the engine made of declared facts: `version` is raised whenever its rows would differ."""

    def __init__(self, name: str, version: int, facts: Sequence[FactOf]) -> None:
        self._recorder = FactRecorder(facts)
        self._name = name
        self._version = version

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> int:
        return self._version

    @property
    def tables(self) -> Sequence[Table]:
        return self._recorder.tables

    @property
    def names(self) -> frozenset[str]:
        return self._recorder.names

    def apply(self, batch: Sequence[Scanned], working: Working) -> None:
        """Opens, corrects and closes the rows of one batch."""
        self._recorder.apply(batch, working)
