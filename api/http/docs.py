"""`/docs` (Swagger UI, our own copy of its files) and `/openapi.json`."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, current_app, json, send_from_directory

from api.http.headers import DOCS_POLICY
from api.http.openapi import EXTENSION
from api.http.problems import not_found

blueprint = Blueprint("docs", __name__)

VENDORED = Path(__file__).parent / "static" / "swagger-ui"
ASSETS = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "start.js"})

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Anodyne API</title>
  <link rel="stylesheet" href="/docs/swagger-ui.css">
  <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"""


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    body = json.dumps(current_app.extensions[EXTENSION])
    return current_app.response_class(body, mimetype="application/json", headers={"Cache-Control": "no-cache"})


@blueprint.get("/docs")
def ui() -> Response:
    """Swagger UI."""
    return current_app.response_class(PAGE, mimetype="text/html", headers=_PAGE_HEADERS)


@blueprint.get("/docs/<string:name>")
def asset(name: str) -> Response:
    """One vendored file."""
    if name not in ASSETS:
        raise not_found()
    response = send_from_directory(VENDORED, name, max_age=86400)
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response


_PAGE_HEADERS = {"Content-Security-Policy": DOCS_POLICY, "Cache-Control": "no-cache"}
