"""The Clinics page's figures, each clinic's and together, for the week and the quarter, are the recount's."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from api.http.context import EXTENSION
from api.web.clinics import OPENS
from projections.metrics.calendar import Period
from projections.side_by_side import FIGURES, report
from tests.recount.asking import Asked, Question
from tests.recount.compare import same
from tests.recount.test_demo import END, QUARTER

pytestmark = pytest.mark.xdist_group("recount")

SUNDAY = date(2026, 11, 22)
PERIODS = ((SUNDAY - timedelta(days=6), SUNDAY), QUARTER)
LOOKED_AT = ("value", "numerator", "denominator", "n", "median", "p90", "mean", "excluded")


def recounted(demo: Asked, period: tuple[date, date], clinics: list[str]) -> dict[str, dict[str, Any]]:
    """The figures from the export, each by the path at which its own dashboard has it."""
    recount = demo.recount(Question(*period, END))
    dashboards = {name: getattr(recount, name)(clinics) for name in {one for one, _ in OPENS.values()}}
    found = {}
    for name, (dashboard, path) in OPENS.items():
        found[name] = dashboards[dashboard]
        for step in path.split("."):
            found[name] = found[name][step]
    return found


def differing(mine: dict[str, Any], figure: Any) -> list[str]:
    """What is otherwise in the figure."""
    return [
        f"{part}: recounted {mine[part]!r}, shown {getattr(figure, part)!r}"
        for part in LOOKED_AT if part in mine and not _equal(mine[part], getattr(figure, part))
    ]  # fmt: skip


def _equal(mine: Any, shown: Any) -> bool:
    if isinstance(mine, dict):
        return mine == {reason: many for reason, many in shown.items() if many}
    return same(mine, shown)


def test_the_clinics_side_by_side_are_the_recount(demo: Asked) -> None:
    """Ten figures, two periods, three clinics and all of them."""
    opened = sorted(line["stream_id"] for line in demo.export.lines if line["name"] == "clinic.opened.v1")
    parts = demo.client.application.extensions[EXTENSION]
    wrong, compared = [], 0
    with parts.read_side.database.reads.connect() as connection:
        shown = report(connection, opened, [Period(*one) for one in PERIODS], as_of=END.to_pydatetime())
        for period, during in zip(PERIODS, shown, strict=True):
            for clinics, figures in [(opened, during.together), *(([one], during.by_clinic[one]) for one in opened)]:
                for name, mine in recounted(demo, period, clinics).items():
                    compared += sum(part in mine for part in LOOKED_AT)
                    wrong += [f"{period[0]} {clinics} {name}: {one}" for one in differing(mine, figures[name])]
    assert not wrong, "\n".join([f"{len(wrong)} differences", *wrong[:40]])
    assert compared > 2 * 4 * len(FIGURES) * 2


def test_every_figure_side_by_side_is_recounted() -> None:
    """A new one has its path here by the page's own list."""
    assert set(FIGURES) == set(OPENS)
