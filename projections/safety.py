"""What harm came of it, and what nearly did? Side effects, early ends, alerts, refusals, overrides, breaches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from projections.columns import store
from projections.columns.asked import asked
from projections.columns.open_episodes import OpenEpisodes, open_episodes
from projections.columns.safety import SafetyFacts
from projections.columns.safety_figures import SafetyFigures
from projections.facts.reading import Cut
from projections.loose_ends import open_ends
from projections.metrics.calendar import Period
from projections.metrics.definitions import SAFETY, Definition
from projections.metrics.figures import FactIds, Figure
from projections.metrics.safety import Board, ControlPoint, KindFigures


class SafetyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Every safety figure of some clinics over a period; infusions and their episodes by drug start."""

    period: Period
    as_of: datetime
    known_at: int | None
    clinics: tuple[str, ...]
    infusions: int
    episodes: int
    any_side_effect: Figure
    per_100: Figure
    serious: Figure
    by_kind: tuple[KindFigures, ...]
    endings: Mapping[str, Figure]
    open_over_28_days: Figure
    cumulative_symptoms: Mapping[str, tuple[tuple[str, Figure], ...]]
    unattributed: tuple[str, ...]
    control_chart: tuple[ControlPoint, ...]
    board: Board
    definitions: tuple[Definition, ...] = SAFETY


class OpenNow(NamedTuple):
    """What somebody must still do at some clinics, whenever it began. Alerts and orders by their facts."""

    alerts: tuple[str, ...]
    orders_overdue: tuple[str, ...]
    episodes: OpenEpisodes


def open_now(
    conn: Connection, clinics: Collection[str], *, as_of: datetime, known_at: int | None = None
) -> OpenNow:
    """Alerts not acknowledged, orders not countersigned in time, side effects not over or without a signature."""
    cut = Cut.at(as_of, known_at)
    open_rows = open_ends(conn, clinics, cut)
    return OpenNow(
        alerts=tuple(row["fact_id"] for row in open_rows if row["kind"] in ("alert", "home_alert")),
        orders_overdue=tuple(
            row["fact_id"] for row in open_rows
            if row["kind"] == "order" and row["due_us"] is not None and row["due_us"] < cut.as_of_us
        ),
        episodes=open_episodes(store.facts(conn), clinics, cut),
    )  # fmt: skip


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> SafetyReport:
    """The dashboard's figures."""
    question = asked(conn, clinics, period, as_of, known_at)
    found = SafetyFacts(*question)
    figures = SafetyFigures(question.facts, found)
    return SafetyReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(question.known),
        infusions=len(found.infusions), episodes=len(found.episodes),
        any_side_effect=figures.share(found.episodes), per_100=figures.per_100(found.episodes),
        serious=figures.serious(), by_kind=figures.by_kind(), endings=figures.endings(),
        open_over_28_days=figures.open_long(), cumulative_symptoms=figures.cumulative(),
        unattributed=FactIds("y", found.unattributed.fact)[:], control_chart=figures.control_chart(),
        board=figures.board(),
    )  # fmt: skip
