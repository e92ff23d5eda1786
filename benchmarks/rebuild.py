"""Catch-up and rebuild of the fact projections over a long log of the demo's own mix, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import msgspec

from api.settings import Settings
from benchmarks import histories, stock
from benchmarks.histories import Copy, Grower
from benchmarks.places import Ground
from benchmarks.report import Line, Part, at_least
from benchmarks.rounds import Outcome, interleaved, tell
from benchmarks.tasks import Answer, run_task
from services.log.verify import verify

SIZES = (200_000, 1_000_000)
SLICE = 3_000
"""Events that the library's runner is given in each round."""

TIMES_STOCK, EVENTS_PER_SECOND, PEAK_MB, ROWS_PER_EVENT = 50, 60_000, 300, 0.3
NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


@dataclass(frozen=True)
class Peer:
    """The library's store on one database, with a slice of our log."""

    environment: dict[str, str]
    length: int

    def rate(self, topics: bool = False) -> float:
        """Events of the slice per second, through its runner."""
        return float(run_task("stock", environment=self.environment, length=self.length, topics=topics)["rate"])


@dataclass
class Log:
    """One database's long log, and what its measurements gave besides their rate."""

    kind: str
    settings: Settings
    peak_mb: float = 0.0
    rows_per_event: float = 1.0

    def task(self, name: str) -> Answer:
        """Runs it in a process of its own; remembers the highest peak."""
        answer = run_task(name, self.settings)
        self.peak_mb = max(self.peak_mb, answer["peak_mb"])
        return answer

    def rate(self, name: str) -> float:
        """Events per second of a task."""
        answer = self.task(name)
        if "rows" in answer:
            self.rows_per_event = answer["rows"] / answer["events"]
        return float(answer["events"] / answer["seconds"])


def run(ground: Ground, rounds: int, quick: bool) -> Part:
    """Grows a log to each size in turn, and measures both databases at each."""
    original = histories.live_once(0.2 if quick else 1.0)
    tell(f" the demo: {original.events:,} events")
    grower = Grower(Settings(home=ground.new_folder("grown")))
    lines: list[Line] = []
    written = 0
    peers: dict[str, Peer] = {}
    for size in (SIZES[0] // 10, SIZES[1] // 20) if quick else SIZES:
        count = round((size - grower.head) / original.events)
        grower.write(original, _copies(written, count), tell=_progress(size))
        written += count
        first = written == count
        if first:
            _check(grower)
            peers = {kind: _peer(ground, grower, kind) for kind in NAMES}
        for kind in NAMES:
            lines += _measured(_log(ground, grower, kind), peers, grower.head, rounds, first=first)
        ground.settle()
    grower.close()
    return Part(
        "rebuild", "Projections: catch-up and rebuild",
        "Ours: the four projections of the facts group (utilization, outcomes, safety, care relations), rebuilt from "
        "the log into a shadow set of tables, with their final indexes, statistics and the swap, by one process. "
        "The log is the demo's own mix, many times over with new ids, sealed fields included. Theirs: the library's "
        "`ProjectionRunner`, one event per transaction, writing the same rows into the same tables and indexes; and "
        "the bare reading and decoding of the same log.",
        lines,
        notes=(
            "The runner's slice is the same events in the middle of the log; events/s are events of the log, whether "
            "or not they make a row, for both. In its default mode it is given every event and keeps its position at "
            "each, as ours does; given its topics it never sees those that make no row, nor does its position pass.",
            "The runner's events carry our JSON, decoded by our decoder into our rows: compared is the way there.",
            "The library's runner does not exist for SQLite (`subscribe` is not implemented), so both databases are "
            "judged by its runner on PostgreSQL; its loop written by hand over its SQLite recorders is shown beside.",
            "Rebuilding includes the final indexes, ANALYZE and the swap; catch-up runs with every index in place.",
            "Peak memory is of the rebuilding process (VmHWM), imports included.",
            f"The demo of seed 2026: {original.events:,} events of {len(original.clinics)} clinics.",
        ),
    )


def _copies(already: int, count: int) -> list[Copy]:
    """The demo itself and `count - 1` organisations like it, side by side; a second block half a year later."""
    days = 182 if already else 0
    return [Copy(mask=(number << 96) | number, days=days) for number in range(already, already + count)]


def _progress(size: int) -> Callable[[int], None]:
    told = [0]

    def report(position: int) -> None:
        if position - told[0] >= 50_000:
            told[0] = position
            tell(f"  {position:,} of {size:,} events written")

    return report


def _check(grower: Grower) -> None:
    found = verify(grower.services.log)
    assert found.holds, found.violations[:3]
    tell(f"  the log of {found.events:,} events verifies")


def _peer(ground: Ground, grower: Grower, kind: str) -> Peer:
    """The library's store with a slice out of the middle of our log."""
    log = grower.services.log
    rows: list[tuple[UUID, str, str, str | None, str | None]] = [
        (each.stream_id, each.name, msgspec.json.encode(each.event).decode(),
         str(each.clinic_id) if each.clinic_id else None, str(each.subject) if each.subject else None)
        for each in log.read(grower.head // 2, SLICE)
    ]
    environment = ground.library_environment(kind, "stock")
    return Peer(environment, stock.fill(environment, rows))


def _log(ground: Ground, grower: Grower, kind: str) -> Log:
    """The grown log as it stands: on SQLite itself, on PostgreSQL a copy of it."""
    grower.settle()
    if kind == "sqlite":
        return Log(kind, grower.settings)
    return Log(kind, histories.copied_to_postgresql(grower.settings, ground, "long"))


def _measured(log: Log, peers: dict[str, Peer], size: int, rounds: int, *, first: bool) -> list[Line]:
    name = f"{NAMES[log.kind]}, {size:,} events"
    tell(f" {name}")
    caught_up = log.rate("catch_up")
    found_equal = log.task("compare")
    contenders: dict[str, Callable[[], float]] = {
        "rebuild": lambda: log.rate("rebuild"), "read": lambda: log.rate("read"), "runner": peers["postgresql"].rate,
    }
    if first and log.kind == "postgresql":
        contenders["runner, topics"] = lambda: peers["postgresql"].rate(topics=True)
    if first and log.kind == "sqlite":
        contenders["loop by hand"] = peers["sqlite"].rate
    log.peak_mb = 0
    found = interleaved(contenders, "events/s", rounds)
    return [*_rate_lines(name, found), *_other_lines(name, log, caught_up, found_equal)]


PEERS = {
    "runner, topics": "library's runner on PostgreSQL, given its topics",
    "loop by hand": "library's runner's loop by hand on SQLite",
    "read": "bare read and decode",
}


def _rate_lines(name: str, found: Outcome) -> list[Line]:
    what, ours, rate = f"{name}: rebuild", found.spread("rebuild"), found.median("rebuild")
    judged = at_least(found.ratio("rebuild", "runner"), TIMES_STOCK)
    others = [
        Line(what, ours, PEERS[peer], found.spread(peer), _times(found.ratio("rebuild", peer)))
        for peer in PEERS if peer in found.figures
    ]
    return [
        Line(what, ours, bar=f">= {EVENTS_PER_SECOND:,} events/s", met=rate >= EVENTS_PER_SECOND),
        Line(what, ours, "library's runner (PostgreSQL)", found.spread("runner"), *judged), *others,
    ]


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} x" if ratio >= 2 else f"{ratio:.2f} x"


def _other_lines(name: str, log: Log, caught_up: float, equal: Answer) -> list[Line]:
    return [
        Line(f"{name}: catch-up in batches, every index in place", f"{caught_up:,.0f} events/s"),
        Line(f"{name}: rows opened per event", f"{log.rows_per_event:.2f}", bar=f">= {ROWS_PER_EVENT}",
             met=log.rows_per_event >= ROWS_PER_EVENT),
        Line(f"{name}: rows that differ between rebuilt and caught up", f"{equal['differing']:,} of {equal['rows']:,}",
             bar="0", met=bool(equal["equal"]) and equal["rows"] > 0),
        Line(f"{name}: peak memory of the rebuilding process", f"{log.peak_mb:,.0f} MB", bar=f"< {PEAK_MB} MB",
             met=log.peak_mb < PEAK_MB),
    ]
