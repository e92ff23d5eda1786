"""Empty, migrated installations to invent histories in, on either database; each is a copy of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from api.bootstrap import migrate
from api.settings import Settings
from tests.support.postgres import APP_ROLE, Cluster

KINDS = ("sqlite", "postgres")


class Places:
    """Makes them below `root`, and databases of `cluster`."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self._root, self._cluster, self._numbers = root, cluster, count()
        self._template = f"template_invented_{os.getpid()}"
        migrate(Settings(home=root / "sqlite"))
        cluster.create_database(self._template)
        migrate(self._on_postgresql(root / "postgres", self._template))

    @contextmanager
    def fresh(self, kind: str) -> Iterator[Settings]:
        """A new installation of a kind; it is gone afterwards."""
        name = f"invented_{os.getpid()}_{next(self._numbers)}"
        home = self._root / name
        shutil.copytree(self._root / kind, home)
        try:
            if kind == "sqlite":
                yield Settings(home=home)
                return
            self._cluster.create_database(name, template=self._template)
            try:
                yield self._on_postgresql(home, name)
            finally:
                self._cluster.drop_database(name)
        finally:
            shutil.rmtree(home)

    def _on_postgresql(self, home: Path, database: str) -> Settings:
        """As it should run: the application's role may do less than who migrates."""
        home.mkdir(parents=True, exist_ok=True)
        return Settings(
            home=home, database_url=self._cluster.url(database, APP_ROLE), migration_url=self._cluster.url(database),
            keys_url=f"sqlite:///{home}/keys.sqlite3",
        )  # fmt: skip
