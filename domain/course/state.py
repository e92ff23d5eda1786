"""What a course knows of itself, and what it must know of other streams to decide."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from domain.kernel import Code, DomainError
from domain.ledger import Entries


class CourseNotOpen(DomainError):
    """The course has not been opened, or is closed."""


class NotAPrescriberInDate(DomainError):
    """The person named is not a prescriber of this clinic with a licence in date."""


class Consultation(msgspec.Struct, frozen=True, kw_only=True):
    """One consultation held in this course."""

    consultation_id: UUID
    held_at: datetime
    decision: Code
    condition: Code
    plan: Code
    prescriber_id: UUID
    weight_kg: Decimal


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a response gate came to."""

    infusion_id: UUID
    positive: bool
    decision: Code


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The series in force; over once optimal relief is reached."""

    series_id: UUID
    infusions: int
    window_starts: date
    window_ends: date
    planned_at: datetime


class Booster(msgspec.Struct, frozen=True, kw_only=True):
    """The booster that is scheduled now; `because`: the reason of the word that set its date."""

    booster_id: UUID
    due_on: date
    scheduled_at: datetime
    appointment_id: UUID | None
    because: Code = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """status: new (nothing yet, or only consultations), open, closed. `clinic_id` is the course's home.

    brought_forward: at each word on boosters, whether one then stood whose date was set because pain had returned.
    """

    stream_id: UUID
    version: int = 0
    entries: Entries = ()
    status: Code = "new"
    patient_id: UUID | None = None
    clinic_id: UUID | None = None
    condition: Code | None = None
    plan: Code | None = None
    prescriber_id: UUID | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    closed_because: Code | None = None
    consultations: tuple[Consultation, ...] = ()
    responses: tuple[Response, ...] = ()
    series: Series | None = None
    optimal_relief_after: UUID | None = None
    booster: Booster | None = None
    booster_ids: tuple[UUID, ...] = ()
    brought_forward: tuple[tuple[datetime, bool], ...] = ()
    transferred_at: tuple[datetime, ...] = ()

    @property
    def response(self) -> Response | None:
        """The last response gate."""
        return self.responses[-1] if self.responses else None

    def consultation_held_at(self) -> datetime | None:
        """When a consultation last ended with `proceed`."""
        held = [one.held_at for one in self.consultations if one.decision == "proceed"]
        return max(held, default=None)


class GivenInfusion(msgspec.Struct, frozen=True, kw_only=True):
    """An infusion that was given, as the patient's diary notes it. purpose: trial, series, booster, re_induction."""

    infusion_id: UUID
    course_id: UUID | None
    purpose: Code
    drug_started_at: datetime
    drug_stopped_at: datetime


class PainScore(msgspec.Struct, frozen=True):
    """An NRS of kind `now` (0-10) and when it was felt."""

    at: datetime
    score: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `course.decide` is told of other streams.

    clinic_id, timezone: the acting clinic and its IANA zone. prescriber_in_date: whether the prescriber the command
    names is assigned to the clinic with a medical licence in date at the command's `at`. consultation_valid_days,
    booster_default_days, booster_minimum_days: the clinic's adopted protocol. infusions: all given (not struck) in
    this course, by drug start. scores: the patient's pain scores `now`, by time. appointments: those the patient has
    booked, of which a booster may name one.
    """

    clinic_id: UUID | None = None
    timezone: str = "UTC"
    prescriber_in_date: bool = False
    consultation_valid_days: int = 0
    booster_default_days: int = 28
    booster_minimum_days: int = 7
    infusions: tuple[GivenInfusion, ...] = ()
    scores: tuple[PainScore, ...] = ()
    appointments: frozenset[UUID] = frozenset()


def require_open(state: State) -> None:
    """Raises CourseNotOpen."""
    if state.status != "open":
        raise CourseNotOpen(course_id=str(state.stream_id), status=state.status)


def require_prescriber(prescriber_id: UUID, facts: Facts) -> None:
    """Raises NotAPrescriberInDate."""
    if not facts.prescriber_in_date:
        raise NotAPrescriberInDate(prescriber_id=str(prescriber_id), pointer="/prescriber_id")
