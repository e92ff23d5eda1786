"""Timers: a process follows the log from its own position, and acts when something is due.

At least once, and harmless twice: every command that a timer gives has the id uuid5(process, timer), which is its
idempotency key too. A rebuild of read models never runs a process; what a process has noted here may be thrown away,
then it follows the log again from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec

from domain.kernel import Actor, Recorded, derived_id
from domain.ports import Clock
from services.handling import Request
from services.log import Idempotency

BATCH = 1000
"""How many records are read, and how many timers fired, before what was noted is saved."""


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a patient that is due: `timer_id` is unique within its process."""

    timer_id: UUID
    subject: UUID
    due_at: datetime


class Forget(msgspec.Struct, frozen=True):
    """The timer has nothing to do any more."""

    timer_id: UUID


class Process(Protocol):
    """Follows some events, sets timers, acts when they are due."""

    @property
    def name(self) -> str:
        """Its own name, for ever: ids of its commands depend on it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The events that it follows."""

    def follow(self, record: Recorded) -> Timer | Forget | None:
        """What a record means for the timers."""

    def fire(self, timer: Timer, now: datetime) -> datetime | None:
        """Does what is due; when to try again, or None when there is nothing left to do."""


class TimerStore(Protocol):
    """Keeps timers and positions."""

    def position(self, process: str) -> int:
        """Up to where the process has followed the log; 0 at first."""

    def note(self, process: str, position: int, said: Sequence[Timer | Forget]) -> None:
        """Saves timers (again: the later due time counts) and the position, in one transaction."""

    def due(self, process: str, now: datetime, limit: int) -> Sequence[Timer]:
        """The timers that are due, the earliest first."""


class Log(Protocol):
    """Gives records in order of position (implemented by `EventLog`)."""

    def read(
        self, after: int, limit: int, *, names: Iterable[str] | None = None, upto: int | None = None
    ) -> Sequence[Recorded]: ...

    def head(self) -> int: ...


class MemoryTimers:
    """A store that lives as long as its process (the demo)."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._timers: dict[tuple[str, UUID], Timer] = {}

    def position(self, process: str) -> int:
        return self._positions.get(process, 0)

    def note(self, process: str, position: int, said: Sequence[Timer | Forget]) -> None:
        for one in said:
            if isinstance(one, Timer):
                self._timers[process, one.timer_id] = one
            else:
                self._timers.pop((process, one.timer_id), None)
        self._positions[process] = position

    def due(self, process: str, now: datetime, limit: int) -> Sequence[Timer]:
        found = [timer for (name, _), timer in self._timers.items() if name == process and timer.due_at <= now]
        return sorted(found, key=lambda timer: (timer.due_at, timer.timer_id))[:limit]


def run_once(process: Process, log: Log, store: TimerStore, now: datetime, stopping: Callable[[], bool]) -> int:
    """Follows the log to its end and fires what is due by `now`; how many were fired."""
    position, head = store.position(process.name), log.head()
    while position < head and not stopping():
        records = log.read(position, BATCH, names=process.names, upto=head)
        position = records[-1].position if len(records) == BATCH else head
        store.note(process.name, position, [said for one in records if (said := process.follow(one)) is not None])
    fired = 0
    while not stopping() and (due := store.due(process.name, now, BATCH)):
        for timer in due:
            if stopping():
                return fired
            again_at = process.fire(timer, now)
            kept = Forget(timer.timer_id) if again_at is None else msgspec.structs.replace(
                timer, due_at=max(again_at, now + timedelta(seconds=1)))
            store.note(process.name, position, [kept])
            fired += 1
    return fired


def asked(process: str, timer_id: UUID) -> Request:
    """The request of a timer's command: by the system, its id uuid5(process, timer), once for ever."""
    command_id = derived_id("timer", process, timer_id)
    return Request(
        by=by(process), clinic_id=None, origin="process", command_id=command_id,
        idempotency=Idempotency(principal=f"process:{process}", key=str(command_id), body_hmac=b""),
    )


def by(process: str) -> Actor:
    """A process acts as the system, under its own name."""
    return Actor(id=f"process:{process}", role="system")


def log_now(log: Log, clock: Clock, *, simulated: bool) -> datetime:
    """The recording clock; in a simulation, whose time may be ahead of this machine's, at least its last entry's."""
    now = clock.now().astimezone(UTC)
    head = log.head() if simulated else 0
    last = log.read(head - 1, 1) if head else ()
    return max([now, *(record.recorded_at for record in last)])
