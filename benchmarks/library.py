"""The peer: the `eventsourcing` library as its documentation shows it, in its default mode.

The same act as ours carries (a side effect reported at a visit, with a note), through
`repository.get` and `save`; no envelope, sealing, leaf, claims or idempotency.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

NOTE = "a little, soon over"


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
    """The library's application, unchanged. POSTGRES_ENABLE_DB_FUNCTIONS stays at its default (off)."""

    name = "visits"


def get_and_save(app: Visits, seconds: float, per_visit: int) -> int:
    """For so long: get the visit, report a side effect, save; the number of those."""
    done, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        visit = create_and_save(app)
        for _ in range(per_visit):
            known: Visit = app.repository.get(visit.id)
            known.report_side_effect(uuid4(), "nausea", 1, False, datetime.now(UTC), NOTE)
            app.save(known)
        done += per_visit
    return done


def create_and_save(app: Visits) -> Visit:
    """Bare create-and-save, the peer behind HTTP."""
    visit = Visit(patient_id=uuid4(), visit_kind="series")
    app.save(visit)
    return visit
