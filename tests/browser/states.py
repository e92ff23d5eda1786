"""Addresses of pages in states that a visit just now does not show: busy, past, empty, thin, refused, long."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from api.home.links import Tokens
from api.settings import Settings
from tests.browser.conftest import Served

LOOKED_AT = 24
"""Moments of the demo among which the most eventful is looked for."""


def log(served: Served, query: str) -> list[tuple[Any, ...]]:
    """Straight from the log's file: nothing of ours in between."""
    with sqlite3.connect(f"file:{served.home}/log.sqlite3?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


def asked(served: Served, path: str) -> Any:
    """The API's answer to the demo's owner."""
    key = (served.home / "demo-key.txt").read_text().strip()
    request = urllib.request.Request(f"{served.address}{path}", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def eventful(served: Served) -> str:
    """A moment at which many are in the house and as many kinds of things as possible call for somebody."""
    starts = sorted(
        datetime.fromisoformat(json.loads(payload)["occurred_at"])
        for (payload,) in log(served, "SELECT payload FROM care_events WHERE name = 'infusion.started.v1'")
    )
    late = timedelta(minutes=24)
    moments = [quote((at + late).isoformat()) for at in starts[:: max(1, len(starts) // LOOKED_AT)]]

    def calls(moment: str) -> tuple[int, float]:
        together = asked(served, f"/v1/dashboards/operations?as_of={moment}")["figures"]["together"]
        flags = ("watch_overdue", "driver_needed", "alerts_open", "orders_open", "waiting_for_room", "arrivals_late")
        return sum(bool(together[flag]["value"]) for flag in flags), together["patients_in"]["value"]

    best = max(moments, key=calls)
    found, inside = calls(best)
    assert found >= 2 and inside >= 1, "the demo is never busy"
    return best


def most_infused(served: Served) -> tuple[str, int]:
    """The patient with most infusions that stand, and how many."""
    struck = {
        (stream, json.loads(payload)["entry"])
        for stream, payload in log(served, "SELECT stream_id, payload FROM care_events WHERE name = 'entry.struck.v1'")
    }
    given = Counter(
        str(subject) for stream, version, subject
        in log(served, "SELECT stream_id, version, subject FROM care_events WHERE name = 'infusion.given.v1'")
        if (stream, version) not in struck
    )  # fmt: skip
    return max(sorted(given.items()), key=lambda one: one[1])


def _amendment(served: Served) -> int:
    """The position of an entry that amends another."""
    query = "SELECT position FROM care_events WHERE name = 'entry.amended.v1' ORDER BY position LIMIT 1"
    ((position,),) = log(served, query)
    return int(position)


def _stop_link(served: Served) -> str:
    """The address in a weekly letter by which its reader ends it."""
    ((reader,), *_) = _views(served, "SELECT reader_id FROM ops_digest_readers")
    return f"/digest/stop/{Tokens(Settings(home=served.home).secret(), 'digest').of(UUID(reader))}"


def _views(served: Served, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{served.home}/views.sqlite3?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


def other_states(served: Served) -> dict[str, tuple[str, str]]:
    """By name: the address, and words by which one knows that the page is in this state."""
    thin = "from=2026-08-24&to=2026-09-10&as_of=2026-09-20T12:00:00Z&known_at=2026-08-30T00:00:00Z"
    busy, (patient, infusions) = eventful(served), most_infused(served)
    assert infusions >= 5
    return {
        "today busy": (f"/today?as_of={busy}", "in use"),
        "utilization in the past": (
            "/utilization?as_of=2026-09-01T12:00:00Z&known_at=2026-09-01T12:00:00Z", "You look at the past"),
        "utilization of nothing": ("/utilization?from=2026-01-05&to=2026-01-11", "No "),
        "outcomes of nothing": ("/outcomes?from=2026-01-05&to=2026-01-11", "No infusion in this period"),
        "outcomes with thin follow-up": (f"/outcomes?{thin}", "Follow-up is thin."),
        "rows in the numerator": ("/rows/safety?figure=any_side_effect&which=counted", "In the numerator"),
        "rows of nothing": (
            "/rows/safety?figure=any_side_effect&from=2026-01-05&to=2026-01-11", "No fact stands behind"),
        "event that amends": (f"/events/{_amendment(served)}", "Entry amended"),
        "patient with a long course": (f"/patients/{patient}", f"{infusions} infusions"),
        "patient in the past": (f"/patients/{patient}?as_of={busy}", "You look at the past"),
        "error 404": ("/nowhere", "Nothing here"),
        "error 422": ("/utilization?from=yesterday", "This cannot be"),
        "digest stop asks": (_stop_link(served), "Stop the weekly digest?"),
        "digest stop unknown": ("/digest/stop/nothing", "This link does not work."),
    }  # fmt: skip
