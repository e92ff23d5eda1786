"""Strict marshmallow fields: what is documented is what is accepted, nothing is coerced.

A number where text is due, `1` for true, a moment without an offset or a string that no database can store is
refused with its pointer instead of being guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields

__all__ = [
    "AwareMoment", "ExactDecimal", "LocalDate", "LocalOrAwareMoment", "LocalTime", "StrictBoolean", "StrictId",
    "StrictInteger", "Text", "is_storable",
]

_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
_LOCAL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_MOMENT = re.compile(_LOCAL + r"([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII)
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LOCAL_MOMENT = re.compile(_LOCAL, re.ASCII)

EARLIEST_YEAR, LATEST_YEAR = 1900, 2200
"""No moment or date in a clinic's records lies outside; conversions near year 1 or 9999 would overflow."""


def is_storable(text: str) -> bool:
    """Whether every database can hold it: no control characters but tab and newline, no lone surrogates."""
    return _UNSTORABLE.search(text) is None


class Text(fields.Field[str]):
    """Text of `shortest` to `longest` characters that every database can hold."""

    def __init__(self, *, shortest: int = 1, longest: int = 2000, pattern: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shortest, self.longest = shortest, longest
        self.pattern = None if pattern is None else re.compile(pattern, re.ASCII)
        self.metadata = {"type": "string", "minLength": shortest, "maxLength": longest, **self.metadata}
        if pattern is not None:
            self.metadata.setdefault("pattern", f"^{pattern}$")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not text.")
        if not self.shortest <= len(value) <= self.longest:
            raise ValidationError(f"Must have {self.shortest} to {self.longest} characters.")
        if not is_storable(value):
            raise ValidationError("Holds a character that cannot be stored (control character or lone surrogate).")
        if self.pattern is not None and not self.pattern.fullmatch(value):
            raise ValidationError(f"Must match {self.pattern.pattern}")
        if self.shortest and not value.strip():
            raise ValidationError("Must not be blank.")
        return value


class StrictInteger(fields.Field[int]):
    """A whole JSON number; true is not 1 and "1" is not 1."""

    def __init__(self, *, low: int = -1_000_000_000, high: int = 1_000_000_000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high
        self.metadata = {"type": "integer", "minimum": low, "maximum": high, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValidationError("Not a whole number.")
        if not self.low <= value <= self.high:
            raise ValidationError(f"Must lie between {self.low} and {self.high}.")
        return value


class StrictBoolean(fields.Field[bool]):
    """true or false."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "boolean", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class ExactDecimal(fields.Field[Decimal]):
    """A decimal as a string ("82.5"), so that no float rounds a dose. At most nine digits, six after the point."""

    def __init__(self, *, negative: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.accepted = _DECIMAL if negative else _AMOUNT
        self.metadata = {"type": "string", "pattern": f"^{self.accepted.pattern}$", "maxLength": 17, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        if not isinstance(value, str) or not self.accepted.fullmatch(value):
            raise ValidationError('Not a decimal in a string, such as "82.5".')
        return Decimal(value)


class StrictId(fields.Field[UUID]):
    """A UUID in its canonical form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "string", "format": "uuid", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise ValidationError("Not a UUID.")
        return UUID(value)


class LocalDate(fields.Field[date]):
    """A calendar day, YYYY-MM-DD."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "string", "format": "date", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> date:
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            raise ValidationError("Not a date (YYYY-MM-DD).")
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise ValidationError("No such day.") from error
        _check_year(day.year)
        return day


class LocalTime(fields.Field[time]):
    """A clinic-local time of day, HH:MM or HH:MM:SS."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "string", "pattern": f"^{_TIME.pattern}$", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> time:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise ValidationError("Not a time of day (HH:MM).")
        try:
            return time.fromisoformat(value)
        except ValueError as error:
            raise ValidationError("No such time of day.") from error


class AwareMoment(fields.Field[datetime]):
    """An RFC 3339 moment; its offset is required and kept."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "string", "format": "date-time", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise ValidationError("Not an RFC 3339 time with an offset, such as 2026-03-02T09:00:00-08:00.")
        return _moment(value)


class LocalOrAwareMoment(fields.Field[datetime]):
    """An RFC 3339 moment, or without an offset the clinic's wall clock (resolved where the clinic is known)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pattern = f"^{_LOCAL}([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?$"
        self.metadata = {"type": "string", "pattern": pattern, "maxLength": 40, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not (_MOMENT.fullmatch(value) or _LOCAL_MOMENT.fullmatch(value)):
            raise ValidationError("Not an RFC 3339 time, with an offset or in the clinic's wall clock.")
        return _moment(value)


def _moment(value: str) -> datetime:
    text = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", value.upper())  # finer than a microsecond: cut
    text = text.replace(":60", ":59") if re.search(r":[0-9]{2}:60", text) else text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValidationError("No such time.") from error
    _check_year(moment.year)
    return moment


def _check_year(year: int) -> None:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise ValidationError(f"The year must lie between {EARLIEST_YEAR} and {LATEST_YEAR}.")
