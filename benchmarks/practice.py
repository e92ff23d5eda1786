"""A clinic to measure in: opened, staffed and visited through the same services that the API calls."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from api.bootstrap import Services
from domain.clinic import AddRoom, OpenClinic, OpeningSpan, SetOpeningHours
from domain.infusion.arrival import ArrivePatient
from domain.infusion.side_effects import ReportSideEffect
from domain.kernel import Actor, Command
from domain.patient.registration import RegisterPatient
from services.handling import Receipt, Request
from services.log import Idempotency

NOTE = "a little, soon over"
"""The free text of a side effect: sealed by us, plain in the peer's event."""

PER_VISIT = 20
"""Side effects reported at one visit before the next begins; ours and the peer's alike."""

OWNER = Actor(id="bench:owner", role="owner")
NURSE = Actor(id="bench:nurse", role="nurse")
DESK = Actor(id="bench:desk", role="front_desk")


def open_clinic(services: Services) -> UUID:
    """A clinic with a room, open around the clock; its id."""
    clinic_id = uuid4()
    send(services, clinic_id, clinic_id, OWNER, OpenClinic, clinic_name="Bench (fictional)", timezone="UTC",
         fictional=True)
    send(services, clinic_id, clinic_id, OWNER, AddRoom, room_id=uuid4(), room_name="Room 1")
    week = tuple(OpeningSpan(weekday=day, opens=time(0), closes=time(0)) for day in range(1, 8))
    today = datetime.now(UTC).date()
    send(services, clinic_id, clinic_id, OWNER, SetOpeningHours, effective_from=today - timedelta(days=1), hours=week,
         prime=())
    return clinic_id


def register(services: Services, clinic_id: UUID) -> UUID:
    """A new patient; their id."""
    patient_id = uuid4()
    send(services, clinic_id, patient_id, DESK, RegisterPatient, family_name="Example (fictional)", given_name="Kim",
         birth_date=date(1970, 1, 1), sex="female", home_clinic_id=clinic_id)
    return patient_id


def arrive(services: Services, clinic_id: UUID, patient_id: UUID) -> Receipt:
    """A visit begins; its id is the receipt's stream."""
    return send(services, clinic_id, uuid4(), NURSE, ArrivePatient, patient_id=patient_id, visit_kind="series")


def report_side_effect(services: Services, clinic_id: UUID, visit_id: UUID) -> Receipt:
    """The measured command: load, decide, save, with envelope, a sealed note, leaf and idempotency row."""
    return send(
        services, clinic_id, visit_id, NURSE, ReportSideEffect, side_effect_id=uuid4(), kind="nausea", grade=1,
        onset_at=datetime.now(UTC) - timedelta(seconds=1), note=NOTE,
    )


def send(
    services: Services, clinic_id: UUID, stream_id: UUID, by: Actor, command: type[Command], **what: Any
) -> Receipt:
    """One command with an idempotency key, as the edge would hand it over."""
    now = datetime.now(UTC)
    key = str(uuid4())
    asked = Request(
        by=by, clinic_id=clinic_id, command_id=uuid4(),
        idempotency=Idempotency(principal=by.id, key=key, body_hmac=sha256(key.encode()).digest()),
    )
    return services.handle(stream_id, command(by=by, now=now, at=now, **what), asked)
