"""One-tap links of a patient: made to be read out, printed or sent, listed without their addresses, revoked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.home.links import Link
from api.http.context import wired
from api.http.idempotency import id_for
from api.http.resources.home_links import LONGEST_HOURS, USUAL_HOURS, issued, links_of, stopped
from api.http.scope import patient_state
from api.web.address import clinic_name
from api.web.from_home import home
from api.web.names import names
from api.web.page import may, render
from api.web.schedule.place import FormSlip, form_key, new_key
from api.web.terms import instrument
from api.web.wording import day, words
from domain import diary
from domain.diary.follow_ups import ANSWERS_UNTIL
from domain.kernel import Code, DomainError
from domain.vocabulary.questions import ASKABLE, SIDE_EFFECTS_ASKED
from services.use_cases.case import diary_of

blueprint = Blueprint("web_home_links", __name__, url_prefix="/patients/<uuid:patient_id>/links")

USUALLY_ASKED = ("nrs", SIDE_EFFECTS_ASKED)
VALID_DAYS = (1, 3, 7, 14, 30)
SAID = {"revoked": "The link answers no more."}


@blueprint.get("")
def show(patient_id: UUID) -> Response:
    """The patient's links and the form for a new one."""
    return _page(patient_id)


@blueprint.post("")
def make(patient_id: UUID) -> AnyResponse:
    """Makes a link and shows its address, on this page only."""
    try:
        link = issued(_body(), patient_id, id_for(form_key(), "home-link"), wired().services.clock.now())
    except DomainError as error:
        return _page(patient_id, problem=str(error), status=422)
    return _page(patient_id, made=link)


@blueprint.post("/<uuid:link_id>/revoke")
def revoke(patient_id: UUID, link_id: UUID) -> AnyResponse:
    """Stops a link."""
    stopped(patient_id, link_id, wired().services.clock.now())
    return redirect(url_for("web_home_links.show", patient_id=patient_id, said="revoked"), code=303)


def _body() -> dict[str, Any]:
    """As the API takes it. Raises FormSlip."""
    chosen = request.form.getlist("asks")
    if len(set(chosen)) != len(chosen) or not set(chosen) <= set(ASKABLE):
        raise FormSlip("Choose from the list what is to be asked.", pointer="/asks")
    follow_up, days = request.form.get("follow_up", ""), request.form.get("days", "")
    if not chosen and not follow_up:
        raise FormSlip("Choose what is to be asked.", pointer="/asks")
    if not days.isdigit() or not 0 < int(days) * 24 <= LONGEST_HOURS:
        raise FormSlip("Choose for how long the link is to answer.", pointer="/days")
    body: dict[str, Any] = {"valid_hours": int(days) * 24}
    if follow_up:
        body["follow_up_id"] = _id(follow_up)
    else:
        body["asks"] = chosen
    return body


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise FormSlip("Choose one of the list.", pointer="/follow_up") from error


def _page(patient_id: UUID, *, made: Link | None = None, problem: str = "", status: int = 200) -> Response:
    found, now = links_of(patient_id), wired().services.clock.now()
    made_by = {str(one["staff_id"] or one["user_id"]): str(one["user_name"]) for one in wired().keys.users()}
    state = patient_state(patient_id).state
    clinic = clinic_name(str(state.home_clinic_id))
    name = names([str(patient_id)]).get(str(patient_id)) or f"Patient {str(patient_id)[:8]}"
    return render(
        "home_links.html", title=f"Links for {name}", active="web_home_links.show", status=status,
        lede="By such an address a patient answers from home: no sign-in, no health details in it, for a while.",
        patient_id=patient_id, name=name, clinic=clinic, made=made, url=home().url(made) if made else "",
        asked_now=_asked(made.asks) if made else "", problem=problem,
        said=SAID.get(request.args.get("said", ""), "") if not problem and made is None else "",
        links=[_shown(one, now, made_by) for one in found], key=new_key(),
        askable=[(code, _asked((code,)), code in (request.form.getlist("asks") if problem else USUALLY_ASKED))
                 for code in ASKABLE],
        follow_ups=_follow_ups(patient_id, now, clinic.timezone), days=VALID_DAYS,
        usual=request.form.get("days", str(USUAL_HOURS // 24)), chosen=request.form.get("follow_up", ""),
        to_patient=url_for("web_patients.show", patient_id=patient_id) if may("web_patients.show") else "",
    )


def _shown(link: Link, now: datetime, made_by: Mapping[str, str]) -> dict[str, Any]:
    return {
        "link_id": link.link_id, "asks": _asked(link.asks), "made": link.created_at, "until": link.expires_at,
        "standing": home().answering.standing(link, now), "revoked": link.revoked_at is not None,
        "by": made_by.get(link.created_by, "somebody"),
    }


def _asked(codes: tuple[Code, ...]) -> str:
    return ", ".join(instrument(code) if code != SIDE_EFFECTS_ASKED else words(code).capitalize() for code in codes)


def _follow_ups(patient_id: UUID, now: datetime, timezone: str) -> list[tuple[str, str]]:
    """The open follow-ups that a link can still ask: (id, in words)."""
    state: diary.State = wired().services.handling.current(diary, diary_of(patient_id)).state
    return [
        (str(one.follow_up_id),
         f"the follow-up due {day(one.due_at.astimezone(ZoneInfo(timezone)).date(), weekday=True)}")
        for one in sorted(state.follow_ups, key=lambda one: one.due_at)
        if one.status == "open" and now < one.due_at + ANSWERS_UNTIL and one.due_at - now < timedelta(days=14)
    ]
