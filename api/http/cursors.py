"""Opaque cursors and `Link: rel="next"`.

A cursor is base64url of a few JSON values. It is not signed: it grants nothing (every page is scoped again), and
one of unlimited age must survive a change of secrets.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import Response, request

from api.http.problems import Problem

__all__ = ["link_next", "read_cursor", "write_cursor"]

LONGEST = 512


def write_cursor(*values: int | str | None) -> str:
    """The cursor that `read_cursor` reads back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def read_cursor(text: str, *kinds: type, pointer: str = "/cursor") -> tuple[Any, ...]:
    """The values of a cursor, checked against `kinds`; raises `Problem` 422 with the pointer."""
    try:
        if len(text) > LONGEST or not text.isascii():
            raise ValueError("too long")
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        values = msgspec.json.decode(raw, type=tuple[kinds])  # type: ignore[valid-type]
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise Problem(
            422, "invalid-request", "The cursor is not one of ours.",
            errors=[{"pointer": pointer, "detail": "Not a cursor."}],
        ) from error
    return tuple(values)


def link_next(response: Response, **changed: str) -> None:
    """Adds the link to the next page: this request with some parameters changed."""
    query = {**request.args.to_dict(), **changed}
    response.headers["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
