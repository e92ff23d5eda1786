"""`anodyne serve`: gunicorn, and with it (embedded) the projection worker, under one small supervisor."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import click

from api.cli.command import settings_of, speaks
from api.cli.output import Failed, Output
from api.mail.senders import sender_of

__all__ = ["COMMANDS"]

GUNICORN = ["-m", "gunicorn", "-c", "python:api.gunicorn_conf", "api.http.app:create_app()"]
WORKER = ["-m", "api.worker"]
READY_WITHIN_S = 60.0
DRAIN_WITHIN_S = 40.0
LONGEST_PAUSE_S = 30.0


@click.command()
@click.option("--host", help="Address to listen on. Default: ANODYNE_HOST, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: ANODYNE_PORT, else 8000.")
@click.option("--workers", type=click.IntRange(1, 64), help="gunicorn processes. Default: ANODYNE_WORKERS, else 2.")
@click.option(
    "--worker/--no-worker", "with_worker", default=None,
    help="Also run the projection worker. Default: yes when embedded, no in production.",
)
@speaks
def serve(
    output: Output, host: str | None, port: int | None, workers: int | None, with_worker: bool | None
) -> None:
    """Serve the API. Embedded, the schema is brought up to date first."""
    settings = settings_of()
    embedded = settings.environment == "embedded"
    host, port = host or settings.host, port or settings.port
    environment = {**os.environ, "ANODYNE_HOST": host, "ANODYNE_PORT": str(port)}
    if workers is not None:
        environment["ANODYNE_WORKERS"] = str(workers)
    _refuse_taken(host, port)
    sender_of(settings, output.note)
    if embedded:
        from api.bootstrap import migrate

        migrate(settings)
    if with_worker is None:
        with_worker = embedded
    if not with_worker:
        os.execve(sys.executable, [sys.executable, *GUNICORN], environment)  # noqa: S606
    sys.exit(Supervisor(environment, output.note).run(f"http://{_shown(host)}:{port}"))


def _shown(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104


def _refuse_taken(host: str, port: int) -> None:
    """A clear sentence now instead of gunicorn's retries. Raises Failed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = f"Choose another: make run PORT={port + 1}, or anodyne serve --port {port + 1}"
            raise Failed(f"cannot listen on {host}:{port}: {error.strerror}", code="port", hint=hint) from None


class Supervisor:
    """Two children: gunicorn, whose end is ours, and the worker, which is started again with growing pauses."""

    def __init__(self, environment: dict[str, str], note: Callable[[str], None]) -> None:
        self._environment = environment
        self._note = note
        self._stopping = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None
        self._worker: subprocess.Popen[bytes] | None = None

    def run(self, url: str) -> int:
        """Until gunicorn ends or we are told to stop; 1 when gunicorn failed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        self._server = self._start(GUNICORN)
        self._worker = self._start(WORKER)
        try:
            self._wait_until_live(url)
            self._watch()
        finally:
            self._stop()
            self._reap()
        return 0 if self._server.returncode in (0, -signal.SIGTERM) else 1

    def _start(self, module: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  our own modules
            [sys.executable, *module], env=self._environment, preexec_fn=_die_with_parent, start_new_session=True
        )

    def _wait_until_live(self, url: str) -> None:
        assert self._server is not None
        until = time.monotonic() + READY_WITHIN_S
        while not self._stopping.is_set() and self._server.poll() is None and time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"{url}/healthz/live", timeout=2):  # noqa: S310  our own
                more = f"sign in there; API documentation: {url}/docs; stop with Ctrl-C"
                self._note(f"\nAnodyne serves at {url}   ({more})")
                return
            time.sleep(0.1)

    def _watch(self) -> None:
        assert self._server is not None
        failures, started = 0, time.monotonic()
        while not self._stopping.is_set() and self._server.poll() is None:
            if self._worker is not None and self._worker.poll() is not None:
                failures = failures + 1 if time.monotonic() - started < LONGEST_PAUSE_S else 1
                pause_s = min(0.5 * 2**failures, LONGEST_PAUSE_S)
                self._note(f"the projection worker ended ({self._worker.returncode}); again in {pause_s:.0f} s")
                if self._stopping.wait(pause_s):
                    return
                self._worker, started = self._start(WORKER), time.monotonic()
            time.sleep(0.2)

    def _stop(self) -> None:
        self._stopping.set()
        for child in (self._server, self._worker):
            if child is not None and child.poll() is None:
                with suppress(ProcessLookupError):
                    child.terminate()

    def _reap(self) -> None:
        until = time.monotonic() + DRAIN_WITHIN_S
        for child in (self._server, self._worker):
            if child is None:
                continue
            try:
                child.wait(max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _die_with_parent() -> None:
    """Linux: the children end when the supervisor is killed with -9, instead of serving on unseen."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)


COMMANDS = {"serve": serve}
