"""What ends a worker's wait early. Only ever a hint: the worker polls the log whatever happens here.

A notification can be lost (sent before LISTEN, dropped with its connection), so nothing depends on one.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql

POLL_S = 0.05
"""The longest wait between two looks at the log (after an event the worker looks more often for a while)."""


class Wake(Protocol):
    """Waits for news."""

    def wait(self, timeout_s: float) -> None:
        """Returns at the latest after `timeout_s`, earlier when there may be news or `ring` was called."""

    def ring(self) -> None:
        """Ends the wait; from any thread."""

    def close(self) -> None:
        """Frees what it holds."""


class Poll:
    """No news from anywhere: waits the time out, unless rung (by a writer in the same process, or to stop)."""

    def __init__(self) -> None:
        self._bell = threading.Event()

    def wait(self, timeout_s: float) -> None:
        self._bell.wait(timeout_s)
        self._bell.clear()

    def ring(self) -> None:
        self._bell.set()

    def close(self) -> None:
        """Nothing to free."""


class DataVersion(Poll):
    """SQLite: `PRAGMA data_version` of the log's file changes when another connection has committed."""

    STEP_S = 0.005

    def __init__(self, log_file: Path) -> None:
        super().__init__()
        self._file = log_file
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None

    def _version(self) -> int | None:
        try:
            if self._connection is None:
                uri = f"{self._file.absolute().as_uri()}?mode=ro"
                self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=0.1)
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            self.close()
            return None

    def wait(self, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0 and not self._bell.is_set():
            version = self._version()
            if version is not None and version != self._seen:
                self._seen = version
                return
            self._bell.wait(min(self.STEP_S, left))
        self._bell.clear()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Listen(Poll):
    """PostgreSQL: LISTENs on `channel` with a connection of its own, in a thread; reconnects with a pause."""

    RECONNECT_S = 1.0

    def __init__(self, url: str, channel: str) -> None:
        super().__init__()
        self._url = url
        self._channel = channel
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=f"listen-{channel}", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True) as connection:
                self._hear(connection)
            self._stopping.wait(self.RECONNECT_S)

    def _hear(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        self.ring()
        while not self._stopping.is_set():
            for _ in connection.notifies(timeout=0.5, stop_after=1):
                self.ring()

    def close(self) -> None:
        self._stopping.set()
        self.ring()
        self._thread.join(timeout=5)
