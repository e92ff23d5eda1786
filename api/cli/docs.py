"""`anodyne docs events|openapi`: documents generated from the code, on standard output."""

from __future__ import annotations

import click

from api.cli.command import speaks
from api.cli.output import Output

__all__ = ["COMMANDS"]


@click.group()
def docs() -> None:
    """Documents generated from the code, on standard output."""


@docs.command()
@speaks
def events(output: Output) -> None:
    """docs/events.md: every event, by stream."""
    from api.cli.event_catalogue import as_data, render

    if output.as_json:
        output.result(as_data())
    else:
        click.echo(render(), nl=False)


@docs.command()
@speaks
def openapi(output: Output) -> None:
    """docs/openapi.json."""
    from api.http.openapi import document

    click.echo(document(), nl=False)


COMMANDS = {"docs": docs}
