"""What other processes do in the log's tests; a module of its own so that a spawned process can import it."""

from __future__ import annotations

import os
import time
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from uuid import UUID, uuid4

from services.log import ANY_VERSION, EventLog, StreamConflict, migrate, open_log
from tests.log.given import by_nurse, key, scored, write


def opened(log_url: str, keys_url: str, home: Path) -> EventLog:
    return open_log(log_url, keys_url=keys_url, home=home)


def append_many(log_url: str, keys_url: str, home: Path, count: int, clinic: UUID, start: Barrier) -> None:
    """`count` commits of one to three events, to a stream of its own and to one that all share."""
    log = opened(log_url, keys_url, home)
    own, shared, version = uuid4(), UUID(int=7), 0
    start.wait()
    for number in range(count):
        events = [scored()] * (1 + number % 3)
        log.append(write(own, version, *events, envelope=by_nurse(clinic_id=clinic)))
        version += len(events)
        log.append(write(shared, ANY_VERSION, scored(), envelope=by_nurse(clinic_id=clinic)))
    log.close()


def compete(log_url: str, keys_url: str, home: Path, stream: UUID, wins: int, start: Barrier) -> None:
    """Appends `wins` events to one stream, reading its head anew whenever another process was faster."""
    log = opened(log_url, keys_url, home)
    start.wait()
    won = 0
    while won < wins:
        try:
            log.append(write(stream, log.head_of(stream), scored()))
            won += 1
        except StreamConflict:
            continue
    log.close()


def append_then_die(log_url: str, keys_url: str, home: Path, stream: UUID, name: str) -> None:
    """Commits and is killed before it can tell anybody."""
    log = opened(log_url, keys_url, home)
    log.append(write(stream, 0, scored(), idempotency=key(name), answer={"stream_id": str(stream)}))
    os.kill(os.getpid(), 9)


def append_until_killed(log_url: str, keys_url: str, home: Path, told: Path) -> None:
    """Appends one event per new stream and notes each stream once its append was acknowledged."""
    log = opened(log_url, keys_url, home)
    with open(told, "a", buffering=1) as acknowledged:
        while True:
            stream = uuid4()
            log.append(write(stream, 0, scored(), idempotency=key(str(stream))))
            acknowledged.write(f"{stream}\n")


def migrate_at_once(url: str, start: Barrier, failed: Event) -> None:
    start.wait()
    try:
        migrate(url)
    except BaseException:
        failed.set()
        raise


def hold_write_lock(path: str, held: Event, seconds: float) -> None:
    """Keeps another process's SQLite writers waiting."""
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    held.set()
    time.sleep(seconds)
    connection.execute("ROLLBACK")
