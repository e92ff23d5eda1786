"""A report as JSON: its figures by path, each with how many facts stand behind it and the way to them.

A report of many clinics holds ten thousand figures, so they are not turned into dictionaries first: each becomes a
struct that msgspec writes, and what is the same in all of them is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from urllib.parse import quote_plus

import msgspec

from projections.metrics.figures import Figure, Spread
from projections.metrics.lazy import Later

__all__ = ["as_json"]

SAID_ONCE = frozenset({"period", "as_of", "known_at", "clinics"})
"""Fields of a report that the answer says already, beside the figures."""
OPENED_ELSEWHERE = frozenset({"rows", "numerator_rows"})


class _Behind(msgspec.Struct, frozen=True):
    """How many facts stand behind a figure, and where they are."""

    count: int
    href: str


def as_json(report: msgspec.Struct, rows: str, **beside: Any) -> bytes:
    """`{**beside, "figures": report}`; `rows` is the address of a figure's facts but for its path, percent-encoded.

    Numbers that are not finite are null; moments keep the offset of the report.
    """
    return msgspec.json.encode({**beside, "figures": _members(report, "", rows, skip=SAID_ONCE)})


def _members(value: msgspec.Struct, path: str, rows: str, skip: frozenset[str] = frozenset()) -> dict[str, Any]:
    names = type(value).__struct_fields__
    return {name: _shown(getattr(value, name), path + name, rows) for name in names if name not in skip}


def _shown(value: Any, path: str, rows: str) -> Any:
    """`value` for msgspec to write; a figure's fact ids become their count and an address."""
    kind = type(value)
    if kind in _SHAPES:
        make, fields = _SHAPES[kind]
        return make(*fields(value), _Behind(len(value.rows), rows + path))
    if value is None or kind is str or kind is float or kind is int or kind is bool:
        return value
    if kind is datetime:
        return value.isoformat()
    if isinstance(value, msgspec.Struct):
        return _members(value, path + ".", rows)
    if isinstance(value, Mapping):
        return {key: _shown(inner, f"{path}.{_quoted(str(key))}", rows) for key, inner in value.items()}
    if isinstance(value, list | tuple | Later):
        return [_shown(inner, f"{path}.{index}", rows) for index, inner in enumerate(value)]
    return value


def _shape(kind: type[msgspec.Struct]) -> tuple[Callable[..., msgspec.Struct], Callable[[Any], tuple[Any, ...]]]:
    """The struct that a figure becomes, and what is taken from the figure for it, in order."""
    kept = [name for name in kind.__struct_fields__ if name not in OPENED_ELSEWHERE]
    shown = msgspec.defstruct(f"Shown{kind.__name__}", [*kept, "rows"], frozen=True)
    return shown, attrgetter(*kept)


_SHAPES = {kind: _shape(kind) for kind in (Figure, Spread)}
_quoted = lru_cache(4096)(quote_plus)
