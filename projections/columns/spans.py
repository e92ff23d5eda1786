"""Half-open intervals as two arrays, of many rooms at once: each room has a stretch of one long axis to itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from projections.columns.codes import Bools, Ints


class Spans(NamedTuple):
    """[starts, ends)."""

    starts: Ints
    ends: Ints

    @property
    def lengths(self) -> Ints:
        return self.ends - self.starts

    def shifted(self, by: Ints | int) -> Spans:
        return Spans(self.starts + by, self.ends + by)

    def at(self, places: Ints | Bools) -> Spans:
        return Spans(self.starts[places], self.ends[places])


NOTHING = Spans(np.empty(0, np.int64), np.empty(0, np.int64))


def clipped(spans: Spans, low: int | Ints, high: int | Ints) -> Spans:
    """The parts inside [low, high), in their order; empty ones dropped."""
    starts, ends = np.maximum(spans.starts, low), np.minimum(spans.ends, high)
    keep = starts < ends
    return Spans(starts[keep], ends[keep])


def union(spans: Spans) -> Spans:
    """Sorted, disjoint, not touching."""
    order = np.argsort(spans.starts, kind="stable")
    starts, ends = spans.starts[order], spans.ends[order]
    keep = starts < ends
    starts, ends = starts[keep], np.maximum.accumulate(ends[keep])
    if not len(starts):
        return NOTHING
    new = np.append(True, starts[1:] > ends[:-1])
    first = np.flatnonzero(new)
    return Spans(starts[first], ends[np.append(first[1:], len(starts)) - 1])


def common(spans: Spans, others: Spans) -> tuple[Spans, Ints]:
    """What each of `spans` (in any order, overlapping or not) shares with the union `others`; which of them it is."""
    low = np.searchsorted(others.ends, spans.starts, side="right")
    high = np.searchsorted(others.starts, spans.ends, side="left")
    which, other = paired(low, high)
    return Spans(
        np.maximum(spans.starts[which], others.starts[other]), np.minimum(spans.ends[which], others.ends[other])
    ), which


def paired(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Every (place, number) with low[place] <= number < high[place]."""
    counts = np.maximum(high - low, 0)
    which = np.repeat(np.arange(len(low)), counts)
    number = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + low[which]
    return which, number


def intersection(spans: Spans, others: Spans) -> Spans:
    """What two unions share, sorted."""
    return common(spans, others)[0]


def difference(spans: Spans, others: Spans) -> Spans:
    """What of the union `spans` is not in the union `others`, sorted."""
    if not len(others.starts) or not len(spans.starts):
        return spans
    low, high = int(spans.starts[0]), int(spans.ends[-1])
    gaps = Spans(np.append(low, others.ends), np.append(others.starts, high))
    keep = gaps.starts < gaps.ends
    return intersection(spans, gaps.at(keep))
