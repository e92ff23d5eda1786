"""`anodyne user ...` and `anodyne key ...`: who may sign in, and with which keys."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import click

from api.cli.command import speaks
from api.cli.output import AskedWrongly, Failed, Output
from api.cli.system import read_side
from domain.kernel import Role
from domain.vocabulary.people import STAFF_ROLES

if TYPE_CHECKING:
    from api.auth.grants import Grant
    from api.auth.identity import Identity
    from api.auth.keys import KeyRegistry
    from api.bootstrap import Services

__all__ = ["COMMANDS"]

PEOPLE = list(STAFF_ROLES)
"""Roles that people sign in with."""

ROLES = [role for role in get_args(Role) if role not in ("patient", "system")]


@dataclass(frozen=True)
class _People:
    """What the commands need of one installation."""

    registry: KeyRegistry
    identity: Identity
    services: Services

    def user_id(self, name: str) -> str:
        """By id, by name, or by the name they sign in with. Raises Failed when nobody, or more than one, is it."""
        account = self.identity.accounts.named(name)
        known = [str(u["user_id"]) for u in self.registry.users() if name in (u["user_id"], u["user_name"])]
        found = {account.user_id} if account is not None else set(known)
        if len(found) != 1:
            why = "nobody is" if not found else "several users are"
            raise Failed(f"{why} called {name}", code="unknown-user", hint="anodyne user list")
        return found.pop()

    def grant(self, role: Role, clinics: tuple[UUID, ...], all_clinics: bool) -> Grant:
        """The role at clinics that exist. Raises AskedWrongly, Failed."""
        from api.auth.grants import Grant

        if bool(clinics) == all_clinics:
            raise AskedWrongly("say where: --clinic ID (repeat for more), or --all-clinics", code="no-clinics")
        for clinic_id in clinics:
            opened = self.services.log.read_stream(clinic_id)
            if not opened or not opened[0].name.startswith("clinic."):
                raise Failed(f"no clinic has the id {clinic_id}", code="unknown-clinic")
        return Grant(role=role, clinics=None if all_clinics else frozenset(clinics))


@contextmanager
def _people() -> Iterator[_People]:
    from api.bootstrap import identity, key_registry

    with read_side() as (opened, reads):
        settings = opened.settings
        yield _People(key_registry(settings, opened, reads), identity(settings, opened, reads), opened)


@contextmanager
def _registry() -> Iterator[KeyRegistry]:
    with _people() as people:
        yield people.registry


def _password(from_stdin: bool) -> str | None:
    """The first line of standard input. Raises AskedWrongly when there is none."""
    if not from_stdin:
        return None
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise AskedWrongly("no password came by standard input", code="no-password")
    return given


# --- users ---------------------------------------------------------------------------------------


@click.group()
def user() -> None:
    """Who may sign in."""


def where(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say at which clinics a role is held."""
    everywhere = click.option("--all-clinics", is_flag=True, help="At every clinic, also those opened later.")
    here = click.option("--clinic", "clinics", multiple=True, type=click.UUID, help="At this clinic; repeat for more.")
    return here(everywhere(command))


@user.command("create")
@click.argument("name")
@click.option("--staff", type=click.UUID, help="The member of staff whose acts these are.")
@click.option("--role", type=click.Choice(PEOPLE), help="Lets them sign in, in this role.")
@where
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input (never from arguments).")
@click.option("--lasting", is_flag=True, help="Do not ask them to change it when they first sign in.")
@speaks
def create_user(
    output: Output, name: str, staff: UUID | None, role: Role | None, clinics: tuple[UUID, ...], all_clinics: bool,
    password_stdin: bool, lasting: bool,
) -> None:
    """Make a user called NAME. With --role they can sign in; without a password only by the identity provider."""
    if role is None and (clinics or all_clinics or password_stdin or lasting):
        raise AskedWrongly("say in which role they sign in: --role", code="no-role")
    password = _password(password_stdin)
    with _people() as people:
        if any(known["user_name"] == name and known["disabled_us"] is None for known in people.registry.users()):
            raise Failed(f"there is a user called {name}", code="user-exists")
        grant = None if role is None else people.grant(role, clinics, all_clinics)
        _check(people.identity, name, password)
        user_id = people.registry.create_user(name, staff_id=staff)
        if grant is not None:
            people.identity.accounts.create(
                name, password, user_id=user_id, must_change=password is not None and not lasting
            )
            people.identity.grants.set(user_id, [grant])
    output.result({"user_id": user_id, "user_name": name, "role": role}, f"user {name}: {user_id}")


def _check(identity: Identity, name: str, password: str | None) -> None:
    """Before anything is made. Raises Failed, AskedWrongly."""
    from api.auth.passwords import WeakPassword, check_strength

    if identity.accounts.named(name) is not None:
        raise Failed(f"somebody signs in as {name} already", code="user-exists")
    if password is not None:
        try:
            check_strength(password, name)
        except WeakPassword as weak:
            raise AskedWrongly(str(weak), code="weak-password") from weak


@user.command("list")
@speaks
def list_users(output: Output) -> None:
    """All users, with the roles they sign in with."""
    now = datetime.now(UTC)
    rows = []
    with _people() as people:
        accounts = {one.user_id: one for one in people.identity.accounts.all()}
        for known in people.registry.users():
            account, locked = accounts.get(str(known["user_id"])), False
            if account is not None:
                locked = account.locked_until is not None and account.locked_until > now
            rows.append({
                **known, "roles": [one.role for one in people.identity.grants.of(str(known["user_id"]))],
                "signs_in": account is not None, "second_step": bool(account and account.totp_confirmed_at),
                "state": "disabled" if known["disabled_us"] else "locked" if locked else "active",
            })  # fmt: skip
    columns = ["user_id", "user_name", "staff_id", "roles", "signs_in", "second_step", "state"]
    output.table(rows, columns, empty="no users: anodyne user create NAME")


@user.command("disable")
@click.argument("name")
@speaks
def disable_user(output: Output, name: str) -> None:
    """Stop a user (by name or id), all their keys and all their sessions."""
    with _people() as people:
        user_id = people.user_id(name)
        people.registry.disable_user(user_id)
        people.identity.sessions.end_all(user_id)
    output.result({"user_id": user_id, "state": "disabled"}, f"{name} is stopped, with all keys and sessions")


@user.command("grant")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(PEOPLE))
@where
@click.option("--take", is_flag=True, help="Take the role away instead.")
@speaks
def grant_role(
    output: Output, name: str, role: Role, clinics: tuple[UUID, ...], all_clinics: bool, take: bool
) -> None:
    """Give NAME a role at clinics (in place of where they held it before), or take it away."""
    if take and (clinics or all_clinics):
        raise AskedWrongly("--take takes the role everywhere", code="bad-arguments")
    with _people() as people:
        user_id = people.user_id(name)
        if people.identity.accounts.of(user_id) is None:
            raise Failed(f"{name} cannot sign in", code="no-account", hint="anodyne user create NAME --role ROLE")
        others = [one for one in people.identity.grants.of(user_id) if one.role != role]
        people.identity.grants.set(user_id, others if take else [*others, people.grant(role, clinics, all_clinics)])
        roles = [one.role for one in people.identity.grants.of(user_id)]
    output.result({"user_id": user_id, "roles": roles}, f"{name}: {', '.join(roles) or 'no role'}")


@user.command("reset")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read a new password from standard input; they must change it.")
@click.option("--second-step", is_flag=True, help="Take the authenticator app away (the phone is lost).")
@speaks
def reset_user(output: Output, name: str, password_stdin: bool, second_step: bool) -> None:
    """Let a locked user in again, by a new password where one is given; all their sessions end."""
    from api.auth.passwords import WeakPassword

    password = _password(password_stdin)
    with _people() as people:
        user_id, accounts = people.user_id(name), people.identity.accounts
        if accounts.of(user_id) is None:
            raise Failed(f"{name} cannot sign in", code="no-account", hint="anodyne user create NAME --role ROLE")
        try:
            if password is not None:
                accounts.check_strength(user_id, password)
        except WeakPassword as weak:
            raise AskedWrongly(str(weak), code="weak-password") from weak
        ended = people.identity.sessions.end_all(user_id)
        if password is not None:
            accounts.set_password(user_id, password, must_change=True)
        accounts.succeeded(user_id)
        if second_step:
            people.identity.second_step.remove(user_id)
    output.result({"user_id": user_id, "sessions_ended": ended}, f"{name} can sign in again; {ended} sessions ended")


@user.command("pin")
@click.argument("name")
@click.option("--pin", prompt="PIN (the person types it themselves)", hide_input=True, confirmation_prompt=True,
              envvar="ANODYNE_PIN", help="Better left out: then it is asked for and stands in no shell history.")
@speaks
def set_pin(output: Output, name: str, pin: str) -> None:
    """Set the PIN by which a member of staff witnesses waste and breakage, and authorises overbooking for another."""
    with _people() as people:
        registry, user_id = people.registry, people.user_id(name)
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
    with _people() as people:
        made = people.registry.create_key(
            people.user_id(user_name), role, clinics=None if all_clinics else clinics, scopes=scopes or None,
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


COMMANDS = {"user": user, "key": key}
