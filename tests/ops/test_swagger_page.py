"""The API's documentation page as a browser shows it: under its own content policy, with nothing from elsewhere."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.browser


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "ANODYNE_HOME": str(tmp_path / "home"), "ANODYNE_WORKERS": "1"}
    anodyne = str(Path(sys.executable).parent / "anodyne")
    subprocess.run([anodyne, "db", "migrate"], env=environment, check=True, capture_output=True)
    process = subprocess.Popen(
        [anodyne, "serve", "--no-worker", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/live", timeout=2):
            break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(40)


def test_swagger_shows_every_resource_and_asks_nobody_else(page: Page, address: str) -> None:
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/docs")
    page.wait_for_selector(".opblock-tag-section", timeout=20_000)
    shown = page.inner_text("body")
    for resource in ("clinics", "patients", "courses", "appointments", "infusions", "diary", "dashboards", "events"):
        assert resource in shown.lower(), resource
    assert complaints == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
