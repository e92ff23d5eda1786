"""`anodyne serve` as processes: it serves, mends its worker, drains, and leaves nobody behind when it is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

ANODYNE = Path(sys.executable).parent / "anodyne"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(what: Callable[[], bool], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


@dataclass
class Served:
    home: Path
    port: int
    process: subprocess.Popen[bytes]

    def answers(self, path: str) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def children(self, what: str) -> set[int]:
        """Processes of this installation (by its home, in their environment) whose command says `what`."""
        found = set()
        for folder in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                environment = (folder / "environ").read_bytes()
                if f"ANODYNE_HOME={self.home}".encode() in environment and (
                        what.encode() in (folder / "cmdline").read_bytes()):
                    found.add(int(folder.name))
        return found

    @property
    def said(self) -> str:
        return (self.home.parent / "serve.log").read_text()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    port, home = free_port(), tmp_path / "home"
    log = (tmp_path / "serve.log").open("wb")
    process = subprocess.Popen(
        [str(ANODYNE), "serve", "--port", str(port), "--workers", "1"], stdout=log, stderr=log,
        env={**os.environ, "ANODYNE_HOME": str(home), "ANODYNE_ENVIRONMENT": "embedded"})
    made = Served(home, port, process)
    yield made
    process.kill()
    process.wait()
    for pid in made.children("api."):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_an_empty_home_is_migrated_served_mended_and_drained(served: Served) -> None:
    assert eventually(lambda: served.answers("/healthz/ready")), served.said
    assert served.answers("/docs/")
    (worker,) = served.children("api.worker")
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: bool(served.children("api.worker") - {worker})), "the worker is started again"
    assert served.answers("/healthz/live"), "meanwhile the API serves on"
    served.process.terminate()
    assert served.process.wait(40) == 0
    assert served.children("api.") == set()


def test_killed_with_9_it_leaves_no_server_behind(served: Served) -> None:
    assert eventually(lambda: served.answers("/healthz/live")), served.said
    served.process.kill()
    served.process.wait()
    assert eventually(lambda: not served.children("api.")), "orphans would go on serving unseen"


def test_a_port_that_is_taken_is_said_at_once(served: Served) -> None:
    assert eventually(lambda: served.answers("/healthz/live")), served.said
    again = subprocess.run(
        [str(ANODYNE), "serve", "--port", str(served.port)], capture_output=True, text=True, timeout=30,
        env={**os.environ, "ANODYNE_HOME": str(served.home)})
    assert again.returncode == 1
    assert f"--port {served.port + 1}" in again.stderr
