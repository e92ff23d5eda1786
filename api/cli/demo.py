"""`anodyne demo load`: fictional clinics that have run for months."""

from __future__ import annotations

import click

from api.cli.command import settings_of, speaks
from api.cli.output import Failed, Output

__all__ = ["COMMANDS"]

STEPS = 1000
"""The bar's resolution."""


@click.group()
def demo() -> None:
    """Three fictional clinics that have run for months."""


@demo.command()
@click.option("--seed", type=int, default=2026, show_default=True, help="The same seed makes the same events.")
@click.option("--scale", type=click.FloatRange(0.02, 100), default=1.0, show_default=True, help="1: ~500 infusions.")
@click.option("--if-empty", is_flag=True, help="Do nothing when there is data already.")
@speaks
def load(output: Output, seed: int, scale: float, if_empty: bool) -> None:
    """Fill an empty database with the demo organisation. Everybody in it is fictional."""
    from msgspec import to_builtins

    from api.bootstrap import migrate
    from api.demo import load as simulation

    settings = settings_of()
    if not settings.allow_simulation:
        raise Failed("these settings forbid a simulation log (ANODYNE_ALLOW_SIMULATION)", code="simulation-forbidden")
    if simulation.is_loaded(settings):
        if if_empty:
            output.note("there is data already: the demo is not loaded again")
            return
        raise Failed("the database is not empty", code="not-empty", hint="Set ANODYNE_HOME to a new folder.")
    migrate(settings)
    with output.progress("living through 26 weeks") as advance:
        summary = simulation.load(
            settings, seed=seed, scale=scale, progress=lambda share, label: advance(round(share * STEPS), STEPS)
        )
    output.result(to_builtins(summary), simulation.told(summary))


COMMANDS = {"demo": demo}
