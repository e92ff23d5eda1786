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
from tests.browser.states import log, most_infused

PAGES = (
    "/today", "/alerts", "/clinics", "/utilization", "/outcomes", "/safety", "/boosters", "/funnel", "/glossary",
    "/rows/safety?figure=any_side_effect",
)  # fmt: skip
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
        state = sign_in(browser, served, "owner")
        pages = {path: path for path in PAGES} | _of_things(served)
        for _ in range(max(rounds, 5)):
            for name, path in pages.items():
                measured.setdefault(name, []).append(_load(browser, served, state, path))
    lines = [line for name in pages for line in _lines(name, measured[name])]
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
    answer = page.goto(path, wait_until="load")
    assert answer, path
    assert answer.ok, (path, answer.status)
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    found: dict[str, float] = page.evaluate(CONTENT)
    context.close()
    return found


def _of_things(served: Served) -> dict[str, str]:
    """Pages of one thing, by what they show: the patient with the longest course, its last event, a day and a week."""
    patient, infusions = most_infused(served)
    given = f"name = 'infusion.given.v1' AND subject = '{patient}'"
    ((clinic, position),) = log(served, f"SELECT clinic_id, max(position) FROM care_events WHERE {given}")
    return {
        f"a patient with {infusions} infusions": f"/patients/{patient}", "an event": f"/events/{position}",
        "a day of the schedule": f"/schedule/{clinic}/2026-11-19",
        "a week of the schedule": f"/schedule/{clinic}/week/2026-11-19",
    }  # fmt: skip


@contextmanager
def _chromium() -> Iterator[Browser]:
    found = subprocess.run([Path(ROOT) / "scripts/find-chromium"], capture_output=True, text=True, check=True)
    arguments = ["--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=arguments)
        yield browser
        browser.close()
