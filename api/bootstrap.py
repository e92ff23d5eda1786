"""The only place that wires: from `Settings` to the log, the keys, the services and the read side.

Everything here opens connections, so it runs after a fork, once per process. `migrate` first, then `build_services`
(commands, reads of the log) and `build_read_side` (dashboards, the directory, the engine that fills them).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from api.auth.accounts import Accounts
from api.auth.acting import changed_by
from api.auth.grants import Grants
from api.auth.identity import Identity
from api.auth.keys import KeyRegistry
from api.auth.sessions import Limits, Sessions
from api.auth.totp import SecondStep
from api.settings import Settings
from domain.kernel import Actor, Command, Envelope, derived_id
from domain.oversight import PermissionChanged
from domain.ports import Clock
from projections import migrations as views_migrations
from projections.directory import BlindIndexes
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.registry import board_group, directory_group, facts_group
from services.access_log import AccessLog
from services.handling import CommandHandling, Receipt, Request
from services.log import (
    ANY_VERSION,
    Append,
    EventLog,
    KeyStore,
    KeyUnsealer,
    StreamWrite,
    migrate_keys,
)
from services.log import migrate as migrate_log
from services.log.key_encryption import KekProvider, environment_kek, file_kek
from services.log.snapshots import Snapshots
from services.use_cases import use_cases
from services.use_cases.erasing import Erasing

__all__ = [
    "ReadSide", "Services", "SystemClock", "build_read_side", "build_services", "identity",
    "key_registry", "migrate",
    "schema_is_current",
]

Mode = Literal["production", "simulation"]


class SystemClock:
    """This machine's clock. (`recorded_at` is the database's own; this one says what `now` a command was taken at.)"""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """The write side and the reads of the log."""

    settings: Settings
    clock: Clock
    log: EventLog
    access: AccessLog
    keys: KeyStore
    unsealer: KeyUnsealer
    handling: CommandHandling
    erasing: Erasing

    def handle(self, stream_id: UUID, command: Command, request: Request) -> Receipt:
        """Carries a command out: see `CommandHandling.handle`."""
        return self.handling.handle(stream_id, command, request)

    def close(self) -> None:
        """Closes every connection."""
        self.handling.snapshots.settle()
        self.access.log.close()
        self.log.close()


@dataclass(frozen=True)
class ReadSide:
    """The read models: their database, the engine that keeps them, the secret behind the blind indexes."""

    database: ViewsDatabase
    engine: ProjectionEngine
    indexes: BlindIndexes

    def close(self) -> None:
        """Closes every connection."""
        self.engine.close()


@dataclass(frozen=True)
class Urls:
    """Where things are kept. On SQLite three files, so that no projection ever holds the log's write lock."""

    log: str
    views: str
    keys: str
    log_migration: str
    views_migration: str

    @classmethod
    def of(cls, settings: Settings) -> Urls:
        """PostgreSQL where a database URL is set, else files in the home directory."""

        def file(stem: str) -> str:
            return f"sqlite:///{settings.home.expanduser().absolute()}/{stem}.sqlite3"

        log = settings.database_url or file("log")
        views = settings.database_url or file("views")
        return cls(
            log=log, views=views, keys=settings.keys_url or file("keys"),
            log_migration=settings.migration_url or log, views_migration=settings.migration_url or views,
        )


def migrate(settings: Settings) -> list[str]:
    """Brings every schema up to date: the log's (numbered SQL), the keys', the read models' (Alembic) and tables.

    Safe when several processes start it at once. Returns what was applied.
    """
    urls = Urls.of(settings)
    if not settings.is_postgresql:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    applied = list(migrate_log(urls.log_migration))
    if migrate_keys(urls.keys):
        applied.append("keys")
    applied += [f"views {revision}" for revision in views_migrations.migrate(urls.views_migration)]
    services = _connect(settings, None)  # not opened: a log's first event says its mode, and that is not ours to say
    try:
        read_side = build_read_side(settings, services)
        try:
            applied += [f"tables of {name}" for name in read_side.engine.install()]
        finally:
            read_side.close()
    finally:
        services.close()
    return applied


def build_services(settings: Settings, *, clock: Clock | None = None, mode: Mode | None = None) -> Services:
    """The write side. `clock` is settable only in a log opened with `mode="simulation"` (the demo).

    Without `mode` a log keeps the one that it was opened with; an empty one is opened for production. Raises
    WrongLogMode (a simulation where the settings forbid it), SchemaNotMigrated, LogUnavailable, KekError.
    """
    services = _connect(settings, clock)
    wanted = mode or _kept_mode(services.log, settings)
    services.log.open(wanted)
    services.access.log.open(wanted)
    return services


def _connect(settings: Settings, clock: Clock | None) -> Services:
    urls = Urls.of(settings)
    keys = KeyStore(urls.keys, key_encryption(settings))
    log = EventLog(urls.log, keys=keys, clock=clock)
    access_log = EventLog(urls.log, log="access", keys=keys, clock=clock)
    unsealer = KeyUnsealer(keys, log.upcasters)
    used_clock = clock or SystemClock()
    handling = CommandHandling(log, used_clock, use_cases(log), snapshots=Snapshots(log))
    return Services(
        settings=settings, clock=used_clock, log=log, access=AccessLog(access_log), keys=keys, unsealer=unsealer,
        handling=handling, erasing=Erasing(handling, log, keys),
    )


def _kept_mode(log: EventLog, settings: Settings) -> Mode:
    """The mode the log was opened with; where simulations are not allowed always production, so that it is refused."""
    if log.mode() == "simulation" and settings.allow_simulation:
        return "simulation"
    return "production"


def key_encryption(settings: Settings) -> KekProvider:
    """Where the key-encryption key comes from: a file in the home directory, or the environment."""
    if settings.key_provider == "environment":
        assert settings.key_encryption_key is not None  # checked when the settings were read
        return environment_kek(settings.key_encryption_key)
    return file_kek(settings.home / "kek", create=settings.environment == "embedded")


def build_read_side(
    settings: Settings, services: Services, *, now_us: Callable[[], int] | None = None
) -> ReadSide:
    """The read side over the services' log: cheap, opens worker connections only when its engine is asked to work."""
    database = ViewsDatabase(Urls.of(settings).views)
    index_key = settings.secret()
    groups = (facts_group(), board_group(), directory_group(services.unsealer, index_key))
    engine = (
        ProjectionEngine(database, services.log, groups)
        if now_us is None
        else ProjectionEngine(database, services.log, groups, now_us=now_us)
    )
    return ReadSide(database=database, engine=engine, indexes=BlindIndexes(index_key))


def schema_is_current(settings: Settings) -> bool:
    """Whether the read models' schema is what this program expects (the log refuses to open otherwise)."""
    return not views_migrations.pending(Urls.of(settings).views)


def key_registry(settings: Settings, services: Services, read_side: ReadSide) -> KeyRegistry:
    """Users and API keys; every change of permission becomes an event of the care log's oversight stream."""
    return KeyRegistry(
        read_side.database.reads, prefix=settings.key_prefix, announce=_announcer(services),
        cache_seconds=settings.key_cache_seconds,
    )


def identity(settings: Settings, services: Services, read_side: ReadSide) -> Identity:
    """Accounts, roles and sessions of people; changes of permission are announced like those of keys."""
    engine, announce = read_side.database.reads, _announcer(services)
    limits = Limits(idle_s=settings.session_idle_minutes * 60, longest_s=settings.session_hours * 3600)
    return Identity(
        accounts=Accounts(engine, announce, demo_allowed=settings.environment == "embedded"),
        grants=Grants(engine, announce),
        sessions=Sessions(engine, limits),
        second_step=SecondStep(engine, lambda: key_encryption(settings), announce),
    )


def _envelope(by: Actor | None) -> Envelope:
    """Whoever changes their own account is the actor; else it is the operator at the command line."""
    if by is None:
        return Envelope(actor="operator", role="system", clinic_id=None, origin="process")
    return Envelope(actor=by.id, role=by.role, clinic_id=None)


def _announcer(services: Services) -> Callable[[PermissionChanged], None]:
    def announce(event: PermissionChanged) -> None:
        day = event.occurred_at.astimezone(UTC).date().isoformat()
        stream_id = derived_id("oversight", None, day)
        services.log.append(
            Append(
                writes=(StreamWrite(stream_id, ANY_VERSION, (event,)),),
                envelope=_envelope(changed_by()),
            )
        )

    return announce
