"""Alerts from home that nobody has acknowledged: the work list of who is on call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import RAISE, Schema, fields, validate
from webargs.fields import DelimitedList

from api.http import examples as ex
from api.http.access import opened
from api.http.commands import ResourceBlueprint
from api.http.context import principal, wired
from api.http.fields import StrictId
from api.http.reading import answer, read_endpoint
from api.http.scope import see_clinic
from domain import diary
from domain.diary.state import Alert as Standing
from projections.clinic_list import opened_clinics
from projections.home_alerts import open_alerts
from services.use_cases.case import diary_of

__all__ = ["Alert", "blueprint", "waiting"]

blueprint = ResourceBlueprint("alerts", __name__, url_prefix="/v1", description=__doc__)


class AlertsQuerySchema(Schema):
    """Whose alerts."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    clinics = DelimitedList(
        StrictId(), validate=validate.Length(min=1, max=50), metadata={"description": "All of the key's if absent."})


class StepSchema(Schema):
    """A step of an alert's escalation."""

    step = fields.Integer(required=True)
    staff_ids = fields.List(fields.UUID(), required=True)


class AlertSchema(Schema):
    """An alert that waits for somebody."""

    alert_id = fields.UUID(required=True)
    patient_id = fields.UUID(required=True)
    clinic_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    raised_at = fields.AwareDateTime(required=True)
    told = fields.List(fields.Nested(StepSchema), required=True)
    last_told_at = fields.AwareDateTime(required=True, allow_none=True)
    acknowledge = fields.String(required=True, metadata={"description": "Where it is acknowledged."})


class AlertsSchema(Schema):
    """The alerts that wait, the oldest first."""

    alerts = fields.List(fields.Nested(AlertSchema), required=True)


_EXAMPLE = {"alerts": [{
    "alert_id": ex.ALERT, "patient_id": ex.PATIENT, "clinic_id": ex.CLINIC, "kind": "chest_pain",
    "raised_at": "2026-03-02T18:04:00+00:00", "told": [{"step": 1, "staff_ids": [ex.NURSE]}],
    "last_told_at": "2026-03-02T18:04:01+00:00", "acknowledge": f"/v1/diary/{ex.PATIENT}/alerts/{ex.ALERT}/acknowledge",
}]}


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An open alert with its escalation so far."""

    alert_id: UUID
    patient_id: UUID
    clinic_id: UUID
    kind: str
    raised_at: datetime
    standing: Standing

    @property
    def told(self) -> tuple[tuple[UUID, ...], ...]:
        """Whom it was brought to, step after step."""
        return self.standing.told

    @property
    def told_at(self) -> datetime | None:
        """When the last step was taken."""
        return self.standing.told_at


def waiting(clinics: Sequence[UUID] | None = None) -> list[Alert]:
    """The open alerts of these clinics (of all that the caller may see), as the log has them now."""
    with wired().read_side.database.reads.connect() as sql:
        found = open_alerts(sql, _clinics(clinics, opened_clinics(sql)))
    return list(_standing(found))


def _clinics(asked: Sequence[UUID] | None, everything: Sequence[str]) -> list[str]:
    if asked is not None:
        for clinic_id in asked:
            see_clinic(clinic_id)
        return [str(one) for one in asked]
    mine = principal().clinics
    return list(everything) if mine is None else [str(one) for one in mine]


def _standing(found: Sequence[Any]) -> Iterator[Alert]:
    """The read side may be a moment behind: what was acknowledged meanwhile waits no more."""
    handling = wired().services.handling
    for one in found:
        state: diary.State = handling.current(diary, diary_of(one.patient_id)).state
        alert = next((each for each in state.alerts if each.alert_id == one.alert_id), None)
        if alert is not None and not alert.acknowledged:
            yield Alert(
                alert_id=one.alert_id, patient_id=one.patient_id, clinic_id=one.clinic_id, kind=one.kind,
                raised_at=one.raised_at, standing=alert)


@read_endpoint(blueprint, "/alerts", "list", AlertsSchema, _EXAMPLE, query=AlertsQuerySchema)
def list_alerts(query: dict[str, Any]) -> Response:
    """List the alerts from home that nobody has acknowledged."""
    found = waiting(query.get("clinics"))
    opened("alerts", count=len(found))
    return answer({"alerts": [
        {
            "alert_id": str(one.alert_id), "patient_id": str(one.patient_id), "clinic_id": str(one.clinic_id),
            "kind": one.kind, "raised_at": one.raised_at.isoformat(),
            "told": [
                {"step": step, "staff_ids": [str(each) for each in staff_ids]}
                for step, staff_ids in enumerate(one.told, start=1)
            ],
            "last_told_at": None if one.told_at is None else one.told_at.isoformat(),
            "acknowledge": f"/v1/diary/{one.patient_id}/alerts/{one.alert_id}/acknowledge",
        }
        for one in found
    ]})
