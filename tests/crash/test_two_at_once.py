"""Two people book the same room at the same moment, again and again: exactly one of them gets it (issue 3, point 3).

Real processes on both sides: gunicorn's workers serve, and each of the two people is a process of its own with its own
connection. A barrier lets both go at once. Short here; `make test-long` does it 200 times.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as wall
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.day_sheet import AppointmentBooked
from domain.kernel import derived_id
from services.log.verify import verify
from tests.crash.organisation import Organisation
from tests.support.postgres import Cluster

SPAWN = multiprocessing.get_context("spawn")
SHORT, LONG = 25, 200
PER_DAY = 40
HALF = timedelta(minutes=30)


@dataclass(frozen=True)
class Ask:
    """One request, as a process sends it."""

    path: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What it was answered, and when (by the machine's one monotonic clock)."""

    status: int
    body: dict[str, Any]
    asked: float
    answered: float
    request_id: str


def person(port: int, key: str, asks: list[Ask], barrier: Barrier, heard: Any) -> None:
    """The life of one of the two: waits for the other before each request."""
    told = []
    for ask in asks:
        request_id = str(uuid4())
        headers = {
            "Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": request_id,
            "X-Request-Id": request_id,
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.connect()  # a new one each time: a connection stays with the worker that took it
        barrier.wait(timeout=120)
        asked = time.monotonic()
        connection.request("POST", ask.path, json.dumps(ask.body), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        told.append(Told(answer.status, body, asked, time.monotonic(), request_id))
        connection.close()
    heard.put(told)


def both(organisation: Organisation, first: list[Ask], second: list[Ask]) -> list[tuple[Told, Told]]:
    """Lets both live; what they were told, round by round."""
    barrier = SPAWN.Barrier(2)
    heard = [SPAWN.Queue(), SPAWN.Queue()]
    people = [
        SPAWN.Process(target=person, args=(organisation.port, organisation.key, asks, barrier, queue))
        for asks, queue in zip((first, second), heard, strict=True)
    ]
    for one in people:
        one.start()
    told = [queue.get(timeout=600) for queue in heard]
    for one in people:
        one.join(60)
        assert one.exitcode == 0
    return list(zip(*told, strict=True))


@pytest.fixture(params=["sqlite", "postgres"])
def organisation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Organisation]:
    """A served organisation with two patients, open day and night."""
    cluster = Cluster.create(durable=True) if request.param == "postgres" else None
    running = Organisation(tmp_path / "home", cluster)
    running.home.mkdir()
    try:
        running.found(2)
        running.start_server()
        running.wait_until_live()
        yield running
    finally:
        running.stop()
        if cluster is not None:
            cluster.remove()


def slot(organisation: Organisation, number: int) -> datetime:
    """Half hours one after another, 40 a day."""
    day = organisation.first_day + timedelta(days=number // PER_DAY)
    return datetime.combine(day, wall(0), UTC) + HALF * (number % PER_DAY)


def booking(organisation: Organisation, patient: UUID, starts_at: datetime) -> Ask:
    body = {
        "patient_id": str(patient), "room_id": str(organisation.room_id), "visit_kind": "follow_up",
        "starts_at": starts_at.isoformat(), "ends_at": (starts_at + HALF).isoformat(),
    }
    return Ask(f"/v1/appointments/{organisation.clinic_id}/{starts_at.date()}", body)


def answered_by(organisation: Organisation) -> dict[str, int]:
    """The process that answered each request, by the server's own log."""
    lines = (organisation.home / "gunicorn.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return {one["request_id"]: one["pid"] for one in told if one.get("event") == "request"}


def booked_starts(organisation: Organisation, days: int) -> list[datetime]:
    """What the log holds, over the days."""
    services, read_side = organisation.open()
    try:
        assert verify(services.log).holds
        found = []
        for number in range(days):
            day = organisation.first_day + timedelta(days=number)
            stream = derived_id("day_sheet", organisation.clinic_id, day.isoformat())
            found += [
                record.event.starts_at for record in services.log.read_stream(stream)
                if isinstance(record.event, AppointmentBooked)
            ]
        return found
    finally:
        read_side.close()
        services.close()


def one_of_two_gets_it(organisation: Organisation, rounds: int) -> None:
    """Every round: one 201, one 409 that names the room; the log holds each time once."""
    times = [slot(organisation, number) for number in range(rounds)]
    first, second = ([booking(organisation, patient, at) for at in times] for patient in organisation.patients)
    answers = both(organisation, first, second)
    statuses = [tuple(sorted((mine.status, theirs.status))) for mine, theirs in answers]
    assert statuses == [(201, 409)] * rounds
    losers = [max(pair, key=lambda one: one.status).body for pair in answers]
    assert {(said["code"], said["data"]["resource"]) for said in losers} == {
        ("claim-conflict", f"room:{organisation.room_id}")}
    assert sorted(booked_starts(organisation, rounds // PER_DAY + 1)) == times
    together = sum(max(a.asked, b.asked) < min(a.answered, b.answered) for a, b in answers)
    won = sum(mine.status == 201 for mine, _ in answers)
    pids = answered_by(organisation)
    apart = sum(pids[a.request_id] != pids[b.request_id] for a, b in answers)
    print(f"\n{rounds} rounds, {together} with both requests under way at once, {apart} answered by two processes, "
          f"won {won} to {rounds - won}")
    assert together > rounds * 0.8
    assert apart >= rounds // 10


def test_exactly_one_of_two_gets_the_room(organisation: Organisation) -> None:
    one_of_two_gets_it(organisation, SHORT)


@pytest.mark.long
def test_exactly_one_of_two_gets_the_room_200_times(organisation: Organisation) -> None:
    one_of_two_gets_it(organisation, LONG)


def test_at_different_times_both_are_booked(organisation: Organisation) -> None:
    """The control: nothing but the room keeps them apart, so without the collision nobody loses."""
    first = [booking(organisation, organisation.patients[0], slot(organisation, 2 * n)) for n in range(10)]
    second = [booking(organisation, organisation.patients[1], slot(organisation, 2 * n + 1)) for n in range(10)]
    answers = both(organisation, first, second)
    assert [(mine.status, theirs.status) for mine, theirs in answers] == [(201, 201)] * 10
    assert len(booked_starts(organisation, 1)) == 20


def test_of_two_series_that_meet_in_one_occurrence_one_is_booked_whole_and_the_other_not_at_all(
    organisation: Organisation,
) -> None:
    """Six days each, the same room, only the last at the same time; the loser is told which."""
    rounds = 6

    def series(patient: UUID, number: int, shift: int) -> Ask:
        def occurrence(day: int) -> dict[str, Any]:
            clock = wall(2 * number, 0 if day == 5 else 30 * shift)
            starts_at = datetime.combine(organisation.first_day + timedelta(days=day), clock, UTC)
            return {"number": day + 1, "room_id": str(organisation.room_id), "starts_at": starts_at.isoformat(),
                    "ends_at": (starts_at + HALF).isoformat()}

        return Ask(f"/v1/clinics/{organisation.clinic_id}/series-bookings", {
            "patient_id": str(patient), "visit_kind": "follow_up", "occurrences": [occurrence(day) for day in range(6)],
        })

    first, second = (
        [series(patient, number, shift) for number in range(rounds)]
        for shift, patient in enumerate(organisation.patients)
    )
    answers = both(organisation, first, second)
    assert [tuple(sorted((mine.status, theirs.status))) for mine, theirs in answers] == [(201, 409)] * rounds
    for pair in answers:
        loser = max(pair, key=lambda one: one.status).body
        assert (loser["code"], loser["data"]) == ("series-not-bookable", {"conflicts": "6:claim-conflict:room"})
    starts = booked_starts(organisation, 6)
    assert len(starts) == len(set(starts)) == 6 * rounds
