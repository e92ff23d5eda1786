"""A real application over real databases, and the story's world in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.bootstrap import build_read_side, build_services, migrate
from api.http.app import create_app
from api.logs import configure_logging
from api.settings import Settings
from domain.ports import Clock
from tests.api.world import World


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """Requests are not told line by line while testing."""
    configure_logging("CRITICAL")


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., World]]:
    """Makes a world over an empty embedded home (or the settings' own databases), at a clock's hour if one is given."""
    opened: list[World] = []

    def make(home: Path | None = None, clock: Clock | None = None, **settings: object) -> World:
        usual = {"rate_limit": "1000000 per minute", "failure_limit": "1000000 per minute", "key_cache_seconds": 60.0,
                 "sign_in_limit": "1000000 per minute"}
        chosen = Settings(home=home or tmp_path_factory.mktemp("home"), **{**usual, **settings})  # type: ignore[arg-type]
        migrate(chosen)
        services = build_services(chosen, clock=clock, mode="simulation" if clock else None)
        read_side = build_read_side(chosen, services)
        app = create_app(chosen, services=services, read_side=read_side)
        world = World(app, services, read_side, services.clock.now())
        opened.append(world)
        return world

    yield make
    for world in opened:
        world.read_side.close()
        world.services.close()


@pytest.fixture(scope="session")
def lived(make_world: Callable[..., World]) -> World:
    """A world after its story, with its projections caught up. Tests leave the story's people as they are."""
    return make_world().tell().caught_up()
