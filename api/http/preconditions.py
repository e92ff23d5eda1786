"""`ETag` is the version of the stream; `If-Match` says which version the caller has seen.

Required (428) on commands that replace or close something; optional elsewhere and then honoured.
"""

from __future__ import annotations

import re

from flask import Response, request

from api.http.problems import Problem

__all__ = ["if_match", "set_version"]

_ETAG = re.compile(r'"([^"]*)"')


def if_match(*, required: bool) -> int | None:
    """The version in If-Match; raises `Problem` 428 (missing), 400 (not one strong ETag), 412 (not a version)."""
    given = request.headers.get("If-Match")
    if given is None:
        if required:
            raise Problem(428, "precondition-required", "Send If-Match with the ETag that you have seen.")
        return None
    match = _ETAG.fullmatch(given.strip())
    if match is None:
        raise Problem(400, "invalid-if-match", 'If-Match takes one strong ETag, such as "7".')
    version = match.group(1)
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise Problem(412, "version-mismatch", "It has changed since you read it: read it again.")
    return int(version)


def set_version(response: Response, version: int) -> None:
    """Tells the version as a strong ETag."""
    response.headers["ETag"] = f'"{version}"'
