"""Nothing of a patient is shown before the reading of it is on record; requests of a moment share one commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from domain.access import RecordOpened
from domain.kernel import Actor
from services.access_log import AccessLog, AccessLogUnavailable
from services.log import EventLog, open_log
from services.log.verify import verify
from tests.conftest import Database
from tests.log.given import append, scored
from tests.support.postgres import Cluster

NURSE = Actor(id="staff:1", role="nurse")


@pytest.fixture
def access(database: Database, event_log: EventLog) -> Iterator[AccessLog]:
    log = open_log(database.log_url, log="access")
    yield AccessLog(log)
    log.close()


def opened(patient: UUID, position: int = 1) -> RecordOpened:
    return RecordOpened(occurred_at=datetime.now(UTC), resource="timeline", patient_id=patient, care_position=position)


def test_an_access_is_on_record_with_who_whom_where_and_how_much_was_shown(access: AccessLog) -> None:
    patient, clinic = uuid4(), uuid4()
    position = access.record(opened(patient, 17), by=NURSE, clinic_id=clinic, subject=patient)
    (record,) = access.log.read_subject(patient)
    assert (record.position, record.actor, record.clinic_id, record.clinic_seq) == (position, "staff:1", clinic, 1)
    assert isinstance(record.event, RecordOpened) and record.event.care_position == 17


def test_the_two_logs_have_positions_of_their_own(access: AccessLog, event_log: EventLog) -> None:
    assert access.record(opened(uuid4()), by=NURSE, clinic_id=None) == 2
    assert append(event_log, uuid4(), 0, scored()).last_position == 2
    assert access.record(opened(uuid4()), by=NURSE, clinic_id=None) == 3
    assert event_log.head() == 2 and access.log.head() == 3
    assert [record.event.log for record in (access.log.read(0, 1)[0], event_log.read(0, 1)[0])] == ["access", "care"]  # type: ignore[attr-defined]
    assert verify(access.log).holds and verify(event_log).holds


def test_requests_of_one_moment_share_commits(access: AccessLog, monkeypatch: pytest.MonkeyPatch) -> None:
    commits, slow = [], access.log.append_all

    def counted(appends: list[object]) -> object:
        commits.append(len(appends))
        return slow(appends)  # type: ignore[arg-type]

    first = access.log.append

    def held_up(append: object) -> object:
        time.sleep(0.05)
        return first(append)  # type: ignore[arg-type]

    monkeypatch.setattr(access.log, "append_all", counted)
    monkeypatch.setattr(access.log, "append", held_up)
    positions: list[int] = []
    threads = [
        threading.Thread(target=lambda: positions.append(access.record(opened(uuid4()), by=NURSE, clinic_id=None)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(positions) == list(range(2, 22))
    assert max(commits) >= 10
    assert verify(access.log).holds


def test_an_entry_waits_no_longer_than_the_commit_ahead_of_it(access: AccessLog) -> None:
    """No timer holds an entry back: alone it is committed at once."""
    took = []
    for _ in range(20):
        began = time.perf_counter()
        access.record(opened(uuid4()), by=NURSE, clinic_id=None)
        took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.05


def test_when_the_entry_cannot_be_written_the_reading_is_refused(
    access: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(_: object) -> object:
        raise OSError("no space left on device")

    monkeypatch.setattr(access.log, "append", disk_full)
    with pytest.raises(AccessLogUnavailable):
        access.record(opened(uuid4()), by=NURSE, clinic_id=None)
    monkeypatch.undo()
    assert access.record(opened(uuid4()), by=NURSE, clinic_id=None) == 2, "and the next one goes through"


def test_when_a_group_cannot_be_written_each_of_it_is_refused(
    access: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> object:
        time.sleep(0.02)
        raise OSError("no space left on device")

    monkeypatch.setattr(access.log, "append", broken)
    monkeypatch.setattr(access.log, "append_all", broken)
    refused: list[str] = []

    def read() -> None:
        try:
            access.record(opened(uuid4()), by=NURSE, clinic_id=None)
        except AccessLogUnavailable:
            refused.append("503")

    threads = [threading.Thread(target=read) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert refused == ["503"] * 10
    assert access.log.head() == 1


def test_with_its_database_gone_it_fails_closed(pg_template: str, pg_cluster: Cluster) -> None:
    from services.log import migrate

    cluster = Cluster.create()
    try:
        url = cluster.create_database("gone")
        migrate(url)
        access = AccessLog(open_log(url, log="access"))
        access.record(opened(uuid4()), by=NURSE, clinic_id=None)
        cluster.kill()
        with pytest.raises(AccessLogUnavailable):
            access.record(opened(uuid4()), by=NURSE, clinic_id=None)
    finally:
        cluster.remove()


def test_access_entries_do_not_belong_in_the_care_log(event_log: EventLog) -> None:
    with pytest.raises(ValueError, match="access log"):
        AccessLog(event_log)
