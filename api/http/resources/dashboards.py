"""Dashboards: figures by published definitions, each with numerator, denominator, exclusions and its rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app
from marshmallow import Schema, fields, validate

from api.behind import Behind, One
from api.http.access import opened
from api.http.commands import ResourceBlueprint
from api.http.cursors import link_next, read_cursor, write_cursor
from api.http.fields import Text
from api.http.figures import as_json
from api.http.questions import QuestionSchema, question
from api.http.reading import answer, read_endpoint
from api.reports import DASHBOARDS, NAMES_PATIENTS, ask, figure_at, fixed

blueprint = ResourceBlueprint("dashboards", __name__, url_prefix="/v1", description=__doc__)

LARGEST_PAGE = 500


class FigureSchema(Schema):
    """One number and all that it rests on."""

    metric = fields.String(required=True)
    value = fields.Float(required=True, allow_none=True, metadata={"description": "Null without a denominator."})
    unit = fields.String(required=True)
    numerator = fields.Float(allow_none=True)
    denominator = fields.Float(allow_none=True)
    excluded = fields.Dict(keys=fields.String(), values=fields.Integer())
    n = fields.Integer()
    definition = fields.String()
    definition_version = fields.Integer()
    rows = fields.Dict(keys=fields.String(), metadata={"description": "count, and href of the facts behind."})


class DashboardSchema(Schema):
    """A dashboard. `figures` are by path; those of several clinics stand under `together` and `by_clinic`."""

    dashboard = fields.String(required=True)
    clinics = fields.List(fields.UUID(), required=True)
    period = fields.Dict(keys=fields.String(), values=fields.Date(), required=True)
    as_of = fields.AwareDateTime(required=True)
    known_at = fields.Integer(required=True, allow_none=True, metadata={"description": "Position; null: everything."})
    figures = fields.Dict(keys=fields.String(), required=True)


class RowsQuerySchema(QuestionSchema):
    """The dashboard's parameters, and which figure."""

    figure = Text(
        required=True, longest=200,
        metadata={"description": "The figure's path, as in its `href`, such as `together.rooms.open_minutes`."},
    )
    cursor = Text(longest=512, pattern=r"[A-Za-z0-9_-]+")
    limit = fields.Integer(load_default=100, validate=validate.Range(1, LARGEST_PAGE))


class RowSchema(Schema):
    """One fact behind a figure, and the entry of the log that it comes from."""

    fact = fields.String(required=True)
    in_numerator = fields.Boolean(required=True)
    value = fields.Float(required=True, allow_none=True, metadata={
        "description": "What it contributed, in the figure's `value_unit`; null where it is only counted."})
    outcome = fields.String(required=True, allow_none=True, metadata={
        "description": "What became of it, where that decides whether it is in the numerator."})
    at = fields.String(required=True, metadata={
        "description": "Its own moment (RFC 3339) or date, such as the start that was booked."})
    at_is = fields.String(required=True, metadata={
        "description": "Which moment `at` is: booked_start, drug_start, onset, due, referred, or happened."})
    position = fields.Integer(required=True)
    event = fields.String(required=True)
    stream = fields.UUID(required=True)
    occurred_at = fields.AwareDateTime(required=True)
    patient = fields.UUID(allow_none=True)


class RowsSchema(Schema):
    """A page of rows."""

    figure = fields.String(required=True)
    count = fields.Integer(required=True)
    value_unit = fields.String(required=True, allow_none=True)
    rows = fields.List(fields.Nested(RowSchema), required=True)


_FIGURE_EXAMPLE = {
    "metric": "actual_utilization", "value": 0.61, "unit": "share", "numerator": 17568.0, "denominator": 28800.0,
    "excluded": {}, "n": 142, "interval": None, "method": None, "definition": "actual_utilization",
    "definition_version": 1, "flags": {}, "rows": {"count": 142, "href": "/v1/dashboards/utilization/rows?figure=..."},
}
_EXAMPLE = {
    "dashboard": "utilization", "clinics": ["0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7e01"],
    "period": {"first": "2026-01-05", "last": "2026-04-05"}, "as_of": "2026-04-05T18:00:00+00:00", "known_at": None,
    "figures": {"together": {"rooms": {"actual_utilization": _FIGURE_EXAMPLE}}},
}
_ROWS_EXAMPLE = {
    "figure": "together.attendance.wait", "count": 142, "value_unit": "minutes",
    "rows": [{"fact": "v48191", "in_numerator": False, "value": 7.5, "outcome": None,
              "at": "2026-03-02T08:58:00-08:00", "at_is": "happened", "position": 48191,
              "event": "infusion.patient_roomed.v1", "stream": "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d10",
              "occurred_at": "2026-03-02T08:58:00-08:00",
              "patient": "5a7c3e10-9d2b-4f6a-8c1e-2b3d4f5a6c01"}],
}

def _dashboard(name: str, query: dict[str, Any]) -> Response:
    asked = question(query)
    report = ask(name, asked)
    if name in NAMES_PATIENTS:
        opened(f"dashboard.{name}")

    body = as_json(
        report, f"/v1/dashboards/{name}/rows?{urlencode(fixed(asked))}&figure=",
        dashboard=name, clinics=list(asked.clinics),
        period={"first": asked.period.first.isoformat(), "last": asked.period.last.isoformat()},
        as_of=asked.as_of.isoformat(), known_at=asked.known_at,
    )
    return current_app.response_class(body, mimetype="application/json")


def _rows(name: str, query: dict[str, Any]) -> Response:
    asked = question(query)
    figure = figure_at(ask(name, asked), query["figure"])
    start = max(0, read_cursor(query["cursor"], int)[0] if "cursor" in query else 0)
    page = figure.rows[start: start + query["limit"]]
    opened(f"dashboard.{name}.rows", count=len(page))
    behind = Behind(figure, asked.known_at)
    rows = [_row(one, behind) for one in behind.read(page)]
    response = answer({
        "figure": query["figure"], "count": len(figure.rows), "value_unit": behind.unit, "rows": rows,
    })
    if start + len(page) < len(figure.rows):
        link_next(response, cursor=write_cursor(start + len(page)))
    return response


def _row(one: One, behind: Behind) -> dict[str, Any]:
    record = one.record
    return {
        "fact": one.fact, "in_numerator": one.fact in behind.counted, "value": one.value, "outcome": one.outcome,
        "at": one.at.isoformat(), "at_is": one.at_is, "position": record.position, "event": record.name,
        "stream": str(record.stream_id), "occurred_at": record.occurred_at.isoformat(),
        "patient": None if record.subject is None else str(record.subject),
    }


def _register(name: str, summary: str) -> None:
    def show(query: dict[str, Any]) -> Response:
        return _dashboard(name, query)

    def rows(query: dict[str, Any]) -> Response:
        return _rows(name, query)

    show.__doc__, rows.__doc__ = summary, f"Open a figure of the dashboard {name} into the facts it was made of."
    read_endpoint(blueprint, f"/dashboards/{name}", name, DashboardSchema, {**_EXAMPLE, "dashboard": name},
                  query=QuestionSchema)(show)
    read_endpoint(blueprint, f"/dashboards/{name}/rows", f"{name}_rows", RowsSchema, _ROWS_EXAMPLE,
                  query=RowsQuerySchema, pages=True)(rows)


for _name, (_report, _summary) in DASHBOARDS.items():
    _register(_name, _summary)
