"""What is still missing between a right password and an open door, in this order.

A code of the authenticator app where one is set up; a new password where an operator set the present one; an
authenticator app where the person's role needs one. Only after all of them is the session a full one.
"""

from __future__ import annotations

from collections.abc import Collection

from api.auth.accounts import Account
from api.auth.sessions import Stage
from domain.kernel import Role

__all__ = ["BY_CODE", "BY_OIDC", "BY_PASSWORD", "BY_RECOVERY_CODE", "next_stage"]

BY_PASSWORD = "password"  # noqa: S105  a word for the log
BY_CODE = "password_and_code"
BY_RECOVERY_CODE = "password_and_recovery_code"
BY_OIDC = "oidc"


def next_stage(account: Account, roles: Collection[Role], *, method: str, needing: Collection[Role]) -> Stage:
    """The step after what `method` says was given; `needing` are the roles that need a second step."""
    if account.totp_confirmed_at is not None and method == BY_PASSWORD:
        return "code"
    if account.must_change:
        return "password"
    if account.totp_confirmed_at is None and any(role in needing for role in roles):
        return "enrol"
    return "full"
