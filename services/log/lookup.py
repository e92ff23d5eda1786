"""Records by position: what a figure's rows open into."""

from __future__ import annotations

from collections.abc import Collection

from domain.kernel import Recorded
from services.log.event_log import EventLog

__all__ = ["records_at"]


def records_at(log: EventLog, positions: Collection[int]) -> dict[int, Recorded]:
    """The records at these positions (at most a page of them); a position beyond the log's end is left out."""
    wanted = sorted(set(positions))
    if not wanted:
        return {}
    marks = ", ".join(["%s"] * len(wanted))
    rows = log.recorder.select_rows(f"position IN ({marks})", tuple(wanted), order="position")
    return {row.id: log.mapper.to_domain_event(row) for row in rows}
