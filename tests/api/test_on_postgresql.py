"""The same story on PostgreSQL, as the least-privileged role: same answers, same events."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.probes import probe_story
from tests.api.story import ENDPOINTS, story
from tests.api.world import World
from tests.conftest import Database


def test_the_story_and_its_probes(postgres_database: Database, make_world: Callable[..., World]) -> None:
    """Every command works, every probe is refused as on SQLite, and the projections follow."""
    world = make_world(
        home=postgres_database.home, database_url=postgres_database.log_url, migration_url=postgres_database.admin_url
    )
    findings = probe_story(world, story())
    assert findings.wrong == {}
    assert {operation for operation, _ in findings.made} == set(ENDPOINTS), findings.ended
    world.caught_up()
    assert world.get("/v1/dashboards/safety", "manager", "A").get_json()["figures"]["infusions"] == 1
    world.read_side.close()
    world.services.close()
