"""One patient's course as data: pain, infusions, side effects, boosters, plan, papers, follow-up, alerts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from flask import Response
from marshmallow import RAISE, Schema, fields

from api.http import examples as ex
from api.http.access import opened
from api.http.context import wired
from api.http.fields import AwareMoment, Text
from api.http.questions import known_position
from api.http.reading import answer, read_endpoint
from api.http.resources.patient_reads import with_merged
from api.http.resources.patients import HERE, blueprint
from api.http.scope import patient_state
from projections.patient_picture import Picture, picture

__all__ = ["blueprint", "picture_of"]


class MomentSchema(Schema):
    """As of when, as known when."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    as_of = AwareMoment(metadata={"description": "What had happened by then; now if absent."})
    known_at = Text(
        longest=40, pattern=r"[0-9]{1,18}|[0-9]{4}-[0-9T:.+Zz-]+",
        metadata={"description": "Only what the log held by then: a position, or a time."},
    )


class PictureSchema(Schema):
    """Lists of marks in order of occurrence; each names the position of its entry in the log."""

    patient_id = fields.UUID(required=True)
    as_of = fields.AwareDateTime(required=True)
    known_at = fields.Integer(required=True, allow_none=True)
    timezone = fields.String(required=True)
    pain = fields.List(fields.Dict(), required=True)
    infusions = fields.List(fields.Dict(), required=True)
    side_effects = fields.List(fields.Dict(), required=True)
    boosters = fields.List(fields.Dict(), required=True)
    adjuncts = fields.List(fields.Dict(), required=True)
    courses = fields.List(fields.Dict(), required=True, metadata={"description": "With baseline, 30 and 50 % lines."})
    papers = fields.List(fields.Dict(), required=True, metadata={"description": "With the days left by protocol."})
    findings = fields.List(fields.Dict(), required=True)
    conditions = fields.List(fields.Dict(), required=True)
    follow_up = fields.Dict(required=True, metadata={"description": "The figure: answered of due."})
    asked = fields.List(fields.Dict(), required=True)
    alerts = fields.List(fields.Dict(), required=True)
    visits = fields.List(fields.Dict(), required=True, metadata={
        "description": "Appointments: booked, confirmed, kept, no_show or cancelled.",
    })


_EXAMPLE = {
    "patient_id": ex.PATIENT, "as_of": "2026-03-20T12:00:00+00:00", "known_at": None, "timezone": "America/Los_Angeles",
    "pain": [{"at": "2026-03-01T08:00:00-08:00", "kind": "now", "score": 7, "position": 48101, "amended": False}],
    "infusions": [{
        "infusion": ex.INFUSION, "course": ex.COURSE, "purpose": "trial", "started_at": "2026-03-02T09:31:00-08:00",
        "stopped_at": "2026-03-02T10:31:00-08:00", "dose_mg": "35.00", "dose_mg_per_kg": "0.500", "minutes": "60.00",
        "complete": True, "in_course": 1, "clinic": ex.CLINIC, "position": 48213, "amended": False,
    }],
    "side_effects": [], "boosters": [], "adjuncts": [], "courses": [], "findings": [], "conditions": [], "asked": [],
    "papers": [{
        "what": "screening", "at": "2026-02-20T09:00:00-08:00", "valid_until": "2026-05-21", "left": 62,
        "withdrawn": False, "position": 47002,
    }],
    "follow_up": {"metric": "follow_up_answered", "value": None, "numerator": 3, "denominator": 4, "n": 4},
    "alerts": [],
    "visits": [{
        "appointment": ex.APPOINTMENT, "clinic": ex.CLINIC, "visit_kind": "series", "state": "booked",
        "starts_at": "2026-03-23T09:00:00-07:00", "ends_at": "2026-03-23T11:15:00-07:00", "position": 48301,
    }],
}  # fmt: skip


def picture_of(patient_id: UUID, query: dict[str, Any]) -> Picture:
    """The picture at the moment asked for; the caller has made sure that the patient may be seen."""
    parts, state = wired(), patient_state(patient_id).state
    known_at = known_position(query.get("known_at"))
    with parts.read_side.database.reads.connect() as connection:
        return picture(
            parts.services.log, connection, with_merged(patient_id), state.home_clinic_id,
            as_of=query.get("as_of") or parts.services.clock.now(), known_at=known_at,
        )


@read_endpoint(blueprint, f"{HERE}/picture", "picture", PictureSchema, _EXAMPLE, query=MomentSchema)
def show_picture(query: dict[str, Any], patient_id: UUID) -> Response:
    """Read how a patient fared: what the page draws, with the plan and what holds for their care."""
    patient_state(patient_id)
    opened("picture", patient_id=patient_id)
    found = msgspec.to_builtins(picture_of(patient_id, query))
    return answer({"patient_id": str(patient_id), **found})
