"""Half-open intervals of microseconds, as sorted lists of pairs: union, intersection, difference, length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]
"""[start, end) in microseconds since the epoch."""


def union(spans: Iterable[Span]) -> list[Span]:
    """Sorted, disjoint, not touching; empty ones dropped."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def intersection(a: Sequence[Span], b: Sequence[Span]) -> list[Span]:
    """What two unions share."""
    shared: list[Span] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            shared.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return shared


def difference(a: Sequence[Span], b: Sequence[Span]) -> list[Span]:
    """What of union `a` is not in union `b`."""
    left: list[Span] = []
    j = 0
    for start, end in a:
        while j < len(b) and b[j][1] <= start:
            j += 1
        k, at = j, start
        while k < len(b) and b[k][0] < end:
            if b[k][0] > at:
                left.append((at, b[k][0]))
            at = max(at, b[k][1])
            k += 1
        if at < end:
            left.append((at, end))
    return left


def length(spans: Iterable[Span]) -> int:
    """Microseconds in all."""
    return sum(end - start for start, end in spans)


def clipped(spans: Iterable[Span], within: Span) -> list[Span]:
    """The parts of `spans` inside `within`."""
    low, high = within
    return [(max(start, low), min(end, high)) for start, end in spans if start < high and end > low]
