"""One-tap links: an address that lets one patient answer some questions, for a while, without signing in.

The token is a random or derived 128-bit id and 128 bits of HMAC-SHA256 over it (ADR 0018): nothing in it tells whose
it is or what it asks, the database holds no token, and a guess is refused before any look-up. A link is bound to one
patient and one set of questions, expires, can be revoked, and gives nothing back: it can only be answered.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.home.tables import ANSWERED, LINKS
from domain.kernel import Code
from projections.engine.database import writing

__all__ = ["Answered", "Link", "LinkStore", "Tokens"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAC_BYTES = 16
TOKEN_LENGTH = 43


class Tokens:
    """Signs link ids for one purpose ("home", "digest"), so that one purpose's token is no other's."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._key = hmac.new(secret, f"anodyne/link/{purpose}/v1".encode(), hashlib.sha256).digest()

    def of(self, link_id: UUID) -> str:
        """The token: 43 characters that need no escaping in an address."""
        return urlsafe_b64encode(link_id.bytes + self._mac(link_id.bytes)).rstrip(b"=").decode()

    def read(self, token: str) -> UUID | None:
        """The link's id, if we have signed it; compared in constant time."""
        if len(token) != TOKEN_LENGTH or not token.isascii():
            return None
        try:
            raw = urlsafe_b64decode(token + "=")
        except (NotBase64, ValueError):
            return None
        link, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(link)):
            return None
        link_id = UUID(bytes=link)
        return link_id if hmac.compare_digest(self.of(link_id), token) else None

    def _mac(self, link: bytes) -> bytes:
        return hmac.new(self._key, link, hashlib.sha256).digest()[:MAC_BYTES]


@dataclass(frozen=True, kw_only=True)
class Link:
    """What a token stands for. `asks` are codes of `questions.ASKABLE`, in their order."""

    link_id: UUID
    patient_id: UUID
    clinic_id: UUID
    asks: tuple[Code, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime
    follow_up_id: UUID | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A question of a link that was dealt with: the diary's entry, or None when it was left unanswered."""

    asked: Code
    entry: int | None
    at: datetime
    changes: int = 0


class LinkStore:
    """Links and what has been answered by them, in the views' database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def issue(self, link: Link) -> Link:
        """Keeps a link; the one that is there when its id is known already (a retry)."""
        with self._engine.connect() as sql:
            try:
                sql.execute(insert(LINKS).values(row_of(link)))
                sql.commit()
            except IntegrityError:
                sql.rollback()
        kept = self.find(link.link_id)
        assert kept is not None
        return kept

    def find(self, link_id: UUID) -> Link | None:
        """The link, whatever has become of it."""
        with self._engine.connect() as sql:
            row = sql.execute(select(LINKS).where(LINKS.c.link_id == str(link_id))).mappings().one_or_none()
        return None if row is None else _link(dict(row))

    def of_patient(self, patient_id: UUID) -> Sequence[Link]:
        """A patient's links, the newest first."""
        mine = select(LINKS).where(LINKS.c.patient_id == str(patient_id)).order_by(LINKS.c.created_us.desc())
        with self._engine.connect() as sql:
            return [_link(dict(row)) for row in sql.execute(mine).mappings()]

    def revoke(self, link_id: UUID, at: datetime) -> bool:
        """Stops a link; False when there is none or it was stopped before."""
        mine = (LINKS.c.link_id == str(link_id), LINKS.c.revoked_us.is_(None))
        with writing(self._engine) as sql:
            return sql.execute(update(LINKS).where(*mine).values(revoked_us=to_us(at))).rowcount > 0

    def answered(self, link_id: UUID) -> dict[Code, Answered]:
        """What has been dealt with, by what was asked."""
        mine = select(ANSWERED).where(ANSWERED.c.link_id == str(link_id)).order_by(ANSWERED.c.at_us)
        with self._engine.connect() as sql:
            rows = sql.execute(mine).mappings().all()
        return {
            row["asked"]: Answered(
                asked=row["asked"], entry=row["entry"], at=to_moment(row["at_us"]), changes=row["changes"])
            for row in rows
        }

    def note(self, link_id: UUID, answer: Answered) -> None:
        """Notes a question as dealt with; what was noted before (an answer changed) gives way."""
        mine = (ANSWERED.c.link_id == str(link_id), ANSWERED.c.asked == answer.asked)
        values = {"entry": answer.entry, "changes": answer.changes, "at_us": to_us(answer.at)}
        with self._engine.connect() as sql:
            if sql.execute(update(ANSWERED).where(*mine).values(values)).rowcount == 0:
                try:
                    sql.execute(insert(ANSWERED).values(link_id=str(link_id), asked=answer.asked, **values))
                except IntegrityError:  # the other tap of a double tap was faster; it said the same
                    sql.rollback()
                    return
            sql.commit()

    def reopen(self, link_id: UUID, asked: Code) -> None:
        """A question that was left unanswered is asked again."""
        mine = (ANSWERED.c.link_id == str(link_id), ANSWERED.c.asked == asked, ANSWERED.c.entry.is_(None))
        with writing(self._engine) as sql:
            sql.execute(delete(ANSWERED).where(*mine))


def row_of(link: Link) -> dict[str, Any]:
    """The link as its table keeps it."""
    return {
        "link_id": str(link.link_id), "patient_id": str(link.patient_id), "clinic_id": str(link.clinic_id),
        "follow_up_id": None if link.follow_up_id is None else str(link.follow_up_id), "asks": json.dumps(link.asks),
        "created_by": link.created_by, "created_us": to_us(link.created_at), "expires_us": to_us(link.expires_at),
        "revoked_us": None if link.revoked_at is None else to_us(link.revoked_at),
    }


def _link(row: dict[str, Any]) -> Link:
    return Link(
        link_id=UUID(row["link_id"]), patient_id=UUID(row["patient_id"]), clinic_id=UUID(row["clinic_id"]),
        follow_up_id=None if row["follow_up_id"] is None else UUID(row["follow_up_id"]),
        asks=tuple(json.loads(row["asks"])), created_by=row["created_by"], created_at=to_moment(row["created_us"]),
        expires_at=to_moment(row["expires_us"]),
        revoked_at=None if row["revoked_us"] is None else to_moment(row["revoked_us"]),
    )


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_moment(us: int) -> datetime:
    """The moment, in UTC."""
    return EPOCH + timedelta(microseconds=us)
