"""What every report of a period begins with: the columns, the clinics' calendars, and where the two are cut."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from projections.columns import store
from projections.columns.store import Facts
from projections.facts.loading import calendars, widest
from projections.facts.reading import Cut
from projections.metrics.calendar import ClinicCalendar, Period
from projections.metrics.intervals import Span


class Asked(NamedTuple):
    """`known` are the clinics that were opened, by id, ordered; `span` goes over the period on all their clocks."""

    facts: Facts
    known: dict[str, ClinicCalendar]
    period: Period
    span: Span
    at: Cut

    def during(self, period: Period) -> Asked:
        """The same of another period."""
        return self._replace(period=period, span=widest(self.known.values(), period))


def asked(
    conn: Connection, clinics: Collection[str], period: Period, as_of: datetime, known_at: int | None
) -> Asked:
    """The question, and the columns brought up to date for it."""
    cut = Cut.at(as_of, known_at)
    facts = store.facts(conn)
    known = calendars(conn, clinics, cut)
    return Asked(facts, known, period, widest(known.values(), period), cut)
