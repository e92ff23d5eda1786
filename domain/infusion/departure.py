"""Recovery, and the one ending each visit has."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


class RecoveryAssessed(Event, frozen=True, kw_only=True):
    """scale: aldrete, padss. `items` are the scale's own, 0 to 2 each."""

    NAME: ClassVar[str] = "infusion.recovery_assessed.v1"
    scale: Code
    items: dict[Code, int]
    total: int


class PatientDischarged(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.patient_discharged.v1"
    driver_present: bool
    instructions_given: bool
    discharged_by: UUID
    note: Secret | None = None


class LeftAgainstAdvice(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.left_against_advice.v1"
    reason_code: Code
    risks_explained: bool
    note: Secret | None = None


class TransferredToHospital(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.transferred_to_hospital.v1"
    reason_code: Code
    hospital: Secret | None = None


class VisitEndedWithoutInfusion(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.visit_ended_without_infusion.v1"
    reason_code: Code
    note: Secret | None = None


class DiedInCare(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.died_in_care.v1"
    note: Secret | None = None


class RoomReleased(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "infusion.room_released.v1"
    room_id: UUID


class RuleBreached(Event, frozen=True, kw_only=True):
    """A rule that a recorded fact broke: the safety board's work list. `entry` is the fact's version."""

    NAME: ClassVar[str] = "infusion.rule_breached.v1"
    rule: Code
    entry: int
    data: dict[str, str] = {}


class AssessRecovery(Command, frozen=True, kw_only=True):
    scale: Code
    items: dict[Code, int]


class DischargePatient(Command, frozen=True, kw_only=True):
    driver_present: bool
    instructions_given: bool
    discharged_by: UUID
    note: str | None = None


class LeaveAgainstAdvice(Command, frozen=True, kw_only=True):
    reason_code: Code
    risks_explained: bool
    note: str | None = None


class TransferToHospital(Command, frozen=True, kw_only=True):
    reason_code: Code
    hospital: str | None = None


class EndWithoutInfusion(Command, frozen=True, kw_only=True):
    reason_code: Code
    note: str | None = None


class DieInCare(Command, frozen=True, kw_only=True):
    note: str | None = None


class ReleaseRoom(Command, frozen=True, kw_only=True):
    pass
