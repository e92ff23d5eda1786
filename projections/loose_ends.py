"""What was begun and is not ended? Visits, rooms, verbal orders, draws and alerts as intervals, one row each.

An interval's end is part of its row, so that what is open now is read from an index over standing rows and costs the
same after ten years. Several entries may end one thing (an alert is answered by a pause, then by a prescriber's
reason): the earliest that stands counts, in whatever order they were entered, amended or struck.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Table, and_, select

from domain.corrections import EntryAmended, EntryStruck
from domain.kernel import Scanned
from projections.engine.working import Row, Working
from projections.facts.catalogue import ENDS_OF_LOOSE_ENDS, LOOSE_ENDS
from projections.facts.reading import Cut, fetch
from projections.facts.recording import CORRECTIONS
from projections.facts.tables import loose_end_facts as ends

OPEN = 2**62
"""`until_us` of what has not ended."""

END = "_end"
"""What the kind of a row that ends something has after that of what it ends."""


class LooseEnds:
    """Follows what begins and ends. Whatever is entered, late, corrected or struck, settles the rows it concerns."""

    name = "loose_ends"
    version = 1
    tables: Sequence[Table] = (ends,)
    names = frozenset({fact.name for fact in (*LOOSE_ENDS, *ENDS_OF_LOOSE_ENDS)} | CORRECTIONS)

    def __init__(self) -> None:
        self._facts = {fact.name: (fact, fact.opener()) for fact in (*LOOSE_ENDS, *ENDS_OF_LOOSE_ENDS)}

    def apply(self, batch: Sequence[Scanned], working: Working) -> None:
        """Opens, ends and corrects the rows of one batch."""
        rows = {one.position: self._row(one) for one in batch if one.name not in CORRECTIONS}
        working.preload(ends, "subject", [row["subject"] for row in rows.values()])
        working.preload(ends, "stream", [one.stream for one in batch if one.name in CORRECTIONS])
        for scanned in batch:
            row = rows.get(scanned.position)
            if row is None:
                self._correct(scanned, working)
            elif row["kind"].endswith(END):
                working.open_row(ends, {**row, "until_us": row["at_us"]})
                _settle(working, row["subject"], row["kind"].removesuffix(END), scanned.position)
            else:
                working.open_row(ends, {**row, "until_us": _until(row, _beside(working, row["subject"], row["kind"]))})

    def _row(self, scanned: Scanned) -> Row:
        row: Row = self._facts[scanned.name][1](scanned)
        row["stream"] = scanned.stream
        row["subject"] = row["subject"] or scanned.stream
        return row

    def _correct(self, scanned: Scanned, working: Working) -> None:
        event = scanned.event
        assert isinstance(event, EntryAmended | EntryStruck)
        entry = f"{scanned.stream}:{event.entry}"
        for row in working.open_rows(ends, "stream", scanned.stream):
            if row["entry"] != entry:
                continue
            if isinstance(event, EntryStruck):
                working.close(ends, row, scanned.position)
            else:
                changes = self._facts[event.entry_name][0].corrected(event.corrections)
                if row["kind"].endswith(END) and "at_us" in changes:
                    changes["until_us"] = changes["at_us"]
                working.revise(ends, row, scanned.position, **changes)
            _settle(working, row["subject"], row["kind"].removesuffix(END), scanned.position)


def _beside(working: Working, subject: str, kind: str) -> list[Row]:
    """What ends `kind` of `subject`, as it stands."""
    return [row for row in working.open_rows(ends, "subject", subject) if row["kind"] == kind + END]


def _settle(working: Working, subject: str, kind: str, position: int) -> None:
    """Gives what began its end: the earliest that stands."""
    closers = _beside(working, subject, kind)
    for row in working.open_rows(ends, "subject", subject):
        if row["kind"] == kind:
            working.revise(ends, row, position, until_us=_until(row, closers))


def _until(row: Row, closers: Sequence[Row]) -> int:
    """A room may be taken again after it was released, so only a later release ends a stay."""
    later = (one["at_us"] for one in closers if row["kind"] != "room" or _order(one) > _order(row))
    return min(later, default=OPEN)


def _order(row: Row) -> tuple[int, int]:
    return row["at_us"], row["position"]


# --- asking ---------------------------------------------------------------------------------------


def open_ends(conn: Connection, clinics: Collection[str], cut: Cut) -> list[Row]:
    """What had begun and not ended in these clinics at `as_of`, as known at `known_at`, oldest first.

    Two ways into the table, so that neither question reads the past: rows that stand and end later than `as_of`; and,
    asked for an earlier position, rows that stood then and were revised since.
    """
    here = and_(ends.c.clinic.in_(sorted(clinics)), ends.c.at_us <= cut.as_of_us, ends.c.until_us > cut.as_of_us)
    query = select(ends).where(here, ends.c.known_to.is_(None))
    if cut.known_at is not None:
        then = ends.c.known_from <= cut.known_at
        revised = select(ends).where(here, then, ends.c.known_to > cut.known_at)
        found = fetch(conn, query.where(then)) + fetch(conn, revised)
    else:
        found = fetch(conn, query)
    return sorted(found, key=lambda row: (row["at_us"], row["position"]))
