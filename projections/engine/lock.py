"""Who may work: one holder per name, let go by the system itself when the holder dies.

PostgreSQL: a session advisory lock on the worker's own connection, so that losing the lock is losing the
connection and with it the batch under way. SQLite: a lock on a file beside the database; the kernel frees it at
kill -9. Behind both stands the epoch in the position rows, which fences off a holder that lives on unawares.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path
from typing import Protocol

from projections.engine.database import Session, sqlite_path

_CLASS = 4714
"""First half of our advisory lock keys; the log's own locks use 4713."""


class Lock(Protocol):
    """A named lock that outlives no process."""

    def acquire(self) -> bool:
        """Takes the lock if it is free; never waits."""

    def held(self) -> bool:
        """Whether it is still ours."""

    def release(self) -> None:
        """Gives it up."""


class AdvisoryLock:
    """PostgreSQL: held by the session's connection."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._key = zlib.crc32(name.encode()) - 2**31

    def acquire(self) -> bool:
        return self._ask(f"SELECT pg_try_advisory_lock({_CLASS}, {self._key})")

    def held(self) -> bool:
        """Asks the server (and so notices a lost connection, which raises)."""
        mine = f"pid = pg_backend_pid() AND classid = {_CLASS} AND objid = {self._key % 2**32}"
        return self._ask(f"SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND {mine})")  # noqa: S608

    def release(self) -> None:
        self._ask(f"SELECT pg_advisory_unlock({_CLASS}, {self._key})")

    def _ask(self, question: str) -> bool:
        with self._session.reading() as sql:
            return bool(sql.exec_driver_sql(question).scalar())


class FileLock:
    """SQLite: held by this process on `<database>.<name>.lock`."""

    def __init__(self, database: Path, name: str) -> None:
        self._path = database.with_name(f"{database.name}.{name.replace(':', '-').replace('/', '-')}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        if not self.held():
            self.release()
            return False
        return True

    def held(self) -> bool:
        """False too when somebody replaced the file, for then another may hold the new one."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_for(session: Session, name: str) -> Lock:
    """The lock called `name` on the session's database."""
    if session.database.kind == "postgres":
        return AdvisoryLock(session, name)
    return FileLock(sqlite_path(session.database.url), name)
