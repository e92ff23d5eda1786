"""Migrations of the read models' database: the `ops_` tables (positions, leaders, skips, users, API keys).

Fact tables are not migrated: they follow their projection's version and are rebuilt (`projections.engine`).
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from projections.engine.database import SCHEMA, ViewsDatabase

APP_ROLE = "anodyne_app"
"""The role that serves and works; it is granted what it needs where it exists."""

VERSION_TABLE = "ops_schema_version"


def _config(connection: Connection, schema: str | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config


def migrate(url: str) -> list[str]:
    """Brings the read models' database up to date; the revisions applied. Safe when several start at once.

    `url` is the migrating role's on PostgreSQL.
    """
    database = ViewsDatabase(url, pool_size=1)
    with closing(database), closing(database.session()) as session, session.transaction() as sql:
        if database.kind == "postgres":
            sql.exec_driver_sql("SELECT pg_advisory_xact_lock(4714, 1)")
            if SCHEMA not in inspect(sql).get_schema_names():
                sql.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
        config = _config(sql, database.schema)
        before = _applied(sql, database)
        command.upgrade(config, "head")
        if database.kind == "postgres":
            _grant(sql)
        return [revision for revision in _revisions(config) if revision not in before]


def pending(url: str) -> list[str]:
    """Revisions that `migrate` would apply."""
    database = ViewsDatabase(url, pool_size=1)
    with closing(database), database.reads.connect() as sql:
        before = _applied(sql, database)
        return [revision for revision in _revisions(_config(sql, database.schema)) if revision not in before]


def _revisions(config: Config) -> list[str]:
    scripts = ScriptDirectory.from_config(config)
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def _applied(sql: Connection, database: ViewsDatabase) -> set[str]:
    if VERSION_TABLE not in inspect(sql).get_table_names(database.schema):
        return set()
    present = sql.exec_driver_sql(f"SELECT version_num FROM {database.name(VERSION_TABLE)}").scalars().all()  # noqa: S608
    config = _config(sql, database.schema)
    scripts = ScriptDirectory.from_config(config)
    return {script.revision for head in present for script in scripts.iterate_revisions(head, "base")}


def _grant(sql: Connection) -> None:
    known = sql.exec_driver_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{APP_ROLE}'").first()  # noqa: S608
    if known is None:
        return
    sql.exec_driver_sql(f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {APP_ROLE}")
    for name in inspect(sql).get_table_names(SCHEMA):
        if name.startswith("ops_"):
            sql.exec_driver_sql(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}."{name}" TO {APP_ROLE}')
