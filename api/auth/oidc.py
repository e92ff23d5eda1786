"""An organisation's own identity provider, by OpenID Connect (Authlib): code flow with PKCE, state and nonce.

People are recognised by the provider's subject, or (where the setting says so) by a verified e-mail address that an
account here has as its name. Their roles are what their groups mean (`group_roles`), renewed at every sign-in: who is
taken out of a group loses the role here at the next one, and is told so by the same words as somebody unknown.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from authlib.integrations.flask_client import OAuth
from authlib.integrations.flask_client.apps import FlaskOAuth2App
from flask import Flask
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from api.auth import group_roles
from api.auth.accounts import Account, Accounts, NameTaken
from api.auth.grants import Grant, Grants
from api.auth.id_token import BadIdToken, claims_of
from api.auth.tables import IDENTITIES
from api.settings import Settings
from domain.kernel import Role
from projections.engine.database import writing

__all__ = ["NAME", "Arrivals", "NotLetIn", "make_client"]

NAME = "oidc"
TIMEOUT_S = 10


class NotLetIn(Exception):
    """The provider's word was proved, but it opens nothing here. `reason` is for the log."""

    def __init__(self, reason: str, account: Account | None = None) -> None:
        super().__init__(reason)
        self.reason, self.account = reason, account


class Provider(FlaskOAuth2App):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client, with our own strict reading of the ID token."""

    issuer: str

    def parse_id_token(self, token: Mapping[str, Any], nonce: str, **_: Any) -> dict[str, Any]:
        """The proved claims. Raises `BadIdToken`."""
        if self.load_server_metadata().get("issuer") != self.issuer:
            raise BadIdToken("issuer-is-another")
        return claims_of(
            str(token["id_token"]), lambda anew: cast(dict[str, Any], self.fetch_jwk_set(force=anew)),
            issuer=self.issuer, client_id=self.client_id, nonce=nonce,
        )


def make_client(app: Flask, settings: Settings) -> Provider | None:
    """The client of the configured provider; None where there is none."""
    if settings.oidc_issuer is None:
        return None
    provider: Provider = OAuth(app).register(
        name=NAME, client_id=settings.oidc_client_id, client_secret=settings.oidc_client_secret,
        server_metadata_url=_discovery(settings.oidc_issuer), client_cls=Provider,
        client_kwargs={
            "scope": settings.oidc_scopes, "code_challenge_method": "S256", "default_timeout": TIMEOUT_S, "leeway": 5,
        },
    )
    provider.issuer = settings.oidc_issuer
    return provider


def _discovery(issuer: str) -> str:
    """Where the provider describes itself (OpenID Connect Discovery 4.1). An issuer's own slash at its end belongs to
    its name (Auth0, authentik), and is compared with the rest of it."""
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration"


@dataclass(frozen=True)
class Arrivals:
    """Whom the provider's claims mean here."""

    engine: Engine
    accounts: Accounts
    grants: Grants
    settings: Settings
    is_clinic: Callable[[UUID], bool]

    def account(self, claims: Mapping[str, Any]) -> Account:
        """The account, with the roles that its groups have now; made where it is new. Raises `NotLetIn`."""
        roles = self._roles(claims)
        account = self._known(claims)
        if account is not None and account.disabled:
            raise NotLetIn("disabled", account)
        if not roles:
            if account is not None:
                self.grants.set(account.user_id, ())
            raise NotLetIn("no-role", account)
        if account is None:
            account = self._made(claims)
        self.grants.set(account.user_id, [Grant(role=role, clinics=clinics) for role, clinics in roles.items()])
        return account

    def _roles(self, claims: Mapping[str, Any]) -> dict[Role, frozenset[UUID] | None]:
        """What the groups mean, without clinics that were never opened (the setting may be ahead of them)."""
        meant = group_roles.roles_of(
            _groups(claims.get(self.settings.oidc_groups_claim)), group_roles.parse(self.settings.oidc_roles)
        )
        opened = {
            role: None if clinics is None else frozenset(one for one in clinics if self.is_clinic(one))
            for role, clinics in meant.items()
        }
        return {role: clinics for role, clinics in opened.items() if clinics is None or clinics}

    def _known(self, claims: Mapping[str, Any]) -> Account | None:
        subject, issuer = claims["sub"], claims["iss"]
        chosen = select(IDENTITIES.c.user_id).where(IDENTITIES.c.issuer == issuer, IDENTITIES.c.subject == subject)
        with self.engine.connect() as connection:
            user_id = connection.execute(chosen).scalar_one_or_none()
        if user_id is not None:
            return self.accounts.of(user_id)
        if self.settings.oidc_user_claim != "email":
            return None
        account = self.accounts.named(self._email(claims))
        if account is not None:
            self._bind(claims, account.user_id)
        return account

    def _email(self, claims: Mapping[str, Any]) -> str:
        email = claims.get("email")
        if not isinstance(email, str) or not email or claims.get("email_verified") is not True:
            raise NotLetIn("email-not-verified")
        return email

    def _made(self, claims: Mapping[str, Any]) -> Account:
        by_email = self.settings.oidc_user_claim == "email"
        key = f"{claims['iss']} {claims['sub']}".encode()
        name = self._email(claims) if by_email else f"oidc-{hashlib.sha256(key).hexdigest()[:24]}"
        shown = str(claims.get("name") or claims.get("preferred_username") or claims.get("email") or claims["sub"])
        try:
            account = self.accounts.create(shown[:120], None, sign_in_name=name)
        except NameTaken:  # somebody signs in for the first time in two browsers at once
            found = self.accounts.named(name)
            if found is None:
                raise
            account = found
        self._bind(claims, account.user_id)
        return account

    def _bind(self, claims: Mapping[str, Any], user_id: str) -> None:
        try:
            with writing(self.engine) as connection:
                connection.execute(
                    insert(IDENTITIES).values(
                        issuer=claims["iss"], subject=claims["sub"], user_id=user_id,
                        created_us=time.time_ns() // 1000,
                    )
                )
        except IntegrityError:
            return  # bound at the same moment by another request of the same person


def _groups(given: object) -> list[str]:
    """The groups of a claim: a list of names, or one name."""
    if isinstance(given, str):
        return [given]
    return [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
