"""The contenders of the append: our whole command, the library's get-and-save, a bare insert of the same bytes."""

from __future__ import annotations

import sqlite3
import time
from typing import Any
from uuid import UUID, uuid4

import psycopg

from api.bootstrap import build_services
from api.settings import Settings
from benchmarks import library, practice


class OurCommand:
    """`services.handle(ReportSideEffect)`: one event per commit."""

    def __init__(self, settings: Settings, clinic_id: UUID) -> None:
        self.services = build_services(settings)
        self.clinic_id = clinic_id
        self._patients: list[UUID] = []
        self._wanted = 40

    def prepare(self) -> None:
        """Patients for the visits to come (registering them is not what is measured)."""
        while len(self._patients) < self._wanted:
            self._patients.append(practice.register(self.services, self.clinic_id))

    def run(self, seconds: float) -> int:
        done, visits, until = 0, 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            patient = self._patients.pop() if self._patients else practice.register(self.services, self.clinic_id)
            visit_id = practice.arrive(self.services, self.clinic_id, patient).stream_id
            visits += 1
            for _ in range(practice.PER_VISIT):
                practice.report_side_effect(self.services, self.clinic_id, visit_id)
            done += practice.PER_VISIT
        self._wanted = max(self._wanted, round(visits * 1.5) + 5)
        return done

    def close(self) -> None:
        self.services.close()


class LibraryGetAndSave:
    """`repository.get`, a decorated command method, `save`: the library's default mode."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.app = library.Visits(env=environment)

    def prepare(self) -> None:
        """Nothing: a visit is made of nothing else."""

    def run(self, seconds: float) -> int:
        return library.get_and_save(self.app, seconds, practice.PER_VISIT)

    def close(self) -> None:
        self.app.close()


BARE_COLUMNS = (
    "recorded_us bigint, stream_id uuid, version integer, name text, payload text, clinic_id uuid, clinic_seq bigint, "
    "subject uuid, actor text, role text, origin text, command_id uuid, leaf_hash bytea"
)
BARE_PAYLOAD = (
    '{"occurred_at":"2026-11-23T12:00:00.000000Z","side_effect_id":"%s","kind":"nausea","grade":1,'
    '"onset_at":"2026-11-23T11:59:59.000000Z","note":{"secret":"sealed","key":"' + "k" * 43 + '","box":"'
    + "b" * 84 + '"}}'
)


def bare_row() -> tuple[Any, ...]:
    """As many bytes as our event and its envelope."""
    one = uuid4()
    return (
        time.time_ns() // 1000, one, 1, "infusion.side_effect_reported.v1", BARE_PAYLOAD % one, one, 1, one,
        "bench:nurse", "nurse", "entered", one, b"\x00" * 32,
    )


class BareInsert:
    """One INSERT per commit on a plain psycopg connection: no lock, no index but the key, nothing read."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.statement = f"INSERT INTO bare VALUES (DEFAULT, {', '.join(['%s'] * 13)})"

    def prepare(self) -> None:
        """The table (and its key's sequence) is there."""

    def run(self, seconds: float) -> int:
        done, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            for _ in range(10):
                self.connection.execute(self.statement, bare_row(), prepare=True)
            done += 10
        return done

    def close(self) -> None:
        self.connection.close()


def make_bare_table(url: str) -> None:
    """On PostgreSQL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE bare (position bigserial PRIMARY KEY, {BARE_COLUMNS})")  # type: ignore[call-overload]


class BareSqliteInsert:
    """One INSERT per commit on a plain sqlite3 connection, WAL and synchronous=FULL."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS bare (position INTEGER PRIMARY KEY, {BARE_COLUMNS})")

    def prepare(self) -> None:
        """The table is there."""

    def run(self, seconds: float) -> int:
        done, until = 0, time.perf_counter() + seconds
        marks = ", ".join("?" * 13)
        while time.perf_counter() < until:
            for _ in range(10):
                row = tuple(str(value) if isinstance(value, UUID) else value for value in bare_row())
                self.connection.execute(f"INSERT INTO bare VALUES (NULL, {marks})", row)
            done += 10
        return done

    def close(self) -> None:
        self.connection.close()
