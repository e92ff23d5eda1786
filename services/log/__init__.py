"""The append-only event log, on PostgreSQL and SQLite through the `eventsourcing` library."""

from services.log.event_log import SYSTEM_STREAM, EventLog, open_log
from services.log.keys import BlindIndex, KeyDestroyed, KeyStore, migrate_keys
from services.log.migrations import MigrationRefused, migrate
from services.log.shapes import (
    ANY_VERSION,
    Append,
    Appended,
    ClaimConflict,
    Idempotency,
    IdempotencyMismatch,
    InvalidEvent,
    LogError,
    LogUnavailable,
    SchemaNotMigrated,
    StreamConflict,
    StreamWrite,
    UnknownEvent,
    UnreadableEvent,
    WrongLogMode,
)
from services.log.unsealing import KeyUnsealer

__all__ = [
    "ANY_VERSION", "SYSTEM_STREAM", "Append", "Appended", "BlindIndex", "ClaimConflict", "EventLog", "Idempotency",
    "IdempotencyMismatch", "InvalidEvent", "KeyDestroyed", "KeyStore", "KeyUnsealer", "LogError", "LogUnavailable",
    "MigrationRefused", "SchemaNotMigrated", "StreamConflict", "StreamWrite", "UnknownEvent", "UnreadableEvent",
    "WrongLogMode", "migrate", "migrate_keys", "open_log",
]
