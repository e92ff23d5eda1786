"""The diary: pain, function, mood, relief and side effects between visits, and follow-ups due."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.corrections import correction_endpoints
from api.http.reading import RECORD, read_endpoint, record_response
from api.http.scope import of_diary, see_patient
from domain import diary
from domain.kernel import derived_id

blueprint = ResourceBlueprint("diary", __name__, url_prefix="/v1", description=__doc__)

HERE = "/diary/<uuid:patient_id>"
SEEN = "/diary/{patient_id}"


def _in_diary(name: str, step: str, command: type, example: dict[str, object], **more: object) -> CommandEndpoint:
    return CommandEndpoint(
        name=name, path=f"{HERE}/{step}", command=command, place=of_diary, link=SEEN, example=example,
        **more,  # type: ignore[arg-type]
    )


COMMANDS = (
    _in_diary("score_pain", "pain", diary.ScorePain, {"score": 4, "kind": "now"}),
    _in_diary("score_function", "function", diary.ScoreFunction, {"instrument": "peg", "items": [5, 4, 6]}),
    _in_diary(
        "score_mood", "mood", diary.ScoreMood, {"instrument": "phq9", "items": [1, 1, 0, 1, 0, 0, 1, 0, 0]}
    ),
    _in_diary("score_cognition", "cognition", diary.ScoreCognition, {"instrument": "memory_self_rating", "total": "2"}),
    _in_diary("report_relief", "relief", diary.ReportRelief, {"relief_percent": 60}),
    _in_diary("measure_weight", "weight", diary.MeasureWeight, {"weight_kg": "82.5"}),
    _in_diary(
        "report_side_effect", "side-effects", diary.ReportSideEffectFromHome,
        {"kind": "headache", "grade": 1, "onset_at": ex.ELEVEN}, new_ids=("side_effect_id",),
    ),
    _in_diary(
        "schedule_follow_ups", "follow-ups", diary.ScheduleFollowUps,
        {"infusion_id": ex.INFUSION, "drug_stopped_at": ex.ELEVEN, "offsets_hours": [24, 72, 168],
         "instruments": ["nrs", "peg"]},
    ),
    _in_diary(
        "miss_follow_up", "follow-ups/<uuid:follow_up_id>/miss", diary.MissFollowUp, {}, from_path=("follow_up_id",)
    ),
    _in_diary(
        "acknowledge_alert", "alerts/<uuid:alert_id>/acknowledge", diary.AcknowledgeHomeAlert,
        {"action": "called_patient"}, from_path=("alert_id",),
    ),
    *correction_endpoints(HERE, SEEN, of_diary, {"score": 5}),
)

register_commands(blueprint, COMMANDS)


@read_endpoint(blueprint, HERE, "show", *RECORD, etag=True)
def show(patient_id: UUID) -> Response:
    """Read a patient's diary with all its entries."""
    see_patient(patient_id)
    return record_response("diary", derived_id("diary", patient_id), patient_id=patient_id)
