"""`anodyne worker run`."""

from __future__ import annotations

import click

from api.cli.command import settings_of, speaks
from api.cli.output import Failed, Output

__all__ = ["COMMANDS"]


@click.group()
def worker() -> None:
    """The process that keeps the projections up to date."""


@worker.command()
@speaks
def run(output: Output) -> None:
    """Run until SIGTERM or SIGINT, then finish the batch under way. Several may run; one leads, the others stand by."""
    from api import worker as process
    from api.logs import configure_logging

    settings = settings_of()
    configure_logging(settings.log_level)
    if not process.run(settings):
        raise Failed(f"a batch did not finish within {process.DRAIN_S:.0f} s after the signal", code="not-drained")


COMMANDS = {"worker": worker}
