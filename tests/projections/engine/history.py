"""A small world for the engine's tests: events about boxes, a log of them, and projections that use all of `Working`.

The events are real event structs; the log is a list behind the `LogReader` protocol, which can be made to grow,
to refuse an entry as undecodable, or to be lost.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, MetaData, Table

from domain.kernel import Event, Recorded, Scanned
from projections.engine.projection import Id, fact_table
from projections.engine.working import Working

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
START_US = int(START.timestamp() * 1_000_000)


class BoxFilled(Event, frozen=True, kw_only=True):
    NAME = "box.filled.v1"
    box: str
    amount: int


class BoxEmptied(Event, frozen=True, kw_only=True):
    NAME = "box.emptied.v1"
    box: str


class BoxRecounted(Event, frozen=True, kw_only=True):
    """The whole content of a box anew: what a refold after an amendment is."""

    NAME = "box.recounted.v1"
    box: str
    amounts: tuple[int, ...]


class BoxMoved(Event, frozen=True, kw_only=True):
    NAME = "box.moved.v1"
    box: str
    shelf: str


class BoxErased(Event, frozen=True, kw_only=True):
    NAME = "box.erased.v1"
    box: str


class Poisonous(Event, frozen=True, kw_only=True):
    NAME = "box.poisoned.v1"
    box: str


class Unrelated(Event, frozen=True, kw_only=True):
    NAME = "other.happened.v1"


class Undecodable(Exception):
    def __init__(self, position: int, name: str) -> None:
        super().__init__(f"{name} at {position}")
        self.position = position
        self.name = name


class Cured:
    """Whether the poison has been cured: the bug fixed and deployed, so to speak."""

    def __init__(self) -> None:
        self.yes = False


class ListLog:
    """A LogReader over a list of events."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.entries: list[Scanned] = []
        self.undecodable: set[int] = set()
        self.lost: Exception | None = None
        self._growing = threading.Lock()
        self.append(*events)

    def append(self, *events: Event) -> int:
        with self._growing:
            for event in events:
                position = len(self.entries) + 1
                self.entries.append(
                    Scanned(position, f"s{position % 7}", position, event.NAME, event, "c1", None, START_US + position)
                )
            return len(self.entries)

    def head(self) -> int:
        if self.lost:
            raise self.lost
        return len(self.entries)

    def scan(self, after: int, limit: int, *, names: Iterable[str] | None = None) -> Sequence[Scanned]:
        if self.lost:
            raise self.lost
        wanted = None if names is None else frozenset(names)
        found: list[Scanned] = []
        for entry in self.entries[after:]:
            if len(found) == limit:
                break
            if wanted is None or entry.name in wanted:
                if entry.position in self.undecodable:
                    raise Undecodable(entry.position, entry.name)
                found.append(entry)
        return found

    def read(
        self, after: int, limit: int, *, names: Iterable[str] | None = None, upto: int | None = None
    ) -> Sequence[Recorded]:
        moment = START + timedelta(seconds=1)
        return [
            Recorded(
                e.position, UUID(int=e.position), e.version, e.name, e.event, moment, moment, "a", "system", None, 0,
                None, "entered", None, None, None, b"",
            )
            for e in self.scan(after, limit, names=names)
            if upto is None or e.position <= upto
        ]  # fmt: skip

    def read_subject(self, subject: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        return ()

    def read_stream(self, stream_id: UUID, *, after_version: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        return ()

    def position_at(self, known_at: datetime) -> int:
        return len(self.entries)


METADATA = MetaData()
CONTENTS: Table = fact_table(
    "box_contents",
    Column("box", Id), Column("amount", BigInteger), Column("large", Boolean), Column("note", Id),
    lookups=("box",), indexes=(("amount",), ("box", "known_from")), metadata=METADATA,
)  # fmt: skip
PLACES: Table = fact_table(
    "box_places",
    Column("box", Id), Column("shelf", Id), Column("moves", BigInteger),
    indexes=(("shelf",), ("box",)), metadata=METADATA,
)  # fmt: skip
TOTALS: Table = fact_table("box_totals", Column("filled", BigInteger), lookups=(), metadata=METADATA)


class Contents:
    """Opens a row per filling, closes them when emptied, refolds at a recount, purges when erased."""

    version = 1
    tables = (CONTENTS,)
    names = frozenset(
        {BoxFilled.NAME, BoxEmptied.NAME, BoxRecounted.NAME, BoxErased.NAME, BoxMoved.NAME, Poisonous.NAME}
    )

    def __init__(self, name: str = "contents", *, cured: Cured | None = None) -> None:
        self.name = name
        self.cured = cured or Cured()

    def apply(self, batch: Sequence[Scanned], working: Working) -> None:
        working.preload(CONTENTS, "box", [entry.event.box for entry in batch])  # type: ignore[attr-defined]
        for entry in batch:
            self._follow(entry, working)

    def _follow(self, entry: Scanned, working: Working) -> None:
        at = entry.position
        match entry.event:
            case BoxFilled(box=box, amount=amount):
                working.open(CONTENTS, fact_id=f"{at}:0", known_from=at, box=box, amount=amount, large=amount > 5)
            case BoxEmptied(box=box):
                for row in working.open_rows(CONTENTS, "box", box):
                    working.close(CONTENTS, row, at)
            case BoxRecounted(box=box, amounts=amounts):
                wanted = [
                    {"fact_id": f"{box}:{i}", "box": box, "amount": amount, "large": amount > 5}
                    for i, amount in enumerate(amounts)
                ]
                working.refold(CONTENTS, working.open_rows(CONTENTS, "box", box), wanted, at)
            case BoxMoved(box=box, shelf=shelf):
                rows = working.open_rows(CONTENTS, CONTENTS.c.box, box)
                if rows:  # the oldest row, by an order that must not depend on batches
                    working.revise(CONTENTS, rows[0], at, note=shelf)
                    fleeting = working.open(CONTENTS, fact_id=f"{at}:f", known_from=at, box=box, amount=0)
                    working.close(CONTENTS, fleeting, at)
            case BoxErased(box=box):
                working.purge(CONTENTS, "box", box)
            case Poisonous():
                if not self.cured.yes:
                    raise ZeroDivisionError("a poisonous event")


class Moves(msgspec.Struct):
    shelf: str
    moves: int = 0
    seen: list[str] = []


class Places:
    """Keeps where each box is, with the number of moves folded in a state; looks rows up by another column too."""

    name = "places"
    version = 1
    tables = (PLACES, TOTALS)
    names = frozenset({BoxMoved.NAME, BoxFilled.NAME, BoxErased.NAME})

    def apply(self, batch: Sequence[Scanned], working: Working) -> None:
        working.preload_states("moves", [entry.event.box for entry in batch])  # type: ignore[attr-defined]
        for entry in batch:
            match entry.event:
                case BoxMoved(box=box, shelf=shelf):
                    self._move(entry.position, box, shelf, working)
                case BoxFilled(amount=amount):
                    self._count(entry.position, amount, working)
                case BoxErased(box=box):
                    working.put_fold("moves", box, None)
                    for row in working.open_rows(PLACES, "box", box):
                        working.close(PLACES, row, entry.position)

    def _move(self, at: int, box: str, shelf: str, working: Working) -> None:
        moves = working.fold("moves", box, Moves) or Moves(shelf)
        moves.moves += 1
        moves.shelf = shelf
        moves.seen = [*moves.seen, shelf][-3:]
        working.put_fold("moves", box, moves)
        crowded = working.open_rows(PLACES, "shelf", shelf)
        if len(crowded) >= 3:  # the oldest leaves a full shelf
            working.close(PLACES, crowded[0], at)
        for row in working.open_rows(PLACES, "box", box):
            working.close(PLACES, row, at)
        working.open(PLACES, fact_id=f"{at}:p", known_from=at, box=box, shelf=shelf, moves=moves.moves)

    def _count(self, at: int, amount: int, working: Working) -> None:
        total = int(working.state("total", "all") or b"0") + amount
        working.put_state("total", "all", str(total).encode())
        for row in working.open_rows(TOTALS, "fact_id", "total"):
            working.close(TOTALS, row, at)
        working.open(TOTALS, fact_id="total", known_from=at, filled=total)


def everything(database: Any, tables: Iterable[str]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the named stored tables, sorted."""
    with database.reads.connect() as sql:
        return {
            name: sorted((tuple(row) for row in sql.exec_driver_sql(f"SELECT * FROM {database.name(name)}")), key=repr)
            for name in tables
        }


ALL_TABLES = ("box_contents", "contents__state", "box_places", "box_totals", "places__state")
