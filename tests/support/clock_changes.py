"""The nights on which a zone's clocks change next: dates written down in a test come to lie in the past."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

A_WEEK = 7


def next_change(zone: ZoneInfo, *, back: bool) -> date:
    """The first day, at least a week ahead, on which the zone's clocks go back (or else forward)."""
    today = datetime.now(UTC).astimezone(zone).date()
    for ahead in range(A_WEEK, 400):
        day = today + timedelta(days=ahead)
        hours = (_midnight(day + timedelta(days=1), zone) - _midnight(day, zone)) / timedelta(hours=1)
        if hours == (25 if back else 23):
            return day
    raise AssertionError(f"the clocks of {zone} do not change")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), zone).astimezone(UTC)
