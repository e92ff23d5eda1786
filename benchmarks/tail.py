"""The live tail: commands at 200 events/s, and how long until a dashboard's query returns what each has written."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from api.bootstrap import Urls, build_services
from api.settings import Settings
from benchmarks import histories, practice
from benchmarks.crew import Crew
from benchmarks.histories import Copy, Grower
from benchmarks.places import KINDS, Ground
from benchmarks.report import Line, Part
from benchmarks.rounds import tell
from benchmarks.tasks import ROOT, run_task
from projections import utilization
from projections.engine.database import ViewsDatabase
from projections.facts.tables import safety_facts, visit_facts

PER_SECOND, WINDOW_S, P99_MS = 200, 6.0, 100.0
THREADS = 4
LOOK_EVERY_S, REPORT_EVERY_S, PATIENCE_S = 0.004, 0.5, 10.0
NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
Step = tuple[int, float, float, bool]
"""Position, when it was handed in, when it was acknowledged (monotonic seconds), whether it is an arrival."""


class Writer:
    """Commands at an even pace, in a process of its own, from a few threads (as requests would come)."""

    def __init__(self, settings: Settings, clinic_id: UUID) -> None:
        self.services = build_services(settings)
        self.clinic_id = clinic_id
        self.patients: list[UUID] = []
        self.steps: list[Step] = []

    def prepare(self) -> None:
        """Patients for a window."""
        while len(self.patients) < round(PER_SECOND * WINDOW_S / practice.PER_VISIT) + 2 * THREADS:
            self.patients.append(practice.register(self.services, self.clinic_id))

    def run(self, seconds: float) -> list[Step]:
        """Every step taken."""
        self.steps = []
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._work, args=(began + number / PER_SECOND, began + seconds))
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.steps

    def _work(self, due: float, until: float) -> None:
        visit_id, left = UUID(int=0), 0
        while due < until:
            time.sleep(max(0.0, due - time.monotonic()))
            arriving, handed_in = not left, time.monotonic()
            if arriving:
                receipt = practice.arrive(self.services, self.clinic_id, self.patients.pop())
                visit_id, left = receipt.stream_id, practice.PER_VISIT
            else:
                receipt = practice.report_side_effect(self.services, self.clinic_id, visit_id)
                left -= 1
            self.steps.append((receipt.position, handed_in, time.monotonic(), arriving))
            due += THREADS / PER_SECOND

    def close(self) -> None:
        self.services.close()


@contextmanager
def worker(settings: Settings, folder: Path) -> Iterator[None]:
    """The projection worker, as it is deployed."""
    environment = {
        **os.environ, "ANODYNE_HOME": str(settings.home), "ANODYNE_DATABASE_URL": settings.database_url or "",
        "ANODYNE_MIGRATION_URL": settings.migration_url or "", "ANODYNE_LOG_LEVEL": "ERROR",
    }
    with open(folder / "worker.log", "wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "api.worker"], cwd=ROOT, env=environment, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


class Watcher:
    """Looks at the read models over and over: when it first saw each position, and what a whole dashboard takes."""

    def __init__(self, settings: Settings, clinic_id: UUID) -> None:
        self.database = ViewsDatabase(Urls.of(settings).views)
        self.clinic = str(clinic_id)
        self.seen: list[tuple[int, float]] = []
        self.reports_ms: list[float] = []

    def newest(self, connection: Connection) -> int:
        """The newest entry of the clinic that the safety and utilization dashboards' tables hold."""
        found = [
            connection.scalar(select(func.max(table.c.position)).where(
                table.c.clinic == self.clinic, table.c.at_us > 0, table.c.known_to.is_(None)))
            for table in (safety_facts, visit_facts)
        ]
        return max(one or 0 for one in found)

    def watch(self, working: Any, last: list[int]) -> None:
        """Until the writer has stopped and everything has been seen."""
        self.seen, patience, report_at = [], 0.0, 0.0
        while True:
            now = time.monotonic()
            with self.database.reads.connect() as connection:
                newest = self.newest(connection)
                self.seen.append((newest, time.monotonic()))
                if now >= report_at:
                    self._report(connection)
                    report_at = now + REPORT_EVERY_S
            if not working():
                patience = patience or now + PATIENCE_S
                if (last and newest >= last[0]) or now > patience:
                    return
            time.sleep(LOOK_EVERY_S)

    def _report(self, connection: Connection) -> None:
        began, today = time.perf_counter(), datetime.now(UTC)
        utilization.report(connection, [self.clinic], utilization.weeks(today.date()), as_of=today)
        self.reports_ms.append((time.perf_counter() - began) * 1000)

    def delays_ms(self, steps: list[Step], since: int) -> list[float]:
        """From the moment `since` (1: handed in, 2: acknowledged) of each step until it was seen."""
        delays, looks = [], iter(self.seen)
        position, moment = next(looks)
        for step in sorted(steps):
            while position < step[0]:
                position, moment = next(looks, (sys.maxsize, float("inf")))
            delays.append(max(0.0, moment - step[since]) * 1000)
        return delays


def run(ground: Ground, rounds: int, quick: bool) -> Part:
    """Both databases, on the demo's log, with a worker process."""
    original = histories.live_once(0.2 if quick else 1.0)
    grower = Grower(Settings(home=ground.new_folder("tail")))
    grower.write(original, [Copy(0)])
    grower.settle()
    grower.close()
    lines: list[Line] = []
    for kind in KINDS:
        settings = grower.settings
        if kind == "postgresql":
            settings = histories.copied_to_postgresql(settings, ground, "tail")
        run_task("rebuild", settings)
        lines += _measured(settings, ground.new_folder("worker"), NAMES[kind], rounds)
    return Part(
        "tail", "Live tail: from a command to the dashboard",
        f"{PER_SECOND} commands a second (visits that begin, side effects with a note) into the demo's log from one "
        f"process with {THREADS} threads, the projection worker as a process of its own, and a reader that asks the "
        "dashboards' own tables for the clinic's newest entry every few milliseconds. The clock of each command runs "
        "from the moment it is handed to the services (so its commit and its waiting count) until a query that "
        "returns what it wrote has answered.",
        lines,
        notes=(f"{rounds} windows of {WINDOW_S:g} s; the figures are medians of the windows', the worst in brackets.",),
    )


def _measured(settings: Settings, folder: Path, name: str, rounds: int) -> list[Line]:
    services = build_services(settings)
    clinic_id = practice.open_clinic(services)
    services.close()
    watcher, crew = Watcher(settings, clinic_id), Crew(Writer, (settings, clinic_id), 1)
    whole: list[list[float]] = []
    after: list[list[float]] = []
    rates: list[float] = []
    with worker(settings, folder):
        for number in range(-1, rounds):
            steps, took = _window(crew, watcher)
            if number < 0:  # the first is for warming up
                watcher.reports_ms.clear()
                continue
            whole.append(watcher.delays_ms(steps, 1))
            after.append(watcher.delays_ms(steps, 2))
            rates.append(len(steps) / took)
            p50, p99 = _at(whole[-1], 50), _at(whole[-1], 99)
            tell(f"  round {number + 1}/{rounds}  {name}: p50 {p50:,.1f} ms, p99 {p99:,.1f} ms at {rates[-1]:,.0f}/s")
    crew.close()
    watcher.database.close()
    worst = statistics.median(_at(one, 99) for one in whole)
    return [
        Line(f"{name}: commands a second kept up", f"{statistics.median(rates):,.0f} /s", bar=f">= {PER_SECOND} /s",
             met=statistics.median(rates) >= 0.99 * PER_SECOND),
        Line(f"{name}: handed in until visible, p50", _spread(whole, 50)),
        Line(f"{name}: handed in until visible, p99", _spread(whole, 99), bar=f"< {P99_MS:g} ms", met=worst < P99_MS),
        Line(f"{name}: acknowledged until visible, p99", _spread(after, 99)),
        Line(f"{name}: the whole utilization dashboard meanwhile, p50",
             f"{statistics.median(watcher.reports_ms):,.1f} ms"),
    ]


def _window(crew: Crew, watcher: Watcher) -> tuple[list[Step], float]:
    last: list[int] = []
    result: list[tuple[list[Step], float]] = []

    def finish() -> None:
        result.extend(crew.finish())
        last.append(max(step[0] for step in result[0][0]))

    crew.start(WINDOW_S)
    waiting = threading.Thread(target=finish)
    waiting.start()
    watcher.watch(waiting.is_alive, last)
    waiting.join()
    return result[0]


def _at(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _spread(windows: list[list[float]], percent: int) -> str:
    each = [_at(one, percent) for one in windows]
    return f"{statistics.median(each):,.1f} ms ({max(each):,.1f})"
