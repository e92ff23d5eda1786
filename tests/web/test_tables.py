"""Tables as data: CSV that any program reads and no spreadsheet runs, and an order that links can ask for."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from flask import Flask, render_template_string
from hypothesis import given
from hypothesis import strategies as st

from api.web.tables import Cell, Column, Table, cell, csv_response, plain, row_of, sorted_by
from projections.metrics.lazy import Each
from tests.api.world import World

COLUMNS = (Column("name", "Name", sorts=True), Column("share", "Share", numeric=True, sorts=True), Column("why", "Why"))


def _table(*rows: tuple[object, object, object]) -> Table:
    return Table(name="t", title="T", columns=COLUMNS, rows=tuple(row_of(*row) for row in rows))  # type: ignore[arg-type]


def _read(table: Table) -> list[list[str]]:
    with Flask("t").app_context():
        answer = csv_response(table, "t")
    assert answer.mimetype == "text/csv" and 'filename="t.csv"' in answer.headers["Content-Disposition"]
    return list(csv.reader(io.StringIO(answer.get_data(as_text=True), newline=""), strict=True))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_a_spreadsheet_would_run_is_made_plain(text: str) -> None:
    """Given a name that begins like a formula, the CSV has it behind a quote; numbers stay numbers."""
    assert plain(text) == "'" + text
    assert plain(-1.5) == "-1.5"


@given(st.lists(st.tuples(st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False), st.text())))
def test_any_table_comes_back_whole_from_its_csv(rows: list[tuple[str, float | None, str]]) -> None:
    """Commas, quotes, line ends: the reader of RFC 4180 gets the same cells, titles first."""
    rows = [(name.replace("\x00", ""), share, why.replace("\x00", "")) for name, share, why in rows]
    read = _read(_table(*rows))
    assert read[0] == ["Name", "Share", "Why"]
    assert read[1:] == [[plain(name), "" if share is None else str(share), plain(why)] for name, share, why in rows]


def test_csv_has_values_and_people_have_words() -> None:
    """A share is 0.125 for a program and 12.5 % for a person; moments keep their offset; nothing is empty."""
    row = (
        cell(0.125, "12.5 %"), cell(None), cell(True), cell(date(2026, 11, 1)), cell(Decimal("0.35")),
        cell(datetime(2026, 11, 1, 9, tzinfo=UTC), "Sun 1 Nov 2026, 09:00 UTC"), cell("–"),
    )  # fmt: skip
    columns = tuple(Column(str(at), str(at)) for at in range(len(row)))
    read = _read(Table(name="t", title="T", columns=columns, rows=(row,)))
    assert read[1] == ["0.125", "", "yes", "2026-11-01", "0.35", "2026-11-01T09:00:00+00:00", "–"]
    assert [one.text for one in row[:3]] == ["12.5 %", "–", "yes"]


def test_sorted_by_a_link() -> None:
    """By a column and against it; what has no value comes last both ways; an unknown column changes nothing."""
    table = _table(("b", 0.2, ""), ("A", None, ""), ("c", 0.1, ""))

    def names(asked: str | None) -> list[object]:
        return [row[0].value for row in sorted_by(table, asked).rows]

    assert names("share") == ["c", "b", "A"] and names("-share") == ["b", "c", "A"]
    assert names("name") == ["A", "b", "c"]
    assert names("why") == names("nonsense") == names(None) == ["b", "A", "c"]


@pytest.mark.parametrize(("first", "shown"), [(3, ["0", "1", "2"]), (5, list("01234")), (None, list("01234"))])
def test_of_a_long_table_a_page_shows_the_first_rows_and_says_where_all_are(
    lived: World, first: int | None, shown: list[str]
) -> None:
    """Three of five with the way to the CSV; a table that is short enough, whole and without a word."""
    made: list[int] = []

    def row(at: int, name: str) -> tuple[Cell, ...]:
        made.append(at)
        return row_of(name, at, "")

    table = Table(name="t", title="T", columns=COLUMNS, rows=Each("01234", row))
    with lived.app.test_request_context("/boosters"):
        html = render_template_string(
            "{% from 'macros/tables.html' import table %}{{ table(one, first=n) }}", one=table, n=first
        )
    assert re.findall(r'<th scope="row">(.*?)</th>', html) == shown
    assert len(made) == len(shown), "no row is made that is not shown"
    told = re.search(r'The first 3 of 5 rows\. <a href="/boosters\?format=csv&amp;table=t" download>', html)
    assert bool(told) == (len(shown) < 5)
    assert [row[0] for row in _read(table)[1:]] == list("01234")


def test_a_number_in_the_first_column_stands_under_its_title(lived: World) -> None:
    """A first column of numbers is right-aligned in head and body alike; one of words in neither."""
    columns = (Column("booster", "Booster", numeric=True), Column("why", "Why"))
    table = Table(name="t", title="T", columns=columns, rows=(row_of(1, "first"),))
    with lived.app.test_request_context("/boosters"):
        html = render_template_string("{% from 'macros/tables.html' import table %}{{ table(one) }}", one=table)
        words = render_template_string(
            "{% from 'macros/tables.html' import table %}{{ table(one) }}", one=_table(("a", 1.0, "b"))
        )
    assert '<th scope="row" class="num">1</th>' in html and '<th scope="col" class="num">Booster' in html
    assert '<th scope="row">a</th>' in words
