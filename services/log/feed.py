"""Reading the log for the feed: under a filter of names and clinics, with the item before under the same filter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from domain.kernel import Recorded
from services.log.event_log import EventLog

__all__ = ["feed_page", "leaf_hashes", "previous_position"]


def feed_page(
    log: EventLog, after: int, limit: int, *, names: Collection[str] | None = None,
    clinics: Collection[UUID] | None = None,
) -> Sequence[Recorded]:
    """At most `limit` records after position `after`, ascending; only `names` and `clinics` if given."""
    where, parameters = _filter(log, names, clinics)
    rows = log.recorder.select_rows(f"position > %s{where}", (after, *parameters), order="position", limit=limit)
    return [log.mapper.to_domain_event(row) for row in rows]


def previous_position(
    log: EventLog, at: int, *, names: Collection[str] | None = None, clinics: Collection[UUID] | None = None
) -> int:
    """The highest position <= `at` under the filter; 0 when there is none."""
    where, parameters = _filter(log, names, clinics)
    rows = log.recorder.select_rows(f"position <= %s{where}", (at, *parameters), order="position DESC", limit=1)
    return rows[0].id if rows else 0


def leaf_hashes(
    log: EventLog, first: int, last: int, *, names: Collection[str] | None = None,
    clinics: Collection[UUID] | None = None, batch: int = 5_000,
) -> Iterator[tuple[str, bytes]]:
    """Present name and leaf hash, in order, of every row with first <= position <= last."""
    where, parameters = _filter(log, names, clinics)
    statement = (
        f"SELECT position, name, leaf_hash FROM log.{log.log}_events "
        f"WHERE position > %s AND position <= %s{where} ORDER BY position LIMIT %s"
    )
    after = first - 1
    while True:
        rows = log.recorder.query(statement, (after, last, *parameters, batch))
        for _, name, leaf_hash in rows:
            yield log.mapper.readers[name][0], bytes(leaf_hash)
        if len(rows) < batch:
            return
        after = rows[-1][0]


def _filter(
    log: EventLog, names: Collection[str] | None, clinics: Collection[UUID] | None
) -> tuple[str, tuple[str | UUID, ...]]:
    where = ""
    parameters: list[str | UUID] = []
    if names is not None:
        stored = log.upcasters.stored_names(sorted(names))
        where += f" AND name IN ({', '.join(['%s'] * len(stored))})" if stored else " AND 1 = 0"
        parameters += stored
    if clinics is not None:
        where += f" AND clinic_id IN ({', '.join(['%s'] * len(clinics))})" if clinics else " AND 1 = 0"
        parameters += sorted(clinics)
    return where, tuple(parameters)
