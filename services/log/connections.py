"""A small pool of connections: last in first out, made on demand, never carried across a fork."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Generic, Protocol, TypeVar

from services.log.shapes import LogUnavailable


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Connections(Generic[C]):
    """Lends each connection to one thread at a time. No worker threads, so nothing breaks at a fork: a child
    process forgets its parent's connections without closing them and makes its own."""

    def __init__(
        self, connect: Callable[[], C], *, reusable: Callable[[C], bool], limit: int = 32, wait_s: float = 5.0
    ) -> None:
        self._connect = connect
        self._reusable = reusable
        self._limit = limit
        self._wait_s = wait_s
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[C] = deque()
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._limit):
            self._free.put(None)

    @contextmanager
    def lend(self) -> Iterator[C]:
        """A connection; given back afterwards; closed if the block raised and left it unfit for the next.

        Raises LogUnavailable when all are in use for longer than `wait_s`.
        """
        if self._pid != os.getpid():
            self._abandoned = self._idle
            self._start_afresh()
        free = self._free
        try:
            free.get(timeout=self._wait_s)
        except Empty:
            raise LogUnavailable("all database connections are busy") from None
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect()
            try:
                yield connection
            except BaseException:
                if not self._reusable(connection):
                    connection.close()
                    raise
                self._idle.append(connection)
                raise
            self._idle.append(connection)
        finally:
            free.put(None)

    def close(self) -> None:
        """Closes what is idle; what is lent is closed or kept by its borrower."""
        while self._idle and self._pid == os.getpid():
            self._idle.pop().close()


class Turns:
    """One writer of this process at a time.

    SQLite's own wait for its write lock sleeps for up to 100 ms between two looks, and lets others pass meanwhile
    (four threads writing, measured: the longest wait was 1,140 ms, in turns 41 ms).
    """

    def __init__(self, *, wait_s: float) -> None:
        self._wait_s = wait_s
        self._pid, self._lock = os.getpid(), Lock()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Waits for the turn. Raises LogUnavailable when it does not come within `wait_s`."""
        if self._pid != os.getpid():  # the lock of before a fork may be held by a thread that is not here
            self._pid, self._lock = os.getpid(), Lock()
        lock = self._lock
        if not lock.acquire(timeout=self._wait_s):
            raise LogUnavailable("the log was busy for too long; nothing was written")
        try:
            yield
        finally:
            lock.release()
