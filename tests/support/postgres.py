"""A PostgreSQL cluster of the tests' own: the system's binaries, a temporary directory, a random loopback port.

As root the server runs as the `postgres` user (it refuses root). One cluster serves all xdist workers of a
session: the first to need it starts it, the last to finish stops it; each test gets databases of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

SUPERUSER = "postgres"
APP_ROLE = "anodyne_app"
MIGRATOR_ROLE = "anodyne_migrator"


class PostgresMissing(RuntimeError):
    """PostgreSQL's server binaries are needed by this test and are not installed."""


def find_binaries() -> Path:
    """The directory of initdb and pg_ctl; raises PostgresMissing naming what to install."""
    found = shutil.which("initdb")
    candidates = [Path(os.environ["ANODYNE_TEST_PG_BIN"])] if "ANODYNE_TEST_PG_BIN" in os.environ else []
    candidates += [Path(found).resolve().parent] if found else []
    versions = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
    versions += glob.glob("/opt/homebrew/opt/postgresql@*/bin")
    candidates += [Path(path) for path in sorted(versions, reverse=True)]
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "pg_ctl").exists():
            return candidate
    raise PostgresMissing(
        "This test runs on PostgreSQL too. Install its server (Debian: apt-get install postgresql; "
        "macOS: brew install postgresql@17) or name its bin directory in ANODYNE_TEST_PG_BIN."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _runs(pid: int) -> bool:
    """Whether `pid` is a living process (a zombie waiting for its parent is not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass
class Cluster:
    """A running (or stopped) cluster. `durable=False` turns fsync off: kill -9 safe, not power-cut safe, fast."""

    directory: Path
    port: int
    binaries: Path

    @classmethod
    def create(cls, *, durable: bool = False, settings: dict[str, str] | None = None) -> Cluster:
        """initdb and start in a new temporary directory."""
        binaries = find_binaries()
        directory = Path(tempfile.mkdtemp(prefix="anodyne-pg-"))
        if os.geteuid() == 0:
            shutil.chown(directory, user="postgres")
        cluster = cls(directory, _free_port(), binaries)
        cluster.run(
            "initdb", "-D", str(cluster.data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"
        )
        options = {
            "listen_addresses": "'127.0.0.1'", "unix_socket_directories": f"'{directory}'", "max_connections": "200",
            "shared_buffers": "'128MB'", "timezone": "'UTC'", "log_timezone": "'UTC'",
        }
        if not durable:
            options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        with open(cluster.data / "postgresql.conf", "a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in {**options, **(settings or {})}.items())
        cluster.start()
        return cluster

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(self.binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory, timeout=120)
        if check and done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")
        return done

    def start(self) -> None:
        """Starts the server. The first time, a new port is taken if another program took ours meanwhile."""
        for attempt in range(5):
            done = self.run(
                "pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", str(self.directory / "server.log"),
                "-o", f"-p {self.port}", check=False,
            )
            if done.returncode == 0:
                (self.directory / "started").touch()
                return
            if attempt == 4:
                log = self.directory / "server.log"
                raise RuntimeError(f"PostgreSQL did not start: {done.stderr}{log.read_text() if log.exists() else ''}")
            if (self.directory / "started").exists():
                time.sleep(0.3)
            else:
                self.port = _free_port()

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.data), check=False)

    def postmaster_pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def kill(self) -> None:
        """kill -9 of the postmaster and every backend, as a crash would; returns once they are gone."""
        pid = self.postmaster_pid()
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
        victims = [pid, *(int(child) for child in children.split())]
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, 9)
        deadline = time.monotonic() + 10
        while any(_runs(victim) for victim in victims) and time.monotonic() < deadline:
            time.sleep(0.01)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for lock in self.directory.glob(".s.PGSQL.*"):  # names a pid that may still be a zombie, and so look alive
            lock.unlink(missing_ok=True)

    def url(self, dbname: str = "postgres", user: str = SUPERUSER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{dbname}"

    def execute(self, statement: str, dbname: str = "postgres") -> None:
        with psycopg.connect(self.url(dbname), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """A new database; its URL as superuser."""
        self.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive file lock: between xdist workers of one session."""
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def shared_cluster(meeting_place: Path) -> Iterator[Cluster]:
    """The session's one cluster, whoever of its workers asks; counted in a file at `meeting_place`."""
    find_binaries()
    state, lock = meeting_place / "pg-cluster.json", meeting_place / "pg-cluster.lock"
    with locked(lock):
        known = json.loads(state.read_text()) if state.exists() else None
        if known is None:
            cluster = Cluster.create()
            known = {"directory": str(cluster.directory), "port": cluster.port, "users": 0}
        cluster = Cluster(Path(known["directory"]), known["port"], find_binaries())
        known["users"] += 1
        state.write_text(json.dumps(known))
    try:
        yield cluster
    finally:
        with locked(lock):
            known = json.loads(state.read_text())
            known["users"] -= 1
            state.write_text(json.dumps(known))
            if known["users"] == 0:
                state.unlink()
                cluster.remove()
