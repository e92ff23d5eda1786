"""The peer of the rebuild: the library's own `ProjectionRunner`, one event per transaction, doing the same rows.

The peer is spared what is ours: its events carry our event's JSON, which it decodes with our decoder into rows with
our columns and indexes; it is given the topics it wants, so that it never sees the rest. What is measured is
the way there: a subscription, one event, one transaction, one tracking record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteTrackingRecorder
from eventsourcing.utils import Environment, register_topic
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from domain.catalogue import EVENTS
from domain.kernel import Scanned
from projections.facts.catalogue import OUTCOMES, SAFETY, UTILIZATION

FACTS = [fact for group in (UTILIZATION, OUTCOMES, SAFETY) for fact in group]
WANTED = sorted({fact.name for fact in FACTS})
TABLES = list(dict.fromkeys(fact.table for fact in FACTS))
Row = dict[str, Any]


@dataclass(frozen=True)
class Entry(DomainEvent):
    """An event as the library stores it."""

    payload: str
    clinic: str | None
    subject: str | None


KINDS: dict[str, type[Entry]] = {
    name: type(name.title().replace(".", "").replace("_", ""), (Entry,), {"TOPIC": name, "__module__": __name__})
    for name in EVENTS
}  # fmt: skip
for _name, _kind in KINDS.items():
    register_topic(_name, _kind)


class Clinics(Application[UUID]):
    """The library's application over those entries."""

    name = "clinics"


def rows_by_name() -> dict[str, list[tuple[Table, Callable[[Scanned], Row]]]]:
    """Event name -> how each of its rows is made."""
    found: dict[str, list[tuple[Table, Callable[[Scanned], Row]]]] = {}
    for fact in FACTS:
        found.setdefault(fact.name, []).append((fact.table, fact.opener()))
    return found


class Rows:
    """What a view of either database does: our tables, and inserts by statement."""

    mark: ClassVar[str]
    dialect: ClassVar[Any]

    def _set_up(self) -> None:
        self.makers = rows_by_name()
        self.decoders = {name: msgspec.json.Decoder(EVENTS[name]).decode for name in WANTED}
        self.statements: dict[str, str] = {}
        for table in TABLES:
            names = [str(column.name) for column in table.columns]
            marks = ", ".join(self.mark.replace("NAME", name) for name in names)
            self.statements[table.name] = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"

    def definitions(self) -> list[str]:
        """Our tables with their final indexes."""
        made: list[str] = []
        for table in TABLES:
            copy = table.to_metadata(MetaData())
            made.append(str(CreateTable(copy, if_not_exists=True).compile(dialect=self.dialect)))
            for index in copy.indexes:
                made.append(str(CreateIndex(index, if_not_exists=True).compile(dialect=self.dialect)))
        return made

    def insertions(self, event: Entry, position: int) -> list[tuple[str, Row]]:
        """The rows of one event."""
        name = type(event).TOPIC  # type: ignore[attr-defined]
        if name not in self.makers:
            return []
        scanned = Scanned(
            position, str(event.originator_id), event.originator_version, name,
            self.decoders[name](event.payload.encode()), event.clinic, event.subject, 0,
        )
        return [(self.statements[table.name], {**make(scanned), "known_to": None}) for table, make in self.makers[name]]


class PostgresView(PostgresTrackingRecorder, Rows):
    """The library's tracking recorder with our rows beside it."""

    mark = "%(NAME)s"
    dialect = postgresql.dialect()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._set_up()
        self.create_table()
        with self.datastore.transaction(commit=True) as cursor:
            for statement in self.definitions():
                cursor.execute(statement)  # type: ignore[call-overload]

    def write(self, event: Entry, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            for statement, row in self.insertions(event, tracking.notification_id):
                cursor.execute(statement, row, prepare=True)  # type: ignore[call-overload]
            self._insert_tracking(cursor, tracking)

    def forget(self) -> None:
        """Empties the tables and the tracking, for the next round."""
        with self.datastore.transaction(commit=True) as cursor:
            for name in [table.name for table in TABLES]:
                cursor.execute(f"DELETE FROM {name}")  # type: ignore[call-overload]
            cursor.execute(
                f"DELETE FROM {self.tracking_table_name} WHERE application_name = %s", (Clinics.name,)  # type: ignore[call-overload]
            )


class SqliteView(SQLiteTrackingRecorder, Rows):
    """The same on SQLite."""

    mark = ":NAME"
    dialect = sqlite.dialect()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._set_up()
        self.create_table()
        with self.datastore.transaction(commit=True) as cursor:
            for statement in self.definitions():
                cursor.execute(statement)

    def write(self, event: Entry, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            for statement, row in self.insertions(event, tracking.notification_id):
                cursor.execute(statement, row)  # type: ignore[arg-type]
            self._insert_tracking(cursor, tracking)

    def forget(self) -> None:
        """Empties the tables and the tracking, for the next round."""
        with self.datastore.transaction(commit=True) as cursor:
            for name in [table.name for table in TABLES]:
                cursor.execute(f"DELETE FROM {name}")
            cursor.execute("DELETE FROM tracking WHERE application_name = ?", (Clinics.name,))


class ClinicRows(Projection[Any]):
    """One event, one transaction; the position is kept for every event it is given."""

    name = "clinicrows"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.write(domain_event, tracking)


class ChosenClinicRows(ClinicRows):
    """The same, asking for the events that make rows alone."""

    name = "clinicrows"
    topics = tuple(WANTED)


def fill(environment: dict[str, str], slice_of_log: Sequence[tuple[UUID, str, str, str | None, str | None]]) -> int:
    """Puts a slice of our log (stream, name, JSON, clinic, subject) into the library's; its length."""
    app = Clinics(env=environment)
    versions: dict[UUID, int] = {}
    events = []
    for stream_id, name, payload, clinic, subject in slice_of_log:
        versions[stream_id] = versions.get(stream_id, 0) + 1
        events.append(KINDS[name](
            originator_id=stream_id, originator_version=versions[stream_id], timestamp=Entry.create_timestamp(),
            payload=payload, clinic=clinic, subject=subject,
        ))
    for start in range(0, len(events), 500):
        app.events.put(events[start : start + 500])
    app.close()
    return len(events)


def run(environment: dict[str, str], length: int, *, topics: bool) -> float:
    """Events of the slice per second, through the library's runner (on SQLite, which has none, its loop by hand)."""
    projection = ChosenClinicRows if topics else ClinicRows
    work = _run_by_hand if "SQLITE_DBNAME" in environment else _run
    return length / work(environment, projection)


def _run(environment: dict[str, str], projection: type[ClinicRows]) -> float:
    app = Clinics(env=environment)
    wanted = app.recorder.select_notifications(1, 1_000_000, topics=projection.topics)
    app.close()
    began = time.perf_counter()
    with ProjectionRunner(
        application_class=Clinics, projection_class=projection, view_class=PostgresView, env=environment
    ) as runner:
        runner.wait(wanted[-1].id, timeout=600)
        took = time.perf_counter() - began
        runner.projection.view.forget()
    return took


def _run_by_hand(environment: dict[str, str], projection: type[ClinicRows]) -> float:
    """What the runner does, without its thread: `subscribe` is not implemented for SQLite."""
    app = Clinics(env=environment)
    views = {**environment, "SQLITE_DBNAME": environment["SQLITE_DBNAME"] + ".view"}
    view = app.construct_factory(Environment("clinicrows", views)).tracking_recorder(SqliteView)
    handler = projection(view=view)
    began, start = time.perf_counter(), 1
    while notifications := app.recorder.select_notifications(start, 500, topics=projection.topics):
        for notification in notifications:
            event: Any = app.mapper.to_domain_event(notification)
            handler.process_event(event, Tracking(app.name, notification.id))
        start = notifications[-1].id + 1
    took = time.perf_counter() - began
    view.forget()
    app.close()
    return took
