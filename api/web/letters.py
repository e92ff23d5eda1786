"""Letters that reached nobody, for whoever runs a clinic; and what to say where none leaves this system at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from flask import Blueprint, Response

from api.home.links import LinkStore
from api.http.access import opened
from api.http.context import principal, wired
from api.mail.outbox import Entry, Outbox
from api.mail.senders import delivery
from api.web.address import clinic_name, clinics_seen
from api.web.names import names, patient_cell
from api.web.page import may, render
from api.web.schedule.place import full_name
from api.web.tables import Cell, Column, Table, cell
from api.web.told import letter_in_words
from api.web.wording import moment

__all__ = ["blueprint", "mail_trouble", "undelivered"]

blueprint = Blueprint("web_letters", __name__)

KEPT = timedelta(days=30)
"""How far back the page looks."""

WITHOUT_LETTERS = {
    "nowhere": ("No letter leaves this system, because no mail server is named: nobody is told of an alert.", "alarm"),
    "folder": ("Letters become files on this machine, because no mail server is named: nobody is told of an alert.",
               "attention"),
}
KINDS = {"alert": "Alert from home", "follow_up": "Questions to a patient", "digest": "Weekly digest"}


@dataclass(frozen=True)
class Undelivered:
    """A letter and the clinic that it is about; none: the organisation's."""

    entry: Entry
    clinic_id: str | None


def mail_trouble() -> tuple[str, str]:
    """What to say, and in which tone, to those who answer alerts where no letter reaches them; empty elsewhere."""
    found = WITHOUT_LETTERS.get(delivery(wired().settings)) if may("web_alerts.acknowledge") else None
    return found or ("", "")


@blueprint.get("/alerts/letters")
def show() -> Response:
    """The last 30 days', the newest first."""
    found = undelivered()
    opened("letters", count=len(found))
    known = names(str(one.entry.message.recipient) for one in found if one.entry.message.kind == "follow_up")
    goes, zone = delivery(wired().settings), next((one.timezone for one in clinics_seen()), "UTC")
    rows = tuple(_row(one, known, goes, zone) for one in found)
    return render(
        "letters.html", title="Letters that reached nobody", active="web_alerts.show",
        lede="Of the last 30 days: what the mail server refused for good or never took, and alerts to people without "
             "an address. Whoever runs Anodyne can send one again: anodyne reminders resend.",
        tables=[Table(
            name="letters", title="Letters", rows=rows, empty="No letter was given up.",
            columns=(
                Column("written", "Written"), Column("about", "About"), Column("whom", "To whom"),
                Column("clinic", "Clinic"), Column("why", "What became of it"),
                Column("attempts", "Attempts", numeric=True), Column("letter", "Letter", wide=True),
            ))],
    )


def undelivered() -> list[Undelivered]:
    """Those of the reader's clinics; what is about no clinic only for who sees all."""
    parts, mine = wired(), principal().clinics
    found = Outbox(parts.read_side.database.reads).undelivered(KEPT)
    return list(_seen(found, None if mine is None else {str(one) for one in mine}))


def _seen(found: Collection[Entry], mine: Collection[str] | None) -> Iterator[Undelivered]:
    links = LinkStore(wired().read_side.database.reads)
    for one in found:
        clinic_id = one.message.about.get("clinic_id")
        if one.message.kind == "follow_up":
            link = links.find(UUID(one.message.about["link_id"]))
            clinic_id = None if link is None else str(link.clinic_id)
        if mine is None or clinic_id in mine:
            yield Undelivered(one, clinic_id)


def _row(one: Undelivered, known: Mapping[str, str], goes: str, zone: str) -> tuple[Cell, ...]:
    message, created = one.entry.message, one.entry.created_at
    clinic = None if one.clinic_id is None else clinic_name(one.clinic_id)
    text, tone = letter_in_words(one.entry, goes)
    return (
        cell(created, moment(created, zone if clinic is None else clinic.timezone)),
        cell(message.kind, KINDS.get(message.kind, message.kind)), _whom(one, known),
        cell(None if clinic is None else clinic.name), cell(text, tone=tone), cell(one.entry.attempts),
        cell(str(message.message_id)),
    )


def _whom(one: Undelivered, known: Mapping[str, str]) -> Cell:
    recipient = one.entry.message.recipient
    match one.entry.message.kind:
        case "follow_up":
            return patient_cell(str(recipient), known)
        case "alert":
            return cell(full_name(recipient))
    return cell("a reader of the digest")
