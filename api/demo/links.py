"""A few working links of the demo's patients, so that a newcomer can answer as one of them would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from api.bootstrap import ReadSide, Services
from api.home.answering import Answering
from api.home.links import Link, LinkStore, Tokens
from domain.diary.follow_ups import FollowUpDue
from domain.kernel import derived_id
from domain.patient import patient
from domain.vocabulary.questions import ASKABLE
from services.processes.timers import log_now

__all__ = ["NotTheDemo", "open_links"]

GOOD_FOR = timedelta(days=14)


class NotTheDemo(Exception):
    """Links of real patients are for them alone: only a simulation gives them to whoever asks."""


def open_links(services: Services, read_side: ReadSide, count: int) -> list[str]:
    """The addresses of links that ask everything, for the patients who were asked last. Raises NotTheDemo.

    Again the same links for the same patients, unless they have been answered: then others.
    """
    if services.log.mode() != "simulation":
        raise NotTheDemo
    links, now = LinkStore(read_side.database.reads), log_now(services.log, services.clock, simulated=True)
    tokens, answering = Tokens(services.settings.secret(), "home"), Answering(services, links)
    found: list[str] = []
    for patient_id in _asked_last(services):
        if len(found) == count:
            break
        for attempt in range(100):
            link = links.issue(_link(services, patient_id, attempt, now))
            if answering.standing(link, now) == "over":
                break  # the record is closed
            if answering.standing(link, now) == "open" and not links.answered(link.link_id):
                found.append(f"{services.settings.address}/p/{tokens.of(link.link_id)}")
                break
    return found


def _asked_last(services: Services) -> Iterator[UUID]:
    """Patients by their latest follow-up, the latest first."""
    latest: dict[UUID, datetime] = {}
    after = 0
    while records := services.log.read(after, 5000, names=(FollowUpDue.NAME,)):
        after = records[-1].position
        for record in records:
            if isinstance(record.event, FollowUpDue) and record.subject is not None:
                latest[record.subject] = record.occurred_at
    yield from sorted(latest, key=lambda one: latest[one], reverse=True)


def _link(services: Services, patient_id: UUID, attempt: int, now: datetime) -> Link:
    state: patient.State = services.handling.recent(patient, patient_id).state
    assert state.home_clinic_id is not None  # a registered patient has one
    return Link(
        link_id=derived_id("demo_link", patient_id, attempt), patient_id=patient_id, clinic_id=state.home_clinic_id,
        asks=ASKABLE, created_by="demo", created_at=now, expires_at=now + GOOD_FOR,
    )
