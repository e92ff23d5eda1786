"""A browser without scripts: it keeps cookies, follows what it is told to, and sends forms with their tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.auth.identity import Identity
from api.http.context import EXTENSION

PASSWORD = "violet harbour kettle 41"


@dataclass
class Browser:
    """What it holds is its cookies and the page it shows."""

    app: Flask
    page: TestResponse = field(init=False)

    def __post_init__(self) -> None:
        self.client: FlaskClient = self.app.test_client()

    def open(self, path: str) -> TestResponse:
        """Opens a page, going where it is sent."""
        self.page = self.client.get(path, follow_redirects=True)
        return self.page

    def send(self, path: str, *, follow: bool = True, **fields: str) -> TestResponse:
        """Sends a form of the page that is shown."""
        self.page = self.client.post(path, data={"csrf_token": self.token(), **fields}, follow_redirects=follow)
        return self.page

    def token(self) -> str:
        """The form token of the page that is shown."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page.text)
        assert found is not None, self.page.text
        return found[1]

    def form(self, contains: str) -> str:
        """Where a form of the page sends to: the first whose address holds `contains`."""
        actions = [unescape(one) for one in re.findall(r'<form method="post" action="([^"]+)"', self.page.text)]
        return next(one for one in actions if contains in one)

    def sign_in(self, name: str, password: str = PASSWORD, *, wanted: str = "/account") -> TestResponse:
        """Asks for a page, and gives name and password where that leads."""
        self.open(wanted)
        return self.send(self.form("/sign-in"), name=name, password=password)

    @property
    def at(self) -> str:
        """The path that is shown."""
        return self.page.request.path


def identity_of(app: Flask) -> Identity:
    """The application's accounts, roles and sessions."""
    found: Identity = app.extensions[EXTENSION].identity
    return found
