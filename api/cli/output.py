"""How a command speaks: tables and progress for people, JSON for machines, exit codes for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["Advance", "AskedWrongly", "Failed", "Output"]

Advance = Callable[[int, int], None]
"""Told (done, total) as work goes on."""


WIDTH_WITHOUT_TERMINAL = 400
"""Tables that go to a file or another program are not folded."""


class Failed(click.ClickException):
    """The command was understood and could not be done, or what it checked does not hold: exit code 1."""

    exit_code = 1

    def __init__(self, message: str, *, code: str = "failed", hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class AskedWrongly(Failed):
    """Wrong arguments or settings: exit code 2."""

    exit_code = 2


class Output:
    """Where a command's results go. With `as_json`, exactly one JSON document on standard output."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = WIDTH_WITHOUT_TERMINAL
        self.notes = Console(stderr=True, highlight=False, soft_wrap=True)

    def result(self, data: Any, text: str | Table | None = None) -> None:
        """The command's answer: `data` for machines, `text` (or `data`, key by key) for people."""
        if self.as_json:
            click.echo(json.dumps(data, default=_plain, ensure_ascii=False, indent=2))
        elif text is not None:
            self.console.print(text, markup=False) if isinstance(text, str) else self.console.print(text)
        elif isinstance(data, Mapping):
            for key, value in data.items():
                self.console.print(f"{key.replace('_', ' ')}: {value}", markup=False)
        else:
            self.console.print(str(data), markup=False)

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
        """Rows as a table for people, as a list for machines."""
        if self.as_json:
            self.result([dict(row) for row in rows])
            return
        if not rows:
            self.result(None, empty)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        self.result(None, table)

    def note(self, text: str) -> None:
        """Something to know on the way; never part of the answer."""
        self.notes.print(text, markup=False)

    @contextmanager
    def progress(self, what: str) -> Iterator[Advance]:
        """A progress bar on a terminal, a line per tenth in a log file, nothing with `--json`."""
        if self.as_json:
            yield lambda done, total: None
        elif self.notes.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            bar = Progress(*columns, console=self.notes)
            with bar:
                task = bar.add_task(what, total=None)
                yield lambda done, total: bar.update(task, completed=done, total=total)
        else:
            yield _tenths(what)


def _tenths(what: str) -> Advance:
    said = -1

    def advance(done: int, total: int) -> None:
        nonlocal said
        tenth = 10 * done // total if total else 0
        if tenth > said:
            said = tenth
            click.echo(f"{what}: {done:,} of {total:,}", err=True)

    return advance


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, list | tuple | frozenset):
        return ", ".join(str(part) for part in value)
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal | Path):
        return str(value)
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def show_error(error: Failed, *, as_json: bool) -> None:
    """The one place that words an error, on standard error."""
    if as_json:
        body = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        click.echo(json.dumps(body, ensure_ascii=False), err=True)
        return
    click.echo(click.style("error: ", fg="red", bold=True) + error.message, err=True, color=sys.stderr.isatty() or None)
    if error.hint:
        click.echo(error.hint, err=True)
