"""The real thing: gunicorn with its own configuration, on both databases, answering over a socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api.bootstrap import build_read_side, build_services, key_registry, migrate
from api.settings import Settings
from tests.conftest import Database

ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _settings(database: Database) -> Settings:
    if database.kind == "sqlite":
        return Settings(home=database.home)
    return Settings(home=database.home, database_url=database.log_url, migration_url=database.admin_url)


@contextmanager
def served(settings: Settings, worker_class: str = "gthread") -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """gunicorn with two workers on a port of its own; its address and process."""
    port = _free_port()
    environment = {
        **os.environ, "ANODYNE_HOME": str(settings.home), "ANODYNE_PORT": str(port), "ANODYNE_WORKERS": "2",
        "ANODYNE_WORKER_CLASS": worker_class, "ANODYNE_DATABASE_URL": settings.database_url or "",
    }  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "-c", "python:api.gunicorn_conf", "api.http.app:create_app()"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_live(address, process)
        yield address, process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _wait_until_live(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
        try:
            if _ask(f"{address}/healthz/live")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("gunicorn does not answer")


def _ask(url: str, *, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        sent["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, _read(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _read(error.read()), dict(error.headers)


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode()


def test_every_worker_reads_the_columns_before_anybody_asks(database: Database) -> None:
    """Each of the two says so, and answers meanwhile."""
    settings = _settings(database)
    migrate(settings)
    with served(settings) as (address, process):
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), False)
        said, until = "", time.monotonic() + 20
        while said.count("columns.read") < 2 and time.monotonic() < until:
            said += (process.stderr.read() or b"").decode()
            assert _ask(f"{address}/healthz/live")[0] == 200
            time.sleep(0.05)
        assert said.count("columns.read") == 2, said


@pytest.mark.parametrize("worker_class", ["gthread", "sync"])
def test_gunicorn_serves(database: Database, worker_class: str) -> None:
    """Commands, replays, reads and problems over the wire; a worker killed with -9 loses nothing acknowledged."""
    settings = _settings(database)
    migrate(settings)
    services = build_services(settings)
    read_side = build_read_side(settings, services)
    registry = key_registry(settings, services, read_side)
    key = registry.create_key(registry.create_user("owner"), "owner", clinics=None).text
    bearer = f"Bearer {key}"
    with served(settings, worker_class) as (address, _):
        name = str(uuid4())
        clinic = {"clinic_name": "Harbour (fictional)", "timezone": "America/Los_Angeles"}
        answers = [
            _ask(f"{address}/v1/clinics", body=clinic, Authorization=bearer, Idempotency_Key=name) for _ in range(2)
        ]
        assert [status for status, _, _ in answers] == [201, 201]
        assert answers[0][1] == answers[1][1]
        assert answers[1][2]["Idempotent-Replayed"] == "true"
        clinic_id = answers[0][1]["id"]
        _kill_a_worker(address)
        status, shown, headers = _ask(f"{address}/v1/clinics/{clinic_id}", Authorization=bearer)
        assert (status, shown["clinic_name"], headers["ETag"]) == (200, "Harbour (fictional)", '"1"')
        status, problem, headers = _ask(f"{address}/v1/clinics/{uuid4()}", Authorization=bearer)
        assert (status, problem["code"]) == (404, "not-found")
        assert headers["Content-Type"] == "application/problem+json"
        read_side.engine.catch_up()
        assert _ask(f"{address}/healthz/ready")[0] == 200
        assert "anodyne_http_requests_total" in _ask(f"{address}/metrics")[1]
    opened = services.log.read(0, 100, names=["clinic.opened.v1"])
    assert [str(record.stream_id) for record in opened] == [clinic_id]
    read_side.close()
    services.close()


def _kill_a_worker(address: str) -> None:
    """kill -9 of one worker; the other (or its successor) answers on."""
    port = address.rpartition(":")[2]
    children = [
        int(entry.name) for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _is_worker(entry, port)
    ]
    assert children, "no worker found"
    os.kill(children[0], signal.SIGKILL)
    time.sleep(0.3)


def _is_worker(entry: Path, port: str) -> bool:
    """A gunicorn process of this port whose parent is gunicorn too."""
    try:
        environment = (entry / "environ").read_bytes()
        parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        parent_line = (Path("/proc") / str(parent) / "cmdline").read_bytes()
        return f"ANODYNE_PORT={port}\0".encode() in environment and b"gunicorn" in parent_line
    except (OSError, ValueError):
        return False


def test_production_without_a_secret_does_not_start(tmp_path: Path) -> None:
    """It says which setting is missing, and ends."""
    environment = {**os.environ, "ANODYNE_ENVIRONMENT": "production", "ANODYNE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "gunicorn", "-c", "python:api.gunicorn_conf", "api.http.app:create_app()"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert b"ANODYNE_SECRET" in ended.stderr + ended.stdout
