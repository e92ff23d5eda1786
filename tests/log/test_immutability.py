"""What has been recorded stays: the database itself refuses to change it, whoever asks."""

from __future__ import annotations

import sqlite3
from uuid import uuid4

import psycopg
import pytest

from services.log import EventLog, open_log
from services.log.urls import sqlite_path
from tests.conftest import Database
from tests.log.given import append, scored

CHANGES = [
    "UPDATE {events} SET actor = 'someone else'",
    "UPDATE {events} SET position = position + 100 WHERE position = 2",
    "DELETE FROM {events} WHERE position = 2",
    "DELETE FROM {events}",
]


@pytest.mark.parametrize("statement", [*CHANGES, "REPLACE INTO {events} SELECT * FROM {events} WHERE position = 2"])
def test_sqlite_refuses_to_change_a_row(sqlite_database: Database, statement: str) -> None:
    with_one_event(sqlite_database)
    with sqlite3.connect(sqlite_path(sqlite_database.log_url)) as connection:
        before = connection.execute("SELECT * FROM care_events").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement.format(events="care_events"))
        connection.rollback()
        assert connection.execute("SELECT * FROM care_events").fetchall() == before


@pytest.mark.parametrize("statement", [*CHANGES, "TRUNCATE {events}", "TRUNCATE {events} CASCADE"])
def test_postgres_refuses_to_change_a_row_even_to_the_owner(postgres_database: Database, statement: str) -> None:
    with_one_event(postgres_database)
    with psycopg.connect(postgres_database.admin_url, autocommit=True) as connection:
        before = connection.execute("SELECT * FROM log.care_events").fetchall()
        with pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(statement.format(events="log.care_events"))
        assert connection.execute("SELECT * FROM log.care_events").fetchall() == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO log.care_events SELECT * FROM log.care_events",
        *(change.format(events="log.care_events") for change in CHANGES),
        "TRUNCATE log.care_events",
        "UPDATE log.care_heads SET version = 1",
        "DELETE FROM log.care_claims",
        "DELETE FROM log.care_idempotency",
        "ALTER TABLE log.care_events DISABLE TRIGGER ALL",
        "DROP TABLE log.care_events",
        "CREATE TABLE log.mine (x int)",
        "CREATE OR REPLACE FUNCTION log.care_refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'",
        "SELECT log.care_release('{}', 1)",
        "SET ROLE anodyne_owner",
        "SET session_replication_role = replica",
    ],
)
def test_the_application_role_may_only_read_and_append(postgres_database: Database, statement: str) -> None:
    with_one_event(postgres_database)
    with psycopg.connect(postgres_database.log_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)  # type: ignore[call-overload]
        assert connection.execute("SELECT count(*) FROM log.care_events").fetchone() == (2,)


def test_what_the_owner_must_do_stands_in_another_role_than_the_application(postgres_database: Database) -> None:
    with psycopg.connect(postgres_database.admin_url) as connection:
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'log'"
        ).fetchall()
        may_sign_in = dict(connection.execute(
            "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'anodyne_%'"
        ).fetchall())
    assert owners == [("anodyne_owner",)]
    assert may_sign_in == {"anodyne_owner": False, "anodyne_migrator": True, "anodyne_app": True}


def with_one_event(database: Database) -> None:
    log: EventLog = open_log(database.log_url, keys_url=database.keys_url, home=database.home)
    append(log, uuid4(), 0, scored())
    log.close()
