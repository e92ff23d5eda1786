"""One table's columns, followed step by step in any manner, against a plain list of the rows: the same, in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from projections.columns import snapshot, table
from projections.columns.snapshot import Rows, Snapshot
from projections.columns.table import Domains, Followed
from projections.facts.tables import follow_up_facts

WANTED = ("kind", "patient", "follow_up", "due_us")
KINDS = ("due", "superseded", "missed")
Step = tuple[list[tuple[int, int, int, int | None]], list[int]]

ROW = st.tuples(
    st.integers(0, 30), st.integers(0, 5), st.integers(0, 6), st.none() | st.integers(-4, 9)
)  # at_us, patient, follow-up, how long after at_us it is due
STEPS = st.lists(st.tuples(st.lists(ROW, max_size=9), st.lists(st.integers(0, 100), max_size=3)), max_size=7)


class Plain:
    """The table in SQLite, and its rows as dictionaries."""

    def __init__(self) -> None:
        self.raw = sqlite3.connect(":memory:")
        self.raw.execute(str(CreateTable(follow_up_facts).compile(dialect=sqlite.dialect())))
        self.rows: list[dict[str, Any]] = []
        self.position = 0

    def apply(self, step: Step) -> None:
        """Opens some rows and closes some that stand, each at a position of its own."""
        opened, closed = step
        for at_us, patient, follow_up, after in opened:
            self.position += 1
            self.rows.append({
                "fact_id": f"f{self.position}", "position": self.position * 7 % 50, "known_from": self.position,
                "known_to": None, "entry": f"e{self.position}", "at_us": at_us, "kind": KINDS[self.position % 3],
                "patient": f"p{patient}", "follow_up": None if not follow_up else f"u{follow_up}",
                "due_us": None if after is None else at_us + after,
            })  # fmt: skip
            names, marks = ", ".join(self.rows[-1]), ", ".join("?" * len(self.rows[-1]))
            self.raw.execute(f"INSERT INTO follow_up_facts ({names}) VALUES ({marks})", tuple(self.rows[-1].values()))
        for choice in closed:
            standing = [row for row in self.rows if row["known_to"] is None]
            if standing:
                self.position += 1
                row = standing[choice % len(standing)]
                row["known_to"] = self.position
                self.raw.execute(
                    "UPDATE follow_up_facts SET known_to = ? WHERE known_from = ?", (self.position, row["known_from"])
                )

    def where(self, sort: str, chosen: Callable[[dict[str, Any]], bool]) -> list[tuple[int, int | None]]:
        """Which rows, in the order that columns sorted by `sort` have, and until when each was known."""
        first = (lambda row: row["at_us"]) if sort == "at_us" else (lambda row: self._code(row["patient"]))
        rows = sorted(
            filter(chosen, self.rows), key=lambda row: (first(row), row["at_us"], row["position"], row["known_from"])
        )
        return [(row["known_from"], row["known_to"]) for row in rows]

    def _code(self, patient: str) -> int:
        """Codes are given in order of first appearance."""
        return list(dict.fromkeys(row["patient"] for row in self.rows)).index(patient)


def shown(rows: Rows) -> list[tuple[int, int | None]]:
    """The same of columns."""
    return [
        (known_from, None if known_to == 2**62 else known_to)
        for known_from, known_to in zip(rows["known_from"].tolist(), rows["known_to"].tolist(), strict=True)
    ]


@given(
    steps=STEPS, sort=st.sampled_from(["at_us", "patient"]), low=st.integers(-2, 32), span=st.integers(-1, 20),
    scanned=st.sampled_from([0, 4]),
)
@settings(max_examples=150, deadline=None)
def test_followed_columns_hold_the_rows(steps: list[Step], sort: str, low: int, span: int, scanned: int) -> None:
    """Between, near, among, of a kind: asked after every step; and a snapshot once taken never changes.

    So few loose rows are borne that small tables go through all that large ones go through.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(table, "LOOSE", 6)
        patched.setattr(snapshot, "SCANNED", scanned)
        patched.setattr(snapshot, "FEW", scanned)
        _hold_the_rows(steps, sort, low, low + span)


def _hold_the_rows(steps: list[Step], sort: str, low: int, high: int) -> None:
    plain, domains = Plain(), Domains()
    followed = Followed(follow_up_facts, WANTED, domains, sort)
    kept: list[tuple[Snapshot, list[tuple[int, int | None]]]] = []
    for step in steps:
        plain.apply(step)
        followed.follow(plain.raw, "follow_up_facts", plain.position, "?")
        found = followed.snapshot
        if sort == "at_us":
            wanted = plain.where(sort, lambda row: low <= row["at_us"] < high)
            assert shown(found.between(low, high)) == wanted
            wanted = plain.where(sort, lambda row: row["due_us"] is not None and low <= row["due_us"] < high)
            assert shown(found.near("due_us", low, high)) == wanted
        kind = domains["word"].get("due", -2)
        assert shown(found.having("kind", (kind,))) == plain.where(sort, lambda row: row["kind"] == "due")
        for column in ("patient", "follow_up"):
            codes = domains[column]
            member = np.array([code % 3 != low % 3 for code in range(len(codes.names))] + [False])
            asked = {name for name, code in codes.items() if code >= 0 and member[code]}
            wanted = plain.where(sort, lambda row, column=column, asked=asked: row[column] in asked)  # type: ignore[misc]
            assert shown(found.among(column, member)) == wanted
            if sort == "at_us":
                for near in (found.between(low, high), found.near("due_us", low, high), found.between(-9, 99)):
                    assert shown(found.completed(column, member, near)) == wanted
        kept.append((found, plain.where(sort, lambda row: True)))
    for taken, wanted in kept:
        everybody = np.ones(7, dtype=bool)
        everybody[-1] = False
        assert shown(taken.among("patient", everybody)) == wanted


def test_a_null_is_in_no_group_and_near_no_moment() -> None:
    """A row without a follow-up and without a due moment."""
    plain, followed = Plain(), Followed(follow_up_facts, WANTED, Domains())
    plain.apply(([(5, 1, 0, None)], []))
    followed.follow(plain.raw, "follow_up_facts", plain.position, "?")
    assert len(followed.snapshot.among("follow_up", np.array([True, False]))) == 0
    assert len(followed.snapshot.near("due_us", -(2**61), 2**61)) == 0
    assert len(followed.snapshot.between(5, 6)) == 1
