"""From the door to the chair: arrival, room, the check before the infusion."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.kernel import Code, Command, Event, Secret


class VisitQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked at every visit. pregnancy: not_applicable, denied, negative_test, positive."""

    medicines_changed: bool
    fasted: bool
    pregnancy: Code
    urinary_symptoms: bool
    low_mood: bool
    health_changed: bool


class PatientArrived(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.patient_arrived.v1"
    patient_id: UUID
    visit_kind: Code
    course_id: UUID | None = None
    appointment_id: UUID | None = None
    booked_starts_at: datetime | None = None
    booked_ends_at: datetime | None = None


class PatientRoomed(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.patient_roomed.v1"
    room_id: UUID


class PatientMovedRoom(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.patient_moved_room.v1"
    from_room_id: UUID
    room_id: UUID
    reason_code: Code


class PreInfusionChecked(Event, frozen=True, kw_only=True):
    """Weight and visit questions of this visit, and who will drive the patient home."""

    NAME: ClassVar[str] = "infusion.pre_infusion_checked.v1"
    weight_kg: Decimal
    height_cm: Decimal | None = None
    questions: VisitQuestions
    driver_named: bool
    driver_name: Secret | None = None
    driver_phone: Secret | None = None
    nurse_id: UUID
    note: Secret | None = None


class ArrivePatient(Command, frozen=True, kw_only=True):
    patient_id: UUID
    visit_kind: Code
    course_id: UUID | None = None
    appointment_id: UUID | None = None
    booked_starts_at: datetime | None = None
    booked_ends_at: datetime | None = None


class RoomPatient(Command, frozen=True, kw_only=True):
    room_id: UUID


class MovePatient(Command, frozen=True, kw_only=True):
    room_id: UUID
    reason_code: Code


class CheckBeforeInfusion(Command, frozen=True, kw_only=True):
    weight_kg: Decimal
    height_cm: Decimal | None = None
    questions: VisitQuestions
    driver_named: bool
    driver_name: str | None = None
    driver_phone: str | None = None
    nurse_id: UUID
    note: str | None = None
