"""The access log: a second log of the same code, for sign-ins, reads and exports.

An answer with health data is given only after its entry is durable. Requests that come at the same moment share
one commit: whoever finds no commit under way writes its own entry and all that have gathered meanwhile.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC
from threading import Condition
from uuid import UUID

from domain.kernel import Actor, Envelope, Event, derived_id
from services.log import ANY_VERSION, Append, EventLog, LogError, StreamWrite

_MOST_AT_ONCE = 200


class AccessLogUnavailable(LogError):
    """The access could not be recorded, so it must not be granted (503)."""


class AccessLog:
    """Writes access entries; returns once they are durable. One per process, for all its threads."""

    def __init__(self, log: EventLog) -> None:
        if log.log != "access":
            raise ValueError("access entries belong in the access log")
        self.log = log
        self._waiting: deque[_Entry] = deque()
        self._turn = Condition()
        self._busy = False

    def record(
        self, event: Event, *, by: Actor, clinic_id: UUID | None, subject: UUID | None = None,
        correlation_id: UUID | None = None,
    ) -> int:
        """The entry's position. Its stream is one actor's UTC day. Raises AccessLogUnavailable: fail closed."""
        day = event.occurred_at.astimezone(UTC).date().isoformat()
        entry = _Entry(Append(
            writes=(StreamWrite(derived_id("access", by.id, day), ANY_VERSION, (event,)),),
            envelope=Envelope(
                actor=by.id, role=by.role, clinic_id=clinic_id, subject=subject, correlation_id=correlation_id
            ),
        ))
        with self._turn:
            self._waiting.append(entry)
            while self._busy and not entry.done:
                self._turn.wait()
            if not entry.done:
                self._busy = True
        if not entry.done:
            self._commit_until(entry)
        if entry.failure is not None:
            raise AccessLogUnavailable("the access could not be recorded") from entry.failure
        return entry.position

    def _commit_until(self, own: _Entry) -> None:
        """Commits what has gathered, in groups, until our own entry is among it; then lets another go on."""
        try:
            while not own.done:
                with self._turn:
                    group = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
                self._commit(group)
        finally:
            with self._turn:
                self._busy = False
                self._turn.notify_all()

    def _commit(self, group: list[_Entry]) -> None:
        try:
            if len(group) == 1:
                positions = [self.log.append(group[0].append).last_position]
            else:
                positions = [done.last_position for done in self.log.append_all([each.append for each in group])]
            for entry, position in zip(group, positions, strict=True):
                entry.position = position
        except Exception as error:
            for entry in group:
                entry.failure = error
        finally:
            for entry in group:
                entry.done = True


class _Entry:
    __slots__ = ("append", "done", "failure", "position")

    def __init__(self, append: Append) -> None:
        self.append = append
        self.done = False
        self.position = 0
        self.failure: Exception | None = None
