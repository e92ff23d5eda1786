"""What a slot must satisfy, and the claims that keep two bookings apart.

Claims hold `room:`, `patient:`, `nurse:` (as many at once as the protocol's ratio) and, for consultations
only, `prescriber:` over half-open UTC intervals; the log checks them in the append's own transaction.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from domain.clinic.premises import RoomNotInService
from domain.day_sheet.state import Appointment, Facts, local_date
from domain.kernel import BadInput, Claim, Code, DomainError, Release
from domain.protocol import VisitMinutes
from domain.vocabulary.reasons import INFUSION_KINDS, OVERBOOKING, VISIT_KINDS
from domain.vocabulary.term import require

CONSULTATION_MINUTES = 60
FOLLOW_UP_MINUTES = 30
"""Proposed here: the longest office visit of a new patient, and of a known one (CPT 99205, 99214: at least 60, 30)."""

LONGEST = timedelta(hours=12)
OVERBOOKABLE = frozenset({"room", "nurse", "prescriber"})


class NotOnThisSheet(DomainError):
    """The slot does not begin on this sheet's local day."""


class SlotImpossible(BadInput):
    """A slot ends after it begins, and within twelve hours."""


class StartsInThePast(DomainError):
    """A booking is for a time to come."""


class OutsideOpeningHours(DomainError):
    """The clinic is not open for the whole of the slot."""


class ClinicClosed(DomainError):
    """A closure falls into the slot."""


class NotANurseInDate(DomainError):
    """The person named is not a nurse of this clinic with a credential in date."""


class PrescriberNeeded(DomainError):
    """A consultation is booked with a prescriber of this clinic whose licence is in date."""


class CourseNeeded(DomainError):
    """An infusion is booked for a patient's open course."""


class NoProtocolAdopted(DomainError):
    """Without an adopted protocol a visit has no default length."""


class NotAuthorisedToOverbook(DomainError):
    """The person named may not authorise overbooking here, or not over this."""


class Overbooking(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's deliberate decision to book over another booking.

    `resources` says over what: room, nurse, prescriber. A patient is never in two places.
    """

    authorised_by: UUID
    reason_code: Code
    reason: str | None = None
    resources: tuple[Code, ...] = ("room",)


def default_minutes(visit_kind: Code, visit: VisitMinutes) -> int:
    """How long a visit of this kind needs its room: for infusions preparation to turnover."""
    match visit_kind:
        case "consultation":
            return CONSULTATION_MINUTES
        case "follow_up":
            return FOLLOW_UP_MINUTES
    return visit.preparation + visit.infusion + visit.monitoring + visit.turnover


def default_end(visit_kind: Code, starts_at: datetime, facts: Facts) -> datetime:
    """When a visit of this kind ends if nothing else is said (elapsed minutes). Raises NoProtocolAdopted."""
    if facts.visit is None:
        raise NoProtocolAdopted(pointer="/ends_at")
    return starts_at.astimezone(UTC) + timedelta(minutes=default_minutes(visit_kind, facts.visit))


def check_slot(room_id: UUID, starts_at: datetime, ends_at: datetime, at: datetime, facts: Facts) -> None:
    """Raises NotOnThisSheet, SlotImpossible, StartsInThePast, RoomNotInService, OutsideOpeningHours, ClinicClosed."""
    if local_date(starts_at, facts.timezone) != facts.local_date:
        raise NotOnThisSheet(sheet=facts.local_date.isoformat(), pointer="/starts_at")
    if not starts_at < ends_at <= starts_at + LONGEST:
        raise SlotImpossible(starts_at=starts_at.isoformat(), ends_at=ends_at.isoformat(), pointer="/ends_at")
    if starts_at < at:
        raise StartsInThePast(starts_at=starts_at.isoformat(), pointer="/starts_at")
    if room_id not in facts.rooms:
        raise RoomNotInService(room_id=str(room_id), pointer="/room_id")
    if not any(opens <= starts_at and ends_at <= closes for opens, closes in facts.open_spans):
        raise OutsideOpeningHours(
            starts_at=starts_at.isoformat(), ends_at=ends_at.isoformat(), pointer="/starts_at",
            open=[[opens.isoformat(), closes.isoformat()] for opens, closes in facts.open_spans],
        )
    for closure in facts.closures:
        overlaps = closure.starts_at < ends_at and starts_at < closure.ends_at
        if overlaps and closure.room_id in (None, room_id):
            raise ClinicClosed(closure_id=str(closure.closure_id), starts_at=closure.starts_at.isoformat(),
                               ends_at=closure.ends_at.isoformat(), pointer="/starts_at")


def check_people(one: Appointment, facts: Facts) -> None:
    """Raises UnknownCode, NotANurseInDate, PrescriberNeeded, CourseNeeded."""
    require(one.visit_kind, VISIT_KINDS, "/visit_kind")
    if one.nurse_id is not None and one.nurse_id not in facts.nurses:
        raise NotANurseInDate(nurse_id=str(one.nurse_id), pointer="/nurse_id")
    prescribed = one.visit_kind == "consultation" or one.prescriber_id is not None
    if prescribed and one.prescriber_id not in facts.prescribers:
        raise PrescriberNeeded(prescriber_id=str(one.prescriber_id), pointer="/prescriber_id")
    if one.visit_kind in INFUSION_KINDS:
        course = facts.course
        if course is None or not course.is_open or course.patient_id != one.patient_id:
            raise CourseNeeded(visit_kind=one.visit_kind, pointer="/course_id")


def check_overbooking(overbooking: Overbooking, facts: Facts) -> None:
    """Raises UnknownCode, NotAuthorisedToOverbook."""
    require(overbooking.reason_code, OVERBOOKING, "/overbooking/reason_code")
    if overbooking.authorised_by not in facts.authorisers:
        raise NotAuthorisedToOverbook(authorised_by=str(overbooking.authorised_by),
                                      pointer="/overbooking/authorised_by")
    if not overbooking.resources or not OVERBOOKABLE.issuperset(overbooking.resources):
        raise NotAuthorisedToOverbook(resources=list(overbooking.resources), pointer="/overbooking/resources")


def holder(appointment_id: UUID) -> str:
    """The name under which an appointment holds what it claims."""
    return f"appointment:{appointment_id}"


def resources(one: Appointment) -> dict[Code, str]:
    """What the appointment needs, by kind."""
    needed = {"room": f"room:{one.room_id}", "patient": f"patient:{one.patient_id}"}
    if one.nurse_id is not None:
        needed["nurse"] = f"nurse:{one.nurse_id}"
    if one.prescriber_id is not None and one.visit_kind == "consultation":
        needed["prescriber"] = f"prescriber:{one.prescriber_id}"
    return needed


def claims(one: Appointment, overbooking: Overbooking | None, facts: Facts) -> tuple[Claim, ...]:
    """The claims of a booked slot; what is taken and deliberately overbooked is written but not enforced."""
    over = overbooking.resources if overbooking is not None else ()
    return tuple(
        Claim(
            resource=resource, holder=holder(one.appointment_id), starts=one.starts_at.astimezone(UTC),
            ends=one.ends_at.astimezone(UTC), capacity=facts.nurse_patients if kind == "nurse" else 1,
            enforce=kind not in over or resource not in facts.taken,
        )
        for kind, resource in resources(one).items()
    )


def releases(one: Appointment) -> tuple[Release, ...]:
    """Everything the appointment held."""
    return tuple(Release(resource=resource, holder=holder(one.appointment_id)) for resource in resources(one).values())
