"""The one place that reads the environment: `ANODYNE_*` into a frozen `Settings`.

Two ways to run. *embedded* (the default): SQLite files and a generated secret in one home directory.
*production*: PostgreSQL, a separate key store, and secrets given from outside; a secret that is missing, short
or copied from an example refuses to start.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from environs import Env

from api.auth import group_roles
from domain.kernel import Role
from domain.vocabulary.people import STAFF_ROLES as PERSONS

__all__ = ["EXAMPLE_SECRET", "InsecureSettings", "Settings"]

EXAMPLE_SECRET = "change-me-to-at-least-32-random-characters"  # noqa: S105  (it is refused, not used)
"""What `.env.example` shows. A start in production with this value is refused."""

MINIMUM_SECRET_LENGTH = 32
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class InsecureSettings(Exception):
    """Production settings that would start with a default, short or missing secret."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the edges may configure. Secrets never show in its repr."""

    environment: Literal["embedded", "production"] = "embedded"
    home: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str | None = field(default=None, repr=False)
    migration_url: str | None = field(default=None, repr=False)
    keys_url: str | None = field(default=None, repr=False)
    key_provider: Literal["file", "environment"] = "file"
    key_encryption_key: str | None = field(default=None, repr=False)
    given_secret: str | None = field(default=None, repr=False)
    allow_simulation: bool = True
    workers: int = 2
    threads: int = 8
    worker_class: Literal["gthread", "sync"] = "gthread"
    max_body_bytes: int = 256 * 1024
    rate_limit: str = "60000 per minute"
    failure_limit: str = "300 per minute"
    rate_limit_storage: str = "memory://"
    trusted_proxies: int = 0
    key_cache_seconds: float = 5.0
    read_wait_seconds: float = 2.0
    ready_lag_seconds: float = 30.0
    public_url: str | None = None
    session_idle_minutes: int = 30
    session_hours: int = 12
    sign_in_limit: str = "60 per minute"
    local_sign_in: bool = True
    second_step_roles: frozenset[Role] = frozenset()
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    oidc_name: str = "your organisation"
    oidc_scopes: str = "openid profile email"
    oidc_user_claim: Literal["sub", "email"] = "sub"
    oidc_groups_claim: str = "groups"
    oidc_roles: str = "{}"
    metrics_token: str | None = field(default=None, repr=False)
    metrics_dir: Path | None = None
    log_level: str = "INFO"
    emergency_number: str = "911"
    crisis_line: str = "988"
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: str | None = field(default=None, repr=False)
    smtp_timeout_seconds: float = 20.0
    mail_sender: str | None = None
    mail_from: str = "Your clinic <no-reply@localhost>"

    @classmethod
    def from_environment(cls, env_file: Path | None = None) -> Settings:
        """Reads `ANODYNE_*` (and `env_file` where given); raises `InsecureSettings` or environs' EnvError."""
        env = Env(prefix="ANODYNE_")
        if env_file is not None:
            env.read_env(str(env_file), recurse=False)
        environment = env.str("ENVIRONMENT", "embedded")
        if environment not in ("embedded", "production"):
            raise InsecureSettings(f"ANODYNE_ENVIRONMENT is {environment!r}; it is embedded or production")
        settings = cls(
            environment=environment,  # type: ignore[arg-type]
            home=Path(env.str("HOME", "var")).expanduser(),
            host=env.str("HOST", "127.0.0.1"),
            port=env.int("PORT", 8000),
            database_url=env.str("DATABASE_URL", "") or None,
            migration_url=env.str("MIGRATION_URL", "") or None,
            keys_url=env.str("KEYS_URL", "") or None,
            key_provider=env.str("KEY_PROVIDER", "file"),  # type: ignore[arg-type]
            key_encryption_key=env.str("KEY_ENCRYPTION_KEY", "") or None,
            given_secret=env.str("SECRET", "") or None,
            allow_simulation=env.bool("ALLOW_SIMULATION", environment == "embedded"),
            workers=env.int("WORKERS", 2),
            threads=env.int("THREADS", 8),
            worker_class=env.str("WORKER_CLASS", "gthread"),  # type: ignore[arg-type]
            max_body_bytes=env.int("MAX_BODY_BYTES", 256 * 1024),
            rate_limit=env.str("RATE_LIMIT", "60000 per minute"),
            failure_limit=env.str("FAILURE_LIMIT", "300 per minute"),
            rate_limit_storage=env.str("RATE_LIMIT_STORAGE", "memory://"),
            trusted_proxies=env.int("TRUSTED_PROXIES", 0),
            key_cache_seconds=env.float("KEY_CACHE_SECONDS", 5.0),
            read_wait_seconds=env.float("READ_WAIT_SECONDS", 2.0),
            ready_lag_seconds=env.float("READY_LAG_SECONDS", 30.0),
            public_url=env.str("PUBLIC_URL", "").rstrip("/") or None,
            session_idle_minutes=env.int("SESSION_IDLE_MINUTES", 30),
            session_hours=env.int("SESSION_HOURS", 12),
            sign_in_limit=env.str("SIGN_IN_LIMIT", "60 per minute"),
            local_sign_in=env.bool("LOCAL_SIGN_IN", True),
            second_step_roles=_roles(env.str("SECOND_STEP_ROLES", "all" if environment == "production" else "none")),
            oidc_issuer=env.str("OIDC_ISSUER", "") or None,
            oidc_client_id=env.str("OIDC_CLIENT_ID", "") or None,
            oidc_client_secret=env.str("OIDC_CLIENT_SECRET", "") or None,
            oidc_name=env.str("OIDC_NAME", "your organisation"),
            oidc_scopes=env.str("OIDC_SCOPES", "openid profile email"),
            oidc_user_claim=env.str("OIDC_USER_CLAIM", "sub"),  # type: ignore[arg-type]
            oidc_groups_claim=env.str("OIDC_GROUPS_CLAIM", "groups"),
            oidc_roles=env.str("OIDC_ROLES", "{}"),
            metrics_token=env.str("METRICS_TOKEN", "") or None,
            metrics_dir=Path(env.str("METRICS_DIR")) if env.str("METRICS_DIR", "") else None,
            log_level=env.str("LOG_LEVEL", "INFO"),
            emergency_number=env.str("EMERGENCY_NUMBER", "911"),
            crisis_line=env.str("CRISIS_LINE", "988"),
            smtp_host=env.str("SMTP_HOST", "") or None,
            smtp_port=env.int("SMTP_PORT", 465 if env.str("SMTP_SECURITY", "starttls") == "tls" else 587),
            smtp_security=env.str("SMTP_SECURITY", "starttls"),  # type: ignore[arg-type]
            smtp_user=env.str("SMTP_USER", "") or None,
            smtp_password=env.str("SMTP_PASSWORD", "") or None,
            smtp_timeout_seconds=env.float("SMTP_TIMEOUT_SECONDS", 20.0),
            mail_sender=env.str("MAIL_SENDER", "") or None,
            mail_from=env.str("MAIL_FROM", "") or "Your clinic <no-reply@localhost>",
        )
        settings.check()
        return settings

    def check(self) -> None:
        """Refuses what must never run: see `InsecureSettings`."""
        if self.key_provider not in ("file", "environment"):
            raise InsecureSettings("ANODYNE_KEY_PROVIDER is neither file nor environment")
        if self.worker_class not in ("gthread", "sync"):
            raise InsecureSettings("ANODYNE_WORKER_CLASS is neither gthread nor sync")
        if self.key_provider == "environment" and not self.key_encryption_key:
            raise InsecureSettings("ANODYNE_KEY_PROVIDER=environment needs ANODYNE_KEY_ENCRYPTION_KEY")
        self._check_mail()
        self._check_sign_in()
        if self.environment != "production":
            return
        if not _is_strong(self.given_secret):
            raise InsecureSettings(
                f"ANODYNE_SECRET must be set to at least {MINIMUM_SECRET_LENGTH} random characters in production"
            )
        if self.key_encryption_key is not None and not _is_strong(self.key_encryption_key):
            raise InsecureSettings("ANODYNE_KEY_ENCRYPTION_KEY is short or the example")
        if not self.database_url:
            raise InsecureSettings("ANODYNE_DATABASE_URL (PostgreSQL) must be set in production")
        if self.allow_simulation:
            raise InsecureSettings("ANODYNE_ALLOW_SIMULATION must be off in production")

    def _check_mail(self) -> None:
        if self.smtp_security not in ("starttls", "tls", "none"):
            raise InsecureSettings("ANODYNE_SMTP_SECURITY is neither starttls nor tls nor none")
        if any(character in self.mail_from for character in "\r\n") or "@" not in parseaddr(self.mail_from)[1]:
            raise InsecureSettings("ANODYNE_MAIL_FROM is no address such as: Your clinic <no-reply@clinic.example>")
        if self.mail_sender is not None and not _FACTORY.fullmatch(self.mail_sender):
            raise InsecureSettings("ANODYNE_MAIL_SENDER names no factory such as: package.module:factory")
        if (self.smtp_host is None and self.mail_sender is None) or self.environment != "production":
            return
        if self.smtp_host is not None and self.smtp_security == "none" and self.smtp_host not in LOOPBACK:
            raise InsecureSettings("ANODYNE_SMTP_SECURITY=none is for a mail server on this machine only")
        if self.public_url is None or not self.public_url.startswith("https://"):
            raise InsecureSettings("ANODYNE_PUBLIC_URL (https://...) must be set where e-mails carry links")
        if self.mail_from.endswith("@localhost>"):
            raise InsecureSettings("ANODYNE_MAIL_FROM must be set where e-mails are sent")

    def _check_sign_in(self) -> None:
        if self.session_idle_minutes < 3 or self.session_hours < 1:
            raise InsecureSettings("ANODYNE_SESSION_IDLE_MINUTES is at least 3, ANODYNE_SESSION_HOURS at least 1")
        if self.public_url is not None and not _is_web_address(self.public_url, self.environment):
            raise InsecureSettings("ANODYNE_PUBLIC_URL is no https:// address")
        if self.oidc_issuer is None:
            if not self.local_sign_in:
                raise InsecureSettings("ANODYNE_LOCAL_SIGN_IN is off and no ANODYNE_OIDC_ISSUER is set: nobody gets in")
            return
        if not _is_web_address(self.oidc_issuer, self.environment):
            raise InsecureSettings("ANODYNE_OIDC_ISSUER is no https:// address")
        if not self.oidc_client_id or not self.oidc_client_secret:
            raise InsecureSettings("ANODYNE_OIDC_ISSUER needs ANODYNE_OIDC_CLIENT_ID and ANODYNE_OIDC_CLIENT_SECRET")
        if self.environment == "production" and self.public_url is None:
            raise InsecureSettings("ANODYNE_OIDC_ISSUER needs ANODYNE_PUBLIC_URL in production")
        if self.oidc_user_claim not in ("sub", "email"):
            raise InsecureSettings("ANODYNE_OIDC_USER_CLAIM is neither sub nor email")
        if "openid" not in self.oidc_scopes.split():
            raise InsecureSettings("ANODYNE_OIDC_SCOPES lacks openid")
        try:
            group_roles.parse(self.oidc_roles)
        except group_roles.BadGroupRoles as error:
            raise InsecureSettings(f"ANODYNE_OIDC_ROLES: {error}") from error

    @property
    def address(self) -> str:
        """Where people reach us: what links in e-mails begin with."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def key_prefix(self) -> str:
        """The `<env>` part of API keys, so that a leaked key says where it belongs."""
        return "live" if self.environment == "production" else "local"

    @property
    def is_postgresql(self) -> bool:
        return bool(self.database_url and self.database_url.startswith("postgres"))

    def secret(self) -> bytes:
        """The key of our HMACs (idempotency fingerprints, blind indexes, cursors).

        Embedded, without `ANODYNE_SECRET`: made once and kept in the home directory, readable by its owner only.
        """
        if self.given_secret and self.given_secret != EXAMPLE_SECRET:
            return self.given_secret.encode()
        return _kept_secret(self.home / "secret")


def _roles(given: str) -> frozenset[Role]:
    """The roles of a setting: `all`, `none`, or their names with commas. Raises `InsecureSettings` for another."""
    names = {name.strip() for name in given.split(",") if name.strip()}
    if names <= {"none"}:
        return frozenset()
    if names == {"all"}:
        return frozenset(PERSONS)
    unknown = sorted(names - set(PERSONS))
    if unknown:
        known = ", ".join(PERSONS)
        raise InsecureSettings(f"ANODYNE_SECOND_STEP_ROLES names {', '.join(unknown)}; the roles are {known}")
    return frozenset(role for role in PERSONS if role in names)


def _is_web_address(address: str, environment: str) -> bool:
    """https, or plain http to this machine where that is all there is (embedded)."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return True
    return environment == "embedded" and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")


def _is_strong(value: str | None) -> bool:
    return bool(value) and value != EXAMPLE_SECRET and len(value or "") >= MINIMUM_SECRET_LENGTH


def _kept_secret(path: Path) -> bytes:
    """The secret in `path`, made on first use; when several processes start at once the first one's is kept."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip().encode()
