"""One booking: what it is, and what can be done with it: confirm, move, cancel, record an arrival, a no-show, or the
end of a visit without an infusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask import Response, redirect, request
from msgspec import Struct
from msgspec.structs import replace
from werkzeug.wrappers import Response as AnyResponse

from api.http.idempotency import id_for
from api.http.problems import not_found
from api.web.schedule import choosing
from api.web.schedule.grid import booked_of
from api.web.schedule.held import as_held
from api.web.schedule.place import (
    Desk,
    FormSlip,
    appointment_of,
    blueprint,
    desk,
    form_key,
    full_name,
    local_moment,
    names_of,
    new_key,
)
from api.web.schedule.refusals import refused
from api.web.schedule.views import show
from api.web.wording import day as day_in_words
from domain import day_sheet
from domain.infusion import visit
from domain.infusion.arrival import ArrivePatient
from domain.infusion.departure import EndWithoutInfusion
from domain.kernel import DomainError
from domain.vocabulary.reasons import APPOINTMENT_CANCELLED, APPOINTMENT_MOVED, ASKED_BY, NO_INFUSION, OVERBOOKING
from domain.vocabulary.term import Term
from services.scheduling import Asked

ARRIVES = (*day_sheet.INFUSION_KINDS, "follow_up")
"""Visits that begin with an arrival."""

END_FIELDS = {"/reason_code": "end_reason", "/at": "ended_at", "/starts_at": "ended_at", "/fold": "ended_fold",
              "/late_reason": "late_reason"}
"""The form's fields by what a refusal points at."""

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


@blueprint.post(f"{ONE}/arrive")
def arrive(clinic_id: UUID, local_date: date, appointment_id: UUID) -> AnyResponse:
    """They came: their visit begins, now or at the time given, and is on Today's board."""

    def arrived(at: Desk) -> None:
        one = at.known.sheet(at.clinic_id, local_date).appointments[appointment_id]
        at.act(
            id_for(form_key(), "infusion"), ArrivePatient, when=_typed(at, "came", local_date, CAME),
            late_reason=request.form.get("late_reason") or None, patient_id=one.patient_id,
            visit_kind=one.visit_kind, appointment_id=appointment_id, booked_starts_at=one.starts_at,
        )

    return _done(clinic_id, local_date, appointment_id, "arrived", arrived)


@blueprint.post(f"{ONE}/end")
def end_visit(clinic_id: UUID, local_date: date, appointment_id: UUID) -> AnyResponse:
    """The visit is over and no drug was given: it leaves Today's board."""

    def ended(at: Desk) -> None:
        found = _visit_of(at, at.known.sheet(at.clinic_id, local_date).appointments[appointment_id])
        if found is None or found.arrived_at is None:
            raise FormSlip("They have not come.")
        at.act(
            found.stream_id, EndWithoutInfusion, when=_typed(at, "ended", _came_on(at, found), ENDED),
            late_reason=request.form.get("late_reason") or None, reason_code=request.form.get("end_reason", ""),
            note=request.form.get("end_note") or None,
        )

    return _done(clinic_id, local_date, appointment_id, "ended", ended)


CAME, ENDED = "Say at what time they came.", "Say at what time the visit ended."


def _typed(at: Desk, name: str, day: date, unsaid: str) -> datetime | None:
    """`name`_at by the clinic's clock, on `day` unless the form says another; None: now. Raises FormSlip, with
    `unsaid` where no time is given and the day is not today."""
    clock = request.form.get(f"{name}_at", "")
    if clock:
        on = request.form.get(f"{name}_on") or day.isoformat()
        return local_moment(on, clock, request.form.get(f"{name}_fold", ""), at.zone)
    if day != at.today:
        raise FormSlip(unsaid, pointer="/at")
    return None


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
    one = appointment_of(at, local_date, appointment_id)
    if one is None:
        raise not_found()
    try:
        _refuse_if_held(at, one)
        act(at)
    except DomainError as error:
        return _page(at, local_date, appointment_id, refused(at, error), 422, str(error.data.get("pointer", "")))
    day = went[-1] if went else local_date
    return redirect(f"{at.to('day', local_date=day, said=word)}#a-{appointment_id}", code=303)


def _refuse_if_held(at: Desk, one: day_sheet.Appointment) -> None:
    """Raises AppointmentNotLive for the booking of a consultation held before one kept its booking."""
    if one.status == "booked" and as_held(at, [one])[0].status == "kept":
        raise day_sheet.AppointmentNotLive(appointment_id=str(one.appointment_id), status="kept")


def _page(
    at: Desk, local_date: date, appointment_id: UUID, problem: str = "", status: int = 200, pointer: str = ""
) -> Response:
    one = appointment_of(at, local_date, appointment_id)
    if one is None:
        raise not_found()
    (one,) = as_held(at, [one])
    slip = choosing.unreadable()
    problem, status = problem or slip, 422 if slip else status
    at.opened("appointment", count=1, patient_id=one.patient_id)
    over = _may_end(at, one)
    wrong = END_FIELDS.get(pointer, "") if over is not None and request.path.endswith("/end") else ""
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
        local_date=local_date, live=live, problem="" if wrong else problem, key=new_key(),
        days=choosing.slot_choices(at, slots, request.values.get("slot", "")), asked=asked, given=choosing.given(),
        earlier=max(asked.first - timedelta(days=choosing.SHOWN_DAYS), at.today),
        later=asked.first + timedelta(days=choosing.SHOWN_DAYS), asked_by=ASKED_BY, moved=APPOINTMENT_MOVED,
        cancelled=APPOINTMENT_CANCELLED, overbooking=OVERBOOKING, authorisers=at.authorisers() if live else [],
        nurse=full_name(one.nurse_id) if one.nurse_id else "",
        prescriber=full_name(one.prescriber_id) if one.prescriber_id else "",
        authorised=full_name(one.overbooked_by) if one.overbooked_by else "",
        because=OVERBOOKING[one.overbooked_because].text if one.overbooked_because else "",
        began=one.starts_at <= at.known.now, comes=_may_arrive(at, local_date, one), today=at.today,
        twice=_has_an_hour_twice(at, local_date), over=over, wrong=wrong, slip=problem if wrong else "",
    )


def _may_arrive(at: Desk, local_date: date, one: day_sheet.Appointment) -> bool:
    """From the booking's day on, also after a no-show; a consultation's arrival is the consultation."""
    return one.visit_kind in ARRIVES and one.status in day_sheet.MAY_BE_KEPT and local_date <= at.today


class Over(Struct, frozen=True):
    """What the form that ends a visit offers. `came`: the clinic's day of the arrival."""

    came: date
    reasons: Mapping[str, Term]
    twice: bool


def _may_end(at: Desk, one: day_sheet.Appointment) -> Over | None:
    """While the visit is open and no drug was given. What is usual for the kind of visit comes first."""
    found = _visit_of(at, one)
    if found is None or found.arrived_at is None or found.ending is not None or found.run.given:
        return None
    came, usual = _came_on(at, found), "consultation_only"
    first = {usual: NO_INFUSION[usual]} if one.visit_kind == "follow_up" else {}
    return Over(came, {**first, **NO_INFUSION}, any(_has_an_hour_twice(at, day) for day in (came, at.today)))


def _visit_of(at: Desk, one: day_sheet.Appointment) -> visit.State | None:
    if one.infusion_id is None:
        return None
    found: visit.State = at.known.load(visit, one.infusion_id).state
    return found


def _came_on(at: Desk, found: visit.State) -> date:
    return found.arrived_at.astimezone(at.zone).date() if found.arrived_at is not None else at.today


def _has_an_hour_twice(at: Desk, day: date) -> bool:
    first, last = (datetime.combine(day, clock, at.zone).utcoffset() for clock in (time.min, time.max))
    return first is not None and last is not None and first > last


def _on(asked: Asked, first: date) -> Asked:
    return replace(asked, first=first, last=first + timedelta(days=choosing.SHOWN_DAYS - 1))


def _as_it_is(asked: Asked, one: day_sheet.Appointment) -> Asked:
    """As long as it is, with its own nurse and prescriber."""
    minutes = int((one.ends_at - one.starts_at).total_seconds() // 60)
    return replace(asked, minutes=minutes, nurse_id=one.nurse_id, prescriber_id=one.prescriber_id)
