"""A patient answers on an old phone: no script, large type, one question a screen; the score is in the record."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import LOOKS, Served
from tests.browser.support import axe, follow, keep, transferred, watch

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

OLD_PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 480}, "has_touch": True, "java_script_enabled": False}
LARGEST = 15_000


def links(served: Served, count: int) -> list[str]:
    """Paths of links of the demo's patients, as `anodyne demo links` prints them."""
    anodyne = str(Path(sys.executable).parent / "anodyne")
    said = subprocess.run([anodyne, "--json", "demo", "links", "--count", str(count)], env=served.environment,
                          capture_output=True, text=True, check=True)
    return [urlparse(one).path for one in json.loads(said.stdout)["links"]]


@pytest.fixture
def phone(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """A patient's browser, not signed in anywhere."""
    opened: list[BrowserContext] = []

    def open_page(path: str, **options: Any) -> Page:
        context = browser.new_context(base_url=served.address, reduced_motion="reduce", **{**OLD_PHONE, **options})
        opened.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in opened:
        context.close()


def asked(served: Served, path: str) -> Any:
    """The API's answer to the demo's owner."""
    key = (served.home / "demo-key.txt").read_text().strip()
    request = urllib.request.Request(f"{served.address}{path}", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_score_tapped_without_a_script_is_in_the_patients_record(
    served: Served, phone: Callable[..., Page]
) -> None:
    """The whole questionnaire on a phone of 320 by 480 without JavaScript; then the timeline and the diary have it."""
    (path,) = links(served, 1)
    page = phone(path)
    follow(page.get_by_role("button", name="7", exact=True))
    assert page.get_by_role("heading", level=1).inner_text().startswith("How much relief")
    follow(page.get_by_role("button", name="40 %", exact=True))
    for value in ("6", "5", "4"):
        follow(page.get_by_role("button", name=value, exact=True))
    for _ in range(8):
        follow(page.get_by_role("button", name="Several days"))
    assert "better off dead" in page.get_by_role("heading", level=1).inner_text()
    follow(page.get_by_role("button", name="Back"))
    assert "Moving or speaking" in page.get_by_role("heading", level=1).inner_text()
    follow(page.get_by_role("button", name="Several days"))
    follow(page.get_by_role("button", name="Not at all"))
    follow(page.get_by_role("button", name="Yes"))
    follow(page.get_by_role("button", name="Feeling sick"))
    follow(page.get_by_role("button", name="Mild: I noticed it"))
    follow(page.get_by_role("button", name="No", exact=True))
    follow(page.get_by_role("button", name="About a day ago"))
    page.get_by_role("textbox").fill("after the evening meal")
    follow(page.get_by_role("button", name="Send"))
    follow(page.get_by_role("button", name="No", exact=True))
    assert page.get_by_role("heading", level=1).inner_text() == "Thank you."
    patient = _who_said(served, 7)
    timeline = asked(served, f"/v1/patients/{patient}/timeline?order=newest_first&limit=20")["entries"]
    assert "after the evening meal" in json.dumps(timeline), "sealed in the log, opened for the chart"
    (scored,) = [one for one in timeline if one["name"] == "diary.pain_scored.v1" and one["role"] == "patient"][:1]
    assert scored["bearings"]["pain_now"] == 7, "on the curve"
    diary = asked(served, f"/v1/diary/{patient}")["entries"]
    said = [one for one in diary if one["role"] == "patient" and one["actor"] == f"patient:{patient}"][-5:]
    assert [one["event"] for one in said] == [
        "diary.pain_scored.v1", "diary.relief_reported.v1", "diary.function_scored.v1", "diary.mood_scored.v1",
        "diary.side_effect_reported_from_home.v1"]
    assert said[0]["data"]["score"] == 7
    assert said[3]["data"]["items"] == [1, 1, 1, 1, 1, 1, 1, 1, 0]


def _who_said(served: Served, score: int) -> str:
    """The patient of the last pain score in the log."""
    anodyne = str(Path(sys.executable).parent / "anodyne")
    export = served.home / "export.ndjson"
    subprocess.run([anodyne, "audit", "export", "--out", str(export)], env=served.environment, check=True,
                   capture_output=True)
    scores = [one for one in map(json.loads, export.read_text().splitlines()) if one["name"] == "diary.pain_scored.v1"]
    assert scores[-1]["payload"]["score"] == score
    return str(scores[-1]["subject"])


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_every_screen_passes_axe_and_is_small_and_large_typed(
    served: Served, phone: Callable[..., Page], look: str
) -> None:
    """Light and dark, wide and narrow: numbers, words, kinds, note, urgent, thanks, a dead link; screenshots kept."""
    (path,) = links(served, 1)
    page = phone("/p/nothing", **LOOKS[look], java_script_enabled=True)
    seen = watch(page, served.address)
    _judge(page, f"p-{look}-dead")
    page.goto(path)
    _judge(page, f"p-{look}-pain")
    follow(page.get_by_role("button", name="8", exact=True))
    follow(page.get_by_role("button", name="I prefer not to answer"))
    _judge(page, f"p-{look}-peg")
    follow(page.get_by_role("button", name="I prefer not to answer"))
    _judge(page, f"p-{look}-phq9")
    for _ in range(8):
        follow(page.get_by_role("button", name="Not at all"))
    follow(page.get_by_role("button", name="Several days"))
    assert page.get_by_role("heading", level=1).inner_text() == "You are not alone, and help is there now."
    assert page.get_by_role("link", name="988").first.get_attribute("href") == "tel:988"
    _judge(page, f"p-{look}-crisis")
    follow(page.get_by_role("link", name="Go on"))
    follow(page.get_by_role("button", name="Yes"))
    _judge(page, f"p-{look}-kinds")
    follow(page.get_by_role("button", name="Chest pain"))
    assert page.get_by_role("heading", level=1).inner_text() == "This may need help at once."
    _judge(page, f"p-{look}-urgent")
    follow(page.get_by_role("button", name="Go on"))
    _judge(page, f"p-{look}-grade")
    follow(page.get_by_role("button", name="Moderate"))
    _judge(page, f"p-{look}-harm")
    follow(page.get_by_role("button", name="No", exact=True))
    follow(page.get_by_role("button", name="In the last hour"))
    _judge(page, f"p-{look}-note")
    follow(page.get_by_role("button", name="Send"))
    follow(page.get_by_role("button", name="No", exact=True))
    _judge(page, f"p-{look}-thanks")
    assert seen.elsewhere == []


def _judge(page: Page, name: str) -> None:
    assert axe(page) == [], name
    keep(page, name)
    assert transferred(page) < LARGEST, name
    sizes = page.evaluate("""() => ({
        text: parseFloat(getComputedStyle(document.body).fontSize),
        wide: document.documentElement.scrollWidth <= window.innerWidth,
        small: [...document.querySelectorAll('main button, main .button')]
          .filter((one) => one.getBoundingClientRect().height < 44).length})""")
    assert sizes["text"] >= 20, name
    assert sizes["wide"], f"{name} scrolls sideways"
    assert sizes["small"] == 0, f"{name} has a button that is too small for a finger"


def test_it_can_be_answered_by_keyboard_alone(served: Served, phone: Callable[..., Page]) -> None:
    """Tab to the first answer, Enter: the next question."""
    (path,) = links(served, 1)
    page = phone(path, **LOOKS["light"], java_script_enabled=True)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "0":
            break
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('h1').innerText.startsWith('How much relief')")
