"""What a visit must know of other streams to decide: gathered by the use case, never looked up here.

Everything is as of the command's `at` (not of `now`): a late entry is judged by what held when it happened.
What cannot be found is left at its default; the rule that needs it then refuses an intention by its name
(`NoOpenCourse`, `ConsentMissing`, ...) and records a late fact with a breach.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from domain.kernel import Code
from domain.protocol import Protocol


class CourseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The course of this visit, folded up to now.

    `infusions_given` counts InfusionGiven (not struck) of the course in OTHER visits; the response gate applies
    from the second on. `response_decision` is that of the last ResponseAssessed: go_on, stop, or None before any.
    """

    course_id: UUID
    patient_id: UUID
    is_open: bool
    infusions_given: int = 0
    response_positive: bool | None = None
    response_decision: Code | None = None
    prescriber_id: UUID | None = None


class FindingFact(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of the patient's latest screening of that contraindication (statuses: screening.Finding)."""

    contraindication: Code
    status: Code


class ClearanceFact(msgspec.Struct, frozen=True, kw_only=True):
    """A prescriber's reasoned clearance (ScreeningCleared), good through local date `valid_until`."""

    contraindication: Code
    valid_until: date


class CredentialFact(msgspec.Struct, frozen=True, kw_only=True):
    """One CredentialsRecorded: kind medical_license, nursing_license, ...; local dates, both inclusive."""

    kind: Code
    valid_from: date
    valid_until: date


class StaffFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A person named by the command or by the visit so far; `has_left` once StaffLeft."""

    credentials: tuple[CredentialFact, ...] = ()
    has_left: bool = False


class RoomFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A room of the visit's clinic. `in_use_by`: another infusion holding `room-use:<id>` over `at`, if any.

    The claim decides in the end (two may ask at once); this names the holder in the refusal and in a late breach.
    """

    in_service: bool
    in_use_by: UUID | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `visit.decide` is told. Which staff and rooms to look up: `visit.staff_named`, `visit.rooms_named`.

    clinic_id: where the visit takes place.
    timezone: the clinic's IANA zone (ClinicOpened.timezone); local dates below are in it.
    protocol: the document of the clinic's last ProtocolAdopted; None when none was adopted (then nothing starts).
    course: the course named at arrival (ArrivePatient.course_id / state.course_id); None when there is none.
    consultation_held_at: last ConsultationHeld of the patient with decision `proceed`.
    consent_signed_at: latest infusion consent signed and not withdrawn.
    screened_at: latest ScreeningRecorded made by a person (hints of an import do not count).
    findings: the latest finding per contraindication; clearances: all ScreeningCleared of the patient.
    staff: StaffFacts by id for everyone in `visit.staff_named(state, command)`; an unknown id is left out.
    rooms: RoomFacts by id for `visit.rooms_named(state, command)`; a room unknown to the clinic is left out.
    patient_in_visit: another infusion stream of this patient that is arrived and not ended at `at`, if any.
    last_drug_stop_at: latest drug stop (InfusionGiven, not struck) of this patient in another visit, any clinic.
    infusions_same_date: InfusionGiven (not struck) of this patient in other visits whose drug started on the
        clinic-local date of this visit's drug start (of `at` before it started).
    last_weight_kg, last_weighed_at: the patient's last weight before this visit (an earlier PreInfusionChecked,
        a consultation or the diary).
    sex: administrative sex code of the patient (`female`, `male`, else None): for ideal and adjusted weight.
    """

    clinic_id: UUID
    timezone: str
    protocol: Protocol | None = None
    course: CourseFacts | None = None
    consultation_held_at: datetime | None = None
    consent_signed_at: datetime | None = None
    screened_at: datetime | None = None
    findings: tuple[FindingFact, ...] = ()
    clearances: tuple[ClearanceFact, ...] = ()
    staff: Mapping[UUID, StaffFacts] = {}
    rooms: Mapping[UUID, RoomFacts] = {}
    patient_in_visit: UUID | None = None
    last_drug_stop_at: datetime | None = None
    infusions_same_date: int = 0
    last_weight_kg: Decimal | None = None
    last_weighed_at: datetime | None = None
    sex: Code | None = None
