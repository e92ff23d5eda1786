"""Database URLs: `sqlite:///PATH` and `postgresql://...` (a SQLAlchemy driver suffix is tolerated)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

Kind = Literal["sqlite", "postgres"]


def kind_of(url: str) -> Kind:
    """Which database `url` names; ValueError for any other."""
    scheme = urlsplit(url).scheme.split("+")[0]
    if scheme == "sqlite":
        return "sqlite"
    if scheme in ("postgres", "postgresql"):
        return "postgres"
    raise ValueError(f"not a SQLite or PostgreSQL URL: {scheme}://...")


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///PATH` URL (three slashes: relative, four: absolute)."""
    path = unquote(urlsplit(url).path)
    return Path(path[1:] if path.startswith("/") else path)


def libpq_url(url: str) -> str:
    """`url` as psycopg wants it: without a SQLAlchemy driver suffix."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql"))
