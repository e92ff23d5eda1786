"""Which event becomes which fact row, by the question that owns the table."""

from __future__ import annotations

from collections.abc import Mapping

from projections.facts import tables as t
from projections.facts.encoding import (
    Encode,
    any_measured,
    any_uncontrolled,
    as_json,
    flag,
    ident,
    iso,
    micros,
    plain,
    scaled,
)
from projections.facts.recording import FactOf

Columns = Mapping[str, tuple[str, Encode]]

MILLI = scaled(1_000)
MICRO = scaled(1_000_000)
MINUTES = scaled(60_000_000)
"""Decimal minutes as microseconds."""

CLINIC = (
    FactOf("clinic.opened.v1", t.clinic_facts, "opened", {"detail": ("timezone", plain)}),
    FactOf("clinic.room_added.v1", t.clinic_facts, "room_added", {
        "room": ("room_id", ident), "detail": ("room_name", plain),
    }),
    FactOf("clinic.room_retired.v1", t.clinic_facts, "room_retired", {"room": ("room_id", ident)}),
    FactOf("clinic.opening_hours_set.v1", t.clinic_facts, "hours", {
        "from_date": ("effective_from", iso), "detail": ("hours", as_json), "prime": ("prime", as_json),
    }),
    FactOf("clinic.closure_declared.v1", t.clinic_facts, "closed", {
        "closure": ("closure_id", ident), "room": ("room_id", ident),
        "starts_us": ("starts_at", micros), "ends_us": ("ends_at", micros), "detail": ("reason_code", plain),
    }),
    FactOf("clinic.closure_lifted.v1", t.clinic_facts, "reopened", {"closure": ("closure_id", ident)}),
    FactOf("clinic.protocol_adopted.v1", t.clinic_facts, "protocol", {"detail": ("document", as_json)}),
)

_WHEN: Columns = {"starts_us": ("starts_at", micros), "ends_us": ("ends_at", micros)}
_WHICH: Columns = {"appointment": ("appointment_id", ident)}

APPOINTMENTS = (
    FactOf("appointment.booked.v1", t.appointment_facts, "booked", {
        **_WHICH, **_WHEN, "patient": ("patient_id", ident), "room": ("room_id", ident),
        "visit_kind": ("visit_kind", plain), "course": ("course_id", ident), "series": ("series_id", ident),
        "moved_from": ("moved_from", iso),
    }),
    FactOf("appointment.moved.v1", t.appointment_facts, "moved", {
        **_WHICH, **_WHEN, "room": ("room_id", ident), "was_starts_us": ("was_starts_at", micros),
        "asked_by": ("asked_by", plain), "reason": ("reason_code", plain), "to_date": ("to_date", iso),
    }),
    FactOf("appointment.confirmed.v1", t.appointment_facts, "confirmed", _WHICH),
    FactOf("appointment.cancelled.v1", t.appointment_facts, "cancelled", {
        **_WHICH, "asked_by": ("asked_by", plain), "reason": ("reason_code", plain),
    }),
    FactOf("appointment.no_show_recorded.v1", t.appointment_facts, "no_show", _WHICH),
    FactOf("appointment.overbooking_authorised.v1", t.appointment_facts, "overbooked", {
        **_WHICH, "reason": ("reason_code", plain),
    }),
)

_REASON: Columns = {"reason": ("reason_code", plain)}
_ROOM: Columns = {"room": ("room_id", ident)}

VISITS = (
    FactOf("infusion.patient_arrived.v1", t.visit_facts, "arrived", {
        "visit_kind": ("visit_kind", plain), "appointment": ("appointment_id", ident), "course": ("course_id", ident),
        "booked_starts_us": ("booked_starts_at", micros), "booked_ends_us": ("booked_ends_at", micros),
    }, "infusion"),
    FactOf("infusion.patient_roomed.v1", t.visit_facts, "roomed", _ROOM, "infusion"),
    FactOf("infusion.patient_moved_room.v1", t.visit_facts, "moved_room", {**_ROOM, **_REASON}, "infusion"),
    FactOf("infusion.started.v1", t.visit_facts, "started", {}, "infusion"),
    FactOf("infusion.paused.v1", t.visit_facts, "paused", _REASON, "infusion"),
    FactOf("infusion.resumed.v1", t.visit_facts, "resumed", {}, "infusion"),
    FactOf("infusion.given.v1", t.visit_facts, "stopped", {}, "infusion"),
    FactOf("infusion.recovery_assessed.v1", t.visit_facts, "recovery", {
        "scale": ("scale", plain), "score": ("total", plain),
    }, "infusion"),
    FactOf("infusion.patient_discharged.v1", t.visit_facts, "discharged", {}, "infusion"),
    FactOf("infusion.left_against_advice.v1", t.visit_facts, "left_against_advice", _REASON, "infusion"),
    FactOf("infusion.transferred_to_hospital.v1", t.visit_facts, "transferred", _REASON, "infusion"),
    FactOf("infusion.visit_ended_without_infusion.v1", t.visit_facts, "not_infused", _REASON, "infusion"),
    FactOf("infusion.died_in_care.v1", t.visit_facts, "died", {}, "infusion"),
    FactOf("infusion.room_released.v1", t.visit_facts, "released", _ROOM, "infusion"),
)

UTILIZATION = (*CLINIC, *APPOINTMENTS, *VISITS)

INFUSIONS = (
    FactOf("infusion.given.v1", t.infusion_facts, "given", {
        "course": ("course_id", ident), "purpose": ("purpose", plain), "started_us": ("drug_started_at", micros),
        "dose_ug": ("dose_mg", MILLI), "dose_ng_per_kg": ("dose_mg_per_kg", MICRO), "run_us": ("minutes", MINUTES),
        "complete": ("complete", flag),
    }, "infusion"),
)

SCORES = (
    FactOf("diary.pain_scored.v1", t.score_facts, "pain", {
        "instrument": ("kind", plain), "value_milli": ("score", MILLI), "infusion": ("infusion_id", ident),
    }),
    FactOf("diary.function_scored.v1", t.score_facts, "function", {
        "instrument": ("instrument", plain), "value_milli": ("total", MILLI),
    }),
    FactOf("diary.mood_scored.v1", t.score_facts, "mood", {
        "instrument": ("instrument", plain), "value_milli": ("total", MILLI),
    }),
    FactOf("diary.cognition_scored.v1", t.score_facts, "cognition", {
        "instrument": ("instrument", plain), "value_milli": ("total", MILLI),
    }),
    FactOf("diary.relief_reported.v1", t.score_facts, "relief", {
        "value_milli": ("relief_percent", MILLI), "infusion": ("infusion_id", ident),
    }),
)

FOLLOW_UPS = (
    FactOf("diary.follow_up_due.v1", t.follow_up_facts, "due", {
        "follow_up": ("follow_up_id", ident), "infusion": ("infusion_id", ident), "due_us": ("due_at", micros),
        "instruments": ("instruments", as_json),
    }),
    FactOf("diary.follow_up_superseded.v1", t.follow_up_facts, "superseded", {
        "follow_up": ("follow_up_id", ident), "infusion": ("by_infusion_id", ident),
    }),
    FactOf("diary.follow_up_missed.v1", t.follow_up_facts, "missed", {"follow_up": ("follow_up_id", ident)}),
)

_SERIES: Columns = {
    "subject": ("series_id", ident), "infusions": ("infusions", plain),
    "from_date": ("window_starts", iso), "until_date": ("window_ends", iso),
}
_BOOSTER: Columns = {
    "subject": ("booster_id", ident), "until_date": ("due_on", iso), "reason": ("reason_code", plain),
    "appointment": ("appointment_id", ident),
}

COURSES = (
    FactOf("course.consultation_held.v1", t.course_facts, "consultation", {
        "patient": ("patient_id", ident), "subject": ("consultation_id", ident), "condition": ("condition", plain),
        "plan": ("plan", plain), "decision": ("decision", plain), "referral": ("referral_id", ident),
    }, "course"),
    FactOf("course.opened.v1", t.course_facts, "opened", {
        "patient": ("patient_id", ident), "condition": ("condition", plain), "plan": ("plan", plain),
    }, "course"),
    FactOf("course.response_assessed.v1", t.course_facts, "gate", {
        "infusion": ("infusion_id", ident), "positive": ("positive", flag), "decision": ("decision", plain),
        "reason": ("basis", plain),
    }, "course"),
    FactOf("course.series_planned.v1", t.course_facts, "series_planned", _SERIES, "course"),
    FactOf("course.series_revised.v1", t.course_facts, "series_revised", {**_SERIES, **_REASON}, "course"),
    FactOf("course.optimal_relief_reached.v1", t.course_facts, "optimal_relief", {
        "infusion": ("after_infusion_id", ident),
    }, "course"),
    FactOf("course.booster_scheduled.v1", t.course_facts, "booster_scheduled", {
        **_BOOSTER, "plan": ("basis_days", as_json),
    }, "course"),
    FactOf("course.booster_rescheduled.v1", t.course_facts, "booster_rescheduled", _BOOSTER, "course"),
    FactOf("course.booster_cancelled.v1", t.course_facts, "booster_cancelled", {
        "subject": ("booster_id", ident), **_REASON,
    }, "course"),
    FactOf("course.transferred.v1", t.course_facts, "transferred", {
        "other_clinic": ("to_clinic_id", ident), **_REASON,
    }, "course"),
    FactOf("course.closed.v1", t.course_facts, "closed", _REASON, "course"),
)

PATIENTS = (
    FactOf("patient.registered.v1", t.patient_facts, "registered", {
        "sex": ("sex", plain), "age_band": ("age_band", plain), "subject": ("home_clinic_id", ident),
    }, "patient"),
    FactOf("patient.demographics_corrected.v1", t.patient_facts, "corrected", {
        "sex": ("sex", plain), "age_band": ("age_band", plain),
    }, "patient"),
    FactOf("patient.home_clinic_changed.v1", t.patient_facts, "home_clinic", {
        "subject": ("clinic_id", ident),
    }, "patient"),
    FactOf("patient.referral_received.v1", t.patient_facts, "referral", {
        "subject": ("referral_id", ident), "code": ("source", plain), "from_date": ("received_on", iso),
    }, "patient"),
    FactOf("patient.condition_recorded.v1", t.patient_facts, "condition", {
        "code": ("condition", plain), "from_date": ("onset_on", iso),
    }, "patient"),
    FactOf("patient.adjunct_therapy_started.v1", t.patient_facts, "adjunct_started", {
        "subject": ("adjunct_id", ident), "code": ("therapy", plain), "from_date": ("started_on", iso),
    }, "patient"),
    FactOf("patient.adjunct_therapy_ended.v1", t.patient_facts, "adjunct_ended", {
        "subject": ("adjunct_id", ident), "until_date": ("ended_on", iso), "code": ("reason_code", plain),
    }, "patient"),
    FactOf("patient.screening_recorded.v1", t.patient_facts, "screening", {
        "subject": ("screening_id", ident), "failed": ("findings", any_uncontrolled),
    }, "patient"),
    FactOf("patient.screening_cleared.v1", t.patient_facts, "cleared", {
        "code": ("contraindication", plain), "until_date": ("valid_until", iso),
    }, "patient"),
    FactOf("patient.consent_signed.v1", t.patient_facts, "consent", {
        "subject": ("consent_id", ident), "code": ("kind", plain),
    }, "patient"),
    FactOf("patient.consent_withdrawn.v1", t.patient_facts, "consent_withdrawn", {
        "subject": ("consent_id", ident), "code": ("reason_code", plain),
    }, "patient"),
    FactOf("patient.merged.v1", t.patient_facts, "merged", {"subject": ("survivor_id", ident)}, "patient"),
    FactOf("patient.unmerged.v1", t.patient_facts, "unmerged", {"subject": ("survivor_id", ident)}, "patient"),
)

OUTCOMES = (*INFUSIONS, *SCORES, *FOLLOW_UPS, *COURSES, *PATIENTS)

_EFFECT: Columns = {"subject": ("side_effect_id", ident)}
_REPORT: Columns = {
    **_EFFECT, "code": ("kind", plain), "grade": ("grade", plain), "serious": ("serious", flag),
    "onset_us": ("onset_at", micros),
}

SAFETY = (
    FactOf("infusion.given.v1", t.safety_facts, "given", {
        "onset_us": ("drug_started_at", micros), "detail": ("purpose", plain),
    }, "infusion"),
    FactOf("infusion.side_effect_reported.v1", t.safety_facts, "side_effect", _REPORT, "infusion"),
    FactOf("infusion.side_effect_regraded.v1", t.safety_facts, "regraded", {
        **_EFFECT, "grade": ("grade", plain), "serious": ("serious", flag),
    }, "infusion"),
    FactOf("infusion.side_effect_treated.v1", t.safety_facts, "treated", {
        **_EFFECT, "code": ("treatment", plain),
    }, "infusion"),
    FactOf("infusion.side_effect_resolved.v1", t.safety_facts, "resolved", _EFFECT, "infusion"),
    FactOf("infusion.side_effect_signed_off.v1", t.safety_facts, "signed_off", _EFFECT, "infusion"),
    FactOf("diary.side_effect_reported_from_home.v1", t.safety_facts, "side_effect_from_home", {
        **_REPORT, "ended_us": ("ended_at", micros), "infusion": ("infusion_id", ident),
    }),
    FactOf("infusion.alert_raised.v1", t.safety_facts, "alert", {
        "subject": ("alert_id", ident), "code": ("sign", plain),
    }, "infusion"),
    FactOf("infusion.alert_acknowledged.v1", t.safety_facts, "alert_acknowledged", {
        "subject": ("alert_id", ident), "code": ("action", plain), **_REASON,
    }, "infusion"),
    FactOf("diary.alert_raised.v1", t.safety_facts, "home_alert", {
        "subject": ("alert_id", ident), "code": ("kind", plain),
    }),
    FactOf("diary.alert_acknowledged.v1", t.safety_facts, "home_alert_acknowledged", {
        "subject": ("alert_id", ident), "code": ("action", plain),
    }),
    FactOf("infusion.rule_breached.v1", t.safety_facts, "breach", {
        "code": ("rule", plain), "detail": ("data", as_json),
    }, "infusion"),
    FactOf("infusion.dose_limit_overridden.v1", t.safety_facts, "override", {
        "subject": ("order_id", ident), "code": ("limit", plain), **_REASON,
    }, "infusion"),
    FactOf("infusion.verbal_order_taken.v1", t.safety_facts, "verbal_order", {
        "subject": ("order_id", ident), "ended_us": ("countersign_by", micros),
    }, "infusion"),
    FactOf("infusion.order_countersigned.v1", t.safety_facts, "countersigned", {
        "subject": ("order_id", ident),
    }, "infusion"),
    FactOf("oversight.command_refused.v1", t.safety_facts, "refusal", {
        "code": ("rule", plain), "reason": ("command", plain), "subject": ("stream_id", ident),
    }),
    FactOf("infusion.stopped_early.v1", t.safety_facts, "stopped_early", _REASON, "infusion"),
    FactOf("infusion.left_against_advice.v1", t.safety_facts, "left_against_advice", _REASON, "infusion"),
    FactOf("infusion.transferred_to_hospital.v1", t.safety_facts, "transferred", _REASON, "infusion"),
    FactOf("infusion.died_in_care.v1", t.safety_facts, "died", {}, "infusion"),
)

_RATE: Columns = {"rate_ug_per_h": ("rate_mg_per_h", MILLI)}

WATCH = (
    FactOf("infusion.pre_infusion_checked.v1", t.watch_facts, "checked", {
        "driver": ("driver_named", flag),
    }, "infusion"),
    FactOf("infusion.dose_ordered.v1", t.watch_facts, "ordered", {
        "subject": ("order_id", ident), "planned_minutes": ("planned_minutes", plain),
    }, "infusion"),
    FactOf("infusion.started.v1", t.watch_facts, "started", _RATE, "infusion"),
    FactOf("infusion.rate_changed.v1", t.watch_facts, "rate_changed", _RATE, "infusion"),
    FactOf("infusion.resumed.v1", t.watch_facts, "resumed", _RATE, "infusion"),
    FactOf("infusion.paused.v1", t.watch_facts, "paused", {}, "infusion"),
    FactOf("infusion.given.v1", t.watch_facts, "stopped", {}, "infusion"),
    FactOf("infusion.bolus_given.v1", t.watch_facts, "bolus", {"dose_ug": ("dose_mg", MILLI)}, "infusion"),
    FactOf("infusion.vitals_recorded.v1", t.watch_facts, "vitals", {"measured": ("vitals", any_measured)}, "infusion"),
    FactOf("infusion.sedation_scored.v1", t.watch_facts, "sedation", {}, "infusion", {"measured": 1}),
)

LOOSE_ENDS = (
    FactOf("infusion.patient_arrived.v1", t.loose_end_facts, "visit", {"code": ("visit_kind", plain)}, "infusion"),
    FactOf("infusion.patient_roomed.v1", t.loose_end_facts, "room", _ROOM, "infusion"),
    FactOf("infusion.patient_moved_room.v1", t.loose_end_facts, "room", _ROOM, "infusion"),
    FactOf("infusion.verbal_order_taken.v1", t.loose_end_facts, "order", {
        "subject": ("order_id", ident), "due_us": ("countersign_by", micros),
    }, "infusion"),
    FactOf("infusion.alert_raised.v1", t.loose_end_facts, "alert", {
        "subject": ("alert_id", ident), "code": ("sign", plain),
    }, "infusion"),
    FactOf("diary.alert_raised.v1", t.loose_end_facts, "home_alert", {
        "subject": ("alert_id", ident), "code": ("kind", plain),
    }),
    FactOf("drug_lot.drug_drawn.v1", t.loose_end_facts, "draw", {
        "subject": ("draw_id", ident), "infusion": ("infusion_id", ident),
    }),
)
"""What begins something that must end."""

_ALERT: Columns = {"subject": ("alert_id", ident)}

ENDS_OF_LOOSE_ENDS = (
    FactOf("infusion.patient_discharged.v1", t.loose_end_facts, "visit_end"),
    FactOf("infusion.left_against_advice.v1", t.loose_end_facts, "visit_end"),
    FactOf("infusion.transferred_to_hospital.v1", t.loose_end_facts, "visit_end"),
    FactOf("infusion.visit_ended_without_infusion.v1", t.loose_end_facts, "visit_end"),
    FactOf("infusion.died_in_care.v1", t.loose_end_facts, "visit_end"),
    FactOf("infusion.room_released.v1", t.loose_end_facts, "room_end"),
    FactOf("infusion.order_countersigned.v1", t.loose_end_facts, "order_end", {"subject": ("order_id", ident)}),
    FactOf("infusion.alert_acknowledged.v1", t.loose_end_facts, "alert_end", _ALERT),
    FactOf("diary.alert_acknowledged.v1", t.loose_end_facts, "home_alert_end", _ALERT),
    FactOf("drug_lot.drug_wasted.v1", t.loose_end_facts, "draw_end", {"subject": ("draw_id", ident)}),
)
"""What ends it: a row of its own, of the kind it ends and the same subject (the stream, where none is named)."""
