"""Whose consultation was held at a clinic between two moments?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from projections.facts.encoding import micros, moment
from projections.facts.reading import fetch
from projections.facts.tables import course_facts


def consultations_held(conn: Connection, clinic: str, starts: datetime, ends: datetime) -> list[tuple[str, datetime]]:
    """(patient, when) of those in [starts, ends) that stand now."""
    c = course_facts.c
    query = select(c.patient, c.at_us).where(
        c.clinic == clinic, c.at_us >= micros(starts), c.at_us < micros(ends), c.kind == "consultation",
        c.known_to.is_(None),
    )  # fmt: skip
    return [(row["patient"], moment(row["at_us"])) for row in fetch(conn, query)]
