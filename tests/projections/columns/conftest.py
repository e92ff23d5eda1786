"""Databases for columns."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def views_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty read models' database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/views.sqlite3"
    return str(request.getfixturevalue("pg_empty_database"))
