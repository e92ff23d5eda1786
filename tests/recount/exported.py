"""The events of an `anodyne audit export`, as they stand: corrected, merged, cut at a position and at a moment.

Nothing here (or in the other modules beside it) imports the product: the export and `docs/events.md` are all that is
known. A line's `payload` leaves out fields that have the value which the catalogue names as their default.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

UTC = "UTC"
COLUMNS = ["position", "stream", "version", "name", "at", "recorded", "clinic", "patient", "data"]
Line = dict[str, Any]


def moment(text: str) -> pd.Timestamp:
    """An RFC 3339 time as an instant in UTC, to the microsecond."""
    return pd.Timestamp(text).tz_convert(UTC)


class Export:
    """All lines of an export, in order."""

    def __init__(self, lines: Iterable[str | bytes]) -> None:
        self.lines: list[Line] = [json.loads(line) for line in lines]
        positions = [line["position"] for line in self.lines]
        assert positions == list(range(1, len(positions) + 1)), "the export is not whole"
        for line in self.lines:
            line["recorded"] = moment(line["recorded_at"])

    def known(self, known_at: int | None = None, as_of: pd.Timestamp | None = None) -> Known:
        """What stands of the first `known_at` lines, as far as it had happened by `as_of`."""
        return Known(self.lines[:known_at], as_of)

    def position_at(self, known: pd.Timestamp) -> int:
        """The last position recorded by then."""
        return sum(1 for line in self.lines if line["recorded"] <= known)


class Known:
    """Entries that stand, in order of occurrence, ties by position."""

    def __init__(self, lines: list[Line], as_of: pd.Timestamp | None) -> None:
        self.as_of = as_of
        standing = _standing(lines)
        survivors = _survivors(standing)
        rows = []
        for line in standing:
            if as_of is not None and line["at"] > as_of:
                continue
            patient = line["subject"]
            rows.append((
                line["position"], line["stream_id"], line["version"], line["name"], line["at"], line["recorded"],
                line["clinic_id"], survivors.get(patient, patient), line["data"],
            ))  # fmt: skip
        rows.sort(key=lambda row: (row[4], row[0]))
        self._by_name: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for row in rows:
            self._by_name[row[3]].append(row)
        self.survivors = survivors

    def of(self, *names: str, fields: Iterable[str] = (), **defaults: Any) -> pd.DataFrame:
        """The entries of these names (without version suffix), with `fields` of their data as columns.

        `defaults` are fields too, with the value they have when they are left out.
        """
        rows = [row for name in names for row in self._by_name[f"{name}.v1"]]
        wanted: dict[str, Any] = {**dict.fromkeys(fields), **defaults}
        taken = [(*row, *(row[8].get(field, default) for field, default in wanted.items())) for row in rows]
        frame = pd.DataFrame(taken, columns=[*COLUMNS, *wanted])
        for column in ("at", "recorded"):
            frame[column] = instants(frame[column])
        return frame.sort_values(["at", "position"], ignore_index=True)

    def person(self, patient: str | None) -> str | None:
        """Whom a patient's id stands for, after merges."""
        return self.survivors.get(patient, patient) if patient is not None else None


def instants(values: Iterable[Any]) -> pd.Series:
    """Instants in UTC, to the microsecond, from text or timestamps; None stays missing."""
    series = pd.Series(list(values), dtype=object)
    parsed = pd.to_datetime(series, utc=True, format="ISO8601")
    return parsed.astype("datetime64[us, UTC]")


def _standing(lines: list[Line]) -> list[Line]:
    """Each entry under its corrections; struck ones, and corrections themselves, are no entries."""
    entries: dict[tuple[str, int], Line] = {}
    struck: set[tuple[str, int]] = set()
    for line in lines:
        name, payload = line["name"], line["payload"]
        if name in ("entry.amended.v1", "entry.struck.v1"):
            target = line["stream_id"], payload["entry"]
            if target in entries and name == "entry.amended.v1":
                entries[target]["data"] = _amended(entries[target]["data"], payload.get("corrections", {}))
            elif target in entries:
                struck.add(target)
            continue
        entries[line["stream_id"], line["version"]] = {**line, "data": payload}
    found = [line for key, line in entries.items() if key not in struck]
    for line in found:
        line["at"] = moment(line["data"]["occurred_at"])
    return found


def _amended(data: Mapping[str, Any], corrections: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(data)
    for field, value in corrections.items():
        before = changed.get(field)
        changed[field] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return changed


def _survivors(standing: list[Line]) -> dict[str, str]:
    """Merged ids and whom they are counted as, from the merge's position on."""
    into: dict[str, str] = {}
    for line in sorted(standing, key=lambda line: line["position"]):
        if line["name"] == "patient.merged.v1":
            into[line["stream_id"]] = line["data"]["survivor_id"]
        elif line["name"] == "patient.unmerged.v1":
            into.pop(line["stream_id"], None)
    found = {}
    for patient in into:
        survivor, seen = patient, {patient}
        while survivor in into and into[survivor] not in seen:
            survivor = into[survivor]
            seen.add(survivor)
        found[patient] = survivor
    return found
