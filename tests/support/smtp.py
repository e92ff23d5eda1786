"""A real SMTP server in a thread of its own (aiosmtpd), that behaves as it is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class MailServer:
    """What has been taken, and how the next letters are treated.

    moods: take, refuse_recipient (550), full (452), refuse_letter (554), slow (answers after `seconds`), hang_up (in
    the middle of the letter), deaf (takes it and dies before it says so).
    """

    mood: str = "take"
    seconds: float = 0.0
    taken: list[EmailMessage] = field(default_factory=list)
    seen: int = 0
    port: int = 0
    on_letter: Callable[[EmailMessage], None] = lambda letter: None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The recipient is named."""
        if self.mood == "refuse_recipient":
            return "550 no such mailbox"
        if self.mood == "full":
            return "452 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The letter has been read."""
        self.seen += 1
        if self.mood == "refuse_letter":
            return "554 not this letter"
        if self.mood == "slow":
            await asyncio.sleep(self.seconds)
        if self.mood == "hang_up":
            _hang_up(server)
            return "421 gone"
        letter = message_from_bytes(cast(bytes, envelope.content), policy=policy.default)
        self.taken.append(cast(EmailMessage, letter))
        self.on_letter(cast(EmailMessage, letter))
        if self.mood == "deaf":
            _hang_up(server)
        return "250 taken"


def _hang_up(server: Any) -> None:
    server.transport.abort()


@contextmanager
def mail_server(**how: Any) -> Iterator[MailServer]:
    """A server on a free port of this machine."""
    server = MailServer(**how)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server.port = probe.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
