"""Projections: where each stands, in events and seconds."""

from __future__ import annotations

from flask import Response
from marshmallow import Schema, fields

from api.http.commands import ResourceBlueprint
from api.http.context import wired
from api.http.reading import answer, read_endpoint

blueprint = ResourceBlueprint("projections", __name__, url_prefix="/v1", description=__doc__)


class ProjectionSchema(Schema):
    """One projection."""

    name = fields.String(required=True)
    group = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": ["live", "failed", "paused", "outdated"]})
    version = fields.Integer(required=True)
    position = fields.Integer(required=True)
    lag_events = fields.Integer(required=True)
    lag_seconds = fields.Float(required=True)
    failed_position = fields.Integer(required=True, allow_none=True)
    failed_event = fields.String(required=True, allow_none=True)
    rebuilding_at = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Position of a rebuild that is running."}
    )


class StatusSchema(Schema):
    """Where the read side stands against the log."""

    head = fields.Integer(required=True)
    projections = fields.List(fields.Nested(ProjectionSchema), required=True)


_EXAMPLE = {
    "head": 51004,
    "projections": [{
        "name": "outcomes", "group": "facts", "state": "live", "version": 1, "position": 51002, "lag_events": 2,
        "lag_seconds": 0.03, "failed_position": None, "failed_event": None, "rebuilding_at": None,
    }],
}


@read_endpoint(blueprint, "/projections", "status", StatusSchema, _EXAMPLE)
def status() -> Response:
    """Where every projection stands."""
    found = wired().read_side.engine.status()
    shown = [
        {
            "name": one.name, "group": one.group, "state": one.state, "version": one.version, "position": one.position,
            "lag_events": one.lag_events, "lag_seconds": round(one.lag_seconds, 3),
            "failed_position": one.failed_position, "failed_event": one.failed_event,
            "rebuilding_at": None if one.rebuild is None else one.rebuild.position,
        }
        for one in found
    ]
    return answer({"head": wired().services.log.head(), "projections": shown})
