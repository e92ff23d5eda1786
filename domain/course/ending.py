"""How a course moves to another clinic, and how it ends."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.course.boosters import BoosterCancelled
from domain.course.consultation import open_course
from domain.course.state import Facts, State, require_open
from domain.kernel import Code, Command, Decision, DomainError, Event, Release, Secret
from domain.vocabulary.reasons import COURSE_CLOSED, COURSE_TRANSFERRED
from domain.vocabulary.term import require


class AlreadyAtThisClinic(DomainError):
    """The course is at this clinic already."""


class CourseTransferred(Event, frozen=True, kw_only=True):
    """Another clinic goes on with the course."""

    NAME: ClassVar[str] = "course.transferred.v1"
    from_clinic_id: UUID
    to_clinic_id: UUID
    reason_code: Code


class CourseClosed(Event, frozen=True, kw_only=True):
    """reason_code: goal_met, no_response, side_effects, patients_choice, moved, lost_to_follow_up, deceased."""

    NAME: ClassVar[str] = "course.closed.v1"
    reason_code: Code
    note: Secret | None = None


class TransferCourse(Command, frozen=True, kw_only=True):
    to_clinic_id: UUID
    reason_code: Code


class CloseCourse(Command, frozen=True, kw_only=True):
    reason_code: Code
    note: str | None = None


def decide_transfer(state: State, command: TransferCourse, facts: Facts) -> Decision:
    """Raises CourseNotOpen, UnknownCode, AlreadyAtThisClinic."""
    require_open(state)
    require(command.reason_code, COURSE_TRANSFERRED, "/reason_code")
    home = state.clinic_id or facts.clinic_id
    if home is None or home == command.to_clinic_id:
        raise AlreadyAtThisClinic(clinic_id=str(command.to_clinic_id), pointer="/to_clinic_id")
    return Decision((CourseTransferred(
        occurred_at=command.at, late_reason=command.late_reason, from_clinic_id=home,
        to_clinic_id=command.to_clinic_id, reason_code=command.reason_code,
    ),))


def decide_close(state: State, command: CloseCourse, facts: Facts) -> Decision:
    """A booster that is still scheduled falls with the course. Raises CourseNotOpen, UnknownCode."""
    require_open(state)
    require(command.reason_code, COURSE_CLOSED, "/reason_code")
    closed = CourseClosed(
        occurred_at=command.at, late_reason=command.late_reason, reason_code=command.reason_code, note=command.note,
    )
    events: tuple[Event, ...] = (closed,)
    if state.booster is not None:
        cancelled = BoosterCancelled(
            occurred_at=command.at, late_reason=command.late_reason, booster_id=state.booster.booster_id,
            reason_code="course_closed",
        )
        events = (cancelled, closed)
    released = () if state.patient_id is None else (
        Release(resource=open_course(state.patient_id), holder=f"course:{state.stream_id}"),
    )
    return Decision(events, releases=released)
