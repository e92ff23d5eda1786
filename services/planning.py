"""What a use case says of one kind of command: which streams it writes, which facts it needs, whom it concerns.

`services.handling` carries it out and answers with a `Receipt`, or with one of the errors here or the domain's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import msgspec

from domain.kernel import Actor, Command, Decision, DomainError, Origin
from services.log import Idempotency


class Aggregate(Protocol):
    """A domain module (or package) holding one aggregate's pure functions."""

    def initial(self, stream_id: UUID, /) -> Any: ...
    def evolve(self, state: Any, version: int, event: Any, /) -> Any: ...
    def decide(self, state: Any, command: Any, facts: Any, /) -> Decision: ...


class Loaded(msgspec.Struct, frozen=True):
    """A folded stream; version 0 when nothing has been written to it."""

    state: Any
    version: int


class Load(Protocol):
    """Reads a stream for a decision. Whatever is loaded is checked, at the save, not to have moved since;
    `checked=False` for facts whose change meanwhile would not matter (a name to show, a default)."""

    def __call__(self, aggregate: Aggregate, stream_id: UUID, *, checked: bool = True) -> Loaded: ...


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One stream to be written: `aggregate.decide(state, command, facts)`."""

    aggregate: Aggregate
    stream_id: UUID
    command: Command
    facts: Any = None


class Decided(msgspec.Struct, frozen=True):
    """What an earlier write of the same plan came to, for those that depend on it."""

    stream_id: UUID
    version: int
    decision: Decision


LateWrite = Callable[[tuple[Decided, ...]], "Write | None"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one command writes, in order, in one commit. `ids` are answered to the caller (new ids).

    `told` is what else the caller is told, and told again on a retry: codes, never patient data. `claims_seen`: the
    plan looked at claims itself, so when one is lost to somebody faster it is made again on what then holds.
    """

    writes: tuple[Write | LateWrite, ...]
    subject: UUID | None = None
    clinic_id: UUID | None = None
    ids: dict[str, str] = {}
    told: dict[str, str] = {}
    claims_seen: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, where, with which safeguards. `if_match` is the version the caller has seen.

    `patient_id` is the patient that the edge resolved; needed where the stream's id does not tell (a diary's).
    """

    by: Actor
    clinic_id: UUID | None
    patient_id: UUID | None = None
    idempotency: Idempotency | None = None
    if_match: int | None = None
    origin: Origin = "entered"
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    command_id: UUID | None = None


class UseCase(Protocol):
    """`aggregate` is the one that `stream_id` of a command names."""

    @property
    def aggregate(self) -> Aggregate: ...

    def plan(self, stream_id: UUID, command: Any, request: Request, load: Load) -> Plan: ...


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an accepted command: ids, version and position, never patient data.

    `position` is the last position written; `version` is that of `stream_id` afterwards.
    """

    stream_id: UUID
    version: int
    position: int
    events: tuple[str, ...]
    ids: dict[str, str] = {}
    told: dict[str, str] = {}
    replayed: bool = False
    status: int = 201


# --- errors --------------------------------------------------------------------------------------


class VersionMismatch(DomainError):
    """The stream has moved since the caller read it."""

    kept = False


class NotFound(DomainError):
    """There is nothing under this id."""

    kept = False


class StoredRefusal(DomainError):
    """A retried command that was refused the first time: the first answer, again."""

    kept = False

    def __init__(self, code: str, message: str, data: dict[str, Any]) -> None:
        super().__init__(message, **data)
        self._code = code

    @property
    def code(self) -> str:
        """The public name of the rule that refused it the first time."""
        return self._code


class UnknownCommand(TypeError):
    """No use case is registered for this type of command (a programming error)."""
