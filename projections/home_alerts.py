"""Which alerts from home has nobody acknowledged yet? The work list of who is on call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Connection, func, select

from projections.facts.encoding import moment
from projections.facts.tables import loose_end_facts
from projections.loose_ends import OPEN

__all__ = ["OpenAlert", "count_open_alerts", "open_alerts"]


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it was raised."""

    alert_id: UUID
    patient_id: UUID
    clinic_id: UUID
    kind: str
    raised_at: datetime
    position: int


def count_open_alerts(conn: Connection, clinics: Collection[str]) -> int:
    """How many there are: it stands beside the way to them on every page, so it reads an index and nothing else."""
    c = loose_end_facts.c
    wanted = select(func.count()).select_from(loose_end_facts).where(
        c.clinic.in_(sorted(clinics)), c.kind == "home_alert", c.known_to.is_(None), c.until_us == OPEN,
        c.patient.is_not(None))
    return conn.execute(wanted).scalar_one()


def open_alerts(conn: Connection, clinics: Collection[str]) -> Sequence[OpenAlert]:
    """Alerts raised at these clinics and not acknowledged, the oldest first. Bounded by what is open now."""
    c = loose_end_facts.c
    wanted = (
        select(loose_end_facts)
        .where(c.clinic.in_(sorted(clinics)), c.kind == "home_alert", c.known_to.is_(None), c.until_us == OPEN)
        .order_by(c.at_us, c.position)
    )
    return [
        OpenAlert(
            alert_id=UUID(row["subject"]), patient_id=UUID(row["patient"]), clinic_id=UUID(row["clinic"]),
            kind=row["code"], raised_at=moment(row["at_us"]), position=row["position"])
        for row in conn.execute(wanted).mappings()
        if row["patient"] is not None and row["clinic"] is not None
    ]
