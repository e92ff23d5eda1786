"""The loop of care through the services, from registration to the booster."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from domain import course, day_sheet
from domain.infusion import visit
from tests.services.practice import Practice


def test_a_patient_goes_from_registration_through_trial_and_series_to_a_booster(practice: Practice) -> None:
    """Registered, consulted, trial with response, six in two weeks, optimal relief, a booster due and booked."""
    patient_id = practice.patient()
    course_id = practice.course(patient_id)
    practice.wait(days=2)
    practice.pain(patient_id, 8)
    starts_at = practice.clock.moment + timedelta(hours=1)
    appointment_id = practice.book(patient_id, starts_at, course_id=course_id)
    practice.wait(hours=1)
    trial = practice.infusion(patient_id, course_id, appointment_id=appointment_id)
    assert practice.visit(trial).given is not None
    practice.wait(days=1, hours=1)
    practice.pain(patient_id, 3)

    by = practice.actor("prescriber")
    practice.do(course_id, course.AssessResponse, by=by, infusion_id=trial, positive=True, basis="nrs_fall",
                decision="go_on", prescriber_id=practice.prescriber_id)
    first = practice.clock.moment.date()
    practice.do(course_id, course.PlanSeries, by=by, series_id=uuid4(), infusions=6, window_starts=first,
                window_ends=first + timedelta(days=14))
    for _ in range(6):
        practice.clock.moment = (practice.clock.moment + timedelta(days=2)).replace(hour=9, minute=0)
        last = practice.infusion(patient_id, course_id, "series")
    practice.wait(days=2)
    practice.pain(patient_id, 2)
    practice.do(course_id, course.ReachOptimalRelief, by=by, after_infusion_id=last)
    practice.do(course_id, course.ScheduleBooster, by=by, booster_id=uuid4())

    state: course.State = practice.state(course, course_id)
    assert state.optimal_relief_after == last
    assert state.booster is not None
    stopped = practice.visit(last).run.stopped_at
    assert stopped is not None
    assert state.booster.due_on == stopped.astimezone(practice.zone).date() + timedelta(days=28)

    due = practice.clock.moment.replace(hour=9, minute=0) + timedelta(days=26)
    booked = practice.book(patient_id, due, kind="booster", course_id=course_id)
    assert practice.state(course, course_id).booster.appointment_id == booked
    assert len(practice.diary(patient_id).infusions_of(course_id)) == 7
    assert practice.state(day_sheet, practice.sheet(starts_at)).appointments[appointment_id].status == "kept"
    assert visit.initial(trial).stream_id == trial
