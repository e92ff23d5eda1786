"""Reading health data leaves its entry in the access log before it is answered; if that cannot be, 503."""

from __future__ import annotations

from uuid import UUID

from flask import g

from api.http.context import principal, wired
from api.http.problems import Problem
from domain.access import ExportMade, RecordOpened
from domain.kernel import Actor, Event
from services.log import LogError

__all__ = ["note_export", "opened"]


def opened(
    resource: str, *, patient_id: UUID | None = None, clinic_id: UUID | None = None, count: int = 1
) -> int:
    """Notes that the caller is shown `resource`; the care log's position that the answer shows.

    Durable when it returns; raises `Problem` 503 when it cannot be.
    """
    services = wired().services
    position = services.log.head()
    event = RecordOpened(
        occurred_at=services.clock.now(), resource=resource, patient_id=patient_id, care_position=position,
        result_count=count, purpose="emergency" if g.get("emergency") is not None else "treatment",
    )
    _note(event, clinic_id, patient_id)
    return position


def note_export(scope: str, records: int) -> None:
    """Notes that `records` records left by a feed or an export; nothing for an empty page."""
    if records:
        services = wired().services
        event = ExportMade(
            occurred_at=services.clock.now(), scope=scope, care_position=services.log.head(), records=records
        )
        _note(event, None, None)


def _note(event: Event, clinic_id: UUID | None, patient_id: UUID | None) -> None:
    who = principal()
    by = Actor(id=who.actor_id, role=who.role)
    try:
        wired().services.access.record(event, by=by, clinic_id=clinic_id or _only_clinic(), subject=patient_id)
    except LogError as error:
        raise Problem(
            503, "access-log-unavailable", "The access could not be recorded, so nothing is shown.",
            headers={"Retry-After": "1"},
        ) from error


def _only_clinic() -> UUID | None:
    clinics = principal().clinics
    return next(iter(clinics)) if clinics is not None and len(clinics) == 1 else None
