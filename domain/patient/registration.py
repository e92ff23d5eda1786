"""Who the patient is, which clinics care for them, who sent them."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Secret
from domain.patient.state import AlreadyEntered, Facts, State, check_dates, day_of, require_living, require_record
from domain.vocabulary.conditions import RECORDABLE
from domain.vocabulary.people import SEXES, age_band
from domain.vocabulary.reasons import CARE_CLOSED, CARE_OPENED, DEMOGRAPHICS_CORRECTED, REFERRAL_SOURCES
from domain.vocabulary.term import require


class AlreadyRegistered(DomainError):
    """This patient is registered."""


class PersonalNameMissing(BadInput):
    """A family and a given name are needed."""


class ClinicNotKnown(DomainError):
    """The organisation has no such clinic."""


class NothingCorrected(BadInput):
    """A correction names at least one field."""


class AlreadyInCare(DomainError):
    """The patient is in this clinic's care."""


class NotInCare(DomainError):
    """The patient is not in this clinic's care."""


class HomeClinicCares(DomainError):
    """The home clinic's care does not end before another is the home clinic."""


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
    deceased: bool | None = None
    reason_code: Code


class CareRelationOpened(Event, frozen=True, kw_only=True):
    """From now on the clinic sees this patient; to others the id answers 404."""

    NAME: ClassVar[str] = "patient.care_relation_opened.v1"
    clinic_id: UUID
    reason_code: Code


class CareRelationClosed(Event, frozen=True, kw_only=True):
    """From now on the clinic no longer sees this patient."""

    NAME: ClassVar[str] = "patient.care_relation_closed.v1"
    clinic_id: UUID
    reason_code: Code


class HomeClinicChanged(Event, frozen=True, kw_only=True):
    """The clinic whose boosters and follow-up the patient counts under."""

    NAME: ClassVar[str] = "patient.home_clinic_changed.v1"
    clinic_id: UUID


class ReferralReceived(Event, frozen=True, kw_only=True):
    """Somebody sent the patient (or they came themselves), for these conditions."""

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
    deceased: bool | None = None
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


def decide_registration(state: State, command: RegisterPatient, facts: Facts) -> Decision:
    """Registers, and opens the home clinic's care.

    The age band is that of the local date of `at`. Raises AlreadyRegistered, PersonalNameMissing, ClinicNotKnown,
    NotAnAdult, ImplausibleBirthDate, UnknownCode.
    """
    if state.is_registered:
        raise AlreadyRegistered(patient_id=str(state.stream_id))
    _require_names(command)
    require(command.sex, SEXES, "/sex")
    if not facts.clinic_known:
        raise ClinicNotKnown(clinic_id=str(command.home_clinic_id), pointer="/home_clinic_id")
    registered = PatientRegistered(
        occurred_at=command.at, late_reason=command.late_reason, family_name=command.family_name,
        given_name=command.given_name, birth_date=command.birth_date.isoformat(), phone=command.phone,
        email=command.email, address=command.address, identifiers=dict(command.identifiers), sex=command.sex,
        age_band=age_band(command.birth_date, day_of(command.at)), home_clinic_id=command.home_clinic_id,
        deceased=command.deceased,
    )
    return Decision((registered, CareRelationOpened(
        occurred_at=command.at, late_reason=command.late_reason, clinic_id=command.home_clinic_id,
        reason_code="registration",
    )))


def _require_names(command: RegisterPatient | CorrectDemographics) -> None:
    for field in ("family_name", "given_name"):
        name = getattr(command, field)
        if name is not None and not name.strip():
            raise PersonalNameMissing(pointer=f"/{field}")


_CORRECTABLE = ("family_name", "given_name", "birth_date", "phone", "email", "address", "sex", "deceased")


def decide_demographics(state: State, command: CorrectDemographics) -> Decision:
    """Only what the command names changes; a new birth date gives the band it would have given at registration.

    Raises NothingCorrected, PersonalNameMissing, NotAnAdult, ImplausibleBirthDate, UnknownCode.
    """
    require_record(state)
    if all(getattr(command, field) is None for field in _CORRECTABLE):
        raise NothingCorrected(fields=list(_CORRECTABLE), pointer="")
    _require_names(command)
    require(command.reason_code, DEMOGRAPHICS_CORRECTED, "/reason_code")
    if command.sex is not None:
        require(command.sex, SEXES, "/sex")
    band, born = None, command.birth_date
    if born is not None:
        band = age_band(born, day_of(state.registered_at or command.at))
    return Decision((DemographicsCorrected(
        occurred_at=command.at, late_reason=command.late_reason, family_name=command.family_name,
        given_name=command.given_name, birth_date=born.isoformat() if born else None, phone=command.phone,
        email=command.email, address=command.address, sex=command.sex, age_band=band, deceased=command.deceased,
        reason_code=command.reason_code,
    ),))


def decide_care(state: State, command: OpenCareRelation | CloseCareRelation | ChangeHomeClinic, facts: Facts
                ) -> Decision:
    """Raises ClinicNotKnown, AlreadyInCare, NotInCare, HomeClinicCares, PatientDeceased, UnknownCode."""
    require_record(state)
    clinic, at, late = command.clinic_id, command.at, command.late_reason
    if isinstance(command, CloseCareRelation):
        if clinic not in state.care:
            raise NotInCare(clinic_id=str(clinic), pointer="/clinic_id")
        if clinic == state.home_clinic_id:
            raise HomeClinicCares(clinic_id=str(clinic), pointer="/clinic_id")
        require(command.reason_code, CARE_CLOSED, "/reason_code")
        return Decision((CareRelationClosed(
            occurred_at=at, late_reason=late, clinic_id=clinic, reason_code=command.reason_code),))
    require_living(state)
    if not facts.clinic_known:
        raise ClinicNotKnown(clinic_id=str(clinic), pointer="/clinic_id")
    if isinstance(command, OpenCareRelation):
        if clinic in state.care:
            raise AlreadyInCare(clinic_id=str(clinic), pointer="/clinic_id")
        require(command.reason_code, CARE_OPENED, "/reason_code")
        return Decision((CareRelationOpened(
            occurred_at=at, late_reason=late, clinic_id=clinic, reason_code=command.reason_code),))
    if clinic not in state.care:
        raise NotInCare(clinic_id=str(clinic), pointer="/clinic_id")
    if clinic == state.home_clinic_id:
        raise AlreadyEntered(clinic_id=str(clinic), pointer="/clinic_id")
    return Decision((HomeClinicChanged(occurred_at=at, late_reason=late, clinic_id=clinic),))


def decide_referral(state: State, command: ReceiveReferral) -> Decision:
    """Raises AlreadyEntered, DateNotValid, UnknownCode."""
    require_record(state)
    if command.referral_id in state.referrals:
        raise AlreadyEntered(referral_id=str(command.referral_id), pointer="/referral_id")
    referral = ReferralReceived(
        occurred_at=command.at, late_reason=command.late_reason, referral_id=command.referral_id,
        source=command.source, referred_by=command.referred_by, conditions=command.conditions,
        received_on=command.received_on,
    )
    check_referral(referral)
    return Decision((referral,))


def check_referral(referral: ReferralReceived) -> None:
    """Raises DateNotValid, UnknownCode; asked of amended ones too."""
    require(referral.source, REFERRAL_SOURCES, "/source")
    for index, condition in enumerate(referral.conditions):
        require(condition, RECORDABLE, f"/conditions/{index}")
    check_dates(referral.occurred_at, starts=referral.received_on, names=("received_on", "received_on"))


def evolve_registration(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case PatientRegistered():
            return replace(
                state, registered_at=event.occurred_at, sex=event.sex, age_band=event.age_band,
                deceased=event.deceased, home_clinic_id=event.home_clinic_id)
        case DemographicsCorrected():
            return replace(
                state, sex=event.sex or state.sex, age_band=event.age_band or state.age_band,
                deceased=state.deceased if event.deceased is None else event.deceased)
        case CareRelationOpened():
            return replace(state, care=state.care | {event.clinic_id})
        case CareRelationClosed():
            return replace(state, care=state.care - {event.clinic_id})
        case HomeClinicChanged():
            return replace(state, home_clinic_id=event.clinic_id)
        case ReferralReceived():
            return replace(state, referrals=(*state.referrals, event.referral_id))
    return state
