"""Sessions of people in a browser: kept on the server, found by a random token of which only the hash is stored.

A session ends when it is signed out, when nothing has been asked for a while (`idle_s`), when its day is over
(`longest_s`, whatever was asked), when its user is disabled or its role is taken. It is looked up at every request,
so that signing out everywhere holds in every process at once.

Its `stage` says how far signing in has come: only a `full` session opens pages; the others open the one page of the
step that is missing, and die soon.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, RowMapping, and_, delete, insert, select, update

from api.auth.grants import clinics_of
from api.auth.keys import Principal
from api.auth.standing import Overtaken, Stamp, end_sessions, lock, stamp_of
from api.auth.tables import ACCOUNTS, GRANTS, SESSIONS, USERS
from domain.kernel import Role
from projections.engine.database import writing

__all__ = ["STEP_S", "Limits", "Session", "Sessions", "Stage"]

Stage = Literal["full", "code", "enrol", "password"]
"""`code`: the second factor is awaited; `enrol`: it must be set up; `password`: a new one must be chosen."""

STEP_S = 10 * 60
"""How long an unfinished sign-in is good for."""

TOUCH_S = 20
"""How old `seen_us` may be: not every request writes."""

KEPT_S = 30 * 24 * 3600
"""How long ended sessions stay listed."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a session may stay unused, and last at all, in seconds."""

    idle_s: int = 30 * 60
    longest_s: int = 12 * 3600


@dataclass(frozen=True, kw_only=True)
class Session:
    """Somebody's session. `idle_until` is when it ends if nothing more is asked."""

    session_id: str
    user_id: str
    principal: Principal
    stage: Stage
    method: str
    agent: str
    address: str
    demo: bool
    created_at: datetime
    seen_at: datetime
    idle_until: datetime
    expires_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When it ends if nothing more is asked."""
        return min(self.idle_until, self.expires_at)


class Sessions:
    """The sessions of one installation. `now_us` is the machine's clock unless a test turns another."""

    def __init__(
        self, engine: Engine, limits: Limits, *, now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        self._engine = engine
        self.limits = limits
        self._now_us = now_us

    def start(
        self, user_id: str, role: Role, *, method: str, stage: Stage = "full", agent: str = "", address: str = "",
        id_token: str | None = None, proved: Stamp | None = None, after: str | None = None,
    ) -> str:
        """A new session of the user in `role`; its token, which is stored nowhere.

        `proved` is the account's stamp when its password was judged, `after` the session whose step led here: that
        one ends. Raises `Overtaken` where either does not hold any more.
        """
        token, now_us = secrets.token_urlsafe(32), self._now_us()
        length_s = self.limits.longest_s if stage == "full" else min(STEP_S, self.limits.longest_s)
        with writing(self._engine) as connection:
            account = lock(connection, user_id)
            if proved is not None and (account is None or stamp_of(account) != proved):
                raise Overtaken(user_id)
            if after is not None and not self._end(connection, user_id, after):
                raise Overtaken(user_id)
            connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_us < now_us - KEPT_S * 1_000_000))
            connection.execute(
                insert(SESSIONS).values(
                    session_id=secrets.token_hex(8), token_sha256=_hash(token), user_id=user_id, role=role,
                    stage=stage, method=method, agent=agent[:200], address=address[:45], id_token=id_token,
                    created_us=now_us, seen_us=now_us, expires_us=now_us + length_s * 1_000_000,
                )
            )
        return token

    def find(self, token: str, *, touch: bool = True) -> Session | None:
        """The live session of a token, or None. With `touch` the asking keeps it from ending for idleness."""
        with self._engine.connect() as connection:
            row = connection.execute(
                _WITH_USER.where(SESSIONS.c.token_sha256 == _hash(token), *self._alive())
            ).mappings().one_or_none()
        if row is None:
            return None
        now_us = self._now_us()
        if touch and now_us - row["seen_us"] > TOUCH_S * 1_000_000:
            with writing(self._engine) as connection:
                connection.execute(
                    update(SESSIONS).where(SESSIONS.c.session_id == row["session_id"]).values(seen_us=now_us)
                )
        return self._session(row, now_us if touch else row["seen_us"])

    def of(self, user_id: str) -> Sequence[Session]:
        """The user's live, full sessions, the latest used first."""
        chosen = _WITH_USER.where(SESSIONS.c.user_id == user_id, SESSIONS.c.stage == "full", *self._alive())
        with self._engine.connect() as connection:
            rows = connection.execute(chosen.order_by(SESSIONS.c.seen_us.desc())).mappings().all()
        return [self._session(row, row["seen_us"]) for row in rows]

    def change_role(self, session: Session, role: Role) -> bool:
        """Lets the session act in another of its user's roles; False when the user has no such role."""
        granted = select(GRANTS.c.role).where(GRANTS.c.user_id == session.user_id, GRANTS.c.role == role)
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(SESSIONS)
                .where(SESSIONS.c.session_id == session.session_id, granted.exists())
                .values(role=role)
            )
        return changed.rowcount == 1

    def end(self, user_id: str, session_id: str) -> str | None:
        """Ends one session of the user; the identity token it came with, if any."""
        chosen = select(SESSIONS.c.id_token).where(
            SESSIONS.c.user_id == user_id, SESSIONS.c.session_id == session_id
        )
        with writing(self._engine) as connection:
            kept: str | None = connection.execute(chosen).scalar_one_or_none()
            self._end(connection, user_id, session_id)
        return kept

    def _end(self, connection: Connection, user_id: str, session_id: str) -> bool:
        """Whether it lived until now."""
        ended = connection.execute(
            update(SESSIONS)
            .where(
                SESSIONS.c.user_id == user_id, SESSIONS.c.session_id == session_id, SESSIONS.c.ended_us.is_(None)
            )
            .values(ended_us=self._now_us(), id_token=None)
        )
        return ended.rowcount == 1

    def end_all(self, user_id: str, *, but: str | None = None) -> int:
        """Ends every session of the user (but one); how many lived."""
        with writing(self._engine) as connection:
            lock(connection, user_id)
            return end_sessions(connection, user_id, self._now_us(), but=but)

    def _alive(self) -> list[Any]:
        now_us = self._now_us()
        return [
            SESSIONS.c.ended_us.is_(None), SESSIONS.c.expires_us > now_us,
            SESSIONS.c.seen_us > now_us - self.limits.idle_s * 1_000_000, USERS.c.disabled_us.is_(None),
        ]

    def _session(self, row: RowMapping, seen_us: int) -> Session:
        return Session(
            session_id=row["session_id"], user_id=row["user_id"], stage=row["stage"], method=row["method"],
            agent=row["agent"], address=row["address"], demo=bool(row["demo"]),
            principal=Principal(
                key_id=f"session-{row['session_id']}", actor_id=row["staff_id"] or row["user_id"],
                user_name=row["user_name"], role=row["role"], clinics=clinics_of(row["clinics"]), scopes=None,
            ),
            created_at=_moment(row["created_us"]), seen_at=_moment(seen_us), expires_at=_moment(row["expires_us"]),
            idle_until=_moment(seen_us + self.limits.idle_s * 1_000_000),
        )


_WITH_USER = (
    select(SESSIONS, USERS.c.user_name, USERS.c.staff_id, GRANTS.c.clinics, ACCOUNTS.c.demo)
    .join(USERS, USERS.c.user_id == SESSIONS.c.user_id)
    .join(GRANTS, and_(GRANTS.c.user_id == SESSIONS.c.user_id, GRANTS.c.role == SESSIONS.c.role))
    .outerjoin(ACCOUNTS, ACCOUNTS.c.user_id == SESSIONS.c.user_id)
)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)
