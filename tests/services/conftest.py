"""Fixtures named by the state they give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.practice import BEGAN, Practice, SetClock, log_in


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """An open clinic on a log of its own (SQLite), on a Monday morning."""
    clock = SetClock(BEGAN)
    log = log_in(tmp_path, clock)
    yield Practice(log, clock).opened()
    log.close()
