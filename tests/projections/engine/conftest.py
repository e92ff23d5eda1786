"""A read models' database of each kind, migrated, and an engine over the boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.engine.projection import Group
from projections.migrations import migrate
from tests.projections.engine.history import START_US, Contents, Cured, ListLog, Places


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def views_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty, migrated read models' database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/views.sqlite3"
    else:
        url = request.getfixturevalue("pg_empty_database")
    migrate(url)
    return url


@pytest.fixture
def views(views_url: str) -> Iterator[ViewsDatabase]:
    database = ViewsDatabase(views_url)
    yield database
    database.close()


class Ticking:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.us = START_US

    def __call__(self) -> int:
        return self.us

    def forward(self, seconds: float) -> None:
        self.us += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def log() -> ListLog:
    return ListLog()


@pytest.fixture
def cured() -> Cured:
    return Cured()


MakeEngine = Callable[..., ProjectionEngine]


@pytest.fixture
def make_engine(views_url: str, log: ListLog, clock: Ticking, cured: Cured) -> Iterator[MakeEngine]:
    """Makes engines (as other processes would) on the same database; closed at the end."""
    made: list[ProjectionEngine] = []

    def make(*projections: object, reading: ListLog | None = None) -> ProjectionEngine:
        chosen = projections or (Contents(cured=cured), Places())
        engine = ProjectionEngine(
            ViewsDatabase(views_url), reading or log, [Group("boxes", chosen)], now_us=clock  # type: ignore[arg-type]
        )
        engine.install()
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> ProjectionEngine:
    return make_engine()
