"""The postman: takes what waits in the outbox, has its letter written, and gives it to the sender."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import datetime
from email.message import EmailMessage
from typing import Protocol

import structlog

from api.mail.letters import Drop, Later
from api.mail.outbox import Entry, Outbox
from api.mail.senders import NotSent, Refused, Sender

__all__ = ["Postman", "deliver"]

POLL_S = 1.0
LONGEST_PAUSE_S = 60.0
_log = structlog.get_logger("anodyne.mail")


class Writes(Protocol):
    """Writes letters (implemented by `Letters`)."""

    def of(self, entry: Entry, now: datetime) -> EmailMessage: ...


def deliver(
    outbox: Outbox, letters: Writes, sender: Sender, kinds: Collection[str], now: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Everything of these kinds that waits now; how many letters were sent."""
    sent = 0
    while not stopping() and (taken := outbox.take(kinds)):
        for entry in taken:
            sent += _delivered(outbox, letters, sender, entry, now())
    return sent


def _delivered(outbox: Outbox, letters: Writes, sender: Sender, entry: Entry, now: datetime) -> bool:
    try:
        sender.send(letters.of(entry, now))
    except Drop as nothing:
        outbox.dropped(entry, str(nothing))
    except Later as later:
        outbox.postponed(entry, later.until, later.seconds)
    except (NotSent, Refused) as trouble:
        outbox.failed(entry, str(trouble), for_good=isinstance(trouble, Refused))
        _log.warning("mail.not_sent", kind=entry.message.kind, attempts=entry.attempts, error=str(trouble))
    except Exception as error:
        outbox.failed(entry, type(error).__name__, for_good=False)
        _log.error("mail.failed", kind=entry.message.kind, attempts=entry.attempts, error=type(error).__name__)
    else:
        outbox.sent(entry)
        return True
    return False


class Postman(threading.Thread):
    """Delivers some kinds until told to stop. Alerts have a postman of their own: a slow server must not hold them."""

    def __init__(
        self, outbox: Outbox, letters: Writes, sender: Sender, kinds: Collection[str], now: Callable[[], datetime],
        *, poll_s: float = POLL_S,
    ) -> None:
        super().__init__(name=f"postman {'+'.join(sorted(kinds))}", daemon=True)
        self.stopping = threading.Event()
        self._outbox, self._letters, self._sender, self._kinds = outbox, letters, sender, frozenset(kinds)
        self._now, self._poll_s = now, poll_s

    def run(self) -> None:
        """Until `stopping`."""
        failures = 0
        while not self.stopping.is_set():
            try:
                deliver(self._outbox, self._letters, self._sender, self._kinds, self._now, self.stopping.is_set)
                failures = 0
            except Exception as error:
                failures += 1
                _log.error("mail.failed", error=type(error).__name__)
            self.stopping.wait(min(self._poll_s * 2**failures, LONGEST_PAUSE_S))

    def stop(self, timeout_s: float) -> bool:
        """Lets the letter under way finish; whether it did in time."""
        self.stopping.set()
        self.join(timeout_s)
        return not self.is_alive()
