"""An entry made under the wrong patient: struck there, made again under the right one, told apart from two accidents.

The two are two commits, since what is sealed in a commit is sealed for one patient; one correlation ties them
together. The strike comes first: an entry that is nobody's is the lesser harm. With an idempotency key on each
request the pair may be sent again after a failure in between.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.corrections import StrikeEntry
from domain.kernel import Command
from services.handling import CommandHandling, Receipt, Request


class NotAsWrongPatient(ValueError):
    """The strike gives another reason, or the requests another correlation (a programming error)."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A command with its stream and its request."""

    stream_id: UUID
    command: Command
    request: Request


def strike_and_enter_again(handling: CommandHandling, wrong: Entry, right: Entry) -> tuple[Receipt, Receipt]:
    """Both receipts. Raises NotAsWrongPatient, and what either command raises."""
    strike, correlation = wrong.command, wrong.request.correlation_id
    if not isinstance(strike, StrikeEntry) or strike.reason_code != "wrong_patient":
        raise NotAsWrongPatient("strike with reason_code wrong_patient")
    if correlation is None or right.request.correlation_id != correlation:
        raise NotAsWrongPatient("one correlation_id for both")
    return (
        handling.handle(wrong.stream_id, strike, wrong.request),
        handling.handle(right.stream_id, right.command, right.request),
    )
