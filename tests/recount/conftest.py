"""The demo, lived once a session, with its export; asking its dashboards as a manager's browser would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.demo.load import load
from api.settings import Settings
from tests.recount.asking import Asked, Installation

SCALE = 0.4
"""About 200 infusions at three clinics over 26 weeks, the end of daylight saving time within."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """The demo organisation and its export, projections caught up."""
    home: Path = tmp_path_factory.mktemp("recount-demo") / "home"
    load(Settings(home=home), scale=SCALE)
    with Installation(Settings(home=home)) as installation:
        yield installation.asked()
