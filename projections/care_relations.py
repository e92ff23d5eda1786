"""Which clinics may see which patient: the answer behind every 404. Holds no keys and no names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Table, select

from domain.corrections import EntryStruck
from domain.kernel import Scanned
from domain.patient.registration import CareRelationClosed, CareRelationOpened
from projections.engine.working import Working
from projections.facts.encoding import micros
from projections.facts.tables import care_relation_facts as relations

OPENED, CLOSED, STRUCK = CareRelationOpened.NAME, CareRelationClosed.NAME, EntryStruck.NAME


class CareRelations:
    """A row is open while the clinic cares for the patient: opened by one event, closed by the other (or a strike)."""

    name = "care_relations"
    version = 1
    tables: Sequence[Table] = (relations,)
    names = frozenset({OPENED, CLOSED, STRUCK})

    def apply(self, batch: Sequence[Scanned], working: Working) -> None:
        """Opens and closes relations; closing one that is not open, or opening one that is, changes nothing."""
        working.preload(relations, "patient", [one.stream for one in batch if one.name != STRUCK])
        for scanned in batch:
            event = scanned.event
            if isinstance(event, CareRelationOpened):
                self._open(scanned, str(event.clinic_id), event.reason_code, working)
            elif isinstance(event, CareRelationClosed):
                for row in _between(scanned.stream, str(event.clinic_id), working):
                    working.close(relations, row, scanned.position)
            elif isinstance(event, EntryStruck) and event.entry_name == OPENED:
                for row in working.open_rows(relations, "entry", f"{scanned.stream}:{event.entry}"):
                    working.close(relations, row, scanned.position)

    def _open(self, scanned: Scanned, clinic: str, reason: str, working: Working) -> None:
        if _between(scanned.stream, clinic, working):
            return
        working.open(
            relations, fact_id=f"r{scanned.position}", known_from=scanned.position, position=scanned.position,
            entry=f"{scanned.stream}:{scanned.version}", kind="open", at_us=micros(scanned.event.occurred_at),
            clinic=clinic, patient=scanned.stream, reason=reason,
        )  # fmt: skip


def _between(patient: str, clinic: str, working: Working) -> list[dict[str, object]]:
    return [row for row in working.open_rows(relations, "patient", patient) if row["clinic"] == clinic]


def visible(conn: Connection, patient: str, clinics: Collection[str] | None) -> bool:
    """Whether one of `clinics` cares for `patient` now (None: all clinics, any relation will do)."""
    query = select(relations.c.fact_id).where(relations.c.patient == patient, relations.c.known_to.is_(None)).limit(1)
    if clinics is not None:
        query = query.where(relations.c.clinic.in_(sorted(clinics)))
    return conn.execute(query).first() is not None


def clinics_of(conn: Connection, patient: str) -> list[str]:
    """The clinics that care for `patient` now."""
    query = select(relations.c.clinic).where(relations.c.patient == patient, relations.c.known_to.is_(None))
    return sorted(set(conn.scalars(query)))


def cared_for(conn: Connection, patients: Collection[str], clinics: Collection[str]) -> set[str]:
    """Those of `patients` whom one of `clinics` cares for now."""
    wanted = sorted(patients)
    found: set[str] = set()
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        query = select(relations.c.patient).where(
            relations.c.patient.in_(part), relations.c.clinic.in_(sorted(clinics)), relations.c.known_to.is_(None)
        )
        found.update(conn.scalars(query))
    return found
