"""A running organisation to be killed: gunicorn, a projection worker and, on PostgreSQL, a server of its own."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall
from pathlib import Path
from uuid import UUID, uuid4

from api.bootstrap import ReadSide, Services, build_read_side, build_services, key_registry, migrate
from api.settings import Settings
from domain.clinic import AddRoom, OpenClinic, OpeningSpan, SetOpeningHours
from domain.kernel import Actor
from domain.patient.registration import RegisterPatient
from services.handling import Request
from tests.support.postgres import APP_ROLE, Cluster

ROOT = Path(__file__).parents[2]
OWNER = Actor(id="crash-test", role="owner")


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Organisation:
    """One clinic open day and night with one room, its patients, and the processes that serve it."""

    home: Path
    cluster: Cluster | None
    port: int = field(default_factory=free_port)
    key: str = ""
    clinic_id: UUID = field(default_factory=uuid4)
    room_id: UUID = field(default_factory=uuid4)
    patients: list[UUID] = field(default_factory=list)
    first_day: date = field(default_factory=lambda: datetime.now(UTC).date() + timedelta(days=2))
    server: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        """The settings that the processes run with."""
        if self.cluster is None:
            return Settings(home=self.home, port=self.port)
        return Settings(
            home=self.home, port=self.port, database_url=self.cluster.url("crash", APP_ROLE),
            migration_url=self.cluster.url("crash"),
        )

    def found(self, patients: int) -> None:
        """Migrates and sets the clinic up through the services."""
        if self.cluster is not None:
            self.cluster.create_database("crash")
        migrate(self.settings)
        services, read_side = self.open()
        try:
            self._set_up(services, patients)
            registry = key_registry(self.settings, services, read_side)
            made = registry.create_key(registry.create_user("Crash test"), "owner", clinics=None, label="crash")
            assert made.text is not None
            self.key = made.text
        finally:
            read_side.close()
            services.close()

    def open(self) -> tuple[Services, ReadSide]:
        """Both sides in this process, to set up and to check."""
        services = build_services(self.settings)
        return services, build_read_side(self.settings, services)

    def _set_up(self, services: Services, patients: int) -> None:
        now = datetime.now(UTC)
        request = Request(by=OWNER, clinic_id=self.clinic_id)
        always = tuple(OpeningSpan(weekday=day, opens=wall(0), closes=wall(0)) for day in range(1, 8))
        common = {"by": OWNER, "now": now, "at": now}
        services.handle(self.clinic_id, OpenClinic(**common, clinic_name="Crash (fictional)", timezone="UTC"), request)
        services.handle(self.clinic_id, AddRoom(**common, room_id=self.room_id, room_name="Room 1"), request)
        services.handle(
            self.clinic_id, SetOpeningHours(**common, effective_from=now.date(), hours=always), request
        )
        for number in range(patients):
            patient = uuid4()
            services.handle(patient, RegisterPatient(
                **common, family_name=f"Crashdummy-{number}", given_name="Fictional", birth_date=date(1980, 1, 1),
                sex="female", home_clinic_id=self.clinic_id,
            ), request)
            self.patients.append(patient)

    # --- processes -------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        mine = {
            "ANODYNE_HOME": str(self.home), "ANODYNE_PORT": str(self.port),
            "ANODYNE_RATE_LIMIT": "1000000 per minute",
        }
        if self.cluster is not None:
            mine |= {"ANODYNE_DATABASE_URL": self.cluster.url("crash", APP_ROLE)}
        return {**{k: v for k, v in os.environ.items() if not k.startswith("ANODYNE_")}, **mine}

    def _start(self, *module: str) -> subprocess.Popen[bytes]:
        log = open(self.home / f"{module[0].replace('.', '-')}.log", "ab")  # noqa: SIM115  the child's
        return subprocess.Popen(
            [sys.executable, "-m", *module], env=self._environment(), cwd=ROOT, stdout=log, stderr=log,
            start_new_session=True,
        )

    def start_server(self) -> None:
        """gunicorn, as `anodyne serve` runs it."""
        self.server = self._start("gunicorn", "-c", "python:api.gunicorn_conf", "api.http.app:create_app()")

    def start_worker(self) -> None:
        """The projection worker."""
        self.worker = self._start("api.worker")

    def is_live(self) -> bool:
        """Whether the API answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz/live", timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def wait_until_live(self, seconds: float = 60) -> None:
        """Raises TimeoutError."""
        until = time.monotonic() + seconds
        while not self.is_live():
            if time.monotonic() > until:
                raise TimeoutError((self.home / "gunicorn.log").read_text()[-3000:])
            time.sleep(0.05)

    # --- kills -----------------------------------------------------------------------------------

    def kill_a_web_worker(self, rng: random.Random) -> bool:
        """kill -9 of one of gunicorn's workers; the master starts another."""
        assert self.server is not None
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.server.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        if not listed:
            return False
        return _kill(int(rng.choice(listed)))

    def kill_the_server(self, rng: random.Random) -> bool:
        """kill -9 of gunicorn's master and workers; a new server on the same port."""
        assert self.server is not None
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()
        self.start_server()
        return True

    def kill_the_projection_worker(self, rng: random.Random) -> bool:
        """kill -9 of the projection worker, and another in its place."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()
        self.start_worker()
        return True

    def kill_postgresql(self, rng: random.Random) -> bool:
        """kill -9 of the postmaster and its backends; crash recovery at the next start."""
        assert self.cluster is not None
        self.cluster.kill()
        self.cluster.start()
        return True

    def stop(self) -> None:
        """Ends both processes, whatever state they are in."""
        for process in (self.server, self.worker):
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
