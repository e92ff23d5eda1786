"""The clinic's wall clock: a local time that a DST change skips or repeats is refused, not guessed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from api.http.problems import Problem
from api.http.scope import timezone_of

__all__ = ["in_zone", "resolve_local_moments"]


def resolve_local_moments(values: dict[str, Any], names: Iterable[str], clinic_id: UUID | None) -> None:
    """Gives each naive moment in `values` the clinic's offset; raises `Problem` 422 in a gap or a repeated hour."""
    for name in names:
        moment = values.get(name)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            if clinic_id is None:
                raise _refused(name, "local-time-needs-a-clinic", "A local time needs a clinic.")
            values[name] = in_zone(moment, timezone_of(clinic_id), name)


def in_zone(wall: datetime, zone: ZoneInfo, name: str) -> datetime:
    """The moment at which the clocks of `zone` show `wall`; raises `Problem` 422 when there is none, or two."""
    first, second = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
        raise _refused(name, "local-time-does-not-exist", f"The clocks of {zone.key} skip this time that day.")
    if first.utcoffset() != second.utcoffset():
        offsets = " or ".join(moment.isoformat() for moment in (first, second))
        raise _refused(name, "local-time-ambiguous", f"The clocks of {zone.key} show this time twice: send {offsets}.")
    return datetime.fromisoformat(first.isoformat())


def _refused(name: str, code: str, detail: str) -> Problem:
    return Problem(422, code, detail, errors=[{"pointer": f"/{name}", "detail": detail}])
