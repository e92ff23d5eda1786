"""What every browser test asks of a page: nothing complained, nothing asked elsewhere, axe finds nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

ROOT = Path(__file__).parents[2]
AXE = Path(__file__).parent / "vendored" / "axe.min.js"
SCREENSHOTS = ROOT / "artifacts" / "screenshots"

VIOLATIONS = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.__violations.push(`${event.violatedDirective} refused ${event.blockedURI} ${event.sample}`);
});
"""


@dataclass
class Watch:
    """What a page did while it was watched."""

    home: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    transferred: int = 0

    def found(self, page: Page) -> list[str]:
        """Everything that should not have been: console errors, refused by the policy, requests to others."""
        refused: list[str] = page.evaluate("window.__violations || []")
        return [*self.complaints, *refused, *(f"asked {url}" for url in self.elsewhere)]


def watch(page: Page, home: str) -> Watch:
    """Watches `page` from now on. `home` is our own address."""
    seen = Watch(home)
    page.add_init_script(VIOLATIONS)
    page.on("console", lambda message: seen.complaints.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.complaints.append(f"script: {error}"))
    page.on("request", lambda request: seen.elsewhere.append(request.url)
            if not request.url.startswith((home, "data:", "blob:")) else None)
    return seen


def follow(control: Locator) -> None:
    """Clicks a link or a form's button and waits until the page that answers is loaded.

    A bare click waits for a navigation only if the browser announces it in time, which a busy machine's does not.
    """
    with control.page.expect_navigation():
        control.click()


def axe(page: Page) -> list[str]:
    """axe-core's violations of WCAG 2.2 A and AA and of good practice, each in a line; empty is right.

    Run in the page by the debugger's own way in, which no content policy stops.
    """
    page.evaluate(AXE.read_text())
    result: dict[str, Any] = page.evaluate(
        "() => axe.run(document, {resultTypes: ['violations'], runOnly: "
        "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']})"
    )
    return [
        f"{one['id']}: {one['help']} at {', '.join(' '.join(map(str, node['target'])) for node in one['nodes'][:3])}"
        f" ({(one['nodes'][0].get('failureSummary') or '').splitlines()[-1].strip()})"
        for one in result["violations"]
    ]


def drawn(page: Page) -> None:
    """Waits until every chart of the page is drawn."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('figure.chart')].every((one) => one.dataset.drawn)", timeout=15_000
    )


def keep(page: Page, name: str) -> None:
    """Keeps a screenshot of the whole page for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.png", full_page=True)


def transferred(page: Page) -> int:
    """Bytes that came over the wire for this page, headers left out."""
    sizes = page.evaluate(
        "() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map((one) => one.transferSize)"
    )
    total: int = sum(json.loads(json.dumps(sizes)))
    return total
