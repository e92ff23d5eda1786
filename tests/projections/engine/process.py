"""A worker as a process of its own, for tests that kill: `python -m tests.projections.engine.process URL EVENTS ...`.

Its log is made anew in each process, the same in all. `--slow` makes every batch take so many seconds inside its
transaction, after its rows were written; `--rebuild` rebuilds instead of serving.
"""

from __future__ import annotations

import argparse
import sys
import time

from projections.engine import rebuild
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.engine.projection import Group
from projections.engine.worker import Worker
from projections.engine.working import Working
from tests.projections.engine.history import START, BoxEmptied, BoxFilled, BoxMoved, Contents, ListLog, Places


def long_log(count: int) -> ListLog:
    """The same `count` events in every process."""
    log = ListLog()
    for n in range(count):
        box = f"b{n * 7 % 23}"
        match n % 5:
            case 0 | 1 | 2:
                log.append(BoxFilled(occurred_at=START, box=box, amount=n % 10))
            case 3:
                log.append(BoxMoved(occurred_at=START, box=box, shelf=f"s{n % 4}"))
            case _:
                log.append(BoxEmptied(occurred_at=START, box=box))
    return log


def make_slow(seconds: float) -> None:
    """Every flush takes longer, so that a kill finds a batch half done."""
    original = Working.flush

    def flush(self: Working) -> int:
        opened = original(self)
        time.sleep(seconds)
        return opened

    Working.flush = flush  # type: ignore[method-assign]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("events", type=int)
    parser.add_argument("--name", default="worker")
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rebuild", action="store_true")
    chosen = parser.parse_args()
    if chosen.slow:
        make_slow(chosen.slow)
    groups = [Group("boxes", (Contents(), Places()))]  # type: ignore[arg-type]
    engine = ProjectionEngine(ViewsDatabase(chosen.url), long_log(chosen.events), groups, tail_batch=chosen.batch)
    engine.install()
    print("ready", flush=True)
    if chosen.rebuild:
        rebuild.FIRST_BATCH = rebuild.LARGEST_BATCH = chosen.batch
        engine.rebuild(["contents", "places"])
        return 0
    return 0 if Worker(engine, name=chosen.name).run_until_signalled() else 1


if __name__ == "__main__":
    sys.exit(main())
