"""Dashboards' reports as the edges ask for them: which there are, and every figure of one by its path.

The API's resources and the pages share this, so that both open the same figure by the same path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from api.auth.policy import READS_CHART
from api.http.context import principal, wired
from api.http.problems import Problem
from api.http.questions import Question
from projections import boosters, outcomes, referral_funnel, room_board, safety, side_by_side, utilization
from projections.metrics.calendar import Period
from projections.metrics.figures import Figure, Spread
from projections.metrics.lazy import Each, Later

__all__ = [
    "DASHBOARDS", "NAMES_PATIENTS", "Report", "ask", "compare", "figure_at", "figures", "fixed", "parts",
    "position_of",
]  # fmt: skip

Report = Callable[..., msgspec.Struct]

DASHBOARDS: dict[str, tuple[Report, str]] = {
    "utilization": (utilization.report, "How rooms and time are used."),
    "outcomes": (outcomes.report, "What helps: relief, responders, duration, dose, the path through a course."),
    "safety": (safety.report, "What harms: side effects, alerts, breaches, endings."),
    "boosters": (boosters.report, "Whose relief is about to go: due, overdue, booked, lost. As of a moment."),
    "operations": (room_board.report, "The house at a moment: rooms, patients, arrivals, what was left open."),
    "funnel": (referral_funnel.report, "From referral to consultation, first infusion, series and booster."),
}

NAMES_PATIENTS = frozenset({"boosters", "operations"})
"""Lists of patients: every reading is an entry of the access log. They are as of a moment and have no period."""

_POSITION = re.compile(r"[a-z]+([0-9]+)")


def ask(name: str, asked: Question) -> msgspec.Struct:
    """The report of a dashboard; one connection, nothing kept."""
    with wired().read_side.database.reads.connect() as connection:
        return _reported(name, connection, asked)


def compare(asked: Question, periods: Sequence[Period]) -> tuple[side_by_side.SideBySide, ...]:
    """Figures of several dashboards for each clinic by itself, over these periods."""
    with wired().read_side.database.reads.connect() as connection:
        return side_by_side.report(connection, asked.clinics, periods, as_of=asked.as_of, known_at=asked.known_at)


def _reported(name: str, connection: Connection, asked: Question) -> msgspec.Struct:
    report = DASHBOARDS[name][0]
    if name not in NAMES_PATIENTS:
        return report(connection, asked.clinics, asked.period, as_of=asked.as_of, known_at=asked.known_at)
    found = report(connection, asked.clinics, as_of=asked.as_of, known_at=asked.known_at)
    if isinstance(found, room_board.BoardReport) and principal().role not in READS_CHART:
        return room_board.without_signs(found)
    return found


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The members of a struct, mapping or sequence, each with its step of the path."""
    if isinstance(value, msgspec.Struct):
        yield from ((field, getattr(value, field)) for field in value.__struct_fields__)
    elif isinstance(value, Mapping):
        yield from ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, list | tuple | Later | Each):
        yield from ((str(index), inner) for index, inner in enumerate(value))


def figures(value: Any, path: str = "") -> Iterator[tuple[str, Figure | Spread]]:
    """Every figure of a report by its path."""
    if isinstance(value, Figure | Spread):
        yield path, value
        return
    for step, inner in parts(value):
        yield from figures(inner, f"{path}.{step}" if path else step)


def figure_at(report: msgspec.Struct, path: str) -> Figure | Spread:
    """The figure of a report at `path`; raises `Problem` 422."""
    found = dict(figures(report)).get(path)
    if found is None:
        raise Problem(422, "invalid-request", "There is no such figure.", errors=[
            {"pointer": "/figure", "detail": "No figure of this dashboard has that path."}])
    return found


def fixed(asked: Question) -> dict[str, str]:
    """The question with its defaults written out, so that a link opens the same figure later."""
    written = {
        "clinics": ",".join(asked.clinics), "from": asked.period.first.isoformat(), "to": asked.period.last.isoformat(),
        "as_of": asked.as_of.isoformat(),
    }
    return written if asked.known_at is None else {**written, "known_at": str(asked.known_at)}


def position_of(fact: str) -> int:
    """The log position of the entry that a fact was made of; 0 for what is no fact id."""
    match = _POSITION.match(fact)
    return int(match.group(1)) if match else 0
