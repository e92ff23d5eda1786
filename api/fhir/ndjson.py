"""NDJSON files, line by line, in bounded memory; a line that cannot be read is named and stops nothing."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

__all__ = ["MAX_LINE_BYTES", "Line", "NothingToImport", "files_in", "lines_of", "sha256_of"]

MAX_LINE_BYTES = 1024 * 1024
"""A longer line is skipped: no resource that an intake reads comes near it."""

_SUFFIXES = (".ndjson", ".ndjson.gz")
_BOM = b"\xef\xbb\xbf"


class NothingToImport(Exception):
    """The folder is missing, or holds no .ndjson or .ndjson.gz file."""


class Line(msgspec.Struct, frozen=True):
    """One line: the resource, or why it could not be read. `place` is `file:line`, for the report."""

    place: str
    resource: dict[str, Any] | None
    problem: str | None = None


def files_in(folder: Path) -> list[Path]:
    """The export's files, by name. Raises NothingToImport."""
    if not folder.is_dir():
        raise NothingToImport(f"{folder} is not a folder")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.endswith(_SUFFIXES))
    if not files:
        raise NothingToImport(f"{folder} holds no .ndjson or .ndjson.gz file")
    return files


def sha256_of(path: Path) -> str:
    """Of the file as it is (of a compressed one: compressed)."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def lines_of(path: Path) -> Iterator[Line]:
    """Every line that is not blank. Never raises over what the file holds."""
    with _opened(path) as stream:
        number = 0
        while True:
            number += 1
            place = f"{path.name}:{number}"
            try:
                raw = stream.readline(MAX_LINE_BYTES + 1)
                too_long = len(raw) > MAX_LINE_BYTES
                if too_long:
                    _skip_rest(stream, raw)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                yield Line(place, None, "file_broken_here")
                return
            if not raw:
                return
            if too_long:
                yield Line(place, None, "line_too_long")
            elif raw.strip():
                yield _read(place, raw.removeprefix(_BOM) if number == 1 else raw)


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rb")
    return path.open("rb")


def _skip_rest(stream: IO[bytes] | gzip.GzipFile, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(MAX_LINE_BYTES)


def _read(place: str, raw: bytes) -> Line:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Line(place, None, "broken_utf8")
    try:
        resource = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return Line(place, None, "broken_line")
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return Line(place, None, "not_a_resource")
    return Line(place, resource)
