"""The post office of a worker: two postmen (alerts have their own), or none where no sender is named."""

from __future__ import annotations

import sys
from datetime import datetime
from functools import partial

import structlog

from api.bootstrap import ReadSide, Services
from api.digest.sending import Digests
from api.home.links import LinkStore
from api.mail.letters import Letters, Writer
from api.mail.outbox import Outbox
from api.mail.postman import Postman
from api.mail.senders import Sender, sender_of
from services.processes.timers import log_now

__all__ = ["ALERTS", "OTHERS", "PostOffice", "letters_of"]

ALERTS, OTHERS = frozenset({"alert"}), frozenset({"follow_up", "digest"})
_log = structlog.get_logger("anodyne.mail")


def letters_of(services: Services, read_side: ReadSide) -> Letters:
    """Who writes the letters of every kind."""
    more: dict[str, Writer] = {}
    letters = Letters(services.settings, services, LinkStore(read_side.database.reads), more)
    more["digest"] = partial(Digests(services.settings, services, read_side).letter, letters)
    return letters


class PostOffice:
    """Starts with the worker and ends with it."""

    def __init__(self, services: Services, read_side: ReadSide, sender: Sender | None = None) -> None:
        self._services = services
        chosen = sender or sender_of(services.settings, _say)
        if chosen is None:
            _log.warning("mail.no_sender", error="neither ANODYNE_SMTP_HOST nor ANODYNE_MAIL_SENDER is set: letters "
                                                 "wait in the outbox, nobody is told of alerts")
            self._postmen: list[Postman] = []
            return
        outbox, letters = Outbox(read_side.database.reads), letters_of(services, read_side)
        self._postmen = [Postman(outbox, letters, chosen, kinds, self._now) for kinds in (ALERTS, OTHERS)]

    def start(self) -> None:
        """Lets the postmen go."""
        for one in self._postmen:
            one.start()

    def stop(self, timeout_s: float) -> bool:
        """Whether every letter under way was finished in time."""
        for one in self._postmen:
            one.stopping.set()
        stopped = [one.stop(timeout_s) for one in self._postmen]
        return all(stopped)

    def _now(self) -> datetime:
        log = self._services.log
        return log_now(log, self._services.clock, simulated=log.mode() == "simulation")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
