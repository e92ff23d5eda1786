"""A carrier of letters as an organisation might write one: named by ANODYNE_MAIL_SENDER in the tests."""

from __future__ import annotations

from email.message import EmailMessage

from api.settings import Settings


class Carrier:
    """Keeps what it is given."""

    def __init__(self, sent_from: str) -> None:
        self.sent_from = sent_from
        self.taken: list[EmailMessage] = []

    def send(self, letter: EmailMessage) -> None:
        self.taken.append(letter)


def carrier(settings: Settings) -> Carrier:
    """What the setting names."""
    return Carrier(settings.mail_from)


def nothing(settings: Settings) -> None:
    """A factory that gives nothing."""


def broken(settings: Settings) -> Carrier:
    """A factory that cannot."""
    raise OSError("no line")
