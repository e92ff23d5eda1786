"""The dashboards from columns against the same reports row by row: equal on any history, cut anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from domain.clinic import OpeningSpan
from domain.protocol import EXAMPLE_PROTOCOL
from projections import boosters, outcomes, referral_funnel, safety, side_by_side, utilization
from projections.columns import table
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.metrics.calendar import Period
from projections.metrics.figures import plain
from projections.migrations import migrate
from projections.registry import facts_group
from tests.by_rows import boosters as boosters_by_rows
from tests.by_rows import outcomes as outcomes_by_rows
from tests.by_rows import referral_funnel as funnel_by_rows
from tests.by_rows import safety as safety_by_rows
from tests.by_rows import utilization as utilization_by_rows
from tests.support.clinic_life import CLINIC, OTHER, ROOM, Life
from tests.support.facts import facts_of
from tests.support.histories import History, uid

FIRST = date(2026, 3, 2)
PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "utilization": (utilization.report, utilization_by_rows.report),
    "outcomes": (outcomes.report, outcomes_by_rows.report),
    "funnel": (referral_funnel.report, funnel_by_rows.report),
    "safety": (safety.report, safety_by_rows.report),
}
IN_ANY_ORDER = frozenset({"rows", "numerator_rows", "alerts_open", "unattributed", "spells"})
"""Lists that say which, not in what order."""

SOME = settings(
    max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def differences(wanted: Any, found: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two reports differ; floats are the same within rounding."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in wanted.keys() | found.keys():
            if key not in wanted or key not in found:
                yield f"{path}.{key}", key in wanted, key in found
            else:
                yield from differences(wanted[key], found[key], f"{path}.{key}")
    elif isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        if path.rpartition(".")[2] in IN_ANY_ORDER:
            wanted, found = sorted(wanted, key=str), sorted(found, key=str)
        if len(wanted) != len(found):
            yield path, len(wanted), len(found)
        for place, (one, other) in enumerate(zip(wanted, found, strict=False)):
            yield from differences(one, other, f"{path}.{place}")
    elif isinstance(wanted, float) and isinstance(found, float):
        if not math.isclose(wanted, found, rel_tol=1e-9, abs_tol=1e-9):
            yield path, wanted, found
    elif wanted != found:
        yield path, wanted, found


def assert_same(conn: Connection, life: Life, days: int, as_of: datetime, known_at: int | None) -> None:
    """Every dashboard of this history, both ways."""
    clinics, period = [str(one) for one in life.clinics], Period(FIRST, FIRST + timedelta(days=days - 1))
    found, wanted = (
        plain(by.report(conn, clinics, as_of=as_of, known_at=known_at)) for by in (boosters, boosters_by_rows)
    )
    assert not list(differences(wanted, found))[:5], "boosters"
    for name, (by_columns, by_rows) in PAIRS.items():
        found = plain(by_columns(conn, clinics, period, as_of=as_of, known_at=known_at))
        wanted = plain(by_rows(conn, clinics, period, as_of=as_of, known_at=known_at))
        assert not list(differences(wanted, found))[:5], name
        assert wanted["clinics"]
    assert_compared(conn, clinics, period, as_of, known_at)


def assert_compared(
    conn: Connection, clinics: list[str], period: Period, as_of: datetime, known_at: int | None
) -> None:
    """Side by side each clinic has the figures that its own dashboards have, and all together theirs."""
    half = Period(period.first, period.first + (period.last - period.first) // 2)
    for found in side_by_side.report(conn, clinics, (half, period), as_of=as_of, known_at=known_at):
        assert found.by_clinic
        for here, own in ((clinics, found.together), *(([one], own) for one, own in found.by_clinic.items())):
            assert not list(differences(
                own_dashboards(conn, here, found.period, as_of, known_at), plain(dict(own))
            ))[:5], here  # fmt: skip


def own_dashboards(
    conn: Connection, clinics: list[str], period: Period, as_of: datetime, known_at: int | None
) -> Any:
    """What is compared side by side, from the dashboards that it is taken from."""
    used = utilization.report(conn, clinics, period, as_of=as_of, known_at=known_at).together
    relief = outcomes.report(conn, clinics, period, as_of=as_of, known_at=known_at)
    harm = safety.report(conn, clinics, period, as_of=as_of, known_at=known_at)
    return plain({
        **{name: getattr(used.rooms, name) for name in side_by_side.FIGURES if hasattr(used.rooms, name)},
        **{name: getattr(used.attendance, name) for name in side_by_side.FIGURES if hasattr(used.attendance, name)},
        "side_effect_share": harm.any_side_effect, "responders_first_30": relief.responders.first_30,
        "follow_up_answered": relief.follow_up_answered,
    })  # fmt: skip


MOMENTS = st.sampled_from([
    datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 3, 9, 15, 30, tzinfo=UTC), datetime(2026, 3, 4, 17, tzinfo=UTC),
])


@given(
    seed=st.integers(0, 100_000), clinics=st.integers(1, 3), days=st.sampled_from([3, 12]), as_of=MOMENTS,
    share=st.floats(0.2, 1.0),
)
@SOME
def test_the_columns_give_what_the_rows_give(
    seed: int, clinics: int, days: int, as_of: datetime, share: float
) -> None:
    """Late entries, amendments, strikes, moves, merged days: at any as_of, known at any position."""
    life = Life(seed, clinics=clinics, days=12, patients=20)
    with facts_of(life.history) as conn:
        assert_same(conn, life, days, as_of, None)
        assert_same(conn, life, days, as_of, round(share * life.history.head()))


@given(seed=st.integers(0, 100_000), clinics=st.integers(1, 3), share=st.floats(0.2, 1.0))
@SOME
def test_a_clinic_where_nothing_has_happened_changes_nothing_at_the_others(
    seed: int, clinics: int, share: float
) -> None:
    """Opened, with rooms, hours and a protocol, in a zone of its own: no fact names it yet."""
    life = Life(seed, clinics=clinics, days=12, patients=20)
    new, start = uid(99, CLINIC), datetime(2026, 2, 10, tzinfo=UTC)
    life.clinics.append(new)
    for name, fields in (
        ("clinic.opened.v1", {"clinic_name": "New", "timezone": "Pacific/Kiritimati"}),
        ("clinic.room_added.v1", {"room_id": uid(990, ROOM), "room_name": "R"}),
        ("clinic.room_added.v1", {"room_id": uid(991, ROOM), "room_name": "S"}),
        ("clinic.opening_hours_set.v1", {"effective_from": date(2026, 2, 20), "prime": (), "hours": tuple(
            OpeningSpan(weekday=day, opens=time(9), closes=time(15)) for day in range(1, 6)
        )}),
        ("clinic.protocol_adopted.v1", {
            "protocol_version": 1, "document": EXAMPLE_PROTOCOL, "adopted_by": uid(1, OTHER),
        }),
    ):  # fmt: skip
        life.history.add(name, new, start, clinic=new, **fields)
    with facts_of(life.history) as conn:
        assert_same(conn, life, 12, datetime(2026, 3, 12, 10, 30, tzinfo=UTC), None)
        assert_same(conn, life, 12, datetime(2026, 6, 1, tzinfo=UTC), round(share * life.history.head()))
        life.clinics = [new]
        assert_same(conn, life, 12, datetime(2026, 6, 1, tzinfo=UTC), None)


@pytest.mark.parametrize("loose", [20, table.LOOSE])
def test_columns_that_followed_along_are_those_read_anew(
    views_url: str, loose: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process asks after every step, another at the end, a third after a rebuild: all see the same."""
    monkeypatch.setattr(table, "LOOSE", loose)
    migrate(views_url)
    life, growing = Life(77, clinics=2, days=10, patients=20), History()
    with ExitStack() as opened:
        followed, fresh = ViewsDatabase(views_url), ViewsDatabase(views_url)
        engine = ProjectionEngine(ViewsDatabase(views_url), growing, [facts_group()])
        for each in (engine, followed, fresh):
            opened.callback(each.close)
        engine.install()
        as_of = datetime(2026, 6, 1, tzinfo=UTC)
        for size in (200, 1, 300, 40, 10_000):
            growing.records = life.history.records[: len(growing.records) + size]
            assert engine.catch_up()
            with followed.reads.connect() as conn:
                assert_same(conn, life, 10, as_of, None)
        for database in (followed, fresh):
            with database.reads.connect() as conn:
                assert_same(conn, life, 10, as_of, growing.head() // 2)
        engine.rebuild([one.name for one in facts_group().projections])
        with followed.reads.connect() as conn:
            assert_same(conn, life, 10, as_of, None)
