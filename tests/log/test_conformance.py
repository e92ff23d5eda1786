"""The same commands give the same log on both databases, byte for byte: histories made by hypothesis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.infusion.monitoring import SedationScored
from domain.kernel import Claim, Release
from services.log import (
    ANY_VERSION,
    Append,
    ClaimConflict,
    EventLog,
    Idempotency,
    IdempotencyMismatch,
    InvalidEvent,
    StreamConflict,
    StreamWrite,
    migrate,
    open_log,
)
from services.log.mapper import micros
from services.log.verify import verify
from tests.conftest import APP_ROLE
from tests.log.given import NOW, append, by_nurse, renamed, scored
from tests.support.postgres import Cluster

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
STREAMS = [UUID(int=number) for number in range(1, 4)]
_numbers = itertools.count()


class Ticking:
    """A recording clock that goes where the history says, sometimes back."""

    def __init__(self) -> None:
        self.minute = 0

    def now(self) -> datetime:
        return START + timedelta(minutes=self.minute)


def moments() -> st.SearchStrategy[datetime]:
    return st.integers(0, 8).map(lambda hour: START + timedelta(hours=hour))


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    starts, ends = sorted([draw(moments()), draw(moments())])
    return Claim(
        resource=draw(st.sampled_from(["room:1", "nurse:1"])), holder=draw(st.sampled_from("abcd")), starts=starts,
        ends=draw(st.sampled_from([None, ends + timedelta(minutes=1)])), capacity=draw(st.integers(1, 2)),
        enforce=draw(st.sampled_from([True, True, True, False])),
    )


def releases() -> st.SearchStrategy[Release]:
    return st.builds(
        Release, resource=st.sampled_from(["room:1", "nurse:1"]), holder=st.sampled_from("abcd"),
        ends=st.none() | moments(),
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def writes(draw: st.DrawFn) -> tuple[StreamWrite, ...]:
    """To one or two streams, at versions that are often right."""
    chosen = draw(st.lists(st.sampled_from(STREAMS), unique=True, min_size=1, max_size=2))
    return tuple(
        StreamWrite(
            stream, draw(st.sampled_from([ANY_VERSION, ANY_VERSION, 0, 1, 2])),
            tuple(
                SedationScored(occurred_at=draw(moments()), scale=draw(TEXT), score=draw(st.integers(-5, 4)))
                for _ in range(draw(st.integers(1, 3)))
            ),
        )
        for stream in chosen
    )


def appends() -> st.SearchStrategy[Append]:
    ids = st.none() | st.sampled_from([UUID(int=91), UUID(int=92)])
    return st.builds(
        Append, writes=writes(),
        envelope=st.builds(by_nurse, clinic_id=ids, subject=ids, correlation_id=ids, causation_id=ids, command_id=ids),
        unchanged=st.lists(st.tuples(st.sampled_from(STREAMS), st.integers(0, 2)), max_size=1).map(tuple),
        claims=st.lists(claims(), max_size=2).map(tuple), releases=st.lists(releases(), max_size=2).map(tuple),
        idempotency=st.none() | st.builds(
            Idempotency, st.just("key:1"), st.sampled_from(["a", "b", "c"]), st.sampled_from([b"1" * 32, b"2" * 32])
        ),
        answer=st.fixed_dictionaries({"n": st.integers(0, 3)}), status=st.sampled_from([200, 201]),
    )


HISTORIES = st.lists(st.tuples(st.integers(0, 20), appends()), min_size=1, max_size=14)


def outcome(log: EventLog, append: Append) -> Any:
    """What the log answered, or refused, in comparable form."""
    try:
        return log.append(append)
    except StreamConflict as conflict:
        return ("stream", conflict.stream_id, conflict.expected, conflict.actual)
    except ClaimConflict as conflict:
        return ("claim", conflict.resource, conflict.holder, conflict.starts, conflict.ends)
    except IdempotencyMismatch:
        return ("mismatch",)


@pytest.fixture(scope="module")
def two_homes(pg_cluster: Cluster, pg_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home, made = tmp_path_factory.mktemp("conformance"), []

    def make() -> tuple[str, str]:
        name = f"c_{Path(home).name}_{next(_numbers)}".replace("-", "_")
        made.append(name)
        sqlite_url = f"sqlite:///{home}/{name}.sqlite3"
        migrate(sqlite_url)
        postgres_url = pg_cluster.create_database(name, template=pg_template)
        return sqlite_url, postgres_url.replace("postgres@", f"{APP_ROLE}@")

    yield make
    for name in made:
        pg_cluster.drop_database(name)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(history=HISTORIES)
def test_both_databases_answer_and_hold_the_same(two_homes: Any, history: list[tuple[int, Append]]) -> None:
    clock = Ticking()
    logs = [open_log(url, mode="simulation", clock=clock) for url in two_homes()]
    try:
        for minute, each in history:
            clock.minute = minute
            answers = [outcome(log, each) for log in logs]
            assert answers[0] == answers[1]
        rows = [log.rows(0, 1000) for log in logs]
        assert rows[0] == rows[1], "leaves included"
        assert [verify(log).violations for log in logs] == [(), ()]
        assert logs[0].scan(0, 1000) == logs[1].scan(0, 1000)
        then = START + timedelta(minutes=10)
        known = sum(row.recorded_us <= micros(then) for row in rows[0])
        assert [log.position_at(then) for log in logs] == [known, known]
    finally:
        for log in logs:
            log.close()


@pytest.mark.parametrize("text", ["", "\x00", "naïve 𝒳 😀 \u202e", "\\u0000", '"}{', "'; DROP TABLE care_events --"])
def test_any_text_comes_back_as_it_went_in(event_log: EventLog, text: str) -> None:
    stream = UUID(int=5)
    append(event_log, stream, 0, SedationScored(occurred_at=NOW, scale=text, score=0))
    append(event_log, stream, 1, renamed(text), envelope=by_nurse(actor=text.replace("\x00", "")))
    first, second = event_log.read_stream(stream)
    assert first.event.scale == text  # type: ignore[attr-defined]
    assert second.actor == text.replace("\x00", "")
    assert verify(event_log).holds


def test_text_that_is_not_text_is_refused_and_nothing_is_written(event_log: EventLog) -> None:
    for event in (SedationScored(occurred_at=NOW, scale="\ud800", score=0), renamed("\ud800")):
        with pytest.raises(InvalidEvent):
            append(event_log, UUID(int=5), 0, event)
    assert event_log.head() == 1


def test_a_long_text_and_many_events_in_one_commit(event_log: EventLog) -> None:
    append(event_log, UUID(int=5), 0, renamed("x" * 1_000_000), *[scored()] * 999)
    assert event_log.head() == 1001
    assert verify(event_log).holds
