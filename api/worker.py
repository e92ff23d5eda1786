"""The worker: keeps every read model up to date, and does what is due by itself, until it is told to stop.

`python -m api.worker`, or `anodyne worker run`. Several may run: one leads each group, the others stand by. On SIGTERM
it finishes the batch under way. Exit code 0 when it drained in time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog
from sqlalchemy.exc import OperationalError

from api.bootstrap import ReadSide, Services, Urls, build_read_side, build_services
from api.digest.sending import Digests
from api.logs import configure_logging
from api.mail.office import PostOffice
from api.processes import Processes
from api.settings import Settings
from projections.engine.database import sqlite_path
from projections.engine.wake import DataVersion, Poll, Wake
from projections.engine.worker import Worker
from services.log import LogUnavailable

__all__ = ["DRAIN_S", "run"]

DRAIN_S = 30.0
"""How long a batch under way may take to finish after SIGTERM (compose waits 40 s)."""
STARTS_WITHIN_S = 30.0
"""How long a starting worker waits for a database that is away: one that is killed and comes back stops no worker."""


def run(settings: Settings) -> bool:
    """Until SIGTERM or SIGINT; whether it drained in time. Raises what `build_services` raises."""
    services, read_side, opened = _started(settings)
    with opened:
        digests = Digests(settings, services, read_side)
        processes = Processes(services, read_side.database, chores=[digests.schedule])
        office = PostOffice(services, read_side)
        processes.start()
        office.start()
        try:
            drained = Worker(read_side.engine, make_wake=_wake_for(settings)).run_until_signalled(DRAIN_S)
        finally:
            others_drained = [processes.stop(DRAIN_S), office.stop(DRAIN_S)]
        return drained and all(others_drained)


def _started(settings: Settings) -> tuple[Services, ReadSide, ExitStack]:
    """Services and read side with its tables, and what closes both, as soon as the database answers; its error if that
    takes too long."""
    began = time.monotonic()
    while True:
        try:
            return _start(settings)
        except (LogUnavailable, OperationalError) as error:
            if time.monotonic() - began > STARTS_WITHIN_S:
                raise
            structlog.get_logger().warning("worker.database_away", error=type(error).__name__)
            time.sleep(0.5)


def _start(settings: Settings) -> tuple[Services, ReadSide, ExitStack]:
    with ExitStack() as opened:
        services = build_services(settings)
        opened.callback(services.close)
        read_side = build_read_side(settings, services)
        opened.callback(read_side.close)
        read_side.engine.install()
        return services, read_side, opened.pop_all()


def _wake_for(settings: Settings) -> Callable[[], Wake]:
    """SQLite: the file's own change counter. PostgreSQL: short polls (a NOTIFY per append would serialise commits)."""
    url = Urls.of(settings).log
    if settings.is_postgresql:
        return Poll
    path: Path = sqlite_path(url)
    return lambda: DataVersion(path)


def main() -> int:
    """What `python -m api.worker` does."""
    settings = Settings.from_environment()
    configure_logging(settings.log_level)
    return 0 if run(settings) else 1


if __name__ == "__main__":
    sys.exit(main())
