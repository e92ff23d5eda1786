"""Oversight: emergency access, put into the acting clinic's oversight day of UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from domain import emergency
from domain.kernel import Command, derived_id
from domain.patient import patient
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.case import Case, Reader, acting_clinic


def use_cases() -> Mapping[type[Command], UseCase]:
    """Every command of oversight."""
    return {emergency.UseEmergencyAccess: Case(emergency, _used)}


def day_of(clinic_id: UUID, at: datetime) -> UUID:
    """The oversight stream of a clinic's UTC day."""
    return derived_id("oversight", clinic_id, at.astimezone(UTC).date().isoformat())


def _used(stream_id: UUID, command: emergency.UseEmergencyAccess, request: Request, load: Load) -> Plan:
    here = acting_clinic(load, request, command.at)
    whose = load(patient, command.patient_id).state
    if not whose.is_registered:
        raise NotFound(patient_id=str(command.patient_id))
    day = day_of(here.stream_id, command.now)  # midnight may have passed since the caller named the stream
    facts = emergency.Facts(erased=whose.erased)
    return Plan(
        writes=(Write(aggregate=emergency, stream_id=day, command=command, facts=facts),),
        subject=command.patient_id, clinic_id=here.stream_id, ids={"access_id": str(command.access_id)},
    )


def emergency_until(reader: Reader, patient_id: UUID, actor: str, now: datetime) -> datetime | None:
    """Until when `actor` may read this record by emergency access; None if not now."""
    open_now = [
        claim.ends for claim in reader.claims_on(emergency.resource_of(patient_id, actor))
        if claim.ends is not None and claim.starts <= now < claim.ends
    ]
    return max(open_now, default=None)
