"""A group's pass over the log: read once, apply to every projection that stands at the same place.

Projections of a group normally move together. One that failed, was paused or skipped stands elsewhere; it is
served on its own from where it stands until it has caught up with the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from domain.ports import LogReader
from projections.engine import positions
from projections.engine.batch import Clock, Cursor, Entry, garbage_can_wait, poisoned
from projections.engine.database import Session
from projections.engine.positions import Standing
from projections.engine.projection import Group
from projections.engine.tableset import TableSet

TAIL_BATCH = 5_000
"""At most so many events in one transaction while serving; a smaller number is applied as it is there."""


def read(log: LogReader, group: Group, after: int, limit: int, names: frozenset[str]) -> Sequence[Entry]:
    """Entries after `after`, in the form that the group's projections take."""
    if group.whole_records:
        return log.read(after, limit, names=names)
    return log.scan(after, limit, names=names)


class Window:
    """What one read of the log gave: `entries`, complete up to `upto`; `spoiled` if the next cannot be decoded."""

    __slots__ = ("entries", "spoiled", "spoiled_at", "upto")

    def __init__(self, entries: Sequence[Entry], upto: int, spoiled: Exception | None = None, at: int = 0) -> None:
        self.entries = entries
        self.upto = upto
        self.spoiled = spoiled
        self.spoiled_at = at


def window(log: LogReader, group: Group, names: frozenset[str], after: int, limit: int, stop: int) -> Window:
    """Reads at most `limit` entries after `after`, none above `stop`, which must not exceed the log's head.

    An entry that cannot be decoded (the error then has a `position`) ends the window just before it.
    Other errors of the log are raised.
    """
    while True:
        try:
            entries = read(log, group, after, limit, names)
        except Exception as error:
            at = getattr(error, "position", None)
            if not isinstance(at, int):
                raise
            if limit > 1:
                limit //= 2
                continue
            return Window((), at - 1, error, at) if at <= stop else Window((), stop)
        if len(entries) < limit or entries[-1].position >= stop:
            return Window([entry for entry in entries if entry.position <= stop], stop)
        return Window(entries, entries[-1].position)


def wants(log: LogReader, group: Group, names: frozenset[str], at: int) -> bool:
    """Whether the entry at `at`, which cannot be decoded, is one of `names`."""
    try:
        read(log, group, at - 1, 1, names)
    except Exception as error:
        return getattr(error, "position", None) == at
    return False


class GroupRunner:
    """Applies a group's batches through one session, in the epoch in which it leads."""

    SMALL = 500
    """Up to so many events the garbage collector is left alone."""

    def __init__(
        self, session: Session, group: Group, log: LogReader, now_us: Clock, *, batch: int = TAIL_BATCH
    ) -> None:
        self.session = session
        self.group = group
        self.log = log
        self.now_us = now_us
        self.batch = batch
        self.epoch: int | None = None
        self._projections = {projection.name: projection for projection in group.projections}
        self._tables: dict[tuple[str, int], TableSet] = {}

    def lead(self, worker: str) -> int:
        """Begins a new epoch, which fences off whoever led before."""
        with self.session.transaction() as sql:
            self.epoch = positions.take_over(sql, self.group.name, worker, self.now_us())
        return self.epoch

    def run_once(self) -> int:
        """Applies at most one batch to each set of projections that stand together; the number of events read.

        Those in front go first, so that a straggler's catching up does not keep the screens waiting.
        Raises Fenced when another worker leads by now, and errors of the database or the log itself.
        """
        stop = self.log.head()
        applied = 0
        for position, standings in self._cohorts():
            if position < stop:
                with garbage_can_wait() if stop - position > self.SMALL else nullcontext():
                    applied += self._advance(standings, position, stop)
                stop = position
        return applied

    def _cohorts(self) -> list[tuple[int, list[Standing]]]:
        with self.session.reading() as sql:
            standings = positions.of_group(sql, self.group.name)
        now = self.now_us()
        cohorts: dict[int, list[Standing]] = {}
        for standing in standings:
            if self._serves(standing) and (standing.status == "running" or _is_due(standing, now)):
                cohorts.setdefault(standing.position, []).append(self._in_my_epoch(standing))
        return sorted(cohorts.items(), reverse=True)

    def _serves(self, standing: Standing) -> bool:
        projection = self._projections.get(standing.name)
        return projection is not None and projection.version == standing.version

    def _in_my_epoch(self, standing: Standing) -> Standing:
        if self.epoch is not None and standing.epoch != self.epoch:
            raise positions.Fenced(f"epoch {self.epoch} of {self.group.name} is over: {standing.epoch}")
        return standing

    def _advance(self, standings: Sequence[Standing], after: int, stop: int) -> int:
        names = frozenset().union(*(self._projections[standing.name].names for standing in standings))
        found = window(self.log, self.group, names, after, self.batch, stop)
        if found.upto > after:
            cursors = self._cursors(standings)
            with self.session.transaction():
                for cursor in cursors:
                    cursor.advance(found.entries, found.upto)
            for cursor in cursors:
                cursor.tables.scrub()
        if found.spoiled is not None:
            self._isolate_spoiled(found)
        return len(found.entries) + (found.spoiled is not None)

    def _cursors(self, standings: Iterable[Standing]) -> list[Cursor]:
        cursors = []
        for standing in standings:
            asked = (standing.name, standing.generation)
            tables = self._tables.get(asked)
            if tables is None:
                projection = self._projections[standing.name]
                tables = self._tables[asked] = TableSet(self.session, projection, "live", standing.generation)
            cursors.append(Cursor(tables, standing, self.now_us, discreet=self.group.whole_records))
        return cursors

    def _isolate_spoiled(self, found: Window) -> None:
        """The entry at `spoiled_at` cannot be decoded: fails the projections that want it, lets the others pass."""
        assert found.spoiled is not None
        at = found.spoiled_at
        standings = dict(self._cohorts()).get(at - 1, ())
        with self.session.transaction():
            for cursor in self._cursors(standings):
                if not wants(self.log, self.group, cursor.projection.names, at):
                    cursor.advance((), at)
                else:
                    name = str(getattr(found.spoiled, "name", "") or "?")
                    cursor.fail(poisoned(at, name, found.spoiled, discreet=cursor.discreet))


def _is_due(standing: Standing, now_us: int) -> bool:
    return standing.status == "failed" and (standing.retry_us or 0) <= now_us

