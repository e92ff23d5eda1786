"""Rows folded by group: the first or last row of a kind, what stood before, what comes next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from sqlalchemy import Table

from projections.columns.codes import NONE, Bools, Ints
from projections.columns.snapshot import Array, Rows, Snapshot
from projections.columns.store import Facts
from projections.facts.reading import Cut


def cut(rows: Rows, at: Cut) -> Rows:
    """What of `rows` had happened by `as_of` and stood at `known_at`: `Cut.on`, for columns."""
    chosen = rows["at_us"] <= at.as_of_us
    if at.known_at is None:
        chosen &= rows["known_to"] == 2**62
    else:
        chosen &= (rows["known_from"] <= at.known_at) & (rows["known_to"] > at.known_at)
    return rows.where(chosen)


def is_word(facts: Facts, column: Array, *words: str) -> Bools:
    """Which of the column's words are among these."""
    found: Bools = facts.codes("word").marked(words)[column]
    return found


def having_word(facts: Facts, table: Table, *kinds: str) -> Rows:
    """All rows of these kinds, in order: for kinds that are rare."""
    words = facts.codes("word")
    return facts.of(table).having("kind", tuple(words.of(kind) for kind in kinds))


def compact(codes: Array, size: int) -> tuple[Array, Ints]:
    """Groups numbered from 0 by code: (the code of each group, the group of each row)."""
    there = np.zeros(size, dtype=bool)
    there[codes] = True
    groups = np.flatnonzero(there)
    number = np.zeros(size, dtype=np.int64)
    number[groups] = np.arange(len(groups))
    return groups, number[codes]


def distinct(codes: Array) -> list[int]:
    """The different codes or small numbers among these, ascending; -1 is one of them. Faster than `np.unique`."""
    there = np.zeros(int(codes.max(initial=-1)) + 2, dtype=bool)
    there[codes + 1] = True
    return (np.flatnonzero(there) - 1).tolist()


def split(group: Array, count: int) -> list[Ints]:
    """The places of each group's rows, in their order, for few groups (clinics): numbered from 0; less is in none."""
    order = np.argsort(group.astype(np.int16), kind="stable")
    return [order[low:high] for low, high in pairwise(np.searchsorted(group[order], np.arange(count + 1)).tolist())]


def first(group: Array, chosen: Bools, count: int) -> Ints:
    """By group, the place of its first chosen row; -1 for none."""
    found = np.full(count, -1, dtype=np.int64)
    places = np.flatnonzero(chosen)[::-1]
    found[group[places]] = places
    return found


def last(group: Array, chosen: Bools, count: int) -> Ints:
    """By group, the place of its last chosen row; -1 for none."""
    found = np.full(count, -1, dtype=np.int64)
    places = np.flatnonzero(chosen)
    found[group[places]] = places
    return found


def pick(column: Array, places: Ints, missing: int = NONE) -> Array:
    """The column at these places; `missing` where the place is -1."""
    if not len(column):
        return np.full(len(places), missing, dtype=column.dtype)
    found: Array = np.where(places >= 0, column[places], missing)
    return found


def begins(group: Array) -> Bools:
    """Which rows are the first of their group, in rows ordered by group."""
    found = np.ones(len(group), dtype=bool)
    found[1:] = group[1:] != group[:-1]
    return found


def standing_before(group: Array, setting: Bools, *, own: bool = False) -> Ints:
    """In rows ordered by group: the place of the last `setting` row before each row (with `own`: or itself)."""
    places = np.where(setting, np.arange(len(group)), -1)
    found = np.maximum.accumulate(places) if len(places) else places
    if not own:
        found = np.append(-1, found[:-1])[: len(places)]
    start = np.maximum.accumulate(np.where(begins(group), np.arange(len(group)), 0)) if len(group) else found
    return np.where(found >= start, found, -1)


def coming_after(group: Array, setting: Bools) -> Ints:
    """In rows ordered by group: the place of the next `setting` row after each row of the same group; -1 for none."""
    size = len(group)
    if not size:
        return np.empty(0, dtype=np.int64)
    places = np.where(setting, np.arange(size), size)
    ahead = np.append(np.minimum.accumulate(places[::-1])[::-1][1:], size)
    same = ahead < size
    same[same] = group[ahead[same]] == group[same]
    return np.where(same, ahead, -1)


def whole(table: Snapshot, group: str, member: Bools, at: Cut, near: Rows | None = None) -> Rows:
    """All rows of these groups (by code, the last place for null), cut; `near` are rows that hold most of them."""
    return cut(table.among(group, member) if near is None else table.completed(group, member, near), at)


def members(codes: Array, size: int) -> Bools:
    """By code whether it is among `codes`; the last place, for null, is not."""
    found = np.zeros(size + 1, dtype=bool)
    found[codes] = True
    found[-1] = False
    return found


def counted(group: Ints) -> Ints:
    """In rows ordered by group: the row's number within its group, from 1."""
    places = np.arange(len(group))
    start = np.maximum.accumulate(np.where(begins(group), places, 0)) if len(group) else places
    return places - start + 1
