"""How an event's fields become column values: whole numbers and text, the same on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from domain.vocabulary.vitals import SET

Encode = Callable[[Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def micros(moment: datetime | None) -> int | None:
    """Microseconds since the epoch, exact."""
    if moment is None:
        return None
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def moment(us: int) -> datetime:
    """The aware UTC datetime of `us` microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=us)


def plain(value: Any) -> Any:
    return value


ident: Callable[[UUID | None], str | None] = msgspec.to_builtins
"""An id as text, three times as fast as `str` does it (measured: 0.15 against 0.49 us, for two in three events)."""


def flag(value: bool | None) -> int | None:
    return None if value is None else int(value)


def iso(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def scaled(factor: int) -> Encode:
    """A decimal as whole `1/factor` units, rounded half to even."""

    def encode(value: Decimal | int | None) -> int | None:
        return None if value is None else int((value * factor).to_integral_value() if isinstance(value, Decimal)
                                              else value * factor)

    return encode


def as_json(value: Any) -> str:
    """Readable JSON with its keys in order, so that equal values are equal text."""
    return msgspec.json.encode(value, order="deterministic").decode()


def any_uncontrolled(findings: Iterable[Any]) -> int:
    """1 when a screening found something uncontrolled."""
    return int(any(finding.status == "uncontrolled" for finding in findings))


def any_measured(vitals: Any) -> int:
    """1 when at least one sign of the set has a value."""
    return int(any(getattr(vitals, sign) is not None for sign in SET))
