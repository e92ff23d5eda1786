"""A demo organisation, served as a customer would serve it, and Chromium signed in by the form in each role."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.support import SCREENSHOTS

SCALE = "0.25"
READY_WITHIN_S = 120


@dataclass(frozen=True)
class Served:
    """A running Anodyne: where, over which home, the password of the demo's people, and the supervisor's process."""

    address: str
    home: Path
    password: str
    environment: dict[str, str]
    supervisor: int


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(home: Path, *, scale: str = SCALE, **settings: str) -> Iterator[Served]:
    """Loads the demo into an empty place and serves it with gunicorn and the worker, until the block ends."""
    anodyne = str(Path(sys.executable).parent / "anodyne")
    environment = {
        **os.environ, "ANODYNE_HOME": str(home), "ANODYNE_WORKERS": "2", "ANODYNE_LOG_LEVEL": "WARNING",
        "ANODYNE_SIGN_IN_LIMIT": "1000 per minute", **settings,
    }  # fmt: skip
    loaded = subprocess.run(
        [anodyne, "demo", "load", "--scale", scale], env=environment, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    address = f"http://127.0.0.1:{_free_port()}"
    log = home / "serve.log"
    with log.open("wb") as out:
        command = [anodyne, "serve", "--worker", "--port", address.rpartition(":")[2]]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        _wait_until_ready(address, log)
        yield Served(address, home, (home / "demo-password.txt").read_text().strip(), environment, process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(address: str, log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"{address}/healthz/ready", timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError(f"not ready after {READY_WITHIN_S} s: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session", autouse=True)
def only_this_runs_screenshots() -> None:
    """A page that is gone leaves no picture of an earlier run behind."""
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo on SQLite, loaded once for all browser tests."""
    with serving(tmp_path_factory.mktemp("served") / "home") as running:
        yield running


@pytest.fixture(scope="session")
def signed_in(served: Served, browser: Browser) -> Callable[[str], Any]:
    """From a role to the state of a browser in which the demo's person of that role has signed in by the form."""
    states: dict[str, Any] = {}

    def state(role: str) -> Any:
        if role not in states:
            states[role] = sign_in(browser, served, role)
        return states[role]

    return state


def sign_in(browser: Browser, served: Served, role: str) -> Any:
    """Signs in by the form, in a fresh browser; its cookies."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{served.address}/sign-in")
    page.get_by_label("Name").fill(role.replace("_", " "))
    page.get_by_label("Password").fill(served.password)
    page.get_by_role("button", name=re.compile("sign in", re.I)).click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    found = context.storage_state()
    context.close()
    return found


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1360, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1360, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "has_touch": True},
    "phone-dark": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}, "has_touch": True},
}


@pytest.fixture
def open_as(
    browser: Browser, served: Served, signed_in: Callable[[str], Any]
) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser of its own, signed in as the demo's person of a role."""
    contexts: list[BrowserContext] = []

    def open_page(role: str | None = "manager", path: str = "/", look: str = "light", **options: Any) -> Page:
        context = browser.new_context(
            base_url=served.address, storage_state=signed_in(role) if role else None, reduced_motion="reduce",
            **{**LOOKS[look], **options},
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
