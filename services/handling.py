"""How every command is carried out: load, decide, save; and what happens when that does not go through.

A *use case* says, for one kind of command, which streams are written, which facts of other streams the
decision needs, and which patient and clinic the act concerns. `CommandHandling` does the rest, the same
for all: the cache of folded states, the check that nothing read has gone stale, the retry, idempotency,
and keeping refusals.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from re import compile as pattern
from threading import Lock
from typing import Any, Protocol
from uuid import UUID

import msgspec

from domain.kernel import (
    Actor,
    Claim,
    Command,
    Decision,
    DomainError,
    Envelope,
    Event,
    Origin,
    Release,
    check_time,
    derived_id,
)
from domain.oversight import CommandRefused
from domain.ports import Clock
from services.log import ANY_VERSION, Append, Appended, EventLog, Idempotency, StreamConflict, StreamWrite

__all__ = [
    "Aggregate", "CommandHandling", "Idempotency", "Load", "Loaded", "NotFound", "Plan", "Receipt", "Request",
    "StoredRefusal", "UseCase", "VersionMismatch", "Write",
]

ATTEMPTS = 5
"""How often a decision is made again after another writer was faster (DESIGN section 6)."""


# --- what a use case says ------------------------------------------------------------------------


class Aggregate(Protocol):
    """A domain module (or package) holding one aggregate's pure functions."""

    def initial(self, stream_id: UUID, /) -> Any: ...
    def evolve(self, state: Any, version: int, event: Any, /) -> Any: ...
    def decide(self, state: Any, command: Any, facts: Any, /) -> Decision: ...


class Loaded(msgspec.Struct, frozen=True):
    """A folded stream; version 0 when nothing has been written to it."""

    state: Any
    version: int


class Load(Protocol):
    """Reads a stream for a decision. Whatever is loaded is checked, at the save, not to have moved since;
    `checked=False` for facts whose change meanwhile would not matter (a name to show, a default)."""

    def __call__(self, aggregate: Aggregate, stream_id: UUID, *, checked: bool = True) -> Loaded: ...


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One stream to be written: `aggregate.decide(state, command, facts)`."""

    aggregate: Aggregate
    stream_id: UUID
    command: Command
    facts: Any = None


class Decided(msgspec.Struct, frozen=True):
    """What an earlier write of the same plan came to, for those that depend on it."""

    stream_id: UUID
    version: int
    decision: Decision


LateWrite = Callable[[tuple[Decided, ...]], "Write | None"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one command writes, in order, in one commit. `ids` are answered to the caller (new ids)."""

    writes: tuple[Write | LateWrite, ...]
    subject: UUID | None = None
    clinic_id: UUID | None = None
    ids: dict[str, str] = {}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, where, with which safeguards. `if_match` is the version the caller has seen.

    `patient_id` is the patient that the edge resolved; needed where the stream's id does not tell (a diary's).
    """

    by: Actor
    clinic_id: UUID | None
    patient_id: UUID | None = None
    idempotency: Idempotency | None = None
    if_match: int | None = None
    origin: Origin = "entered"
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    command_id: UUID | None = None


class UseCase(Protocol):
    """`aggregate` is the one that `stream_id` of a command names."""

    @property
    def aggregate(self) -> Aggregate: ...

    def plan(self, stream_id: UUID, command: Any, request: Request, load: Load) -> Plan: ...


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an accepted command: ids, version and position, never patient data.

    `position` is the last position written; `version` is that of `stream_id` afterwards.
    """

    stream_id: UUID
    version: int
    position: int
    events: tuple[str, ...]
    ids: dict[str, str] = {}
    replayed: bool = False
    status: int = 201


# --- errors --------------------------------------------------------------------------------------


class VersionMismatch(DomainError):
    """The stream has moved since the caller read it."""

    kept = False


class NotFound(DomainError):
    """There is nothing under this id."""

    kept = False


class StoredRefusal(DomainError):
    """A retried command that was refused the first time: the first answer, again."""

    kept = False

    def __init__(self, code: str, message: str, data: dict[str, Any]) -> None:
        super().__init__(message, **data)
        self._code = code

    @property
    def code(self) -> str:
        """The public name of the rule that refused it the first time."""
        return self._code


class UnknownCommand(TypeError):
    """No use case is registered for this type of command (a programming error)."""


# --- carrying out --------------------------------------------------------------------------------


class CommandHandling:
    """`handle` for every command that has a use case. One instance per process, used by all its threads.

    `clock` is the recording clock: edges stamp `Command.now` with it. States are immutable, so one cache serves all
    threads; a stale one cannot do harm, because the save compares the version of every stream read or written.
    """

    def __init__(
        self, log: EventLog, clock: Clock, use_cases: Mapping[type[Command], UseCase], *, cache_size: int = 4096
    ) -> None:
        self.log = log
        self.clock = clock
        self._use_cases = dict(use_cases)
        self._states = _StateCache(cache_size)

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
            except StreamConflict:
                if attempt == ATTEMPTS - 1:
                    return self._first_answer_or_raise(request)
                fresh = True
            except DomainError as refusal:
                if work.relied_on_cache and not fresh:
                    fresh = True
                    continue
                return self._refuse(stream_id, command, request, refusal)
            else:
                return self._accepted(appended, outcome, work)
        raise AssertionError("unreachable")

    def current(self, aggregate: Aggregate, stream_id: UUID) -> Loaded:
        """The stream as it stands in the log now (one round trip; only what is new is read and folded)."""
        return self._load(aggregate, stream_id, fresh=True)[0]

    def _load(self, aggregate: Aggregate, stream_id: UUID, *, fresh: bool) -> tuple[Loaded, bool]:
        """The folded stream and whether it came from the cache unread."""
        known = self._states.get(aggregate, stream_id)
        if known is not None and not fresh:
            return known, True
        state, version = (known.state, known.version) if known else (aggregate.initial(stream_id), 0)
        for record in self.log.read_stream(stream_id, after_version=version):
            state, version = aggregate.evolve(state, record.version, record.event), record.version
        loaded = Loaded(state, version)
        self._states.put(aggregate, stream_id, loaded)  # an empty stream too: asking again would be a round trip
        return loaded, False

    def _accepted(self, appended: Appended, outcome: _Outcome, work: _Work) -> Receipt:
        if appended.replayed:
            return _replay(appended)
        for write, events in zip(outcome.decided, appended.events, strict=False):
            work.remember(write, events)
        return Receipt(
            stream_id=outcome.stream_id, version=outcome.version, position=appended.last_position,
            events=outcome.event_names, ids=outcome.ids, status=appended.status,
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


class _Outcome(msgspec.Struct, frozen=True):
    stream_id: UUID
    version: int
    event_names: tuple[str, ...]
    ids: dict[str, str]
    decided: tuple[_DecidedWrite, ...]


class _DecidedWrite(msgspec.Struct, frozen=True):
    aggregate: Any
    stream_id: UUID
    before: Loaded


class _Work:
    """One attempt at one command: what it read, what it decided."""

    def __init__(self, handling: CommandHandling, *, fresh: bool) -> None:
        self._handling = handling
        self._fresh = fresh
        self._read: dict[tuple[Any, UUID], Loaded] = {}
        self._checked: dict[UUID, int] = {}
        self.relied_on_cache = False

    def load(self, aggregate: Aggregate, stream_id: UUID, *, checked: bool = True) -> Loaded:
        loaded = self._read.get((aggregate, stream_id))
        if loaded is None:
            loaded, cached = self._handling._load(aggregate, stream_id, fresh=self._fresh)
            self.relied_on_cache |= cached
            self._read[aggregate, stream_id] = loaded
        if checked:
            self._checked[stream_id] = loaded.version
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
        stream_writes: list[StreamWrite] = []
        claims: list[Claim] = []
        releases: list[Release] = []
        decided: list[_DecidedWrite] = []
        said: list[Decided] = []
        for planned in plan.writes:
            write = planned if isinstance(planned, Write) else planned(tuple(said))
            if write is None:
                continue
            before = self.load(write.aggregate, write.stream_id)
            decision = write.aggregate.decide(before.state, write.command, write.facts)
            said.append(Decided(write.stream_id, before.version, decision))
            claims += decision.claims
            releases += decision.releases
            if decision.events:
                stream_writes.append(StreamWrite(write.stream_id, before.version, decision.events))
                decided.append(_DecidedWrite(write.aggregate, write.stream_id, before))
        return self._compose(plan, stream_id, request, stream_writes, claims, releases, decided)

    def _compose(
        self, plan: Plan, stream_id: UUID, request: Request, writes: list[StreamWrite], claims: list[Claim],
        releases: list[Release], decided: list[_DecidedWrite],
    ) -> tuple[Append, _Outcome]:
        written = {write.stream_id for write in writes}
        versions = {write.stream_id: write.expected_version + len(write.events) for write in writes}
        names = tuple(event.NAME for write in writes for event in write.events)
        first = stream_id if stream_id in versions else next(iter(versions), stream_id)
        version = versions.get(first, self._checked.get(first, 0))
        clinic_id = plan.clinic_id or request.clinic_id
        append = Append(
            writes=tuple(writes), envelope=_envelope(request, clinic_id=clinic_id, subject=plan.subject),
            unchanged=tuple((read, seen) for read, seen in self._checked.items() if read not in written),
            claims=tuple(claims), releases=tuple(releases), idempotency=request.idempotency,
            answer={"stream_id": str(first), "version": version, "events": names, "ids": plan.ids},
        )
        return append, _Outcome(first, version, names, plan.ids, tuple(decided))

    def remember(self, write: _DecidedWrite, events: Iterable[Event]) -> None:
        """Folds what was just saved onto the state it was decided from, for the next command."""
        state, version = write.before.state, write.before.version
        for event in events:
            version += 1
            state = write.aggregate.evolve(state, version, event)
        self._handling._states.put(write.aggregate, write.stream_id, Loaded(state, version))


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
        events=tuple(answer["events"]), ids=answer["ids"], replayed=True, status=appended.status,
    )


_CODE = pattern(r"[A-Za-z0-9_.,:/+%-]{1,80}")


def harmless(data: Mapping[str, Any]) -> dict[str, str]:
    """What of an error's data a near miss may keep: numbers, moments, ids and codes; never free text."""
    kept = {}
    for name, value in data.items():
        if isinstance(value, bool | int | float | Decimal | UUID | date | datetime | timedelta):
            kept[name] = value.isoformat() if isinstance(value, date | datetime) else str(value)
        elif isinstance(value, str) and _CODE.fullmatch(value):
            kept[name] = value
    return kept


class _StateCache:
    """Least recently used folded states; bounded."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._states: OrderedDict[tuple[Any, UUID], Loaded] = OrderedDict()
        self._lock = Lock()

    def get(self, aggregate: Any, stream_id: UUID) -> Loaded | None:
        with self._lock:
            loaded = self._states.get((aggregate, stream_id))
            if loaded is not None:
                self._states.move_to_end((aggregate, stream_id))
            return loaded

    def put(self, aggregate: Any, stream_id: UUID, loaded: Loaded) -> None:
        """Keeps the newest: a slower thread never puts an older version over a newer one."""
        with self._lock:
            known = self._states.get((aggregate, stream_id))
            if known is None or known.version <= loaded.version:
                self._states[aggregate, stream_id] = loaded
                self._states.move_to_end((aggregate, stream_id))
            if len(self._states) > self._size:
                self._states.popitem(last=False)
