"""How people prove who they are, in one place: accounts, roles, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.auth.accounts import Account, Accounts
from api.auth.grants import Grant, Grants
from api.auth.sessions import Sessions
from api.auth.totp import SecondStep
from domain.kernel import Role

__all__ = ["Identity"]


@dataclass(frozen=True)
class Identity:
    """The parts that signing in needs."""

    accounts: Accounts
    grants: Grants
    sessions: Sessions
    second_step: SecondStep

    def proves(self, user_id: str, password: str, code: str) -> bool:
        """Whether it is all that signing in asks for: the password, and a code where an app is set up.

        Asked for before any change of how one signs in; counted like an attempt to.
        """
        account = self.accounts.of(user_id)
        if account is None or not self.accounts.count(user_id):
            return False
        if not self.accounts.has_this_password(user_id, password):
            return False
        if account.totp_confirmed_at is not None and self.second_step.check(user_id, code) is None:
            return False
        self.accounts.succeeded(user_id)
        return True

    def person(
        self, user_name: str, password: str | None, role: Role, *, clinics: frozenset[UUID] | None, demo: bool = False
    ) -> Account:
        """A user who can sign in in one role."""
        account = self.accounts.create(user_name, password, demo=demo)
        self.grants.set(account.user_id, [Grant(role=role, clinics=clinics)])
        return account
