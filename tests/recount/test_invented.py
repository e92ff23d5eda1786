"""Every figure of every dashboard over histories that nobody wrote is the recount from their export."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from api.settings import Settings
from tests.recount.asking import DASHBOARDS, Installation, Question
from tests.recount.inventing import WEEKS, ZONES, invent
from tests.recount.places import KINDS, Places
from tests.support.postgres import Cluster

BEGINNINGS = (date(2026, 2, 20), date(2026, 3, 12), date(2026, 4, 1), date(2026, 8, 20), date(2026, 10, 2))
"""Six weeks from each hold a change of the clocks of some zone, in spring or in autumn."""

FEW = {"max_examples": 5, "derandomize": True}
MANY = {"max_examples": 150, "derandomize": False}
ALWAYS = {"deadline": None, "phases": (Phase.explicit, Phase.generate),
          "suppress_health_check": tuple(HealthCheck)}  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, pg_cluster: Cluster) -> Places:
    """Where histories can be invented."""
    return Places(tmp_path_factory.mktemp("invented"), pg_cluster)


def _compare(
    settings: Settings, seed: int, first: date, zones: tuple[str, str], cut: float, part: tuple[int, int]
) -> None:
    """Compares at the end and at a moment between, all clinics and one, all that is known and a part of it."""
    invent(settings, seed, first, zones)
    last = first + timedelta(weeks=WEEKS)
    end = pd.Timestamp(f"{last}T13:00Z").as_unit("us")
    with Installation(settings) as installation:
        asked = installation.asked()
        lines = asked.export.lines
        clinics = sorted(line["stream_id"] for line in lines if line["name"] == "clinic.opened.v1")
        between = lines[int(cut * (len(lines) - 1))]
        early, late = first + timedelta(days=part[0]), first + timedelta(days=part[0] + part[1])
        questions = (
            Question(first, last, end), Question(first, last, end, (clinics[seed % 2],)),
            Question(early, late, between["recorded"], known_at=between["position"]),
            Question(first, last, between["recorded"] + pd.Timedelta(minutes=11)),
        )  # fmt: skip
        found = [
            f"{number} {name}{difference}" for number, question in enumerate(questions) for name in DASHBOARDS
            for difference in asked.differences(name, question)
        ]  # fmt: skip
    assert not found, "\n".join([f"{len(found)} differences", *found[:40]])


INVENTED = {
    "kind": st.sampled_from(KINDS), "seed": st.integers(0, 2**32), "first": st.sampled_from(BEGINNINGS),
    "zones": st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)), "cut": st.floats(0.2, 0.95),
    "part": st.tuples(st.integers(0, 20), st.integers(0, 20)),
}  # fmt: skip


@pytest.mark.xdist_group("recount-invented")
@given(**INVENTED)
@example(kind="postgres", seed=1, first=date(2026, 3, 12), zones=("America/New_York", "Africa/Cairo"), cut=0.5,
         part=(3, 15))  # fmt: skip
@settings(**FEW, **ALWAYS)  # type: ignore[arg-type]
def test_every_figure_is_the_recount(
    places: Places, kind: str, seed: int, first: date, zones: tuple[str, str], cut: float, part: tuple[int, int]
) -> None:
    """Late entries, amendments, strikes, merges, rooms never released, nights, closures, overbooking, clock changes."""
    with places.fresh(kind) as installation:
        _compare(installation, seed, first, zones, cut, part)


@pytest.mark.long
@given(**INVENTED)
@settings(**MANY, **ALWAYS)  # type: ignore[arg-type]
def test_every_figure_is_the_recount_of_many_histories(
    places: Places, kind: str, seed: int, first: date, zones: tuple[str, str], cut: float, part: tuple[int, int]
) -> None:
    """The same for many histories, other ones every time."""
    with places.fresh(kind) as installation:
        _compare(installation, seed, first, zones, cut, part)
