"""Opens the parts a command needs, and closes them whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.cli.command import settings_of

if TYPE_CHECKING:
    from api.bootstrap import ReadSide, Services

__all__ = ["read_side", "services"]


@contextmanager
def services() -> Iterator[Services]:
    """The write side and the log, by the settings in force."""
    from api.bootstrap import build_services

    opened = build_services(settings_of())
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def read_side() -> Iterator[tuple[Services, ReadSide]]:
    """Both sides."""
    from api.bootstrap import build_read_side

    with services() as opened:
        reads = build_read_side(opened.settings, opened)
        try:
            yield opened, reads
        finally:
            reads.close()
