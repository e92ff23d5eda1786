"""Courses of treatment: consultations, the response gate, series, boosters, closing."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.corrections import correction_endpoints
from api.http.reading import RECORD, read_endpoint, record_response
from api.http.scope import course_state, new_course, of_course
from domain import course

blueprint = ResourceBlueprint("courses", __name__, url_prefix="/v1", description=__doc__)

HERE = "/courses/<uuid:course_id>"
SEEN = "/courses/{id}"

CONSULTATION = {
    "patient_id": ex.PATIENT, "prescriber_id": ex.PRESCRIBER, "condition": "crps", "examined": True,
    "records_reviewed": True, "history_reviewed": True, "side_effects_discussed": True, "procedure_discussed": True,
    "visits_discussed": True, "weight_kg": "82.5", "proposed_mg_per_kg": "0.5", "proposed_minutes": 60,
    "decision": "proceed", "plan": "combined",
}

COMMANDS = (
    CommandEndpoint(
        name="hold_consultation", path="/courses", command=course.HoldConsultation, place=new_course, link=SEEN,
        new_ids=("consultation_id",), example=CONSULTATION, summary="Hold the consultation that a course begins with.",
    ),
    CommandEndpoint(
        name="hold_another_consultation", path=f"{HERE}/consultations", command=course.HoldConsultation,
        place=of_course, link=SEEN, new_ids=("consultation_id",), example=CONSULTATION,
    ),
    CommandEndpoint(
        name="open", path=f"{HERE}/open", command=course.OpenCourse, place=of_course, link=SEEN,
        example={"patient_id": ex.PATIENT, "condition": "crps", "plan": "combined", "prescriber_id": ex.PRESCRIBER},
    ),
    CommandEndpoint(
        name="assess_response", path=f"{HERE}/response", command=course.AssessResponse, place=of_course, link=SEEN,
        example={"infusion_id": ex.INFUSION, "positive": True, "basis": "nrs_fall", "fall_percent": "50",
                 "decision": "go_on", "prescriber_id": ex.PRESCRIBER},
    ),
    CommandEndpoint(
        name="plan_series", path=f"{HERE}/series", command=course.PlanSeries, place=of_course, link=SEEN,
        new_ids=("series_id",), example={"infusions": 6, "window_starts": "2026-03-03", "window_ends": "2026-03-16"},
    ),
    CommandEndpoint(
        name="revise_series", path=f"{HERE}/series/revise", command=course.ReviseSeries, place=of_course, link=SEEN,
        if_match=True,
        example={"infusions": 4, "window_starts": "2026-03-03", "window_ends": "2026-03-20",
                 "reason_code": "clinic_closure"},
    ),
    CommandEndpoint(
        name="reach_optimal_relief", path=f"{HERE}/optimal-relief", command=course.ReachOptimalRelief,
        place=of_course, link=SEEN, example={"after_infusion_id": ex.INFUSION},
    ),
    CommandEndpoint(
        name="schedule_booster", path=f"{HERE}/boosters", command=course.ScheduleBooster, place=of_course, link=SEEN,
        new_ids=("booster_id",), example={"due_on": "2026-04-13", "reason_code": "clinical"},
    ),
    CommandEndpoint(
        name="reschedule_booster", path=f"{HERE}/boosters/<uuid:booster_id>/reschedule",
        command=course.RescheduleBooster, place=of_course, link=SEEN, from_path=("booster_id",), if_match=True,
        example={"due_on": "2026-04-20", "reason_code": "relief_lasts"},
    ),
    CommandEndpoint(
        name="cancel_booster", path=f"{HERE}/boosters/<uuid:booster_id>/cancel", command=course.CancelBooster,
        place=of_course, link=SEEN, from_path=("booster_id",), if_match=True, example={"reason_code": "relief_lasts"},
    ),
    CommandEndpoint(
        name="transfer", path=f"{HERE}/transfer", command=course.TransferCourse, place=of_course, link=SEEN,
        if_match=True, example={"to_clinic_id": ex.OTHER_CLINIC, "reason_code": "nearer"},
    ),
    CommandEndpoint(
        name="close", path=f"{HERE}/close", command=course.CloseCourse, place=of_course, link=SEEN, if_match=True,
        example={"reason_code": "goal_met"},
    ),
    *correction_endpoints(HERE, SEEN, of_course, {"weight_kg": "81.5"}),
)

register_commands(blueprint, COMMANDS)


@read_endpoint(blueprint, HERE, "show", *RECORD, etag=True)
def show(course_id: UUID) -> Response:
    """Read a course with all its entries."""
    state = course_state(course_id).state
    return record_response("course", course_id, patient_id=state.patient_id, clinic_id=state.clinic_id)
