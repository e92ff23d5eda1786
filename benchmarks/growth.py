"""Dashboards and timelines while the log grows tenfold, once by years and once by clinics: they should not notice."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from api.bootstrap import Services, Urls, build_services
from api.settings import Settings
from benchmarks import histories
from benchmarks.histories import Copy, Grower, Original
from benchmarks.places import KINDS, Ground
from benchmarks.report import Line, Part, at_most
from benchmarks.rounds import interleaved, tell
from benchmarks.tasks import run_task
from projections import boosters, outcomes, safety, utilization
from projections.engine.database import ViewsDatabase
from projections.metrics.figures import Figure, Spread, plain
from projections.timeline import timeline

TIMES, AT_MOST = 10, 1.2
BETWEEN_YEARS_DAYS = 7 * 60
"""How far apart the same clinics' earlier half-years lie: more than any look back."""

REPEATS = 3
NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
DASHBOARDS: Mapping[str, Callable[..., msgspec.Struct]] = {
    "utilization": utilization.report, "outcomes": outcomes.report, "safety": safety.report,
}


def run(ground: Ground, rounds: int, quick: bool) -> Part:
    """Three logs on each database, asked the same."""
    original = histories.live_once(0.2 if quick else 1.0)
    grown = {
        "as it is": _written(ground, original, _as_it_is),
        "by years": _written(ground, original, _by_years),
        "by clinics": _written(ground, original, _by_clinics),
    }
    lines: list[Line] = []
    for kind in KINDS:
        logs = {}
        for name, (settings, head) in grown.items():
            copied = histories.copied_to_postgresql(settings, ground, "grown") if kind == "postgresql" else settings
            run_task("rebuild", copied)
            logs[name] = Asked.of(copied, original, head)
            tell(f" {NAMES[kind]}, {name}: {head:,} events")
        lines += _measured(NAMES[kind], logs, rounds)
        for log in logs.values():
            log.close()
    return Part(
        "growth", "Dashboards and timelines while the log grows",
        f"The demo's three clinics and their last 13 weeks, and one of their patients' timelines, asked of three logs: "
        f"the demo's own, one with {TIMES - 1} more half-years of the same clinics before it, and one with "
        f"{TIMES - 1} times as many other clinics beside it.",
        lines,
        notes=(
            "Milliseconds of the whole question (queries, metrics, folding), in process; each round asks every log in "
            f"turn and takes the median of {REPEATS}.",
            "The three dashboards' figures were compared: the grown logs give the same.",
            "The booster list is as of a moment: it has no period, and looks back 400 days.",
        ),
    )


# --- the logs ------------------------------------------------------------------------------------


def _written(ground: Ground, original: Original, write: Callable[[Grower, Original], None]) -> tuple[Settings, int]:
    grower = Grower(Settings(home=ground.new_folder("growth")))
    write(grower, original)
    head = grower.head
    grower.settle()
    grower.close()
    return grower.settings, head


def _as_it_is(grower: Grower, original: Original) -> None:
    grower.write(original, [Copy(0)])


def _by_clinics(grower: Grower, original: Original) -> None:
    grower.write(original, [Copy((number << 96) | number) for number in range(TIMES)])


def _by_years(grower: Grower, original: Original) -> None:
    """The clinics first, then their half-years, oldest first, the demo's own last."""
    kept = original.kept_ids
    grower.write(original, [Copy(0)], only=lambda entry: entry.name.startswith(histories.KEPT_KINDS))
    for number in range(TIMES - 1, -1, -1):
        copy = Copy((number << 96) | number, days=-number * BETWEEN_YEARS_DAYS, kept=kept)
        grower.write(original, [copy], only=lambda entry: not entry.name.startswith(histories.KEPT_KINDS))


# --- the questions -------------------------------------------------------------------------------


@dataclass
class Asked:
    """One log with its read models, and the questions to it."""

    services: Services
    database: ViewsDatabase
    original: Original

    @classmethod
    def of(cls, settings: Settings, original: Original, head: int) -> Asked:
        return cls(build_services(settings), ViewsDatabase(Urls.of(settings).views), original)

    def dashboard(self, name: str) -> msgspec.Struct:
        """One dashboard of the demo's clinics over the last 13 weeks."""
        end = self.original.end
        with self.database.reads.connect() as connection:
            if name == "boosters":
                return boosters.report(connection, self.original.clinics, as_of=end)
            return DASHBOARDS[name](connection, self.original.clinics, utilization.weeks(end.date()), as_of=end)

    def timeline(self) -> object:
        """A patient with a long history: the tenth longest."""
        patient = UUID(self.original.patients[min(9, len(self.original.patients) - 1)])
        return timeline(self.services.log, patient, unsealer=self.services.unsealer)

    def close(self) -> None:
        """Closes both sides."""
        self.services.close()
        self.database.close()


def _measured(name: str, logs: Mapping[str, Asked], rounds: int) -> list[Line]:
    _check_same(logs)
    lines = []
    for question in (*DASHBOARDS, "boosters", "timeline"):
        contenders = {which: lambda log=log, question=question: _ms(log, question) for which, log in logs.items()}
        for run_first in contenders.values():
            run_first()
        found = interleaved(contenders, "ms", rounds)
        for which in ("by years", "by clinics"):
            lines.append(Line(
                f"{name}, {question}: ten times {which}", found.spread(which, 1), "as it is",
                found.spread("as it is", 1), *at_most(found.ratio(which, "as it is"), AT_MOST),
            ))
    return lines


def _ms(log: Asked, question: str) -> float:
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        log.timeline() if question == "timeline" else log.dashboard(question)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _check_same(logs: Mapping[str, Asked]) -> None:
    """Raises AssertionError when a grown log gives other figures."""
    for question in DASHBOARDS:
        wanted = dict(_figures(logs["as it is"].dashboard(question)))
        assert wanted, question
        for which, log in logs.items():
            found = dict(_figures(log.dashboard(question)))
            differing = [path for path in wanted if wanted[path] != found.get(path)]
            assert not differing, (question, which, [(one, wanted[one], found.get(one)) for one in differing[:3]])


def _figures(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every figure of a report by its path, without the ids of its rows (they are positions)."""
    if isinstance(value, Figure | Spread):
        return [(path, {key: inner for key, inner in plain(value).items() if "rows" not in key})]
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return [one for key, inner in value.items() for one in _figures(inner, f"{path}.{key}")]
    if isinstance(value, list | tuple):
        return [one for index, inner in enumerate(value) for one in _figures(inner, f"{path}.{index}")]
    return []
