"""The outbox: put in once (its id is a uuid5 of what caused it), taken out by one at a time, tried again with patience.

At least once: a letter is marked as sent after the server has taken it, so a crash in between sends it again, under
the same Message-ID. A lease keeps two workers from sending one letter at the same time, and ends when its holder dies.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from api.home.links import to_moment
from api.mail.tables import OUTBOX
from projections.engine.database import writing

__all__ = ["NO_ADDRESS", "Entry", "Message", "Outbox", "put"]

LEASE_S = 120.0
"""Longer than a sender may take (its timeouts are 20 s)."""

MOST_ATTEMPTS = {"alert": 40}
USUAL_ATTEMPTS = 12
"""With the pauses below: about a day and a half; alerts are tried for half an hour, while others are told too."""

FIRST_PAUSE_S = {"alert": 5.0}
LONGEST_PAUSE_S = {"alert": 60.0}
USUAL_FIRST_S, USUAL_LONGEST_S = 60.0, 6 * 3600.0


NO_ADDRESS = "no address"
"""Why a letter was dropped whose recipient has none."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """Something to be told. `about` holds ids and days only."""

    message_id: UUID
    kind: str
    recipient: UUID
    about: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A message and how far it has come."""

    message: Message
    status: str
    attempts: int
    created_at: datetime
    next_at: datetime
    ended_at: datetime | None
    trouble: str | None


def put(sql: Connection, message: Message, *, not_before_us: int = 0) -> bool:
    """Puts a message in, in the caller's transaction; False when it is there already."""
    values = {
        "message_id": str(message.message_id), "kind": message.kind, "recipient": str(message.recipient),
        "about": json.dumps(dict(message.about)), "status": "queued", "attempts": 0, "next_us": not_before_us,
        "leased_us": 0, "created_us": now_us(),
    }
    known = select(OUTBOX.c.message_id).where(OUTBOX.c.message_id == str(message.message_id))
    if sql.execute(known).first() is not None:
        return False
    try:
        with sql.begin_nested():
            sql.execute(insert(OUTBOX).values(values))
    except IntegrityError:
        return False
    return True


class Outbox:
    """The outbox in the views' database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, *messages: Message) -> int:
        """Puts messages in, all or none; how many were not there yet."""
        with writing(self._engine) as sql:
            return sum(put(sql, message) for message in messages)

    def take(self, kinds: Collection[str], limit: int = 20) -> Sequence[Entry]:
        """Messages whose time has come, leased to the caller, the longest waiting first."""
        now = now_us()
        waiting = (
            select(OUTBOX).where(
                OUTBOX.c.status == "queued", OUTBOX.c.kind.in_(kinds), OUTBOX.c.next_us <= now,
                OUTBOX.c.leased_us <= now)
            .order_by(OUTBOX.c.next_us, OUTBOX.c.message_id).limit(limit)
        )
        with self._engine.connect() as sql:
            found = [dict(row) for row in sql.execute(waiting).mappings()]
        return [_entry(row) for row in found if self._leased(row, now)]

    def _leased(self, row: dict[str, Any], now: int) -> bool:
        """Whether the row is now ours: nobody took it or changed it since it was read."""
        mine = (
            OUTBOX.c.message_id == row["message_id"], OUTBOX.c.status == "queued",
            OUTBOX.c.leased_us == row["leased_us"], OUTBOX.c.attempts == row["attempts"],
        )
        row["attempts"] += 1
        changed = {"leased_us": now + round(LEASE_S * 1e6), "attempts": row["attempts"]}
        with writing(self._engine) as sql:
            return sql.execute(update(OUTBOX).where(*mine).values(changed)).rowcount == 1

    def sent(self, entry: Entry) -> None:
        """The server has taken it."""
        self._end(entry, "sent", None)

    def dropped(self, entry: Entry, why: str) -> None:
        """There is nothing to send any more, or nowhere to send it."""
        self._end(entry, "dropped", why)

    def failed(self, entry: Entry, trouble: str, *, for_good: bool) -> None:
        """It could not be sent: again after a pause that grows, or never."""
        kind = entry.message.kind
        if for_good or entry.attempts >= MOST_ATTEMPTS.get(kind, USUAL_ATTEMPTS):
            self._end(entry, "dead", trouble)
            return
        first, longest = FIRST_PAUSE_S.get(kind, USUAL_FIRST_S), LONGEST_PAUSE_S.get(kind, USUAL_LONGEST_S)
        pause_s = min(first * 2 ** (entry.attempts - 1), longest) * random.uniform(0.8, 1.2)  # noqa: S311
        self._change(entry, {"next_us": now_us() + round(pause_s * 1e6), "leased_us": 0, "trouble": trouble[:200]})

    def postponed(self, entry: Entry, until: datetime, seconds: float) -> None:
        """Not now (quiet hours, the read side is behind): that was no attempt."""
        self._change(entry, {
            "next_us": now_us() + round(seconds * 1e6), "leased_us": 0, "attempts": entry.attempts - 1,
            "trouble": f"not before {until.isoformat(timespec='minutes')}"})

    def entries(self, *, kinds: Collection[str] = (), statuses: Collection[str] = (), limit: int = 200
                ) -> Sequence[Entry]:
        """What is or was in the outbox, the newest first."""
        wanted = select(OUTBOX).order_by(OUTBOX.c.created_us.desc(), OUTBOX.c.message_id).limit(limit)
        if kinds:
            wanted = wanted.where(OUTBOX.c.kind.in_(kinds))
        if statuses:
            wanted = wanted.where(OUTBOX.c.status.in_(statuses))
        with self._engine.connect() as sql:
            return [_entry(dict(row)) for row in sql.execute(wanted).mappings()]

    def of(self, message_ids: Collection[UUID]) -> Mapping[UUID, Entry]:
        """These messages, as far as they are in the outbox."""
        ordered, found = sorted(map(str, message_ids)), list[Entry]()
        with self._engine.connect() as sql:
            for start in range(0, len(ordered), 500):
                some = select(OUTBOX).where(OUTBOX.c.message_id.in_(ordered[start : start + 500]))
                found += [_entry(dict(row)) for row in sql.execute(some).mappings()]
        return {one.message.message_id: one for one in found}

    def undelivered(self, within: timedelta, limit: int = 500) -> Sequence[Entry]:
        """Letters put in `within` so long that reached nobody: given up, or an alert's that had no address."""
        nowhere = and_(OUTBOX.c.status == "dropped", OUTBOX.c.kind == "alert", OUTBOX.c.trouble == NO_ADDRESS)
        since = now_us() - round(within.total_seconds() * 1e6)
        wanted = (
            select(OUTBOX).where(or_(OUTBOX.c.status == "dead", nowhere), OUTBOX.c.created_us >= since)
            .order_by(OUTBOX.c.created_us.desc(), OUTBOX.c.message_id).limit(limit)
        )
        with self._engine.connect() as sql:
            return [_entry(dict(row)) for row in sql.execute(wanted).mappings()]

    def again(self, message_id: UUID) -> bool:
        """Sends a message (again), under its own Message-ID; False when there is none."""
        mine = OUTBOX.c.message_id == str(message_id)
        fresh = {"status": "queued", "attempts": 0, "next_us": 0, "leased_us": 0, "ended_us": None, "trouble": None}
        with writing(self._engine) as sql:
            return sql.execute(update(OUTBOX).where(mine).values(fresh)).rowcount == 1

    def _end(self, entry: Entry, status: str, trouble: str | None) -> None:
        self._change(entry, {"status": status, "ended_us": now_us(), "leased_us": 0,
                             "trouble": trouble[:200] if trouble else None})

    def _change(self, entry: Entry, values: dict[str, Any]) -> None:
        with writing(self._engine) as sql:
            sql.execute(
                update(OUTBOX).where(OUTBOX.c.message_id == str(entry.message.message_id)).values(values))


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        message=Message(
            message_id=UUID(row["message_id"]), kind=row["kind"], recipient=UUID(row["recipient"]),
            about=json.loads(row["about"])),
        status=row["status"], attempts=row["attempts"], created_at=to_moment(row["created_us"]),
        next_at=to_moment(row["next_us"]), ended_at=None if row["ended_us"] is None else to_moment(row["ended_us"]),
        trouble=row["trouble"],
    )


def now_us() -> int:
    """This machine's clock: when letters are tried is its business, not the log's."""
    return time.time_ns() // 1000
