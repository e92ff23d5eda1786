"""Processes beside the projections: their timers in the views' database, their thread in the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Column, MetaData, String, Table, delete, insert, select

from api.bootstrap import Services
from api.mail.boxes import Boxes
from domain.kernel import Envelope, derived_id
from domain.system import MetricDefinitionPublished
from projections.engine.database import ViewsDatabase, writing
from projections.metrics.definitions import DEFINITIONS
from services.log import Append, EventLog, StreamWrite
from services.processes.erased_bookings import BookingsOfErased
from services.processes.erasures import ApprovedErasures
from services.processes.escalations import AlertLetters, Escalations
from services.processes.follow_ups import MissedFollowUps
from services.processes.reminders import Reminders
from services.processes.timers import Forget, Process, Timer, log_now, run_once
from services.use_cases.erasing import Erasing

__all__ = ["Processes", "SqlTimers", "processes_of", "publish_definitions", "telling"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POLL_S = 1.0

ANSWERS_KEPT = timedelta(days=30)
"""How long a retry gets its first answer (DESIGN: Idempotency)."""

Chore = Callable[[datetime], object]
"""Done every round, by the log's clock."""

PURGE_EVERY_S = 3600.0
LONGEST_PAUSE_S = 60.0

_log = structlog.get_logger("anodyne.processes")
_METADATA = MetaData()

POSITIONS = Table(
    "ops_process_positions",
    _METADATA,
    Column("process", String(100), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

TIMERS = Table(
    "ops_timers",
    _METADATA,
    Column("process", String(100), primary_key=True),
    Column("timer_id", String(36), primary_key=True),
    Column("subject", String(36), nullable=False),
    Column("due_us", BigInteger, nullable=False),
)


class SqlTimers:
    """Timers in the views' database (both kinds). Several workers may use them: what one did, the log knows."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def position(self, process: str) -> int:
        """Up to where the process has followed the log."""
        with self._database.reads.connect() as sql:
            found = sql.execute(select(POSITIONS.c.position).where(POSITIONS.c.process == process)).scalar()
        return int(found or 0)

    def note(self, process: str, position: int, said: Sequence[Timer | Forget]) -> None:
        """Saves timers and the position in one transaction."""
        last = {str(one.timer_id): one for one in said}
        rows = [
            {"process": process, "timer_id": key, "subject": str(one.subject), "due_us": _us(one.due_at)}
            for key, one in last.items() if isinstance(one, Timer)
        ]
        mine = POSITIONS.c.process == process
        with writing(self._database.reads) as sql:
            for key in last:
                sql.execute(delete(TIMERS).where(TIMERS.c.process == process, TIMERS.c.timer_id == key))
            if rows:
                sql.execute(insert(TIMERS), rows)
            sql.execute(delete(POSITIONS).where(mine))
            sql.execute(insert(POSITIONS).values(process=process, position=position))

    def due(self, process: str, now: datetime, limit: int) -> Sequence[Timer]:
        """The timers that are due, the earliest first."""
        chosen = (
            select(TIMERS).where(TIMERS.c.process == process, TIMERS.c.due_us <= _us(now))
            .order_by(TIMERS.c.due_us, TIMERS.c.timer_id).limit(limit)
        )
        with self._database.reads.connect() as sql:
            rows = sql.execute(chosen).mappings().all()
        return [
            Timer(timer_id=UUID(row["timer_id"]), subject=UUID(row["subject"]),
                  due_at=EPOCH + timedelta(microseconds=row["due_us"]))
            for row in rows
        ]


class Processes(threading.Thread):
    """Runs every process, one after another, until told to stop. A failure of one does not stop the others."""

    def __init__(
        self, services: Services, database: ViewsDatabase, *, poll_s: float = POLL_S, chores: Sequence[Chore] = ()
    ) -> None:
        super().__init__(name="processes")
        self.stopping = threading.Event()
        self._services = services
        self._store = SqlTimers(database)
        self._processes = (*processes_of(services), *telling(services, database))
        self._poll_s = poll_s
        self._chores = tuple(chores)

    def run(self) -> None:
        """Until `stopping`."""
        failures, purge_at, published = 0, time.monotonic(), False
        while not self.stopping.is_set():
            failed = False
            if not published:
                published = self._published_definitions()
                failed = not published
            if time.monotonic() >= purge_at:
                failed = not self._forgot_answers()
                purge_at = time.monotonic() + PURGE_EVERY_S
            for process in self._processes:
                try:
                    run_once(process, self._services.log, self._store, self._now(), self.stopping.is_set)
                except Exception as error:
                    failed = True
                    _log.error("processes.failed", name=process.name, error=type(error).__name__)
            failed = not self._did_chores() or failed
            failures = failures + 1 if failed else 0
            self.stopping.wait(min(self._poll_s * 2**failures, LONGEST_PAUSE_S))

    def _did_chores(self) -> bool:
        """What is due by the calendar rather than by an event; whether all of it could be done."""
        done = True
        for chore in self._chores:
            try:
                chore(self._now())
            except Exception as error:
                done = False
                _log.error("processes.failed", name="chore", error=type(error).__name__)
        return done

    def _now(self) -> datetime:
        log = self._services.log
        return log_now(log, self._services.clock, simulated=log.mode() == "simulation")

    def _published_definitions(self) -> bool:
        """Puts every definition of a figure on record that is not there yet; whether it could."""
        try:
            publish_definitions(self._services.log, self._now())
        except Exception as error:
            _log.error("processes.failed", name="publish_definitions", error=type(error).__name__)
            return False
        return True

    def _forgot_answers(self) -> bool:
        """Forgets answers that nobody may ask for again; whether it could."""
        before = self._services.clock.now() - ANSWERS_KEPT
        try:
            for log in (self._services.log, self._services.access.log):
                log.purge_idempotency(before)
        except Exception as error:
            _log.error("processes.failed", name="forget_answers", error=type(error).__name__)
            return False
        return True

    def stop(self, timeout_s: float) -> bool:
        """Lets the timer under way finish; whether it did in time."""
        self.stopping.set()
        self.join(timeout_s)
        return not self.is_alive()


def publish_definitions(log: EventLog, now: datetime) -> int:
    """Appends MetricDefinitionPublished for what is not on record yet; how many. Raises StreamConflict."""
    stream_id = derived_id("system")
    records = log.read_stream(stream_id)
    said = {
        (r.event.metric, r.event.definition_version) for r in records if isinstance(r.event, MetricDefinitionPublished)
    }
    missing = tuple(
        MetricDefinitionPublished(
            occurred_at=now, metric=one.name, definition_version=one.version, text=f"{one.text} = {one.formula}")
        for one in DEFINITIONS if (one.name, one.version) not in said
    )
    if missing:
        version = records[-1].version if records else 0
        log.append(Append(
            writes=(StreamWrite(stream_id, version, missing),),
            envelope=Envelope(actor="process:definitions", role="system", clinic_id=None, origin="process"),
        ))
    return len(missing)


def processes_of(services: Services) -> tuple[Process, ...]:
    """Every process of the system."""
    erasing = Erasing(services.handling, services.log, services.keys)
    return (
        MissedFollowUps(services.handling), ApprovedErasures(services.handling, erasing),
        BookingsOfErased(services.handling, services.log),
    )


def telling(services: Services, database: ViewsDatabase) -> tuple[Process, ...]:
    """The processes that tell people of something: of a follow-up that is due, of an alert from home."""
    boxes = Boxes(database.reads)
    return (
        Escalations(services.handling), AlertLetters(services.handling, boxes), Reminders(services.handling, boxes),
    )


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
