"""The day and the week of a clinic's rooms."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.http.problems import not_found
from api.web.address import clinics_seen
from api.web.page import may, render
from api.web.schedule.grid import IN_THE_ROOM, booked_of, day_grid
from api.web.schedule.held import as_held, days_as_held
from api.web.schedule.place import Desk, blueprint, desk, names_of
from api.web.wording import day as day_in_words
from api.web.wording import period
from domain import clinic, day_sheet
from services.scheduling import ScheduledDay, next_booking, over_midnight, scheduled_days, unclosed_bookings

SAID = {
    "booked": "Booked.", "moved": "Moved.", "cancelled": "Cancelled: the time is free again.",
    "confirmed": "Confirmed.", "arrived": "Arrived: they are on Today's board until their visit ends.",
    "ended": "The visit is over, without an infusion.", "no_show": "Recorded as a no-show.",
    "series": "The series is booked.", "refilled": "Booked, and off the waitlist.", "waits": "On the waitlist.",
    "left": "Off the waitlist.", "offered": "The offer is noted; the time is free until it is booked.",
    "closed": "The closure is declared.", "lifted": "The closure is lifted.",
    "hours": "The opening hours are set.", "feed": "The calendar address is ready.",
    "on_call": "The on-call list is set.", "on_call_details": "Time and telephone are set.",
    "withdrawn": "The calendar address answers no more.",
}


def show(
    page: str, at: Desk, *, title: str, day: date, lede: str = "", problem: str = "", status: int = 200, tab: str = "",
    **context: Any
) -> Response:
    """A page of the schedule in its frame: the ways between its pages, what was done, what could not be."""
    return render(
        f"schedule/{page}.html", title=title, active="web_schedule.index", lede=lede or at.name, status=status, at=at,
        tabs=tabs(at, tab or page, day), clinics=to_clinic(at), problem=problem,
        said=SAID.get(request.args.get("said", ""), "") if not problem else "", **context,
    )


@blueprint.get("")
def index() -> AnyResponse:
    """Today at the clinic asked for, else at the reader's first one."""
    wanted = request.args.get("clinics", "").partition(",")[0]
    seen = clinics_seen()
    if not seen:
        raise not_found()
    chosen = next((one for one in seen if one.id == wanted), seen[0])
    at = desk(UUID(chosen.id))
    return redirect(at.to("day", local_date=at.today), code=303)


class WeekCell(msgspec.Struct, frozen=True, kw_only=True):
    """A room on a day: what is booked, how much is free from now on, of how much open."""

    bookings: tuple[object, ...]
    free_minutes: int
    open_minutes: int
    tenths_taken: int


@blueprint.get("/<uuid:clinic_id>/<date:local_date>")
def day(clinic_id: UUID, local_date: date) -> Response:
    """One day: rooms as columns, quarter hours as rows."""
    at = desk(clinic_id)
    (found,) = days_as_held(at, scheduled_days(at.known, clinic_id, local_date, local_date))
    night = as_held(at, over_midnight(at.known, clinic_id, local_date))
    unclosed = _unclosed(at) if local_date == at.today else []
    at.opened("schedule", count=len(found.appointments) + len(night) + len(unclosed))
    names = names_of({one.patient_id for one in (*found.appointments, *night, *unclosed)})
    books = may("web_schedule.make_booking")
    gone = [booked_of(at, one, names) for one in found.appointments if one.status not in IN_THE_ROOM]
    elsewhere = [
        booked_of(at, one, names) for one in found.appointments
        if one.status in IN_THE_ROOM and not at.here.in_service(one.room_id)
    ]
    return show(
        "day", at, title=day_in_words(local_date, weekday=True), day=local_date,
        lede=f"{at.name}, {zone_in_words(at, local_date, local_date)}", local_date=local_date,
        grid=day_grid(at, found, names, books=books, night=night), gone=gone, elsewhere=elsewhere, books=books,
        unclosed=[(booked_of(at, one, names), day_in_words(one.starts_at.astimezone(at.zone).date(), weekday=True))
                  for one in unclosed],
        closures=_closures(at, found), following=_following(at, found), earlier=local_date - timedelta(days=1),
        later=local_date + timedelta(days=1),
    )


@blueprint.get("/<uuid:clinic_id>/week/<date:local_date>")
def week(clinic_id: UUID, local_date: date) -> Response:
    """One week: rooms and days, with the free time of each at a glance."""
    at, first = desk(clinic_id), monday(local_date)
    days = days_as_held(at, scheduled_days(at.known, clinic_id, first, first + timedelta(days=6)))
    at.opened("schedule", count=sum(len(one.appointments) for one in days))
    names = names_of({one.patient_id for each in days for one in each.appointments})
    lines = [(room, [_week_cell(at, room, each, names) for each in days]) for room in at.rooms]
    gone = [[
        booked_of(at, one, names) for one in each.appointments
        if one.status in IN_THE_ROOM and not at.here.in_service(one.room_id)
    ] for each in days]
    return show(
        "week", at, title=period(first, days[-1].local_date), day=first,
        lede=f"{at.name}, {zone_in_words(at, first, days[-1].local_date)}", days=days, lines=lines,
        gone=gone if any(gone) else [],
        earlier=first - timedelta(days=7), later=first + timedelta(days=7),
    )


def _week_cell(at: Desk, room: clinic.Room, day: ScheduledDay, names: dict[str, str]) -> WeekCell:
    here = [one for one in day.appointments if one.room_id == room.room_id and one.status in IN_THE_ROOM]
    taken = sum(int((one.ends_at - one.starts_at).total_seconds() // 60) for one in here if one.status != "no_show")
    open_minutes = day.open_minutes
    return WeekCell(
        bookings=tuple(booked_of(at, one, names) for one in here), free_minutes=day.free_minutes(room.room_id),
        open_minutes=open_minutes, tenths_taken=min(10, round(10 * taken / open_minutes)) if open_minutes else 0,
    )


def _unclosed(at: Desk) -> list[day_sheet.Appointment]:
    """What is over with nothing recorded, consultations that were held left out."""
    return [one for one in as_held(at, unclosed_bookings(at.known, at.clinic_id)) if one.status == "booked"]


def _following(at: Desk, day: ScheduledDay) -> tuple[str, str] | None:
    """On a day with nothing booked: when the next booking is, and the way to it."""
    if any(one.status in IN_THE_ROOM for one in day.appointments):
        return None
    one = next_booking(at.known, at.clinic_id, max(day.ends, at.known.now))
    if one is None:
        return None
    on = one.starts_at.astimezone(at.zone).date()
    return f"{day_in_words(on, weekday=True)}, {at.clock(one.starts_at)}", at.to_slot(on, one.appointment_id)


def _closures(at: Desk, day: ScheduledDay) -> list[tuple[str, str]]:
    """(which room or the clinic, when) of the closures that touch the day."""
    return [
        (at.room_name(one.room_id) if one.room_id else "The clinic",
         "all day" if one.starts_at <= day.starts and day.ends <= one.ends_at
         else at.span(max(one.starts_at, day.starts), min(one.ends_at, day.ends)))
        for one in at.here.closures if not one.lifted and one.starts_at < day.ends and day.starts < one.ends_at
    ]  # fmt: skip


def monday(day: date) -> date:
    """Of the week."""
    return day - timedelta(days=day.isoweekday() - 1)


def zone_in_words(at: Desk, first: date, last: date) -> str:
    """The zone's name, and its offset on those days: both, where the clocks change."""
    begin, end = (clinic.instant(day, clock, at.zone).astimezone(at.zone)
                  for day, clock in ((first, time(0)), (last, time(23, 59))))
    said = f"{end:%Z}, UTC{end:%z}"
    if begin.utcoffset() != end.utcoffset():
        said = f"{begin:%Z}, UTC{begin:%z}, then {said}: the clocks change"
    return f"times in {at.here.timezone} ({said})"


def tabs(at: Desk, page: str, day: date) -> list[tuple[str, str, bool]]:
    """The ways from one page of the schedule to another: (label, address, whether it is this one)."""
    ways = [
        ("Day", at.to("day", local_date=day), "day", "web_schedule.day"),
        ("Week", at.to("week", local_date=day), "week", "web_schedule.week"),
        ("Waitlist", at.to("waitlist"), "waitlist", "web_schedule.waitlist"),
        ("Book a series", at.to("series"), "series", "web_schedule.series"),
        ("Closures and hours", at.to("premises"), "premises", "web_schedule.premises"),
        ("On call", at.to("on_call"), "on_call", "web_schedule.on_call"),
    ]
    return [(label, href, name == page) for label, href, name, operation in ways if may(operation)]


def to_clinic(at: Desk) -> list[tuple[str, str, bool]]:
    """The same for the other clinics, today."""
    return [
        (one.name, url_for("web_schedule.index", clinics=one.id), one.id == str(at.clinic_id)) for one in at.others
    ]
