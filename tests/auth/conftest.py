"""Accounts, roles and sessions over a real, migrated database of each kind, with a clock that tests turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Engine

from api.auth.accounts import Accounts
from api.auth.grants import Grant, Grants
from api.auth.identity import Identity
from api.auth.sessions import Limits, Sessions
from api.auth.totp import SecondStep
from domain.oversight import PermissionChanged
from projections import migrations
from projections.engine.database import ViewsDatabase
from services.log.key_encryption import LocalKek
from tests.conftest import Database

PASSWORD = "violet harbour kettle 41"
BEGIN_S = 1_790_000_000


@dataclass
class People:
    """An identity side whose clock stands still until `later`."""

    engine: Engine
    now_us: int = BEGIN_S * 1_000_000
    told: list[PermissionChanged] = field(default_factory=list)

    def __post_init__(self) -> None:
        kek = LocalKek(b"k" * 32)
        self.identity = Identity(
            accounts=Accounts(self.engine, self.told.append, demo_allowed=True, now_us=lambda: self.now_us),
            grants=Grants(self.engine, self.told.append),
            sessions=Sessions(self.engine, Limits(idle_s=1800, longest_s=36_000), now_us=lambda: self.now_us),
            second_step=SecondStep(self.engine, lambda: kek, self.told.append, now_s=lambda: self.now_us / 1e6),
        )

    def later(self, seconds: float) -> None:
        """Turns the clock."""
        self.now_us += int(seconds * 1_000_000)

    def maria(self) -> str:
        """A manager of all clinics, by her user id."""
        return self.identity.person("Maria Manager", PASSWORD, "manager", clinics=None).user_id


@pytest.fixture
def views(database: Database) -> Iterator[ViewsDatabase]:
    """The migrated read models' database."""
    migrations.migrate(database.admin_url if database.kind == "postgres" else database.views_url)
    with closing(ViewsDatabase(database.views_url)) as opened:
        yield opened


@pytest.fixture
def people(views: ViewsDatabase) -> People:
    """Nobody yet."""
    return People(views.reads)


__all__ = ["PASSWORD", "Grant", "People"]
