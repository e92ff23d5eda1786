"""The dashboards of an organisation of 30 clinics over two years: how long an answer takes, as the log grows.

Every answer is computed from the facts: nothing of an earlier one is kept. The floor is what a program in Python must
do at the least to compute the same from the tables: ask the database for the same rows, and take them in.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, select

from api.bootstrap import Urls
from benchmarks import histories
from benchmarks.organisation import DENSITIES, Organisation
from benchmarks.places import KINDS, Ground
from benchmarks.report import Line, Part, at_most
from benchmarks.rounds import tell
from projections import boosters, outcomes, safety, utilization
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.facts import tables as t
from projections.metrics.calendar import Period
from projections.migrations import migrate
from projections.registry import facts_group

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
SETS = (1, 3, 30)
WEEKS_MS, ALL_TIME_MS, FLAT = 100, 500, 1.2
ANSWERS = 12
"""Of each question in each round; the 95th percentile is taken over all rounds."""

ROWS: dict[str, Sequence[Table]] = {
    "utilization": (t.visit_facts, t.appointment_facts),
    "outcomes": (t.infusion_facts, t.score_facts, t.follow_up_facts, t.course_facts),
    "safety": (t.safety_facts,),
    "boosters": (t.infusion_facts, t.score_facts, t.course_facts, t.appointment_facts),
}
Report = Callable[..., object]
REPORTS: dict[str, Report] = {
    "utilization": utilization.report, "outcomes": outcomes.report, "safety": safety.report,
}


@dataclass
class Asked:
    """One organisation's read models."""

    database: ViewsDatabase
    clinics: list[str]
    end: datetime
    events: int
    loading_s: float = 0.0

    def answer(self, dashboard: str, clinics: int, days: int) -> object:
        """One report."""
        period = Period(self.end.date() - timedelta(days=days - 1), self.end.date())
        with self.database.reads.connect() as connection:
            if dashboard == "boosters":
                return boosters.report(connection, self.clinics[:clinics], as_of=self.end)
            return REPORTS[dashboard](connection, self.clinics[:clinics], period, as_of=self.end)

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
            "The booster list is as of a moment: it has no period. It is still computed row by row.",
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
    found = Asked(ViewsDatabase(url), organisation.clinics, organisation.original.end, organisation.head())
    began = time.perf_counter()
    found.answer("safety", 1, 91)
    found.loading_s = time.perf_counter() - began
    tell(f" {NAMES[kind]}: {found.events:,} events, columns read in {found.loading_s:.1f} s")
    return found


def _measured(name: str, short: Asked, long: Asked, rounds: int) -> list[Line]:
    lines = [Line(
        f"{name}: reading the columns, once per process", f"{long.loading_s:.1f} s", f"{short.events:,} events",
        f"{short.loading_s:.1f} s",
    )]  # fmt: skip
    for dashboard in (*REPORTS, "boosters"):
        for clinics in SETS:
            lines += _of_weeks(name, dashboard, clinics, short, long, rounds)
        if dashboard != "boosters":
            took = _p95(long, dashboard, SETS[-1], 7 * 106, rounds)
            lines.append(Line(
                f"{name}, {dashboard}: {SETS[-1]} clinics, all time", f"{took:,.0f} ms", bar=f"< {ALL_TIME_MS} ms",
                met=took < ALL_TIME_MS,
            ))  # fmt: skip
    return lines


def _of_weeks(name: str, dashboard: str, clinics: int, short: Asked, long: Asked, rounds: int) -> list[Line]:
    before, after = (_p95(each, dashboard, clinics, 91, rounds) for each in (short, long))
    floor = statistics.median(long.floor(dashboard, clinics, 91) for _ in range(rounds))
    what = f"{name}, {dashboard}: {clinics} clinic{'s' if clinics > 1 else ''}"
    ratio, bar, met = at_most(after / before, FLAT)
    return [
        Line(f"{what}, {long.events:,} events", f"{after:,.0f} ms", "bare query", f"{floor:,.0f} ms",
             f"{after / floor:.2f} x", f"< {WEEKS_MS} ms", after < WEEKS_MS),
        Line(f"{what}, while the log grows", f"{after:,.0f} ms", f"{short.events:,} events", f"{before:,.0f} ms", ratio,
             bar, met),
    ]  # fmt: skip


def _p95(asked: Asked, dashboard: str, clinics: int, days: int, rounds: int) -> float:
    took = []
    for _ in range(ANSWERS * rounds):
        began = time.perf_counter()
        asked.answer(dashboard, clinics, days)
        took.append((time.perf_counter() - began) * 1000)
        if len(took) > 3 and sum(took) > 20_000:  # a slow one need not be asked so often
            break
    return statistics.quantiles(took, n=20)[-1]
