"""From the door to the chair: arrival, room, the check before the infusion."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import msgspec

from domain.corrections import Entry
from domain.infusion.facts import Facts
from domain.infusion.rules import Outcome, is_late, present
from domain.infusion.state import Check, RoomUse, State
from domain.kernel import Code, Command, DomainError, Event, Secret
from domain.vocabulary import require
from domain.vocabulary.reasons import PREGNANCY, ROOM_MOVED, VISIT_KINDS
from domain.vocabulary.vitals import check_plausible, looks_like_pounds

WEIGHT_COMPARED_DAYS = 180
"""How old a weight may be and still be compared with today's (a proposal, without a clinical source)."""


class VisitAlreadyBegun(DomainError):
    """The patient has already arrived for this visit."""


class PatientInAnotherVisit(DomainError):
    """The patient is in another visit that has not ended."""


class WrongCourse(DomainError):
    """The course belongs to another patient."""


class NotARoomOfTheClinic(DomainError):
    """The clinic has no such room."""


class RoomNotInService(DomainError):
    """The room is out of service."""


class RoomInUse(DomainError):
    """Another visit has the room and has not released it."""


class AlreadyRoomed(DomainError):
    """The patient is in a room; move them instead."""


class PatientNotRoomed(DomainError):
    """The patient is not in a room."""


class SameRoom(DomainError):
    """The patient is in that room already."""


class WeightChangedMuch(DomainError):
    """The weight differs much from the last one: measure again, or confirm it."""


class VisitQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked at every visit. pregnancy: not_applicable, denied, negative_test, positive."""

    medicines_changed: bool
    fasted: bool
    pregnancy: Code
    urinary_symptoms: bool
    low_mood: bool
    health_changed: bool


class PatientArrived(Event, frozen=True, kw_only=True):
    """The patient is in the clinic: the visit begins."""

    NAME: ClassVar[str] = "infusion.patient_arrived.v1"
    patient_id: UUID
    visit_kind: Code
    course_id: UUID | None = None
    appointment_id: UUID | None = None
    booked_starts_at: datetime | None = None
    booked_ends_at: datetime | None = None


class PatientRoomed(Event, frozen=True, kw_only=True):
    """The patient has the room to themselves from now until it is released."""

    NAME: ClassVar[str] = "infusion.patient_roomed.v1"
    room_id: UUID


class PatientMovedRoom(Event, frozen=True, kw_only=True):
    """The visit goes on in another room; the first is free from now on."""

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
    weight_confirmed: bool = False


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
    weight_confirmed: bool = False


# --- decide --------------------------------------------------------------------------------------


def decide_arrive(state: State, then: State, command: ArrivePatient, facts: Facts) -> Outcome:
    """Raises VisitAlreadyBegun, WrongCourse; breaks PatientInAnotherVisit."""
    if state.version:
        raise VisitAlreadyBegun(infusion_id=str(state.stream_id))
    if facts.course is not None and facts.course.patient_id != command.patient_id:
        raise WrongCourse(course_id=str(facts.course.course_id), pointer="/course_id")
    arrived = PatientArrived(
        occurred_at=command.at, patient_id=command.patient_id, visit_kind=command.visit_kind,
        course_id=command.course_id, appointment_id=command.appointment_id,
        booked_starts_at=command.booked_starts_at, booked_ends_at=command.booked_ends_at)
    check_arrival(arrived)
    return Outcome((arrived,), elsewhere(facts))


def elsewhere(facts: Facts) -> tuple[DomainError, ...]:
    """PatientInAnotherVisit if so."""
    if facts.patient_in_visit is None:
        return ()
    return (PatientInAnotherVisit(infusion_id=str(facts.patient_in_visit)),)


def decide_room(state: State, then: State, command: RoomPatient, facts: Facts) -> Outcome:
    """Raises AlreadyRoomed, NotARoomOfTheClinic; breaks RoomNotInService, RoomInUse."""
    present(state, then, command)
    if state.rooms:
        raise AlreadyRoomed(room_id=str(state.rooms[-1].room_id))
    roomed = PatientRoomed(occurred_at=command.at, room_id=command.room_id)
    return Outcome((roomed,), unfit_room(state, command.room_id, facts))


def decide_move(state: State, then: State, command: MovePatient, facts: Facts) -> Outcome:
    """Raises PatientNotRoomed, SameRoom, NotARoomOfTheClinic; breaks RoomNotInService, RoomInUse."""
    present(state, then, command)
    if then.room_id is None:
        raise PatientNotRoomed()
    if then.room_id == command.room_id:
        raise SameRoom(room_id=str(command.room_id), pointer="/room_id")
    moved = PatientMovedRoom(
        occurred_at=command.at, from_room_id=then.room_id, room_id=command.room_id, reason_code=command.reason_code)
    check_move(moved)
    return Outcome((moved,), unfit_room(state, command.room_id, facts))


def unfit_room(state: State, room_id: UUID, facts: Facts) -> tuple[DomainError, ...]:
    """What speaks against the room. Raises NotARoomOfTheClinic."""
    room = facts.rooms.get(room_id)
    if room is None:
        raise NotARoomOfTheClinic(room_id=str(room_id), pointer="/room_id")
    broken: list[DomainError] = []
    if not room.in_service:
        broken.append(RoomNotInService(room_id=str(room_id), pointer="/room_id"))
    if room.in_use_by is not None and room.in_use_by != state.stream_id:
        broken.append(RoomInUse(room_id=str(room_id), infusion_id=str(room.in_use_by), pointer="/room_id"))
    return tuple(broken)


def decide_check(state: State, then: State, command: CheckBeforeInfusion, facts: Facts) -> Outcome:
    """Raises ImplausibleValue, UnknownCode; WeightChangedMuch unless confirmed (catches pounds typed as kg)."""
    present(state, then, command)
    checked = PreInfusionChecked(
        occurred_at=command.at, weight_kg=command.weight_kg, height_cm=command.height_cm, questions=command.questions,
        driver_named=command.driver_named, driver_name=command.driver_name, driver_phone=command.driver_phone,
        nurse_id=command.nurse_id, note=command.note, weight_confirmed=command.weight_confirmed)
    check_check(checked)
    if not command.weight_confirmed and not is_late(command):
        _compare_weight(command, facts)
    return Outcome((checked,))


def _compare_weight(command: CheckBeforeInfusion, facts: Facts) -> None:
    last, measured_at, protocol = facts.last_weight_kg, facts.last_weighed_at, facts.protocol
    if last is None or measured_at is None or protocol is None or last <= 0:
        return
    change = abs(command.weight_kg - last) * 100 / last
    if (command.at - measured_at).days > WEIGHT_COMPARED_DAYS or change <= protocol.weight_change_percent:
        return
    raise WeightChangedMuch(
        weight_kg=str(command.weight_kg), last_weight_kg=str(last), limit_percent=str(protocol.weight_change_percent),
        looks_like_pounds=looks_like_pounds(command.weight_kg, last), pointer="/weight_kg")


# --- what an entry must be, when made and when amended -------------------------------------------


def check_arrival(event: PatientArrived) -> None:
    """Raises UnknownCode."""
    require(event.visit_kind, VISIT_KINDS, "/visit_kind")


def check_move(event: PatientMovedRoom) -> None:
    """Raises UnknownCode."""
    require(event.reason_code, ROOM_MOVED, "/reason_code")


def check_check(event: PreInfusionChecked) -> None:
    """Raises ImplausibleValue, UnknownCode."""
    check_plausible("weight_kg", event.weight_kg, "/weight_kg")
    if event.height_cm is not None:
        check_plausible("height_cm", event.height_cm, "/height_cm")
    require(event.questions.pregnancy, PREGNANCY, "/questions/pregnancy")


# --- evolve --------------------------------------------------------------------------------------


def evolve_arrival(state: State, entry: Entry) -> State:
    """The patient's way through the door into rooms, and what was found before the infusion."""
    event, at = entry.event, entry.event.occurred_at
    match event:
        case PatientArrived():
            return msgspec.structs.replace(
                state, arrived_at=at, patient_id=event.patient_id, visit_kind=event.visit_kind,
                course_id=event.course_id, appointment_id=event.appointment_id)
        case PatientRoomed() | PatientMovedRoom():
            return msgspec.structs.replace(
                state, rooms=(*left_room(state.rooms, at), RoomUse(event.room_id, at)), room_released_at=None)
        case PreInfusionChecked():
            check = Check(
                at=at, weight_kg=event.weight_kg, height_cm=event.height_cm, questions=event.questions,
                driver_named=event.driver_named, nurse_id=event.nurse_id)
            return msgspec.structs.replace(state, check=check)
    return state


def left_room(rooms: tuple[RoomUse, ...], at: datetime) -> tuple[RoomUse, ...]:
    """`rooms` with the last one left at `at`."""
    if not rooms or rooms[-1].ends is not None:
        return rooms
    last = rooms[-1]
    return (*rooms[:-1], RoomUse(last.room_id, last.starts, at))
