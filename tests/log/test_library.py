"""Our recorders are the library's: its own test cases pass over them, its event store and repository work on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Repository
from eventsourcing.persistence import DataError, EventStore, IntegrityError, Notification, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.sqlite import SQLiteApplicationRecorder

from domain.infusion.monitoring import SedationScored
from services.log import EventLog, StreamConflict
from services.log.rows import StoredRow
from services.log.verify import verify
from tests.conftest import Database
from tests.log.given import another_process, append, scored

_cipher = ModuleType("eventsourcing.cipher")
_cipher.AESCipher = object  # type: ignore[attr-defined]
sys.modules.setdefault("eventsourcing.cipher", _cipher)  # its cases import a cipher we neither use nor install

from eventsourcing.tests import persistence as cases  # noqa: E402


class PastTheOpening:
    """The recorder as the library's tests expect it: empty at first. Our first position is always LogOpened."""

    def __init__(self, log: EventLog) -> None:
        self._recorder = log.recorder

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int] | None:
        ids = self._recorder.insert_events(stored_events, **kwargs)
        return None if ids is None else [each - 1 for each in ids]

    def select_events(self, *args: Any, **kwargs: Any) -> Sequence[StoredEvent]:
        return self._recorder.select_events(*args, **kwargs)

    def select_notifications(
        self, start: int | None, limit: int, stop: int | None = None, topics: Sequence[str] = (), *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        found = self._recorder.select_notifications(
            (start or 1) + 1 if inclusive_of_start else (start or 0) + 1, limit, None if stop is None else stop + 1,
            topics, inclusive_of_start=inclusive_of_start,
        )
        return [
            Notification(each.originator_id, each.originator_version, each.topic, each.state, each.id - 1)
            for each in found
        ]

    def max_notification_id(self) -> int | None:
        return (self._recorder.max_notification_id() or 0) - 1 or None


class OnSqlite:
    """unittest's cases know no parametrised fixtures: one subclass per database."""

    database_fixture = "sqlite_database"

    @pytest.fixture(autouse=True)
    def _log(self, request: pytest.FixtureRequest) -> Iterator[None]:
        self._event_log = another_process(request.getfixturevalue(self.database_fixture))
        yield
        self._event_log.close()

    def create_recorder(self) -> Any:
        return PastTheOpening(self._event_log)


class OnPostgres(OnSqlite):
    database_fixture = "postgres_database"


class ItsRecorderCase(cases.ApplicationRecorderTestCase[Any]):
    """Inserting and selecting, as the library has it. Left out: cases that start versions at 0."""

    __test__ = False
    test_concurrent_no_conflicts = None  # type: ignore[assignment]
    test_concurrent_throughput = None  # type: ignore[assignment]

    def tearDown(self) -> None:
        assert {each.kind for each in verify(self._event_log).violations} <= {"unreadable"}  # type: ignore[attr-defined]


class ItsNonInterleavingCase(cases.NonInterleavingNotificationIDsBaseCase):
    """A race of two writers of many events, as the library has it."""

    __test__ = False
    insert_num = 300

    def create_stack(self, originator_id: UUID | str) -> Sequence[StoredEvent]:
        return [
            StoredEvent(originator_id, version, "non-interleaving-test-event", b"{}")
            for version in range(1, self.insert_num + 1)
        ]


class TestRecorderOnSqlite(OnSqlite, ItsRecorderCase):
    __test__ = True


class TestRecorderOnPostgres(OnPostgres, ItsRecorderCase):
    __test__ = True


class TestRaceOnSqlite(OnSqlite, ItsNonInterleavingCase):
    __test__ = True


class TestRaceOnPostgres(OnPostgres, ItsNonInterleavingCase):
    __test__ = True


def test_the_recorders_are_subclasses_and_their_lock_statements_are_empty(
    event_log: EventLog, database: Database
) -> None:
    base = PostgresApplicationRecorder if database.kind == "postgres" else SQLiteApplicationRecorder
    assert isinstance(event_log.recorder, base)
    assert isinstance(event_log.store, EventStore)
    assert getattr(event_log.recorder, "lock_table_statements", []) == []


def test_the_librarys_event_store_reads_what_the_log_appended(event_log: EventLog) -> None:
    stream = uuid4()
    append(event_log, stream, 0, scored(-1), scored(-2))
    assert list(event_log.store.get(stream)) == list(event_log.read_stream(stream))
    assert [each.version for each in event_log.store.get(stream, gt=1)] == [2]  # type: ignore[attr-defined]
    assert [each.version for each in event_log.store.get(stream, desc=True, limit=1)] == [2]  # type: ignore[attr-defined]


def test_the_librarys_repository_folds_with_our_evolve(event_log: EventLog) -> None:
    stream = uuid4()
    append(event_log, stream, 0, scored(-1), scored(-2))

    def fold(_: Any, records: Any) -> int:
        return sum(record.event.score for record in records if isinstance(record.event, SedationScored))

    assert Repository(event_log.store).get(stream, projector_func=fold) == -3  # type: ignore[arg-type,type-var]


def test_a_conflict_is_the_librarys_integrity_error(event_log: EventLog) -> None:
    stream = uuid4()
    append(event_log, stream, 0, scored())
    with pytest.raises(IntegrityError) as conflict:
        append(event_log, stream, 0, scored())
    assert isinstance(conflict.value, StreamConflict)
    with pytest.raises(DataError):
        event_log.recorder.insert_events([StoredEvent(uuid4(), 0, "a.b.v1", b"{}")])


def test_notifications_carry_the_envelope(event_log: EventLog) -> None:
    append(event_log, uuid4(), 0, scored())
    (row,) = event_log.recorder.select_notifications(2, 10)
    assert isinstance(row, StoredRow)
    assert (row.id, row.actor, row.topic) == (2, "staff:1", "infusion.sedation_scored.v1")
