"""A full command through gunicorn, against the library's bare create-and-save and Flask's floor behind the same."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.bootstrap import build_read_side, build_services, key_registry, migrate
from api.settings import Settings
from benchmarks import library, practice
from benchmarks.client import CONNECTIONS, Client
from benchmarks.crew import Crew
from benchmarks.places import Ground
from benchmarks.report import Line, Part, at_least
from benchmarks.rounds import Outcome, interleaved
from benchmarks.tasks import ROOT

TURN_S, WORKERS, THREADS, VISITS, AT_LEAST = 4.0, 2, 8, 400, 1.0
CLASSES = ("gthread", "sync")
BODY = {"kind": "nausea", "grade": 1, "note": practice.NOTE}


@dataclass
class Served:
    """One address to drive, and what its answers were."""

    port: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    took: list[float] = field(default_factory=list)
    wrong: int = 0

    def rate(self, crew: Crew, seconds: float) -> float:
        """Answers of 201 per second."""
        crew.start(seconds)
        ((done, took, statuses), lasted), = crew.finish()
        self.took += took
        self.wrong += sum(count for status, count in statuses.items() if status != 201)
        return float(done / lasted)


def run(ground: Ground, rounds: int, quick: bool) -> Part:
    """Both worker classes, all contenders, in turn."""
    turn = 1.5 if quick else TURN_S
    settings, headers, visits = _our_clinic(ground)
    environment = ground.library_environment("postgresql", "peer")
    library.Visits(env=environment).close()
    with ExitStack() as stack:
        served: dict[str, Served] = {}
        crews: dict[str, Crew] = {}
        for kind in CLASSES:
            ours = stack.enter_context(_gunicorn(ground, "api.http.app:create_app()", kind, _ours(settings)))
            peer = stack.enter_context(_gunicorn(ground, "benchmarks.peer_app:create_app()", kind, environment))
            served[f"ours, {kind}"] = Served(ours, "/v1/infusions/ID/side-effects", headers, visits[kind])
            served[f"library, {kind}"] = Served(peer, "/visits")
            served[f"floor, {kind}"] = Served(peer, "/nothing")
        for name, one in served.items():
            body = {**BODY, "onset_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
            crews[name] = Crew(Client, (one.port, one.path, body, dict(one.headers), one.ids), 1)
            stack.callback(crews[name].close)
            one.rate(crews[name], 1.5)
            one.took.clear()
            one.wrong = 0
        found = interleaved(
            {name: lambda name=name: served[name].rate(crews[name], turn) for name in served}, "/s", rounds
        )
    return _part(found, served)


def _part(found: Outcome, served: Mapping[str, Served]) -> Part:
    lines = []
    for kind in CLASSES:
        what, ours = f"{kind}, {WORKERS} workers", found.spread(f"ours, {kind}")
        judged = at_least(found.ratio(f"ours, {kind}", f"library, {kind}"), AT_LEAST)
        lines += [
            Line(what, ours, "library, create and save", found.spread(f"library, {kind}"), *judged),
            Line(what, ours, "Flask's floor", found.spread(f"floor, {kind}"),
                 f"{found.ratio(f'ours, {kind}', f'floor, {kind}'):.2f} x"),
            _latency(f"{kind}: one request, p50 and p99", served[f"ours, {kind}"], served[f"library, {kind}"]),
        ]
    wrong = sum(one.wrong for one in served.values())
    steadier = min(CLASSES, key=lambda kind: _unsteadiness(found, f"ours, {kind}"))
    return Part(
        "http", "A command over HTTP",
        "Ours: `POST /v1/infusions/{id}/side-effects` with an API key, an Idempotency-Key and a note: authentication, "
        "rate limit, schema, scope, the whole command, receipt, headers. Theirs: a bare Flask view that creates and "
        "saves one of the library's aggregates; and one that does nothing but read its JSON. All on PostgreSQL, behind "
        f"gunicorn with our own settings ({WORKERS} workers; gthread with {THREADS} threads each, connections kept; "
        f"sync, one connection per request), driven by one process over {CONNECTIONS} connections on the same cores.",
        lines,
        notes=(
            f"Answers other than 201: {wrong:,}.",
            f"Steadier here (spread of our rounds over their median): {steadier}; "
            + ", ".join(f"{kind} {_unsteadiness(found, f'ours, {kind}'):.0%}" for kind in CLASSES) + ".",
            "Each connection reports 20 side effects at one visit, then takes the next; a visit's requests fall on "
            "either worker, so a worker's state of it may be stale and is then refreshed.",
        ),
    )


def _unsteadiness(found: Outcome, name: str) -> float:
    values = found.figures[name]
    return (max(values) - min(values)) / statistics.median(values)


def _latency(what: str, ours: Served, theirs: Served) -> Line:
    shown = [
        f"{_at(one.took, 50):,.1f} and {_at(one.took, 99):,.1f} ms" for one in (ours, theirs)
    ]
    return Line(what, shown[0], "library, create and save", shown[1])


def _at(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else float("nan")


# --- what is served ------------------------------------------------------------------------------


def _our_clinic(ground: Ground) -> tuple[Settings, dict[str, str], dict[str, tuple[str, ...]]]:
    """A clinic, a nurse's key, and visits that have begun (some for each worker class)."""
    settings = ground.settings("postgresql", "ours")
    migrate(settings)
    services = build_services(settings)
    read_side = build_read_side(settings, services)
    clinic_id = practice.open_clinic(services)
    registry = key_registry(settings, services, read_side)
    key = registry.create_key(registry.create_user("Bench nurse (fictional)"), "nurse", clinics=[clinic_id])
    visits: dict[str, tuple[str, ...]] = {}
    for kind in CLASSES:
        begun = []
        for _ in range(VISITS):
            patient_id = practice.register(services, clinic_id)
            begun.append(str(practice.arrive(services, clinic_id, patient_id).stream_id))
        visits[kind] = tuple(begun)
    read_side.engine.catch_up()
    read_side.close()
    services.close()
    return settings, {"Authorization": f"Bearer {key.text}"}, visits


def _ours(settings: Settings) -> dict[str, str]:
    return {
        "ANODYNE_HOME": str(settings.home), "ANODYNE_DATABASE_URL": str(settings.database_url),
        "ANODYNE_MIGRATION_URL": str(settings.migration_url),
    }


@contextmanager
def _gunicorn(ground: Ground, app: str, worker_class: str, environment: Mapping[str, str]) -> Iterator[int]:
    """gunicorn with our own configuration on a free port, answering."""
    folder = ground.new_folder("gunicorn")
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:api.gunicorn_conf", app], cwd=ROOT,
        stderr=(folder / "log").open("wb"),
        env={
            **os.environ, "ANODYNE_HOME": str(folder), **environment, "ANODYNE_PORT": str(port),
            "ANODYNE_WORKERS": str(WORKERS), "ANODYNE_THREADS": str(THREADS), "ANODYNE_WORKER_CLASS": worker_class,
            "ANODYNE_RATE_LIMIT": "100000000 per minute",
            "ANODYNE_METRICS_DIR": str(folder / "metrics"), "PYTHONPATH": str(ROOT),
        },
    )
    try:
        _wait_until_listening(port, process, folder / "log")
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                time.sleep(2.0)  # the socket listens before the workers have built the application
                return
        time.sleep(0.1)
    raise RuntimeError(log.read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
