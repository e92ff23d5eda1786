"""The facts through the engine on SQLite and PostgreSQL: the same rows, the same figures, rebuilt the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from projections import boosters, outcomes, safety, utilization
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.metrics.calendar import Period
from projections.metrics.figures import plain as builtins_of
from projections.migrations import migrate
from projections.registry import facts_group
from tests.support.clinic_life import Life
from tests.support.facts import facts_of
from tests.support.histories import History

FIRST = date(2026, 3, 2)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def views(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ViewsDatabase]:
    """An empty, migrated read models' database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/views.sqlite3"
    else:
        url = request.getfixturevalue("pg_empty_database")
    migrate(url)
    database = ViewsDatabase(url)
    yield database
    database.close()


def rows(conn: Connection) -> dict[str, list[Any]]:
    """Every row of the facts group."""
    found = {}
    for projection in facts_group().projections:
        for table in projection.tables:
            found[table.name] = sorted((tuple(row) for row in conn.execute(select(table))), key=repr)
    return found


def figures(conn: Connection, life: Life, known_at: int | None = None) -> list[Any]:
    """All dashboards as plain data."""
    clinics, as_of = [str(one) for one in life.clinics], datetime(2026, 4, 1, tzinfo=UTC)
    period = Period(FIRST, FIRST + timedelta(days=6))
    found: list[Any] = [
        module.report(conn, clinics, period, as_of=as_of, known_at=known_at)
        for module in (utilization, outcomes, safety)
    ]
    found.append(boosters.report(conn, clinics, as_of=as_of, known_at=known_at))
    found.append(utilization.report(conn, clinics, period, as_of=datetime(2026, 3, 4, 12, tzinfo=UTC)))
    return [builtins_of(one) for one in found]


def test_the_engine_gives_the_same_rows_and_figures_on_both_databases(views: ViewsDatabase) -> None:
    """Live in small steps, then rebuilt: always what one plain pass over the log gives."""
    life = Life(11, days=6)
    growing = History()
    engine = ProjectionEngine(views, growing, [facts_group()])
    engine.install()
    for size in (1, 50, 300, 10_000):
        growing.records = life.history.records[: len(growing.records) + size]
        assert engine.catch_up()
    with facts_of(life.history) as plain, views.reads.connect() as live:
        expected, position = rows(plain), life.history.head() // 2
        assert rows(live) == expected
        assert figures(live, life) == figures(plain, life)
        assert figures(live, life, position) == figures(plain, life, position)
    engine.rebuild([projection.name for projection in facts_group().projections])
    with views.reads.connect() as rebuilt:
        assert rows(rebuilt) == expected
    assert all(one.equal for one in engine.compare())
    engine.close()
