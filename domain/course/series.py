"""The response gate after the trial infusion, the series that follows it, and optimal relief, which is success.

DESIGN section 2: if the response is positive, usually six more in the two weeks after the first, fewer or
more until optimal relief. "Stopped because it worked" is never a drop-out.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.course.state import Facts, GivenInfusion, State, require_open, require_prescriber
from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Secret
from domain.vocabulary.reasons import RESPONSE_BASES, RESPONSE_DECISIONS, SERIES_REVISED
from domain.vocabulary.term import require

USUAL_INFUSIONS = 6
USUAL_WINDOW_DAYS = 14
MOST_INFUSIONS = 30
LONGEST_WINDOW_DAYS = 180



class InfusionNotOfThisCourse(DomainError):
    """This infusion was not given in this course."""


class ResponseAlreadyAssessed(DomainError):
    """The response to this infusion has been assessed."""


class ReasonNeeded(BadInput):
    """Going on without a positive response needs a prescriber's reason."""


class NoPositiveResponse(DomainError):
    """The response gate has not been passed."""


class SeriesAlreadyPlanned(DomainError):
    """A series is in force; revise it instead."""


class NoSeriesInForce(DomainError):
    """There is no series to revise."""


class SeriesNotPossible(DomainError):
    """The number of infusions or the window cannot be meant."""


class FewerThanGiven(DomainError):
    """More infusions of this series have been given than the revised plan holds."""


class OptimalReliefAlreadyReached(DomainError):
    """Optimal relief has been recorded."""


class ResponseAssessed(Event, frozen=True, kw_only=True):
    """The response gate after the trial infusion. decision: go_on, stop."""

    NAME: ClassVar[str] = "course.response_assessed.v1"
    infusion_id: UUID
    positive: bool
    basis: Code
    fall_percent: Decimal | None = None
    decision: Code
    prescriber_id: UUID
    reason: Secret | None = None


class SeriesPlanned(Event, frozen=True, kw_only=True):
    """`infusions` more inside local dates [window_starts, window_ends]."""

    NAME: ClassVar[str] = "course.series_planned.v1"
    series_id: UUID
    infusions: int
    window_starts: date
    window_ends: date


class SeriesRevised(Event, frozen=True, kw_only=True):
    """From now on another number of infusions or another window is planned."""

    NAME: ClassVar[str] = "course.series_revised.v1"
    series_id: UUID
    infusions: int
    window_starts: date
    window_ends: date
    reason_code: Code


class OptimalReliefReached(Event, frozen=True, kw_only=True):
    """No more are needed: a success, never a drop-out."""

    NAME: ClassVar[str] = "course.optimal_relief_reached.v1"
    after_infusion_id: UUID


class AssessResponse(Command, frozen=True, kw_only=True):
    infusion_id: UUID
    positive: bool
    basis: Code
    fall_percent: Decimal | None = None
    decision: Code
    prescriber_id: UUID
    reason: str | None = None


class PlanSeries(Command, frozen=True, kw_only=True):
    series_id: UUID
    infusions: int
    window_starts: date
    window_ends: date


class ReviseSeries(Command, frozen=True, kw_only=True):
    infusions: int
    window_starts: date
    window_ends: date
    reason_code: Code


class ReachOptimalRelief(Command, frozen=True, kw_only=True):
    after_infusion_id: UUID


def usual_window(first_started_at: datetime, timezone: str) -> tuple[date, date]:
    """The clinic-local dates of the two weeks after the first infusion."""
    first = first_started_at.astimezone(ZoneInfo(timezone)).date()
    return first + timedelta(days=1), first + timedelta(days=USUAL_WINDOW_DAYS)


def given_in_series(state: State, infusions: tuple[GivenInfusion, ...]) -> int:
    """How many infusions of purpose `series` were given since the series in force was planned."""
    if state.series is None:
        return 0
    since = state.series.planned_at
    return sum(1 for one in infusions if one.purpose == "series" and one.drug_started_at >= since)


def decide_response(state: State, command: AssessResponse, facts: Facts) -> Decision:
    """Raises CourseNotOpen, UnknownCode, InfusionNotOfThisCourse, ResponseAlreadyAssessed, ReasonNeeded,
    NotAPrescriberInDate."""
    require_open(state)
    _require_given(command.infusion_id, facts, "/infusion_id")
    if any(one.infusion_id == command.infusion_id for one in state.responses):
        raise ResponseAlreadyAssessed(infusion_id=str(command.infusion_id), pointer="/infusion_id")
    require_prescriber(command.prescriber_id, facts)
    assessed = ResponseAssessed(
        occurred_at=command.at, late_reason=command.late_reason, infusion_id=command.infusion_id,
        positive=command.positive, basis=command.basis, fall_percent=command.fall_percent,
        decision=command.decision, prescriber_id=command.prescriber_id, reason=command.reason,
    )
    check(assessed)
    return Decision((assessed,))


def check(assessed: ResponseAssessed) -> None:
    """What an assessment must be, new or amended. Raises UnknownCode, ReasonNeeded."""
    require(assessed.basis, RESPONSE_BASES, "/basis")
    require(assessed.decision, RESPONSE_DECISIONS, "/decision")
    if assessed.decision == "go_on" and not assessed.positive and not assessed.reason:
        raise ReasonNeeded(pointer="/reason")


def decide_series(state: State, command: PlanSeries, facts: Facts) -> Decision:
    """Raises CourseNotOpen, NoPositiveResponse, SeriesAlreadyPlanned, SeriesNotPossible."""
    require_open(state)
    if state.response is None or state.response.decision != "go_on":
        raise NoPositiveResponse(course_id=str(state.stream_id))
    if state.series is not None:
        raise SeriesAlreadyPlanned(series_id=str(state.series.series_id))
    _require_possible(command.infusions, command.window_starts, command.window_ends)
    return Decision((SeriesPlanned(
        occurred_at=command.at, late_reason=command.late_reason, series_id=command.series_id,
        infusions=command.infusions, window_starts=command.window_starts, window_ends=command.window_ends,
    ),))


def decide_revision(state: State, command: ReviseSeries, facts: Facts) -> Decision:
    """Raises CourseNotOpen, NoSeriesInForce, UnknownCode, SeriesNotPossible, FewerThanGiven."""
    require_open(state)
    if state.series is None:
        raise NoSeriesInForce(course_id=str(state.stream_id))
    require(command.reason_code, SERIES_REVISED, "/reason_code")
    _require_possible(command.infusions, command.window_starts, command.window_ends)
    given = given_in_series(state, facts.infusions)
    if command.infusions < given:
        raise FewerThanGiven(given=given, asked=command.infusions, pointer="/infusions")
    return Decision((SeriesRevised(
        occurred_at=command.at, late_reason=command.late_reason, series_id=state.series.series_id,
        infusions=command.infusions, window_starts=command.window_starts, window_ends=command.window_ends,
        reason_code=command.reason_code,
    ),))


def decide_optimal_relief(state: State, command: ReachOptimalRelief, facts: Facts) -> Decision:
    """The series is over, by success, whatever was planned.

    Raises CourseNotOpen, OptimalReliefAlreadyReached, InfusionNotOfThisCourse.
    """
    require_open(state)
    if state.optimal_relief_after is not None:
        raise OptimalReliefAlreadyReached(after_infusion_id=str(state.optimal_relief_after))
    _require_given(command.after_infusion_id, facts, "/after_infusion_id")
    return Decision((OptimalReliefReached(
        occurred_at=command.at, late_reason=command.late_reason, after_infusion_id=command.after_infusion_id,
    ),))


def _require_given(infusion_id: UUID, facts: Facts, pointer: str) -> None:
    if all(one.infusion_id != infusion_id for one in facts.infusions):
        raise InfusionNotOfThisCourse(infusion_id=str(infusion_id), pointer=pointer)


def _require_possible(infusions: int, starts: date, ends: date) -> None:
    if not 1 <= infusions <= MOST_INFUSIONS:
        raise SeriesNotPossible(infusions=infusions, most=MOST_INFUSIONS, pointer="/infusions")
    if not starts <= ends <= starts + timedelta(days=LONGEST_WINDOW_DAYS):
        raise SeriesNotPossible(
            window_starts=starts.isoformat(), window_ends=ends.isoformat(), pointer="/window_ends",
        )
