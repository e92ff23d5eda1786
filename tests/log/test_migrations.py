"""One migration command, safe when several start at once; nothing else makes tables."""

from __future__ import annotations

import sqlite3
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest
from eventsourcing.persistence import ProgrammingError

from services.log import EventLog, MigrationRefused, SchemaNotMigrated, migrate, migrate_keys, open_log
from services.log.migrations import steps
from tests.conftest import Database
from tests.support import writers

SPAWN = get_context("spawn")


def eight_at_once(url: str) -> bool:
    """Whether all eight processes came through."""
    start, failed = SPAWN.Barrier(8), SPAWN.Event()
    processes = [SPAWN.Process(target=writers.migrate_at_once, args=(url, start, failed)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    return not failed.is_set() and all(process.exitcode == 0 for process in processes)


def test_eight_processes_may_migrate_one_postgres_database_at_once(pg_empty_database: str) -> None:
    assert eight_at_once(pg_empty_database)
    assert migrate(pg_empty_database) == []


def test_eight_processes_may_migrate_one_sqlite_file_at_once(tmp_path: Path) -> None:
    assert eight_at_once(f"sqlite:///{tmp_path}/log.sqlite3")
    assert migrate(f"sqlite:///{tmp_path}/log.sqlite3") == []


def test_a_log_that_is_not_migrated_is_not_opened(tmp_path: Path, pg_empty_database: str) -> None:
    with pytest.raises(SchemaNotMigrated):
        open_log(f"sqlite:///{tmp_path}/none.sqlite3")
    assert not (tmp_path / "none.sqlite3").exists()
    with pytest.raises(SchemaNotMigrated):
        open_log(pg_empty_database)


def test_a_released_step_that_was_edited_is_refused(database: Database) -> None:
    statement = "UPDATE {} SET digest = 'other' WHERE name = '0001_log.sql:care'"
    if database.kind == "sqlite":
        with sqlite3.connect(database.log_url.removeprefix("sqlite:///")) as connection:
            connection.execute(statement.format("log_migrations"))
    else:
        with psycopg.connect(database.admin_url) as admin:
            admin.execute(statement.format("log.migrations"))  # type: ignore[call-overload]
    with pytest.raises(MigrationRefused, match="edited"):
        migrate(database.admin_url)


def test_a_database_newer_than_the_program_is_refused(database: Database) -> None:
    statement = "INSERT INTO {} VALUES ('9999_later.sql:care', 'x')"
    if database.kind == "sqlite":
        with sqlite3.connect(database.log_url.removeprefix("sqlite:///")) as connection:
            connection.execute(statement.format("log_migrations"))
    else:
        with psycopg.connect(database.admin_url) as admin:
            admin.execute(statement.format("log.migrations"))  # type: ignore[call-overload]
    with pytest.raises(MigrationRefused, match="newer"):
        open_log(database.log_url)


def test_a_failed_step_leaves_nothing_behind(pg_empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.log import migrations

    broken = [*steps("postgres"), migrations.Step("9998_broken.sql:care", "CREATE TABLE log.half (x int); SELECT 1/0;")]
    monkeypatch.setattr(migrations, "steps", lambda kind: broken)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(pg_empty_database)
    with psycopg.connect(pg_empty_database) as connection:
        assert connection.execute("SELECT to_regclass('log.care_events')").fetchone() == (None,)


def test_both_databases_have_the_same_numbered_steps_for_both_logs() -> None:
    sqlite_numbers = {step.name[:4] for step in steps("sqlite")}
    assert {step.name.rpartition(":")[2] for step in steps("sqlite")} == {"care", "access"}
    assert "0001" in sqlite_numbers
    assert [step.name for step in steps("postgres")] == sorted(
        (step.name for step in steps("postgres")), key=lambda name: (name.partition(":")[0], name.endswith("access"))
    )


def test_workers_never_run_ddl(event_log: EventLog) -> None:
    with pytest.raises(ProgrammingError):
        event_log.recorder.create_table()


def test_the_key_store_is_made_once(tmp_path: Path, pg_empty_database: str) -> None:
    for url in (f"sqlite:///{tmp_path}/keys.sqlite3", pg_empty_database):
        assert migrate_keys(url)
        assert not migrate_keys(url)


def test_a_latin_1_database_is_refused(pg_cluster: object) -> None:
    """Leaf hashes are over UTF-8; a database in another encoding could not hold every name anyway."""
    cluster = pg_cluster
    cluster.execute(  # type: ignore[attr-defined]
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    with pytest.raises(MigrationRefused, match="UTF8"):
        migrate(cluster.url("latin"))  # type: ignore[attr-defined]
    cluster.drop_database("latin")  # type: ignore[attr-defined]
