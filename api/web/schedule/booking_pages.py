"""Booking a visit: whom, what, when; overbooking only with a person who authorises it and a reason."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from api.web.schedule import choosing
from api.web.schedule.place import NEW, Desk, blueprint, desk, new_key
from api.web.schedule.refusals import refused
from api.web.schedule.views import show
from domain import day_sheet
from domain.kernel import DomainError
from domain.vocabulary.reasons import OVERBOOKING, VISIT_KINDS
from services.scheduling import Asked
from services.use_cases.series import open_course_of, series_in_force


@blueprint.get("/<uuid:clinic_id>/book")
def book(clinic_id: UUID) -> Response:
    """The form: the patient first, then the kind of visit and a free time."""
    return _form(desk(clinic_id))


@blueprint.post("/<uuid:clinic_id>/book")
def make_booking(clinic_id: UUID) -> AnyResponse:
    """Books; a refusal comes back with the form."""
    at = desk(clinic_id)
    try:
        found = choosing.patient_found(at)
        if found is None:
            return _form(at, "Choose a patient.", 422)
        room_id, starts_at = choosing.chosen_slot(at)
        kind = choosing.kind_of()
        course_id = open_course_of(at.known.reader, found[0], kind, at.known.now)
        receipt = at.act(
            at.clinic_id, day_sheet.BookAppointment, appointment_id=NEW, patient_id=found[0], room_id=room_id,
            visit_kind=kind, starts_at=starts_at, ends_at=_end(starts_at), course_id=course_id,
            series_id=series_in_force(at.known.load, kind, course_id, None), nurse_id=choosing.id_of("nurse"),
            prescriber_id=choosing.id_of("prescriber"), overbooking=choosing.overbooking_of(at),
        )
    except DomainError as error:
        return _form(at, refused(at, error), 422)
    address = at.to("day", local_date=starts_at.date(), said="booked")
    return redirect(f"{address}#a-{receipt.ids['appointment_id']}", code=303)


def _end(starts_at: datetime) -> datetime | None:
    given = request.form.get("minutes", "")
    return starts_at + timedelta(minutes=int(given)) if given.isdigit() and 5 <= int(given) <= 720 else None


def _form(at: Desk, problem: str = "", status: int = 200) -> Response:
    slip = choosing.unreadable()
    problem, status = problem or slip, 422 if slip else status
    found = choosing.patient_found(at)
    kind = choosing.kind_of()
    asked = choosing.asked_from(at, patient_id=found[0] if found else None, kind=kind)
    chosen = request.values.get("slot") or _from_grid(asked.first)
    slots, trouble = _free(at, asked) if found else ([], "")
    return show(
        "book", at, title="Book a visit", status=status,
        day=asked.first, patient=found,
        kinds=VISIT_KINDS, kind=kind, asked=asked, days=choosing.slot_choices(at, slots, chosen), chosen=chosen,
        given=choosing.given(), problem=problem or trouble, key=new_key(), nurses=at.nurses(),
        prescribers=at.prescribers(), authorisers=at.authorisers(), overbooking=OVERBOOKING,
        earlier=max(asked.first - timedelta(days=choosing.SHOWN_DAYS), at.today),
        later=asked.first + timedelta(days=choosing.SHOWN_DAYS),
        needs_course=found is not None and kind in day_sheet.INFUSION_KINDS
        and open_course_of(at.known.reader, found[0], kind, at.known.now) is None,
    )


def _from_grid(on: date) -> str:
    """The time that was clicked in the day's grid, while the form is at that day."""
    room, moment = request.args.get("room", ""), request.args.get("at", "")
    return f"{room}|{moment}" if room and moment.startswith(on.isoformat()) else ""


def _free(at: Desk, asked: Asked) -> tuple[list[day_sheet.Opening], str]:
    try:
        return at.openings.free(asked), ""
    except DomainError as error:
        return [], refused(at, error)
