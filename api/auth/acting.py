"""Who changes an account: the person of this request where there is one, so that the log names the right one."""

from __future__ import annotations

from flask import g, has_request_context

from domain.kernel import Actor

__all__ = ["changed_by", "changes_are_by"]


def changes_are_by(actor: Actor) -> None:
    """Says who changes accounts for the rest of this request, where nobody is signed in yet."""
    g.changes_by = actor


def changed_by() -> Actor | None:
    """Who is signed in, or who is signing in; None outside a request (the command line)."""
    if not has_request_context():
        return None
    who = g.get("principal")
    if who is not None:
        return Actor(id=who.actor_id, role=who.role)
    given: Actor | None = g.get("changes_by")
    return given
