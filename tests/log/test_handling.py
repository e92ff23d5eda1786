"""Load, decide, save: what happens when another was faster, when a rule refuses, when a request comes twice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from domain.infusion.monitoring import SedationScored
from domain.kernel import Actor, Claim, Command, Decision, DomainError, Event, InTheFuture, LateWithoutReason, Sealed
from domain.oversight import CommandRefused
from domain.patient.registration import DemographicsCorrected
from services.handling import (
    CommandHandling,
    Load,
    NotFound,
    Plan,
    Receipt,
    Request,
    StoredRefusal,
    VersionMismatch,
    Write,
    harmless,
)
from services.log import ClaimConflict, EventLog, IdempotencyMismatch, StreamConflict, StreamWrite
from services.log.verify import verify
from tests.conftest import Database
from tests.log.given import another_process, by_nurse, key, write

NURSE = Actor(id="staff:1", role="nurse")
CLINIC = uuid4()


# --- a small aggregate: a tally that may not pass its limit, and a limit kept in another stream ---


class Add(Command, frozen=True, kw_only=True):
    points: int


class Rename(Command, frozen=True, kw_only=True):
    family_name: str


class Swap(Command, frozen=True, kw_only=True):
    other: UUID
    points: int


class Hold(Command, frozen=True, kw_only=True):
    room: str


class TooMany(DomainError):
    """The tally would pass its limit."""


class Tally(msgspec.Struct, frozen=True):
    points: int = 0
    names: tuple[Any, ...] = ()


class tally:  # noqa: N801 - stands in for a module
    @staticmethod
    def initial(stream_id: UUID, /) -> Tally:
        return Tally()

    @staticmethod
    def evolve(state: Tally, version: int, event: Event, /) -> Tally:
        if isinstance(event, SedationScored):
            return Tally(state.points + event.score, state.names)
        if isinstance(event, DemographicsCorrected):
            return Tally(state.points, (*state.names, event.family_name))
        return state

    @staticmethod
    def decide(state: Tally, command: Any, facts: Any, /) -> Decision:
        if isinstance(command, Rename):
            event: Event = DemographicsCorrected(
                occurred_at=command.at, family_name=command.family_name, reason_code="typing_error"
            )
            return Decision((event,))
        if isinstance(command, Hold):
            claim = Claim(resource=command.room, holder=str(command.at), starts=command.at, ends=None)
            return Decision((SedationScored(occurred_at=command.at, scale="rass", score=0),), claims=(claim,))
        if command.points == 0:
            return Decision(())
        if state.points + command.points > (facts or 10):
            raise TooMany(limit=facts or 10, asked=command.points, note="free text of the patient")
        return Decision((SedationScored(occurred_at=command.at, scale="rass", score=command.points),))


class Plain:
    aggregate = tally

    def plan(self, stream_id: UUID, command: Command, request: Request, load: Load) -> Plan:
        return Plan(writes=(Write(aggregate=tally, stream_id=stream_id, command=command),), ids={"made": "x"})


LIMITS = uuid4()


class Limited:
    """Its limit is the tally of another stream, which is read and not written."""

    aggregate = tally

    def plan(self, stream_id: UUID, command: Command, request: Request, load: Load) -> Plan:
        limit = load(tally, LIMITS).state.points
        return Plan(writes=(Write(aggregate=tally, stream_id=stream_id, command=command, facts=limit),))


class Both:
    """Writes a second stream after the first, unless the first decided nothing."""

    aggregate = tally

    def plan(self, stream_id: UUID, command: Swap, request: Request, load: Load) -> Plan:
        add = Add(by=command.by, now=command.now, at=command.at, points=command.points)
        return Plan(writes=(
            Write(aggregate=tally, stream_id=stream_id, command=add),
            lambda earlier: Write(aggregate=tally, stream_id=command.other, command=add)
            if earlier[0].decision.events else None,
        ))


class Wall:
    def now(self) -> datetime:
        return datetime.now(UTC)


def handling_on(log: EventLog, **use_cases: Any) -> CommandHandling:
    return CommandHandling(log, Wall(), {Add: Plain(), Rename: Plain(), Swap: Both(), Hold: Plain(), **use_cases})


@pytest.fixture
def services(event_log: EventLog) -> CommandHandling:
    return handling_on(event_log)


def add(points: int, **more: Any) -> Add:
    now = datetime.now(UTC)
    return Add(**{"by": NURSE, "now": now, "at": now, "points": points, **more})


def asking(**more: Any) -> Request:
    return Request(**{"by": NURSE, "clinic_id": CLINIC, **more})


def refusals(log: EventLog) -> list[CommandRefused]:
    return [each.event for each in log.read(0, 100, names=["oversight.command_refused.v1"])]  # type: ignore[misc]


def test_an_accepted_command_answers_with_ids_version_and_position(services: CommandHandling) -> None:
    stream, correlation = uuid4(), uuid4()
    receipt = services.handle(stream, add(3), asking(correlation_id=correlation, origin="device"))
    assert receipt == Receipt(
        stream_id=stream, version=1, position=2, events=("infusion.sedation_scored.v1",), ids={"made": "x"}
    )
    (record,) = services.log.read_stream(stream)
    assert (record.actor, record.role, record.clinic_id, record.origin) == ("staff:1", "nurse", CLINIC, "device")
    assert record.correlation_id == correlation
    assert services.current(tally, stream).state.points == 3


def test_the_next_command_decides_on_what_was_just_saved(services: CommandHandling) -> None:
    stream = uuid4()
    for _ in range(3):
        services.handle(stream, add(3), asking())
    with pytest.raises(TooMany):
        services.handle(stream, add(3), asking())
    assert services.current(tally, stream) .version == 3


def test_a_cached_state_holds_no_plain_secret(services: CommandHandling) -> None:
    stream, now = uuid4(), datetime.now(UTC)
    services.handle(stream, Rename(by=NURSE, now=now, at=now, family_name="Garcia"), asking())
    (cached,) = services._states._young.values()
    assert isinstance(cached.state.names[0], Sealed)
    assert services.current(tally, stream).state == cached.state


def test_another_process_may_write_in_between(services: CommandHandling, database: Database) -> None:
    stream, elsewhere = uuid4(), another_process(database)
    other = handling_on(elsewhere)
    services.handle(stream, add(1), asking())
    other.handle(stream, add(1), asking())
    assert services.handle(stream, add(1), asking()).version == 3
    other.handle(stream, add(7), asking())
    with pytest.raises(TooMany):
        services.handle(stream, add(1), asking())
    assert other.handle(stream, add(-5), asking()).version == 5
    assert services.handle(stream, add(5), asking()).version == 6, "a refusal from a stale state is decided again"
    elsewhere.close()


def test_a_fact_of_another_stream_cannot_go_stale(event_log: EventLog, database: Database) -> None:
    elsewhere = another_process(database)
    services = handling_on(event_log)
    limited = CommandHandling(event_log, Wall(), {Add: Limited()})
    stream = uuid4()
    services.handle(LIMITS, add(5), asking())
    limited.handle(stream, add(2), asking())
    handling_on(elsewhere).handle(LIMITS, add(-2), asking())
    with pytest.raises(TooMany):
        limited.handle(stream, add(2), asking())
    assert limited.handle(stream, add(1), asking()).version == 2
    elsewhere.close()


def test_threads_adding_to_one_stream_all_get_through(services: CommandHandling) -> None:
    stream, failures = uuid4(), []
    start = threading.Barrier(4)

    def keep_adding() -> None:
        start.wait()
        for _ in range(10):
            for _ in range(20):
                try:
                    services.handle(stream, add(-1), asking())
                    break
                except StreamConflict:
                    continue
            else:
                failures.append("gave up")

    threads = [threading.Thread(target=keep_adding) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert services.current(tally, stream).state.points == -40
    assert services.current(tally, stream).version == 40


def test_a_lost_race_is_given_up_after_five_times(services: CommandHandling, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, attempts, append = uuid4(), [], services.log.append

    def outrun(what: Any) -> Any:
        attempts.append(what)
        faster = SedationScored(occurred_at=Wall().now(), scale="rass", score=0)
        append(write(stream, services.log.head_of(stream), faster))
        return append(what)

    monkeypatch.setattr(services.log, "append", outrun)
    with pytest.raises(StreamConflict):
        services.handle(stream, add(1), asking())
    assert len(attempts) == 5


class Seen:
    """What a handling reads and tries to append, in order."""

    def __init__(self, log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: list[UUID] = []
        self.appends = 0
        read_stream, append = log.read_stream, log.append

        def reading(stream_id: UUID, **how: Any) -> Any:
            self.reads.append(stream_id)
            return read_stream(stream_id, **how)

        def appending(what: Any) -> Any:
            self.appends += 1
            return append(what)

        monkeypatch.setattr(log, "read_stream", reading)
        monkeypatch.setattr(log, "append", appending)

    def taken(self) -> tuple[list[UUID], int]:
        """Since the last time it was asked."""
        seen = self.reads, self.appends
        self.reads, self.appends = [], 0
        return seen


@pytest.fixture
def contended(event_log: EventLog, database: Database) -> Any:
    """Two processes that write to one stream, both with the stream's limit in their caches: (ours, theirs, stream)."""
    elsewhere, stream = another_process(database), uuid4()
    handling_on(event_log).handle(LIMITS, add(10), asking())
    ours, theirs = (CommandHandling(log, Wall(), {Add: Limited()}) for log in (event_log, elsewhere))
    for one in (ours, theirs):
        one.handle(stream, add(-1), asking())
    yield ours, theirs, stream
    elsewhere.close()


def test_after_a_lost_race_only_the_stream_that_moved_is_read_again(
    contended: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _, stream = contended
    seen = Seen(ours.log, monkeypatch)
    assert ours.handle(stream, add(-1), asking()).version == 3
    assert seen.taken() == ([stream], 2)


def test_a_stream_that_others_write_to_is_read_before_it_is_decided_on(
    contended: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read, and no decision made in vain, for as long as it goes on; then the cache is believed again."""
    ours, theirs, stream = contended
    ours.handle(stream, add(-1), asking())
    seen = Seen(ours.log, monkeypatch)
    for _ in range(3):
        theirs.handle(stream, add(-1), asking())
        seen.taken()
        ours.handle(stream, add(-1), asking())
        assert seen.taken() == ([stream], 1)
    monkeypatch.setattr(ours._contended, "SECONDS", 0.0)
    ours._contended.note(stream)
    ours.handle(stream, add(-1), asking())
    assert seen.taken() == ([], 1)


def test_after_two_lost_races_everything_is_read_again(contended: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream moved, and when that was read the limit had moved too: the third decision is right."""
    ours, theirs, stream = contended
    append, points = ours.log.append, iter([0, -4])

    def outrun(what: Any) -> Any:
        less = next(points, 0)
        if less:
            handling_on(theirs.log).handle(LIMITS, add(less), asking())
        return append(what)

    monkeypatch.setattr(ours.log, "append", outrun)
    seen = Seen(ours.log, monkeypatch)
    with pytest.raises(TooMany) as refused:
        ours.handle(stream, add(9), asking())
    assert refused.value.data["limit"] == 6
    assert seen.taken()[0] == [stream, LIMITS, stream]


def test_a_stale_if_match_is_told_and_nothing_is_kept_of_it(services: CommandHandling) -> None:
    stream = uuid4()
    services.handle(stream, add(1), asking(if_match=0))
    services.handle(stream, add(1), asking(if_match=1))
    with pytest.raises(VersionMismatch) as mismatch:
        services.handle(stream, add(1), asking(if_match=1))
    assert mismatch.value.data == {"expected": 1, "actual": 2}
    assert refusals(services.log) == []


def test_two_streams_are_written_in_one_commit(services: CommandHandling) -> None:
    one, other, now = uuid4(), uuid4(), datetime.now(UTC)
    receipt = services.handle(one, Swap(by=NURSE, now=now, at=now, other=other, points=4), asking())
    assert (receipt.stream_id, receipt.version, receipt.position, len(receipt.events)) == (one, 1, 3, 2)
    assert services.current(tally, other).state.points == 4
    services.handle(other, add(6), asking())
    with pytest.raises(TooMany):
        services.handle(one, Swap(by=NURSE, now=now, at=now, other=other, points=4), asking())
    assert services.current(tally, one).version == 1


def test_two_writes_to_one_stream_are_decided_one_after_the_other(services: CommandHandling) -> None:
    stream, now = uuid4(), datetime.now(UTC)
    twice = Swap(by=NURSE, now=now, at=now, other=stream, points=5)
    receipt = services.handle(stream, twice, asking())
    assert (receipt.version, receipt.position, services.current(tally, stream).state.points) == (2, 3, 10)
    with pytest.raises(TooMany):
        services.handle(stream, Swap(by=NURSE, now=now, at=now, other=stream, points=1), asking())
    assert services.handle(stream, add(-3), asking()).version == 3


def test_a_command_that_changes_nothing_is_accepted_and_writes_nothing(services: CommandHandling) -> None:
    stream, now = uuid4(), datetime.now(UTC)
    receipt = services.handle(stream, Swap(by=NURSE, now=now, at=now, other=uuid4(), points=0), asking())
    assert (receipt.version, receipt.events, receipt.position) == (0, (), 1)
    asked = asking(idempotency=key("nothing"))
    assert not services.handle(stream, add(0), asked).replayed
    assert services.handle(stream, add(0), asked).replayed
    assert services.log.head() == 1


def test_a_refusal_names_every_rule_that_was_broken_however_many() -> None:
    rules = ",".join(f"rule-number-{number}" for number in range(20))
    assert harmless({"rules": rules, "holds": ["a-1", "b-2"]}) == {"rules": rules, "holds": "a-1,b-2"}
    assert harmless({"said": "I, me, mine", "names": ["Sam Doe"], "long": "x" * 81}) == {}


def test_a_refusal_is_kept_with_its_rule_and_without_free_text(services: CommandHandling) -> None:
    stream = uuid4()
    with pytest.raises(TooMany):
        services.handle(stream, add(11), asking())
    (refused,) = refusals(services.log)
    assert (refused.command, refused.rule, refused.stream_id) == ("Add", "too-many", stream)
    assert refused.data == {"limit": "10", "asked": "11"}
    (record,) = services.log.read(1, 10)
    assert (record.clinic_id, record.actor) == (CLINIC, "staff:1")


def test_not_found_is_no_near_miss(services: CommandHandling) -> None:
    class Nowhere:
        aggregate = tally

        def plan(self, stream_id: UUID, command: Command, request: Request, load: Load) -> Plan:
            raise NotFound()

    with pytest.raises(NotFound):
        CommandHandling(services.log, Wall(), {Add: Nowhere()}).handle(uuid4(), add(1), asking())
    assert services.log.head() == 1


def test_a_taken_room_is_a_near_miss(services: CommandHandling) -> None:
    now = datetime.now(UTC)
    services.handle(uuid4(), Hold(by=NURSE, now=now, at=now, room="room:1"), asking())
    with pytest.raises(ClaimConflict):
        services.handle(uuid4(), Hold(by=NURSE, now=now, at=now + timedelta(minutes=1), room="room:1"), asking())
    assert [refused.rule for refused in refusals(services.log)] == ["claim-conflict"]


def test_every_command_obeys_the_two_clocks(services: CommandHandling) -> None:
    now = datetime.now(UTC)
    with pytest.raises(InTheFuture):
        services.handle(uuid4(), add(1, at=now + timedelta(minutes=3)), asking())
    with pytest.raises(LateWithoutReason):
        services.handle(uuid4(), add(1, at=now - timedelta(hours=25)), asking())
    services.handle(uuid4(), add(1, at=now - timedelta(hours=25), late_reason="computer down"), asking())


def test_a_retry_gets_the_first_answer(services: CommandHandling, database: Database) -> None:
    stream, asked, elsewhere = uuid4(), asking(idempotency=key("k")), another_process(database)
    first = services.handle(stream, add(6), asked)
    for again in (services, handling_on(elsewhere)):
        replay = again.handle(stream, add(6), asked)
        assert replay == msgspec.structs.replace(first, replayed=True)
    assert services.current(tally, stream).version == 1, "even where deciding again would now refuse"
    with pytest.raises(IdempotencyMismatch):
        services.handle(stream, add(1), asking(idempotency=key("k", b"2")))
    elsewhere.close()


def test_a_retry_with_if_match_gets_the_first_answer_and_not_a_mismatch(services: CommandHandling) -> None:
    stream, asked = uuid4(), asking(idempotency=key("k"), if_match=0)
    first = services.handle(stream, add(1), asked)
    assert services.handle(stream, add(1), asked) == msgspec.structs.replace(first, replayed=True)


def test_a_refusal_is_the_answer_to_its_retry_even_if_it_would_now_pass(services: CommandHandling) -> None:
    stream, asked = uuid4(), asking(idempotency=key("k"))
    services.handle(stream, add(8), asking())
    with pytest.raises(TooMany):
        services.handle(stream, add(8), asked)
    services.handle(stream, add(-8), asking())
    with pytest.raises(StoredRefusal) as refusal:
        services.handle(stream, add(8), asked)
    assert refusal.value.code == "too-many" and refusal.value.data == {"limit": "10", "asked": "8"}
    assert len(refusals(services.log)) == 1
    assert verify(services.log).holds


def test_the_cache_is_bounded_and_never_goes_back(event_log: EventLog) -> None:
    services = CommandHandling(event_log, Wall(), {Add: Plain()}, cache_size=4)
    streams = [uuid4() for _ in range(10)]
    for stream in streams:
        services.handle(stream, add(1), asking())
    assert len(services._states) <= 5
    newest = services.current(tally, streams[-1])
    services._states.put(tally, streams[-1], msgspec.structs.replace(newest, version=0))
    cached = services._states.get(tally, streams[-1])
    assert cached is not None and cached.version == 1
    assert services.handle(streams[0], add(1), asking()).version == 2


def test_writes_need_events(event_log: EventLog) -> None:
    from services.log import Append, InvalidEvent

    with pytest.raises(InvalidEvent):
        event_log.append(Append(writes=(StreamWrite(uuid4(), 0, ()),), envelope=by_nurse()))
