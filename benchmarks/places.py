"""Where contenders keep their data: a private PostgreSQL cluster with its default durability, and folders.

The cluster is made by the tests' own helper, but with `durable=True`: fsync, full_page_writes and
synchronous_commit stay on, and that is asserted before anything is measured.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from api.settings import Settings
from tests.support.postgres import APP_ROLE, SUPERUSER, Cluster

KINDS = ("postgresql", "sqlite")
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


@dataclass
class Ground:
    """The run's folder and cluster; everything in them ends with the run (unless the folder was given)."""

    folder: Path
    cluster: Cluster
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_folder(self, stem: str) -> Path:
        """An empty folder of the run."""
        path = self.folder / f"{stem}-{next(self._numbers)}"
        path.mkdir(parents=True)
        return path

    def new_database(self, stem: str) -> str:
        """A new database's name."""
        name = f"{stem}_{next(self._numbers)}"
        self.cluster.create_database(name)
        return name

    def settings(self, kind: str, stem: str, **more: Any) -> Settings:
        """Settings of a new, empty installation of ours; on PostgreSQL with its least-privileged role."""
        home = self.new_folder(stem)
        if kind == "sqlite":
            return Settings(home=home, **more)
        name = self.new_database(stem)
        return Settings(
            home=home, database_url=self.cluster.url(name, APP_ROLE), migration_url=self.cluster.url(name), **more
        )

    def library_environment(self, kind: str, stem: str) -> dict[str, str]:
        """The library's own settings, on the same cluster or disk; its defaults otherwise."""
        if kind == "sqlite":
            path = self.new_folder(stem) / "library.sqlite3"
            return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
        return {
            "PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.cluster.port), "POSTGRES_DBNAME": self.new_database(stem),
            "POSTGRES_USER": SUPERUSER, "POSTGRES_PASSWORD": "-",
        }

    def postgres_version(self) -> str:
        """Its version; raises AssertionError if the server is not as durable as it is by default."""
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            for name, wanted in DURABLE.items():
                row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
                assert row == (wanted,), f"{name} is {row}"
            return str(connection.info.parameter_status("server_version")).split()[0]

    def settle(self) -> None:
        """A checkpoint between parts, so that one part's dirty pages are not written at another's cost."""
        self.cluster.execute("CHECKPOINT")


@contextmanager
def ground(parent: Path | None = None) -> Iterator[Ground]:
    """A folder on disk (in `parent`) and a running cluster; both removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="anodyne-bench-", dir=parent))
    try:
        cluster = Cluster.create(durable=True)
        try:
            yield Ground(folder, cluster)
        finally:
            cluster.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
