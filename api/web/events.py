"""One event of the log as a person reads it: what, when on both clocks, by whom, its place, its leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from flask import Blueprint, Response

from api.auth.policy import READS_CHART
from api.http.access import opened
from api.http.cloudevents import clear_data
from api.http.context import principal, wired
from api.http.entries import shown_entries
from api.http.problems import not_found
from api.http.scope import see_patient
from api.web.address import clinic_name
from api.web.page import render
from api.web.rows import event_title, patient_href
from api.web.tables import Cell, Column, Table, cell
from api.web.wording import words
from domain.catalogue import EVENTS
from domain.kernel import Recorded
from services.log.lookup import records_at

blueprint = Blueprint("web_events", __name__)


class Neighbours(msgspec.Struct, frozen=True):
    """The entries before and after in the same stream, by position."""

    before: int | None
    after: int | None
    number: int
    entries: int


@blueprint.get("/events/<int:position>")
def show(position: int) -> Response:
    """The event at a position of the log; the 404 for one that is not there or not the reader's."""
    if position >= 2**62:
        raise not_found()
    record = records_at(wired().services.log, [position]).get(position)
    if record is None:
        raise not_found()
    _see(record)
    opened("event", patient_id=record.subject, clinic_id=record.clinic_id)
    clinic = clinic_name(str(record.clinic_id)) if record.clinic_id is not None else None
    stream = wired().services.log.read_stream(record.stream_id)
    kind = EVENTS.get(record.name)
    entry = _entry(stream, record)
    return render(
        "event.html", title=event_title(record.name), active="", record=record, clinic=clinic,
        zone=clinic.timezone if clinic is not None else "UTC", meaning=_first_paragraph(kind.__doc__ if kind else ""),
        actor=_actor(record), patient=patient_href(record.subject) if record.subject is not None else None,
        tables=[_fields(entry)], struck=entry["struck"], amended=entry["amended"],
        withheld=entry["data"] is None, neighbours=_neighbours(stream, record),
        late=(record.recorded_at - record.occurred_at).total_seconds() / 60,
    )


def _see(record: Recorded) -> None:
    """An act at one of the reader's clinics, or about a patient of one. Raises the 404."""
    if principal().sees(record.clinic_id):
        return
    if record.subject is None:
        raise not_found()
    see_patient(record.subject)


def _entry(stream: Sequence[Recorded], record: Recorded) -> dict[str, Any]:
    """The entry with its sealed text opened for those who read charts, withheld from the others."""
    reader = principal()
    if reader.role in READS_CHART:
        found = shown_entries(stream, wired().services.unsealer, reader)
        return next(one for one in found if one["position"] == record.position)
    plain = shown_entries(stream, _Shut(), reader)
    return next(one for one in plain if one["position"] == record.position)


class _Shut:
    """An unsealer for those who may not read sealed text: it opens nothing."""

    def unseal(self, record: Recorded, field: str, value: Any) -> Any:
        """Never the text."""
        return None

    def unsealed(self, record: Recorded) -> dict[str, object]:
        """The payload with every sealed field withheld."""
        return clear_data(record)


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def _actor(record: Recorded) -> str:
    """Who acted: a member of staff by name, else the id that the log holds."""
    try:
        joined = wired().services.log.read_stream(UUID(record.actor))
    except ValueError:
        return record.actor
    if not joined or not joined[0].name.startswith("staff."):
        return record.actor
    name = wired().services.unsealer.unsealed(joined[0]).get("full_name")
    return name if isinstance(name, str) else record.actor


def _neighbours(stream: Sequence[Recorded], record: Recorded) -> Neighbours:
    at = next(place for place, one in enumerate(stream) if one.position == record.position)
    return Neighbours(
        stream[at - 1].position if at else None, stream[at + 1].position if at + 1 < len(stream) else None, at + 1,
        len(stream),
    )  # fmt: skip


def _fields(entry: dict[str, Any]) -> Table:
    rows = [] if entry["data"] is None else [
        (cell(name, words(name)), value) for name, inner in entry["data"].items() for value in [_value(inner)]
    ]
    return Table(
        name="fields", title="What it says", columns=(Column("field", "Field"), Column("value", "Value")),
        rows=tuple(rows), empty="The event says no more than that it happened.",
    )


def _value(value: Any) -> Cell:
    if value == {"withheld": True}:
        return Cell(text="sealed: not for your role", value="withheld", tone="info")
    if isinstance(value, dict) and value.get("secret") == "redacted":
        return Cell(text="erased", value="erased", tone="info")
    if isinstance(value, dict | list):
        text = _in_words(value)
        return Cell(text=text, value=text)
    if value is None or isinstance(value, bool | int | float):
        return cell(value, digits=0 if not isinstance(value, float) else 2)
    return cell(str(value))


def _in_words(value: Any) -> str:
    """Nested values as readable text."""
    if value == {"withheld": True}:
        return "sealed"
    if isinstance(value, dict):
        return "; ".join(f"{words(str(name))}: {_in_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return " · ".join(_in_words(inner) for inner in value) or "none"
    return "yes" if value is True else "no" if value is False else str(value)
