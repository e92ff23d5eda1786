"""Who was told of an alert from home, what became of their letters, and who is told next and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from api.http.context import wired
from api.http.resources.alerts import Alert
from api.mail.boxes import alert_letter
from api.mail.outbox import NO_ADDRESS, Entry, Outbox
from api.mail.senders import delivery
from api.web.schedule.place import full_name
from api.web.wording import moment
from domain import clinic
from domain.patient import patient
from services.processes.escalations import MOST_STEPS, next_step_at, whom

__all__ = ["Person", "Told", "letter_in_words", "told_of"]

LATE = timedelta(minutes=2)
"""After that long with nobody told, something stands still."""


class Person(msgspec.Struct, frozen=True):
    """Somebody who was told, what became of their last letter, and whether it may reach them."""

    name: str
    letter: str
    tone: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`following`: who is told next and when. `trouble`: why nobody may know of the alert; empty as it should be."""

    people: tuple[Person, ...]
    following: str
    trouble: str


def told_of(alert: Alert, now: datetime) -> Told:
    """How far the alert has come, by the log and the outbox."""
    here, standing = _home_clinic(alert), alert.standing
    steps = {staff_id: step for step, told in enumerate(standing.told, 1) for staff_id in told}
    ids = {staff_id: alert_letter(alert.alert_id, step, staff_id) for staff_id, step in steps.items()}
    letters = Outbox(wired().read_side.database.reads).of(ids.values())
    people = tuple(_person(staff_id, letters.get(message_id)) for staff_id, message_id in ids.items())
    following = "" if len(standing.told) >= MOST_STEPS else _following(alert, here, now)
    return Told(people=people, following=following, trouble=_trouble(alert, here, people, now))


def _home_clinic(alert: Alert) -> clinic.State:
    """Its people are told, wherever the alert was raised."""
    handling = wired().services.handling
    whose: patient.State = handling.current(patient, alert.patient_id).state
    here: clinic.State = handling.current(clinic, whose.home_clinic_id or alert.clinic_id).state
    return here


def _person(staff_id: UUID, letter: Entry | None) -> Person:
    text, tone = letter_in_words(letter, delivery(wired().settings))
    return Person(full_name(staff_id), text, tone)


def letter_in_words(letter: Entry | None, goes: str) -> tuple[str, str]:
    """What became of a letter, and how bad that is; `goes`: where letters go (`senders.delivery`)."""
    if letter is None:
        return "letter not written yet", ""
    why = f" ({letter.trouble})" if letter.trouble else ""
    match letter.status:
        case "sent":
            return "letter sent" if goes == "sent" else "letter put into the mail folder", ""
        case "dead":
            return f"letter could not be delivered{why}", "alarm"
        case "dropped":
            return ("no e-mail address on record", "alarm") if letter.trouble == NO_ADDRESS else ("not sent", "")
    if goes == "nowhere":
        return "letter waits: none is sent from here", "alarm"
    return (f"letter not sent yet{why}", "attention") if letter.trouble else ("letter on its way", "")


def _following(alert: Alert, here: clinic.State, now: datetime) -> str:
    who, everybody = whom(here, alert.told)
    if not who:
        return ""
    again = "again " if alert.standing.everybody_told else ""
    name = f"everybody here who answers alerts {again}".strip() if everybody else full_name(who[0])
    at = next_step_at(here, alert.standing)
    return f"Next: {name}, {'now' if at <= now else moment(at, here.timezone)}."


def _trouble(alert: Alert, here: clinic.State, people: tuple[Person, ...], now: datetime) -> str:
    if not clinic.everybody(here):
        return f"Nobody could be told: nobody who works at {here.clinic_name} answers alerts."
    if len(alert.told) >= MOST_STEPS:
        return f"Nobody is told of it any more: it was brought to people {MOST_STEPS} times and nobody acknowledged."
    if not alert.told:
        late = now - alert.raised_at > LATE
        return "Nobody has been told of it yet, and should have been: the worker seems to stand still." if late else ""
    if not people:
        return "Nobody could be told so far."
    return "No letter about it has reached anybody." if all(one.tone == "alarm" for one in people) else ""
