"""Every room of every clinic on one line: each has a stretch to itself, so that all are united and cut at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from projections.columns.codes import Ints, Known
from projections.columns.opening import room_open
from projections.columns.snapshot import Array
from projections.columns.spans import NOTHING, Spans
from projections.metrics.calendar import ClinicCalendar

_ROOMS = 32
"""Bits of a room's code within its key."""


class RoomAxis:
    """The rooms in service at these clinics and those of `keys`; moments lie within [low, high)."""

    def __init__(
        self, names: Known, calendars: Sequence[ClinicCalendar], keys: Sequence[Array], low: int, high: int
    ) -> None:
        self._names, self._calendars = names, calendars
        self._base, self._width = low, high - low
        unseen = {room.room: 0 for one in calendars for room in one.rooms if names.of(room.room) < 0}
        self._unseen = tuple(unseen)
        """Rooms that no fact names yet, with codes behind the others'."""
        unseen.update({room: len(names) + place for place, room in enumerate(unseen)})

        def key(number: int, room: str) -> int:
            return number << _ROOMS | unseen.get(room, names.of(room)) + 1

        served = [
            (key(number, room.room), room.from_us, room.until_us)
            for number, one in enumerate(calendars) for room in one.rooms
        ]  # fmt: skip
        own, since, until = np.array(served, dtype=np.int64).reshape(-1, 3).T
        self._keys = np.unique(np.concatenate((*keys, own)))
        self.clinic: Ints = self._keys >> _ROOMS
        """By room."""
        self._since, self._until = np.full(len(self._keys), low), np.full(len(self._keys), low)
        """By room in service once and never closed by itself, between when."""
        self._since[self.places(own)], self._until[self.places(own)] = since, until
        closed = [
            key(number, each.room) for number, one in enumerate(calendars) for each in one.closures if each.room
        ]  # fmt: skip
        twice = own[np.flatnonzero(np.bincount(self.places(own), minlength=len(self._keys))[self.places(own)] > 1)]
        for some in (twice, np.intersect1d(np.array(closed, dtype=np.int64), self._keys)):
            self._until[self.places(some)] = low

    @staticmethod
    def keys(clinic: Ints, room: Array) -> Ints:
        """What a room is known by before it is placed."""
        return clinic << _ROOMS | (room.astype(np.int64) + 1)

    def _name(self, code: int) -> str:
        seen = len(self._names)
        return self._names.name(code) if code < seen else self._unseen[code - seen]

    def places(self, keys: Ints) -> Ints:
        """The rooms' numbers on the axis."""
        return np.searchsorted(self._keys, keys)

    def put(self, spans: Spans, room: Ints) -> Spans:
        """`spans` of these rooms, on the axis."""
        return spans.shifted(room * self._width - self._base)

    def room(self, spans: Spans) -> Ints:
        """Whose they are."""
        return spans.starts // self._width

    def moment(self, us: Ints, room: Ints) -> Ints:
        """Back from the axis."""
        return us - room * self._width + self._base

    def moments(self, spans: Spans, room: Ints) -> Spans:
        """Back from the axis."""
        return spans.shifted(self._base - room * self._width)

    def on(self, us: Ints, room: Ints) -> Ints:
        """A moment of each room, on the axis."""
        return us + room * self._width - self._base

    def opening(self, by_clinic: Sequence[Spans]) -> Spans:
        """Each room's share of its clinic's `spans` (sorted, disjoint): as far as it is in service and not closed."""
        parts = [NOTHING]
        edges = np.searchsorted(self.clinic, np.arange(len(self._calendars) + 1))
        for number, spans in enumerate(by_clinic):
            parts += self._of_clinic(number, spans, np.arange(edges[number], edges[number + 1]))
        found = Spans(*(np.concatenate(side) for side in zip(*parts, strict=True)))
        order = np.argsort(found.starts, kind="stable")
        return found.at(order)

    def _of_clinic(self, number: int, spans: Spans, rooms: Ints) -> list[Spans]:
        if not len(spans.starts) or not len(rooms):
            return []
        calendar, parts = self._calendars[number], []
        always = (self._since[rooms] <= spans.starts[0]) & (self._until[rooms] >= spans.ends[-1])
        simple = rooms[always]
        for place in rooms[~always].tolist():
            name = self._name(int(self._keys[place] & (1 << _ROOMS) - 1) - 1)
            parts.append(self.put(room_open(calendar, name, spans), np.int64(place)))  # type: ignore[arg-type]
        if len(simple):
            shift = (simple * self._width - self._base)[:, None]
            parts.append(Spans((spans.starts + shift).ravel(), (spans.ends + shift).ravel()))
        return parts
