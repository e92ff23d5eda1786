"""Which sentence and which exit code an error becomes. What is not listed is our fault: it keeps its traceback."""

from __future__ import annotations

import sqlite3

import click
import psycopg
from environs import EnvError
from sqlalchemy.exc import DBAPIError

from api.cli.output import AskedWrongly, Failed
from api.fhir.ndjson import NothingToImport
from api.settings import InsecureSettings
from domain.kernel import DomainError
from services.log import LogUnavailable, MigrationRefused, SchemaNotMigrated, WrongLogMode

__all__ = ["worded"]


def worded(error: Exception) -> Failed | None:
    """The error as a person should read it; None for what nobody expected."""
    match error:
        case Failed():
            return error
        case click.ClickException():
            return Failed(error.message)
        case InsecureSettings() | EnvError():
            return AskedWrongly(str(error), code="settings", hint="`anodyne config check` shows what is in force.")
        case SchemaNotMigrated():
            return Failed(str(error), code="not-migrated", hint="Run: anodyne db migrate")
        case MigrationRefused():
            return Failed(str(error), code="migration-refused")
        case WrongLogMode():
            return Failed(str(error), code="wrong-log-mode")
        case NothingToImport():
            return AskedWrongly(str(error), code="nothing-to-import")
        case DomainError():
            return Failed(str(error), code=error.code)
        case LogUnavailable() | psycopg.OperationalError() | sqlite3.OperationalError() | DBAPIError():
            return Failed(
                f"the database cannot be used: {_first_line(error)}", code="database",
                hint="Check ANODYNE_DATABASE_URL and ANODYNE_KEYS_URL (or ANODYNE_HOME), and that it is running.",
            )
        case BrokenPipeError():
            return Failed("nobody reads the output any more", code="broken-pipe")
    return None


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
