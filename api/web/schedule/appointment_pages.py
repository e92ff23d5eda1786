"""One booking: what it is, and what can be done with it: confirm, move, cancel, record a no-show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Response, redirect, request
from msgspec.structs import replace
from werkzeug.wrappers import Response as AnyResponse

from api.http.problems import not_found
from api.web.schedule import choosing
from api.web.schedule.grid import booked_of
from api.web.schedule.place import Desk, appointment_of, blueprint, desk, full_name, names_of, new_key
from api.web.schedule.refusals import refused
from api.web.schedule.views import show
from api.web.wording import day as day_in_words
from domain import day_sheet
from domain.kernel import DomainError
from domain.vocabulary.reasons import APPOINTMENT_CANCELLED, APPOINTMENT_MOVED, ASKED_BY, OVERBOOKING
from services.scheduling import Asked

ONE = "/<uuid:clinic_id>/<date:local_date>/<uuid:appointment_id>"


@blueprint.get(ONE)
def appointment(clinic_id: UUID, local_date: date, appointment_id: UUID) -> Response:
    """The booking, with its forms."""
    return _page(desk(clinic_id), local_date, appointment_id)


@blueprint.post(f"{ONE}/confirm")
def confirm(clinic_id: UUID, local_date: date, appointment_id: UUID) -> AnyResponse:
    """They said that they will come."""
    return _done(clinic_id, local_date, appointment_id, "confirmed", lambda at: at.act(
        at.sheet_id(local_date), day_sheet.ConfirmAppointment, appointment_id=appointment_id))


@blueprint.post(f"{ONE}/cancel")
def cancel(clinic_id: UUID, local_date: date, appointment_id: UUID) -> AnyResponse:
    """Gives the time up, with a reason and whose."""
    return _done(clinic_id, local_date, appointment_id, "cancelled", lambda at: at.act(
        at.sheet_id(local_date), day_sheet.CancelAppointment, appointment_id=appointment_id,
        asked_by=request.form.get("asked_by", ""), reason_code=request.form.get("reason", ""),
        note=request.form.get("note") or None))


@blueprint.post(f"{ONE}/no-show")
def no_show(clinic_id: UUID, local_date: date, appointment_id: UUID) -> AnyResponse:
    """They did not come."""
    return _done(clinic_id, local_date, appointment_id, "no_show", lambda at: at.act(
        at.sheet_id(local_date), day_sheet.RecordNoShow, appointment_id=appointment_id))


@blueprint.post(f"{ONE}/move")
def move(clinic_id: UUID, local_date: date, appointment_id: UUID) -> AnyResponse:
    """To another time, room or day."""
    went: list[date] = []

    def moved(at: Desk) -> None:
        room_id, starts_at = choosing.chosen_slot(at)
        at.act(
            at.sheet_id(local_date), day_sheet.MoveAppointment, appointment_id=appointment_id, room_id=room_id,
            starts_at=starts_at, asked_by=request.form.get("asked_by", ""),
            reason_code=request.form.get("reason", ""), overbooking=choosing.overbooking_of(at),
        )
        went.append(starts_at.date())

    return _done(clinic_id, local_date, appointment_id, "moved", moved, went)


def _done(
    clinic_id: UUID, local_date: date, appointment_id: UUID, word: str, act: Callable[[Desk], Any],
    went: list[date] | None = None,
) -> AnyResponse:
    """Acts and goes back to the day; a refusal comes back with the booking's page."""
    at = desk(clinic_id)
    if appointment_of(at, local_date, appointment_id) is None:
        raise not_found()
    try:
        act(at)
    except DomainError as error:
        return _page(at, local_date, appointment_id, refused(at, error), 422)
    day = went[-1] if went else local_date
    return redirect(f"{at.to('day', local_date=day, said=word)}#a-{appointment_id}", code=303)


def _page(at: Desk, local_date: date, appointment_id: UUID, problem: str = "", status: int = 200) -> Response:
    one = appointment_of(at, local_date, appointment_id)
    if one is None:
        raise not_found()
    at.opened("appointment", count=1, patient_id=one.patient_id)
    names = names_of([one.patient_id])
    live = one.status == "booked"
    asked = choosing.asked_from(at, patient_id=one.patient_id, moving=appointment_id, kind=one.visit_kind)
    if not request.values.get("on"):
        first = max(local_date, at.today)
        asked = _on(asked, first)
    asked = _as_it_is(asked, one)
    slots = [
        slot for slot in (at.openings.free(asked) if live else ())
        if (slot.room_id, slot.starts_at) != (one.room_id, one.starts_at)
    ]
    return show(
        "appointment", at, title=names.get(str(one.patient_id), "A booking"),
        status=status, day=local_date, one=one, shown=booked_of(at, one, names),
        lede=f"{day_in_words(local_date, weekday=True)}, {at.span(one.starts_at, one.ends_at)}",
        local_date=local_date, live=live, problem=problem, key=new_key(),
        days=choosing.slot_choices(at, slots, request.values.get("slot", "")), asked=asked, given=request.values,
        earlier=max(asked.first - timedelta(days=choosing.SHOWN_DAYS), at.today),
        later=asked.first + timedelta(days=choosing.SHOWN_DAYS), asked_by=ASKED_BY, moved=APPOINTMENT_MOVED,
        cancelled=APPOINTMENT_CANCELLED, overbooking=OVERBOOKING, authorisers=at.authorisers() if live else [],
        nurse=full_name(one.nurse_id) if one.nurse_id else "",
        prescriber=full_name(one.prescriber_id) if one.prescriber_id else "",
        authorised=full_name(one.overbooked_by) if one.overbooked_by else "",
        because=OVERBOOKING[one.overbooked_because].text if one.overbooked_because else "",
        began=one.starts_at <= at.known.now,
    )


def _on(asked: Asked, first: date) -> Asked:
    return replace(asked, first=first, last=first + timedelta(days=choosing.SHOWN_DAYS - 1))


def _as_it_is(asked: Asked, one: day_sheet.Appointment) -> Asked:
    """As long as it is, with its own nurse and prescriber."""
    minutes = int((one.ends_at - one.starts_at).total_seconds() // 60)
    return replace(asked, minutes=minutes, nurse_id=one.nurse_id, prescriber_id=one.prescriber_id)
