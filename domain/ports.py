"""What the layers ask of each other, as Protocols. `api/bootstrap.py` is where they meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.kernel import Recorded, Redacted, Scanned, Secret


class Clock(Protocol):
    """The recording clock: the database's in production, a settable one in a simulation log."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""


class Unsealer(Protocol):
    """Opens sealed fields; held only by chart, timeline, directory and documents."""

    def unseal(self, record: Recorded, field: str, value: Secret | None) -> str | Redacted | None:
        """The plain text of `value`, field `field` of `record`; `Redacted` when its key is destroyed."""

    def unsealed(self, record: Recorded) -> dict[str, object]:
        """The record's payload as plain builtins with every sealed field opened (or redacted)."""


class LogReader(Protocol):
    """Reads the log in order, decoded and upcast. Never skips: positions are dense and in commit order."""

    def head(self) -> int:
        """The highest position, 0 when the log is empty."""

    def read(
        self, after: int, limit: int, *, names: Iterable[str] | None = None, upto: int | None = None
    ) -> Sequence[Recorded]:
        """Records with after < position <= upto, ascending, at most `limit`; only `names` if given."""

    def scan(self, after: int, limit: int, *, names: Iterable[str] | None = None) -> Sequence[Scanned]:
        """The fast path for projections: like `read`, lean. The caller advances over holes left by `names`."""

    def read_subject(self, subject: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        """All records about one patient, ascending by position."""

    def read_stream(self, stream_id: UUID, *, after_version: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        """One stream, ascending by version, no record above position `upto`."""

    def position_at(self, known_at: datetime) -> int:
        """The highest position with recorded_at <= known_at."""


class ProjectionRunner(Protocol):
    """What the edge may ask of the read side's engine."""

    def run_once(self) -> int:
        """Applies at most one batch; the number of events applied."""

    def position(self, projection: str) -> int:
        """How far `projection` has come."""

    def wait_for(self, position: int, timeout_s: float) -> bool:
        """Read your writes: True once every served projection has reached `position`."""
