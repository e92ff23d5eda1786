"""Brings the drafts of one patient together, however the export shuffles them, without holding the export in memory.

A private SQLite database without a name: it spills to a temporary file that no longer has a directory entry, so
nothing readable is left behind, not even after kill -9.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from api.fhir.drafts import AnyDraft, PatientDraft
from domain.kernel import Code

__all__ = ["Row", "Spool"]

_SCHEMA = """
CREATE TABLE patients (source_id TEXT PRIMARY KEY, place TEXT, draft BLOB);
CREATE TABLE rows (id INTEGER PRIMARY KEY, source_id TEXT, resource TEXT, place TEXT, draft BLOB);
CREATE TABLE reasons (source_id TEXT, condition_id TEXT, condition TEXT, PRIMARY KEY (source_id, condition_id));
"""


class Row(NamedTuple):
    """One draft with the resource type and the place it came from."""

    resource: str
    place: str
    draft: AnyDraft


class Spool:
    """Written once, then read patient by patient."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[AnyDraft] = msgspec.msgpack.Decoder(AnyDraft)

    def add_patient(self, draft: PatientDraft, place: str) -> bool:
        """False when the export has a patient of this id already."""
        added = self._db.execute(
            "INSERT OR IGNORE INTO patients VALUES (?, ?, ?)", (draft.source_id, place, self._encoder.encode(draft))
        )
        return added.rowcount == 1

    def add(self, source_id: str, resource: str, place: str, draft: AnyDraft) -> None:
        """One draft about the patient `source_id`, who may come later in the export or not at all."""
        row = (source_id, resource, place, self._encoder.encode(draft))
        self._db.execute("INSERT INTO rows (source_id, resource, place, draft) VALUES (?, ?, ?, ?)", row)

    def add_reason(self, source_id: str, condition_id: str, condition: Code | None) -> None:
        """Remembers what a Condition resource meant, for medication orders that name it as their reason."""
        self._db.execute("INSERT OR IGNORE INTO reasons VALUES (?, ?, ?)", (source_id, condition_id, condition))

    def close_writing(self) -> None:
        """Call once, between writing and reading."""
        self._db.execute("CREATE INDEX rows_of ON rows (source_id)")

    def patient_count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM patients").fetchone()[0])

    def patients(self) -> Iterator[tuple[PatientDraft, str]]:
        """In the export's order."""
        for place, blob in self._db.execute("SELECT place, draft FROM patients ORDER BY rowid"):
            draft = self._decoder.decode(blob)
            assert isinstance(draft, PatientDraft)
            yield draft, place

    def rows_of(self, source_id: str) -> list[Row]:
        """All drafts about one patient, in the export's order."""
        found = self._db.execute(
            "SELECT resource, place, draft FROM rows WHERE source_id = ? ORDER BY id", (source_id,)
        )
        return [Row(resource, place, self._decoder.decode(blob)) for resource, place, blob in found]

    def reasons_of(self, source_id: str) -> dict[str, Code | None]:
        """Condition resource id to the condition it means to us (None: none of ours)."""
        return dict(
            self._db.execute("SELECT condition_id, condition FROM reasons WHERE source_id = ?", (source_id,)).fetchall()
        )

    def orphans(self) -> Iterator[tuple[str, str]]:
        """(resource, place) of drafts whose patient the export does not hold."""
        yield from self._db.execute(
            "SELECT resource, place FROM rows WHERE source_id NOT IN (SELECT source_id FROM patients) ORDER BY id"
        )

    def close(self) -> None:
        self._db.close()
