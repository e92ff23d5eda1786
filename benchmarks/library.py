"""The peer: the `eventsourcing` library as its documentation shows it, in its default mode.

The same act as ours carries (a side effect reported at a visit, with a note), through
`repository.get` and `save`; no envelope, sealing, leaf, claims or idempotency.
"""

from __future__ import annotations

import itertools
import time
from datetime import datetime
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.projection import ProjectionRunner  # noqa: F401  (re-exported for benchmarks.projections)


class Visit(Aggregate):
    """A visit in the library's own style."""

    @event("PatientArrived")
    def __init__(self, patient_id: UUID, visit_kind: str) -> None:
        self.patient_id = patient_id
        self.visit_kind = visit_kind
        self.side_effects: dict[str, int] = {}

    @event("SideEffectReported")
    def report_side_effect(
        self, side_effect_id: UUID, kind: str, grade: int, serious: bool, onset_at: datetime, note: str
    ) -> None:
        self.side_effects[str(side_effect_id)] = grade


class Visits(Application[UUID]):
    """The library's application, unchanged."""

    name = "visits"


def postgres_environment(host: str, port: str, dbname: str, user: str, password: str) -> dict[str, str]:
    """The library's settings; POSTGRES_ENABLE_DB_FUNCTIONS stays at its default (off)."""
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_HOST": host, "POSTGRES_PORT": port,
        "POSTGRES_DBNAME": dbname, "POSTGRES_USER": user, "POSTGRES_PASSWORD": password,
    }


def sqlite_environment(path: str) -> dict[str, str]:
    """The library on one SQLite file (its own defaults: WAL, synchronous=FULL)."""
    return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": path}


def get_and_save(app: Visits, seconds: float, onset: datetime, per_visit: int = 20) -> float:
    """Commands per second: get the visit, report a side effect, save; 20 per visit."""
    done = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        visit = Visit(patient_id=uuid4(), visit_kind="series")
        app.save(visit)
        for _ in range(per_visit):
            known: Visit = app.repository.get(visit.id)
            known.report_side_effect(uuid4(), "nausea", 1, False, onset, "a little, soon over")
            app.save(known)
            done += 1
    return done / (time.perf_counter() - began)


def create_and_save(app: Visits, count: int) -> None:
    """Bare create-and-save, the peer behind HTTP."""
    for _ in itertools.repeat(None, count):
        app.save(Visit(patient_id=uuid4(), visit_kind="series"))


__all__ = ["Tracking", "Visit", "Visits", "create_and_save", "get_and_save", "postgres_environment"]
