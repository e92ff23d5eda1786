"""The story is told from the moment it is told at. No hour of the clinic's day, and no day of the year, may break it:
a suite that is red at night says nothing of the product, and a chart that cannot be written at midnight says much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.world import World

MOMENTS = [
    "2026-11-25T00:03-08:00", "2026-11-25T03:30-08:00", "2026-11-25T09:59-08:00", "2026-11-25T16:00-08:00",
    "2026-11-25T22:30-08:00", "2026-12-31T23:58-08:00", "2026-11-01T01:30-08:00", "2026-11-01T08:00-08:00",
    "2027-03-14T03:01-07:00", "2027-03-10T12:00-08:00", "2028-02-29T05:00-08:00",
]  # fmt: skip
"""By clinic A's clock on the wall: around midnight and a year's end, the repeated hour, the hours after a gap, the
week before one, a leap day."""


class RunningClock:
    """A clock that was set to `moment` and runs on."""

    def __init__(self, moment: datetime) -> None:
        self._ahead = moment - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_story_can_be_told_at_any_hour(make_world: Callable[..., World], moment: str) -> None:
    """Given clocks that show `moment`; when each command is given; then it is taken, and its facts projected."""
    world = make_world(clock=RunningClock(datetime.fromisoformat(moment)))

    world.tell().caught_up()

    assert abs(world.services.clock.now() - world.now) < timedelta(hours=1)
