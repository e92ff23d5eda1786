"""Fact rows: corrections, both clocks, and that the rows depend on the log alone."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_args, get_origin
from uuid import UUID

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from domain.catalogue import EVENTS
from domain.corrections import apply_correction
from domain.kernel import Event
from domain.protocol import EXAMPLE_PROTOCOL
from projections import boosters, outcomes, safety, utilization
from projections.facts.catalogue import OUTCOMES, SAFETY, UTILIZATION
from projections.facts.reading import opened
from projections.facts.recording import PREFIXES, FactOf
from projections.facts.tables import metadata
from projections.metrics.calendar import Period
from projections.metrics.figures import plain
from tests.support.clinic_life import Life
from tests.support.facts import facts_of
from tests.support.histories import History, scanned, uid

FIRST = date(2026, 3, 2)
WEEK = Period(FIRST, FIRST + timedelta(days=9))
LATER = datetime(2026, 6, 1, tzinfo=UTC)
SOME = settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))


def rows(conn: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every fact row of every table, in a stable order."""
    return {
        name: sorted((tuple(row) for row in conn.execute(select(table))), key=repr)
        for name, table in metadata.tables.items()
    }


def made_up(kind: Any, draw: random.Random) -> Any:
    """Some value of a field's type."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is str or str in args:
        return draw.choice(["nausea", "patient", "crps"])
    if type(None) in args:
        return made_up(next(one for one in args if one is not type(None)), draw)
    if origin is tuple:
        return tuple(made_up(args[0], draw) for _ in range(draw.randint(0, 2)))
    if origin is dict:
        return {"x": made_up(args[1], draw)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind is type(EXAMPLE_PROTOCOL):
            return EXAMPLE_PROTOCOL
        return kind(**{one.name: made_up(one.type, draw) for one in msgspec.structs.fields(kind)})
    if origin is not None and args:
        return draw.choice(args)
    made = {
        bool: draw.random() < 0.5, int: draw.randint(0, 9), Decimal: Decimal(draw.randint(1, 9_999)) / 100,
        UUID: uid(draw.randint(1, 9**9)), date: FIRST + timedelta(days=draw.randint(0, 99)),
        time: time(draw.randint(0, 23), 15),
        datetime: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=draw.randint(0, 99_999)),
    }  # fmt: skip
    return made[kind]


def an_event(name: str, draw: random.Random) -> Event:
    """An event of this name with made-up values in every field."""
    event: Event = made_up(EVENTS[name], draw)
    return event


@pytest.mark.parametrize("fact", [*UTILIZATION, *OUTCOMES, *SAFETY], ids=lambda fact: f"{fact.table.name}.{fact.kind}")
def test_an_amended_entry_has_the_row_of_the_corrected_event(fact: FactOf) -> None:
    """For every fact and every field: correcting the row's columns is making the row from the corrected event."""
    draw = random.Random(fact.name)
    history = History()
    for _ in range(3):
        before, after = an_event(fact.name, draw), an_event(fact.name, draw)
        fields = msgspec.to_builtins(after)
        for field in (*fields, None):
            corrections = fields if field is None else {field: fields[field]}
            if any(isinstance(value, dict) for value in corrections.values()):
                continue
            history.append(before, uid(1), uid(2), uid(3))
            record = scanned(history.records[-1])
            row = {**fact.opener()(record), **fact.corrected(corrections)}
            changed = msgspec.structs.replace(record, event=apply_correction(before, corrections))
            assert row == fact.opener()(changed)


@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
@SOME
def test_rows_do_not_depend_on_how_the_log_was_cut_into_batches(seed: int, sizes: list[int]) -> None:
    """Rebuilt equals incremental, row for row: also one event at a time."""
    life = Life(seed, days=3)
    with facts_of(life.history) as whole, facts_of(life.history, batches=sizes) as cut:
        assert rows(whole) == rows(cut)


def test_one_event_at_a_time_gives_the_same_rows() -> None:
    """The live tail and the rebuild agree."""
    life = Life(3, days=2, patients=4)
    with facts_of(life.history) as whole, facts_of(life.history, batches=[1] * life.history.head()) as single:
        assert rows(whole) == rows(single)


def reports(conn: Connection, life: Life, as_of: datetime, known_at: int | None = None) -> list[Any]:
    """All four dashboards, without the fields that say what was asked."""
    clinics = [str(one) for one in life.clinics]
    found = [
        module.report(conn, clinics, WEEK, as_of=as_of, known_at=known_at)
        for module in (utilization, outcomes, safety)
    ]
    found.append(boosters.report(conn, clinics, as_of=as_of, known_at=known_at))
    return [{**plain(one), "known_at": None, "as_of": None} for one in found]


@given(seed=st.integers(0, 10_000), share=st.floats(0.2, 1))
@SOME
def test_known_at_is_the_log_cut_there(seed: int, share: float) -> None:
    """What was known at a position is what a reader of the log's beginning would have seen, in every figure."""
    life = Life(seed, days=8)
    position = int(life.history.head() * share)
    earlier = History()
    earlier.records = life.history.records[:position]
    with facts_of(life.history) as now, facts_of(earlier) as then:
        assert reports(now, life, LATER, position) == reports(then, life, LATER)


@given(seed=st.integers(0, 10_000), days=st.integers(1, 12))
@SOME
def test_as_of_ignores_what_had_not_happened(seed: int, days: int) -> None:
    """As of a moment, entries that stand now and happened later change nothing."""
    life = Life(seed, days=8)
    as_of = datetime(2026, 3, 2, 15, tzinfo=UTC) + timedelta(days=days)
    shorter = History()
    standing = {record.position for record in life.history.records}
    late = [
        record for record in life.history.records
        if record.name not in ("entry.amended.v1", "entry.struck.v1") and record.occurred_at > as_of
        and not _corrected_to_before(life.history, record.stream_id, record.version, as_of)
    ]  # fmt: skip
    gone = standing & {record.position for record in late}
    targets = {(record.stream_id, record.version) for record in late}
    shorter.records = [
        record for record in life.history.records
        if record.position not in gone and (record.stream_id, getattr(record.event, "entry", None)) not in targets
    ]  # fmt: skip
    with facts_of(life.history) as full, facts_of(shorter) as cut:
        assert reports(full, life, as_of) == reports(cut, life, as_of)


def _corrected_to_before(history: History, stream: UUID, version: int, as_of: datetime) -> bool:
    moved = [
        record.event.corrections["occurred_at"]  # type: ignore[attr-defined]
        for record in history.records
        if record.name == "entry.amended.v1" and record.stream_id == stream
        and record.event.entry == version and "occurred_at" in record.event.corrections  # type: ignore[attr-defined]
    ]  # fmt: skip
    return bool(moved) and datetime.fromisoformat(moved[-1]) <= as_of


# --- by example -----------------------------------------------------------------------------------

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
CLINIC, PATIENT, DIARY = uid(1, 1), uid(1, 3), uid(1, 8)


def three_scores() -> History:
    history = History()
    for hours, score in enumerate((8, 6, 4)):
        history.add(
            "diary.pain_scored.v1", DIARY, AT + timedelta(hours=hours), clinic=CLINIC, subject=PATIENT, score=score
        )
    return history


def scores(conn: Connection) -> list[tuple[str, int, int, int | None]]:
    table = metadata.tables["score_facts"]
    query = select(table.c.fact_id, table.c.value_milli, table.c.known_from, table.c.known_to)
    return sorted(tuple(row) for row in conn.execute(query))


def test_an_amendment_closes_the_row_and_opens_it_corrected() -> None:
    """Both values stay, each for the positions at which it was known; the fact keeps its name."""
    history = three_scores()
    history.amend(DIARY, 2, AT + timedelta(days=1), score=7)
    with facts_of(history) as conn:
        assert scores(conn) == [
            ("s1", 8_000, 1, None), ("s2", 6_000, 2, 4), ("s2", 7_000, 4, None), ("s3", 4_000, 3, None),
        ]  # fmt: skip


def test_a_strike_closes_the_row() -> None:
    """The entry is gone from its position on, and still there before."""
    history = three_scores()
    history.amend(DIARY, 2, AT + timedelta(days=1), score=7)
    history.strike(DIARY, 2, AT + timedelta(days=2))
    with facts_of(history) as conn:
        assert ("s2", 7_000, 4, 5) in scores(conn)
        assert [one for one in scores(conn) if one[3] is None] == [("s1", 8_000, 1, None), ("s3", 4_000, 3, None)]


def test_an_amendment_that_changes_no_column_opens_nothing() -> None:
    """A correction of free text alone is no new fact."""
    history = three_scores()
    history.amend(DIARY, 2, AT + timedelta(days=1), late_reason="forgotten")
    with facts_of(history) as conn:
        assert len(scores(conn)) == 3


def test_a_fact_opens_into_its_events() -> None:
    """A row's id leads to the entry and to its latest correction."""
    history = three_scores()
    history.amend(DIARY, 2, AT + timedelta(days=1), score=7)
    with facts_of(history) as conn:
        (now,) = opened(conn, ["s2"])
        (then,) = opened(conn, ["s2"], known_at=3)
    assert (now["value_milli"], now["positions"], now["table"]) == (7_000, [2, 4], "score_facts")
    assert (then["value_milli"], then["positions"]) == (6_000, [2])


def test_every_table_has_a_letter_of_its_own() -> None:
    """A fact's id names its table."""
    assert set(PREFIXES) == set(metadata.tables)
    assert len(set(PREFIXES.values())) == len(PREFIXES)


def test_at_least_three_facts_open_for_every_ten_events_of_a_visit_without_vitals() -> None:
    """Bar of the rebuild benchmark, and a bound above: rows stay near one an event."""
    life = Life(5)
    with facts_of(life.history) as conn:
        count = sum(len(found) for found in rows(conn).values())
    assert 0.3 * life.history.head() < count < 2 * life.history.head()
