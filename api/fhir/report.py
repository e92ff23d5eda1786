"""What an import came to: every line of every file is counted once, as used, already there, or not used and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

__all__ = ["ImportReport"]

EXAMPLES = 5
DISTINCT_CODES = 2000
"""Bounds what is kept of codes we do not know, however many an export holds."""


@dataclass
class ImportReport:
    """Counts by `Type.what`; places (`file:line`) and codes as examples, never a patient's data."""

    import_id: UUID
    files: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    events: int = 0
    patients: int = 0
    used: Counter[str] = field(default_factory=Counter)
    already: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown_codes: Counter[str] = field(default_factory=Counter)

    def skip(self, resource: str, reason: str, place: str, code: str = "") -> None:
        """Counts one line as not used."""
        name = f"{resource}.{reason}"
        self.unused[name] += 1
        places = self.examples.setdefault(name, [])
        if len(places) < EXAMPLES:
            places.append(place)
        if code and (code in self.unknown_codes or len(self.unknown_codes) < DISTINCT_CODES):
            self.unknown_codes[code] += 1

    def as_dict(self) -> dict[str, Any]:
        """For JSON, most frequent first."""
        return {
            "import_id": str(self.import_id), "files": self.files, "lines": self.lines, "patients": self.patients,
            "events": self.events, "used": dict(self.used.most_common()), "already": dict(self.already.most_common()),
            "unused": dict(self.unused.most_common()), "examples": self.examples,
            "unknown_codes": dict(self.unknown_codes.most_common(50)),
        }
