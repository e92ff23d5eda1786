"""Every table of every dashboard as a download: one rectangle, one value a cell, numbers that are numbers."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from uuid import uuid4

import pytest

from api.http import examples as ex
from tests.api.story import ENDPOINTS
from tests.api.world import PERIOD, World
from tests.web.test_alerts_and_digest import raise_alert

DASHBOARDS = ("clinics", "utilization", "outcomes", "safety", "funnel", "today", "patients", "patient")
PACKED = re.compile(r"[0-9.]+ of [0-9.]+|[0-9]+/[0-9]+|[0-9].* · |; |[0-9.]+ to [0-9]|^[0-9.]+ ?%$")
"""Several numbers in one cell, or a number with its unit."""
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?")
PROSE = frozenset({"Why then", "Value", "Asked", "When", "Infusions so far"})
"""Columns of sentences and of bands' names."""


def _tables(lived: World, page: str) -> dict[str, list[list[str]]]:
    """Every table that the page offers as CSV, by name: titles first."""
    browser = lived.browser("prescriber" if page == "patient" else "manager", "A")
    path = f"/patients/{lived.ids[ex.PATIENT]}" if page == "patient" else f"/{page}?{PERIOD}"
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    found = {}
    for link in re.findall(r'<a class="csv" href="([^"]+)"', answer.text):
        download = browser.get(unescape(link))
        assert (download.status_code, download.mimetype) == (200, "text/csv"), link
        name = re.search(r"table=([^&]+)", unescape(link))
        assert name is not None
        found[name.group(1)] = list(csv.reader(io.StringIO(download.text, newline=""), strict=True))
    return found


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_every_table_is_one_rectangle_with_a_value_in_a_cell(lived: World, dashboard: str) -> None:
    """Titles differ, rows are as long as they; no cell holds two numbers or a unit, and a column of numbers has no
    words in it."""
    raise_alert(lived)
    tables = _tables(lived, dashboard)
    assert tables
    for name, (titles, *rows) in tables.items():
        assert len(set(titles)) == len(titles) and all(titles), (dashboard, name)
        assert rows and {len(row) for row in rows} == {len(titles)}, (dashboard, name)
        for title, column in zip(titles, zip(*rows, strict=True), strict=True):
            if title not in PROSE:
                assert not [one for one in column if PACKED.search(one)], (dashboard, name, title, column)
            numbers = [one for one in column if NUMBER.fullmatch(one)]
            if numbers and title not in ("Group", "Id"):
                assert len(numbers) == len([one for one in column if one]), (dashboard, name, title, column)


@pytest.mark.parametrize(("dashboard", "table", "column"), [
    ("clinics", "clinics", "No-show rate"), ("outcomes", "groups", "Infusions: fall of 30 %"),
    ("outcomes", "responders", "Share"),
    ("funnel", "rates", "Within 30 days"), ("safety", "kinds", "Of infusions"), ("utilization", "days", "Actual"),
])  # fmt: skip
def test_a_figure_has_what_it_rests_on_beside_it(lived: World, dashboard: str, table: str, column: str) -> None:
    """Numerator, denominator, n and both ends of the interval, under the figure's name."""
    titles, *rows = _tables(lived, dashboard)[table]
    at = titles.index(column)
    assert titles[at + 1 : at + 6] == [
        f"{column}: {part}" for part in ("numerator", "denominator", "n", "95 % low", "95 % high")
    ]
    assert any(row[at + 2] for row in rows), "a denominator somewhere"
    for row in rows:
        if row[at] and row[at + 2]:
            assert float(row[at]) == pytest.approx(float(row[at + 1]) / float(row[at + 2]))


def test_a_week_of_the_funnel_is_three_counts(lived: World) -> None:
    """Reached, ended before, still open: columns that add up to those referred, and nothing like a date."""
    titles, *rows = _tables(lived, "funnel")["weeks"]
    at = titles.index("Consultation")
    assert titles[at : at + 3] == ["Consultation", "Consultation: ended before", "Consultation: still open"]
    for row in rows:
        assert sum(int(one) for one in row[at : at + 3]) == int(row[titles.index("Referred")])


def test_everybody_leaves_in_one_csv(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more patients than a page, the CSV has them all; what was searched for has none, since a name stands in no
    address."""
    for name in ("Example", "Beispiel"):
        body = {**lived.real(dict(ENDPOINTS["patients.register"].example)), "family_name": name}
        made = lived.post("/v1/patients", body, key=lived.keys["front_desk", "A"], idempotency_key=str(uuid4()))
        assert made.status_code == 201, made.text
    lived.caught_up()
    titles, *rows = _tables(lived, "patients")["patients"]
    everybody = {row[titles.index("Id")] for row in rows}
    monkeypatch.setattr("api.web.patients.PAGE", 1)
    monkeypatch.setattr("api.web.patients.CHUNK", 1)
    again = _tables(lived, "patients")["patients"][1:]
    assert len(everybody) > 2 and {row[titles.index("Id")] for row in again} == everybody and len(again) == len(rows)
