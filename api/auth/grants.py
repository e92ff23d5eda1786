"""Which roles a user has at which clinics: one grant per role, good at some clinics or at all.

A session acts under one grant at a time (docs/adr, sessions): who is nurse at one clinic and manager at another
chooses, so every entry of either log has exactly one role. Changes are announced, so that the log holds them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, insert, select

from api.auth.tables import GRANTS
from domain.kernel import Role
from domain.oversight import PermissionChanged
from domain.vocabulary.people import STAFF_ROLES
from projections.engine.database import writing

__all__ = ["PERSONS", "Grant", "Grants"]

PERSONS: tuple[Role, ...] = STAFF_ROLES
"""The roles that a person can sign in with, the widest first."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One role of a user; `clinics` None is every clinic."""

    role: Role
    clinics: frozenset[UUID] | None

    @property
    def kept(self) -> str | None:
        """The clinics as the table holds them."""
        return None if self.clinics is None else json.dumps(sorted(str(clinic) for clinic in self.clinics))


class Grants:
    """The grants of one installation's users."""

    def __init__(self, engine: Engine, announce: Callable[[PermissionChanged], None]) -> None:
        self._engine = engine
        self._announce = announce

    def of(self, user_id: str) -> tuple[Grant, ...]:
        """The user's grants, the widest role first."""
        chosen = select(GRANTS.c.role, GRANTS.c.clinics).where(GRANTS.c.user_id == user_id)
        with self._engine.connect() as connection:
            found = [Grant(role=row.role, clinics=clinics_of(row.clinics)) for row in connection.execute(chosen)]
        return tuple(sorted(found, key=lambda grant: PERSONS.index(grant.role)))

    def set(self, user_id: str, grants: Iterable[Grant]) -> None:
        """Makes these the user's grants; what changes is announced before. ValueError for a role of no person."""
        wanted = {grant.role: grant for grant in grants}
        for grant in wanted.values():
            if grant.role not in PERSONS:
                raise ValueError(f"no person signs in with the role {grant.role!r}")
            if grant.clinics is not None and not grant.clinics:
                raise ValueError("a role at no clinic is no role")
        before = {grant.role: grant for grant in self.of(user_id)}
        for change in _changes(user_id, before, wanted):
            self._announce(change)
        with writing(self._engine) as connection:
            self._replace(connection, user_id, before, wanted)

    def _replace(
        self, connection: Connection, user_id: str, before: dict[Role, Grant], wanted: dict[Role, Grant]
    ) -> None:
        for role in {*before, *wanted}:
            if before.get(role) == wanted.get(role):
                continue
            connection.execute(delete(GRANTS).where(GRANTS.c.user_id == user_id, GRANTS.c.role == role))
            if role in wanted:
                connection.execute(
                    insert(GRANTS).values(
                        user_id=user_id, role=role, clinics=wanted[role].kept, created_us=time.time_ns() // 1000
                    )
                )


def clinics_of(kept: str | None) -> frozenset[UUID] | None:
    """The clinics that a column holds; None is every clinic."""
    return None if kept is None else frozenset(UUID(clinic) for clinic in json.loads(kept))


def _changes(
    user_id: str, before: dict[Role, Grant], wanted: dict[Role, Grant]
) -> Iterable[PermissionChanged]:
    now = datetime.now(UTC)
    for role in sorted({*before, *wanted}):
        old, new = before.get(role), wanted.get(role)
        if old == new:
            continue
        shown = new or old
        assert shown is not None
        change = "role_changed" if old and new else "role_given" if new else "role_taken"
        yield PermissionChanged(
            occurred_at=now, principal=user_id, change=change, role=role, clinics=tuple(sorted(shown.clinics or ()))
        )
