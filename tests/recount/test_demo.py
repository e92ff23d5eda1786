"""Every figure of every dashboard over the demo is the recount from its export."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from tests.recount.asking import DASHBOARDS, Asked, Question

pytestmark = pytest.mark.xdist_group("recount")

END = pd.Timestamp("2026-11-23T13:00Z")
QUARTER = (date(2026, 8, 24), date(2026, 11, 22))


def _clinics(demo: Asked, *numbers: int) -> tuple[str, ...]:
    opened = sorted(line["stream_id"] for line in demo.export.lines if line["name"] == "clinic.opened.v1")
    return tuple(opened[number] for number in numbers)


def _questions(demo: Asked) -> dict[str, Question]:
    head = len(demo.export.lines)
    middle = pd.Timestamp("2026-10-07T17:20:30.5Z")
    return {
        "all, thirteen weeks": Question(*QUARTER, END),
        "one clinic": Question(*QUARTER, END, _clinics(demo, 0)),
        "two clinics": Question(*QUARTER, END, _clinics(demo, 1, 2)),
        "the third": Question(*QUARTER, END, _clinics(demo, 2)),
        "in the middle of a day in the middle": Question(*QUARTER, middle),
        "a week, with the end of DST": Question(date(2026, 10, 26), date(2026, 11, 1), END),
        "the day of the change": Question(date(2026, 11, 1), date(2026, 11, 2), END, _clinics(demo, 0)),
        "as known two thirds in": Question(*QUARTER, middle, known_at=2 * head // 3),
        "as known then of what was then": Question(
            date(2026, 6, 1), date(2026, 8, 30), demo.export.lines[head // 2]["recorded"], known_at=head // 2
        ),
        "everything": Question(date(2026, 5, 25), date(2026, 11, 23), END),
        "before anything": Question(date(2026, 4, 27), date(2026, 5, 10), END),
    }


@pytest.mark.parametrize("name", DASHBOARDS)
@pytest.mark.parametrize("which", [
    "all, thirteen weeks", "one clinic", "two clinics", "the third", "in the middle of a day in the middle",
    "a week, with the end of DST", "the day of the change", "as known two thirds in", "as known then of what was then",
    "everything", "before anything",
])  # fmt: skip
def test_every_figure_is_the_recount(demo: Asked, which: str, name: str) -> None:
    """Value, numerator, denominator, exclusions, n, interval, rows: for clinic sets, periods, as_of and known_at."""
    found = demo.differences(name, _questions(demo)[which])
    assert not found, "\n".join([f"{len(found)} differences", *found[:40]])
