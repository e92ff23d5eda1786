"""Who the patient is, which clinics care for them, who sent them."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID


from domain.kernel import Code, Command, Event, Secret


class PatientRegistered(Event, frozen=True, kw_only=True):
    """`age_band` (at registration) and `sex` stay readable for ever: metrics need them after erasure."""

    NAME: ClassVar[str] = "patient.registered.v1"
    family_name: Secret
    given_name: Secret
    birth_date: Secret
    phone: Secret | None = None
    email: Secret | None = None
    address: Secret | None = None
    identifiers: dict[str, Secret] = {}
    sex: Code
    age_band: Code
    home_clinic_id: UUID
    deceased: bool = False


class DemographicsCorrected(Event, frozen=True, kw_only=True):
    """Only what changed is present."""

    NAME: ClassVar[str] = "patient.demographics_corrected.v1"
    family_name: Secret | None = None
    given_name: Secret | None = None
    birth_date: Secret | None = None
    phone: Secret | None = None
    email: Secret | None = None
    address: Secret | None = None
    sex: Code | None = None
    age_band: Code | None = None
    reason_code: Code


class CareRelationOpened(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.care_relation_opened.v1"
    clinic_id: UUID
    reason_code: Code


class CareRelationClosed(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.care_relation_closed.v1"
    clinic_id: UUID
    reason_code: Code


class HomeClinicChanged(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.home_clinic_changed.v1"
    clinic_id: UUID


class ReferralReceived(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "patient.referral_received.v1"
    referral_id: UUID
    source: Code
    referred_by: Secret | None = None
    conditions: tuple[Code, ...] = ()
    received_on: date


class RegisterPatient(Command, frozen=True, kw_only=True):
    family_name: str
    given_name: str
    birth_date: date
    sex: Code
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    identifiers: dict[str, str] = {}
    home_clinic_id: UUID
    deceased: bool = False


class CorrectDemographics(Command, frozen=True, kw_only=True):
    family_name: str | None = None
    given_name: str | None = None
    birth_date: date | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    sex: Code | None = None
    reason_code: Code


class OpenCareRelation(Command, frozen=True, kw_only=True):
    clinic_id: UUID
    reason_code: Code


class CloseCareRelation(Command, frozen=True, kw_only=True):
    clinic_id: UUID
    reason_code: Code


class ChangeHomeClinic(Command, frozen=True, kw_only=True):
    clinic_id: UUID


class ReceiveReferral(Command, frozen=True, kw_only=True):
    referral_id: UUID
    source: Code
    referred_by: str | None = None
    conditions: tuple[Code, ...] = ()
    received_on: date
