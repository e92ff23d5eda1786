"""Our own style sheets and scripts, under addresses that change with their content, compressed once per process.

`/assets/<hash>/<name>` never changes, so a browser keeps it for ever; a release changes the hash. Nothing is built:
what lies in `static/` is what is served.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, current_app, request

from api.http.problems import not_found

__all__ = ["asset", "blueprint"]

STATIC = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
COMPRESSED = frozenset({"text/css", "text/javascript", "image/svg+xml"})

blueprint = Blueprint("web_assets", __name__)


@lru_cache(maxsize=256)
def _read(name: str) -> tuple[str, bytes]:
    """The file's hash and content; raises the 404 for what is no file of ours."""
    path = (STATIC / name).resolve()
    if STATIC.resolve() not in path.parents or not path.is_file() or path.suffix == ".md":
        raise not_found()
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16], content


@lru_cache(maxsize=256)
def _zipped(name: str) -> bytes:
    return gzip.compress(_read(name)[1], 9, mtime=0)


def asset(name: str) -> str:
    """The address of a file in `static/`."""
    return f"/assets/{_read(name)[0]}/{name}"


@blueprint.get("/assets/<string:digest>/<path:name>")
def file(digest: str, name: str) -> Response:
    """One file, if that is its content now."""
    actual, content = _read(name)
    if digest != actual:
        raise not_found()
    kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = current_app.response_class(content, mimetype=kind)
    if kind in COMPRESSED:
        response.headers["Vary"] = "Accept-Encoding"
        if request.accept_encodings["gzip"] > 0:
            response.set_data(_zipped(name))
            response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = FOR_EVER
    return response
