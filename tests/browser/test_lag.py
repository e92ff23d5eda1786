"""The banner that says how far the figures are behind, over a worker that stands still."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from api.web.page import LAG_TOLD_SECONDS
from tests.browser.conftest import Served
from tests.browser.states import asked, log
from tests.browser.test_alerts import COUNT

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

WITHIN_S = 10.0


@contextmanager
def standing_still(served: Served) -> Iterator[Callable[[], None]]:
    """Stops the projection worker; what it gives lets it go on, as the block's end does."""
    children = Path(f"/proc/{served.supervisor}/task/{served.supervisor}/children").read_text().split()
    (worker,) = (
        int(each) for each in children if b"api.worker" in Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")
    )
    os.kill(worker, signal.SIGSTOP)
    try:
        yield lambda: os.kill(worker, signal.SIGCONT)
    finally:
        os.kill(worker, signal.SIGCONT)


def enter(served: Served) -> None:
    """One event by the API: a patient's weight."""
    ((patient,),) = log(served, "SELECT subject FROM care_events WHERE name = 'diary.pain_scored.v1' LIMIT 1")
    request = urllib.request.Request(
        f"{served.address}/v1/diary/{patient}/weight", data=json.dumps({"weight_kg": "81.5"}).encode(), method="POST",
        headers={"Authorization": f"Bearer {(served.home / 'demo-key.txt').read_text().strip()}",
                 "Content-Type": "application/json", "Idempotency-Key": str(uuid4())})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


def behind(served: Served) -> int:
    """How many events the slowest view is behind the log."""
    return max(one["lag_events"] for one in asked(served, "/v1/projections")["projections"])


def until(page: Page, reached: Callable[[], bool]) -> None:
    """Looks again and again, as the open page does by itself every ten seconds."""
    ends = time.monotonic() + WITHIN_S
    while not reached():
        assert time.monotonic() < ends, page.locator("body").inner_text()[:500]
        page.wait_for_timeout(250)
        page.evaluate(COUNT)


def test_figures_that_are_behind_say_so_and_stop_saying_so(served: Served, open_as: Callable[..., Page]) -> None:
    """Given a worker that stands still, an entry shows in no view: from five seconds on the open page and the next
    one say how old it is; once the worker goes on, neither does."""
    page = open_as("manager", "/glossary")
    banner = page.locator("#lag .banner")
    until(page, lambda: behind(served) == 0)
    expect(banner).to_have_count(0)
    with standing_still(served) as go_on:
        began = time.monotonic()
        enter(served)
        page.goto("/glossary")
        expect(banner).to_have_count(0)
        assert behind(served) > 0
        until(page, lambda: banner.count() == 1)
        assert time.monotonic() - began > LAG_TOLD_SECONDS
        page.goto("/boosters")
        expect(banner).to_contain_text("s behind.")
        go_on()
        until(page, lambda: banner.count() == 0)
    assert behind(served) == 0
    page.goto("/boosters")
    expect(banner).to_have_count(0)
