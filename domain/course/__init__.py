"""A course of treatment: consultation, trial, response gate, series, boosters, and how it ended."""

from domain.course.boosters import (
    BoosterCancelled,
    BoosterDue,
    BoosterRescheduled,
    BoosterScheduled,
    CancelBooster,
    LinkBooster,
    RescheduleBooster,
    ScheduleBooster,
    booster_due,
    still_scheduled,
)
from domain.course.consultation import ConsultationHeld, CourseOpened, HoldConsultation, OpenCourse, open_course
from domain.course.course import decide, evolve, initial
from domain.course.ending import CloseCourse, CourseClosed, CourseTransferred, TransferCourse
from domain.course.series import (
    AssessResponse,
    OptimalReliefReached,
    PlanSeries,
    ReachOptimalRelief,
    ResponseAssessed,
    ReviseSeries,
    SeriesPlanned,
    SeriesRevised,
    given_in_series,
    usual_window,
)
from domain.course.spells import Spell, completed_since_series, course_baseline, spells
from domain.course.state import CourseNotOpen, Facts, GivenInfusion, NotAPrescriberInDate, PainScore, State

__all__ = [
    "AssessResponse", "BoosterCancelled", "BoosterDue", "BoosterRescheduled", "BoosterScheduled", "CancelBooster",
    "CloseCourse", "ConsultationHeld", "CourseClosed", "CourseNotOpen", "CourseOpened", "CourseTransferred", "Facts",
    "GivenInfusion", "HoldConsultation", "LinkBooster", "NotAPrescriberInDate", "OpenCourse", "OptimalReliefReached",
    "PainScore", "PlanSeries", "ReachOptimalRelief", "RescheduleBooster", "ResponseAssessed", "ReviseSeries",
    "ScheduleBooster", "SeriesPlanned", "SeriesRevised", "Spell", "State", "TransferCourse", "booster_due",
    "completed_since_series", "course_baseline", "decide", "evolve", "given_in_series", "initial", "open_course",
    "spells", "still_scheduled", "usual_window",
]
