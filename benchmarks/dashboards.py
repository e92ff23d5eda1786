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
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Table, make_url, select

from api.bootstrap import Urls
from api.http.figures import as_json
from api.memory import settle
from benchmarks import histories
from benchmarks.organisation import DENSITIES, Organisation
from benchmarks.places import KINDS, Ground
from benchmarks.report import Line, Part, at_most
from benchmarks.rounds import tell
from benchmarks.tasks import Answer, run_task
from benchmarks.visitor import PAGES, Visitor
from projections import boosters, outcomes, referral_funnel, room_board, safety, side_by_side, utilization
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.facts import tables as t
from projections.metrics.calendar import Period
from projections.migrations import migrate
from projections.registry import board_group, facts_group

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
SETS = (1, 3, 30)
WEEKS_MS, ALL_TIME_MS, FLAT = 100, 500, 1.2
WEEKS_DAYS, ALL_DAYS = 91, 7 * 106
ANSWERS = 12
"""Of each question in each round; the 95th percentile is taken over all rounds."""
APPENDED = 20
"""Events before each answer, while they come in."""

QUICK = 0.2
QUICK_DENSITIES = (1, 1)
"""The demo's size and how many times over, for a quick run."""

ROWS: dict[str, Sequence[Table]] = {
    "utilization": (t.visit_facts, t.appointment_facts),
    "outcomes": (t.infusion_facts, t.score_facts, t.follow_up_facts, t.course_facts),
    "safety": (t.safety_facts,),
    "funnel": (t.patient_facts, t.course_facts, t.infusion_facts),
    "side by side": (
        t.visit_facts, t.appointment_facts, t.infusion_facts, t.score_facts, t.follow_up_facts, t.safety_facts,
    ),
    "boosters": (t.infusion_facts, t.score_facts, t.course_facts, t.appointment_facts),
}
Report = Callable[..., msgspec.Struct]


def _side_by_side(
    conn: Connection, clinics: Sequence[str], period: Period, *, as_of: datetime
) -> side_by_side.SideBySide:
    """Every figure of every clinic by itself, and of all together."""
    (found,) = side_by_side.report(conn, clinics, [period], as_of=as_of)
    for figures in (found.together, *found.by_clinic.values()):
        dict(figures)
    return found


REPORTS: dict[str, Report] = {
    "utilization": utilization.report, "outcomes": outcomes.report, "safety": safety.report,
    "funnel": referral_funnel.report, "side by side": _side_by_side,
}
NOW: dict[str, Report] = {"boosters": boosters.report, "operations": room_board.report}
"""Those as of a moment, without a period."""


class Took(NamedTuple):
    """Milliseconds until a page's figures were there, and until all was written as JSON; rows of a list made."""

    report: float
    answer: float
    listed: int


@dataclass
class Asked:
    """One organisation's read models."""

    database: ViewsDatabase
    engine: ProjectionEngine
    organisation: Organisation
    clinics: list[str]
    end: datetime
    busy: datetime
    """When drug was last started: the room board's moment."""
    events: int
    built_s: float
    first: Answer
    """What a new process's first answer took, in seconds and in memory."""
    visitor: Visitor

    def grow(self) -> None:
        """Some events more in the log, taken in by the projections, as a worker does it; not measured."""
        self.organisation.append(APPENDED)
        while self.engine.run_once():
            pass

    def close(self) -> None:
        """Gives up the lead and closes the databases."""
        self.visitor.close()
        self.engine.close()
        self.database.close()

    def answer(self, dashboard: str, clinics: int, days: int) -> Took:
        """What one report takes, and the API's answer made of it."""
        period, here = Period(self.end.date() - timedelta(days=days - 1), self.end.date()), self.clinics[:clinics]
        began = time.perf_counter()
        with self.database.reads.connect() as connection:
            if dashboard in NOW:
                made = NOW[dashboard](connection, here, as_of=self.busy if dashboard == "operations" else self.end)
            else:
                made = REPORTS[dashboard](connection, here, period, as_of=self.end)
        reported = time.perf_counter()
        as_json(made, "/rows?figure=")
        listed = len(made.boosters.rows) if isinstance(made, boosters.BoosterReport) else 0
        return Took((reported - began) * 1000, (time.perf_counter() - began) * 1000, listed)

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
    original = histories.live_once(QUICK if quick else 1.0)
    lines, years = list[Line](), QUICK_DENSITIES if quick else DENSITIES
    for kind in KINDS:
        short, long = (
            _built(ground, kind, Organisation(original, densities, held_back))
            for densities, held_back in ((years[-1:], 0), (years, _coming(rounds)))
        )
        lines += _measured(NAMES[kind], short, long, rounds)
        for each in (short, long):
            each.close()
        ground.settle()
    return Part(
        "dashboards", "Dashboards of 30 clinics",
        "Ten times the demo's three clinics side by side, each with three to four times its patients and rooms; half a "
        "year of them, and two years. Asked for the last 13 weeks of one, three and all clinics, and for all time. "
        "p95 of the whole report (queries, cuts, folding, figures), in process; and of the API's answer.",
        lines,
        notes=(
            f"Every question is asked {ANSWERS} times in each round, of both logs in turn; no result is kept from one "
            "answer to the next.",
            f"While events come in: {APPENDED} of the newest are applied by the projection engine before each answer "
            "(their own time is the worker's, not the answer's); the answer has to read them into the columns first.",
            "As JSON: the API's answer, which holds every clinic's own figures too (eleven thousand of them for "
            "utilization at 30 clinics); a page shows those of all together.",
            "Not in the reports: the session, the access log's entry, the page's template, and the server. The whole "
            "pages have all of that but the socket: an owner with a session asks the application in process. Patients "
            "have no names there (no log holds any), so lists show none.",
            "Garbage is collected as in a served worker (`api.memory.settle`); what the benchmark's own event maker "
            "keeps is hidden from the collector: it is no part of a server.",
            "The floor: fetching the same clinics' rows of the same weeks by SQLAlchemy, without computing anything.",
            "The facts are held as columns by each process and followed by position before each answer. The first "
            "answer of a process reads them all. That one is outside the bars: its time and what the process holds "
            "afterwards are given as lines of their own, measured in a new process.",
            "Side by side: what the Clinics page compares, of each clinic by itself and of all together.",
            "PostgreSQL's tables are vacuumed after they are built, as autovacuum would do in the minutes that follow.",
            "The booster list and the room board (operations) are as of a moment: they have no period. The board is "
            "computed row by row from what is open then, five minutes after the last drug start; it has no floor.",
            "While the log grows: medians; the same weeks with half a year behind them and with two years. The booster "
            "list looks back 400 days, of which half a year has fewer patients: its ratio is of the time per row.",
            "The read models are built by the projections' own rebuild, from events made as they are read: no log is "
            "written.",
        ),
    )


def _coming(rounds: int) -> int:
    """How many events will come in between the answers."""
    return rounds * ANSWERS * APPENDED * len(SETS) * len((*REPORTS, *NOW))


def _built(ground: Ground, kind: str, organisation: Organisation) -> Asked:
    began = time.perf_counter()
    settings = ground.settings(kind, "organisation")
    url = Urls.of(settings).views if settings.migration_url is None else str(settings.migration_url)
    migrate(url)
    database = ViewsDatabase(url)
    engine = ProjectionEngine(database, organisation, (facts_group(), board_group()))
    engine.rebuild([one.name for group in engine.groups for one in group.projections], resume=False)
    if kind == "postgresql":
        ground.cluster.execute("VACUUM", str(make_url(url).database))
    clinics, end, built = organisation.clinics, organisation.original.end, time.perf_counter() - began
    first = run_task("first_answer", url=url, clinics=clinics[:1], end=end.isoformat())
    with database.reads.connect() as connection:
        started = room_board.last_start(connection, clinics, end)
    busy = end if started is None else datetime.fromtimestamp(started / 1_000_000, UTC) + timedelta(minutes=5)
    visitor = Visitor(settings, database, engine, clinics, end, busy)
    found = Asked(database, engine, organisation, clinics, end, busy, organisation.head(), built, first, visitor)
    found.answer("safety", 1, WEEKS_DAYS)
    settle()
    tell(f" {NAMES[kind]}: {found.events:,} events in {built:,.0f} s; columns read in {first['seconds']:.1f} s")
    return found


def _measured(name: str, short: Asked, long: Asked, rounds: int) -> list[Line]:
    lines = [
        Line(f"{name}: building the read models", f"{long.built_s:,.0f} s", _size(short), f"{short.built_s:,.0f} s"),
        Line(f"{name}: a process's first answer, which reads the columns", f"{long.first['seconds']:.1f} s",
             _size(short), f"{short.first['seconds']:.1f} s"),
        Line(f"{name}: memory held for them", f"{long.first['held_mb']:,.0f} MB", _size(short),
             f"{short.first['held_mb']:,.0f} MB"),
    ]  # fmt: skip
    for dashboard in (*REPORTS, *NOW):
        for clinics in SETS:
            lines += _of_weeks(name, dashboard, clinics, short, long, rounds)
        if dashboard in REPORTS:
            lines += [_of_all_time(name, dashboard, clinics, short, long, rounds) for clinics in SETS]
    lines += [_whole_page(name, page, short, long, rounds) for page in PAGES]
    return lines


def _whole_page(name: str, page: str, short: Asked, long: Asked, rounds: int) -> Line:
    before, after = [], []
    for _ in range(rounds):
        before += [short.visitor.look(page, WEEKS_DAYS) for _ in range(ANSWERS)]
        after += [long.visitor.look(page, WEEKS_DAYS) for _ in range(ANSWERS)]
    took = _p95(after)
    return Line(
        f"{name}, the whole page /{page}: 30 clinics, {_size(long)}", f"{took:,.0f} ms", _size(short),
        f"{_p95(before):,.0f} ms", bar=f"< {WEEKS_MS} ms", met=took < WEEKS_MS,
    )  # fmt: skip


def _of_weeks(name: str, dashboard: str, clinics: int, short: Asked, long: Asked, rounds: int) -> list[Line]:
    before, after, growing, floors = [], [], [], []
    for _ in range(rounds):
        before += _asked(short, dashboard, clinics, WEEKS_DAYS)
        after += _asked(long, dashboard, clinics, WEEKS_DAYS)
        growing += _asked(long, dashboard, clinics, WEEKS_DAYS, growing=True)
        if dashboard in ROWS:
            floors.append(long.floor(dashboard, clinics, WEEKS_DAYS))
    what, took, at_first = _question(name, dashboard, clinics), _p95(_reports(after)), _p95(_reports(before))
    floor = statistics.median(floors) if floors else None
    now, earlier = statistics.median(_reports(after)), statistics.median(_reports(before))
    rows, rows_before = after[-1].listed, before[-1].listed
    more = rows / rows_before if rows and rows_before else 1.0
    ratio, flat, flat_met = at_most(now / earlier / more, FLAT)
    grows = f"for {more:.1f} x the list, " if rows else ""
    return [
        _barred(f"{what}, {_size(short)}", at_first, WEEKS_MS),
        _barred(f"{what}, {_size(long)}", took, WEEKS_MS) if floor is None else
        Line(f"{what}, {_size(long)}", f"{took:,.0f} ms", "bare query", f"{floor:,.0f} ms", f"{took / floor:.2f} x",
             f"< {WEEKS_MS} ms", took < WEEKS_MS),
        _barred(f"{what}, {_size(long)}, while events come in", _p95(_reports(growing)), WEEKS_MS),
        _barred(f"{what}, {_size(long)}, as JSON", _p95([one.answer for one in after]), WEEKS_MS),
        Line(f"{what}, {grows}while the log grows", f"{now:,.1f} ms", _size(short), f"{earlier:,.1f} ms", ratio, flat,
             flat_met),
    ]  # fmt: skip


def _of_all_time(name: str, dashboard: str, clinics: int, short: Asked, long: Asked, rounds: int) -> Line:
    before, after = [], []
    for _ in range(rounds):
        before += _asked(short, dashboard, clinics, ALL_DAYS)
        after += _asked(long, dashboard, clinics, ALL_DAYS)
    took = _p95(_reports(after))
    return Line(
        f"{_question(name, dashboard, clinics)}, all time, {_size(long)}", f"{took:,.0f} ms", _size(short),
        f"{_p95(_reports(before)):,.0f} ms", bar=f"< {ALL_TIME_MS} ms", met=took < ALL_TIME_MS,
    )  # fmt: skip


def _question(name: str, dashboard: str, clinics: int) -> str:
    return f"{name}, {dashboard}: {clinics} clinic{'s' if clinics > 1 else ''}"


def _size(asked: Asked) -> str:
    return f"{asked.events:,} events"


def _barred(what: str, took: float, bar: int) -> Line:
    return Line(what, f"{took:,.0f} ms", bar=f"< {bar} ms", met=took < bar)


def _asked(asked: Asked, dashboard: str, clinics: int, days: int, *, growing: bool = False) -> list[Took]:
    """A round's answers, each after some more events if the log is `growing`."""
    took: list[Took] = []
    for _ in range(ANSWERS):
        if growing:
            asked.grow()
        took.append(asked.answer(dashboard, clinics, days))
    return took


def _reports(took: Sequence[Took]) -> list[float]:
    return [one.report for one in took]


def _p95(took: Sequence[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]
