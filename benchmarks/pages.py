"""Pages in Chromium: how long until a person sees what they came for, and how much came over the wire for it."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.places import Ground
from benchmarks.report import Line, Part
from benchmarks.tasks import ROOT
from tests.browser.conftest import Served, serving, sign_in

PAGES = ("/today", "/clinics", "/utilization", "/outcomes", "/safety", "/boosters", "/funnel", "/glossary")
CONTENT_BAR_MS, SIZE_BAR = 1_000, 600_000

CONTENT = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const loaded = performance.getEntriesByType("navigation")[0];
  const all = [loaded, ...performance.getEntriesByType("resource")];
  return {painted: paint ? paint.startTime : null, parsed: loaded.domInteractive, answered: loaded.responseEnd,
          bytes: all.reduce((sum, one) => sum + one.transferSize, 0)};
}"""


def run(ground: Ground, rounds: int, quick: bool) -> Part:
    """Each page in a browser that has never been here, in turn, over the demo served as customers serve it."""
    home = ground.folder / "pages"
    measured: dict[str, list[dict[str, float]]] = {}
    with serving(home, scale="1") as served, _chromium() as browser:
        state = sign_in(browser, served, "manager")
        there = [path for path in PAGES if _status(browser, served, state, path) == 200]
        for _ in range(max(rounds, 5)):
            for path in there:
                measured.setdefault(path, []).append(_load(browser, served, state, path))
    lines = [line for path in there for line in _lines(path, measured[path])]
    return Part(
        name="pages", title="Pages in a browser", lines=lines,
        about="First visit with an empty cache, system Chromium on the same machine as the server (two gunicorn "
              "workers, SQLite, the whole demo). Content: first contentful paint or the document parsed, whichever is "
              "later; the page's tables are in the document, charts are drawn after.",
        notes=["Beside it the time until the document had arrived: what the server and the wire took of it."],
    )  # fmt: skip


def _lines(path: str, loads: list[dict[str, float]]) -> Iterator[Line]:
    content = [max(one["painted"], one["parsed"]) for one in loads]
    size = max(one["bytes"] for one in loads)
    middle = statistics.median(content)
    arrived = statistics.median(one["answered"] for one in loads)
    yield Line(
        what=f"{path}: content", ours=f"{middle:,.0f} ms ({min(content):,.0f} to {max(content):,.0f})",
        peer="document", theirs=f"{arrived:,.0f} ms", bar=f"< {CONTENT_BAR_MS:,} ms", met=middle < CONTENT_BAR_MS,
    )
    yield Line(
        what=f"{path}: transferred", ours=f"{size / 1000:,.0f} kB", bar=f"< {SIZE_BAR // 1000} kB", met=size < SIZE_BAR
    )


def _load(browser: Browser, served: Served, state: Any, path: str) -> dict[str, float]:
    context = browser.new_context(base_url=served.address, storage_state=state)
    page = context.new_page()
    page.goto(path, wait_until="load")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    found: dict[str, float] = page.evaluate(CONTENT)
    context.close()
    return found


def _status(browser: Browser, served: Served, state: Any, path: str) -> int:
    context = browser.new_context(base_url=served.address, storage_state=state)
    status: int = context.request.get(path).status
    context.close()
    return status


@contextmanager
def _chromium() -> Iterator[Browser]:
    found = subprocess.run([Path(ROOT) / "scripts/find-chromium"], capture_output=True, text=True, check=True)
    arguments = ["--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=arguments)
        yield browser
        browser.close()
