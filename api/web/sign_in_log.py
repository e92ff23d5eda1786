"""Attempts to sign in, kept in the access log before they are answered; what was typed is never kept."""

from __future__ import annotations

from uuid import UUID

from api.auth.accounts import Account
from api.auth.grants import Grant
from api.http.context import wired
from api.http.problems import Problem
from domain.access import SignedIn, SignInFailed
from domain.kernel import Actor, Event
from services.log import LogError

__all__ = ["failed", "signed_in"]

NOBODY = "unknown"


def signed_in(account: Account, grant: Grant, method: str) -> None:
    """Somebody is about to be let in. Raises `Problem` 503 when that cannot be kept."""
    event = SignedIn(occurred_at=wired().services.clock.now(), method=method)
    only = next(iter(grant.clinics)) if grant.clinics is not None and len(grant.clinics) == 1 else None
    _keep(event, Actor(id=account.actor_id, role=grant.role), only)


def failed(account: Account | None, method: str, reason: str) -> None:
    """Somebody was not let in."""
    event = SignInFailed(occurred_at=wired().services.clock.now(), method=method, reason_code=reason)
    _keep(event, Actor(id=NOBODY if account is None else account.actor_id, role="system"), None)


def _keep(event: Event, by: Actor, clinic_id: UUID | None) -> None:
    try:
        wired().services.access.record(event, by=by, clinic_id=clinic_id)
    except LogError as error:
        raise Problem(
            503, "access-log-unavailable", "The attempt could not be recorded, so nobody is let in.",
            headers={"Retry-After": "1"},
        ) from error
