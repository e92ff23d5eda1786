"""One batch, one projection: rows and position under one savepoint, and the search for a poison event.

When a batch fails, it is halved until the one event is found that cannot be applied; everything before it is
applied and stays. That is sound because rows do not depend on how the log is cut into batches.
"""

from __future__ import annotations

import gc
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import structlog

from domain.kernel import Recorded, Scanned
from projections.engine import positions
from projections.engine.database import Session, is_outage
from projections.engine.positions import Fenced, Standing
from projections.engine.projection import Projection
from projections.engine.tableset import TableSet
from projections.engine.working import Working

Entry = Scanned | Recorded
Clock = Callable[[], int]
"""The present moment in microseconds since the epoch, UTC."""

RETRY_AFTER_S = (1, 5, 15, 60, 300)
"""Backoff of a failed projection's retries: the n-th failure waits the n-th of these, then the last."""

_ERROR_LENGTH = 4000

log = structlog.get_logger("anodyne.projections")


_gc_pauses = 0
_gc_was_on = True
_gc_pausing = threading.Lock()


@contextmanager
def garbage_can_wait() -> Iterator[None]:
    """No cyclic garbage collection for the length of a batch: its rows make none, and walking them costs a quarter.

    Reference counting goes on. Counted, so that threads may overlap.
    """
    global _gc_pauses, _gc_was_on
    with _gc_pausing:
        if not _gc_pauses:
            _gc_was_on = gc.isenabled()
            gc.disable()
        _gc_pauses += 1
    try:
        yield
    finally:
        with _gc_pausing:
            _gc_pauses -= 1
            if not _gc_pauses and _gc_was_on:
                gc.enable()


class Poison(msgspec.Struct, frozen=True):
    """The event that a projection could not apply, and why."""

    position: int
    event: str
    error: str


class Cursor:
    """One projection's tables of one slot with their standing; moves as batches are applied.

    `skips` are positions that an operator told it to pass over (a rebuild has to; live tables have passed them).
    A `discreet` cursor keeps error messages out of the database, for they may quote what was unsealed.
    """

    def __init__(
        self,
        tables: TableSet,
        standing: Standing,
        now_us: Clock,
        *,
        skips: frozenset[int] = frozenset(),
        discreet: bool = False,
    ) -> None:
        self.tables = tables
        self.session: Session = tables.session
        self.projection: Projection = tables.projection
        self.standing = standing
        self.now_us = now_us
        self.skips = skips
        self.discreet = discreet
        self.rows_opened = 0

    @property
    def position(self) -> int:
        """The position up to which the tables hold everything."""
        return self.standing.position

    def wanted(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those of `entries` that are for this projection and that it has not had yet."""
        names, after, skips = self.projection.names, self.position, self.skips
        mine = [entry for entry in entries if entry.name in names]
        if mine and (skips or mine[0].position <= after):
            return [entry for entry in mine if entry.position > after and entry.position not in skips]
        return mine

    def advance(self, entries: Sequence[Entry], upto: int) -> Poison | None:
        """Applies `entries` (none above `upto`) and moves to `upto`; or to before the poison event, and returns it.

        Inside the caller's transaction. Raises Fenced, and errors of the database itself.
        """
        poison = self._halve(self.wanted(entries), upto)
        if poison is not None:
            self.fail(poison)
        return poison

    def _halve(self, entries: Sequence[Entry], upto: int) -> Poison | None:
        try:
            self._apply(entries, upto)
        except Exception as error:
            if isinstance(error, Fenced) or is_outage(error) or not entries:
                raise
            if len(entries) == 1:
                return poisoned(entries[0].position, entries[0].name, error, discreet=self.discreet)
        else:
            return None
        middle = len(entries) // 2
        first, second = entries[:middle], entries[middle:]
        return self._halve(first, first[-1].position) or self._halve(second, upto)

    def _apply(self, entries: Sequence[Entry], upto: int) -> None:
        """One savepoint: the compare-and-set first, so that of two workers the second stops before it works."""
        before = self.standing
        with self.session.savepoint():
            values = {"status": "running", "error": None, "failed_position": None, "failed_event": None}
            healed = {**values, "attempts": 0, "retry_us": None} if before.status == "failed" else {}
            after = positions.change(self.session.sql, before, self.now_us(), position=upto, **healed)
            opened = 0
            if entries:
                working = Working(self.tables, self.tables.shapes, before.position)
                self.projection.apply(entries, working)  # type: ignore[arg-type]
                opened = working.flush()
        self.standing = after
        self.rows_opened += opened

    def fail(self, poison: Poison) -> None:
        """Moves to just before the poison event and takes the projection out of its group until its retry."""
        seen = self.standing
        attempts = seen.attempts + 1 if seen.failed_position == poison.position else 1
        pause_s = RETRY_AFTER_S[min(attempts, len(RETRY_AFTER_S)) - 1]
        now = self.now_us()
        log.error(
            "projections.event_failed", projection=seen.name, slot=seen.slot, position=poison.position,
            event_name=poison.event, attempts=attempts, retry_in_s=pause_s,
        )  # fmt: skip
        self.standing = positions.change(
            self.session.sql, seen, now, position=poison.position - 1, status="failed", error=poison.error,
            failed_position=poison.position, failed_event=poison.event, attempts=attempts,
            retry_us=now + pause_s * 1_000_000,
        )  # fmt: skip


def poisoned(position: int, name: str, error: BaseException, *, discreet: bool) -> Poison:
    """The poison event with the error's innermost frames and, last, the error (its type alone when `discreet`)."""
    told = type(error).__name__ if discreet else "".join(traceback.format_exception_only(error)).strip()
    frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
    return Poison(position, name, f"{frames[-_ERROR_LENGTH:]}{told[-_ERROR_LENGTH:]}")
