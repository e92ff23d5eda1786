"""For whom it helps: responders of groups side by side, patients first and infusions beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from api.web.address import Rows
from api.web.charts import Chart
from api.web.charts.outcomes import Dots, limits, percent, rates
from api.web.figures import Shown, shown
from api.web.tables import Cell, Column, Table, figure_cell, rate_column, row_of
from api.web.wording import NBSP, count, number, words
from projections.metrics.definitions import current
from projections.metrics.figures import SMALL
from projections.metrics.outcomes import Breakdown

LABEL = 24
"""Letters of a group's name beside its dot."""

AID = (
    "Dot: share of patients whose pain fell by at least 30 % after their first infusion. Line: its 95 % interval. "
    "Ring: share of all infusions, which counts most those who stay."
)


def compared(
    name: str, title: str, groups: Sequence[Breakdown], rows: Rows, label: Callable[[str], str] = words
) -> Chart:
    """Patients helped by their first infusion, by group; the rate per infusion as a ring beside it. Groups of under
    ten patients are counts: in the words and in the table."""
    some = [
        (label(one.group), shown(one.first_30, f"breakdowns.{name}.{at}.first_30", rows),
         infusions(one, f"breakdowns.{name}.{at}.responders_30", rows))
        for at, one in enumerate(groups) if one.first_30 is not None
    ]  # fmt: skip
    values = []
    for group, first, each in some:
        if first.raw is not None:
            low, high = limits(first)
            values.append({"group": group, "label": f"{_short(group)}, n{NBSP}{first.n}", "share": first.raw,
                           "low": low, "high": high, "infusions": each.raw, "given": each.n})
    dots = Dots.of(
        "group", "Patients", 200, {"field": "infusions", "title": "Infusions", "format": ".1%"},
        {"field": "given", "title": "Infusions counted"},
    )  # fmt: skip
    ring = {
        "transform": [{"filter": "datum.infusions != null"}],
        "mark": {"type": "point", "filled": False, "size": 60, "strokeWidth": 1.5, "color": "@ink-3", "opacity": 1},
        "encoding": {"y": dots.y, "x": {"field": "infusions", **dots.x}, "tooltip": dots.tooltip},
    }
    spec = {"data": {"values": values}, "layer": [ring, *dots.layers]}
    table = Table(
        name=name, title=title, note="Groups of fewer than ten patients are counts, not rates.",
        columns=(Column("group", "Group"),
                 rate_column("patients", "Patients helped", current("responders_first_30")),
                 Column("low", "95 % low", numeric=True, in_csv=False),
                 Column("high", "95 % high", numeric=True, in_csv=False),
                 Column("n", "Patients", numeric=True, in_csv=False),
                 rate_column("infusions", "Infusions", current("responders_infusion_30"))),
        rows=tuple(_row(*one) for one in some),
    )  # fmt: skip
    return Chart(
        name=name, title=title, spec=spec, table=table, aid=AID, height=max(90, 34 * len(values) + 40),
        description=_said([(group, first) for group, first, _ in some]), nothing=_nothing(some) if not values else "",
        definitions=(current("responders_first_30"), current("responders_infusion_30")),
        rows=_ways(rows, patients=any(first.n for _, first, _ in some), each=any(one.n for _, _, one in some)),
    )


def _nothing(some: Sequence[tuple[str, Shown, Shown]]) -> str:
    if any(first.n for _, first, _ in some):
        return "No group has ten patients yet, the least that a rate is shown for: the counts are in the data."
    return "No first infusion of this period has both a score before and one after it yet."


def _ways(rows: Rows, *, patients: bool = False, each: bool = False) -> tuple[tuple[str, str], ...]:
    """To the rows of all groups together."""
    found = (("patients", "responders.first_30", patients), ("infusions", "per_infusion_30", each))
    return tuple((label, rows(path)) for label, path, some in found if some)


def by_ordinal(groups: Sequence[Breakdown], rows: Rows) -> Chart:
    """Infusions followed by relief, the first, the second, the third of the course: of those who had so many."""
    return rates(
        "ordinal", "By infusion of the course",
        "Dot: share of infusions followed by a fall of at least 30 %, of the patients who had so many. Line: its "
        "95 % interval.",
        [(words(one.group), infusions(one, f"breakdowns.ordinal.{at}.responders_30", rows))
         for at, one in enumerate(groups)],
        (current("responders_infusion_30"),), _ways(rows, each=any(one.responders_30.n for one in groups)),
    )  # fmt: skip


def infusions(one: Breakdown, path: str, rows: Rows) -> Shown:
    """The rate per infusion; counts alone where fewer than ten patients stand behind many infusions."""
    found = shown(one.responders_30, path, rows)
    if found.raw is None or one.patients >= SMALL:
        return found
    return msgspec.structs.replace(
        found, raw=None, value=f"{number(one.responders_30.numerator)} of {number(found.n)}", unit="",
        too_few=f"of {count(one.patients, 'patient')}: too few for a rate",
    )  # fmt: skip


def _short(group: str) -> str:
    """So that the number behind it is not cut off."""
    return group if len(group) <= LABEL else f"{group[:LABEL - 1].rstrip()}…"


def _row(group: str, first: Shown, each: Shown) -> tuple[Cell, ...]:
    low, high = limits(first)
    return row_of(group, figure_cell(first), percent(low), percent(high), first.n, figure_cell(each))


def _said(some: Sequence[tuple[str, Shown]]) -> str:
    rated = [f"{group}: {one.value} {one.unit} of {number(one.n)} patients" for group, one in some
             if one.raw is not None]  # fmt: skip
    counted = [f"{group} {one.value}" for group, one in some if one.raw is None and one.n]
    said = f"{'; '.join(rated[:4])}." if rated else "No group has ten patients."
    return f"{said} Too few for a rate: {', '.join(counted)}." if counted else said
