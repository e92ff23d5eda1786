"""A report as JSON: its figures by path, each with how many facts stand behind it and the way to them.

A report of many clinics holds ten thousand figures, so they are not turned into dictionaries first: each becomes a
struct that msgspec writes, and what is the same in all of them is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from urllib.parse import quote_plus

import msgspec

from projections.metrics.figures import Figure, Spread
from projections.metrics.lazy import Each, Later

__all__ = ["as_json"]

SAID_ONCE = frozenset({"period", "as_of", "known_at", "clinics"})
"""Fields of a report that the answer says already, beside the figures."""
OPENED_ELSEWHERE = frozenset({"rows", "numerator_rows"})


PLAIN = frozenset({type(None), str, float, int, bool, date})
"""Types that msgspec writes as they are."""


class _Behind(msgspec.Struct, frozen=True, gc=False):
    """How many facts stand behind a figure, and where they are."""

    count: int
    href: str


def as_json(report: msgspec.Struct, rows: str, **beside: Any) -> bytes:
    """`{**beside, "figures": report}`; `rows` is the address of a figure's facts but for its path, percent-encoded.

    Numbers that are not finite are null; moments keep the offset of the report.
    """
    names = [name for name in type(report).__struct_fields__ if name not in SAID_ONCE]
    figures = {name: _shown(getattr(report, name), name, rows) for name in names}
    return msgspec.json.encode({**beside, "figures": figures})


def _shown(value: Any, path: str, rows: str) -> Any:
    """`value` for msgspec to write; a figure's fact ids become their count and an address."""
    kind = type(value)
    return value if kind in PLAIN else _ways[kind](value, path, rows)


Way = Callable[[Any, str, str], Any]


class _Ways(dict[type, Way]):
    """How a value of each type is shown, found out when the first one is met."""

    def __missing__(self, kind: type) -> Way:
        found = self[kind] = _way(kind)
        return found


_ways = _Ways()


def _way(kind: type) -> Way:
    if kind in (Figure, Spread):
        return _figures(kind)
    if issubclass(kind, msgspec.Struct):
        return _structs(kind)
    if issubclass(kind, Mapping):
        return lambda value, path, rows: {
            key: _shown(inner, f"{path}.{_quoted(str(key))}", rows) for key, inner in value.items()
        }
    if issubclass(kind, list | tuple | Later | Each):
        return lambda value, path, rows: [
            _shown(inner, f"{path}.{index}", rows) for index, inner in enumerate(value)
        ]
    if issubclass(kind, datetime):
        return lambda value, path, rows: value.isoformat()
    return lambda value, path, rows: value


def _figures(kind: Any) -> Way:
    names = [name for name in kind.__struct_fields__ if name not in OPENED_ELSEWHERE]
    shown = msgspec.defstruct(f"Shown{kind.__name__}", [*names, "rows"], frozen=True, gc=False)
    fields = attrgetter(*names)
    return lambda value, path, rows: shown(*fields(value), _Behind(len(value.rows), rows + path))


def _structs(kind: Any) -> Way:
    names = kind.__struct_fields__
    shown = msgspec.defstruct(f"Shown{kind.__name__}", names, frozen=True, gc=False)

    return lambda value, path, rows: shown(*[_shown(getattr(value, name), f"{path}.{name}", rows) for name in names])


_quoted = lru_cache(4096)(quote_plus)
