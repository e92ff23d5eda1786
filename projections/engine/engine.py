"""The engine as the edges see it: install, run, ask, repair, rebuild, compare. `worker.py` keeps it running."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

from sqlalchemy import insert, select, update

from domain.ports import LogReader
from projections.engine import positions, tableset
from projections.engine.batch import Clock
from projections.engine.compare import Comparison, replay_and_compare
from projections.engine.database import Session, ViewsDatabase
from projections.engine.group import TAIL_BATCH, GroupRunner
from projections.engine.lock import Lock, lock_for
from projections.engine.positions import POSITIONS, SKIPS, Slot, Standing
from projections.engine.projection import Group, Projection
from projections.engine.rebuild import Loader, Progress, Rebuild, RebuildBusy, Report
from projections.engine.status import ProjectionStatus, report
from projections.engine.tableset import TableSet

CATCH_UP_BY_REBUILD = 20_000
"""A projection that is new to a log longer than this is built like a rebuild, not live."""


class UnknownProjection(LookupError):
    """No projection of that name runs here."""


class NotFailed(ValueError):
    """Only a failed projection can skip the event it failed at."""


def wall_clock_us() -> int:
    """The machine's clock, microseconds since the epoch."""
    return time.time_ns() // 1_000


def worker_name() -> str:
    """This process, as the leaders' table shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


class ProjectionEngine:
    """Implements `domain.ports.ProjectionRunner`, and what operators need besides.

    Cheap to make, and safe in any process: it opens worker connections only when asked to work. Make it
    after a fork. `now_us` is the clock of lags and retries (a simulation passes its own); `tail_batch` the most
    events in one transaction while serving.
    """

    def __init__(
        self,
        database: ViewsDatabase,
        log: LogReader,
        groups: Sequence[Group],
        *,
        now_us: Clock = wall_clock_us,
        tail_batch: int = TAIL_BATCH,
    ) -> None:
        self.database = database
        self.log = log
        self.groups = tuple(groups)
        self.now_us = now_us
        self.tail_batch = tail_batch
        self._by_name = {projection.name: (group, projection) for group in groups for projection in group.projections}
        self._running = threading.Lock()
        self._leading: dict[str, tuple[Session, GroupRunner, Lock]] = {}

    # --- setting up ----------------------------------------------------------------------------

    def install(self) -> list[str]:
        """Makes the tables of projections that have none; their names. Safe when several start at once.

        Needs the migrated `ops_` tables (`projections.migrations.migrate`).
        """
        head = self.log.head()
        made = []
        with closing(self.database.session()) as session, session.transaction() as sql:
            if self.database.kind == "postgres":
                sql.exec_driver_sql("SELECT pg_advisory_xact_lock(4714, 0)")
            for name, (group, projection) in self._by_name.items():
                if positions.of(sql, name) is None:
                    self._install(session, group, projection, head)
                    made.append(name)
        return made

    def _install(self, session: Session, group: Group, projection: Projection, head: int) -> None:
        sql, now = session.sql, self.now_us()
        tableset.drop(sql, self.database, tableset.canonical_names(projection))
        TableSet(session, projection, "live", 0).create(sql, all_indexes=True)
        positions.add(
            sql,
            Standing(
                name=projection.name, slot="live", group_name=group.name,
                version=projection.version if head <= CATCH_UP_BY_REBUILD else 0, generation=0, position=0,
                epoch=positions.epoch_of(sql, group.name), status="running",
                tables=tableset.names_as_json(projection), error=None, failed_position=None, failed_event=None,
                attempts=0, retry_us=None, started_us=now, updated_us=now,
            ),
        )  # fmt: skip

    # --- running -------------------------------------------------------------------------------

    def run_once(self) -> int:
        """Applies at most one batch per group, where no other worker leads; the number of events read."""
        with self._running:
            return sum(self._run_group(group) for group in self.groups)

    def _run_group(self, group: Group) -> int:
        leading = self._leading.get(group.name)
        if leading is None:
            session = self.database.session()
            lock = lock_for(session, f"group:{group.name}")
            if not lock.acquire():
                session.close()
                return 0
            runner = self.runner(session, group)
            runner.lead(worker_name())
            leading = self._leading[group.name] = (session, runner, lock)
        try:
            return leading[1].run_once()
        except BaseException:
            self._let_go(group.name)
            raise

    def runner(self, session: Session, group: Group) -> GroupRunner:
        """What applies the batches of `group` over `session`; its caller holds the group's lock."""
        return GroupRunner(session, group, self.log, self.now_us, batch=self.tail_batch)

    def _let_go(self, group: str) -> None:
        session, _, lock = self._leading.pop(group)
        try:
            lock.release()
        finally:
            session.close()

    def catch_up(self, timeout_s: float = 60.0) -> bool:
        """Runs (rebuilding what is outdated) until every healthy projection has what the log had at the start."""
        head, until = self.log.head(), time.monotonic() + timeout_s
        for group in self.groups:
            outdated = self.outdated(group)
            if outdated:
                with suppress(RebuildBusy):  # a worker is at it
                    self.rebuild(outdated)
        while time.monotonic() < until:
            if not self.run_once() and self.wait_for(head, 0.05):
                return True
        return False

    def close(self) -> None:
        """Gives up leadership and connections."""
        with self._running:
            for group in list(self._leading):
                self._let_go(group)
        self.database.close()

    # --- asking --------------------------------------------------------------------------------

    def position(self, projection: str) -> int:
        """How far the tables that serve `projection` have come. Raises UnknownProjection."""
        self._named(projection)
        with self.database.reads.connect() as sql:
            standing = positions.of(sql, projection)
        return 0 if standing is None else standing.position

    def wait_for(self, position: int, timeout_s: float, projections: Iterable[str] | None = None) -> bool:
        """Read your writes: waits until all healthy projections, or those named, have reached `position`.

        A failed, paused or outdated one is not waited for: left out when all are asked for, False when named.
        """
        named = None if projections is None else set(projections)
        until, pause_s = time.monotonic() + timeout_s, 0.002
        while True:
            standings = self._served(named)
            healthy = [s for s in standings if s.status == "running" and s.version == self._named(s.name)[1].version]
            if named is not None and len(healthy) < len(named):
                return False
            if healthy and min(standing.position for standing in healthy) >= position:
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause_s, left))
            pause_s = min(pause_s * 1.5, 0.02)

    def _served(self, named: set[str] | None) -> list[Standing]:
        wanted = self._by_name.keys() if named is None else named
        with self.database.reads.connect() as sql:
            return [s for s in positions.every(sql) if s.slot == "live" and s.name in wanted]

    def status(self) -> list[ProjectionStatus]:
        """Where every projection stands."""
        with self.database.reads.connect() as sql:
            return report(sql, self.log, self.groups, self.now_us())

    def outdated(self, group: Group) -> list[str]:
        """Projections of `group` whose tables are of an earlier version, or whose rebuild was left unfinished.

        Tables of a later version are left alone: while a release rolls out, an old worker must not undo its work.
        """
        with self.database.reads.connect() as sql:
            rows = {(standing.name, standing.slot): standing for standing in positions.every(sql)}
        names = []
        for projection in group.projections:
            live, shadow = rows.get((projection.name, "live")), rows.get((projection.name, "shadow"))
            unfinished = shadow is not None and shadow.version == projection.version
            if live is not None and (live.version < projection.version or unfinished):
                names.append(projection.name)
        return names

    def _named(self, name: str) -> tuple[Group, Projection]:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownProjection(f"{name}; there are {', '.join(sorted(self._by_name))}") from None

    # --- repairing -----------------------------------------------------------------------------

    def retry(self, projection: str) -> None:
        """Has a failed projection try its event again now."""
        self._set(projection, "failed", retry_us=0)

    def pause(self, projection: str) -> None:
        """Leaves the projection where it is until `resume`."""
        self._set(projection, None, status="paused", retry_us=None)

    def resume(self, projection: str) -> None:
        """Lets a paused or failed projection run on from where it stands."""
        self._set(projection, None, status="running", retry_us=None)

    def _set(self, projection: str, only: str | None, **values: Any) -> None:
        self._named(projection)
        mine = (POSITIONS.c.name == projection) & (POSITIONS.c.slot == "live")
        if only is not None:
            mine &= POSITIONS.c.status == only
        with closing(self.database.session()) as session, session.transaction() as sql:
            sql.execute(update(POSITIONS).where(mine).values(updated_us=self.now_us(), **values))

    def skip(self, projection: str, *, by: str, reason: str) -> int:
        """Passes over the event that `projection` failed at, for this version; its position. Raises NotFailed.

        Written down (who, why, which error), and honoured by rebuilds of the same version. Also skips for a
        rebuild that has stopped at an event, when the live tables run.
        """
        self._named(projection)
        with closing(self.database.session()) as session, session.transaction() as sql:
            for slot in ("live", "shadow"):
                standing = positions.of(sql, projection, slot, lock=True)
                if standing is not None and standing.status == "failed" and standing.failed_position is not None:
                    return self._skip(session, standing, by, reason)
        raise NotFailed(projection)

    def _skip(self, session: Session, standing: Standing, by: str, reason: str) -> int:
        at = standing.failed_position
        assert at is not None
        known = select(SKIPS.c.position).where(
            SKIPS.c.name == standing.name, SKIPS.c.version == standing.version, SKIPS.c.position == at
        )
        if session.sql.execute(known).first() is None:
            session.sql.execute(
                insert(SKIPS).values(
                    name=standing.name, version=standing.version, position=at, event=standing.failed_event,
                    error=standing.error, skipped_by=by, reason=reason, skipped_us=self.now_us(),
                )
            )  # fmt: skip
        moved = {"position": at} if standing.slot == "live" else {}
        positions.change(
            session.sql, standing, self.now_us(), status="running", error=None, failed_position=None,
            failed_event=None, attempts=0, retry_us=None, **moved,
        )  # fmt: skip
        return at

    # --- rebuilding ----------------------------------------------------------------------------

    def rebuild(
        self,
        names: Iterable[str],
        *,
        report: Report = lambda progress: None,
        stopping: Callable[[], bool] = lambda: False,
        resume: bool = True,
    ) -> list[Progress]:
        """Rebuilds projections beside their live tables and swaps; those of one group in one pass over the log.

        With `resume` goes on with an unfinished rebuild of the same version. Raises UnknownProjection,
        RebuildBusy, RebuildFailed, RebuildStopped, SwapBlocked; the live tables serve on in each case.
        """
        done = []
        for group, projections in self._grouped(names):
            with self._loading("rebuild", group, projections, "shadow") as loader:
                done.append(Rebuild(loader, report=report, stopping=stopping).run(resume=resume))
        return done

    def compare(self, names: Iterable[str] | None = None) -> list[Comparison]:
        """Replays projections into tables of their own and compares them with the live ones, row by row."""
        found = []
        for group, projections in self._grouped(self._by_name if names is None else names):
            with (
                self._loading("replay", group, projections, "replay") as loader,
                closing(self.database.session()) as live,
            ):
                found += replay_and_compare(loader, live)
        return found

    def _grouped(self, names: Iterable[str]) -> list[tuple[Group, list[Projection]]]:
        wanted = {name: self._named(name) for name in names}
        grouped = []
        for group in self.groups:
            projections = [projection for owner, projection in wanted.values() if owner is group]
            if projections:
                grouped.append((group, projections))
        return grouped

    @contextmanager
    def _loading(
        self, purpose: str, group: Group, projections: Sequence[Projection], slot: Slot
    ) -> Iterator[Loader]:
        with ExitStack() as stack:
            session = stack.enter_context(closing(self.database.session()))
            for projection in sorted(projections, key=lambda each: each.name):
                lock = lock_for(session, f"{purpose}:{projection.name}")
                if not lock.acquire():
                    raise RebuildBusy(projection.name)
                stack.callback(lock.release)
            loader = Loader(session, group, projections, self.log, self.now_us, slot)
            yield stack.enter_context(closing(loader))
