"""`anodyne config check`: the settings in force, and whether they would start."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

import click

from api.cli.command import settings_of, speaks
from api.cli.output import Output
from api.mail.senders import delivery, sender_of
from api.settings import Settings

__all__ = ["COMMANDS"]


@click.group()
def config() -> None:
    """The settings in force."""


@config.command()
@speaks
def check(output: Output) -> None:
    """Print the settings in force (secrets only as set or not set) and what to think of; exit 2 if they would not
    start."""
    settings = settings_of()
    sender_of(settings, output.note)
    found = warnings(settings)
    output.result({**shown(settings), "warnings": found} if output.as_json else shown(settings))
    for one in found:
        output.note(f"warning: {one}")


def warnings(settings: Settings) -> list[str]:
    """What starts, and is probably not meant."""
    if delivery(settings) == "nowhere":
        return ["neither ANODYNE_SMTP_HOST nor ANODYNE_MAIL_SENDER is set: letters wait, nobody is told of alerts"]
    return []


def shown(settings: Settings) -> dict[str, Any]:
    """Every setting as text, without its secrets: of a URL only what names the database."""
    values: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name.endswith("_url"):
            value = _without_password(value)
        elif not field.repr:
            value = "set" if value else "not set"
        values[field.name] = value if isinstance(value, bool | int | float) or value is None else str(value)
    return values


def _without_password(url: str | None) -> str:
    if not url:
        return "not set"
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


COMMANDS = {"config": config}
