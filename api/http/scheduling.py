"""The scheduling questions of this request, wired: pages and `/v1` ask them through here."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.http.context import wired
from services.scheduling import Openings, Reading

__all__ = ["openings", "reading"]


def reading(now: datetime | None = None) -> Reading:
    """What stands now, read once per request."""
    services = wired().services
    return Reading(services.handling, services.log, now or services.clock.now())


def openings(clinic_id: UUID) -> Openings:
    """Free times of a clinic."""
    return Openings(reading(), clinic_id)
