"""Getting at the parts of a resource without trusting its shape: wrong types read as absent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

__all__ = [
    "Coded", "code_of", "codings", "day", "items", "label", "moment", "number", "part", "reference_id", "text",
]

_DATE_TIME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})(?:T(?P<time>\d{2}:\d{2}(?::\d{2})?)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d{2}:\d{2}))?"
)
_SYSTEMS = {
    "http://snomed.info/sct": "snomed",
    "http://loinc.org": "loinc",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "rxnorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "icd10cm",
    "urn:oid:2.16.840.1.113883.6.96": "snomed",
    "urn:oid:2.16.840.1.113883.6.1": "loinc",
    "urn:oid:2.16.840.1.113883.6.88": "rxnorm",
    "urn:oid:2.16.840.1.113883.6.90": "icd10cm",
}
LONGEST_TEXT = 200
_BILLION = 1_000_000_000


class Coded(NamedTuple):
    """One coding; `system` in short (snomed, loinc, rxnorm, icd10cm) where known, else as it came."""

    system: str
    code: str
    display: str


def part(value: Any, name: str) -> dict[str, Any]:
    """The object under `name`, or an empty one."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def items(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects of the list under `name`."""
    inner = value.get(name) if isinstance(value, dict) else None
    return [item for item in inner if isinstance(item, dict)] if isinstance(inner, list) else []


def text(value: Any) -> str:
    """A string without control characters or outer blanks, cut at 200 characters; "" for anything else."""
    if not isinstance(value, str):
        return ""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in value)
    return " ".join(kept.split())[:LONGEST_TEXT]


def codings(concept: dict[str, Any]) -> Iterator[Coded]:
    """The codings of a CodeableConcept that have a code."""
    for coding in items(concept, "coding"):
        code = text(coding.get("code"))
        if code:
            system = text(coding.get("system"))
            yield Coded(_SYSTEMS.get(system, system), code, text(coding.get("display")))


def code_of(concept: dict[str, Any]) -> str:
    """The first code, "" when there is none."""
    return next((coded.code for coded in codings(concept)), "")


def label(concept: dict[str, Any]) -> str:
    """What a person reads for the concept."""
    shown = next((coded.display for coded in codings(concept) if coded.display), "")
    return shown or text(concept.get("text")) or code_of(concept)


def reference_id(reference: dict[str, Any]) -> str:
    """The id at the end of `urn:uuid:ID`, `Patient/ID`, `https://host/fhir/Patient/ID/_history/1`; "" if none."""
    target = text(reference.get("reference")).split("/_history/")[0]
    return re.split(r"[/:]", target)[-1] if target else ""


def number(value: Any) -> Decimal | None:
    """A JSON number as a decimal; None for anything else (also for true and false). Beyond a billion it is cut there,
    far outside every limit, so that arithmetic cannot fail."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(str(max(-_BILLION, min(_BILLION, value))))


def moment(value: Any) -> datetime | None:
    """A FHIR dateTime to the day or finer. Digits past microseconds are dropped; a bare day is its noon, UTC.

    None for a year or a month alone (too coarse for an entry), for a time without an offset, and for no date at all.
    """
    found = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        if found["time"] is None:
            return datetime.combine(date.fromisoformat(found["day"]), time(12), UTC)
        clock = found["time"] if found["time"].count(":") == 2 else f"{found['time']}:00"
        fraction = (found["fraction"] or "")[:7]
        zone = "+00:00" if found["zone"] == "Z" else found["zone"]
        return datetime.fromisoformat(f"{found['day']}T{clock}{fraction.ljust(7, '0') if fraction else ''}{zone}")
    except (ValueError, OverflowError):
        return None


def day(value: Any) -> date | None:
    """The day of a FHIR date or dateTime, as written (not shifted to another zone)."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
