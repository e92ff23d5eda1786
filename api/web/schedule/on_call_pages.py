"""Who is on call for alerts from home, in which order, how long each has; and the number that patients are shown."""

from __future__ import annotations

from uuid import UUID

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from api.http.context import wired
from api.mail.addresses import email_of
from api.web.page import may
from api.web.schedule import choosing
from api.web.schedule.place import Desk, FormSlip, blueprint, desk, full_name, new_key
from api.web.schedule.refusals import refused
from api.web.schedule.views import show
from domain import clinic
from domain.clinic.on_call import ANSWERS_ALERTS, LONGEST_MINUTES
from domain.kernel import DomainError

LONGEST_PHONE = 40


@blueprint.get("/<uuid:clinic_id>/on-call")
def on_call(clinic_id: UUID) -> Response:
    """The list, the first first."""
    return _page(desk(clinic_id))


@blueprint.post("/<uuid:clinic_id>/on-call")
def set_on_call(clinic_id: UUID) -> AnyResponse:
    """Adds somebody, takes somebody off, lets somebody be told earlier, or sets the time and the number.

    What is not in the form stays; who has left the clinic since goes.
    """
    at = desk(clinic_id)
    try:
        staff_ids, said = _changed(list(clinic.still_here(at.here)))
        minutes, phone = at.here.on_call.escalate_after_minutes, at.here.on_call.clinic_phone
        if said == "on_call_details":
            minutes, phone = _minutes(), request.form.get("phone", "").strip()[:LONGEST_PHONE] or None
        at.act(at.clinic_id, clinic.SetOnCall, staff_ids=staff_ids, escalate_after_minutes=minutes, clinic_phone=phone)
    except DomainError as error:
        return _page(at, refused(at, error), 422)
    return redirect(at.to("on_call", said=said), code=303)


def _changed(listed: list[UUID]) -> tuple[tuple[UUID, ...], str]:
    """The list after the form's button, and what to say of it. Raises FormSlip."""
    do = request.form.get("do", "")
    if do == "details":
        return tuple(listed), "on_call_details"
    who = choosing.id_of("staff")
    if do not in ("add", "remove", "earlier") or who is None:
        raise FormSlip("Choose somebody.", pointer="/staff")
    if do == "add":
        return (*listed, who), "on_call"
    if who not in listed:
        raise FormSlip("They are not on the list any more.", pointer="/staff")
    place = listed.index(who)
    listed.remove(who)
    if do == "earlier":
        listed.insert(max(0, place - 1), who)
    return tuple(listed), "on_call"


def _minutes() -> int:
    given = request.form.get("minutes", "").strip()
    if not given.isascii() or not given.isdigit() or len(given) > 5:
        raise FormSlip(f"The time is in whole minutes, from 1 to {LONGEST_MINUTES}.", pointer="/minutes")
    return int(given)


def _page(at: Desk, problem: str = "", status: int = 200) -> Response:
    listed, services = clinic.still_here(at.here), wired().services
    staff = at.staff(*ANSWERS_ALERTS)
    return show(
        "on_call", at, title="On call", status=status, day=at.today, problem=problem, key=new_key,
        manages=may("web_schedule.set_on_call"), given=request.form, longest=LONGEST_MINUTES,
        listed=[(one, full_name(one), email_of(services, one) is not None) for one in listed],
        others=[(one, name) for one, name in staff if one not in listed],
        unreachable=[name for one, name in staff if one not in listed and email_of(services, one) is None],
    )
