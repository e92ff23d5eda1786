"""The recording clock of a simulation log: it stands where it was set, and never runs backwards."""

from __future__ import annotations

from datetime import datetime


class MovableClock:
    """A clock that only `set` moves."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The moment it was last set to, in UTC."""
        return self._now

    def set(self, moment: datetime) -> None:
        """Moves on to `moment`; an earlier one is ignored, since recorded_at never decreases."""
        self._now = max(self._now, moment)
