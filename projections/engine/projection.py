"""What a projection is: the tables it fills, the events it wants, and how a batch of them changes the rows.

A projection is pure but for its `Working` set: no clock, no sequence, no I/O, no memory between calls
of `apply`. Then the rows depend on the log alone, not on how it was cut into batches, and a rebuild
equals the incremental run row for row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec
from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.type_api import TypeEngine

from domain.kernel import Scanned
from projections.engine.working import Working

READ_MODELS = MetaData()
"""Where fact tables are declared unless a projection brings a MetaData of its own."""

Id: TypeEngine[str] = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Column type of ids and codes: text compared by bytes, the same on both databases (and quicker to index)."""


@runtime_checkable
class Projection(Protocol):
    """One question a screen asks, kept as rows.

    `version` is raised whenever the rows would come out differently; the engine then rebuilds the
    projection beside the old rows. `tables` are made by `fact_table`. `names` are the events wanted;
    `apply` is given those of one batch, ascending by position, never empty. An exception from `apply`
    makes the event that caused it *poison*: see `projections.engine.group`.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def tables(self) -> Sequence[Table]: ...
    @property
    def names(self) -> frozenset[str]: ...

    def apply(self, batch: Sequence[Scanned], working: Working) -> None: ...


class Group(msgspec.Struct, frozen=True):
    """Projections that share one leader and one pass over the log ("facts"; "directory" needs an Unsealer).

    With `whole_records` the group's projections are given `Recorded` (whose envelope an Unsealer
    needs) instead of the lean `Scanned`.
    """

    name: str
    projections: tuple[Projection, ...]
    whole_records: bool = False


def fact_table(
    name: str,
    *columns: Column[object],
    lookups: Sequence[str] = (),
    indexes: Sequence[Sequence[str]] = (),
    followed: bool = False,
    metadata: MetaData = READ_MODELS,
) -> Table:
    """A bitemporal fact table: `fact_id`, `known_from`, `known_to` and `columns`; key (fact_id, known_from).

    `lookups` are the columns by which `apply` finds open rows (`Working.preload`, `open_rows`); each gets
    an index over the open rows that exists from the start (`info={"lookup": True}`). `indexes` are for the
    screens; a rebuild creates them after the load, or when `apply` first looks rows up by one. A `followed` table
    can be asked what has been opened or closed since a position: cheaply, for rows are opened in the order of
    `known_from` (on PostgreSQL a BRIN index holds a few bytes per hundred rows) and few are ever closed. Types
    allowed: `Id`/Text, BigInteger/Integer, Boolean, Float, LargeBinary (moments are BigInteger microseconds,
    UTC; decimals integers in named micro-units, or text).
    """
    table = Table(
        name,
        metadata,
        Column("fact_id", Id, primary_key=True),
        Column("known_from", BigInteger, primary_key=True, autoincrement=False),
        Column("known_to", BigInteger, nullable=True),
        *columns,
    )
    still_open = table.c.known_to.is_(None)
    for column in lookups:
        Index(
            f"ix_{name}_open_{column}", table.c[column],
            postgresql_where=still_open, sqlite_where=still_open, info={"lookup": True},
        )  # fmt: skip
    for wanted in indexes:
        Index(f"ix_{name}_{'_'.join(wanted)}", *(table.c[column] for column in wanted))
    if followed:
        Index(
            f"ix_{name}_known_from", table.c.known_from, postgresql_using="brin",
            postgresql_with={"pages_per_range": 16, "autosummarize": True},
        )  # fmt: skip
        closed = table.c.known_to.is_not(None)
        Index(
            f"ix_{name}_known_to", table.c.known_to, postgresql_where=closed, sqlite_where=closed, info={"closed": True}
        )
    return table
