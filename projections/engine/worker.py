"""Keeps the projections running: a supervised thread per group, until told to stop.

A group's thread waits for the group's lock, leads while it holds it, and starts over after any failure with a
growing pause; nothing but `stop` ends it. Rebuilds of outdated projections run in a thread of their own, so
that the screens stay fresh meanwhile. Run it as a process (`run_until_signalled`) or inside one (`start`).
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from projections.engine import positions
from projections.engine.database import Session
from projections.engine.engine import ProjectionEngine, worker_name
from projections.engine.group import GroupRunner
from projections.engine.lock import Lock, lock_for
from projections.engine.positions import Fenced
from projections.engine.projection import Group
from projections.engine.rebuild import Progress, RebuildBusy, RebuildFailed, RebuildStopped
from projections.engine.wake import POLL_S, Poll, Wake

STANDBY_S = 0.5
"""How often one that does not lead tries for the lock: the longest a take-over takes once the lock is free."""

CHECK_S = 1.0
"""How often a leader makes sure of its lock, shows its heartbeat and looks for outdated projections."""

BUSY_S, BUSY_POLL_S = 2.0, 0.01
"""For so long after an event the next is looked for this often: where events come, more come."""

REBUILD_RETRY_S = 60.0
LONGEST_PAUSE_S = 30.0

log = structlog.get_logger("anodyne.projections")


class _Lost(Exception):
    """The lock is no longer ours."""


class GroupWorker(threading.Thread):
    """Leads, or stands by to lead, one group."""

    def __init__(
        self, engine: ProjectionEngine, group: Group, stopping: threading.Event, wake: Wake, *, poll_s: float, name: str
    ) -> None:
        super().__init__(name=f"projections-{group.name}")
        self.engine = engine
        self.group = group
        self.stopping = stopping
        self.wake = wake
        self.poll_s = poll_s
        self.worker = name
        self._rebuild: threading.Thread | None = None
        self._rebuild_not_before = 0.0

    def run(self) -> None:
        """Until `stopping`: lead, and after a failure try again after a pause."""
        failures = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            try:
                self._serve()
            except (Fenced, _Lost) as lost:
                log.warning("projections.leadership_lost", group=self.group.name, reason=str(lost))
            except Exception as error:
                failures = failures + 1 if time.monotonic() - started < LONGEST_PAUSE_S else 1
                pause_s = min(0.1 * 2**failures, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)  # noqa: S311
                log.error(
                    "projections.worker_failed", group=self.group.name, error=type(error).__name__, retry_in_s=pause_s
                )
                self.stopping.wait(pause_s)
        if self._rebuild is not None:
            self._rebuild.join()

    def _serve(self) -> None:
        session = self.engine.database.session()
        try:
            lock = lock_for(session, f"group:{self.group.name}")
            while not lock.acquire():
                if self.stopping.wait(STANDBY_S):
                    return
            try:
                self._lead(session, lock)
            finally:
                with suppress(Exception):
                    lock.release()
        finally:
            session.close()

    def _lead(self, session: Session, lock: Lock) -> None:
        runner = self.engine.runner(session, self.group)
        epoch = runner.lead(self.worker)
        log.info("projections.leading", group=self.group.name, worker=self.worker, epoch=epoch)
        check_at = busy_until = 0.0
        done_to = -1
        while not self.stopping.is_set():
            now = time.monotonic()
            if now >= check_at:
                self._check(session, lock, epoch)
                check_at, done_to = now + CHECK_S, -1  # an operator may have resumed something: look at the rows too
            head = self.engine.log.head()
            if head != done_to:
                if self._run_once(session, runner, epoch):
                    busy_until = now + BUSY_S
                    continue
                done_to = head
            self.wake.wait(min(self.poll_s, BUSY_POLL_S) if now < busy_until else self.poll_s)

    def _run_once(self, session: Session, runner: GroupRunner, epoch: int) -> int:
        try:
            return runner.run_once()
        except Fenced:
            with session.reading() as sql:
                if positions.epoch_of(sql, self.group.name) != epoch:
                    raise
            return 0  # a swap or an operator moved a row: read them again

    def _check(self, session: Session, lock: Lock, epoch: int) -> None:
        if not lock.held():
            raise _Lost("the lock is gone")
        with session.transaction() as sql:
            positions.beat(sql, self.group.name, epoch, self.engine.now_us())
        if self._rebuild is None or not self._rebuild.is_alive():
            outdated = self.engine.outdated(self.group)
            if outdated and time.monotonic() >= self._rebuild_not_before:
                name = f"{self.name}-rebuild"
                self._rebuild = threading.Thread(target=self._rebuild_now, args=(outdated,), name=name)
                self._rebuild.start()

    def _rebuild_now(self, names: list[str]) -> None:
        log.info("projections.rebuild_started", group=self.group.name, projections=names)
        try:
            done = self.engine.rebuild(names, stopping=self.stopping.is_set, report=self._tell)
            log.info("projections.rebuild_done", projections=names, rows=sum(p.rows_opened for p in done))
        except RebuildStopped:
            return
        except (RebuildBusy, RebuildFailed) as error:
            self._rebuild_not_before = time.monotonic() + REBUILD_RETRY_S
            log.error("projections.rebuild_failed", projections=names, error=type(error).__name__)
            if len(names) > 1:  # one of them must not hold up the others
                for name in names:
                    self._rebuild_now([name])
        except Exception as error:
            self._rebuild_not_before = time.monotonic() + REBUILD_RETRY_S / 10
            log.error("projections.rebuild_interrupted", projections=names, error=type(error).__name__)

    def _tell(self, progress: Progress) -> None:
        log.debug("projections.rebuilding", phase=progress.phase, position=progress.position, head=progress.head)


class Worker:
    """All groups of an engine, each in its thread. `make_wake` gives each thread what may wake it early."""

    def __init__(
        self,
        engine: ProjectionEngine,
        *,
        make_wake: Callable[[], Wake] = Poll,
        poll_s: float = POLL_S,
        name: str | None = None,
    ) -> None:
        self.engine = engine
        self.stopping = threading.Event()
        self._wakes = [make_wake() for _ in engine.groups]
        self._threads = [
            GroupWorker(engine, group, self.stopping, wake, poll_s=poll_s, name=name or worker_name())
            for group, wake in zip(engine.groups, self._wakes, strict=True)
        ]

    def start(self) -> None:
        """Starts the threads; returns at once. Never before a fork."""
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Tells them that the log has grown (only a hint)."""
        for wake in self._wakes:
            wake.ring()

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Lets each finish the batch under way, then ends; whether all did in time."""
        self.stopping.set()
        self.ring()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        for wake in self._wakes:
            wake.close()
        return not any(thread.is_alive() for thread in self._threads)

    def run_until_signalled(self, timeout_s: float = 30.0) -> bool:
        """Runs until SIGTERM or SIGINT, then drains. In the main thread only; whether all drained in time."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        self.start()
        while not self.stopping.wait(0.5):
            pass
        log.info("projections.draining")
        return self.stop(timeout_s)
