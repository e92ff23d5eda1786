"""A table as data: one description gives the HTML (macro `table`), the CSV and the data beside a chart."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, TypeVar, overload

import msgspec
from flask import Response, current_app
from markupsafe import Markup, escape

from api.web.figures import Shown, left_out_in_words
from api.web.wording import NBSP, NOTHING, number, quantity, words
from projections.metrics.definitions import Definition
from projections.metrics.figures import Figure, Spread

__all__ = [
    "Cell", "Column", "InChunks", "Table", "basis_of", "cell", "csv_response", "event_cell", "figure_cell",
    "figure_table", "rate_column", "reason_cells", "reason_columns", "reasons_of", "row_of", "sorted_by",
    "spread_column",
]  # fmt: skip

T = TypeVar("T")
THIN_FOLLOW_UP = "thin follow-up"

Value = str | int | float | Decimal | bool | date | datetime | None

Tone = str
"""ok, attention, alarm, info or doubtful: a colour with a meaning, always with words beside it."""


RATE = ("numerator", "denominator", "n", "95 % low", "95 % high")
SPREAD = ("90th percentile", "mean", "mean: 95 % low", "mean: 95 % high", "n")
"""What a figure rests on, as columns of the CSV beside its value: of a share, rate or amount; of a median."""


class Column(msgspec.Struct, frozen=True):
    """A column: `key` names it in addresses, `title` on the page and in the CSV.

    `basis` are further columns that the CSV has beside this one, named after it; each cell brings their values. A
    column that is not `on_page` is for the CSV alone, one that is not `in_csv` for the page.
    """

    key: str
    title: str
    numeric: bool = False
    definition: Definition | None = None
    sorts: bool = False
    wide: bool = False
    basis: tuple[str, ...] = ()
    on_page: bool = True
    in_csv: bool = True


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: the text a person reads, the value that the CSV and the sort order take, and those of its basis."""

    text: str | Markup
    value: Value = None
    href: str | None = None
    note: str = ""
    tone: Tone = ""
    definition: Definition | None = None
    basis: tuple[Value, ...] = ()

    @property
    def inside(self) -> Markup:
        """What the cell holds on the page, but for a definition: here and not in a macro, for pages have thousands."""
        html: str = escape(self.text)
        if self.href:
            html = f'<a href="{escape(self.href)}">{html}</a>'
        if self.tone:
            html = f'<span class="mark {escape(self.tone)}">{html}</span>'
        if self.note:
            html = f'{html}<span class="cell-note">{escape(self.note)}</span>'
        return Markup(html)  # noqa: S704 (every part is escaped)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of cells; the first cell of a row is its header. `name` is the table's name in `?format=csv&table=`;
    `doubt` says why all of it is greyed.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    note: str = ""
    empty: str = "Nothing in this period."
    sorted_by: str = ""
    doubt: str = ""

    @property
    def on_page(self) -> list[Column]:
        """The columns that people see."""
        return [one for one in self.columns if one.on_page]

    def seen(self, row: tuple[Cell, ...]) -> list[tuple[Column, Cell]]:
        """The cells that people see, each with its column."""
        return [pair for pair in zip(self.columns, row, strict=True) if pair[0].on_page]


class InChunks(Sequence[tuple[Cell, ...]], Generic[T]):
    """Rows of cells for some things, made so many things at a time, and only when they are written."""

    def __init__(
        self, things: Sequence[T], size: int, make: Callable[[Sequence[T]], Sequence[tuple[Cell, ...]]]
    ) -> None:
        self._things, self._size, self._make = things, size, make

    def __len__(self) -> int:
        return len(self._things)

    @overload
    def __getitem__(self, index: int) -> tuple[Cell, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[Cell, ...], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[Cell, ...] | tuple[tuple[Cell, ...], ...]:
        if isinstance(index, int):
            return self._make([self._things[index]])[0]
        return tuple(InChunks(self._things[index], self._size, self._make))

    def __iter__(self) -> Iterator[tuple[Cell, ...]]:
        for start in range(0, len(self._things), self._size):
            yield from self._make(self._things[start : start + self._size])


def cell(
    value: Value | Markup, text: str | Markup | None = None, *, digits: int = 0, href: str | None = None,
    note: str = "", tone: Tone = "", definition: Definition | None = None, basis: tuple[Value, ...] = (),
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
    return Cell(text=text, value=value, href=href, note=note, tone=tone, definition=definition, basis=basis)


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
    if one.doubt:
        tone, note = "doubtful", f"{note} · {THIN_FOLLOW_UP}" if note else THIN_FOLLOW_UP
    return Cell(text=text, value=one.raw, href=one.href, note=note, tone=tone, basis=basis_of(one.figure))


def basis_of(figure: Figure | Spread) -> tuple[Value, ...]:
    """What a figure rests on, in the order of `RATE` or `SPREAD`."""
    if isinstance(figure, Spread):
        return (figure.p90, figure.mean, *(figure.mean_interval or (None, None)), figure.n)
    return (figure.numerator, figure.denominator, figure.n, *(figure.interval or (None, None)))


def rate_column(key: str, title: str, definition: Definition | None = None, *, sorts: bool = False) -> Column:
    """A column of shares, rates or amounts."""
    return Column(key, title, numeric=True, definition=definition, sorts=sorts, basis=RATE)


def spread_column(key: str, title: str, definition: Definition | None = None, *, sorts: bool = False) -> Column:
    """A column of medians."""
    return Column(key, title, numeric=True, definition=definition, sorts=sorts, basis=SPREAD)


def reason_columns(
    title: str, reasons: Iterable[str], name: Callable[[str], str] = words
) -> tuple[Column, ...]:
    """For the CSV, a column of counts for each reason: what a page says in one cell."""
    return tuple(
        Column(f"{title}-{reason}", f"{title}: {name(reason)}", numeric=True, on_page=False) for reason in reasons
    )


def reason_cells(counts: Mapping[str, int], reasons: Iterable[str]) -> tuple[Cell, ...]:
    """The counts for `reason_columns`."""
    return tuple(cell(counts.get(reason, 0)) for reason in reasons)


def reasons_of(some: Iterable[Mapping[str, int]]) -> list[str]:
    """Every reason that any of these counts names, in order."""
    return sorted({reason for counts in some for reason, many in counts.items() if many})


FIGURE_COLUMNS = (
    Column("figure", "Figure"), Column("value", "Value", numeric=True), Column("unit", "Unit"),
    Column("numerator", "Numerator", numeric=True), Column("denominator", "Denominator", numeric=True),
    Column("low", "95 % low", numeric=True), Column("high", "95 % high", numeric=True),
    Column("p90", "90th percentile", numeric=True), Column("n", "n", numeric=True),
    Column("left_out", "Left out", wide=True),
    Column("definition", "Definition", basis=("version",)), Column("rows", "Rows", numeric=True),
)  # fmt: skip


def figure_table(name: str, title: str, some: Iterable[Shown], *, note: str = "") -> Table:
    """Every figure of a page in one table, with all that each rests on."""
    some = tuple(some)
    reasons = reasons_of(one.figure.excluded for one in some)
    return Table(
        name=name, title=title, columns=(*FIGURE_COLUMNS, *reason_columns("Left out", reasons)), note=note,
        rows=tuple((*_figure_row(one), *reason_cells(one.figure.excluded, reasons)) for one in some),
    )  # fmt: skip


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
        cell(one.raw, value, tone="doubtful" if one.doubt else "", note=THIN_FOLLOW_UP if one.doubt else ""),
        cell(figure.unit, unit), cell(numerator), cell(denominator),
        of(limits[0] if limits else None), of(limits[1] if limits else None), of(p90), cell(one.n),
        cell(sum(figure.excluded.values()), left_out_in_words(one)),
        cell(one.definition.name, f"v{one.definition.version}", href=f"/glossary#{one.definition.name}",
             basis=(one.definition.version,)),
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
    writer.writerow([
        title for one in table.columns if one.in_csv
        for title in (one.title, *(f"{one.title}: {part}" for part in one.basis))
    ])
    writer.writerows(_plain_row(table.columns, row) for row in table.rows)
    response = current_app.response_class(out.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _plain_row(columns: Sequence[Column], row: Sequence[Cell]) -> list[str]:
    """A cell of a column with a basis is as many values as that has, whether it brings them or not."""
    found: list[str] = []
    for column, one in zip(columns, row, strict=True):
        if column.in_csv:
            basis = one.basis if column.basis and one.basis else (None,) * len(column.basis)
            found += [plain(value) for value in (one.value, *basis)]
    return found


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
