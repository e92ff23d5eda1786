"""The dashboards of an organisation of 30 clinics over two years: how long an answer takes, as the log grows.

Every answer is computed from the facts: nothing of an earlier one is kept. The floor is what a program in Python must
do at the least to compute the same from the tables: ask the database for the same rows, and take them in. Half a year,
two years and the floor take turns in every round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Table, select

from api.bootstrap import Urls
from benchmarks import histories
from benchmarks.organisation import DENSITIES, Organisation
from benchmarks.places import KINDS, Ground
from benchmarks.report import Line, Part, at_most
from benchmarks.rounds import tell
from projections import boosters, outcomes, referral_funnel, room_board, safety, utilization
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.facts import tables as t
from projections.metrics.calendar import Period
from projections.migrations import migrate
from projections.registry import facts_group

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
SETS = (1, 3, 30)
WEEKS_MS, ALL_TIME_MS, FLAT = 100, 500, 1.2
WEEKS_DAYS, ALL_DAYS = 91, 7 * 106
ANSWERS = 12
"""Of each question in each round; the 95th percentile is taken over all rounds."""
SLOW_MS = 5_000
"""A slow one is not asked so often."""

ROWS: dict[str, Sequence[Table]] = {
    "utilization": (t.visit_facts, t.appointment_facts),
    "outcomes": (t.infusion_facts, t.score_facts, t.follow_up_facts, t.course_facts),
    "safety": (t.safety_facts,),
    "funnel": (t.patient_facts, t.course_facts, t.infusion_facts),
    "boosters": (t.infusion_facts, t.score_facts, t.course_facts, t.appointment_facts),
}
Report = Callable[..., object]
REPORTS: dict[str, Report] = {
    "utilization": utilization.report, "outcomes": outcomes.report, "safety": safety.report,
    "funnel": referral_funnel.report,
}
NOW: dict[str, Report] = {"boosters": boosters.report, "operations": room_board.report}
"""Those as of a moment, without a period."""


@dataclass
class Asked:
    """One organisation's read models."""

    database: ViewsDatabase
    clinics: list[str]
    end: datetime
    busy: datetime
    """When drug was last started: the room board's moment."""
    events: int
    loading_s: float = 0.0

    def answer(self, dashboard: str, clinics: int, days: int) -> float:
        """Milliseconds of one report."""
        period, here = Period(self.end.date() - timedelta(days=days - 1), self.end.date()), self.clinics[:clinics]
        began = time.perf_counter()
        with self.database.reads.connect() as connection:
            if dashboard in NOW:
                NOW[dashboard](connection, here, as_of=self.busy if dashboard == "operations" else self.end)
            else:
                REPORTS[dashboard](connection, here, period, as_of=self.end)
        return (time.perf_counter() - began) * 1000

    def floor(self, dashboard: str, clinics: int, days: int) -> float:
        """Milliseconds of fetching the rows that happened at these clinics in the period, and nothing else."""
        since = int((self.end - timedelta(days=days)).timestamp() * 1_000_000)
        began = time.perf_counter()
        with self.database.reads.connect() as connection:
            for table in ROWS[dashboard]:
                _fetched(connection, table, self.clinics[:clinics], since)
        return (time.perf_counter() - began) * 1000


def _fetched(connection: Connection, table: Table, clinics: Sequence[str], since: int) -> int:
    standing = table.c.known_to.is_(None)
    query = select(table).where(table.c.clinic.in_(clinics), table.c.at_us >= since, standing)
    return len(connection.execute(query).all())


def run(ground: Ground, rounds: int, quick: bool) -> Part:
    """Both databases, a half-year and two years of the same organisation."""
    original = histories.live_once(0.2 if quick else 1.0)
    lines: list[Line] = []
    for kind in KINDS:
        short, long = (_built(ground, kind, Organisation(original, half_years)) for half_years in (1, len(DENSITIES)))
        lines += _measured(NAMES[kind], short, long, rounds)
        for each in (short, long):
            each.database.close()
        ground.settle()
    return Part(
        "dashboards", "Dashboards of 30 clinics",
        "Ten times the demo's three clinics side by side, each with three to four times its patients and rooms; half a "
        "year of them, and two years. Asked for the last 13 weeks of one, three and all clinics, and for all time. "
        "p95 of the whole report (queries, cuts, folding, figures), in process.",
        lines,
        notes=(
            "The floor: fetching the same clinics' rows of the same weeks by SQLAlchemy, without computing anything.",
            "The facts are held as columns by each process and followed by position before each answer; the first "
            "answer of a process reads them: that time is given apart.",
            "Figures of single clinics are made when they are opened; the report holds those of all together.",
            "The booster list and the room board (operations) are as of a moment: they have no period. The board is "
            "computed row by row from what is open then, five minutes after the last drug start; it has no floor.",
            "While the log grows: medians; the same weeks with half a year behind them and with two years.",
        ),
    )


def _built(ground: Ground, kind: str, organisation: Organisation) -> Asked:
    settings = ground.settings(kind, "organisation")
    url = Urls.of(settings).views
    if settings.migration_url is not None:
        url = str(settings.migration_url)
    migrate(url)
    database = ViewsDatabase(url)
    engine = ProjectionEngine(database, organisation, (facts_group(),))
    engine.rebuild([one.name for one in facts_group().projections], resume=False)
    engine.close()
    clinics, end = organisation.clinics, organisation.original.end
    with database.reads.connect() as connection:
        started = room_board.last_start(connection, clinics, end)
    database.close()
    busy = end if started is None else datetime.fromtimestamp(started / 1_000_000, UTC) + timedelta(minutes=5)
    found = Asked(ViewsDatabase(url), clinics, end, busy, organisation.head())
    found.loading_s = found.answer("safety", 1, 91) / 1000
    tell(f" {NAMES[kind]}: {found.events:,} events, columns read in {found.loading_s:.1f} s")
    return found


def _measured(name: str, short: Asked, long: Asked, rounds: int) -> list[Line]:
    lines = [Line(
        f"{name}: reading the columns, once per process", f"{long.loading_s:.1f} s", f"{short.events:,} events",
        f"{short.loading_s:.1f} s",
    )]  # fmt: skip
    for dashboard in (*REPORTS, *NOW):
        for clinics in SETS:
            lines += _of_weeks(name, dashboard, clinics, short, long, rounds)
        if dashboard in REPORTS:
            took = _p95([one for _ in range(rounds) for one in _asked(long, dashboard, SETS[-1], ALL_DAYS)])
            lines.append(Line(
                f"{name}, {dashboard}: {SETS[-1]} clinics, all time", f"{took:,.0f} ms", bar=f"< {ALL_TIME_MS} ms",
                met=took < ALL_TIME_MS,
            ))  # fmt: skip
    return lines


def _of_weeks(name: str, dashboard: str, clinics: int, short: Asked, long: Asked, rounds: int) -> list[Line]:
    before, after, floors = [], [], []
    for _ in range(rounds):
        before += _asked(short, dashboard, clinics, WEEKS_DAYS)
        after += _asked(long, dashboard, clinics, WEEKS_DAYS)
        if dashboard in ROWS:
            floors.append(long.floor(dashboard, clinics, WEEKS_DAYS))
    what, took = f"{name}, {dashboard}: {clinics} clinic{'s' if clinics > 1 else ''}", _p95(after)
    bar, met = f"< {WEEKS_MS} ms", took < WEEKS_MS
    now, earlier = statistics.median(after), statistics.median(before)
    ratio, flat, flat_met = at_most(now / earlier, FLAT)
    floor = statistics.median(floors) if floors else None
    return [
        Line(f"{what}, {long.events:,} events", f"{took:,.0f} ms", bar=bar, met=met) if floor is None else
        Line(f"{what}, {long.events:,} events", f"{took:,.0f} ms", "bare query", f"{floor:,.0f} ms",
             f"{took / floor:.2f} x", bar, met),
        Line(f"{what}, while the log grows", f"{now:,.1f} ms", f"{short.events:,} events", f"{earlier:,.1f} ms", ratio,
             flat, flat_met),
    ]  # fmt: skip


def _asked(asked: Asked, dashboard: str, clinics: int, days: int) -> list[float]:
    """Milliseconds of a round's answers."""
    took: list[float] = []
    while len(took) < ANSWERS and sum(took) < SLOW_MS:
        took.append(asked.answer(dashboard, clinics, days))
    return took


def _p95(took: Sequence[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]
