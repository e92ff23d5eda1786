"""`anodyne user ...` and `anodyne key ...`: who may sign in, and with which keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import click

from api.cli.command import speaks
from api.cli.output import AskedWrongly, Failed, Output
from api.cli.system import read_side
from domain.kernel import Role

if TYPE_CHECKING:
    from api.auth.keys import KeyRegistry

__all__ = ["COMMANDS"]

ROLES = [role for role in get_args(Role) if role not in ("patient", "system")]


@contextmanager
def _registry() -> Iterator[KeyRegistry]:
    from api.bootstrap import key_registry

    with read_side() as (opened, reads):
        yield key_registry(opened.settings, opened, reads)


# --- users ---------------------------------------------------------------------------------------


@click.group()
def user() -> None:
    """Who may sign in."""


@user.command("create")
@click.argument("name")
@click.option("--staff", type=click.UUID, help="The member of staff whose acts these are.")
@speaks
def create_user(output: Output, name: str, staff: UUID | None) -> None:
    """Make a user called NAME."""
    with _registry() as registry:
        if any(known["user_name"] == name and known["disabled_us"] is None for known in registry.users()):
            raise Failed(f"there is a user called {name}", code="user-exists")
        user_id = registry.create_user(name, staff_id=staff)
    output.result({"user_id": user_id, "user_name": name}, f"user {name}: {user_id}")


@user.command("list")
@speaks
def list_users(output: Output) -> None:
    """All users."""
    with _registry() as registry:
        rows = [
            {**known, "state": "disabled" if known["disabled_us"] else "active"} for known in registry.users()
        ]
    output.table(rows, ["user_id", "user_name", "staff_id", "state"], empty="no users: anodyne user create NAME")


@user.command("disable")
@click.argument("name")
@speaks
def disable_user(output: Output, name: str) -> None:
    """Stop a user (by name or id) and all their keys."""
    with _registry() as registry:
        user_id = _user_id(registry, name)
        registry.disable_user(user_id)
    output.result({"user_id": user_id, "state": "disabled"}, f"{name} and all their keys are stopped")


@user.command("pin")
@click.argument("name")
@click.option("--pin", prompt="PIN (the person types it themselves)", hide_input=True, confirmation_prompt=True,
              envvar="ANODYNE_PIN", help="Better left out: then it is asked for and stands in no shell history.")
@speaks
def set_pin(output: Output, name: str, pin: str) -> None:
    """Set the PIN by which a member of staff witnesses waste and breakage of a controlled drug."""
    with _registry() as registry:
        user_id = _user_id(registry, name)
        if not any(one["user_id"] == user_id and one["staff_id"] for one in registry.users()):
            raise Failed(f"{name} is no member of staff", code="no-staff", hint="anodyne user create NAME --staff ID")
        try:
            registry.set_pin(user_id, pin)
        except ValueError as error:
            raise AskedWrongly(str(error), code="bad-pin") from error
    output.result({"user_id": user_id}, f"the PIN of {name} is set")


# --- keys ----------------------------------------------------------------------------------------


@click.group()
def key() -> None:
    """API keys."""


@key.command("create")
@click.option("--user", "user_name", required=True, help="Name or id of the user who acts with it.")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--clinic", "clinics", multiple=True, type=click.UUID, help="A clinic it is good for; repeat for more.")
@click.option("--all-clinics", is_flag=True, help="Good for every clinic, also those opened later.")
@click.option("--scope", "scopes", multiple=True, help="Narrow it to this scope; repeat for more.")
@click.option("--days", type=click.IntRange(1, 3650), help="Expires after so many days. Without: never.")
@click.option("--label", default="", help="What it is for.")
@speaks
def create_key(
    output: Output, user_name: str, role: Role, clinics: tuple[UUID, ...], all_clinics: bool, scopes: tuple[str, ...],
    days: int | None, label: str,
) -> None:
    """Make a key. It is shown now and never again."""
    if bool(clinics) == all_clinics:
        raise AskedWrongly("say where it is good: --clinic ID (repeat for more), or --all-clinics", code="no-clinics")
    with _registry() as registry:
        made = registry.create_key(
            _user_id(registry, user_name), role, clinics=None if all_clinics else clinics, scopes=scopes or None,
            expires_at=datetime.now(UTC) + timedelta(days=days) if days else None, label=label,
        )
    data = {
        "key_id": made.key_id, "key": made.text, "user": made.user_name, "role": made.role, "clinics": made.clinics,
        "scopes": made.scopes, "expires_at": made.expires_at,
    }
    output.result(data, f"{made.text}\n\nShown only now. Send it as:  Authorization: Bearer {made.text}")


@key.command("list")
@speaks
def list_keys(output: Output) -> None:
    """Every key ever made, without its secret."""
    now = datetime.now(UTC)
    rows = []
    with _registry() as registry:
        made_keys = registry.keys()
    for made in made_keys:
        state = "revoked" if made.revoked_at else "expired" if made.expires_at and made.expires_at < now else "good"
        rows.append({
            "key_id": made.key_id, "user": made.user_name, "role": made.role,
            "clinics": "all" if made.clinics is None else made.clinics, "scopes": made.scopes, "label": made.label,
            "created_at": made.created_at, "expires_at": made.expires_at, "state": state,
        })
    columns = ["key_id", "user", "role", "clinics", "label", "created_at", "expires_at", "state"]
    output.table(rows, columns, empty="no keys: anodyne key create --user NAME --role ROLE --all-clinics")


@key.command("revoke")
@click.argument("key_id")
@speaks
def revoke_key(output: Output, key_id: str) -> None:
    """Stop a key. Running servers follow within ANODYNE_KEY_CACHE_SECONDS."""
    with _registry() as registry:
        if not registry.revoke_key(key_id):
            raise Failed(f"no live key has the id {key_id}", code="unknown-key", hint="anodyne key list")
    output.result({"key_id": key_id, "state": "revoked"}, f"{key_id} is revoked")


def _user_id(registry: KeyRegistry, name: str) -> str:
    """By id or by name. Raises Failed when nobody, or more than one, is called so."""
    found = [str(u["user_id"]) for u in registry.users() if name in (u["user_id"], u["user_name"])]
    if len(found) != 1:
        why = "nobody is" if not found else "several users are"
        raise Failed(f"{why} called {name}", code="unknown-user", hint="anodyne user list")
    return found[0]


COMMANDS = {"user": user, "key": key}
