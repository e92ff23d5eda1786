"""Who reads the digest: subscribed by user, at an address, for all or some of the clinics that the user may see.

A reader's rights are looked up each time: who has lost a clinic (or the account) gets no figures of it any more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert, select, update

from api.auth.grants import clinics_of
from api.auth.policy import READS_FIGURES
from api.auth.tables import GRANTS, USERS
from api.digest.tables import READERS
from api.digest.week import Week, last_complete, next_monday
from api.home.links import to_moment, to_us
from api.mail.outbox import Message, put
from domain.kernel import derived_id
from projections.engine.database import writing

__all__ = ["NoAddress", "Reader", "Readers"]

_ADDRESS = re.compile(r"[^@\s<>,;:\"\\()\[\]]{1,64}@[^@\s<>,;:\"\\()\[\]]{1,190}", re.ASCII)


class NoAddress(ValueError):
    """That is no e-mail address."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One subscription. `clinics` None: every clinic that the user may see."""

    reader_id: UUID
    user_id: str
    email: str
    clinics: tuple[UUID, ...] | None
    next_at: datetime
    stopped_at: datetime | None


class Readers:
    """The subscriptions, in the views' database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def subscribe(
        self, user_id: str, email: str, clinics: Iterable[UUID] | None, now: datetime, zone: ZoneInfo
    ) -> Reader:
        """From next Monday on (again, elsewhere, for other clinics). Raises NoAddress."""
        if not _ADDRESS.fullmatch(email):
            raise NoAddress(email)
        reader_id = derived_id("digest_reader", user_id)
        chosen = None if clinics is None else json.dumps(sorted(str(one) for one in clinics))
        values = {"email": email, "clinics": chosen, "next_us": to_us(next_monday(now, zone)), "stopped_us": None}
        with writing(self._engine) as sql:
            if sql.execute(update(READERS).where(READERS.c.reader_id == str(reader_id)).values(values)).rowcount == 0:
                sql.execute(insert(READERS).values(
                    reader_id=str(reader_id), user_id=user_id, created_us=to_us(now), **values))
        kept = self.find(reader_id)
        assert kept is not None
        return kept

    def stop(self, reader_id: UUID, now: datetime) -> bool:
        """Ends a subscription; False when there is none or it has ended."""
        mine = (READERS.c.reader_id == str(reader_id), READERS.c.stopped_us.is_(None))
        with writing(self._engine) as sql:
            return sql.execute(update(READERS).where(*mine).values(stopped_us=to_us(now))).rowcount > 0

    def find(self, reader_id: UUID) -> Reader | None:
        """One subscription."""
        found = self._read(READERS.c.reader_id == str(reader_id))
        return found[0] if found else None

    def of(self, user_id: str) -> Reader | None:
        """A user's subscription that stands."""
        found = self._read(READERS.c.user_id == user_id)
        return found[0] if found and found[0].stopped_at is None else None

    def all(self) -> Sequence[Reader]:
        """Every subscription that stands."""
        return self._read(READERS.c.stopped_us.is_(None))

    def _read(self, *where: object) -> Sequence[Reader]:
        with self._engine.connect() as sql:
            rows = sql.execute(select(READERS).where(*where).order_by(READERS.c.created_us)).mappings().all()  # type: ignore[arg-type]
        return [
            Reader(
                reader_id=UUID(row["reader_id"]), user_id=row["user_id"], email=row["email"],
                clinics=None if row["clinics"] is None else tuple(UUID(one) for one in json.loads(row["clinics"])),
                next_at=to_moment(row["next_us"]),
                stopped_at=None if row["stopped_us"] is None else to_moment(row["stopped_us"]),
            )
            for row in rows
        ]

    def clinics_of(self, reader: Reader, all_clinics: Sequence[str]) -> tuple[str, ...]:
        """The clinics whose figures the reader may have now: chosen, and within what the user's roles may see."""
        granted = (
            select(GRANTS.c.clinics).join(USERS, USERS.c.user_id == GRANTS.c.user_id)
            .where(GRANTS.c.user_id == reader.user_id, GRANTS.c.role.in_(sorted(READS_FIGURES)),
                   USERS.c.disabled_us.is_(None))
        )
        with self._engine.connect() as sql:
            sets = [clinics_of(kept) for kept in sql.execute(granted).scalars()]
        allowed = {one for one in all_clinics if any(some is None or UUID(one) in some for some in sets)}
        if reader.clinics is not None:
            allowed &= {str(one) for one in reader.clinics}
        return tuple(sorted(allowed))

    def schedule(self, reader: Reader, now: datetime, known_at: int, zone: ZoneInfo) -> bool:
        """Puts last week's digest into the outbox, once for reader and week, and sets the next; whether it was new.

        A worker that was off on Monday sends on the day it is back; one that was off for weeks sends the last only.
        """
        following = update(READERS).where(READERS.c.reader_id == str(reader.reader_id))
        with writing(self._engine) as sql:
            new = put(sql, letter_of(reader, last_complete(now, zone), now, known_at))
            sql.execute(following.values(next_us=to_us(next_monday(now, zone))))
        return new

    def put(self, reader: Reader, week: Week, now: datetime, known_at: int) -> bool:
        """Puts one week's digest into the outbox; False when it has been."""
        with writing(self._engine) as sql:
            return put(sql, letter_of(reader, week, now, known_at))


def letter_of(reader: Reader, week: Week, now: datetime, known_at: int) -> Message:
    """One letter for a reader and a week, whoever asks for it how often."""
    return Message(
        message_id=derived_id("letter", "digest", reader.reader_id, week.name), kind="digest",
        recipient=reader.reader_id, about={"week": week.name, "as_of": now.isoformat(), "known_at": known_at},
    )
