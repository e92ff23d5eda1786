"""The provider of the tests (`oidc_provider_mock`, its options), whose issuer ends in a slash as Auth0's and
authentik's do: `python -m tests.support.slashed_oidc -p PORT`.
"""

from __future__ import annotations

from typing import Any

import flask
from oidc_provider_mock import _app
from oidc_provider_mock.__main__ import run

_plain = _app.OpenIDCode.get_jwt_config


def _slashed(self: Any, grant: Any, client: Any = None) -> dict[str, Any]:
    return {**_plain(self, grant, client), "iss": flask.request.host_url}


@_app.blueprint.after_request
def _says_so(response: flask.Response) -> flask.Response:
    if flask.request.path == "/.well-known/openid-configuration":
        response.data = flask.json.dumps({**response.get_json(), "issuer": flask.request.host_url})
    return response


if __name__ == "__main__":
    _app.OpenIDCode.get_jwt_config = _slashed
    run()
