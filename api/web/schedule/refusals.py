"""Why something could not be booked, in the words of a front desk."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from api.web.schedule.place import Desk
from api.web.wording import moment as in_words
from domain.day_sheet import Obstacle
from domain.kernel import DomainError

__all__ = ["obstacle_in_words", "refused"]

WORDS = {
    "outside-opening-hours": "The clinic is not open for the whole of that time.",
    "clinic-closed": "The clinic (or that room) is closed then.",
    "room-not-in-service": "That room is not in service here.",
    "starts-in-the-past": "That time has passed.",
    "not-on-this-sheet": "That time is on another day.",
    "slot-impossible": "A visit ends after it begins, and within twelve hours.",
    "course-needed": "An infusion needs the patient's open course of treatment, and this patient has none here.",
    "prescriber-needed": "A consultation needs a prescriber of this clinic whose licence is in date that day.",
    "not-a-nurse-in-date": "That nurse does not work here, or their licence is not in date that day.",
    "not-authorised-to-overbook": "The person named may not authorise overbooking here.",
    "no-protocol-adopted": "This clinic has not adopted a protocol yet, so a visit has no usual length.",
    "appointment-not-live": "It was moved, cancelled or ended meanwhile. Look at the day again.",
    "appointment-not-found": "It is not on this day's sheet any more. Look at the day again.",
    "appointment-already-confirmed": "It is confirmed already.",
    "not-yet-started": "Nobody has missed a visit before it was to begin.",
    "visit-already-begun": "Their visit has begun already.",
    "patient-in-another-visit": "They are in another visit that has not ended: Today's board shows it.",
    "late-without-reason": "That is more than a day ago: say why it is recorded only now.",
    "in-the-future": "That time is still to come.",
    "visit-not-begun": "They had not come by then.",
    "visit-already-ended": "Their visit has ended already.",
    "drug-was-given": "Drug was given in this visit: it ends by a discharge, in its chart.",
    "wrong-course": "The booking names a course of another patient.",
    "nothing-moved": "It is at that time in that room already.",
    "not-waiting": "They are off the waitlist already.",
    "slot-not-wanted": "The patient cannot come at that time.",
    "series-not-bookable": "Not every visit could be booked, so none was. See below what each meets.",
    "nothing-to-book": "Choose at least one visit.",
    "not-found": "There is no such patient, or this clinic does not look after them.",
    "merged-away": "This record was merged into another: book under the other one.",
    "record-erased": "This record has been erased.",
    "closure-not-valid": "A closure ends after it begins.",
    "closure-not-found": "That closure was lifted already.",
    "opening-span-not-valid": "A day closes after it opens.",
    "opening-spans-overlap": "Two spans of one day overlap.",
    "prime-time-outside-hours": "Prime time lies within opening hours.",
    "unknown-code": "Choose one of the list.",
    "calendar-feed-not-found": "That address was withdrawn already.",
    "not-assigned": "They do not work here any more.",
    "feed-label-not-valid": "Say whom the address is for, in a few words.",
}

ON_CALL = {
    "/clinic_phone": "That is no telephone number: write it as +1 555 0100, or 555-0100 ext. 12.",
    "/escalate_after_minutes": "The time to acknowledge runs from 1 minute to a day.",
    "/staff_ids": "They are on the list already.",
}
TAKEN = {
    "room": "{room} is taken", "patient": "The patient has another visit", "nurse": "The nurse has no place left",
    "prescriber": "The prescriber has another consultation",
}


def refused(at: Desk, error: DomainError) -> str:
    """One sentence for the top of a form."""
    if error.code == "claim-conflict":
        what, _, which = str(error.data.get("resource", "")).partition(":")
        room = at.room_name(UUID(which)) if what == "room" else ""
        return taken(at, what, error.data.get("ends"), room)
    if error.code == "on-call-not-valid":
        return ON_CALL.get(str(error.data.get("pointer", "")), "That person cannot acknowledge an alert.")
    if error.code == "already-waiting":
        return _waits(at, error)
    return WORDS.get(error.code, str(error))


def _waits(at: Desk, error: DomainError) -> str:
    """Names the entry by its stretch."""
    given = [_moment(error.data.get(name)) for name in ("earliest_at", "latest_at")]
    told = [in_words(one, at.here.timezone) for one in given if one is not None]
    since = f", from {' until '.join(told)}" if told else ""
    return f"They wait for this kind of visit already{since}. Take that entry off first, or give another time."


def obstacle_in_words(at: Desk, obstacle: Obstacle, room_id: UUID) -> str:
    """One sentence for one occurrence, in the room in which it was to be."""
    if obstacle.rule == "claim-conflict":
        return taken(at, obstacle.what, obstacle.until, at.room_name(room_id))
    return WORDS.get(obstacle.rule, obstacle.message)


def taken(at: Desk, what: str, until: Any, room: str = "The room") -> str:
    """Taken until when, by the clinic's clock."""
    said = TAKEN.get(what, "It is taken").format(room=room)
    moment = until if isinstance(until, datetime) else _moment(until)
    return f"{said} until {at.clock(moment)}." if moment is not None else f"{said} at that time."


def _moment(given: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(given))
    except ValueError:
        return None
