"""The pictures of the page Safety."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from api.web.address import Rows
from api.web.charts import Chart
from api.web.figures import shown
from api.web.tables import Cell, Column, Table, cell, figure_cell, rate_column, row_of, spread_column
from api.web.wording import number
from projections.metrics.definitions import current
from projections.metrics.safety import ControlPoint, KindFigures

KINDS_DRAWN = 12
"""The most frequent kinds; the table has all."""

GRADES = ((1, "grade 1", "@heat-mid"), (2, "grade 2", "@series-1"), (3, "grade 3", "@series-2"),
          (4, "grade 4", "@alarm"), (5, "grade 5", "@ink"))  # fmt: skip


def kinds(some: Sequence[KindFigures], rows: Rows, name: Callable[[str], str]) -> Chart:
    """Of the infusions, the share with each kind of side effect, by its highest grade."""
    drawn = some[:KINDS_DRAWN]
    values = [
        {"kind": name(one.kind), "grade": f"grade {grade}", "order": grade, "share": _share(figure.numerator, figure.n),
         "count": figure.numerator}
        for one in drawn for grade, figure in one.by_grade.items()
    ]  # fmt: skip
    seen = {grade for one in drawn for grade in one.by_grade}
    scale = {"domain": [label for grade, label, _ in GRADES if grade in seen],
             "range": [colour for grade, _, colour in GRADES if grade in seen]}
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "y": {"field": "kind", "type": "nominal", "sort": [name(one.kind) for one in drawn], "title": None,
                  "axis": {"ticks": False, "domain": False, "labelLimit": 200}},
            "x": {"field": "share", "type": "quantitative", "stack": "zero", "title": None,
                  "axis": {"format": "%", "grid": True, "tickCount": 5}},
            "color": {"field": "grade", "type": "nominal", "title": None, "scale": scale, "legend": {"orient": "top"}},
            "order": {"field": "order"},
            "tooltip": [{"field": "kind", "title": "Kind"}, {"field": "grade", "title": "Highest grade"},
                        {"field": "count", "title": "Infusions"},
                        {"field": "share", "title": "Share", "format": ".1%"}],
        },
    }  # fmt: skip
    said = "No side effect was reported in this period."
    if drawn:
        first = drawn[0]
        often = _of(first.share.numerator, first.share.denominator)
        said = f"The most frequent is {name(first.kind).lower()}: {often}."
    return Chart(
        name="kinds", title="Infusions with a side effect, by kind and grade", spec=spec,
        table=kinds_table(some, rows, name), description=said, height=max(120, 26 * len(drawn) + 60),
        aid="Bar: share of infusions with the kind, split by its highest CTCAE grade. The most frequent kinds first.",
        definitions=(current("side_effect_share"),), rows=(("", rows("any_side_effect")),) if drawn else (),
        nothing="" if drawn else said,
    )


def _share(numerator: float | None, denominator: int) -> float | None:
    return (numerator or 0.0) / denominator if denominator else None


def _of(numerator: float | None, denominator: float | None) -> str:
    return f"{number(numerator)} of {number(denominator)} infusions"


def kinds_table(some: Sequence[KindFigures], rows: Rows, name: Callable[[str], str]) -> Table:
    """Every kind with its grades, rate, onset, duration and treatment."""
    grades = sorted({grade for one in some for grade in one.by_grade})
    return Table(
        name="kinds", title="Side effects by kind",
        columns=(
            Column("kind", "Kind"),
            rate_column("share", "Of infusions", current("side_effect_share")),
            *(Column(f"grade-{grade}", f"Grade {grade}", numeric=True, definition=current("side_effect_share"))
              for grade in grades),
            rate_column("per_100", "Per 100", current("side_effect_rate")),
            spread_column("onset", "Onset", current("side_effect_onset")),
            spread_column("duration", "Duration", current("side_effect_duration")),
            rate_column("treated", "Treated", current("side_effect_treated")),
        ),
        rows=tuple(_kind_row(at, one, grades, rows, name) for at, one in enumerate(some)),
        note="Onset and duration are medians in minutes, from drug start and from onset.",
        empty="No side effect was reported in this period.",
    )  # fmt: skip


def onset_table(some: Sequence[KindFigures], rows: Rows, name: Callable[[str], str]) -> Table:
    """When each kind begins and how long it lasts: in sight, where the rest of a kind's figures is behind the chart."""
    return Table(
        name="onset", title="When side effects begin, and how long they last",
        columns=(
            Column("kind", "Kind"),
            Column("episodes", "Episodes", numeric=True, definition=current("side_effect_rate")),
            spread_column("onset", "Onset, min", current("side_effect_onset")),
            Column("onset_p90", "90 % within, min", numeric=True, definition=current("side_effect_onset"),
                   in_csv=False),
            spread_column("duration", "Duration, min", current("side_effect_duration")),
            Column("duration_p90", "90 % over by, min", numeric=True, definition=current("side_effect_duration"),
                   in_csv=False),
        ),
        rows=tuple(_onset_row(at, one, rows, name) for at, one in enumerate(some)),
        note="Medians, from drug start and from onset; of those that are over. The 90th percentile needs ten.",
        empty="No side effect was reported in this period.",
    )


def _onset_row(at: int, one: KindFigures, rows: Rows, name: Callable[[str], str]) -> tuple[Cell, ...]:
    onset = shown(one.onset, f"by_kind.{at}.onset", rows)
    duration = shown(one.duration, f"by_kind.{at}.duration", rows)
    return row_of(
        name(one.kind), one.onset.n, figure_cell(onset), cell(one.onset.p90), figure_cell(duration),
        cell(one.duration.p90),
    )


def _kind_row(
    at: int, one: KindFigures, grades: Sequence[int], rows: Rows, name: Callable[[str], str]
) -> tuple[Cell, ...]:
    path = f"by_kind.{at}"
    return row_of(
        name(one.kind), figure_cell(shown(one.share, f"{path}.share", rows)),
        *(_grade_cell(at, one, grade, rows) for grade in grades),
        figure_cell(shown(one.per_100, f"{path}.per_100", rows)),
        figure_cell(shown(one.onset, f"{path}.onset", rows)),
        figure_cell(shown(one.duration, f"{path}.duration", rows)),
        figure_cell(shown(one.treated, f"{path}.treated", rows)),
    )  # fmt: skip


def _grade_cell(at: int, one: KindFigures, grade: int, rows: Rows) -> Cell:
    figure = one.by_grade.get(grade)
    if figure is None:
        return cell(0, "0")
    return cell(figure.numerator, href=rows(f"by_kind.{at}.by_grade.{grade}"))


def control_rate(points: Sequence[ControlPoint], rows: Rows) -> Chart:
    """u-chart: episodes per 100 infusions by month, with limits of three sigma."""
    return _control(
        "u-chart", "per 100", [(one, one.rate, one.rate_centre, one.rate_limits, one.episodes) for one in points],
        rows, "per_100",
    )  # fmt: skip


def control_share(points: Sequence[ControlPoint], rows: Rows) -> Chart:
    """p-chart: share of infusions with an episode by month, with limits of three sigma."""
    return _control(
        "p-chart", "%", [(one, one.share, one.share_centre, one.share_limits, one.with_episode) for one in points],
        rows, "any_side_effect",
    )  # fmt: skip


Point = tuple[ControlPoint, float | None, float, tuple[float, float], int]


def _control(name: str, unit: str, points: Sequence[Point], rows: Rows, path: str) -> Chart:
    """A point opens into the rows that the figure at `path` has in its month."""
    definition, times = current(name.replace("-", "_")), 100
    title = definition.title
    values = [
        {"month": one.month, "value": None if value is None else times * value, "centre": times * centre,
         "low": times * limits[0], "high": times * limits[1], "n": one.infusions, "out": _outside(value, limits)}
        for one, value, centre, limits, _ in points
    ]  # fmt: skip
    x = {"field": "month", "type": "ordinal", "title": None, "axis": {"labelAngle": 0, "ticks": False}}
    y: dict[str, Any] = {"type": "quantitative", "title": unit, "scale": {"zero": True}}
    tooltip = [{"field": "month", "title": "Month"}, {"field": "value", "title": title, "format": ".1f"},
               {"field": "low", "title": "Lower limit", "format": ".1f"},
               {"field": "high", "title": "Upper limit", "format": ".1f"}, {"field": "n", "title": "Infusions"}]
    spec = {
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "bar", "color": "@band", "width": {"band": 0.9}},
             "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}}},
            {"mark": {"type": "tick", "color": "@ink-3", "thickness": 1.5, "width": {"band": 0.9}},
             "encoding": {"x": x, "y": {"field": "centre", **y}}},
            {"transform": [{"filter": "datum.value != null"}],
             "mark": {"type": "line", "color": "@series-1", "strokeWidth": 1.5},
             "encoding": {"x": x, "y": {"field": "value", **y}}},
            {"transform": [{"filter": "datum.value != null"}],
             "mark": {"type": "point", "filled": True, "size": 64, "opacity": 1},
             "encoding": {"x": x, "y": {"field": "value", **y}, "tooltip": tooltip,
                          "color": {"field": "out", "type": "nominal", "legend": None,
                                    "scale": {"domain": [False, True], "range": ["@series-1", "@alarm"]}},
                          "shape": {"field": "out", "type": "nominal", "legend": None,
                                    "scale": {"domain": [False, True], "range": ["circle", "diamond"]}}}},
        ],
    }  # fmt: skip
    table = Table(
        name=name, title=title,
        columns=(Column("month", "Month"), Column("value", unit, numeric=True),
                 Column("low", "Lower limit", numeric=True), Column("centre", "Centre", numeric=True),
                 Column("high", "Upper limit", numeric=True), Column("counted", "Counted", numeric=True),
                 Column("n", "Infusions", numeric=True)),
        rows=tuple(_control_row(point, times, _month(point, rows, path)) for point in points),
    )  # fmt: skip
    few = "No month of this period has ten infusions, the least that a point is drawn for: the counts are in the data."
    out = [str(value["month"]) for value in values if value["out"]]
    said = f"Outside its limits: {', '.join(out)}." if out else "Every month lies within its limits."
    return Chart(
        name=name, title=title, spec=spec, table=table, description=said,
        aid="Band: what chance alone would give (three sigma around the period's own mean). A diamond lies outside it.",
        definitions=(definition,), rows=(("", rows(path)),) if any(point[-1] for point in points) else (),
        nothing="" if any(value["value"] is not None for value in values) else few,
    )


def _month(point: Point, rows: Rows, path: str) -> str | None:
    """Where the rows of a point are: none where nothing was counted."""
    first = date.fromisoformat(f"{point[0].month}-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return rows.between(path, first, last) if point[-1] else None


def _outside(value: float | None, limits: tuple[float, float]) -> bool:
    return value is not None and not limits[0] <= value <= limits[1]


def _control_row(point: Point, times: int, href: str | None) -> tuple[Cell, ...]:
    one, value, centre, limits, counted = point
    tone = cell(None if value is None else times * value, digits=1, tone="alarm" if _outside(value, limits) else "")
    return row_of(
        one.month, tone, cell(times * limits[0], digits=1), cell(times * centre, digits=1),
        cell(times * limits[1], digits=1), cell(counted, href=href), one.infusions,
    )
