"""Whose relief is about to go? The booster list of some clinics, as of a moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from projections.columns import store as columns
from projections.columns.boosters import LOOK_BACK, Boosters
from projections.facts.loading import calendars
from projections.facts.reading import Cut
from projections.metrics.boosters import BoosterList
from projections.metrics.definitions import BOOSTER_DUE, Definition

__all__ = ["LOOK_BACK", "BoosterReport", "report"]


class BoosterReport(msgspec.Struct, frozen=True, kw_only=True):
    """The list at the clinics that the courses belong to."""

    as_of: datetime
    known_at: int | None
    clinics: tuple[str, ...]
    boosters: BoosterList
    definitions: tuple[Definition, ...] = (BOOSTER_DUE,)


def report(
    conn: Connection, clinics: Collection[str], *, as_of: datetime, known_at: int | None = None
) -> BoosterReport:
    """Open courses past their series, each with when its next booster is due and why."""
    cut = Cut.at(as_of, known_at)
    known = calendars(conn, clinics, cut)
    found = Boosters(columns.facts(conn), known, cut).listed()
    return BoosterReport(as_of=as_of, known_at=known_at, clinics=tuple(known), boosters=found)
