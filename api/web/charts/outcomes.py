"""The pictures of the page Outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from api.web.address import Rows
from api.web.charts import Chart
from api.web.figures import Shown, shown
from api.web.tables import Cell, Column, Table, basis_of, cell, figure_cell, rate_column, row_of, spread_column
from api.web.wording import NOTHING, count, number, words
from projections.metrics.definitions import Definition, current
from projections.metrics.duration import SHOWN_DAYS, Curve
from projections.metrics.figures import SMALL
from projections.metrics.lazy import Each
from projections.metrics.outcomes import DoseResponse
from projections.metrics.pain_course import PainCourse, PainStage, Waterfall
from projections.metrics.relief import MODERATE, SUBSTANTIAL

CURVES_DRAWN = 5
"""Curves told apart by colour; the others stand in the table."""

AT_RISK_DAYS = (0, 14, 28, 56, 84)
"""Weeks 0, 2, 4, 8 and 12: of `SHOWN_DAYS`."""

Links = tuple[tuple[str, str], ...]
"""Ways to rows: what tells each from the others, and its address."""

STAGE_NAMES = {
    "baseline": "before", "day_1": "days 0–1", "days_2_4": "days 2–4", "days_5_9": "days 5–9", "week_2": "week 2",
    "week_3": "week 3", "week_4": "week 4", "week_6": "week 6", "week_8": "weeks 8–10", "week_12": "weeks 11–14",
}  # fmt: skip
CLASSES = (
    ("50 % and more", "@series-1"), ("30 to 49 %", "@heat-mid"), ("less than 30 %", "@series-6"),
    ("worse", "@series-2"),
)  # fmt: skip


def rates(
    name: str, title: str, aid: str, some: Sequence[tuple[str, Shown]], definitions: tuple[Definition, ...],
    links: Links = (),
) -> Chart:
    """Shares with their intervals, one under the other; those under ten are in the table only."""
    drawn = [(label, one) for label, one in some if one.raw is not None]
    values = []
    for label, one in drawn:
        low, high = limits(one)
        values.append({"label": label, "share": one.raw, "low": low, "high": high, "n": one.n, "basis": one.basis})
    dots = Dots.of("label", "Share", 180, {"field": "n", "title": "n"})
    spec = {"data": {"values": values}, "layer": dots.layers}
    table = Table(
        name=name, title=title,
        columns=(Column("group", "Group"), rate_column("share", "Share"),
                 Column("low", "95 % low", numeric=True, in_csv=False),
                 Column("high", "95 % high", numeric=True, in_csv=False),
                 Column("n", "n", numeric=True, in_csv=False)),
        rows=tuple(_rate_row(label, one, one.definition if len(definitions) > 1 else None) for label, one in some),
    )  # fmt: skip
    nothing = "No score after an infusion of this period is on record yet, so nobody can be said to be helped or not."
    if any(one.n for _, one in some):
        nothing = "No group has ten yet, the least that a rate is shown for: the counts are in the data."
    said = "; ".join(f"{label}: {one.value} {one.unit} of {number(one.n)}" for label, one in drawn[:4])
    return Chart(
        name=name, title=title, spec=spec, table=table, aid=aid, height=max(90, 34 * len(drawn) + 40),
        description=f"{said}.", nothing="" if drawn else nothing, definitions=definitions, rows=links,
    )


def limits(one: Shown) -> tuple[float | None, float | None]:
    """Of the figure's interval; None where it has none."""
    found = getattr(one.figure, "interval", None)
    return (found[0], found[1]) if found else (None, None)


class Dots(NamedTuple):
    """A dot for each row's `share` on the line of its interval (`low`, `high`), beside its `label`."""

    y: dict[str, Any]
    x: dict[str, Any]
    tooltip: list[dict[str, Any]]
    layers: list[dict[str, Any]]

    @classmethod
    def of(cls, named: str, share: str, label_limit: int, *more: dict[str, Any]) -> Dots:
        """`named`: the field with the whole name; `share`: what the share is called; `more` of the tooltip."""
        y = {"field": "label", "type": "nominal", "sort": None, "title": None,
             "axis": {"ticks": False, "domain": False, "labelLimit": label_limit}}
        x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "title": None,
             "axis": {"format": "%", "grid": True, "tickCount": 5}}
        tooltip = [{"field": named, "title": "Group"}, {"field": "share", "title": share, "format": ".1%"},
                   {"field": "low", "title": "95 % low", "format": ".1%"},
                   {"field": "high", "title": "95 % high", "format": ".1%"}, *more]
        return cls(y, x, tooltip, [
            {"mark": {"type": "rule", "strokeWidth": 2, "color": "@series-1", "opacity": 0.55},
             "encoding": {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}}},
            {"mark": {"type": "point", "filled": True, "size": 70, "color": "@series-1", "opacity": 1},
             "encoding": {"y": y, "x": {"field": "share", **x}, "tooltip": tooltip}},
        ])  # fmt: skip


def _rate_row(label: str, one: Shown, definition: Definition | None) -> tuple[Cell, ...]:
    low, high = limits(one)
    return row_of(cell(label, definition=definition), figure_cell(one), percent(low), percent(high), one.n)


def percent(value: float | None) -> Cell:
    """A share as a cell."""
    return cell(value, NOTHING if value is None else f"{number(value * 100, 1)} %")


def pain(course: PainCourse, rows: Rows) -> Chart:
    """Median pain and its quartiles from before the first infusion to 14 weeks after."""
    seen = [one for one in course.stages if one.pain.n]
    values = [
        {"day": one.day, "stage": STAGE_NAMES[one.stage], "median": one.pain.median, "p25": one.p25, "p75": one.p75,
         "n": one.pain.n}
        for one in seen
    ]  # fmt: skip
    x = {"field": "day", "type": "quantitative", "title": "Days since the first infusion",
         "axis": {"values": [0, 7, 14, 21, 28, 42, 56, 84], "grid": False}}
    y = {"type": "quantitative", "scale": {"domain": [0, 10]}, "title": "Pain 0–10"}
    spec = {
        "data": {"values": values},
        "layer": [
            {"transform": [{"filter": "datum.p25 != null"}],
             "mark": {"type": "area", "color": "@band"},
             "encoding": {"x": x, "y": {"field": "p25", **y}, "y2": {"field": "p75"}}},
            {"mark": {"type": "line", "color": "@series-1", "strokeWidth": 2},
             "encoding": {"x": x, "y": {"field": "median", **y}}},
            {"mark": {"type": "point", "filled": True, "size": 55, "color": "@series-1", "opacity": 1},
             "encoding": {"x": x, "y": {"field": "median", **y},
                          "tooltip": [{"field": "stage", "title": "When"}, {"field": "median", "title": "Median"},
                                      {"field": "p25", "title": "Lower quartile"},
                                      {"field": "p75", "title": "Upper quartile"}, {"field": "n", "title": "n"}]}},
            {"transform": [{"filter": "datum.day != 1"}],
             "mark": {"type": "text", "fontSize": 11, "color": "@ink-3"},
             "encoding": {"x": x, "y": {"datum": 9.6}, "text": {"field": "n"}}},
        ],
    }  # fmt: skip
    table = Table(
        name="pain-over-time", title="Pain after the course began",
        columns=(Column("when", "When"), spread_column("median", "Median"),
                 Column("p25", "Lower quartile", numeric=True), Column("p75", "Upper quartile", numeric=True),
                 Column("n", "Patients", numeric=True), Column("reached", "Followed so far", numeric=True)),
        rows=tuple(_stage_row(at, one, rows) for at, one in enumerate(course.stages)),
    )  # fmt: skip
    first, last = (seen[0], seen[-1]) if len(seen) > 1 else (None, None)
    said = ""
    if first is not None and last is not None:
        said = (f"Median pain is {number(first.pain.median, 1)} before the first infusion and "
                f"{number(last.pain.median, 1)} in {STAGE_NAMES[last.stage]} (n {last.pain.n}).")
    return Chart(
        name="pain-over-time", title="Pain after the course began", spec=spec, table=table, description=said,
        aid="Line: median of each patient's last score in a stretch. Band: middle half. Numbers on top: patients.",
        height=240, definitions=(current("pain_over_time"),),
        nothing="" if said else "No course that began in this period has a score after its first infusion yet: there "
                                "is no course of pain to draw.",
        rows=tuple((STAGE_NAMES[one.stage], rows(f"pain_over_time.stages.{at}.pain"))
                   for at, one in enumerate(course.stages) if one.pain.n),
    )  # fmt: skip


def _stage_row(at: int, one: PainStage, rows: Rows) -> tuple[Cell, ...]:
    href = rows(f"pain_over_time.stages.{at}.pain") if one.pain.n else None
    return row_of(
        STAGE_NAMES[one.stage], cell(one.pain.median, digits=1, href=href, basis=basis_of(one.pain)),
        cell(one.p25, digits=1), cell(one.p75, digits=1), one.pain.n, one.reached,
    )


def waterfall(one: Waterfall, condition: Callable[[str], str], event: Callable[[str], str], rows: Rows) -> Chart:
    """One bar a patient: the landmark fall after the first infusion, deepest first."""
    classes = [_class(bar.fall) for bar in one.bars]
    values = [
        {"at": at, "fall": bar.fall, "class": CLASSES[kind][0], "condition": condition(bar.condition)}
        for at, (bar, kind) in enumerate(zip(one.bars, classes, strict=True), 1)
    ]  # fmt: skip
    spec: dict[str, Any] = {
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "bar"},
             "encoding": {
                 "x": {"field": "at", "type": "ordinal", "title": "Patients",
                       "axis": {"labels": False, "ticks": False}},
                 "y": {"field": "fall", "type": "quantitative", "title": None},
                 "color": {"field": "class", "type": "nominal", "title": None, "legend": {"orient": "top"},
                           "scale": {"domain": [name for name, _ in CLASSES],
                                     "range": [colour for _, colour in CLASSES]}},
                 "tooltip": [{"field": "fall", "title": "Fall, %", "format": ".0f"},
                             {"field": "condition", "title": "Condition"}]}},
            *({"mark": {"type": "rule", "strokeDash": [4, 3], "color": "@ink-3"}, "encoding": {"y": {"datum": percent}}}
              for percent in (MODERATE, SUBSTANTIAL)),
        ],
    }  # fmt: skip
    table = Table(
        name="waterfall", title="Fall of pain, patient by patient",
        columns=(Column("patient", "Patient", numeric=True), Column("fall", "Fall, %", numeric=True),
                 Column("condition", "Condition"), Column("adjunct", "Beside other therapy")),
        rows=Each(one.bars, lambda at, bar: row_of(
            at + 1, cell(bar.fall, digits=0, href=event(bar.fact)), condition(bar.condition), bar.with_adjunct
        )), empty="No patient of this period has both a score before the first infusion and one after it yet.",
    )  # fmt: skip
    counts = [f"{classes.count(kind)} {name}" for kind, (name, _) in enumerate(CLASSES) if classes.count(kind)]
    return Chart(
        name="waterfall", title="Fall of pain, patient by patient", spec=spec, table=table, height=240,
        aid="A bar a patient: fall of pain, in %, 24 to 72 h after the first infusion. Dashed: 30 % and 50 %.",
        description=f"{count(len(one.bars), 'patient')}: {', '.join(counts)}.", nothing="" if counts else table.empty,
        definitions=(current("waterfall"),), rows=(("", rows("waterfall.falls")),) if counts else (),
    )


def _class(fall: float) -> int:
    if fall >= SUBSTANTIAL:
        return 0
    return 1 if fall >= MODERATE else 2 if fall >= 0 else 3


def curve_name(group: str) -> str:
    """`booster_2` as a person says it."""
    if group.startswith("booster_"):
        return f"booster {group.removeprefix('booster_')}"
    return {"trial": "first infusion", "last_of_series": "last of the series"}.get(group, words(group))


def duration(curves: Sequence[Curve], rows: Rows) -> Chart:
    """Kaplan-Meier curves of relief, and under them the number at risk of every curve."""
    drawn = [one for one in curves if one.n >= SMALL][:CURVES_DRAWN]
    values = [point for one in drawn for point in _points(one)]
    longest = max((float(point["day"]) for point in values), default=0.0)
    spec = {
        "data": {"values": values},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": {"field": "day", "type": "quantitative", "title": "Days since drug stop",
                  "scale": {"domain": [0, min(max(longest, 7.0), 84.0)]}, "axis": {"grid": False}},
            "y": {"field": "share", "type": "quantitative", "title": None, "axis": {"format": "%"},
                  "scale": {"domain": [0, 1]}},
            "color": {"field": "group", "type": "nominal", "title": None, "sort": None, "legend": {"orient": "top"}},
            "strokeDash": {"field": "group", "type": "nominal", "title": None, "sort": None,
                           "legend": {"orient": "top"}},
            "tooltip": [{"field": "group", "title": "After"}, {"field": "day", "title": "Days", "format": ".1f"},
                        {"field": "share", "title": "Still relieved", "format": ".0%"},
                        {"field": "risk", "title": "At risk"}],
        },
    }  # fmt: skip
    days = [day for day in SHOWN_DAYS if day]
    table = Table(
        name="duration", title="How long relief lasts",
        columns=(Column("after", "After"), Column("n", "Spells", numeric=True), Column("ended", "Ended", numeric=True),
                 Column("median", "Median, days", numeric=True, basis=("95 % low", "95 % high")),
                 Column("interval", "95 %", in_csv=False),
                 *(Column(f"day-{day}", f"Day {day}", numeric=True, basis=("at risk",)) for day in days)),
        rows=tuple(_curve_row(at, one, days, rows) for at, one in enumerate(curves)),
        note="Under each day: the share still relieved, and how many were still at risk.",
    )  # fmt: skip
    said = "; ".join(
        f"after {'' if one.group.startswith('booster') else 'the '}{curve_name(one.group)} the median is "
        + (f"{number(one.median_days, 1)} days" if one.median_days is not None else "not reached")
        + f" (n {one.n})"
        for one in drawn
    )
    undrawn = ", ".join(f"{curve_name(one.group)} (n {one.n})" for one in curves if one not in drawn)
    few = "No group has ten spells of relief yet, the least that a curve is drawn for: the spells are in the data."
    none = "Nobody who was infused in this period has been followed through a spell of relief yet."
    return Chart(
        name="duration", title="How long relief lasts", spec=spec, table=table, height=260,
        below=_at_risk(curves, drawn),
        aid="Kaplan-Meier: share of responders still relieved, after the first infusion, the last of the series and "
            "each booster." + (f" Not drawn, in the data: {undrawn}." if undrawn else ""),
        description=f"{said[:1].upper()}{said[1:]}.", definitions=(current("relief_duration"),),
        nothing="" if drawn else few if any(one.n for one in curves) else none,
        rows=tuple((curve_name(one.group), rows(f"durations.{at}.median")) for at, one in enumerate(curves) if one.n),
    )  # fmt: skip


def _at_risk(curves: Sequence[Curve], drawn: Sequence[Curve]) -> Table:
    """How many each curve rests on, week by week: the drawn ones first."""
    ordered = [*drawn, *(one for one in curves if one.n and one not in drawn)]
    return Table(
        name="at-risk", title="Spells at risk",
        columns=(Column("after", "After"), *(
            Column(f"week-{day // 7}", f"Week {day // 7}" if day else "Start", numeric=True) for day in AT_RISK_DAYS
        )),
        rows=tuple(
            row_of(curve_name(one.group) + ("" if one in drawn else " (not drawn)"),
                   *(one.at_risk[day] for day in AT_RISK_DAYS))
            for one in ordered
        ),
    )  # fmt: skip


def _points(one: Curve) -> Iterable[dict[str, Any]]:
    name = curve_name(one.group)
    yield {"group": name, "day": 0.0, "share": 1.0, "risk": one.n}
    for step in one.survival.steps:
        yield {"group": name, "day": step.time, "share": step.surviving, "risk": step.at_risk}


def _curve_row(at: int, one: Curve, days: Sequence[int], rows: Rows) -> tuple[Cell, ...]:
    low, high = one.median_interval
    reached = one.median_days is not None
    between = f"{number(low, 1)} to {number(high, 1) if high is not None else 'not reached'}" if low is not None else ""
    return row_of(
        curve_name(one.group), cell(one.n, href=rows(f"durations.{at}.median") if one.n else None), one.ended,
        cell(one.median_days, f"{number(one.median_days, 1)} days" if reached else "not reached", basis=(low, high)),
        cell(between, between or NOTHING), *(_surviving(one, day) for day in days),
    )


def _surviving(one: Curve, day: int) -> Cell:
    share = one.surviving[day]
    if share is None:
        return cell(None, basis=(one.at_risk[day],))
    return cell(share, f"{number(share * 100)} %", note=f"at risk {one.at_risk[day]}", basis=(one.at_risk[day],))


def dose(found: DoseResponse, condition: Callable[[str], str], event: Callable[[str], str], rows: Rows) -> Chart:
    """First infusions: dose per kg against the fall that followed."""
    values = [
        {"dose": one.mg_per_kg, "fall": one.fall_percent, "condition": condition(one.condition)}
        for one in found.points
    ]  # fmt: skip
    spec = {
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "point", "filled": True, "size": 48, "color": "@series-1", "opacity": 0.7},
             "encoding": {
                 "x": {"field": "dose", "type": "quantitative", "title": "mg/kg", "scale": {"zero": False},
                       "axis": {"format": ".2f", "tickCount": 6}},
                 "y": {"field": "fall", "type": "quantitative", "title": "Fall of pain, %"},
                 "tooltip": [{"field": "dose", "title": "mg/kg", "format": ".2f"},
                             {"field": "fall", "title": "Fall, %", "format": ".0f"},
                             {"field": "condition", "title": "Condition"}]}},
            {"mark": {"type": "rule", "strokeDash": [4, 3], "color": "@ink-3"}, "encoding": {"y": {"datum": MODERATE}}},
        ],
    }  # fmt: skip
    table = Table(
        name="dose-response", title="Dose and response",
        columns=(Column("dose", "mg/kg", numeric=True), Column("rate", "mg/kg/h", numeric=True),
                 Column("fall", "Fall, %", numeric=True), Column("condition", "Condition")),
        rows=Each(found.points, lambda _, one: row_of(
            cell(one.mg_per_kg, digits=2), cell(one.mg_per_kg_h, digits=2),
            cell(one.fall_percent, digits=0, href=event(one.fact)), condition(one.condition),
        )), empty="No first infusion of this period has both a score before and one after it yet.",
    )  # fmt: skip
    rho = shown(found.mg_per_kg, "dose_response.mg_per_kg")
    said = "Too few first infusions for a rho: an association is told from ten on."
    if rho.raw is not None:
        said = f"Spearman's rho is {rho.value} (n {rho.n})."
    return Chart(
        name="dose-response", title="Dose and response", spec=spec, table=table, height=240,
        aid="A dot a first infusion. Dashed: 30 %. An association: doses were chosen, not drawn by lot.",
        description=said, nothing="" if values else table.empty, definitions=(current("dose_response"),),
        rows=(("", rows("dose_response.mg_per_kg")),) if values else (),
    )
