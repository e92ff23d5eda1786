"""No acknowledged event is ever lost, doubled or invented, whatever is killed; read models end equal to a rebuild.

Short here; `make test-long` kills at least fifty times. The negative control cuts one acknowledged event
out of what is checked and must be noticed.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.day_sheet import AppointmentBooked
from domain.diary import PainScored
from domain.kernel import Recorded, derived_id
from services.log.verify import verify
from tests.crash.clients import Answered, Client
from tests.crash.organisation import Organisation
from tests.support.postgres import Cluster

CLIENTS = 4
SEED = 20261123


@pytest.fixture(params=["sqlite", "postgres"])
def organisation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Organisation]:
    """A served organisation; on PostgreSQL with a server of its own, at its default durability."""
    cluster = Cluster.create(durable=True) if request.param == "postgres" else None
    running = Organisation(tmp_path / "home", cluster)
    running.home.mkdir()
    try:
        running.found(CLIENTS)
        running.start_server()
        running.start_worker()
        running.wait_until_live()
        yield running
    finally:
        running.stop()
        if cluster is not None:
            cluster.remove()


def drill(organisation: Organisation, kills: int, pause_s: float) -> list[Client]:
    """Clients at work while processes are killed in turn; ends healthy, with every command answered."""
    rng = random.Random(SEED)
    ways = [organisation.kill_a_web_worker, organisation.kill_the_projection_worker, organisation.kill_the_server]
    if organisation.cluster is not None:
        ways.append(organisation.kill_postgresql)
    stopping = threading.Event()
    clients = [Client(organisation, number, stopping) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    done: Counter[str] = Counter()
    number = 0
    while sum(done.values()) < kills:
        time.sleep(rng.uniform(0.5, 1.5) * pause_s)
        way = ways[number % len(ways)]
        number += 1
        if way(rng):
            done[way.__name__] += 1
    organisation.wait_until_live()
    time.sleep(1.0)
    stopping.set()
    for client in clients:
        client.join(90)
        assert not client.is_alive(), f"{client.name} never got its answer"
    assert sum(done.values()) >= kills
    print(f"\nseed {SEED}, kills {dict(done)}, {sum(len(c.answers) for c in clients)} commands answered, "
          f"{sum(a.tries > 1 for c in clients for a in c.answers)} of them after more than one try")
    return clients


def check_scores(client: Client, records: list[Recorded]) -> None:
    """The diary holds the acknowledged scores, once each, in the order in which they were acknowledged."""
    stored = [record.event.score for record in records if isinstance(record.event, PainScored)]
    said = [answer.number % 11 for answer in client.answers if answer.what == "pain" and answer.status == 201]
    assert stored == said


def check_slots(clients: list[Client], booked: list[Recorded]) -> None:
    """Who was told 201 has the slot, alone; who was refused has nothing."""
    stored = Counter(record.event.appointment_id for record in booked)  # type: ignore[attr-defined]
    assert not [appointment for appointment, times in stored.items() if times > 1]
    won: dict[int, list[Answered]] = {}
    for client in clients:
        for answer in client.answers:
            if answer.what == "slot" and answer.status == 201:
                won.setdefault(answer.number, []).append(answer)
    assert all(len(winners) == 1 for winners in won.values())
    starts = [record.event.starts_at for record in booked]  # type: ignore[attr-defined]
    assert len(starts) == len(set(starts)) == len(won)


def check(organisation: Organisation, clients: list[Client]) -> None:
    """Everything that is promised, against the log and the read models as they were left."""
    assert not [surprise for client in clients for surprise in client.surprises]
    assert all(answer.status == 422 for client in clients for answer in client.answers if answer.what == "nonsense")
    refused = [a for c in clients for a in c.answers if a.what == "slot" and a.status != 201]
    assert all(answer.status == 409 for answer in refused)
    services, read_side = organisation.open()
    try:
        for client in clients:
            check_scores(client, list(services.log.read_stream(derived_id("diary", client.patient))))
        check_slots(clients, list(services.log.read(0, 10**6, names=(AppointmentBooked.NAME,))))
        assert verify(services.log).violations == ()
        assert read_side.engine.wait_for(services.log.head(), 60), "the projection worker did not catch up"
        organisation.stop()
        assert all(compared.equal for compared in read_side.engine.compare())
    finally:
        read_side.close()
        services.close()


@pytest.mark.xdist_group("crash")
def test_nothing_acknowledged_is_lost_whatever_is_killed(organisation: Organisation) -> None:
    """Eight kills in turn of web worker, projection worker, server and PostgreSQL; then the negative control."""
    clients = drill(organisation, kills=8, pause_s=0.8)
    check(organisation, clients)
    lost = clients[0].answers.index(next(a for a in clients[0].answers if a.what == "pain"))
    del clients[0].answers[lost]
    services, read_side = organisation.open()
    try:
        stream = list(services.log.read_stream(derived_id("diary", clients[0].patient)))
        with pytest.raises(AssertionError):
            check_scores(clients[0], stream)
    finally:
        read_side.close()
        services.close()


@pytest.mark.xdist_group("crash")
@pytest.mark.parametrize("organisation", ["postgres"], indirect=True)  # SQLite is never away
def test_a_worker_that_starts_while_postgresql_is_away_waits_for_it(organisation: Organisation) -> None:
    """Given a postmaster killed with -9, a worker that starts meanwhile works once it is back."""
    assert organisation.worker is not None and organisation.cluster is not None
    organisation.worker.kill()
    organisation.worker.wait()
    organisation.cluster.kill()
    organisation.start_worker()
    waited = organisation.home / "api-worker.log"
    until = time.monotonic() + 30
    while "worker.database_away" not in waited.read_text() and time.monotonic() < until:
        time.sleep(0.1)
    organisation.cluster.start()
    services, read_side = organisation.open()
    try:
        assert "worker.database_away" in waited.read_text()
        assert read_side.engine.wait_for(services.log.head(), 60)
        assert organisation.worker.poll() is None
    finally:
        read_side.close()
        services.close()


@pytest.mark.long
def test_nothing_acknowledged_is_lost_over_sixty_kills(organisation: Organisation) -> None:
    """The full count."""
    clients = drill(organisation, kills=60, pause_s=1.5)
    check(organisation, clients)
