"""A table as data: one description gives the HTML (macro `table`), the CSV and the data beside a chart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

import msgspec
from flask import Response, current_app
from markupsafe import Markup

from api.web.figures import Shown, left_out_in_words
from api.web.wording import NBSP, NOTHING, number, quantity
from projections.metrics.definitions import Definition
from projections.metrics.figures import Figure, Spread

__all__ = ["Cell", "Column", "Table", "cell", "csv_response", "figure_cell", "figure_table", "row_of", "sorted_by"]

Value = str | int | float | Decimal | bool | date | datetime | None

Tone = str
"""ok, attention, alarm or info: a colour with a meaning, always with words beside it."""


class Column(msgspec.Struct, frozen=True):
    """A column: `key` names it in addresses, `title` on the page and in the CSV."""

    key: str
    title: str
    numeric: bool = False
    definition: Definition | None = None
    sorts: bool = False
    wide: bool = False


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: the text a person reads and the value that the CSV and the sort order take."""

    text: str | Markup
    value: Value = None
    href: str | None = None
    note: str = ""
    tone: Tone = ""
    definition: Definition | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of cells; the first cell of a row is its header. `name` is the table's name in `?format=csv&table=`."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    note: str = ""
    empty: str = "Nothing in this period."
    sorted_by: str = ""


def cell(
    value: Value | Markup, text: str | Markup | None = None, *, digits: int = 0, href: str | None = None,
    note: str = "", tone: Tone = "", definition: Definition | None = None,
) -> Cell:  # fmt: skip
    """A cell of a plain value; `text` where people read something else than the CSV."""
    if text is None:
        if value is None:
            text = NOTHING
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        elif isinstance(value, int | float | Decimal):
            text = number(float(value), digits)
        else:
            text = value if isinstance(value, str) else value.isoformat()
    return Cell(text=text, value=value, href=href, note=note, tone=tone, definition=definition)


def event_cell(position: int, *, opens: bool = True) -> Cell:
    """An entry of the log by its number, leading to it where the reader may open it."""
    return cell(position, str(position), href=f"/events/{position}" if opens else None)


def row_of(*values: Value | Cell) -> tuple[Cell, ...]:
    """A row of plain values and ready cells."""
    return tuple(value if isinstance(value, Cell) else cell(value) for value in values)


def figure_cell(one: Shown, tone: Tone = "") -> Cell:
    """A figure in a cell, opening into its rows: the value, and under it what it rests on."""
    text = f"{one.value} {one.unit}".strip()
    note = one.basis if one.raw is None else f"n{NBSP}{number(one.n)}" if one.n else ""
    return Cell(text=text, value=one.raw, href=one.href, note=note, tone=tone)


FIGURE_COLUMNS = (
    Column("figure", "Figure"), Column("value", "Value", numeric=True), Column("unit", "Unit"),
    Column("numerator", "Numerator", numeric=True), Column("denominator", "Denominator", numeric=True),
    Column("low", "95 % low", numeric=True), Column("high", "95 % high", numeric=True),
    Column("p90", "90th percentile", numeric=True), Column("n", "n", numeric=True),
    Column("left_out", "Left out", wide=True),
    Column("definition", "Definition"), Column("rows", "Rows", numeric=True),
)  # fmt: skip


def figure_table(name: str, title: str, some: Iterable[Shown], *, note: str = "") -> Table:
    """Every figure of a page in one table, with all that each rests on."""
    return Table(name=name, title=title, columns=FIGURE_COLUMNS, rows=tuple(_figure_row(one) for one in some),
                 note=note)


def _figure_row(one: Shown) -> tuple[Cell, ...]:
    figure = one.figure
    limits = figure.mean_interval if isinstance(figure, Spread) else figure.interval
    numerator = figure.numerator if isinstance(figure, Figure) else None
    denominator = figure.denominator if isinstance(figure, Figure) else None
    p90 = figure.p90 if isinstance(figure, Spread) else None

    def of(value: float | None) -> Cell:
        return cell(value, " ".join(quantity(value, figure.unit)).strip())

    value, unit = quantity(one.raw, figure.unit)
    return (
        Cell(text=one.title, value=one.title, definition=one.definition),
        cell(one.raw, value), cell(figure.unit, unit),
        cell(numerator), cell(denominator),
        of(limits[0] if limits else None), of(limits[1] if limits else None), of(p90), cell(one.n),
        cell("; ".join(f"{reason}: {many}" for reason, many in one.left_out), left_out_in_words(one)),
        cell(f"{one.definition.name} v{one.definition.version}", f"v{one.definition.version}",
             href=f"/glossary#{one.definition.name}"),
        cell(one.rows, href=one.href),
    )  # fmt: skip


def sorted_by(table: Table, asked: str | None) -> Table:
    """The table in the order of a column (`rate`, `-rate`); rows without a value last. An unknown column: as it is."""
    key = (asked or "").lstrip("-")
    place = next((at for at, one in enumerate(table.columns) if one.key == key and one.sorts), None)
    if place is None:
        return table
    down = (asked or "").startswith("-")
    filled = [row for row in table.rows if row[place].value is not None]
    empty = [row for row in table.rows if row[place].value is None]
    filled.sort(key=lambda row: _order(row[place].value), reverse=down)
    return msgspec.structs.replace(table, rows=(*filled, *empty), sorted_by=asked or "")


def _order(value: Value) -> tuple[int, float, str]:
    if isinstance(value, bool | int | float | Decimal):
        return (0, float(value), "")
    return (1, 0.0, str(value).casefold())


def csv_response(table: Table, name: str) -> Response:
    """RFC 4180, the titles in the first row; a text that a spreadsheet would run as a formula is made plain."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.title for column in table.columns])
    writer.writerows(_plain_row(row) for row in table.rows)
    response = current_app.response_class(out.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _plain_row(row: Sequence[Cell]) -> list[str]:
    return [plain(one.value if one.value is not None or one.text == NOTHING else str(one.text)) for one in row]


def plain(value: Value) -> str:
    """A value as CSV text. `=`, `+`, `-`, `@`, tab and return begin a formula in spreadsheets: a quote disarms them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value
