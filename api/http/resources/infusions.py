"""Infusions: a visit from the door to the door, as the nurse charts it."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.corrections import correction_endpoints
from api.http.reading import RECORD, read_endpoint, record_response
from api.http.scope import new_visit, of_visit, see_visit
from domain.infusion import arrival, departure, drug_run, monitoring, order, side_effects

blueprint = ResourceBlueprint("infusions", __name__, url_prefix="/v1", description=__doc__)

HERE = "/infusions/<uuid:infusion_id>"
SEEN = "/infusions/{id}"
EFFECT = f"{HERE}/side-effects/<uuid:side_effect_id>"


def _at_visit(name: str, step: str, command: type, example: dict[str, object], **more: object) -> CommandEndpoint:
    return CommandEndpoint(
        name=name, path=f"{HERE}/{step}", command=command, place=of_visit, link=SEEN, example=example,
        **more,  # type: ignore[arg-type]
    )


COMMANDS = (
    CommandEndpoint(
        name="arrive", path="/infusions", command=arrival.ArrivePatient, place=new_visit, link=SEEN,
        example={"patient_id": ex.PATIENT, "visit_kind": "trial", "course_id": ex.COURSE},
    ),
    _at_visit("room", "room", arrival.RoomPatient, {"room_id": ex.ROOM}),
    _at_visit("move_room", "move-room", arrival.MovePatient, {"room_id": ex.ROOM, "reason_code": "privacy"}),
    _at_visit(
        "check", "check", arrival.CheckBeforeInfusion,
        {
            "weight_kg": "82.5", "height_cm": "178", "nurse_id": ex.NURSE, "driver_named": True,
            "driver_name": "Sam Example", "driver_phone": "+1 555 0100",
            "questions": {"medicines_changed": False, "fasted": True, "pregnancy": "not_applicable",
                          "urinary_symptoms": False, "low_mood": False, "health_changed": False},
        },
    ),
    _at_visit(
        "order", "order", order.OrderDose,
        {"prescriber_id": ex.PRESCRIBER, "purpose": "trial", "weight_basis": "actual", "bolus_mg": "0",
         "rate_mg_per_h": "20", "planned_minutes": 60, "concentration_mg_per_ml": "1"},
        new_ids=("order_id",),
    ),
    _at_visit(
        "countersign", "order/<uuid:order_id>/countersign", order.CountersignOrder, {"prescriber_id": ex.PRESCRIBER},
        from_path=("order_id",),
    ),
    _at_visit("place_iv", "iv", drug_run.PlaceIV, {"site": "left_forearm", "gauge": 22}),
    _at_visit("fail_iv", "iv-failures", drug_run.FailIV, {"site": "left_hand", "reason_code": "blown_vein"}),
    _at_visit("hang_bag", "bags", drug_run.HangBag, {"drug_mg": "50", "volume_ml": "50"}, new_ids=("bag_id",)),
    _at_visit("give_bolus", "boluses", drug_run.GiveBolus, {"dose_mg": "5"}),
    _at_visit("start", "start", drug_run.StartInfusion, {"rate_mg_per_h": "20"}),
    _at_visit("change_rate", "rate", drug_run.ChangeRate, {"rate_mg_per_h": "15", "reason_code": "side_effect"}),
    _at_visit("pause", "pause", drug_run.PauseInfusion, {"reason_code": "bathroom"}),
    _at_visit("resume", "resume", drug_run.ResumeInfusion, {"rate_mg_per_h": "15"}),
    _at_visit("stop", "stop", drug_run.StopInfusion, {}),
    _at_visit(
        "give_medication", "medications", drug_run.GiveMedication,
        {"medication": "ondansetron", "dose": "4", "unit": "mg", "route": "intravenous", "indication": "nausea"},
    ),
    _at_visit(
        "record_vitals", "vitals", monitoring.RecordVitals,
        {"vitals": {"heart_rate_per_min": 72, "systolic_mmhg": 124, "diastolic_mmhg": 78, "spo2_percent": 98,
                    "respiratory_rate_per_min": 14, "temperature_c": "36.7"}},
    ),
    _at_visit("score_sedation", "sedation", monitoring.ScoreSedation, {"scale": "rass", "score": -1}),
    _at_visit(
        "acknowledge_alert", "alerts/<uuid:alert_id>/acknowledge", monitoring.AcknowledgeAlert,
        {"action": "prescriber_reason", "prescriber_id": ex.PRESCRIBER, "reason_code": "artefact"},
        from_path=("alert_id",),
    ),
    _at_visit(
        "report_side_effect", "side-effects", side_effects.ReportSideEffect,
        {"kind": "nausea", "grade": 1, "onset_at": ex.NINE}, new_ids=("side_effect_id",),
    ),
    CommandEndpoint(
        name="regrade_side_effect", path=f"{EFFECT}/regrade", command=side_effects.RegradeSideEffect, place=of_visit,
        link=SEEN, from_path=("side_effect_id",), example={"grade": 2, "serious": False},
    ),
    CommandEndpoint(
        name="treat_side_effect", path=f"{EFFECT}/treat", command=side_effects.TreatSideEffect, place=of_visit,
        link=SEEN, from_path=("side_effect_id",), example={"treatment": "antiemetic"},
    ),
    CommandEndpoint(
        name="resolve_side_effect", path=f"{EFFECT}/resolve", command=side_effects.ResolveSideEffect, place=of_visit,
        link=SEEN, from_path=("side_effect_id",), example={},
    ),
    CommandEndpoint(
        name="sign_off_side_effect", path=f"{EFFECT}/sign-off", command=side_effects.SignOffSideEffect, place=of_visit,
        link=SEEN, from_path=("side_effect_id",), example={"prescriber_id": ex.PRESCRIBER},
    ),
    _at_visit(
        "assess_recovery", "recovery", departure.AssessRecovery,
        {"scale": "aldrete", "items": {"activity": 2, "respiration": 2, "circulation": 2, "consciousness": 2,
                                       "oxygen_saturation": 2}},
    ),
    _at_visit(
        "discharge", "discharge", departure.DischargePatient,
        {"driver_present": True, "instructions_given": True, "discharged_by": ex.NURSE}, if_match=True,
    ),
    _at_visit(
        "leave_against_advice", "leave-against-advice", departure.LeaveAgainstAdvice,
        {"reason_code": "waiting", "risks_explained": True},
    ),
    _at_visit("transfer_to_hospital", "transfer-to-hospital", departure.TransferToHospital, {"reason_code": "cardiac"}),
    _at_visit("end_without_infusion", "end-without-infusion", departure.EndWithoutInfusion, {"reason_code": "no_iv"}),
    _at_visit("die_in_care", "death", departure.DieInCare, {}),
    _at_visit("release_room", "release-room", departure.ReleaseRoom, {}),
    *correction_endpoints(HERE, SEEN, of_visit, {"weight_kg": "81.5"}),
)

register_commands(blueprint, COMMANDS)


@read_endpoint(blueprint, HERE, "show", *RECORD, etag=True)
def show(infusion_id: UUID) -> Response:
    """Read a visit with all its entries."""
    origin = see_visit(infusion_id)
    return record_response("infusion", infusion_id, patient_id=origin.subject, clinic_id=origin.clinic_id)
