"""Snapshots: what they give is what the whole fold gives, and whatever is wrong with them no command notices."""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import clinic, diary, staff
from domain.corrections import EntryAmended, EntryStruck
from domain.kernel import Actor, Event, Sealed, secret_fields
from domain.patient import erasure
from domain.protocol import EXAMPLE_PROTOCOL
from services.handling import CommandHandling, Request
from services.log import Append, EventLog, LogError, StreamWrite, open_log, snapshots
from services.log.snapshots import INTERVALS, Snapshots, Unsealed
from services.log.verify import verify
from services.use_cases import use_cases
from services.use_cases.case import diary_of
from services.use_cases.erasing import Erasing
from tests.conftest import Database
from tests.log.given import by_nurse
from tests.services.practice import BEGAN, Practice, SetClock

CANARY = "Wilhelmina Canary fell asleep at the wheel"
ANY_OF = {clinic: "clinic", staff: "staff", diary: "diary"}


# --- histories -----------------------------------------------------------------------------------

IDS = [UUID(int=number) for number in range(1, 6)]
ids = st.sampled_from(IDS)
texts = st.none() | st.sampled_from(["", CANARY, "naïve 𝒳 \u202e"])
numbers = st.decimals(20, 200, places=2)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Few enough to tie, with all kinds of offsets, in any order: most entries are late."""
    offset = timezone(timedelta(minutes=draw(st.sampled_from([0, -420, 60, 345]))))
    return (datetime(2026, 3, 2, tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 30)))).astimezone(offset)


def build(event: type[Event], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return st.builds(event, occurred_at=moments(), late_reason=texts, **fields)


def spans() -> st.SearchStrategy[tuple[clinic.OpeningSpan, ...]]:
    return st.lists(
        st.builds(clinic.OpeningSpan, weekday=st.integers(1, 7), opens=st.times(), closes=st.times()), max_size=3
    ).map(tuple)


EVENTS: dict[Any, list[st.SearchStrategy[Event]]] = {
    clinic: [
        build(clinic.ClinicOpened, clinic_name=st.text(max_size=5), timezone=st.just("Europe/Berlin")),
        build(clinic.RoomAdded, room_id=ids, room_name=st.sampled_from("AB")),
        build(clinic.RoomRetired, room_id=ids, reason_code=st.just("other"), stranded=st.just(tuple(IDS))),
        build(clinic.OpeningHoursSet, effective_from=st.dates(), hours=spans(), prime=spans()),
        build(clinic.ClosureDeclared, closure_id=ids, starts_at=moments(), ends_at=moments(),
              room_id=st.none() | ids, reason_code=st.just("other")),
        build(clinic.ClosureLifted, closure_id=ids),
        build(clinic.StaffAssigned, staff_id=ids, role=st.sampled_from(["nurse", "manager"])),
        build(clinic.StaffUnassigned, staff_id=ids, role=st.sampled_from(["nurse", "manager"])),
        build(clinic.ProtocolAdopted, protocol_version=st.just(1), document=st.just(EXAMPLE_PROTOCOL), adopted_by=ids),
        build(clinic.PriceListPublished, price_list_id=ids, effective_from=st.dates(), currency=st.just("USD"),
              items=st.just((clinic.PriceItem(code="visit", description="a visit", amount_cents=42_00),))),
    ],
    staff: [
        build(staff.StaffJoined, full_name=st.just(CANARY), email=texts, profession=st.just("physician")),
        build(staff.CredentialsRecorded, kind=st.just("medical_license"), number=st.just(CANARY),
              jurisdiction=st.just("US-CO"), valid_from=st.dates(), valid_until=st.dates()),
        build(staff.StaffLeft, reason_code=st.just("other")),
    ],
    diary: [
        build(diary.PainScored, score=st.integers(0, 10), kind=st.sampled_from(["now", "worst"])),
        build(diary.MoodScored, instrument=st.just("phq9"), items=st.just((1, None, 3)), total=numbers),
        build(diary.ReliefReported, relief_percent=st.integers(0, 100), infusion_id=st.none() | ids),
        build(diary.WeightMeasured, weight_kg=numbers),
        build(diary.InfusionNoted, infusion_id=ids, course_id=st.none() | ids, purpose=st.just("trial"),
              drug_started_at=moments(), weight_kg=st.none() | numbers),
        build(diary.SideEffectReportedFromHome, side_effect_id=ids, kind=st.just("headache"), grade=st.integers(1, 5),
              onset_at=moments(), note=texts),
        build(diary.FollowUpDue, follow_up_id=ids, infusion_id=ids, due_at=moments(), instruments=st.just(("peg",))),
        build(diary.FollowUpSuperseded, follow_up_id=ids, by_infusion_id=ids),
        build(diary.FollowUpMissed, follow_up_id=ids),
        build(diary.HomeAlertRaised, alert_id=ids, kind=st.just("harm"), entry=st.none() | st.integers(1, 9)),
        build(diary.HomeAlertAcknowledged, alert_id=ids, action=st.just("called"), note=texts),
    ],
}


@st.composite
def histories(draw: st.DrawFn, aggregate: Any) -> list[Event]:
    """Entries in any order of occurrence, and corrections of them; what an amendment says may fit or not."""
    entries: list[Event] = []
    for number in range(draw(st.integers(1, 14))):
        event: Event = draw(st.one_of(EVENTS[aggregate]))
        if number and draw(st.integers(0, 3)) == 0:
            target = draw(st.integers(1, number))
            corrected = entries[target - 1]
            if draw(st.booleans()):
                event = EntryStruck(occurred_at=event.occurred_at, entry=target, entry_name=corrected.NAME,
                                    reason_code="duplicate", reason=draw(texts))
            elif not isinstance(corrected, EntryAmended | EntryStruck):
                event = draw(amendments(target, corrected, event.occurred_at))
        entries.append(event)
    return entries


@st.composite
def amendments(draw: st.DrawFn, target: int, corrected: Event, at: datetime) -> EntryAmended:
    secrets = set(secret_fields(type(corrected)))
    clear = sorted(set(corrected.__struct_encode_fields__) - secrets)
    values = {"occurred_at": moments().map(datetime.isoformat), "score": st.integers(0, 10),
              "weight_kg": numbers.map(str), "grade": st.sampled_from([2, "x"]), "valid_until": st.just("2027-01-31")}
    named = draw(st.lists(st.sampled_from(clear), min_size=1, max_size=2, unique=True))
    return EntryAmended(
        occurred_at=at, entry=target, entry_name=corrected.NAME, reason_code="typing_error",
        corrections={name: draw(values.get(name, st.just("x"))) for name in named},
        sealed={name: CANARY for name in sorted(secrets) if draw(st.booleans())},
    )


def written(log: EventLog, stream_id: UUID, head: int, events: list[Event]) -> None:
    if events:
        log.append(Append(writes=(StreamWrite(stream_id, head, tuple(events)),), envelope=by_nurse(subject=stream_id)))


def folded(log: EventLog, aggregate: Any, stream_id: UUID) -> Any:
    """The whole fold, from the beginning."""
    state = aggregate.initial(stream_id)
    for record in log.read_stream(stream_id):
        state = aggregate.evolve(state, record.version, record.event)
    return state


def on(log: EventLog, **more: Any) -> CommandHandling:
    """As a process that has just started."""
    return CommandHandling(log, SetClock(BEGAN), use_cases(log), snapshots=Snapshots(log, **more))


def all_of(state: Any) -> bytes:
    """Every value with its offset and its places: what == does not tell apart."""
    return msgspec.json.encode(state, order="deterministic")


@pytest.mark.parametrize("aggregate", ANY_OF, ids=ANY_OF.values())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_a_snapshot_and_later_events_fold_to_what_all_events_fold_to(
    event_log: EventLog, aggregate: Any, data: st.DataObject
) -> None:
    """Wherever it was taken; what comes later may be late, and amend or strike what came before."""
    events = data.draw(histories(aggregate))
    cut = data.draw(st.integers(1, len(events)))
    stream_id, services = uuid4(), on(event_log)
    written(event_log, stream_id, 0, events[:cut])
    assert services.snapshots.take(aggregate, stream_id, folded(event_log, aggregate, stream_id))
    written(event_log, stream_id, cut, events[cut:])
    taken = services.snapshots.latest(aggregate, stream_id)
    assert taken is not None and taken.version == cut
    whole = folded(event_log, aggregate, stream_id)
    loaded = services.current(aggregate, stream_id)
    assert loaded.state == whole and loaded.version == len(events)
    assert all_of(loaded.state) == all_of(whole)
    assert services.snapshots.check().wrong == ()


# --- taking --------------------------------------------------------------------------------------


def scores(count: int, *, first: int = 0) -> list[Event]:
    return [
        diary.PainScored(occurred_at=BEGAN + timedelta(hours=number), score=number % 11)
        for number in range(first, first + count)
    ]


@pytest.fixture
def stream_id(event_log: EventLog) -> UUID:
    """A diary of 250 scores, and no snapshot of it."""
    stream_id = uuid4()
    written(event_log, stream_id, 0, scores(250))
    return stream_id


@pytest.fixture
def snapshotted(event_log: EventLog, stream_id: UUID) -> UUID:
    """The same diary with a snapshot at its last version, and 20 scores after it."""
    assert Snapshots(event_log).take(diary, stream_id, folded(event_log, diary, stream_id))
    written(event_log, stream_id, 250, scores(20, first=250))
    return stream_id


class Reads:
    """Counts the events that are read of streams."""

    def __init__(self, log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events, self._read = 0, log.read_stream
        monkeypatch.setattr(log, "read_stream", self.read)

    def read(self, *args: Any, **more: Any) -> Any:
        records = self._read(*args, **more)
        self.events += len(records)
        return records


def test_only_what_came_after_a_snapshot_is_read(
    event_log: EventLog, snapshotted: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(event_log, monkeypatch)
    assert on(event_log).current(diary, snapshotted).version == 270
    assert reads.events == 20


def test_a_long_stream_met_without_a_snapshot_gets_one(event_log: EventLog, stream_id: UUID) -> None:
    services = on(event_log)
    services.current(diary, stream_id)
    services.snapshots.settle()
    taken = services.snapshots.latest(diary, stream_id)
    assert taken is not None and taken.version == 250


def test_one_is_taken_with_every_interval_that_commands_pass(database: Database) -> None:
    """In the background, at the version of the command that passed it; the last replaces the one before."""
    with practice_on(database, intervals={diary: 5, staff: 2, clinic: 4}) as (practice, services):
        patient_id = practice.patient()
        for number in range(12):
            practice.do(patient_id, diary.ScorePain, score=number % 11)
            services.settle()
        here = [(staff, practice.nurse_id, 2), (clinic, practice.clinic_id, 8), (diary, diary_of(patient_id), 10)]
        for aggregate, stream, version in here:
            taken = services.latest(aggregate, stream)
            assert taken is not None and taken.version == version
        assert services.check().wrong == ()


def test_streams_that_a_day_a_visit_or_a_course_bounds_get_none(event_log: EventLog) -> None:
    from domain import day_sheet

    services = Snapshots(event_log)
    services.offer(day_sheet, uuid4(), None, before=0, version=1000)
    assert services.latest(day_sheet, uuid4()) is None


def test_while_one_is_being_taken_others_are_left_for_the_next_time(
    event_log: EventLog, stream_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, going_on, may_go_on = Snapshots(event_log), threading.Event(), threading.Event()
    taken: list[UUID] = []

    def slowly(aggregate: Any, stream: UUID, state: Any) -> bool:
        going_on.set()
        may_go_on.wait(10)
        taken.append(stream)
        return True

    monkeypatch.setattr(services, "take", slowly)
    services.offer(diary, stream_id, None, before=0, version=100)
    assert going_on.wait(10)
    services.offer(diary, uuid4(), None, before=0, version=100)  # returns at once
    may_go_on.set()
    services.settle()
    assert taken == [stream_id]


def test_the_last_to_write_wins_and_either_is_right(event_log: EventLog, snapshotted: UUID) -> None:
    """A slower process may put an older one over a newer one: the rest is read from the log."""
    early = diary.initial(snapshotted)
    for record in event_log.read_stream(snapshotted)[:100]:
        early = diary.evolve(early, record.version, record.event)
    services = on(event_log)
    assert services.snapshots.take(diary, snapshotted, early)
    assert services.current(diary, snapshotted).state == folded(event_log, diary, snapshotted)


# --- nothing wrong with one reaches a command ----------------------------------------------------


def change(database: Database, statement: str) -> None:
    """As the application may: by its own role, on its own connection."""
    if database.kind == "sqlite":
        with sqlite3.connect(database.log_url.removeprefix("sqlite:///")) as connection:
            connection.execute(statement.format(table="care_snapshots"))
    else:
        with psycopg.connect(database.log_url) as connection:
            connection.execute(statement.format(table="log.care_snapshots"))  # type: ignore[call-overload]


SPOILT = {
    "deleted": "DELETE FROM {table}",
    "from the future": "UPDATE {table} SET version = version + 1000",
    "of another version": "UPDATE {table} SET version = version - 1",
    "of another history": "UPDATE {table} SET leaf_hash = digest",
    "of another kind": "UPDATE {table} SET kind = 'staff'",
    "of other code": "UPDATE {table} SET fingerprint = 'before the upgrade'",
    "another's payload": "UPDATE {table} SET payload = digest",
    "empty": "UPDATE {table} SET payload = leaf_hash, digest = leaf_hash",
}


@pytest.mark.parametrize("statement", SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_snapshot_is_passed_over_and_mended(
    database: Database, event_log: EventLog, snapshotted: UUID, statement: str
) -> None:
    change(database, statement)
    services = on(event_log)
    assert services.snapshots.latest(diary, snapshotted) is None
    assert services.current(diary, snapshotted).state == folded(event_log, diary, snapshotted)
    services.snapshots.settle()
    taken = services.snapshots.latest(diary, snapshotted)
    assert taken is not None and taken.version == 270


@pytest.mark.parametrize("place", range(0, 4000, 371))
def test_a_flipped_bit_is_noticed(event_log: EventLog, snapshotted: UUID, place: int) -> None:
    services = Snapshots(event_log)
    ((payload,),) = event_log.recorder.query("SELECT payload FROM log.care_snapshots")
    spoilt = bytearray(payload)
    spoilt[place % len(spoilt)] ^= 1 << place % 8
    event_log.recorder.query("UPDATE log.care_snapshots SET payload = %s RETURNING version", (bytes(spoilt),))
    assert services.latest(diary, snapshotted) is None


def test_a_payload_that_was_rewritten_is_noticed(event_log: EventLog, snapshotted: UUID) -> None:
    """Well-formed and deflated anew, only not what was written."""
    services = Snapshots(event_log)
    ((payload,),) = event_log.recorder.query("SELECT payload FROM log.care_snapshots")
    plain = zlib.decompress(payload)
    assert plain.count(b'"score":7') > 9
    event_log.recorder.query(
        "UPDATE log.care_snapshots SET payload = %s RETURNING version",
        (zlib.compress(plain.replace(b'"score":7', b'"score":1')),),
    )
    assert services.latest(diary, snapshotted) is None


def another(aggregate: Any, state: Any) -> Any:
    """The aggregate as a later version of the program may have it."""
    later = ModuleType(aggregate.__name__)
    later.__dict__.update(State=state, evolve=aggregate.evolve, initial=lambda stream_id: state(stream_id=stream_id))
    return later


def test_a_changed_state_ignores_old_snapshots(event_log: EventLog, snapshotted: UUID) -> None:
    class State(diary.State, frozen=True, kw_only=True):
        highest: int = 0

    later = another(diary, State)
    assert Snapshots(event_log, {later: 100}).latest(later, snapshotted) is None
    same = another(diary, diary.State)
    assert Snapshots(event_log, {same: 100}).latest(same, snapshotted) is not None


def test_changed_rules_ignore_old_snapshots(
    event_log: EventLog, snapshotted: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to remember a number: the source of the domain is part of the fingerprint."""
    assert Snapshots(event_log).latest(diary, snapshotted) is not None
    monkeypatch.setattr(snapshots, "_rules", lambda: b"evolve was mended")
    assert Snapshots(event_log).latest(diary, snapshotted) is None


def test_without_its_table_every_command_is_carried_out(database: Database) -> None:
    with practice_on(database, intervals={diary: 2, staff: 2, clinic: 2}) as (practice, _):
        drop(database)
        patient_id = practice.patient()
        for score in (3, 4, 5):
            practice.do(patient_id, diary.ScorePain, score=score)
            practice.handling.snapshots.settle()
        assert [one.score for one in practice.state(diary, diary_of(patient_id)).pain] == [3, 4, 5]
        assert verify(practice.log).holds


def test_without_its_rights_every_command_is_carried_out(postgres_database: Database) -> None:
    with practice_on(postgres_database, intervals={diary: 2, staff: 2, clinic: 2}) as (practice, _):
        with psycopg.connect(postgres_database.admin_url) as admin:
            admin.execute("REVOKE ALL ON log.care_snapshots FROM anodyne_app")
        patient_id = practice.patient()
        for score in (3, 4):
            practice.do(patient_id, diary.ScorePain, score=score)
            practice.handling.snapshots.settle()
        restarted = on(practice.log)
        assert [one.score for one in restarted.current(diary, diary_of(patient_id)).state.pain] == [3, 4]


@pytest.mark.parametrize("error", [LogError("no"), OSError(28, "no space left on device"), MemoryError(), KeyError(1)])
def test_whatever_the_store_raises_the_command_is_carried_out(database: Database, error: Exception) -> None:
    with practice_on(database, intervals={diary: 2, staff: 2, clinic: 2}) as (practice, services):
        query, failed = practice.log.recorder.query, []

        def failing(statement: str, parameters: Any = ()) -> Any:
            if "_snapshots" in statement:
                failed.append(statement.split()[0])
                raise error
            return query(statement, parameters)

        practice.log.recorder.query = failing  # type: ignore[method-assign]
        services._resting_until = 0.0
        patient_id = practice.patient()
        for score in (3, 4, 5, 6):
            practice.do(patient_id, diary.ScorePain, score=score)
            services.settle()
            services._resting_until = 0.0
        services.forget(patient_id)
        assert set(failed) == {"SELECT", "INSERT", "DELETE"}
        assert len(practice.state(diary, diary_of(patient_id)).pain) == 4


def test_a_store_that_fails_is_left_alone_for_a_while(
    event_log: EventLog, snapshotted: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is locked must not hold up every command for as long as the database waits for a lock."""
    services, asked = Snapshots(event_log), []

    def read(kind: Any, stream: UUID) -> None:
        asked.append(stream)
        raise LogError("locked")

    monkeypatch.setattr(services, "_read", read)
    for _ in range(3):
        assert services.latest(diary, snapshotted) is None
    assert asked == [snapshotted]


def test_a_state_that_cannot_be_kept_is_not_and_nothing_is_raised(event_log: EventLog, stream_id: UUID) -> None:
    services = Snapshots(event_log)
    services.offer(diary, stream_id, object(), before=0, version=100)
    services.settle()
    assert services.latest(diary, stream_id) is None


def test_one_beyond_the_head_of_its_stream_is_not_kept(event_log: EventLog, stream_id: UUID) -> None:
    """As after a restore of an older log under a running process."""
    ahead = diary.evolve(folded(event_log, diary, stream_id), 251, scores(1)[0])
    assert not Snapshots(event_log).take(diary, stream_id, ahead)


# --- secrets and erasure -------------------------------------------------------------------------


def kept(log: EventLog) -> bytes:
    """All that the table holds, inflated."""
    rows = log.recorder.query("SELECT stream_id, kind, fingerprint, subject, payload FROM log.care_snapshots")
    return b"".join(repr(row[:4]).encode() + zlib.decompress(row[4]) for row in rows)


def test_nothing_unsealed_reaches_the_table(event_log: EventLog, database: Database) -> None:
    """Neither from entries nor from what the state itself holds of them, amended or not."""
    joined = staff.StaffJoined(occurred_at=BEGAN, full_name=CANARY, email=CANARY, profession="physician",
                               late_reason=CANARY)
    credential = staff.CredentialsRecorded(
        occurred_at=BEGAN, kind="medical_license", number=CANARY, jurisdiction="US-CO",
        valid_from=date(2026, 1, 1), valid_until=date(2027, 1, 1))
    amended = EntryAmended(
        occurred_at=BEGAN, entry=2, entry_name=credential.NAME, sealed={"number": f"{CANARY} 2"}, reason=CANARY,
        reason_code="typing_error")
    reported = diary.SideEffectReportedFromHome(
        occurred_at=BEGAN, side_effect_id=uuid4(), kind="headache", grade=1, onset_at=BEGAN, note=CANARY)
    services = Snapshots(event_log)
    streams: list[tuple[Any, list[Event]]] = [(staff, [joined, credential, amended]), (diary, [reported])]
    for aggregate, events in streams:
        stream = uuid4()
        written(event_log, stream, 0, events)
        state = folded(event_log, aggregate, stream)
        assert services.take(aggregate, stream, state)
    everything = kept(event_log)
    assert everything.count(b'"sealed"') >= 7
    assert CANARY.encode() not in everything
    assert b"Wilhelmina" not in b"".join(path.read_bytes() for path in Path(database.home).iterdir() if path.is_file())


@pytest.mark.parametrize("where", ["state", "entry", "amended entry"])
def test_a_state_with_a_secret_in_the_clear_is_not_kept(event_log: EventLog, where: str) -> None:
    """Not that one comes out of the log: whoever hands one over by mistake."""
    stream = uuid4()
    joined = staff.StaffJoined(occurred_at=BEGAN, full_name=CANARY, profession="physician")
    written(event_log, stream, 0, [joined])
    state = folded(event_log, staff, stream)
    assert isinstance(state.full_name, Sealed)
    if where == "state":
        clear = msgspec.structs.replace(state, full_name=CANARY)
    elif where == "entry":
        clear = staff.evolve(staff.initial(stream), 1, joined)
        clear = msgspec.structs.replace(clear, full_name=None)
    else:
        clear = staff.evolve(state, 2, EntryAmended(
            occurred_at=BEGAN, entry=1, entry_name=joined.NAME, sealed={"email": CANARY}, reason_code="typing_error"))
    services = Snapshots(event_log)
    with pytest.raises(Unsealed) as refused:
        services.take(staff, stream, clear)
    assert CANARY not in str(refused.value)
    assert kept(event_log) == b""


def test_an_erased_patients_snapshots_go_with_the_keys_and_do_not_come_back(database: Database) -> None:
    with practice_on(database, intervals={diary: 2}) as (practice, services):
        patient_id, somebody_else = practice.patient(), practice.patient()
        for one in (patient_id, somebody_else):
            for score in (3, 4):
                practice.do(one, diary.ScorePain, score=score)
                services.settle()
        before = services.latest(diary, diary_of(patient_id))
        assert before is not None
        erase(practice, patient_id)
        assert services.latest(diary, diary_of(patient_id)) is None
        assert str(diary_of(patient_id)).encode() not in kept(practice.log)
        assert services.latest(diary, diary_of(somebody_else)) is not None
        assert not services.take(diary, diary_of(patient_id), before.state), "from another process's memory"
        restarted = on(practice.log, intervals={diary: 1})
        restarted.current(diary, diary_of(patient_id))
        restarted.snapshots.settle()
        assert services.check() == snapshots.Checked(same=1, wrong=(), unusable=0)


def erase(practice: Practice, patient_id: UUID) -> None:
    manager, request_id = practice.actor("manager"), uuid4()
    practice.do(patient_id, erasure.RequestErasure, by=manager, request_id=request_id, reason_code="court_order")
    for person in (practice.manager_id, practice.prescriber_id):
        practice.do(patient_id, erasure.ApproveErasure, by=Actor(id=str(person), role="owner"), request_id=request_id,
                    approved_by=person)
    assert practice.log.keys is not None
    now = practice.clock.now()
    Erasing(practice.handling, practice.log, practice.log.keys).erase(
        patient_id, erasure.CompleteErasure(by=manager, now=now, at=now, request_id=request_id, keys_destroyed=0),
        Request(by=manager, clinic_id=practice.clinic_id),
    )


# --- no part of the log --------------------------------------------------------------------------


def test_one_that_its_events_do_not_fold_to_is_found_and_deleted(event_log: EventLog, snapshotted: UUID) -> None:
    """Whatever wrote it: whole, sealed and digested, and wrong."""
    services = Snapshots(event_log)
    assert services.check() == snapshots.Checked(same=1, wrong=(), unusable=0)
    state = folded(event_log, diary, snapshotted)
    services.take(diary, snapshotted, msgspec.structs.replace(state, pain=state.pain[1:]))
    assert verify(event_log).holds, "the log itself is as it was"
    assert services.check() == snapshots.Checked(same=0, wrong=(snapshotted,), unusable=0)
    assert services.check() == snapshots.Checked(same=0, wrong=(), unusable=0)
    assert on(event_log).current(diary, snapshotted).state == state


def test_a_check_sweeps_what_is_of_no_use(database: Database, event_log: EventLog, snapshotted: UUID) -> None:
    change(database, "UPDATE {table} SET fingerprint = 'before the upgrade'")
    assert Snapshots(event_log).check() == snapshots.Checked(same=0, wrong=(), unusable=1)
    assert kept(event_log) == b""


def test_the_application_may_change_snapshots_and_nothing_else(postgres_database: Database) -> None:
    log = open_log(postgres_database.log_url, keys_url=postgres_database.keys_url, home=postgres_database.home)
    log.close()
    with psycopg.connect(postgres_database.log_url, autocommit=True) as connection:
        rights = dict(connection.execute(
            "SELECT privilege_type, count(*) FROM information_schema.role_table_grants "
            "WHERE table_schema = 'log' AND table_name = 'care_snapshots' AND grantee = 'anodyne_app' GROUP BY 1"
        ).fetchall())
        assert set(rights) == {"SELECT", "INSERT", "UPDATE", "DELETE"}
        writable = connection.execute(
            "SELECT table_name FROM information_schema.role_table_grants WHERE table_schema = 'log' "
            "AND grantee IN ('anodyne_app', 'PUBLIC') AND privilege_type <> 'SELECT' GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert writable == [("access_snapshots",), ("care_snapshots",)]
        for statement in ("TRUNCATE log.care_snapshots", "DROP TABLE log.care_snapshots",
                          "ALTER TABLE log.care_snapshots DISABLE TRIGGER ALL"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[call-overload]


# --- bounds --------------------------------------------------------------------------------------


def test_every_aggregate_names_its_bound_and_those_without_one_take_snapshots() -> None:
    """docs/architecture.md is where they stand."""
    text = Path(__file__).parents[2].joinpath("docs/architecture.md").read_text()
    section = text.partition("## How long a stream gets")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()
            if line.startswith("| ")][1:]
    bounds = {name: (bound, shortened) for name, bound, shortened in rows}
    nothing: Any = None
    written_to = {case.aggregate for case in use_cases(nothing).values()}
    named = {aggregate.__name__.rpartition(".")[2].replace("_", " ") for aggregate in written_to}
    kept_in = {"visit": "infusion", "emergency": "oversight"}  # the stream's name where it is not the aggregate's
    assert set(bounds) == {kept_in.get(name, name) for name in named} | {"oversight", "access", "system"}
    assert all(bound for bound, _ in bounds.values())
    assert {name for name, (_, shortened) in bounds.items() if shortened.startswith("snapshot")} == {
        aggregate.__name__.rpartition(".")[2] for aggregate in INTERVALS}


# --- a practice on either database ---------------------------------------------------------------


class practice_on:  # noqa: N801 - used as a context
    """A practice whose command handling takes snapshots at these intervals."""

    def __init__(self, database: Database, intervals: dict[Any, int]) -> None:
        clock = SetClock(BEGAN)
        self.log = open_log(database.log_url, keys_url=database.keys_url, home=database.home, mode="simulation",
                            clock=clock)
        self.practice = Practice(self.log, clock)
        self.practice.handling = CommandHandling(
            self.log, clock, use_cases(self.log), snapshots=Snapshots(self.log, intervals))

    def __enter__(self) -> tuple[Practice, Snapshots]:
        snapshots = self.practice.handling.snapshots
        offer: Callable[..., None] = snapshots.offer

        def offer_and_settle(*args: Any, **more: Any) -> None:
            offer(*args, **more)
            snapshots.settle()

        snapshots.offer = offer_and_settle  # type: ignore[method-assign]
        return self.practice.opened(), snapshots

    def __exit__(self, *raised: object) -> None:
        self.practice.handling.snapshots.settle()
        self.log.close()


def drop(database: Database) -> None:
    if database.kind == "sqlite":
        with sqlite3.connect(database.log_url.removeprefix("sqlite:///")) as connection:
            connection.execute("DROP TABLE care_snapshots")
    else:
        with psycopg.connect(database.admin_url) as connection:
            connection.execute("DROP TABLE log.care_snapshots")
