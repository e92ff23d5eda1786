"""A practice whose letters go to a real mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Database
from tests.from_home.conftest import AtHome, make_home, quiet
from tests.mail.post import Post
from tests.support.smtp import MailServer, mail_server

__all__ = ["make_home", "quiet"]


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything until it is told otherwise."""
    with mail_server() as running:
        yield running


@pytest.fixture
def make_post(make_home: Callable[..., AtHome], server: MailServer) -> Callable[[Database], Post]:
    """A practice on a database, its processes and its postman."""

    def make(database: Database) -> Post:
        return Post(make_home(
            database, smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none", smtp_timeout_seconds=2.0,
            public_url="https://clinic.example", mail_from="Your clinic <no-reply@clinic.example>"))

    return make


@pytest.fixture
def post(database: Database, make_post: Callable[[Database], Post]) -> Post:
    """On each kind of database."""
    return make_post(database)


@pytest.fixture
def letters(sqlite_database: Database, make_post: Callable[[Database], Post]) -> Post:
    """On SQLite alone, for what no database decides."""
    return make_post(sqlite_database)
