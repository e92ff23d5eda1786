"""`anodyne db migrate`."""

from __future__ import annotations

import click

from api.cli.command import settings_of, speaks
from api.cli.output import Output

__all__ = ["COMMANDS"]


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@speaks
def migrate(output: Output) -> None:
    """Bring every schema up to date: log, keys, read models. Safe to repeat, and when several start it at once."""
    from api.bootstrap import migrate as migrate_all

    applied = migrate_all(settings_of())
    text = "\n".join(f"applied {step}" for step in applied) or "up to date"
    output.result({"applied": applied}, text)


COMMANDS = {"db": db}
