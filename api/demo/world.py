"""The simulated world: one clock, people who do things in order of time, and the services they use.

Journeys are generators that yield the moment at which they want to go on; `World.run` resumes them
in order, so that the recording clock never runs backwards. Everything reaches the log through
`services.handle`, as a request to the API would.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

from domain.kernel import Actor, Command, DomainError
from domain.ports import LogReader
from services.handling import Receipt, Request

Journey = Generator[datetime, None, None]


class SettableClock(Protocol):
    """The recording clock of a simulation log."""

    def now(self) -> datetime: ...

    def set(self, moment: datetime) -> None: ...


class Handles(Protocol):
    """The services' front door."""

    def handle(self, stream_id: UUID, command: Command, request: Request) -> Receipt: ...


class World:
    """Runs journeys in order of time and counts what they did and what was refused."""

    def __init__(self, services: Handles, reader: LogReader, clock: SettableClock, seed: int) -> None:
        self.services = services
        self.reader = reader
        self.clock = clock
        self.seed = seed
        self.rng = random.Random(seed)
        self.namespace = uuid5(UUID(int=seed), "anodyne demo")
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._ids = itertools.count(1)
        self._order = itertools.count()
        self._agenda: list[tuple[datetime, int, Journey]] = []

    def new_id(self) -> UUID:
        """The next id: the same in every run with this seed."""
        return uuid5(self.namespace, str(next(self._ids)))

    def own_id(self, *name: object) -> UUID:
        """An id by its name instead of its turn."""
        return uuid5(self.namespace, "/".join(str(part) for part in name))

    def random_for(self, name: object) -> random.Random:
        """A stream of chance of its own, so that one person's luck does not depend on another's."""
        return random.Random(f"{self.seed}/{name}")

    def start(self, at: datetime, journey: Journey) -> None:
        """Puts a journey on the agenda: it begins at `at`."""
        heapq.heappush(self._agenda, (at, next(self._order), journey))

    def run(self, until: datetime, progress: Callable[[datetime], None] = lambda moment: None) -> None:
        """Lives through all that is due up to `until`; what is later stays undone."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, journey = heapq.heappop(self._agenda)
            if at > self.clock.now():
                self.clock.set(at)
            progress(at)
            upcoming = next(journey, None)
            if upcoming is not None:
                heapq.heappush(self._agenda, (max(upcoming, at), next(self._order), journey))
        self.clock.set(until)

    def do(
        self, by: Actor, clinic_id: UUID | None, stream_id: UUID, command: type[Command], /,
        *, at: datetime | None = None, correlation_id: UUID | None = None, late_reason: str | None = None,
        command_id: UUID | None = None, **what: Any,
    ) -> Receipt:
        """Hands a command to the services; raises the DomainError of a refusal (counted).

        One with a `command_id` of its own takes none of the world's ids: what was added to the demo later moves nobody.
        """
        now = self.clock.now()
        request = Request(
            by=by, clinic_id=clinic_id, command_id=command_id or self.new_id(), correlation_id=correlation_id)
        try:
            receipt = self.services.handle(
                stream_id, command(by=by, now=now, at=at or now, late_reason=late_reason, **what), request
            )
        except DomainError as refusal:
            self.refused[f"{command.__name__}: {refusal.code}"] += 1
            raise
        self.done[command.__name__] += 1
        return receipt

    def attempt(self, *args: Any, **what: Any) -> Receipt | None:
        """Like `do`, for what may well be refused: None then."""
        try:
            return self.do(*args, **what)
        except DomainError:
            return None
