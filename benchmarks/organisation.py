"""The read models of an organisation of 30 clinics over two years: the demo's own events, many times over, as a stream.

The log itself is not written (nothing here asks it): a reader makes the events as the projections take them, from the
demo's templates (`benchmarks.histories`). Ten times the demo's three clinics stand side by side; each clinic has three
to four times the demo's patients and rooms; the half-years follow one another, with other patients in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from uuid import UUID

import msgspec

from benchmarks.histories import KEPT_KINDS, Commit, Copy, Entry, Original
from domain.catalogue import EVENTS
from domain.kernel import Recorded, Scanned
from projections.facts.encoding import micros

GROUPS = 10
"""Times the demo's three clinics."""

HALF_YEAR_DAYS = 182
DENSITIES = (4, 3, 3, 3)
"""Times the demo's patients in each clinic, by half-year, the oldest first."""


@dataclass(frozen=True)
class Strand(Copy):
    """One repetition: its clinics and staff are its group's, its rooms those of its place beside the others there."""

    organisation: frozenset[str] = frozenset()
    rooms: frozenset[str] = frozenset()
    group: int = 0
    place: int = 0

    def filled(self, slot: str, cache: dict[str, str]) -> str:
        """An id or a date as this repetition has it."""
        found = cache.get(slot)
        if found is None:
            if len(slot) == 10:
                found = (date.fromisoformat(slot) + timedelta(days=self.days)).isoformat()
            else:
                found = str(UUID(int=UUID(slot).int ^ self._mask_of(slot)))
            cache[slot] = found
        return found

    def _mask_of(self, slot: str) -> int:
        if slot in self.rooms:
            return _mask(1 + self.group * 16 + self.place) << 8
        return _mask(self.group) if slot in self.organisation else self.mask


def _mask(number: int) -> int:
    return (number << 96) | number


@dataclass
class _Reading:
    """One reader's place in the stream: what follows, and what was read ahead of it."""

    entries: Iterator[Scanned]
    after: int
    ahead: list[Scanned] = field(default_factory=list)


@dataclass
class Organisation:
    """Implements `domain.ports.LogReader` as far as projections of facts need it, reading straight on.

    The last `held_back` events are not there until they are appended.
    """

    original: Original
    densities: Sequence[int] = DENSITIES
    held_back: int = 0
    _readings: dict[frozenset[str], _Reading] = field(default_factory=dict)
    _decoders: dict[str, msgspec.json.Decoder[object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._decoders = {name: msgspec.json.Decoder(event) for name, event in EVENTS.items()}
        own = [entry for commit in self.original.commits for entry in commit.entries]
        rooms, kept = set(), set()
        for entry in own:
            if entry.name == "clinic.room_added.v1":
                payload = msgspec.json.decode("".join(entry.payload.pieces))
                rooms.add(payload["room_id"])
            if entry.name.startswith(KEPT_KINDS):
                kept.update(piece for piece in (entry.stream_id, *entry.payload.pieces[1::2]) if len(piece) == 36)
        self._rooms, self._kept = frozenset(rooms), frozenset(kept - rooms)
        self._head = sum(1 for _ in self._entries())

    @property
    def clinics(self) -> list[str]:
        """All thirty, in the order in which they stand side by side."""
        strands = [self._strand(group, 0, 0, 0) for group in range(GROUPS)]
        return [strand.filled(clinic, {}) for strand in strands for clinic in self.original.clinics]

    def head(self) -> int:
        return self._head - self.held_back

    def append(self, events: int) -> int:
        """Lets as many of the events held back be there, as far as there are any; how many."""
        appended = min(events, self.held_back)
        self.held_back -= appended
        return appended

    def scan(self, after: int, limit: int, *, names: Iterable[str] | None = None) -> Sequence[Scanned]:
        wanted, head = frozenset(EVENTS if names is None else names), self.head()
        reading = self._readings.get(wanted)
        if reading is None or after < reading.after:
            reading = self._readings[wanted] = _Reading(self._numbered(wanted, after), after)
        left = [one for one in reading.ahead if one.position > after]  # read ahead, and now asked for otherwise
        while len(left) < limit and (not left or left[-1].position <= head):
            more = list(islice(reading.entries, limit - len(left)))
            if not more:
                break
            left += (one for one in more if one.position > after)
        reading.after, reading.ahead = after, left
        return [one for one in left[:limit] if one.position <= head]

    def read(
        self, after: int, limit: int, *, names: Iterable[str] | None = None, upto: int | None = None
    ) -> Sequence[Recorded]:
        raise NotImplementedError("only groups without names are fed")

    def _strand(self, group: int, place: int, half_year: int, number: int) -> Strand:
        days = -HALF_YEAR_DAYS * (len(self.densities) - 1 - half_year)
        return Strand(
            mask=_mask(4096 + number), days=days, organisation=self._kept, rooms=self._rooms, group=group, place=place
        )

    def _numbered(self, names: frozenset[str], after: int = 0) -> Iterator[Scanned]:
        for position, entry, commit, strand, cache in self._entries():
            if position > after and entry.name in names:
                yield self._scanned(position, entry, commit, strand, cache)

    def _entries(self) -> Iterator[tuple[int, Entry, Commit, Strand, dict[str, str]]]:
        position = number = 0
        for half_year, density in enumerate(self.densities):
            strands = []
            for group in range(GROUPS):
                for place in range(density):
                    strands.append(self._strand(group, place, half_year, number))
                    number += 1
            caches: list[dict[str, str]] = [{} for _ in strands]
            for commit in self.original.commits:
                for strand, cache in zip(strands, caches, strict=True):
                    for entry in commit.entries:
                        if self._told(entry.name, strand, half_year):
                            position += 1
                            yield position, entry, commit, strand, cache

    def _told(self, name: str, strand: Strand, half_year: int) -> bool:
        """Clinics are founded once; each place beside the first adds its rooms."""
        if not name.startswith(KEPT_KINDS):
            return True
        return half_year == 0 and (strand.place == 0 or name == "clinic.room_added.v1")

    def _scanned(
        self, position: int, entry: Entry, commit: Commit, strand: Strand, cache: dict[str, str]
    ) -> Scanned:
        said = msgspec.json.decode(commit.envelope.fill(strand, cache), type=_Envelope)
        recorded_us = micros(commit.recorded_at)
        assert recorded_us is not None
        return Scanned(
            position=position, stream=strand.filled(entry.stream_id, cache),
            version=entry.version + 1000 * strand.place, name=entry.name,
            event=self._decoders[entry.name].decode(entry.payload.fill(strand, cache)),  # type: ignore[arg-type]
            clinic=said.clinic_id, subject=said.subject,
            recorded_us=recorded_us + strand.days * 86_400_000_000,
        )  # fmt: skip


class _Envelope(msgspec.Struct):
    clinic_id: str | None = None
    subject: str | None = None
