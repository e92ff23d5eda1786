"""The waitlist: who would take a time, which times were freed, and one click that puts one into the other."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from api.http.context import wired
from api.web.schedule import choosing
from api.web.schedule.place import NEW, Desk, FormSlip, blueprint, desk, local_moment, names_of, new_key
from api.web.schedule.refusals import refused
from api.web.schedule.views import show
from domain import day_sheet
from domain.clinic import hours_on
from domain.clinic.hours import shown
from domain.kernel import DomainError
from domain.vocabulary.reasons import VISIT_KINDS, WAITLIST_LEFT
from projections import waiting_list
from services.handling import Receipt
from services.scheduling import Reading

BRIEFLY = 2.0
"""Seconds that the page waits for the read side to show what this reader has just done."""


@blueprint.get("/<uuid:clinic_id>/waitlist")
def waitlist(clinic_id: UUID) -> Response:
    """Freed times with whom they would suit, then everybody who waits."""
    return _page(desk(clinic_id))


@blueprint.post("/<uuid:clinic_id>/waitlist")
def join_waitlist(clinic_id: UUID) -> AnyResponse:
    """Puts somebody on the list, for one stretch of time."""
    at = desk(clinic_id)
    try:
        found = choosing.patient_found(at)
        if found is None:
            raise FormSlip("Choose a patient.", pointer="/patient")
        earliest, latest = _window(at)
        receipt = at.act(
            at.clinic_id, day_sheet.JoinWaitlist, entry_id=NEW, patient_id=found[0], visit_kind=choosing.kind_of(),
            earliest_at=earliest, latest_at=latest,
        )
    except DomainError as error:
        return _page(at, refused(at, error), 422)
    return _back(at, "waits", receipt)


@blueprint.post("/<uuid:clinic_id>/<date:local_date>/waitlist/<uuid:entry_id>/book")
def refill(clinic_id: UUID, local_date: date, entry_id: UUID) -> AnyResponse:
    """Books who waits into a freed time, and off the list, in one commit."""
    at = desk(clinic_id)
    try:
        room_id, starts_at = choosing.chosen_slot(at)
        receipt = at.act(
            at.sheet_id(local_date), day_sheet.BookFromWaitlist, entry_id=entry_id, appointment_id=NEW,
            room_id=room_id, starts_at=starts_at, prescriber_id=choosing.id_of("prescriber"),
        )
    except DomainError as error:
        return _page(at, refused(at, error), 422)
    return _back(at, "refilled", receipt)


@blueprint.post("/<uuid:clinic_id>/<date:local_date>/waitlist/<uuid:entry_id>/offer")
def offer(clinic_id: UUID, local_date: date, entry_id: UUID) -> AnyResponse:
    """Notes that who waits was offered a freed time; it stays free until it is booked."""
    at = desk(clinic_id)
    try:
        room_id, starts_at = choosing.slot_of(at, request.form.get("slot", ""))
        until = request.form.get("until", "")
        receipt = at.act(
            at.sheet_id(local_date), day_sheet.OfferSlot, entry_id=entry_id, room_id=room_id, starts_at=starts_at,
            ends_at=choosing.slot_of(at, f"{room_id}|{until}")[1],
        )
    except DomainError as error:
        return _page(at, refused(at, error), 422)
    return _back(at, "offered", receipt)


@blueprint.post("/<uuid:clinic_id>/<date:local_date>/waitlist/<uuid:entry_id>/leave")
def leave_waitlist(clinic_id: UUID, local_date: date, entry_id: UUID) -> AnyResponse:
    """Takes somebody off the list."""
    at = desk(clinic_id)
    try:
        receipt = at.act(
            at.sheet_id(local_date), day_sheet.LeaveWaitlist, entry_id=entry_id,
            reason_code=request.form.get("reason", ""),
        )
    except DomainError as error:
        return _page(at, refused(at, error), 422)
    return _back(at, "left", receipt)


def _back(at: Desk, word: str, receipt: Receipt) -> AnyResponse:
    wired().read_side.engine.wait_for(receipt.position, BRIEFLY)
    return redirect(at.to("waitlist", said=word), code=303)


def _window(at: Desk) -> tuple[datetime, datetime]:
    """One stretch, from an hour of the first day to one of the last (of one that comes twice, the widest).

    Raises FormSlip.
    """
    return (
        local_moment(request.form.get("first", ""), request.form.get("from", ""), "0", at.zone),
        local_moment(request.form.get("last", ""), request.form.get("until", ""), "1", at.zone),
    )


def _page(at: Desk, problem: str = "", status: int = 200) -> Response:
    fresh = Reading(at.known.handling, at.known.reader, wired().services.clock.now())
    parts = wired()
    with parts.read_side.database.reads.connect() as connection:
        report = waiting_list.report(connection, str(at.clinic_id), as_of=fresh.now)
    waiting = report.waiting if report else ()
    freed = report.freed if report else ()
    at.opened("waitlist", count=len(waiting))
    slip = choosing.unreadable()
    problem, status = problem or slip, 422 if slip else status
    found = choosing.patient_found(at)
    return show(
        "waitlist", at, title="Waitlist", status=status,
        day=at.today, waiting=waiting, freed=freed,
        names=names_of({one.patient for one in waiting}), patient=found, given=choosing.given(),
        kinds=VISIT_KINDS, reasons=WAITLIST_LEFT,
        problem=problem, key=new_key, first=at.today, last=at.today + timedelta(days=14),
        slot_value=choosing.slot_value, prescribers=at.prescribers(), uuid=UUID,
        local=lambda moment: shown(moment, at.zone), opens=_opens(at),
    )


def _opens(at: Desk) -> tuple[str, str]:
    """The widest opening hours of the week in force, as a form's first values."""
    week = hours_on(at.here, at.today)
    spans = week.hours if week is not None else ()
    first = min((span.opens for span in spans), default=time(8))
    last = max((time(23, 59) if span.closes == time(0) else span.closes for span in spans), default=time(17))
    return first.isoformat("minutes"), last.isoformat("minutes")
