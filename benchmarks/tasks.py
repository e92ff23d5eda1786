"""What is measured in a process of its own, so that its time and its peak memory are nobody else's.

`python -m benchmarks.tasks NAME JSON` prints one line of JSON; `run_task` calls it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
Answer = dict[str, Any]


def described(settings: Settings) -> dict[str, str | None]:
    """Settings as a task takes them."""
    return {"home": str(settings.home), "database_url": settings.database_url, "migration_url": settings.migration_url}


def run_task(name: str, settings: Settings | None = None, **arguments: Any) -> Answer:
    """The task's answer, with its `seconds` (of the work alone) and `peak_mb` (of the whole process)."""
    if settings is not None:
        arguments["settings"] = described(settings)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tasks", name, json.dumps(arguments)], cwd=ROOT, capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-4000:]}")
    answer: Answer = json.loads(done.stdout.splitlines()[-1])
    return answer


def _settings(given: dict[str, str | None]) -> Settings:
    return Settings(
        home=Path(str(given["home"])), database_url=given["database_url"], migration_url=given["migration_url"]
    )


def _engine(given: dict[str, str | None]) -> Any:
    from api.bootstrap import Urls, build_services
    from projections.engine import engine as engine_module
    from projections.engine.database import ViewsDatabase
    from projections.registry import facts_group

    engine_module.CATCH_UP_BY_REBUILD = sys.maxsize  # here catching up is what is asked for
    settings = _settings(given)
    services = build_services(settings)
    return engine_module.ProjectionEngine(ViewsDatabase(Urls.of(settings).views), services.log, (facts_group(),))


def _names(engine: Any) -> list[str]:
    return [projection.name for group in engine.groups for projection in group.projections]


def rebuild(settings: dict[str, str | None]) -> Answer:
    """Rebuilds the fact projections into a shadow set, final indexes and swap included."""
    engine = _engine(settings)
    events = engine.log.head()
    began = time.perf_counter()
    (done,) = engine.rebuild(_names(engine), resume=False)
    seconds = time.perf_counter() - began
    engine.close()
    return {"events": events, "seconds": seconds, "rows": done.rows_opened}


def catch_up(settings: dict[str, str | None]) -> Answer:
    """Applies what the live tables lack, batch by batch, as a worker does, every index in place."""
    engine = _engine(settings)
    engine.install()
    head, before = engine.log.head(), min(engine.position(name) for name in _names(engine))
    began = time.perf_counter()
    while min(engine.position(name) for name in _names(engine)) < head:
        engine.run_once()
    seconds = time.perf_counter() - began
    engine.close()
    return {"events": head - before, "seconds": seconds}


def compare(settings: dict[str, str | None]) -> Answer:
    """Replays beside the live tables and compares row by row."""
    engine = _engine(settings)
    began = time.perf_counter()
    found = engine.compare()
    seconds = time.perf_counter() - began
    engine.close()
    return {
        "equal": all(one.equal for one in found), "position": min(one.position for one in found),
        "rows": sum(table.live_rows for one in found for table in one.tables), "seconds": seconds,
        "differing": sum(table.differing for one in found for table in one.tables),
    }


def read(settings: dict[str, str | None]) -> Answer:
    """Reads and decodes the whole log, and does nothing with it."""
    from api.bootstrap import build_services

    log = build_services(_settings(settings)).log
    began, after, count = time.perf_counter(), 0, 0
    while found := log.scan(after, 5_000):
        count += len(found)
        after = found[-1].position
    return {"events": count, "seconds": time.perf_counter() - began}


def stock(environment: dict[str, str], length: int, topics: bool) -> Answer:
    """The library's runner over its slice; with `topics` it asks for those that make rows alone."""
    from benchmarks import stock as peer

    return {"rate": peer.run(environment, length, topics=topics)}


def first_answer(url: str, clinics: list[str], end: str) -> Answer:
    """A new process's first dashboard: it reads the columns; what it holds of them afterwards, and the next answer."""
    from datetime import datetime, timedelta

    from projections import safety
    from projections.engine.database import ViewsDatabase
    from projections.metrics.calendar import Period

    database, as_of = ViewsDatabase(url), datetime.fromisoformat(end)
    period = Period(as_of.date() - timedelta(days=90), as_of.date())
    before, took = _resident_mb(), []
    for _ in range(2):
        began = time.perf_counter()
        with database.reads.connect() as connection:
            safety.report(connection, clinics, period, as_of=as_of)
        took.append(time.perf_counter() - began)
    database.close()
    return {"seconds": took[0], "next_s": took[1], "held_mb": _resident_mb() - before}


TASKS: dict[str, Callable[..., Answer]] = {
    "rebuild": rebuild, "catch_up": catch_up, "compare": compare, "read": read, "stock": stock,
    "first_answer": first_answer,
}


def _peak_mb() -> float:
    """This program's own peak (`ru_maxrss` would be its parent's, where that was larger at the fork)."""
    return _status_mb("VmHWM")


def _resident_mb() -> float:
    """What the process holds in memory now."""
    return _status_mb("VmRSS")


def _status_mb(name: str) -> float:
    """A line of Linux's account of this process; elsewhere the peak, which is all that is told."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def main() -> None:
    """One task, one line."""
    answer = TASKS[sys.argv[1]](**json.loads(sys.argv[2]))
    answer["peak_mb"] = _peak_mb()
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
