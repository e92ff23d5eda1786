"""Every figure that a page prints is the one that the API gives for the address that it opens.

What is printed is read back as a person reads it (spaces in thousands, per cent, hours for many minutes, `3 of 7` for
few) and compared with the API's number to the last printed digit: nothing of the product writes or reads it here. The
API's numbers are compared with the recount elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.recount.asking import Asked, Question
from tests.recount.test_demo import END, QUARTER

pytestmark = pytest.mark.xdist_group("recount")

TILE = re.compile(r'<article class="figure">(.*?)</article>', re.S)
VALUE = re.compile(r'class="figure-value[^"]*">(.*?)</p>', re.S)
OPENS = re.compile(r'<a href="(/rows/[^"]+)">(.*?)</a>', re.S)
CELL = re.compile(
    r'<td[^>]*>(?:<span class="mark[^"]*">)?<a href="(/rows/[^"]+)">([^<]*)</a>(?:</span>)?'
    r'(?:<span class="cell-note">([^<]*)</span>)?', re.S)
PAGES = {"utilization": 20, "outcomes": 30, "safety": 25, "boosters": 3, "today": 1, "funnel": 20, "clinics": 30}
"""By page, how many figures it prints at least in the demo's last quarter."""


@dataclass(frozen=True)
class Printed:
    """A figure on a page: where it opens, what it says, and how many rows or what n stand with it."""

    href: str
    said: str
    rows: int | None = None
    n: int | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        """Dashboard, question, path."""
        parts = urlsplit(self.href)
        asked = dict(parse_qsl(parts.query))
        path = asked.pop("figure")
        asked.pop("which", None)
        return parts.path.removeprefix("/rows/"), urlencode(asked), path


def plain(html: str) -> str:
    """The text, with ordinary spaces and minus."""
    text = unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u2212", "-").replace("\u2009", "").replace("\u00a0", " ")
    return " ".join(text.split())


def printed(html: str) -> Iterator[Printed]:
    """Figures of tiles and of tables that open into rows."""
    for tile in TILE.findall(html):
        value, opens = VALUE.search(tile), OPENS.search(tile)
        if value and opens:
            many = re.match(r"([\d,]+) row", plain(opens[2]).replace(" ", " "))
            yield Printed(unescape(opens[1]), plain(value[1]), int(many[1].replace(",", "")) if many else None)
    for href, said, note in CELL.findall(html):
        few = re.fullmatch(r"n ([\d,]+)", plain(note))
        yield Printed(unescape(href), plain(said), n=int(few[1].replace(",", "")) if few else None)


def agrees(one: Printed, figure: dict[str, Any]) -> bool:
    """Whether what is printed says the figure."""
    value = figure["median"] if "median" in figure else figure["value"]
    few = re.match(r"([\d,]+) of ([\d,]+)$", one.said)
    if few is not None:
        return (int(few[1]), int(few[2])) == (figure["numerator"], figure["denominator"])
    if value is None:
        return not re.search(r"\d", one.said)
    clock = re.fullmatch(r"(\d+) h (\d\d) min", one.said)
    if clock is not None:
        return figure["unit"] == "days" and abs(int(clock[1]) * 60 + int(clock[2]) - value * 1440) <= 0.5
    number = re.match(r"-?\d+(?:,\d{3})*(?:\.(\d+))?", one.said)
    if number is None:
        return False
    shown, unit = float(number[0].replace(",", "")), one.said[number.end():].strip()
    if figure["unit"] == "share":
        value *= 100
    elif figure["unit"] == "minutes" and unit.startswith("h"):
        value /= 60
    return abs(shown - value) <= 0.5 * 10.0 ** -len(number[1] or "") + 1e-9


def by_path(shown: Any) -> dict[str, dict[str, Any]]:
    """The API's figures by the path in the address of their rows."""
    if isinstance(shown, dict) and "metric" in shown:
        return {dict(parse_qsl(urlsplit(shown["rows"]["href"]).query))["figure"]: shown}
    inner = shown.values() if isinstance(shown, dict) else shown if isinstance(shown, list) else ()
    return {path: figure for one in inner for path, figure in by_path(one).items()}


@pytest.fixture(scope="module")
def figure(demo: Asked) -> Callable[[Printed], dict[str, Any] | None]:
    """The API's figure for one that is printed."""
    asked: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def found(one: Printed) -> dict[str, Any] | None:
        dashboard, question, path = one.place
        if (dashboard, question) not in asked:
            key = {"Authorization": f"Bearer {demo.key}"}
            answer = demo.client.get(f"/v1/dashboards/{dashboard}?{question}", headers=key)
            assert answer.status_code == 200, answer.text
            asked[dashboard, question] = by_path(answer.get_json()["figures"])
        return asked[dashboard, question].get(path)

    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_printed_figure_is_the_apis(
    demo: Asked, figure: Callable[[Printed], dict[str, Any] | None], name: str
) -> None:
    """Value as printed, n, and how many rows; tiles and tables, for the address that each opens."""
    question = Question(*QUARTER, END)
    answer = demo.browser().get(f"/{name}?{question.query()}")
    assert answer.status_code == 200, answer.text[:500]
    every, wrong, counts = list(printed(answer.text)), [], 0
    for one in every:
        given = figure(one)
        if given is None:
            wrong.append(f"{one.place}: the API has no such figure")
        elif (one.rows or given["rows"]["count"], one.n or given["n"]) != (given["rows"]["count"], given["n"]):
            wrong.append(f"{one.place[2]}: printed {one}, given {given}")
        elif one.said in (str(given["rows"]["count"]), f"{given.get('numerator') or 0:.0f}"):
            counts += 1  # a table that says how many, or how many minutes, and opens them
        elif not agrees(one, given):
            wrong.append(f"{one.place[2]}: printed {one.said}, given {given}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(every)}", *wrong[:20]])
    assert len(every) - counts >= PAGES[name], (len(every), counts)


def test_a_wrong_figure_would_be_told() -> None:
    """The comparison's own control."""
    days = {"unit": "days", "value": 0.25}
    assert agrees(Printed("", "6 h 00 min"), days) and not agrees(Printed("", "6 h 01 min"), days)
    share = {"unit": "share", "value": 0.12345, "numerator": 10, "denominator": 81}
    assert agrees(Printed("", "12.3 %"), share)
    assert not agrees(Printed("", "12.4 %"), share)
    assert not agrees(Printed("", "3 of 7"), {**share, "value": None})
    assert not agrees(Printed("", "12 min"), {"unit": "minutes", "median": 13.2})
    assert not agrees(Printed("", "0.0 %"), {**share, "value": None})
