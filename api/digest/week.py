"""Weeks: Monday to Sunday by ISO, told about on the Monday after at seven in the morning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from projections.metrics.calendar import Period

__all__ = ["Week", "last_complete", "next_monday"]

SENT_AT = time(7)
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


@dataclass(frozen=True)
class Week:
    """An ISO week by its Monday."""

    monday: date

    @classmethod
    def of(cls, text: str) -> Week:
        """`2026-W47`. Raises ValueError."""
        match = _WEEK.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no ISO week such as 2026-W47")
        return cls(date.fromisocalendar(int(match[1]), int(match[2]), 1))

    @property
    def name(self) -> str:
        """`2026-W47`."""
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02d}"

    @property
    def period(self) -> Period:
        """Its days."""
        return Period(self.monday, self.monday + timedelta(days=6))

    @property
    def before(self) -> Week:
        """The week before."""
        return Week(self.monday - timedelta(days=7))


def last_complete(now: datetime, zone: ZoneInfo) -> Week:
    """The last week that was over at `now` by the clinic's clock."""
    today = now.astimezone(zone).date()
    return Week(today - timedelta(days=today.weekday() + 7))


def next_monday(now: datetime, zone: ZoneInfo) -> datetime:
    """The first Monday, seven in the morning by the clinic's clock, after `now`; in UTC."""
    local = now.astimezone(zone)
    day = local.date() + timedelta(days=-local.weekday() % 7)
    moment = datetime.combine(day, SENT_AT, zone)
    if moment <= local:
        moment = datetime.combine(day + timedelta(days=7), SENT_AT, zone)
    return moment.astimezone(UTC)
