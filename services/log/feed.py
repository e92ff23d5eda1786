"""The feed's first form: the log in order, filtered and scoped, each item proving that none was left out before it."""

from __future__ import annotations

import time
from collections.abc import Collection
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from domain.kernel import Recorded
from services.log.event_log import EventLog
from services.log.rows import StoredRow

MAX_ITEMS = 1_000
MAX_WAIT_S = 30.0
_POLL_S = 0.05


class FeedItem(msgspec.Struct, frozen=True):
    """An event, and the position of the item before it under the same filter and scope (0: it is the first)."""

    record: Recorded
    prevsequence: int


class FeedPage(msgspec.Struct, frozen=True):
    """Items in order. Go on from `next_after`, which may lie beyond the last item; `head` is the log's end."""

    items: tuple[FeedItem, ...]
    next_after: int
    head: int


class TypeDigest(msgspec.Struct, frozen=True):
    """How many items of a type, and SHA-256 over their leaf hashes, concatenated in order."""

    count: int
    hash: str


class Digest(msgspec.Struct, frozen=True):
    """Over positions first <= position <= last; per type of event as the feed names it."""

    first: int
    last: int
    types: dict[str, TypeDigest]


class Feed:
    """Reads of one log by cursor. `types` are event names (older versions of each are included)."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def page(
        self, after: int, *, types: Collection[str] | None = None, clinics: Collection[UUID] | None = None,
        limit: int = 100, wait_s: float = 0.0,
    ) -> FeedPage:
        """At most `limit` items with position > `after`; waits up to `wait_s` for the first.

        A cursor never grows too old. Raises UnknownEvent for a type that does not exist.
        """
        condition, parameters = self._filter(types, clinics)
        deadline = time.monotonic() + min(wait_s, MAX_WAIT_S)
        limit = max(1, min(limit, MAX_ITEMS))
        while True:
            head = self._log.head()
            rows = self._rows(f"position > %s AND position <= %s{condition}", (after, head, *parameters), limit)
            if rows or time.monotonic() >= deadline:
                break
            self._wait_beyond(head, deadline)
        items = []
        previous = self._previous(after, condition, parameters) if rows else 0
        for row in rows:
            items.append(FeedItem(self._log.mapper.to_domain_event(row), previous))
            previous = row.id
        next_after = rows[-1].id if len(rows) == limit else max(after, head)
        return FeedPage(tuple(items), next_after, head)

    def _rows(self, condition: str, parameters: tuple[Any, ...], limit: int) -> list[StoredRow]:
        return self._log.recorder.select_rows(condition, parameters, order="position", limit=limit)

    def _wait_beyond(self, head: int, deadline: float) -> None:
        while time.monotonic() < deadline and self._log.head() <= head:
            time.sleep(_POLL_S)

    def _previous(self, after: int, condition: str, parameters: tuple[Any, ...]) -> int:
        """The last item at or before `after` under the same filter."""
        if after <= 0:
            return 0
        rows = self._log.recorder.query(
            f"SELECT position FROM log.{self._log.log}_events WHERE position <= %s{condition} "
            "ORDER BY position DESC LIMIT 1", (after, *parameters)
        )
        return rows[0][0] if rows else 0

    def digest(
        self, first: int, last: int, *, types: Collection[str] | None = None, clinics: Collection[UUID] | None = None
    ) -> Digest:
        """What a client that kept every item from `first` to `last` can compute for itself and compare."""
        condition, parameters = self._filter(types, clinics)
        hashes: dict[str, Any] = {}
        counts: dict[str, int] = {}
        after, last = first - 1, min(last, self._log.head())
        while after < last:
            rows = self._log.recorder.query(
                f"SELECT position, name, leaf_hash FROM log.{self._log.log}_events "
                f"WHERE position > %s AND position <= %s{condition} ORDER BY position LIMIT 20000",
                (after, last, *parameters),
            )
            if not rows:
                break
            for _, stored_name, leaf in rows:
                name = self._log.mapper.readers[stored_name][0]
                hashes.setdefault(name, sha256()).update(leaf)
                counts[name] = counts.get(name, 0) + 1
            after = rows[-1][0]
        digests = {name: TypeDigest(counts[name], hashes[name].hexdigest()) for name in sorted(hashes)}
        return Digest(first, last, digests)

    def _filter(
        self, types: Collection[str] | None, clinics: Collection[UUID] | None
    ) -> tuple[str, tuple[Any, ...]]:
        """SQL and parameters. An empty collection lets nothing through (a key without clinics sees none)."""
        condition = ""
        parameters: tuple[Any, ...] = ()
        if types is not None:
            names = self._log.stored_names(types)
            condition += f" AND name IN ({_marks(len(names))})"
            parameters = (*parameters, *names)
        if clinics is not None:
            condition += f" AND clinic_id IN ({_marks(len(clinics))})"
            parameters = (*parameters, *clinics)
        return condition, parameters


def _marks(count: int) -> str:
    return ", ".join(["%s"] * count) if count else "NULL"
