"""How every command is carried out: load, decide, save; and what happens when that does not go through.

A *use case* says, for one kind of command, which streams are written, which facts of other streams the
decision needs, and which patient and clinic the act concerns. `CommandHandling` does the rest, the same
for all: the cache of folded states, the check that nothing read has gone stale, the retry, idempotency,
and keeping refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from re import compile as pattern
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec

from domain.kernel import Claim, Command, DomainError, Envelope, Event, Release, check_time, derived_id
from domain.oversight import CommandRefused
from domain.ports import Clock
from services.log import (
    ANY_VERSION,
    Append,
    Appended,
    ClaimConflict,
    EventLog,
    Idempotency,
    StreamConflict,
    StreamWrite,
)
from services.log.snapshots import Snapshots
from services.planning import (
    Aggregate,
    Decided,
    LateWrite,
    Load,
    Loaded,
    NotFound,
    Plan,
    Receipt,
    Request,
    StoredRefusal,
    UnknownCommand,
    UseCase,
    VersionMismatch,
    Write,
)

__all__ = [
    "Aggregate", "CommandHandling", "Decided", "Idempotency", "LateWrite", "Load", "Loaded", "NotFound", "Plan",
    "Receipt", "Request", "StoredRefusal", "UnknownCommand", "UseCase", "VersionMismatch", "Write",
]

ATTEMPTS = 5
"""How often a decision is made again after another writer was faster (DESIGN section 6)."""


class CommandHandling:
    """`handle` for every command that has a use case. One instance per process, used by all its threads.

    `clock` is the recording clock: edges stamp `Command.now` with it. States are immutable, so one cache serves all
    threads; a stale one cannot do harm, because the save compares the version of every stream read or written.
    `snapshots` shorten the first reading of a long stream; without them every stream is folded from its beginning.
    """

    def __init__(
        self, log: EventLog, clock: Clock, use_cases: Mapping[type[Command], UseCase], *, cache_size: int = 4096,
        snapshots: Snapshots | None = None,
    ) -> None:
        self.log = log
        self.clock = clock
        self.snapshots = snapshots or Snapshots(log, {})
        self._use_cases = dict(use_cases)
        self._states = _StateCache(cache_size)
        self._contended = _Contended(cache_size)

    def handle(self, stream_id: UUID, command: Command, request: Request) -> Receipt:
        """Carries `command` out on `stream_id`.

        Raises the domain's own errors (kept as CommandRefused unless their class says `kept = False`),
        VersionMismatch, StreamConflict after five lost races, IdempotencyMismatch, StoredRefusal.
        """
        use_case = self._use_cases.get(type(command))
        if use_case is None:
            raise UnknownCommand(type(command).__name__)
        fresh = False
        for attempt in range(ATTEMPTS):
            work = _Work(self, fresh=fresh)
            try:
                check_time(command)
                append, outcome = work.prepare(use_case, stream_id, command, request)
                appended = self.log.append(append)
            except StreamConflict as lost:
                if attempt == ATTEMPTS - 1:
                    return self._first_answer_or_raise(request)
                self._contended.note(lost.stream_id)  # most often one stream has moved; it alone is read again
                fresh = attempt > 0
            except DomainError as refusal:
                taken = isinstance(refusal, ClaimConflict) and work.claims_seen and attempt < ATTEMPTS - 1
                if taken or (work.relied_on_cache and not fresh):
                    fresh = True
                    continue
                return self._refuse(stream_id, command, request, refusal)
            else:
                return self._accepted(appended, outcome, work)
        raise AssertionError("unreachable")

    def current(self, aggregate: Aggregate, stream_id: UUID) -> Loaded:
        """The stream as it stands in the log now (one round trip; only what is new is read and folded)."""
        return self._load(aggregate, stream_id, fresh=True)[0]

    def recent(self, aggregate: Aggregate, stream_id: UUID) -> Loaded:
        """The stream as this process last saw it (read if it never did): for choosing, where the save decides."""
        return self._load(aggregate, stream_id, fresh=False)[0]

    def _load(self, aggregate: Aggregate, stream_id: UUID, *, fresh: bool) -> tuple[Loaded, bool]:
        """The folded stream and whether it came from the cache unread."""
        known = self._states.get(aggregate, stream_id)
        if known is not None and not fresh and not self._contended.lately(stream_id):
            return known, True
        start = known or self.snapshots.latest(aggregate, stream_id) or Loaded(aggregate.initial(stream_id), 0)
        state, version = start.state, start.version
        for record in self.log.read_stream(stream_id, after_version=version):
            state, version = aggregate.evolve(state, record.version, record.event), record.version
        loaded = Loaded(state, version)
        if known is not None and version > known.version:
            self._contended.note(stream_id)
        self._states.put(aggregate, stream_id, loaded)  # an empty stream too: asking again would be a round trip
        self.snapshots.offer(aggregate, stream_id, state, before=start.version, version=version)
        return loaded, False

    def _accepted(self, appended: Appended, outcome: _Outcome, work: _Work) -> Receipt:
        if appended.replayed:
            return _replay(appended)
        for stream, events in zip(outcome.streams, appended.events, strict=True):
            work.remember(stream, events)
        return Receipt(
            stream_id=outcome.stream_id, version=outcome.version, position=appended.last_position,
            events=outcome.event_names, ids=outcome.ids, told=outcome.told, status=appended.status,
        )

    def _first_answer_or_raise(self, request: Request) -> Receipt:
        appended = self._stored(request)
        if appended is None:
            raise
        return _replay(appended)

    def _stored(self, request: Request) -> Appended | None:
        if request.idempotency is None:
            return None
        return self.log.answer_of(request.idempotency)

    def _refuse(self, stream_id: UUID, command: Command, request: Request, refusal: DomainError) -> Receipt:
        """Answers a retry with its first answer; otherwise keeps the refusal and raises it."""
        appended = self._stored(request)
        if appended is None and getattr(refusal, "kept", True):
            appended = self.log.append(self._refusal(stream_id, command, request, refusal))
            if not appended.replayed:
                raise refusal
        if appended is None:
            raise refusal
        return _replay(appended)

    def _refusal(self, stream_id: UUID, command: Command, request: Request, refusal: DomainError) -> Append:
        event = CommandRefused(
            occurred_at=command.now, command=type(command).__name__, rule=refusal.code, stream_id=stream_id,
            data=harmless(refusal.data),
        )
        day = command.now.astimezone(UTC).date().isoformat()
        oversight = derived_id("oversight", request.clinic_id, day)
        return Append(
            writes=(StreamWrite(oversight, ANY_VERSION, (event,)),),
            envelope=_envelope(request, clinic_id=request.clinic_id, subject=None),
            idempotency=request.idempotency, status=REFUSED,
            answer={"refused": refusal.code, "message": str(refusal), "data": harmless(refusal.data)},
        )


REFUSED = 422
"""Status kept with a refusal; the edge decides the one it answers by the error's code."""


class _StreamDecisions:
    """What one attempt decided for one stream: all its writes to it, in order."""

    __slots__ = ("aggregate", "before", "events", "stream_id")

    def __init__(self, aggregate: Aggregate, stream_id: UUID, before: Loaded) -> None:
        self.aggregate = aggregate
        self.stream_id = stream_id
        self.before = before
        self.events: list[Event] = []

    def as_decided(self) -> tuple[Any, int]:
        """The state and version that the next write to the stream is decided on."""
        state, version = self.before.state, self.before.version
        for event in self.events:
            version += 1
            state = self.aggregate.evolve(state, version, event)
        return state, version


class _Outcome(msgspec.Struct, frozen=True):
    stream_id: UUID
    version: int
    event_names: tuple[str, ...]
    ids: dict[str, str]
    told: dict[str, str]
    streams: tuple[Any, ...]


class _Work:
    """One attempt at one command: what it read, what it decided."""

    def __init__(self, handling: CommandHandling, *, fresh: bool) -> None:
        self._handling = handling
        self._fresh = fresh
        self._read: dict[_Key, Loaded] = {}
        self._checked: dict[int, tuple[UUID, int]] = {}
        self.relied_on_cache = False
        self.claims_seen = False

    def load(self, aggregate: Aggregate, stream_id: UUID, *, checked: bool = True) -> Loaded:
        key = (stream_id.int, aggregate)
        loaded = self._read.get(key)
        if loaded is None:
            loaded, cached = self._handling._load(aggregate, stream_id, fresh=self._fresh)
            self.relied_on_cache |= cached
            self._read[key] = loaded
        if checked:
            self._checked[stream_id.int] = (stream_id, loaded.version)
        return loaded

    def prepare(
        self, use_case: UseCase, stream_id: UUID, command: Command, request: Request
    ) -> tuple[Append, _Outcome]:
        """Plans and decides; what to append, and what to answer once it is."""
        primary: Loaded | None = None
        if request.if_match is not None:
            primary = self.load(use_case.aggregate, stream_id)
            if primary.version != request.if_match:
                raise VersionMismatch(expected=request.if_match, actual=primary.version)
        plan = use_case.plan(stream_id, command, request, self.load)
        self.claims_seen = plan.claims_seen
        taken: dict[int, _StreamDecisions] = {}
        claims: list[Claim] = []
        releases: list[Release] = []
        said: list[Decided] = []
        for planned in plan.writes:
            write = planned if isinstance(planned, Write) else planned(tuple(said))
            if write is None:
                continue
            stream = taken.get(write.stream_id.int)
            if stream is None:
                before = self.load(write.aggregate, write.stream_id)
                stream = taken[write.stream_id.int] = _StreamDecisions(write.aggregate, write.stream_id, before)
            state, version = stream.as_decided()
            decision = write.aggregate.decide(state, write.command, write.facts)
            stream.events += decision.events
            said.append(Decided(write.stream_id, version, decision))
            claims += decision.claims
            releases += decision.releases
        written = {number: stream for number, stream in taken.items() if stream.events}
        return self._compose(plan, stream_id, request, written, claims, releases)

    def _compose(
        self, plan: Plan, stream_id: UUID, request: Request, written: dict[int, _StreamDecisions],
        claims: list[Claim], releases: list[Release],
    ) -> tuple[Append, _Outcome]:
        streams = tuple(written.values())
        names = tuple([event.NAME for stream in streams for event in stream.events])
        answered = written.get(stream_id.int) or (streams[0] if streams else None)
        if answered is not None:
            first, version = answered.stream_id, answered.before.version + len(answered.events)
        else:
            first, version = self._checked.get(stream_id.int, (stream_id, 0))
        append = Append(
            writes=tuple([
                StreamWrite(stream.stream_id, stream.before.version, tuple(stream.events)) for stream in streams
            ]),
            envelope=_envelope(request, clinic_id=plan.clinic_id or request.clinic_id, subject=plan.subject),
            unchanged=tuple([seen for read, seen in self._checked.items() if read not in written]),
            claims=tuple(claims), releases=tuple(releases), idempotency=request.idempotency,
            answer={
                "stream_id": str(first), "version": version, "events": names, "ids": plan.ids,
                **({"told": plan.told} if plan.told else {}),
            },
        )
        return append, _Outcome(first, version, names, plan.ids, plan.told, streams)

    def remember(self, stream: _StreamDecisions, events: Iterable[Event]) -> None:
        """Folds what was just saved (sealed) onto the state it was decided from, for the next command."""
        state, version = stream.before.state, stream.before.version
        for event in events:
            version += 1
            state = stream.aggregate.evolve(state, version, event)
        self._handling._states.put(stream.aggregate, stream.stream_id, Loaded(state, version))
        self._handling.snapshots.offer(
            stream.aggregate, stream.stream_id, state, before=stream.before.version, version=version
        )


def _envelope(request: Request, *, clinic_id: UUID | None, subject: UUID | None) -> Envelope:
    return Envelope(
        actor=request.by.id, role=request.by.role, clinic_id=clinic_id, subject=subject, origin=request.origin,
        correlation_id=request.correlation_id, causation_id=request.causation_id, command_id=request.command_id,
    )


def _replay(appended: Appended) -> Receipt:
    """The receipt of the first time, or the refusal of the first time."""
    answer = appended.answer
    if "refused" in answer:
        raise StoredRefusal(answer["refused"], answer["message"], answer["data"])
    return Receipt(
        stream_id=UUID(answer["stream_id"]), version=answer["version"], position=appended.last_position,
        events=tuple(answer["events"]), ids=answer["ids"], told=answer.get("told", {}), replayed=True,
        status=appended.status,
    )


_CODE = pattern(r"[A-Za-z0-9_.,:/+%-]{1,80}")


def harmless(data: Mapping[str, Any]) -> dict[str, str]:
    """What of an error's data a near miss may keep: numbers, moments, ids and codes; never free text."""
    kept = {}
    for name, value in data.items():
        if isinstance(value, bool | int | float | Decimal | UUID | date | datetime | timedelta):
            kept[name] = value.isoformat() if isinstance(value, date | datetime) else str(value)
        elif isinstance(value, list | tuple) and all(isinstance(one, str) and _CODE.fullmatch(one) for one in value):
            kept[name] = ",".join(value)
        elif isinstance(value, str) and all(_CODE.fullmatch(one) for one in value.split(",")):
            kept[name] = value
    return kept


class _Contended:
    """Streams that other processes have written to within the last seconds, as far as this one has noticed.

    Their cached state is probably stale: reading what is new first costs one round trip, deciding on it and losing the
    race costs a decision, a refused append and that round trip. Only a guess about speed: the append decides anyway.
    """

    SECONDS = 2.0

    def __init__(self, size: int) -> None:
        self._size = size
        self._until: dict[int, float] = {}

    def note(self, stream_id: UUID) -> None:
        if len(self._until) >= self._size:
            self._until = {}
        self._until[stream_id.int] = monotonic() + self.SECONDS

    def lately(self, stream_id: UUID) -> bool:
        until = self._until.get(stream_id.int)
        return until is not None and monotonic() < until


_Key = tuple[int, Any]
"""A stream's id as a number (hashed in C, unlike a UUID) and the aggregate that folds it."""


class _StateCache:
    """Recently used folded states, in two generations: when the young one is full it becomes the old one.

    Bounded by `size`. No lock: single dict operations are atomic, and a state that is lost or late costs a read.
    """

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[_Key, Loaded] = {}
        self._old: dict[_Key, Loaded] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, aggregate: Any, stream_id: UUID) -> Loaded | None:
        key = (stream_id.int, aggregate)
        loaded = self._young.get(key)
        if loaded is None:
            loaded = self._old.get(key)
            if loaded is not None:
                self._keep(key, loaded)
        return loaded

    def put(self, aggregate: Any, stream_id: UUID, loaded: Loaded) -> None:
        """Keeps the newest: a slower thread never puts an older version over a newer one."""
        key = (stream_id.int, aggregate)
        known = self._young.get(key) or self._old.get(key)
        if known is None or known.version <= loaded.version:
            self._keep(key, loaded)

    def _keep(self, key: _Key, loaded: Loaded) -> None:
        young = self._young
        young[key] = loaded
        if len(young) > self._half:
            self._old, self._young = young, {}
