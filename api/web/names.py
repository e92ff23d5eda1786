"""Patients' names on pages: from the directory, for roles that may, and only of patients whom the reader's clinics
care for. Whoever shows names has noted the reading first (`opened`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from api.auth import policy
from api.http.context import principal, wired
from api.web.page import may
from api.web.tables import Cell, cell
from projections.care_relations import cared_for
from projections.directory import Person, named

__all__ = ["name_of", "names", "patient_cell"]


def names(patients: Iterable[str | None]) -> Mapping[str, str]:
    """Names by id: empty for roles that may not see who a patient is."""
    who = principal()
    if not policy.allows(policy.POLICY["patients.show"], who.role, who.scopes):
        return {}
    wanted = {one for one in patients if one}
    with wired().read_side.database.reads.connect() as connection:
        if who.clinics is not None:
            wanted = cared_for(connection, wanted, [str(one) for one in who.clinics])
        found = _chunked(wanted)
        people = {key: one for part in found for key, one in named(connection, part).items()}
    return {key: text for key, one in people.items() if (text := name_of(one)) is not None}


def _chunked(wanted: Collection[str]) -> list[list[str]]:
    ordered = sorted(wanted)
    return [ordered[start : start + 500] for start in range(0, len(ordered), 500)]


def name_of(one: Person) -> str | None:
    """`Example, Alex`; None when the record cannot be opened."""
    return ", ".join(part for part in (one.family_name, one.given_name) if part) or None


def patient_cell(patient: str | None, known: Mapping[str, str], note: str = "") -> Cell:
    """The patient by name, else by the beginning of the id; leads to the chart where the reader may open it."""
    if not patient:
        return cell(None)
    text = known.get(patient) or f"Patient {patient[:8]}"
    return cell(text, href=f"/patients/{patient}" if may("web_patients.show") else None, note=note)
