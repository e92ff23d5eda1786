"""Rebuilding: the log is read from its start into a shadow set of tables while the old set serves; then they swap.

The shadow's position row makes it resumable: whoever takes up a rebuild that was killed goes on where its last
batch committed. Loading happens with only the indexes that `apply` needs; the screens' indexes follow, then
the swap: one transaction that catches up with the live tables, renames both sets and moves the position row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from typing import TypeVar

import msgspec
import psycopg
from sqlalchemy.exc import OperationalError

from domain.ports import LogReader
from projections.engine import positions, tableset
from projections.engine.batch import Clock, Cursor, Poison, garbage_can_wait, poisoned
from projections.engine.database import Session
from projections.engine.group import Window, wants, window
from projections.engine.positions import Slot, Standing
from projections.engine.projection import Group, Projection
from projections.engine.tableset import TableSet, Unfinished

FIRST_BATCH = 5_000
SMALLEST_BATCH, LARGEST_BATCH = 500, 10_000
LONGEST_BATCH_S = 0.6
"""A batch that took longer is followed by a smaller one, one that took under a third of this by a larger one."""

SWAP_ATTEMPTS = 200
INDEXERS = 2
"""Connections that make indexes at once, on PostgreSQL."""

T = TypeVar("T")


class Progress(msgspec.Struct, frozen=True):
    """How far a rebuild is: `phase` is loading, indexing, swapping or done."""

    projections: tuple[str, ...]
    phase: str
    position: int
    head: int
    rows_opened: int
    seconds: float


Report = Callable[[Progress], None]


class RebuildFailed(RuntimeError):
    """An event could not be applied; the live tables serve on. Skip it (`skip`), or correct the projection."""

    def __init__(self, projection: str, poison: Poison) -> None:
        super().__init__(f"{projection} at {poison.position} ({poison.event}):\n{poison.error}")
        self.projection = projection
        self.poison = poison


class RebuildStopped(Exception):
    """Asked to stop between two batches; the rebuild can be resumed."""


class RebuildBusy(Exception):
    """Another worker is rebuilding this projection now."""


class SwapBlocked(RuntimeError):
    """Readers held on to the live tables throughout all attempts to swap."""


class Loader:
    """Fills sets of tables (shadow or replay) of a group's projections from the log, in one pass for all."""

    def __init__(
        self,
        session: Session,
        group: Group,
        projections: Sequence[Projection],
        log: LogReader,
        now_us: Clock,
        slot: Slot,
    ) -> None:
        self.session = session
        self.group = group
        self.projections = list(projections)
        self.log = log
        self.now_us = now_us
        self.slot: Slot = slot
        self.cursors: list[Cursor] = []
        self.batch = FIRST_BATCH
        self._ahead: tuple[tuple[frozenset[str], int, int, int], Future[Window]] | None = None
        self._reader = ThreadPoolExecutor(1, "read-ahead") if session.database.kind == "postgres" else None

    def begin(self, *, resume: bool) -> None:
        """Makes the tables at position 0, or with `resume` goes on with those of the same version that are there."""
        self.cursors.clear()
        with self.session.transaction() as sql:
            for projection in self.projections:
                positions.take_over(sql, f"{self.slot}:{projection.name}", "rebuild", self.now_us())
                standing = positions.of(sql, projection.name, self.slot)
                if standing is not None and not (resume and standing.version == projection.version):
                    self._discard(standing)
                    standing = None
                if standing is None:
                    standing = self._create(projection)
                elif standing.status != "running":
                    standing = positions.change(sql, standing, self.now_us(), status="running")
                tables = TableSet(self.session, projection, self.slot, standing.generation)
                skips = positions.skipped(sql, projection.name, projection.version)
                discreet = self.group.whole_records
                self.cursors.append(Cursor(tables, standing, self.now_us, skips=skips, discreet=discreet))

    def _create(self, projection: Projection) -> Standing:
        sql = self.session.sql
        live = positions.of(sql, projection.name)
        generation = 1 if live is None else live.generation + 1
        now = self.now_us()
        standing = Standing(
            name=projection.name, slot=self.slot, group_name=f"{self.slot}:{projection.name}",
            version=projection.version, generation=generation, position=0, status="running",
            epoch=positions.epoch_of(sql, f"{self.slot}:{projection.name}"),
            tables=tableset.names_as_json(projection), error=None, failed_position=None, failed_event=None,
            attempts=0, retry_us=None, started_us=now, updated_us=now,
        )  # fmt: skip
        tables = TableSet(self.session, projection, self.slot, generation)
        tableset.drop(sql, self.session.database, map(tables.physical, standing.table_names))
        tables.create(sql, all_indexes=False)
        positions.add(sql, standing)
        return standing

    def _discard(self, standing: Standing) -> None:
        suffix = tableset.suffix(standing.slot, standing.generation)
        names = [name + suffix for name in standing.table_names]
        tableset.drop(self.session.sql, self.session.database, names)
        positions.remove(self.session.sql, standing.name, standing.slot)

    def discard(self) -> None:
        """Drops the tables and forgets them."""
        with self.session.transaction():
            for cursor in self.cursors:
                self._discard(cursor.standing)
        self.cursors.clear()

    @property
    def position(self) -> int:
        """Where the last of the sets stands."""
        return min(cursor.position for cursor in self.cursors)

    def load_batch(self, stop: int) -> int:
        """One batch, in one transaction, for the sets that are furthest behind; the number of events read."""
        started = time.monotonic()
        with garbage_can_wait(), self.session.transaction():
            count = self.advance(stop)
        took = time.monotonic() - started
        if took > LONGEST_BATCH_S:
            self.batch = max(self.batch // 2, SMALLEST_BATCH)
        elif took < LONGEST_BATCH_S / 3 and count == self.batch:
            self.batch = min(self.batch * 2, LARGEST_BATCH)
        return count

    def advance(self, stop: int) -> int:
        """The same inside the caller's transaction. Raises RebuildFailed at a poison event."""
        after = self.position
        behind = [cursor for cursor in self.cursors if cursor.position == after]
        stop = min([stop, *(cursor.position for cursor in self.cursors if cursor.position > after)])
        names = frozenset[str]().union(*(cursor.projection.names for cursor in behind))
        found = self._window(names, after, stop)
        for cursor in behind:
            if found.spoiled is not None:
                self._refuse_spoiled(cursor, found.spoiled, found.spoiled_at)
            poison = cursor.advance(found.entries, found.upto + (found.spoiled is not None))
            if poison is not None:
                raise RebuildFailed(cursor.projection.name, poison)
        return len(found.entries)

    def _window(self, names: frozenset[str], after: int, stop: int) -> Window:
        """The next window, if it has been read ahead; and begins to read the one after it.

        Only on PostgreSQL, where applying a batch is half waiting for the server. (sqlite3 hands the interpreter over
        at every row it writes: a second thread would slow the first down.)
        """
        asked = (names, after, self.batch, stop)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == asked:
            found = ahead[1].result()
        else:
            found = window(self.log, self.group, names, after, self.batch, stop)
        if self._reader is not None and found.spoiled is None and after < found.upto < stop:
            following = (names, found.upto, self.batch, stop)
            self._ahead = following, self._reader.submit(window, self.log, self.group, *following)
        return found

    def close(self) -> None:
        """Ends the reading ahead."""
        if self._reader is not None:
            self._reader.shutdown()

    def _refuse_spoiled(self, cursor: Cursor, error: Exception, at: int) -> None:
        names = cursor.projection.names
        if at not in cursor.skips and wants(self.log, self.group, names, at):
            event = str(getattr(error, "name", "") or "?")
            poison = poisoned(at, event, error, discreet=cursor.discreet)
            raise RebuildFailed(cursor.projection.name, poison)


class Rebuild:
    """Rebuilds projections of one group together. The caller holds their locks (`rebuild:<name>`)."""

    def __init__(
        self,
        loader: Loader,
        *,
        report: Report = lambda progress: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.loader = loader
        self.session = loader.session
        self.log = loader.log
        self._report = report
        self._stopping = stopping
        self._started = time.monotonic()

    def run(self, *, resume: bool = True) -> Progress:
        """Loads, indexes, swaps. Raises RebuildFailed, RebuildStopped, SwapBlocked; can be run again after each."""
        self.loader.begin(resume=resume)
        with self._recording_failure():
            self._load("loading")
            self._index()
            self._load("loading")
            self._swap()
        sweep(self.session, spare=self._retired_openly())
        return self._tell("done")

    def _retired_openly(self) -> frozenset[str]:
        """The tables that this rebuild has taken out of service and that never held anything unsealed."""
        if self.loader.group.whole_records:
            return frozenset()
        return frozenset(
            tableset.retired(name, cursor.standing.generation)
            for cursor in self.loader.cursors for name in cursor.standing.table_names
        )

    @contextmanager
    def _recording_failure(self) -> Iterator[None]:
        try:
            yield
        except RebuildFailed as failure:
            with self.session.transaction() as sql:
                standing = positions.of(sql, failure.projection, "shadow")
                if standing is not None:
                    positions.change(
                        sql, standing, self.loader.now_us(), status="failed", error=failure.poison.error,
                        failed_position=failure.poison.position, failed_event=failure.poison.event,
                        attempts=standing.attempts + 1,
                    )  # fmt: skip
            raise

    def _tell(self, phase: str) -> Progress:
        cursors = self.loader.cursors
        progress = Progress(
            tuple(cursor.projection.name for cursor in cursors), phase, self.loader.position, self.log.head(),
            sum(cursor.rows_opened for cursor in cursors), time.monotonic() - self._started,
        )  # fmt: skip
        self._report(progress)
        return progress

    def _load(self, phase: str) -> None:
        while (head := self.log.head()) > self.loader.position:
            while self.loader.position < head:
                if self._stopping():
                    raise RebuildStopped(phase)
                self.loader.load_batch(head)
                self._tell(phase)

    def _index(self) -> None:
        """Makes the screens' indexes and the planner's statistics, table by table; on PostgreSQL two at a time."""
        self._tell("indexing")
        work: list[Unfinished] = []
        for cursor in self.loader.cursors:
            cursor.tables.scrub()
            with self.session.reading() as sql:
                work += cursor.tables.unfinished(sql)
        if self.session.database.kind == "sqlite":
            self._finish(self.session, iter(work))
            return
        waiting = iter(work)
        taking = threading.Lock()
        with ThreadPoolExecutor(INDEXERS, "indexing") as pool, ExitStack() as sessions:
            own = [sessions.enter_context(closing(self.session.database.session())) for _ in range(INDEXERS)]
            for done in [pool.submit(self._finish, each, _taken_in_turn(waiting, taking)) for each in own]:
                done.result()

    def _finish(self, session: Session, tables: Iterator[Unfinished]) -> None:
        for table in tables:
            for statement in table.indexes:
                if self._stopping():
                    raise RebuildStopped("indexing")
                with session.transaction() as sql:
                    sql.execute(statement)
            with session.transaction() as sql:
                sql.exec_driver_sql(table.analyze)

    def _swap(self) -> None:
        self._tell("swapping")
        for attempt in range(SWAP_ATTEMPTS):
            if self._stopping():
                raise RebuildStopped("swapping")
            try:
                with self.session.transaction():
                    self._change_places()
                return
            except (OperationalError, psycopg.OperationalError) as error:
                cause = error.orig if isinstance(error, OperationalError) else error
                if not isinstance(cause, (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)):
                    raise
                time.sleep(min(0.05 * (attempt + 1), 1.0))
        raise SwapBlocked(", ".join(cursor.projection.name for cursor in self.loader.cursors))

    def _change_places(self) -> None:
        """Holds the live rows, so that nobody advances the live tables; brings the shadows there; renames."""
        sql = self.session.sql
        cursors = sorted(self.loader.cursors, key=lambda cursor: cursor.projection.name)
        before = [cursor.standing for cursor in cursors]
        try:
            lives = [positions.of(sql, cursor.projection.name, lock=True) for cursor in cursors]
            furthest = max((live.position for live in lives if live is not None), default=0)
            while self.loader.position < furthest:
                self.loader.advance(furthest)
            for cursor, live in zip(cursors, lives, strict=True):
                self._swap_one(cursor, live)
        except BaseException:
            for cursor, standing in zip(cursors, before, strict=True):
                cursor.standing = standing
            raise

    def _swap_one(self, cursor: Cursor, live: Standing | None) -> None:
        sql, database = self.session.sql, self.session.database
        present = tableset.existing_tables(sql, database)
        served = [name for name in ([] if live is None else live.table_names) if name in present]
        tableset.lock_out_readers(sql, database, served)
        for name in served:
            tableset.rename(sql, database, name, tableset.retired(name, cursor.standing.generation))
        for name in cursor.standing.table_names:
            tableset.rename(sql, database, cursor.tables.physical(name), name)
        self._move_row(cursor, live)

    def _move_row(self, cursor: Cursor, live: Standing | None) -> None:
        sql, shadow = self.session.sql, cursor.standing
        positions.change(sql, shadow, self.loader.now_us())
        positions.remove(sql, shadow.name, "shadow")
        group = self.loader.group.name
        if live is not None:
            positions.remove(sql, live.name, "live")
        positions.add(
            sql,
            msgspec.structs.replace(
                shadow, slot="live", group_name=group, epoch=positions.epoch_of(sql, group), status="running",
                error=None, failed_position=None, failed_event=None, attempts=0, retry_us=None,
                updated_us=self.loader.now_us(),
            ),
        )  # fmt: skip


def _taken_in_turn(items: Iterator[T], taking: threading.Lock) -> Iterator[T]:
    """`items` for one of several threads that share them."""
    while True:
        with taking:
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


def sweep(session: Session, *, spare: frozenset[str] = frozenset()) -> None:
    """Drops what swaps have left, each table in a transaction of its own: the swap itself stays short.

    On SQLite their pages are overwritten with zeros, but for those of `spare`, which hold no secrets.
    """
    with session.reading() as sql:
        retired = [name for name in tableset.existing_tables(sql, session.database) if tableset.is_retired(name)]
    for name in retired:
        with session.leaving_freed_pages() if name in spare else nullcontext(), session.transaction() as sql:
            tableset.drop(sql, session.database, [name])
