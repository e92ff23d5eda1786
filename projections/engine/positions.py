"""The engine's own tables: where each projection stands, who leads each group, which events were skipped.

A projection has a row per *slot*: `live` serves the screens; `shadow` is a rebuild under way, `replay` a copy made
to be compared. Advancing is a
compare-and-set on position, generation, status and the leader's epoch: of two workers at the same
batch one gets `Fenced` and its rows are rolled back with it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    and_,
    delete,
    insert,
    select,
    update,
)

Slot = Literal["live", "shadow", "replay"]

METADATA = MetaData()

POSITIONS = Table(
    "ops_projection_positions",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("slot", String(10), primary_key=True),
    Column("group_name", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("status", String(10), nullable=False),
    Column("tables", Text, nullable=False),
    Column("error", Text),
    Column("failed_position", BigInteger),
    Column("failed_event", Text),
    Column("attempts", Integer, nullable=False),
    Column("retry_us", BigInteger),
    Column("started_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
)

LEADERS = Table(
    "ops_projection_leaders",
    METADATA,
    Column("group_name", String(100), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("worker", Text, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("beat_us", BigInteger, nullable=False),
)

SKIPS = Table(
    "ops_projection_skips",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("event", Text),
    Column("error", Text),
    Column("skipped_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("skipped_us", BigInteger, nullable=False),
)


class Fenced(Exception):
    """Another worker, a swap or an operator moved the row: this batch must not count."""


class Standing(msgspec.Struct, frozen=True):
    """One row of POSITIONS: how far a projection's tables of one slot have come, and in what state."""

    name: str
    slot: Slot
    group_name: str
    version: int
    generation: int
    position: int
    epoch: int
    status: str
    tables: str
    error: str | None
    failed_position: int | None
    failed_event: str | None
    attempts: int
    retry_us: int | None
    started_us: int
    updated_us: int

    @property
    def table_names(self) -> list[str]:
        """The tables' canonical names, the state table included."""
        return msgspec.json.decode(self.tables, type=list[str])


_STANDING = select(*POSITIONS.columns)


def _standing(row: Row[Any]) -> Standing:
    return Standing(**row._mapping)


def of_group(sql: Connection, group: str, slot: Slot = "live") -> list[Standing]:
    """The standings of a group, by name."""
    query = _STANDING.where(POSITIONS.c.group_name == group, POSITIONS.c.slot == slot).order_by(POSITIONS.c.name)
    return [_standing(row) for row in sql.execute(query)]


def every(sql: Connection) -> list[Standing]:
    """All standings."""
    return [_standing(row) for row in sql.execute(_STANDING.order_by(POSITIONS.c.name, POSITIONS.c.slot))]


def of(sql: Connection, name: str, slot: Slot = "live", *, lock: bool = False) -> Standing | None:
    """One standing; with `lock` the row is held until the transaction ends (on SQLite the whole file is)."""
    query = _STANDING.where(POSITIONS.c.name == name, POSITIONS.c.slot == slot)
    row = sql.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _standing(row)


def add(sql: Connection, standing: Standing) -> None:
    """A new row."""
    sql.execute(insert(POSITIONS).values(**msgspec.structs.asdict(standing)))


def remove(sql: Connection, name: str, slot: Slot) -> None:
    """Forgets the row."""
    sql.execute(delete(POSITIONS).where(POSITIONS.c.name == name, POSITIONS.c.slot == slot))


def change(sql: Connection, seen: Standing, now_us: int, **values: Any) -> Standing:
    """Compare-and-set: applies `values` if the row still is as `seen`. Raises Fenced."""
    mine = and_(
        POSITIONS.c.name == seen.name,
        POSITIONS.c.slot == seen.slot,
        POSITIONS.c.position == seen.position,
        POSITIONS.c.generation == seen.generation,
        POSITIONS.c.version == seen.version,
        POSITIONS.c.status == seen.status,
        POSITIONS.c.epoch == seen.epoch,
    )
    done = sql.execute(update(POSITIONS).where(mine).values(updated_us=now_us, **values))
    if done.rowcount != 1:
        raise Fenced(f"{seen.name} ({seen.slot}) is no longer at {seen.position} in epoch {seen.epoch}")
    return msgspec.structs.replace(seen, updated_us=now_us, **values)


def take_over(sql: Connection, group: str, worker: str, now_us: int) -> int:
    """Begins a new epoch of the group: whatever an earlier leader has under way can no longer commit."""
    row = sql.execute(select(LEADERS.c.epoch).where(LEADERS.c.group_name == group).with_for_update()).one_or_none()
    epoch = 1 if row is None else row.epoch + 1
    values = {"epoch": epoch, "worker": worker, "since_us": now_us, "beat_us": now_us}
    if row is None:
        sql.execute(insert(LEADERS).values(group_name=group, **values))
    else:
        sql.execute(update(LEADERS).where(LEADERS.c.group_name == group).values(**values))
    sql.execute(update(POSITIONS).where(POSITIONS.c.group_name == group).values(epoch=epoch))
    return epoch


def beat(sql: Connection, group: str, epoch: int, now_us: int) -> None:
    """Shows that the leader lives (the lock decides who leads, not this). Raises Fenced when it leads no more."""
    mine = and_(LEADERS.c.group_name == group, LEADERS.c.epoch == epoch)
    if sql.execute(update(LEADERS).where(mine).values(beat_us=now_us)).rowcount != 1:
        raise Fenced(f"epoch {epoch} of {group} is over")


def leaders(sql: Connection) -> dict[str, Any]:
    """Who leads, by group."""
    return {row.group_name: row for row in sql.execute(select(LEADERS))}


def epoch_of(sql: Connection, group: str) -> int:
    """The group's present epoch, 0 before the first leader."""
    return sql.scalar(select(LEADERS.c.epoch).where(LEADERS.c.group_name == group)) or 0


def skipped(sql: Connection, name: str, version: int) -> frozenset[int]:
    """Positions that an operator told this version of the projection to pass over."""
    query = select(SKIPS.c.position).where(SKIPS.c.name == name, SKIPS.c.version == version)
    return frozenset(sql.scalars(query))


TableSetId = tuple[int, int]
"""A set of tables: its generation, and when it was begun (a new database begins at the first generation again)."""


def of_table_sets(sql: Connection) -> tuple[dict[str, TableSetId], dict[str, int]]:
    """By live table, which set it is of and the position up to which it holds everything."""
    sets, reached = {}, {}
    p = POSITIONS.c
    live = select(p.tables, p.generation, p.started_us, p.position).where(p.slot == "live")
    for tables, generation, started_us, position in sql.execute(live):
        for name in msgspec.json.decode(tables, type=list[str]):
            sets[name], reached[name] = (generation, started_us), position
    return sets, reached
