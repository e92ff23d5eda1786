"""Which clinics there are."""

from __future__ import annotations

from sqlalchemy import Connection, select

from projections.facts.tables import clinic_facts


def opened_clinics(conn: Connection) -> list[str]:
    """Ids of all clinics of the organisation, in order."""
    query = select(clinic_facts.c.clinic).where(clinic_facts.c.kind == "opened", clinic_facts.c.known_to.is_(None))
    return sorted(conn.scalars(query))
