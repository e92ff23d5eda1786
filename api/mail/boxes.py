"""What processes put into the outbox: a patient's prompt with its link, an alert's letters; in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, insert, select

from api.home.links import Link, row_of
from api.home.tables import LINKS
from api.mail.outbox import Message, put
from domain.kernel import derived_id
from projections.engine.database import writing
from services.processes.reminders import Prompt

__all__ = ["Boxes", "alert_letter"]


@dataclass(frozen=True)
class Boxes:
    """The boxes of `services.processes` over the views' database."""

    engine: Engine

    def remind(self, prompt: Prompt, now: datetime) -> None:
        """The link and the letter that carries it."""
        link = Link(
            link_id=prompt.link_id, patient_id=prompt.patient_id, clinic_id=prompt.clinic_id, asks=prompt.asks,
            created_by="process:reminders", created_at=now, expires_at=prompt.expires_at,
            follow_up_id=prompt.follow_up_id,
        )
        letter = Message(
            message_id=prompt.message_id, kind="follow_up", recipient=prompt.patient_id,
            about={"link_id": str(prompt.link_id)},
        )
        known = select(LINKS.c.link_id).where(LINKS.c.link_id == str(link.link_id))
        with writing(self.engine) as sql:
            if put(sql, letter) and sql.execute(known).first() is None:
                sql.execute(insert(LINKS).values(row_of(link)))

    def tell(
        self, patient_id: UUID, clinic_id: UUID, alert_id: UUID, step: int, staff_ids: tuple[UUID, ...],
        everybody: bool,
    ) -> None:
        """A letter to each."""
        about = {
            "patient_id": str(patient_id), "clinic_id": str(clinic_id), "alert_id": str(alert_id), "step": step,
            "everybody": everybody,
        }
        with writing(self.engine) as sql:
            for staff_id in staff_ids:
                put(sql, Message(
                    message_id=alert_letter(alert_id, step, staff_id), kind="alert",
                    recipient=staff_id, about=about))


def alert_letter(alert_id: UUID, step: int, staff_id: UUID) -> UUID:
    """The id of the letter by which somebody is told of an alert in a step of its escalation."""
    return derived_id("letter", "alert", alert_id, step, staff_id)
