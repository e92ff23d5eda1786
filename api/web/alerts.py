"""Alerts from home: who waits since when, who was told, and the form by which it is acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.http.access import opened
from api.http.context import principal, wired
from api.http.resources.alerts import Alert, waiting
from api.http.scope import see_patient
from api.web.address import clinic_name
from api.web.letters import mail_trouble, undelivered
from api.web.names import names, patient_cell
from api.web.page import may, render
from api.web.told import told_of
from domain import diary
from domain.diary.home_reports import AlertAlreadyAcknowledged
from domain.kernel import Actor, derived_id
from domain.patient import patient
from domain.vocabulary.reasons import HOME_ALERT_ACTIONS, HOME_ALERTS
from services.handling import Request
from services.log import Idempotency
from services.use_cases.case import diary_of

blueprint = Blueprint("web_alerts", __name__)

LONGEST_NOTE = 500
RENEWED_SECONDS = 15


@blueprint.get("/alerts")
def show() -> Response:
    """What waits, the oldest first."""
    return _page()


@dataclass(frozen=True, kw_only=True)
class Slip:
    """A form that could not be taken: what it said, and what is wrong with which field."""

    alert_id: UUID
    action: str
    note: str
    field: str
    error: str


def _page(slip: Slip | None = None) -> Response:
    """Renews itself, but not over a form that came back."""
    alerts = waiting()
    opened("alerts", count=len(alerts))
    now, known = wired().services.clock.now(), names(str(one.patient_id) for one in alerts)
    return render(
        "alerts.html", title="Alerts from home", active="web_alerts.show", status=200 if slip is None else 422,
        lede="What patients said from home that asks for somebody at once. It stays here until somebody acknowledges.",
        alerts=[_shown(one, now, known) for one in alerts], actions=list(HOME_ALERT_ACTIONS.values()),
        can_acknowledge=may("web_alerts.acknowledge"), done=request.args.get("done") == "1", slip=slip,
        renewed=RENEWED_SECONDS, mail_trouble=mail_trouble(),
        undelivered=len(undelivered()) if may("web_letters.show") else 0,
    )


def _shown(one: Alert, now: datetime, known: Mapping[str, str]) -> dict[str, object]:
    clinic = clinic_name(str(one.clinic_id))
    return {
        "alert_id": one.alert_id, "patient": patient_cell(str(one.patient_id), known), "patient_id": one.patient_id,
        "kind": HOME_ALERTS[one.kind].text, "clinic": clinic.name, "raised_at": one.raised_at,
        "timezone": clinic.timezone, "clinic_id": one.clinic_id,
        "minutes": max(0, round((now - one.raised_at).total_seconds() / 60)),
        "told": told_of(one, now),
    }


@blueprint.post("/alerts/<uuid:patient_id>/<uuid:alert_id>")
def acknowledge(patient_id: UUID, alert_id: UUID) -> AnyResponse:
    """Says what was done; from then on nobody else is told."""
    see_patient(patient_id)
    action, note = request.form.get("action", ""), " ".join(request.form.get("note", "").split())[:LONGEST_NOTE]
    if action not in HOME_ALERT_ACTIONS:
        return _page(Slip(alert_id=alert_id, action="", note=note, field="action", error="Choose what was done."))
    if action == "other" and not note:
        return _page(Slip(alert_id=alert_id, action=action, note=note, field="note", error="Say what was done."))
    parts, who = wired(), principal()
    now = parts.services.clock.now()
    command = diary.AcknowledgeHomeAlert(
        by=Actor(id=who.actor_id, role=who.role), now=now, at=now, alert_id=alert_id, action=action, note=note or None)
    key = f"acknowledge:{alert_id}"
    here = _acting_clinic(patient_id)
    asked = Request(
        by=command.by, clinic_id=here, patient_id=patient_id, command_id=derived_id("web", key, who.actor_id),
        idempotency=Idempotency(principal=f"page:{who.actor_id}", key=key, body_hmac=b""))
    with suppress(AlertAlreadyAcknowledged):  # somebody else was faster: that is what was wanted
        parts.services.handle(diary_of(patient_id), command, asked)
    return redirect(url_for("web_alerts.show", done=1), 303)


def _acting_clinic(patient_id: UUID) -> UUID | None:
    """The patient's home clinic, where the reader works there; else one of theirs that cares for the patient."""
    state: patient.State = wired().services.handling.current(patient, patient_id).state
    mine = principal().clinics
    if mine is None or state.home_clinic_id in mine:
        return UUID(str(state.home_clinic_id))
    shared = sorted(mine & state.care)
    return shared[0] if shared else None
