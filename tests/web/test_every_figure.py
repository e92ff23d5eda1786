"""Every dashboard as it is served: each figure has its definition on hover and, with a value, a way to its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from api.reports import DASHBOARDS, NAMES_PATIENTS
from tests.api.world import PERIOD, World

PAGES = ("today", "boosters", "clinics", "utilization", "outcomes", "safety", "funnel")
VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})
ROWS = re.compile(r"^/(rows|events|patients|schedule)/")

NO_DEFINITION = {
    ("outcomes", "figures"): "each line has its own",
    ("safety", "work"): "a work list: each line is an entry",
    ("safety", "breached"): "a work list: each line is an entry",
    ("safety", "breaches"): "the first line of each kind has it",
    ("safety", "near-misses"): "the first line of each kind has it",
    ("today", "rooms"): "the board as a table: rooms and patients, no figures",
    ("today", "expected"): "a list of bookings",
    ("today", "left-open"): "a list of entries",
    ("clinics", "last-week"): "each line has its own",
}  # fmt: skip
"""Tables whose numbers have their definition elsewhere, or are none."""

NO_ROWS = {
    ("today", "rooms"): "minutes since a state began: its patient is beside it",
    ("outcomes", "changes"): "the count of courses: the median beside it opens into them",
    ("utilization", "time-of-day"): "96 bins: the chart opens into the rows of the whole",
    ("utilization", "week"): "168 hours: the chart opens into the rows of the whole",
    ("funnel", "clinics"): "the count of those referred: the steps beside it open into them",
}  # fmt: skip
"""Tables of which some numbers have no rows of their own."""


@dataclass
class Node:
    """An element: what it is called, its attributes, its parts in order."""

    tag: str
    attributes: dict[str, str]
    parent: Node | None = None
    parts: list[Node | str] = field(default_factory=list)

    def all(self, tag: str, name: str = "") -> Iterator[Node]:
        """The elements within of a tag, of a class if one is named."""
        for part in self.parts:
            if isinstance(part, Node):
                if part.tag == tag and (not name or name in part.attributes.get("class", "").split()):
                    yield part
                yield from part.all(tag, name)

    def text(self) -> str:
        """What people read, without definitions and what is said to screen readers only."""
        if {"defined", "visually-hidden"} & set(self.attributes.get("class", "").split()):
            return ""
        return " ".join(" ".join(one if isinstance(one, str) else one.text() for one in self.parts).split())

    def above(self, tag: str, name: str = "") -> Node | None:
        """The next element around it of a tag and class."""
        at = self.parent
        while at is not None and not (at.tag == tag and (not name or name in at.attributes.get("class", "").split())):
            at = at.parent
        return at

    @property
    def defined(self) -> bool:
        """Whether a definition stands in it, as a tip with a text and its place in the glossary."""
        return any(
            len(tip.text()) > 40 and any(a.attributes["href"].startswith("/glossary#") for a in tip.all("a"))
            for tip in self.all("span", "tip")
        )

    @property
    def opens(self) -> bool:
        """Whether a link to rows or entries stands in it."""
        return any(ROWS.match(a.attributes.get("href", "")) for a in self.all("a"))


class Tree(HTMLParser):
    """A page as nodes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = self.at = Node("page", {})
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.parts.append(node)
        if tag not in VOID:
            self.at = node

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> ends <{self.at.tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.parts.append(data)


def served(lived: World, page: str) -> Node:
    """A dashboard of clinic A over the whole story."""
    answer = lived.browser("manager", "A").get(f"/{page}?{'' if page in ('today', 'boosters') else PERIOD}")
    assert answer.status_code == 200
    return Tree(answer.text).root


@pytest.mark.parametrize("path", PAGES)
def test_every_tile_has_its_definition_and_its_rows(lived: World, path: str) -> None:
    """A value without rows is one of nothing: a nought."""
    tiles = list(served(lived, path).all("article", "figure"))
    assert len(tiles) >= (0 if path == "boosters" else 3)  # nobody of the story is past a series
    for tile in tiles:
        title, value = tile.parts[1], next(tile.all("p", "figure-value")).text()
        assert isinstance(title, Node) and title.defined, title
        assert tile.opens or re.match(r"^(–|0( |$))", value) or value.startswith("0.0"), (title.text(), value)


@pytest.mark.parametrize("path", PAGES)
def test_every_chart_has_its_definitions_and_its_rows(lived: World, path: str) -> None:
    """By the title, as at tiles; a chart with a mark opens into what it draws."""
    charts = list(served(lived, path).all("figure", "chart"))
    assert bool(charts) == (path in ("utilization", "outcomes", "safety", "funnel"))
    for chart in charts:
        assert next(chart.all("h3")).defined, chart.attributes["data-chart"]
        drawn = chart.attributes.get("data-drawn") != "nothing"
        assert not drawn or any(links.opens for links in chart.all("p", "chart-rows")), chart.attributes["data-chart"]


@pytest.mark.parametrize("path", PAGES)
def test_every_number_in_a_table_has_its_definition_and_its_rows(lived: World, path: str) -> None:
    """The definition by its column, its line, or the chart that the table belongs to; rows from it, its line, or the
    chart. What has none stands above with the reason."""
    for table in served(lived, path).all("table"):
        block, chart = table.above("div", "table-block"), table.above("figure", "chart")
        assert block is not None
        heading = next(node for tag in ("h2", "h3", "h4") for node in block.all(tag))
        name = heading.attributes["id"].removeprefix("table-")
        columns = list(next(table.all("thead")).all("th"))
        whole = chart is not None and next(chart.all("h3")).defined
        links = chart is not None and any(one.opens for one in chart.all("p", "chart-rows"))
        for row in next(table.all("tbody")).all("tr"):
            cells = [one for one in row.parts if isinstance(one, Node)]
            for column, cell in zip(columns, cells, strict=True):
                number = "num" in cell.attributes.get("class", "").split()
                if not number or cell.text().startswith(("–", "not reached")):
                    continue
                told = (path, name, column.text(), row.text()[:80])
                assert column.defined or row.defined or whole or (path, name) in NO_DEFINITION, told
                nought = re.match(r"^0( |%|$|\.0)", cell.text()) is not None
                assert row.opens or links or nought or (path, name) in NO_ROWS, told


@pytest.mark.parametrize("dashboard", sorted(DASHBOARDS.keys() - {"boosters"}))  # nobody of the story is past a series
def test_every_metric_of_a_report_is_explained_on_its_page(lived: World, dashboard: str) -> None:
    """What the report holds can be looked up on hover where it is shown."""
    page = served(lived, {"operations": "today"}.get(dashboard, dashboard))
    told = {a.attributes["href"].removeprefix("/glossary#") for tip in page.all("span", "tip") for a in tip.all("a")}
    answer = lived.get(f"/v1/dashboards/{dashboard}?{'' if dashboard in NAMES_PATIENTS else PERIOD}", "manager", "A")
    metrics = set(re.findall(r'"definition": ?"(\w+)"', answer.text))
    if dashboard == "outcomes":
        metrics -= {"funnel"}  # shown by the page Funnel
    assert metrics and metrics <= told


@pytest.mark.parametrize("name", ["refusals", "overrides", "breaches", "u_chart", "p_chart"])
def test_near_misses_and_control_charts_are_explained(lived: World, name: str) -> None:
    """Also those of which the story has none: the glossary has them, and Safety where it shows some."""
    glossary = lived.browser("manager", "A").get("/glossary").text
    assert f'id="{name}"' in glossary


@pytest.mark.parametrize(("path", "chart", "column"), [
    ("utilization", "days", "Actual"), ("utilization", "days", "Scheduled"), ("safety", "p-chart", "Counted"),
    ("safety", "u-chart", "Counted"), ("funnel", "weeks", "Consultation"),
])  # fmt: skip
def test_a_line_of_a_chart_opens_into_the_rows_of_its_days(lived: World, path: str, chart: str, column: str) -> None:
    """The same figure over the days of the line only: what the line says stands above its rows."""
    page = served(lived, path)
    table = next(next(one for one in page.all("figure") if one.attributes["data-chart"] == chart).all("table"))
    at = [one.text() for one in next(table.all("thead")).all("th")].index(column)
    found = [
        (cell.text(), next(cell.all("a")).attributes["href"]) for row in next(table.all("tbody")).all("tr")
        for cell in [[one for one in row.parts if isinstance(one, Node)][at]] if cell.opens
    ]  # fmt: skip
    assert found
    for said, href in found:
        answer = lived.browser("manager", "A").get(href)
        assert answer.status_code == 200 and "/events/" in answer.text
        tile = next(Tree(answer.text).root.all("article", "figure"))
        value = next(tile.all("p", "figure-value")).text()
        basis = " ".join(one.text() for one in tile.all("p", "figure-basis"))
        assert said.split(" ")[0] in (value.split(" ")[0], basis.split(" ")[0]), (said, value, basis)


def test_open_minutes_open_into_what_the_clinic_said(lived: World) -> None:
    """Rooms put into service, opening hours, closures: the entries that the calendar is made of."""
    answer = lived.browser("manager", "A").get(f"/rows/utilization?figure=together.rooms.open_minutes&{PERIOD}")
    assert answer.status_code == 200
    for event in ("Room added", "Opening hours set"):
        assert event in answer.text, event
