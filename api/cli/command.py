"""What every command has in common: `--json`, and the settings read once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from api.cli.output import Output
from api.settings import Settings

__all__ = ["settings_of", "speaks"]


def speaks(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command its `Output` as first argument, and `--json` after the verb as well as before the noun."""

    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
    @click.pass_context
    @functools.wraps(function)
    def command(ctx: click.Context, /, *args: Any, as_json: bool, **kwargs: Any) -> Any:
        output = ctx.ensure_object(Output)
        output.as_json = output.as_json or as_json
        return function(output, *args, **kwargs)

    return command


def settings_of(context: click.Context | None = None) -> Settings:
    """The settings in force, from the environment and `--env-file`. Raises InsecureSettings, EnvError."""
    context = context or click.get_current_context()
    env_file: Path | None = context.meta.get("anodyne.env_file")
    return Settings.from_environment(env_file)
