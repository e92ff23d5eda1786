"""Where every projection stands: position, lag in events and seconds, errors, rebuilds, leaders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection

from domain.ports import LogReader
from projections.engine import positions
from projections.engine.positions import Standing
from projections.engine.projection import Group, Projection

State = Literal["live", "failed", "paused", "outdated"]


class RebuildStatus(msgspec.Struct, frozen=True):
    """A shadow set being filled (or stopped by an error)."""

    version: int
    position: int
    status: str
    started_us: int
    updated_us: int
    error: str | None = None
    failed_position: int | None = None
    failed_event: str | None = None


class ProjectionStatus(msgspec.Struct, frozen=True):
    """One projection.

    *failed*: an event could not be applied (`error`, `failed_position`, `failed_event`); it is tried again at
    `retry_us`, at once with `retry`, never with `skip`. *outdated*: the tables are of `served_version`; of an
    earlier one they await their rebuild, of a later one the program that knows it. Lag counts events of the log
    not applied yet, and the age of the oldest of them.
    """

    name: str
    group: str
    state: State
    version: int
    served_version: int
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    updated_us: int
    error: str | None = None
    failed_position: int | None = None
    failed_event: str | None = None
    attempts: int = 0
    retry_us: int | None = None
    rebuild: RebuildStatus | None = None
    leader: str | None = None
    leader_beat_us: int | None = None


def state_of(standing: Standing, projection: Projection) -> State:
    """What the standing means to this version of the program."""
    if standing.version != projection.version:
        return "outdated"
    if standing.status == "failed":
        return "failed"
    return "paused" if standing.status == "paused" else "live"


def report(sql: Connection, log: LogReader, groups: Sequence[Group], now_us: int) -> list[ProjectionStatus]:
    """The status of every projection that has tables, by group and name."""
    rows = {(standing.name, standing.slot): standing for standing in positions.every(sql)}
    leaders = positions.leaders(sql)
    head = log.head()
    ages: dict[int, float] = {}
    found = []
    for group in groups:
        leader = leaders.get(group.name)
        for projection in group.projections:
            live, shadow = rows.get((projection.name, "live")), rows.get((projection.name, "shadow"))
            if live is None:
                continue
            if live.position not in ages:
                ages[live.position] = _age_s(log, live.position, head, now_us)
            found.append(
                ProjectionStatus(
                    name=live.name, group=group.name, state=state_of(live, projection), version=projection.version,
                    served_version=live.version, position=live.position, head=head,
                    lag_events=max(head - live.position, 0), lag_seconds=ages[live.position],
                    updated_us=live.updated_us, error=live.error, failed_position=live.failed_position,
                    failed_event=live.failed_event, attempts=live.attempts, retry_us=live.retry_us,
                    rebuild=None if shadow is None else _rebuild(shadow),
                    leader=None if leader is None else leader.worker,
                    leader_beat_us=None if leader is None else leader.beat_us,
                )
            )  # fmt: skip
    return found


def _rebuild(shadow: Standing) -> RebuildStatus:
    return RebuildStatus(
        shadow.version, shadow.position, shadow.status, shadow.started_us, shadow.updated_us, shadow.error,
        shadow.failed_position, shadow.failed_event,
    )  # fmt: skip


def _age_s(log: LogReader, position: int, head: int, now_us: int) -> float:
    """How long ago the first event after `position` was recorded; 0 when there is none, or the clocks differ."""
    if position >= head:
        return 0.0
    try:
        waiting = log.scan(position, 1)
    except Exception as error:
        if not isinstance(getattr(error, "position", None), int):
            raise
        waiting = log.scan(position + 1, 1)
    return max(now_us - waiting[0].recorded_us, 0) / 1_000_000 if waiting else 0.0
