"""What an older version wrote is read as today's event; what nothing can read stops the program at its start."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from domain.catalogue import EVENTS
from domain.day_sheet import AppointmentKept
from domain.kernel import Event, Secret
from services.log import EventLog, KeyUnsealer, UnknownEvent
from services.log.mapper import LogMapper
from services.log.upcasters import UPCASTERS, Upcaster, UpcasterGap, Upcasters
from tests.conftest import Database
from tests.log.given import NOW, append


class NotedV1(Event, frozen=True, kw_only=True):
    NAME = "note.made.v1"
    text: Secret
    grams: int


class NotedV3(Event, frozen=True, kw_only=True):
    NAME = "note.made.v3"
    body: Secret
    milligrams: int
    urgent: bool


def to_v2(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "milligrams": payload["grams"] * 1000}


def to_v3(payload: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in payload.items() if k != "text"}, "body": payload["text"], "urgent": False}


ONE_TWO = Upcaster(source="note.made.v1", target="note.made.v2", convert=to_v2)
TWO_THREE = Upcaster(source="note.made.v2", target="note.made.v3", convert=to_v3, renamed={"body": "text"})
THEN = {**EVENTS, "note.made.v1": NotedV1}
NOW_KNOWN = {**EVENTS, "note.made.v3": NotedV3}


def logs(database: Database, event_log: EventLog) -> tuple[EventLog, EventLog]:
    """The same log as an old and as a new version of the program sees it."""
    old = EventLog(database.log_url, keys=event_log.keys, events=THEN)
    newer = (*UPCASTERS, TWO_THREE, ONE_TWO)
    return old, EventLog(database.log_url, keys=event_log.keys, events=NOW_KNOWN, upcasters=newer)


def test_an_old_event_is_read_as_the_present_one_its_seal_included(event_log: EventLog, database: Database) -> None:
    old, new = logs(database, event_log)
    stream = uuid4()
    append(old, stream, 0, NotedV1(occurred_at=NOW, text="secret", grams=2))
    append(new, stream, 1, NotedV3(occurred_at=NOW, body="new", milligrams=5, urgent=True))
    first, second = new.read_stream(stream)
    assert (first.name, second.name) == ("note.made.v3", "note.made.v3")
    assert isinstance(first.event, NotedV3) and (first.event.milligrams, first.event.urgent) == (2000, False)
    assert new.keys is not None
    unsealer = KeyUnsealer(new.keys, new.upcasters)
    assert [unsealer.unsealed(record)["body"] for record in (first, second)] == ["secret", "new"]
    assert [scanned.name for scanned in new.scan(1, 10)] == ["note.made.v3"] * 2
    assert len(new.read(0, 10, names=["note.made.v3"])) == 2, "a filter by today's name finds yesterday's events"
    assert len(new.scan(0, 10, names=["note.made.v3"])) == 2


def test_a_name_the_program_no_longer_writes_is_refused_on_write(event_log: EventLog, database: Database) -> None:
    _, new = logs(database, event_log)
    with pytest.raises(UnknownEvent):
        append(new, uuid4(), 0, NotedV1(occurred_at=NOW, text="x", grams=1))


def test_an_old_program_refuses_what_a_newer_one_wrote(event_log: EventLog, database: Database) -> None:
    old, new = logs(database, event_log)
    stream = uuid4()
    append(new, stream, 0, NotedV3(occurred_at=NOW, body="new", milligrams=5, urgent=True))
    for read in (lambda: old.read_stream(stream), lambda: old.scan(1, 10)):
        with pytest.raises(UnknownEvent):
            read()


@pytest.mark.parametrize(
    ("upcasters", "events", "says"),
    [
        ((TWO_THREE,), NOW_KNOWN, "nothing reads note.made.v1"),
        ((ONE_TWO,), NOW_KNOWN, "nothing reads note.made.v2"),
        ((ONE_TWO, TWO_THREE, TWO_THREE), NOW_KNOWN, "two upcasters"),
        ((ONE_TWO, TWO_THREE), {**NOW_KNOWN, **THEN}, "still written"),
        ((ONE_TWO, TWO_THREE), EVENTS, "nothing reads|not an event"),
        ((Upcaster(source="note.made.v1", target="note.made.v3", convert=to_v3),), NOW_KNOWN, "not one version up"),
        ((Upcaster(source="note.made", target="note.made.v2", convert=to_v2),), NOW_KNOWN, "not a stable event name"),
        ((), {**EVENTS, "Note": NotedV1}, "not a stable event name"),
    ],
)
def test_a_gap_is_found_at_start(upcasters: tuple[Upcaster, ...], events: dict[str, type[Event]], says: str) -> None:
    with pytest.raises(UpcasterGap, match=says):
        Upcasters((*UPCASTERS, *upcasters), events)


def test_the_programs_own_catalogue_has_no_gap() -> None:
    Upcasters(UPCASTERS, EVENTS)


def test_what_kept_a_booking_before_consultations_did_is_read_as_an_arrival() -> None:
    mapper = LogMapper(EVENTS, Upcasters(UPCASTERS, EVENTS), None)
    appointment_id, infusion_id = uuid4(), uuid4()
    stored = {"occurred_at": "2026-03-09T14:30:15Z", "appointment_id": str(appointment_id),
              "infusion_id": str(infusion_id)}
    name, kept = mapper.decode("appointment.kept.v1", json.dumps(stored).encode())
    assert name == "appointment.kept.v2"
    assert isinstance(kept, AppointmentKept)
    assert (kept.appointment_id, kept.infusion_id, kept.consultation_id) == (appointment_id, infusion_id, None)
