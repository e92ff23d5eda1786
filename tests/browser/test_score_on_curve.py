"""A patient-reported score arrives on the curve: tapped on a phone, seen by the nurse on the patient's page."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlparse
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served
from tests.browser.support import drawn, follow, keep

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

POINTS = "figure[data-chart=course] svg .pain_pathgroup + .mark-symbol path"
ROWS = "figure[data-chart=course] details.data tbody tr"


def _somebody(served: Served) -> str:
    """A patient with infusions, at the clinic of the demo's nurse, whose whole course fits the page's table."""
    with sqlite3.connect(f"file:{served.home}/log.sqlite3?mode=ro", uri=True) as log:
        named = "SELECT stream_id FROM care_events WHERE name = 'clinic.opened.v1' AND payload LIKE '%Harbor%'"
        events = "name IN ('diary.pain_scored.v1', 'infusion.given.v1')"
        asked = f"SELECT name, subject FROM care_events WHERE {events} AND clinic_id = ({named})"
        counted = Counter((name, subject) for name, subject in log.execute(asked))
    given = {who: many for (name, who), many in counted.items() if name == "infusion.given.v1"}
    fits = [who for who in given if 10 < counted["diary.pain_scored.v1", who] < 60]
    return str(max(sorted(fits), key=lambda who: given[who]))


def _link(served: Served, patient: str) -> str:
    """The address of a link that asks this patient for pain, as the desk makes it."""
    key = (served.home / "demo-key.txt").read_text().strip()
    request = urllib.request.Request(
        f"{served.address}/v1/diary/{patient}/links", data=json.dumps({"asks": ["nrs"]}).encode(), method="POST",
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json",
                 "Idempotency-Key": str(uuid4())})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return urlparse(json.load(answer)["url"]).path


def _told_at_the_end(page: Page) -> str:
    """What the chart says of its latest pain score when a person points at it."""
    page.locator(POINTS).last.hover()
    return page.locator(".chart-tip").inner_text()


def test_a_score_from_home_is_a_new_point_of_the_curve(
    served: Served, open_as: Callable[..., Page], browser: Browser
) -> None:
    """Given the nurse's page of a patient, when the patient answers a link elsewhere, then, loaded again, the curve
    has one point more, it says the score, the summary and the data's table say it too, and its row opens the event."""
    patient = _somebody(served)
    page = open_as("nurse", f"/patients/{patient}")
    drawn(page)
    points, rows = page.locator(POINTS).count(), page.locator(ROWS).count()
    told = _told_at_the_end(page)
    assert points > 3 and rows > points
    score = 9 if "Score: 9 " not in told else 8
    phone = browser.new_context(base_url=served.address, viewport={"width": 320, "height": 480})
    home = phone.new_page()
    home.goto(_link(served, patient))
    follow(home.get_by_role("button", name=str(score), exact=True))
    phone.close()
    page.reload()
    drawn(page)
    expect(page.locator(POINTS)).to_have_count(points + 1)
    assert f"Score: {score} of 10" in _told_at_the_end(page)
    expect(page.locator("#says-course")).to_contain_text(f"the last score was {score} of 10")
    page.locator("figure[data-chart=course] details.data summary").click()
    expect(page.locator(ROWS)).to_have_count(rows + 1)
    pain = page.locator(ROWS, has_text="Pain (now)").last
    assert pain.locator("td").nth(1).inner_text() == str(score)
    keep(page, "a score from home on the curve")
    follow(pain.get_by_role("link"))
    expect(page.locator("main")).to_contain_text("Pain scored")
    expect(page.locator("main")).to_contain_text("patient")
