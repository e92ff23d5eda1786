"""Users and their API keys: made, listed, revoked and checked.

A key is `anodyne_<env>_<id>_<secret>`: 192 random bits, shown once, kept as SHA-256 (a slow hash protects weak
passwords; these are not) and compared in constant time. A key acts for one user in one role, at some clinics or at
all, and may be narrowed by scopes. Every change of permission is announced, so that the log holds it as an event.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any, get_args
from uuid import UUID, uuid4

from sqlalchemy import Engine, insert, select, update

from api.auth.pins import PinMixin
from api.auth.tables import API_KEYS, USERS
from domain.kernel import Role
from domain.oversight import PermissionChanged
from projections.engine.database import writing

__all__ = ["IssuedKey", "KeyRegistry", "Principal", "UnknownUser"]

_CACHE_LIMIT = 4096


class UnknownUser(Exception):
    """No such user, or the user is disabled."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who is asking. `clinics` None is every clinic; `scopes` None is all that the role may."""

    key_id: str
    actor_id: str
    user_name: str
    role: Role
    clinics: frozenset[UUID] | None
    scopes: frozenset[str] | None

    def sees(self, clinic_id: UUID | None) -> bool:
        """Whether an act at `clinic_id` is inside this principal's clinics (acts of no clinic: only for all)."""
        return self.clinics is None or (clinic_id is not None and clinic_id in self.clinics)


@dataclass(frozen=True, kw_only=True)
class IssuedKey:
    """A key as it is listed; `text` only in the answer that made it."""

    key_id: str
    user_id: str
    user_name: str
    label: str
    role: Role
    clinics: tuple[UUID, ...] | None
    scopes: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    text: str | None = None


class KeyRegistry(PinMixin):
    """The users and keys of one installation. `announce` is told every change of permission."""

    def __init__(
        self,
        engine: Engine,
        *,
        prefix: str,
        announce: Callable[[PermissionChanged], None] | None = None,
        cache_seconds: float = 5.0,
    ) -> None:
        self._engine = engine
        self._prefix = f"anodyne_{prefix}_"
        self._announce = announce or (lambda event: None)
        self._cache_seconds = cache_seconds
        self._cache: dict[bytes, tuple[float, Principal]] = {}

    # --- users -----------------------------------------------------------------------------------

    def create_user(self, user_name: str, *, staff_id: UUID | None = None, user_id: UUID | None = None) -> str:
        """Makes a user and returns its id. With `staff_id` its acts are those of that member of staff."""
        new_id = str(user_id or uuid4())
        with writing(self._engine) as connection:
            connection.execute(
                insert(USERS).values(
                    user_id=new_id, user_name=user_name, staff_id=str(staff_id) if staff_id else None,
                    pin_failures=0, pin_locked_until_us=0, created_us=_now_us(),
                )
            )
        return new_id

    def users(self) -> list[dict[str, Any]]:
        """All users: user_id, user_name, staff_id, disabled_us."""
        columns = (USERS.c.user_id, USERS.c.user_name, USERS.c.staff_id, USERS.c.disabled_us)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(*columns).order_by(USERS.c.created_us)).mappings()]

    def disable_user(self, user_id: str) -> None:
        """Stops the user and all their keys; raises `UnknownUser`."""
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(USERS)
                .where(USERS.c.user_id == user_id, USERS.c.disabled_us.is_(None))
                .values(disabled_us=_now_us())
            )
        if changed.rowcount == 0:
            raise UnknownUser(user_id)
        self._cache.clear()
        self._announce(PermissionChanged(occurred_at=datetime.now(UTC), principal=user_id, change="user_disabled"))

    # --- keys ------------------------------------------------------------------------------------

    def create_key(
        self,
        user_id: str,
        role: Role,
        *,
        clinics: Iterable[UUID] | None,
        scopes: Iterable[str] | None = None,
        expires_at: datetime | None = None,
        label: str = "",
    ) -> IssuedKey:
        """Makes a key; its text is in the answer and nowhere else. Raises `UnknownUser`, ValueError for a bad role."""
        if role not in get_args(Role) or role in ("patient", "system"):
            raise ValueError(f"no key can hold the role {role!r}")
        user = self._user(user_id)
        key_id, secret = secrets.token_hex(8), secrets.token_hex(24)
        clinic_ids = None if clinics is None else tuple(sorted(set(clinics)))
        scope_names = None if scopes is None else tuple(sorted(set(scopes)))
        now_us = _now_us()
        self._announce(
            PermissionChanged(
                occurred_at=_moment(now_us), principal=f"key:{key_id}", change="key_created", role=role,
                clinics=clinic_ids or (),
            )
        )
        with writing(self._engine) as connection:
            connection.execute(
                insert(API_KEYS).values(
                    key_id=key_id, user_id=user_id, label=label, role=role, created_us=now_us,
                    clinics=None if clinic_ids is None else json.dumps([str(c) for c in clinic_ids]),
                    scopes=None if scope_names is None else json.dumps(list(scope_names)),
                    secret_sha256=hashlib.sha256(secret.encode()).digest(),
                    expires_us=None if expires_at is None else _us(expires_at),
                )
            )
        return IssuedKey(
            key_id=key_id, user_id=user_id, user_name=user["user_name"], label=label, role=role, clinics=clinic_ids,
            scopes=scope_names, created_at=_moment(now_us), expires_at=expires_at, revoked_at=None,
            text=f"{self._prefix}{key_id}_{secret}",
        )

    def keys(self) -> Sequence[IssuedKey]:
        """Every key ever made, oldest first, without its text."""
        joined = select(API_KEYS, USERS.c.user_name).join(USERS).order_by(API_KEYS.c.created_us)
        with self._engine.connect() as connection:
            return [_issued(dict(row)) for row in connection.execute(joined).mappings()]

    def revoke_key(self, key_id: str) -> bool:
        """Stops a key (other processes follow within their cache time). False: no such key, or revoked before."""
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(API_KEYS)
                .where(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_us.is_(None))
                .values(revoked_us=_now_us())
            )
        if changed.rowcount == 0:
            return False
        self._cache.clear()
        now = datetime.now(UTC)
        self._announce(PermissionChanged(occurred_at=now, principal=f"key:{key_id}", change="key_revoked"))
        return True

    def authenticate(self, text: str) -> Principal | None:
        """The principal of a key, or None: malformed, unknown, wrong, expired, revoked or of a disabled user."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        kept = self._cache.get(digest)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        principal, lives_until_us = self._look_up(text)
        if principal is not None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            keep_for = self._cache_seconds
            if lives_until_us is not None:
                keep_for = min(keep_for, (lives_until_us - _now_us()) / 1e6)
            self._cache[digest] = (time.monotonic() + keep_for, principal)
        return principal

    def _look_up(self, text: str) -> tuple[Principal | None, int | None]:
        key_id, _, secret = text.removeprefix(self._prefix).partition("_")
        if not text.startswith(self._prefix) or not (key_id.isascii() and len(key_id) == 16):
            return None, None
        joined = select(API_KEYS, USERS.c.user_name, USERS.c.staff_id, USERS.c.disabled_us).join(USERS)
        with self._engine.connect() as connection:
            row = connection.execute(joined.where(API_KEYS.c.key_id == key_id)).mappings().one_or_none()
        stored = bytes(row["secret_sha256"]) if row is not None else bytes(32)
        matches = compare_digest(hashlib.sha256(secret.encode("utf-8", "replace")).digest(), stored)
        if row is None or not matches or row["revoked_us"] is not None or row["disabled_us"] is not None:
            return None, None
        if row["expires_us"] is not None and row["expires_us"] <= _now_us():
            return None, None
        return _principal(dict(row)), row["expires_us"]

    def _user(self, user_id: str) -> dict[str, Any]:
        with self._engine.connect() as connection:
            row = connection.execute(select(USERS).where(USERS.c.user_id == user_id)).mappings().one_or_none()
        if row is None or row["disabled_us"] is not None:
            raise UnknownUser(user_id)
        return dict(row)


def _principal(row: dict[str, Any]) -> Principal:
    return Principal(
        key_id=row["key_id"],
        actor_id=row["staff_id"] or row["user_id"],
        user_name=row["user_name"],
        role=row["role"],
        clinics=None if row["clinics"] is None else frozenset(UUID(c) for c in json.loads(row["clinics"])),
        scopes=None if row["scopes"] is None else frozenset(json.loads(row["scopes"])),
    )


def _issued(row: dict[str, Any]) -> IssuedKey:
    return IssuedKey(
        key_id=row["key_id"], user_id=row["user_id"], user_name=row["user_name"], label=row["label"], role=row["role"],
        clinics=None if row["clinics"] is None else tuple(UUID(c) for c in json.loads(row["clinics"])),
        scopes=None if row["scopes"] is None else tuple(json.loads(row["scopes"])),
        created_at=_moment(row["created_us"]),
        expires_at=None if row["expires_us"] is None else _moment(row["expires_us"]),
        revoked_at=None if row["revoked_us"] is None else _moment(row["revoked_us"]),
    )


def _now_us() -> int:
    return time.time_ns() // 1000


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)
