"""All fact tables as columns, one set per process and database, brought up to date before each answer.

The set is followed by position: what a report sees is the world at the position at which the projections stood when it
asked, every table at the same. A rebuild that has changed places with the live tables (a new generation) is read anew.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Table, inspect

from projections.columns.codes import FOREVER, Known
from projections.columns.snapshot import Snapshot
from projections.columns.table import Domains, Followed
from projections.engine.positions import POSITIONS, TableSetId, of_table_sets
from projections.facts import tables as t

_WANTED: Mapping[Table, tuple[str, ...]] = {
    t.appointment_facts: (
        "kind", "clinic", "patient", "appointment", "room", "visit_kind", "starts_us", "ends_us", "was_starts_us",
        "course", "series", "asked_by", "reason", "to_date",
    ),
    t.visit_facts: (
        "kind", "clinic", "patient", "infusion", "room", "visit_kind", "appointment", "course", "booked_starts_us",
        "reason", "scale", "score",
    ),
    t.infusion_facts: (
        "clinic", "patient", "infusion", "course", "purpose", "started_us", "dose_ng_per_kg", "run_us",
    ),
    t.score_facts: ("kind", "patient", "instrument", "value_milli"),
    t.follow_up_facts: ("kind", "clinic", "patient", "follow_up", "due_us", "instruments"),
    t.course_facts: (
        "kind", "clinic", "patient", "course", "condition", "plan", "infusion", "subject", "positive", "decision",
        "reason", "infusions", "from_date", "until_date", "other_clinic",
    ),
    t.patient_facts: ("kind", "clinic", "patient", "subject", "from_date", "until_date", "failed"),
    t.safety_facts: (
        "kind", "clinic", "patient", "infusion", "subject", "code", "grade", "serious", "onset_us", "ended_us",
        "reason",
    ),
}  # fmt: skip
_SORTED_BY = {"score_facts": "patient"}

ATTEMPTS = 5


class TablesChanging(Exception):
    """Rebuilds changed places with the live tables each time that these were read."""



class Facts:
    """The columns as they stood at one moment."""

    def __init__(self, snapshots: Mapping[str, Snapshot], domains: Domains) -> None:
        self._snapshots = snapshots
        self._domains = {name: Known(codes) for name, codes in domains.items()}

    def of(self, table: Table) -> Snapshot:
        return self._snapshots[table.name]

    def codes(self, domain: str) -> Known:
        """The codes of a domain: clinic, patient, infusion, course, appointment, room, subject, ..., word."""
        return self._domains[domain]

    def word(self, name: str) -> int:
        """The code of a kind, a reason or another word."""
        return self._domains["word"].of(name)


class Store:
    """One database's columns, for all threads of the process: one reads what is new, the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._domains = Domains()
        self._followed: dict[str, Followed] = {}
        self._sets: dict[str, TableSetId] = {}
        self._positions: bool | None = None
        self._facts: Facts | None = None
        self._at: dict[str, int] = {}

    def facts(self, conn: Connection) -> Facts:
        """The columns, with everything that the fact tables hold (or more, when another thread saw more already)."""
        if self._positions is None:
            self._positions = inspect(conn).has_table(POSITIONS.name, schema=_schema(conn))
        if not self._positions:
            with self._lock:
                return self._refreshed(conn, {}, {table.name: FOREVER for table in _WANTED})
        for _ in range(ATTEMPTS):
            sets, at = of_table_sets(conn)
            with self._lock:
                if self._facts is not None and sets == self._sets and self._covers(at):
                    return self._facts
                found = self._refreshed(conn, sets, at)
                if of_table_sets(conn)[0] == sets:
                    return found
                self._forget()  # a rebuild came in between two tables
        raise TablesChanging

    def _covers(self, at: Mapping[str, int]) -> bool:
        return all(position <= self._at.get(table, 0) for table, position in at.items())

    def _refreshed(self, conn: Connection, sets: dict[str, TableSetId], at: dict[str, int]) -> Facts:
        if self._sets != sets:
            self._forget()
        for table in _WANTED:
            self._follow(conn, table, at.get(table.name, 0))
        self._sets, self._at = sets, {name: max(upto, self._at.get(name, 0)) for name, upto in at.items()}
        self._facts = Facts({name: one.snapshot for name, one in self._followed.items()}, self._domains)
        return self._facts

    def _forget(self) -> None:
        """Old columns go before new ones come: only reports under way still hold them."""
        self._facts, self._followed, self._domains, self._sets, self._at = None, {}, Domains(), {}, {}

    def _follow(self, conn: Connection, table: Table, upto: int) -> None:
        found = self._followed.get(table.name)
        if found is None:
            sort = _SORTED_BY.get(table.name, "at_us")
            found = self._followed[table.name] = Followed(table, _WANTED[table], self._domains, sort)
        if upto <= found.position:
            return
        raw: Any = conn.connection.driver_connection
        schema = _schema(conn)
        name = f'{schema}."{table.name}"' if schema else f'"{table.name}"'
        found.follow(raw, name, upto, "%s" if conn.dialect.name == "postgresql" else "?")


def _schema(conn: Connection) -> str | None:
    translated: Mapping[str | None, str] = conn.get_execution_options().get("schema_translate_map") or {}
    return translated.get(None)


_STORES: WeakKeyDictionary[Engine, Store] = WeakKeyDictionary()
_MAKING = threading.Lock()


def facts(conn: Connection) -> Facts:
    """The columns of the connection's database, up to date."""
    with _MAKING:
        store = _STORES.get(conn.engine)
        if store is None:
            store = _STORES[conn.engine] = Store()
    return store.facts(conn)
