"""Scheduling over days: what is free, a series of bookings in one go, bookings to make again, the waitlist.

Plans and free times are told, not promised: the booking decides. Times may be given with an offset, or without one in
the clinic's wall clock; a wall clock time that a DST change skips or repeats is refused.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from flask import Response

from api.http import examples as ex
from api.http.access import opened
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.context import wired
from api.http.local_times import in_zone
from api.http.questions import wait_for_position
from api.http.reading import answer, read_endpoint
from api.http.scheduling import openings, reading
from api.http.scheduling_shapes import (
    DaysSchema,
    FreeSlotsQuerySchema,
    FreeSlotsSchema,
    ScheduleSchema,
    SeriesPlanSchema,
    SeriesQuerySchema,
    StrandedListSchema,
    WaitlistQuerySchema,
    WaitlistSchema,
)
from api.http.scope import course_state, of_clinic, of_sheet, see_clinic, see_patient, see_staff, timezone_of
from api.http.second_person import AUTHORISER_PIN, check_authoriser
from domain import clinic, day_sheet
from domain.course.series import USUAL_INFUSIONS
from projections import waiting_list
from services.scheduling import Asked, Wishes, plan_series, scheduled_days, stranded_bookings

blueprint = ResourceBlueprint("scheduling", __name__, url_prefix="/v1", description=__doc__)

HERE = "/clinics/<uuid:clinic_id>"
MOST_SCHEDULE_DAYS = 31

COMMANDS = (
    CommandEndpoint(
        name="book_series", path=f"{HERE}/series-bookings", command=day_sheet.BookSeries, place=of_clinic,
        link="/clinics/{clinic_id}/schedule", new_ids=("booking_id",),
        example={"patient_id": ex.PATIENT, "course_id": ex.COURSE, "visit_kind": "series", "only_free": False,
                 "occurrences": [
                     {"number": 1, "room_id": ex.ROOM, "starts_at": "2026-03-04T09:00:00-08:00"},
                     {"number": 2, "room_id": ex.ROOM, "starts_at": "2026-03-06T09:00:00-08:00"}]},
    ),
    CommandEndpoint(
        name="book_from_waitlist",
        path="/appointments/<uuid:clinic_id>/<date:local_date>/waitlist/<uuid:entry_id>/book",
        command=day_sheet.BookFromWaitlist, place=of_sheet, link="/clinics/{clinic_id}/schedule",
        new_ids=("appointment_id",), from_path=("entry_id",), local_moments=("starts_at", "ends_at"),
        extra=AUTHORISER_PIN, before=check_authoriser,
        example={"room_id": ex.ROOM, "starts_at": ex.NINE, "ends_at": ex.ELEVEN},
    ),
)

register_commands(blueprint, COMMANDS)


# --- examples ------------------------------------------------------------------------------------

_OPENING = {"room_id": ex.ROOM, "starts_at": ex.NINE, "ends_at": ex.ELEVEN}
_FREE = {"minutes": 120, "slots": [_OPENING], "third_next_available": _OPENING}
_BOOKED = {
    "appointment_id": ex.APPOINTMENT, "patient_id": ex.PATIENT, "visit_kind": "series", **_OPENING,
    "course_id": ex.COURSE, "series_id": ex.SERIES, "prescriber_id": None, "nurse_id": None, "status": "booked",
    "confirmed": False, "infusion_id": None, "consultation_id": None, "overbooked_by": None,
    "overbooked_because": None,
}
_PLAN = {
    "window_starts": ex.DAY, "window_ends": "2026-03-15", "bookable": False,
    "occurrences": [{
        "number": 1, **_OPENING, "inside_window": True,
        "obstacles": [{"rule": "claim-conflict", "what": "room", "message": "The room is taken for that time.",
                       "until": ex.ELEVEN}],
        "alternatives": [{"room_id": ex.ROOM, "starts_at": ex.ELEVEN, "ends_at": "2026-03-02T13:00:00-08:00"}],
    }],
}
_SCHEDULE = {
    "timezone": "America/Los_Angeles",
    "days": [{"local_date": ex.DAY, "version": 3, "open_minutes": 540, "free_minutes": {ex.ROOM: 420},
              "appointments": [_BOOKED]}],
}
_STRANDED = {
    "bookings": [{"local_date": ex.DAY, "why": "closure", "closure_id": ex.CLOSURE, "appointment": _BOOKED}]
}
_CANDIDATE = {"entry_id": ex.WAITLIST_ENTRY, "local_date": ex.DAY, "starts_at": ex.NINE, "ends_at": ex.ELEVEN}
_WAITLIST = {
    "waiting": [{
        "entry_id": ex.WAITLIST_ENTRY, "patient_id": ex.PATIENT, "visit_kind": "booster", "earliest_at": ex.NINE,
        "latest_at": "2026-03-02T16:00:00-08:00", "joined_at": "2026-02-27T10:00:00-08:00", "local_date": ex.DAY,
        "minutes": 120, "offers": 0,
    }],
    "freed": [{
        **_OPENING, "free_from": ex.NINE, "free_until": ex.ELEVEN, "how": "cancelled",
        "freed_at": "2026-03-01T17:00:00-08:00", "candidates": [_CANDIDATE],
    }],
}


# --- views ---------------------------------------------------------------------------------------


@read_endpoint(blueprint, f"{HERE}/schedule", "schedule", ScheduleSchema, _SCHEDULE, query=DaysSchema)
def show_schedule(query: dict[str, Any], clinic_id: UUID) -> Response:
    """Read the bookings of up to 31 local days, with each room's free time at a glance."""
    see_clinic(clinic_id)
    known = reading()
    here = known.clinic(clinic_id)
    first, last = _days(query, clinic.local_date(here, known.now))
    last = min(last, first + timedelta(days=MOST_SCHEDULE_DAYS - 1))
    days = scheduled_days(known, clinic_id, first, last)
    opened("schedule", clinic_id=clinic_id, count=sum(len(one.appointments) for one in days))
    return answer({"timezone": here.timezone, "days": [
        {
            "local_date": one.local_date.isoformat(), "version": one.version, "open_minutes": one.open_minutes,
            "free_minutes": {str(room): one.free_minutes(room) for room in one.free_spans},
            "appointments": msgspec.to_builtins(one.appointments),
        }
        for one in days
    ]})  # fmt: skip


@read_endpoint(blueprint, f"{HERE}/free-slots", "free_slots", FreeSlotsSchema, _FREE, query=FreeSlotsQuerySchema)
def show_free_slots(query: dict[str, Any], clinic_id: UUID) -> Response:
    """Find free slots of a visit kind over days and rooms.

    A slot that is free now may be taken when it is booked; the booking decides.
    """
    see_clinic(clinic_id)
    _see(query)
    if "patient_id" in query:
        opened("free_slots", patient_id=query["patient_id"], clinic_id=clinic_id)
    found = openings(clinic_id)
    first, last = _days(query, clinic.local_date(found.reading.clinic(clinic_id), found.reading.now))
    given = {name: value for name, value in query.items() if name not in ("first", "last")}
    asked = Asked(first=first, last=last, **given)
    third = found.third_next_available(asked.visit_kind)
    return answer({
        "minutes": found.length(asked), "slots": msgspec.to_builtins(found.free(asked)),
        "third_next_available": msgspec.to_builtins(third),
    })


@read_endpoint(blueprint, f"{HERE}/series-plan", "series_plan", SeriesPlanSchema, _PLAN, query=SeriesQuerySchema)
def show_series_plan(query: dict[str, Any], clinic_id: UUID) -> Response:
    """Plan a series without booking it: per occurrence a free slot, or what it meets and which times come near."""
    see_clinic(clinic_id)
    _see(query)
    opened("series_plan", patient_id=query["patient_id"], clinic_id=clinic_id)
    zone = timezone_of(clinic_id)
    given = {name: value for name, value in query.items() if name != "starts_at"}
    given.setdefault("infusions", USUAL_INFUSIONS)
    starts = tuple(
        one if one.tzinfo is not None else in_zone(one, zone, "starts_at") for one in query.get("starts_at", ())
    )
    plan = plan_series(reading(), clinic_id, Wishes(starts_at=starts, **given))
    body = {**msgspec.to_builtins(plan), "bookable": plan.bookable}
    for occurrence in body["occurrences"]:
        for obstacle in occurrence["obstacles"]:
            obstacle.pop("holder")
    return answer(body)


@read_endpoint(
    blueprint, f"{HERE}/stranded-bookings", "stranded", StrandedListSchema, _STRANDED, query=DaysSchema
)
def show_stranded(query: dict[str, Any], clinic_id: UUID) -> Response:
    """List bookings to come that cannot stay: in a closure, outside new opening hours, in a room gone.

    90 days from the first if no last day is given.
    """
    see_clinic(clinic_id)
    known = reading()
    first = query.get("first") or clinic.local_date(known.clinic(clinic_id), known.now)
    last = query.get("last") or first + timedelta(days=90)
    found = stranded_bookings(known, clinic_id, first, last)
    opened("stranded_bookings", clinic_id=clinic_id, count=len(found))
    return answer({"bookings": msgspec.to_builtins(found)})


@read_endpoint(blueprint, f"{HERE}/waitlist", "waitlist", WaitlistSchema, _WAITLIST, query=WaitlistQuerySchema)
def show_waitlist(query: dict[str, Any], clinic_id: UUID) -> Response:
    """Read who waits for a time, and which freed times would suit whom, in order of joining."""
    see_clinic(clinic_id)
    wait_for_position(query.get("min_position"))
    parts = wired()
    with parts.read_side.database.reads.connect() as connection:
        report = waiting_list.report(connection, str(clinic_id), as_of=parts.services.clock.now())
    waiting = report.waiting if report is not None else ()
    freed = report.freed if report is not None else ()
    opened("waitlist", clinic_id=clinic_id, count=len(waiting))
    zone = timezone_of(clinic_id)

    def local(moment: datetime) -> str:
        return moment.astimezone(zone).isoformat()

    return answer({
        "waiting": [{
            "entry_id": one.entry_id, "patient_id": one.patient, "visit_kind": one.visit_kind,
            "earliest_at": local(one.earliest), "latest_at": local(one.latest), "joined_at": local(one.joined),
            "local_date": one.local_date.isoformat(), "minutes": one.minutes, "offers": one.offers,
        } for one in waiting],
        "freed": [{
            "room_id": one.room, "starts_at": local(one.starts), "ends_at": local(one.ends),
            "free_from": local(one.free_from), "free_until": local(one.free_until), "how": one.how,
            "freed_at": local(one.freed_at), "candidates": [{
                "entry_id": each.waiting.entry_id, "local_date": each.waiting.local_date.isoformat(),
                "starts_at": local(each.starts), "ends_at": local(each.ends),
            } for each in one.candidates],
        } for one in freed],
    })  # fmt: skip


def _days(query: dict[str, Any], today: date) -> tuple[date, date]:
    first = query.get("first") or today
    return first, query.get("last") or first + timedelta(days=6)


def _see(query: dict[str, Any]) -> None:
    """The 404 for people whom the caller may not see."""
    if "patient_id" in query:
        see_patient(query["patient_id"])
    if "course_id" in query:
        course_state(query["course_id"])
    for name in ("nurse_id", "prescriber_id"):
        if name in query:
            see_staff(query[name])
