"""Closures, opening hours and calendar addresses, with the bookings that have to be made again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any
from uuid import UUID

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from api.http.calendar import address_of
from api.http.pages import whole_address
from api.web.page import may
from api.web.schedule import choosing
from api.web.schedule.grid import booked_of
from api.web.schedule.place import NEW, Desk, FormSlip, blueprint, desk, local_moment, names_of, new_key
from api.web.schedule.refusals import refused
from api.web.schedule.views import show
from api.web.wording import day as day_in_words
from domain import clinic
from domain.kernel import DomainError
from domain.vocabulary.reasons import CLOSURE
from services.scheduling import stranded_bookings

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
USUAL_SPANS, MOST_SPANS = 2, 6
"""Of a day in the form: before and after a break; more where a day has more already."""
WHY = {"closure": "closed then", "outside_hours": "outside opening hours", "room_retired": "the room is gone"}


@blueprint.get("/<uuid:clinic_id>/premises")
def premises(clinic_id: UUID) -> Response:
    """What is closed, when it is open, and which bookings cannot stay."""
    return _page(desk(clinic_id))


@blueprint.post("/<uuid:clinic_id>/closures")
def declare_closure(clinic_id: UUID) -> AnyResponse:
    """Closes the clinic or a room; the page then lists the bookings that this strands.

    Of a time that the clocks show twice, a closure begins at the first and ends at the second.
    """
    def declared(at: Desk) -> None:
        at.act(
            at.clinic_id, clinic.DeclareClosure, closure_id=NEW, room_id=choosing.id_of("room"),
            starts_at=local_moment(request.form.get("first", ""), request.form.get("from", ""), "0", at.zone),
            ends_at=local_moment(request.form.get("last", ""), request.form.get("until", ""), "1", at.zone),
            reason_code=request.form.get("reason", ""),
        )

    return _done(clinic_id, "closed", declared)


@blueprint.post("/<uuid:clinic_id>/closures/<uuid:closure_id>/lift")
def lift_closure(clinic_id: UUID, closure_id: UUID) -> AnyResponse:
    """It does not take place after all."""
    return _done(clinic_id, "lifted", lambda at: at.act(at.clinic_id, clinic.LiftClosure, closure_id=closure_id))


@blueprint.post("/<uuid:clinic_id>/hours")
def set_hours(clinic_id: UUID) -> AnyResponse:
    """Another week from a day on."""
    def changed(at: Desk) -> None:
        on = choosing.day_of(request.form.get("effective_from"), at.today)
        week = clinic.hours_on(at.here, on)
        spans = _spans()
        prime = tuple(part for one in (week.prime if week is not None else ()) for part in _inside(one, spans))
        at.act(at.clinic_id, clinic.SetOpeningHours, effective_from=on, hours=spans, prime=prime)

    return _done(clinic_id, "hours", changed)


@blueprint.post("/<uuid:clinic_id>/calendar-feeds")
def open_feed(clinic_id: UUID) -> AnyResponse:
    """Gives out a calendar address."""
    return _done(clinic_id, "feed", lambda at: at.act(
        at.clinic_id, clinic.OpenCalendarFeed, feed_id=NEW, label=request.form.get("label", "")))


@blueprint.post("/<uuid:clinic_id>/calendar-feeds/<uuid:feed_id>/close")
def close_feed(clinic_id: UUID, feed_id: UUID) -> AnyResponse:
    """Withdraws one."""
    return _done(clinic_id, "withdrawn", lambda at: at.act(
        at.clinic_id, clinic.CloseCalendarFeed, feed_id=feed_id))


def _done(clinic_id: UUID, word: str, act: Callable[[Desk], Any]) -> AnyResponse:
    at = desk(clinic_id)
    try:
        act(at)
    except DomainError as error:
        return _page(at, refused(at, error), 422)
    return redirect(at.to("premises", said=word), code=303)


def _spans() -> tuple[clinic.OpeningSpan, ...]:
    """Of the form, up to MOST_SPANS a day; an empty day is closed. Raises FormSlip."""
    found = []
    for number, name in enumerate(WEEKDAYS, 1):
        for which in range(1, MOST_SPANS + 1):
            field = f"{number}-{which}"
            opens, closes = request.form.get(f"opens-{field}", ""), request.form.get(f"closes-{field}", "")
            if not opens and not closes:
                continue
            try:
                found.append(clinic.OpeningSpan(
                    weekday=number, opens=time.fromisoformat(opens), closes=time.fromisoformat(closes)))
            except ValueError as error:
                raise FormSlip(f"{name}: give both times, or none.", pointer=f"/opens-{field}") from error
    if not found:
        raise FormSlip("Give at least one open day. To close for a while, declare a closure.", pointer="/opens-1-1")
    return tuple(found)


def _inside(prime: clinic.OpeningSpan, spans: tuple[clinic.OpeningSpan, ...]) -> list[clinic.OpeningSpan]:
    """What of a span of prime time is open still."""
    found = []
    for one in spans:
        opens = max(one.opens, prime.opens)
        closes = min((one.closes, prime.closes), key=lambda end: (end == time(0), end))  # 00:00 ends the day
        if one.weekday == prime.weekday and (opens < closes or closes == time(0)):
            found.append(clinic.OpeningSpan(weekday=one.weekday, opens=opens, closes=closes))
    return found


def _page(at: Desk, problem: str = "", status: int = 200) -> Response:
    stranded = stranded_bookings(at.known, at.clinic_id, at.today)
    at.opened("stranded_bookings", count=len(stranded))
    names = names_of({one.appointment.patient_id for one in stranded})
    manages = may("web_schedule.declare_closure")
    closures = sorted(
        (one for one in at.here.closures if not one.lifted and one.ends_at > at.known.now),
        key=lambda one: one.starts_at,
    )
    return show(
        "premises", at, title="Closures and hours", status=status,
        day=at.today, problem=problem, key=new_key, manages=manages,
        stranded=[(booked_of(at, one.appointment, names), day_in_words(one.local_date, weekday=True), WHY[one.why])
                  for one in stranded],
        closures=closures, reasons=CLOSURE, given=request.values, weeks=_weeks(at),
        week=_week_form(at), tomorrow=at.today + timedelta(days=1),
        day_after=at.today + timedelta(days=2),
        feeds=[(one, whole_address(address_of(at.clinic_id, one.feed_id))) for one in at.here.feeds if not one.closed]
        if manages else [],
    )


def _week_form(at: Desk) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The fields of another week, filled as the form was sent, else as it is today:
    (weekday, [(name of the field, opens, closes)])."""
    now = clinic.hours_on(at.here, at.today)
    sent = request.form
    days = []
    for number, name in enumerate(WEEKDAYS, 1):
        spans = [span for span in (now.hours if now is not None else ()) if span.weekday == number]
        fields = []
        for which in range(1, max(USUAL_SPANS, len(spans)) + 1):
            span, field = (spans[which - 1] if which <= len(spans) else None), f"{number}-{which}"
            opens, closes = (f"{span.opens:%H:%M}", f"{span.closes:%H:%M}") if span is not None else ("", "")
            fields.append((field, sent.get(f"opens-{field}", opens), sent.get(f"closes-{field}", closes)))
        days.append((name, fields))
    return days


def _weeks(at: Desk) -> list[tuple[str, list[tuple[str, str]]]]:
    """The week in force and those to come: (from when, [(weekday, hours)])."""
    now = clinic.hours_on(at.here, at.today)
    later = [week for week in at.here.hours if week.effective_from > at.today]
    shown = ([now] if now is not None else []) + sorted(later, key=lambda week: week.effective_from)
    return [
        (day_in_words(week.effective_from, weekday=True), [
            (name, ", ".join(
                f"{span.opens:%H:%M}–{span.closes:%H:%M}" for span in week.hours if span.weekday == number
            ) or "closed")
            for number, name in enumerate(WEEKDAYS, 1)
        ])
        for week in shown
    ]  # fmt: skip
