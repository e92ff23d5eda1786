"""Fixtures every layer's tests share: a real database of each kind, and a log on it."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.support.postgres import APP_ROLE, Cluster, locked, shared_cluster

if TYPE_CHECKING:
    from services.log import EventLog

_numbers = itertools.count()

settings.register_profile("anodyne", deadline=None, print_blob=True)
settings.load_profile("anodyne")
"""No test fails because a machine is slow: an example may take as long as it takes."""


@dataclass(frozen=True)
class Database:
    """Where one test keeps its data. URLs are `sqlite:///PATH` or `postgresql://...` (psycopg's form).

    On PostgreSQL `log_url` and `views_url` connect as the least-privileged application role;
    `admin_url` is the superuser's (for migrations and for tampering). The log's schema is migrated.
    """

    kind: str
    home: Path
    log_url: str
    views_url: str
    keys_url: str
    admin_url: str


@pytest.fixture(scope="session")
def meeting_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all xdist workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def pg_cluster(meeting_place: Path) -> Iterator[Cluster]:
    """One PostgreSQL cluster per session (shared by xdist workers); fails, saying what to install, if it cannot."""
    with shared_cluster(meeting_place) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster, meeting_place: Path) -> str:
    """Name of a migrated, empty database that tests copy."""
    from services.log import migrate

    marker = meeting_place / "pg-template.done"
    with locked(meeting_place / "pg-template.lock"):
        if not marker.exists():
            migrate(pg_cluster.create_database("template_anodyne"))
            marker.touch()
    return "template_anodyne"


def _new_name() -> str:
    return f"t_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}_{next(_numbers)}"


@pytest.fixture
def pg_empty_database(pg_cluster: Cluster) -> Iterator[str]:
    """URL (superuser) of a new database without any schema of ours."""
    name = _new_name()
    yield pg_cluster.create_database(name)
    pg_cluster.drop_database(name)


@pytest.fixture
def pg_database(pg_cluster: Cluster, pg_template: str) -> Iterator[str]:
    """URL (superuser) of a new database in which the log's schema is migrated."""
    name = _new_name()
    yield pg_cluster.create_database(name, template=pg_template)
    pg_cluster.drop_database(name)


def _as_app(url: str) -> str:
    return url.replace("://postgres@", f"://{APP_ROLE}@")


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Database:
    """A home directory with the three files of the embedded default; the log's schema is migrated."""
    from services.log import migrate, migrate_keys

    urls = {stem: f"sqlite:///{tmp_path}/{stem}.sqlite3" for stem in ("log", "views", "keys")}
    migrate(urls["log"])
    migrate_keys(urls["keys"])
    return Database("sqlite", tmp_path, urls["log"], urls["views"], urls["keys"], urls["log"])


@pytest.fixture
def postgres_database(pg_database: str, tmp_path: Path) -> Database:
    """Log and views in one database, the keys in a file of their own."""
    from services.log import migrate_keys

    app, keys_url = _as_app(pg_database), f"sqlite:///{tmp_path}/keys.sqlite3"
    migrate_keys(keys_url)
    return Database("postgres", tmp_path, app, app, keys_url, pg_database)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh database of each kind: a test that takes this runs twice."""
    chosen: Database = request.getfixturevalue(f"{request.param}_database")
    return chosen


@pytest.fixture
def event_log(database: Database) -> Iterator[EventLog]:
    """The care log on `database`, opened (its first event is LogOpened), with a key store of its own."""
    from services.log import open_log

    log = open_log(database.log_url, keys_url=database.keys_url, home=database.home)
    yield log
    log.close()


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The system's Chromium; fails, saying what to install, when there is none."""
    finder = Path(__file__).parents[1] / "scripts/find-chromium"
    found = subprocess.run([finder], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    arguments = ["--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return {"executable_path": found.stdout.strip(), "args": arguments}
