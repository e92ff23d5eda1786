"""The pictures of the page Utilization."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from api.web.address import Rows
from api.web.charts import Chart
from api.web.figures import shown
from api.web.tables import Cell, Column, Table, basis_of, cell, rate_column, row_of
from api.web.wording import day, number, words
from projections.metrics.definitions import current
from projections.metrics.figures import Figure
from projections.metrics.rooms import RoomFigures

SCHEDULED, ACTUAL = "together.rooms.scheduled_utilization", "together.rooms.actual_utilization"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _percent(figure: Figure) -> Cell:
    one = shown(figure, "")
    return cell(figure.value, f"{one.value} {one.unit}".strip(), basis=basis_of(figure))


def _occupied(rooms: RoomFigures, rows: Rows) -> tuple[tuple[str, str], ...]:
    """What is spread over many bins opens as a whole."""
    return (("", rows("together.rooms.occupied_minutes")),) if rooms.occupied_minutes.n else ()


def time_of_day(rooms: RoomFigures, rows: Rows) -> Chart:
    """How many rooms are busy at each quarter hour, against how many are open."""
    bins = [one for one in rooms.by_time_of_day if one.rooms_open or (one.busy.value or 0) > 0]
    values = [{"t": one.starts, "busy": one.busy.value, "open": one.rooms_open} for one in bins]
    peak = max(bins, key=lambda one: one.busy.value or 0, default=None)
    said = (
        f"Most rooms are busy at {peak.starts}: {number(peak.busy.value, 1)} of {number(peak.rooms_open, 1)} open."
        if peak is not None else ""
    )  # fmt: skip
    x: dict[str, Any] = {
        "field": "t", "type": "ordinal", "title": None,
        "axis": {"labelExpr": "substring(datum.value, 3) == '00' ? datum.value : ''", "labelAngle": 0,
                 "ticks": False, "labelOverlap": "greedy", "labelPadding": 6},
    }  # fmt: skip
    spec = {
        "data": {"values": values},
        "encoding": {"x": x},
        "layer": [
            {"mark": {"type": "bar", "color": "@series-1", "width": {"band": 0.82}},
             "encoding": {"y": {"field": "busy", "type": "quantitative", "title": "Rooms"},
                          "tooltip": [{"field": "t", "title": "From"},
                                      {"field": "busy", "title": "Busy", "format": ".2f"},
                                      {"field": "open", "title": "Open", "format": ".2f"}]}},
            {"mark": {"type": "line", "interpolate": "step", "color": "@ink-2", "strokeWidth": 1.5},
             "encoding": {"y": {"field": "open", "type": "quantitative"}}},
        ],
    }  # fmt: skip
    table = Table(
        name="time-of-day", title="Rooms busy by time of day",
        columns=(Column("from", "From"), rate_column("busy", "Rooms busy"),
                 Column("open", "Rooms open", numeric=True)),
        rows=tuple(row_of(
            one.starts, cell(one.busy.value, digits=2, basis=basis_of(one.busy)), cell(one.rooms_open, digits=2)
        ) for one in bins),
        empty="No room was open in this period.",
    )  # fmt: skip
    return Chart(
        name="time-of-day", title="Rooms busy by time of day", spec=spec, table=table, description=said,
        aid="Bars: mean rooms busy in each quarter hour of the clinic's clock. Line: rooms open.",
        definitions=(current("occupancy_by_time"),), rows=_occupied(rooms, rows),
        nothing="" if bins else f"{table.empty} Opening hours and rooms in service are told under Schedule, Premises.",
    )


def week(rooms: RoomFigures, rows: Rows) -> Chart:
    """Utilization of every hour of the week."""
    cells = rooms.by_hour_of_week
    values = [
        {"day": WEEKDAYS[one.weekday - 1], "hour": f"{one.hour:02d}", "share": one.utilization.value}
        for one in cells
    ]  # fmt: skip
    filled = [one for one in cells if one.utilization.value is not None]
    fullest = max(filled, key=lambda one: one.utilization.value or 0, default=None)
    said = ""
    if fullest is not None:
        said = (f"The fullest hour is {WEEKDAYS[fullest.weekday - 1]} at {fullest.hour:02d}:00 with "
                f"{number((fullest.utilization.value or 0) * 100)} % of open room time occupied.")
    spec = {
        "data": {"values": values},
        "mark": {"type": "rect", "stroke": "@paper", "strokeWidth": 2},
        "encoding": {
            "x": {"field": "hour", "type": "ordinal", "title": None, "axis": {"labelAngle": 0, "ticks": False,
                  "domain": False, "labelOverlap": "greedy"}},
            "y": {"field": "day", "type": "ordinal", "title": None, "sort": list(WEEKDAYS),
                  "axis": {"ticks": False, "domain": False}},
            "color": {"field": "share", "type": "quantitative", "title": None,
                      "scale": {"domain": [0, 1], "range": ["@heat-low", "@heat-mid", "@heat-high"], "clamp": True,
                                "interpolate": "lab"},
                      "legend": {"format": "%", "gradientLength": 120, "gradientThickness": 8, "orient": "top",
                                 "direction": "horizontal", "tickCount": 3}},
            "tooltip": [{"field": "day", "title": "Day"}, {"field": "hour", "title": "Hour"},
                        {"field": "share", "title": "Occupied", "format": ".1%"}],
        },
    }  # fmt: skip
    hours = sorted({one.hour for one in cells})
    by_cell = {(one.weekday, one.hour): one.utilization for one in cells}
    table = Table(
        name="week", title="Utilization by weekday and hour",
        columns=(Column("hour", "Hour"), *(rate_column(name, name) for name in WEEKDAYS)),
        rows=tuple(
            row_of(f"{hour:02d}:00", *(
                _percent(by_cell[weekday, hour]) if (weekday, hour) in by_cell else cell(None)
                for weekday in range(1, 8)))
            for hour in hours
        ), empty="No room was open in this period.",
    )  # fmt: skip
    return Chart(
        name="week", title="Utilization by weekday and hour", spec=spec, table=table, description=said, height=210,
        aid="The darker, the more of the open room time was occupied; empty: closed.",
        definitions=(current("weekday_hour"),), rows=_occupied(rooms, rows),
        nothing="" if filled else "No room was open in this period up to the moment seen.",
    )


def days(rooms: RoomFigures, rows: Rows) -> Chart:
    """Scheduled and actual utilization day by day."""
    some = [one for one in rooms.days if one.scheduled.value is not None or one.actual.value is not None]
    values = [
        {"day": one.day.isoformat(), "kind": kind, "share": figure.value}
        for one in some for kind, figure in (("scheduled", one.scheduled), ("actual", one.actual))
        if figure.value is not None
    ]  # fmt: skip
    spec = {
        "data": {"values": values},
        "mark": {"type": "line", "interpolate": "linear", "point": {"size": 14, "filled": True}, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "day", "type": "temporal", "title": None, "axis": {"format": "%-d %b", "tickCount": 8,
                  "grid": False}},
            "y": {"field": "share", "type": "quantitative", "title": None, "axis": {"format": "%", "tickCount": 5}},
            "color": {"field": "kind", "type": "nominal", "title": None,
                      "scale": {"domain": ["scheduled", "actual"], "range": ["@series-2", "@series-1"]},
                      "legend": {"orient": "top", "symbolType": "stroke"}},
            "strokeDash": {"field": "kind", "type": "nominal", "title": None,
                           "scale": {"domain": ["scheduled", "actual"], "range": [[4, 3], [1, 0]]}},
            "tooltip": [{"field": "day", "type": "temporal", "title": "Day", "format": "%a %-d %b %Y"},
                        {"field": "kind", "title": "Which"}, {"field": "share", "title": "Share", "format": ".1%"}],
        },
    }  # fmt: skip
    table = Table(
        name="days", title="Scheduled and actual by day",
        columns=(Column("day", "Day"), rate_column("scheduled", "Scheduled"),
                 rate_column("actual", "Actual")),
        rows=tuple(
            (cell(one.day, day(one.day, weekday=True)), _day(one.day, one.scheduled, SCHEDULED, rows),
             _day(one.day, one.actual, ACTUAL, rows)) for one in some
        ), empty="No day with opening hours in this period.",
    )  # fmt: skip
    return Chart(
        name="days", title="Scheduled and actual, day by day", spec=spec, table=table,
        aid="Dashed: booked share of open room time. Solid: occupied share.",
        definitions=(current("scheduled_utilization"), current("actual_utilization")),
        rows=tuple((label, rows(path)) for label, path, figure in (
            ("scheduled", SCHEDULED, rooms.scheduled_utilization), ("actual", ACTUAL, rooms.actual_utilization),
        ) if figure.n),
        nothing="" if some else table.empty,
        description=f"{len(some)} days with opening hours; the table below has each day's two shares.",
    )


def _day(on: date, figure: Figure, path: str, rows: Rows) -> Cell:
    """A day's share, opening into the rows of that day."""
    one = _percent(figure)
    return msgspec.structs.replace(one, href=rows.between(path, on, on)) if figure.numerator else one


def phases(rooms: RoomFigures, rows: Rows) -> Chart:
    """What occupied rooms are occupied with."""
    some = [(phase, figure) for phase, figure in rooms.phases.items() if figure.denominator]
    values = [{"phase": words(phase), "share": figure.value} for phase, figure in some]
    longest = max((figure.value or 0 for _, figure in some), default=0)
    spec = {
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "bar", "color": "@series-1", "height": {"band": 0.62}}},
            {"mark": {"type": "text", "align": "left", "dx": 6, "color": "@ink-2"},
             "encoding": {"text": {"field": "share", "format": ".1%"}}},
        ],
        "encoding": {
            "y": {"field": "phase", "type": "nominal", "title": None, "sort": [words(phase) for phase, _ in some],
                  "axis": {"ticks": False, "domain": False, "labelLimit": 160}},
            "x": {"field": "share", "type": "quantitative", "title": None, "axis": {"format": "%", "tickCount": 4},
                  "scale": {"domain": [0, min(1.0, longest * 1.2) or 1]}},
        },
    }  # fmt: skip
    table = Table(
        name="phases", title="What rooms are occupied with",
        columns=(Column("phase", "Phase"), Column("minutes", "Minutes", numeric=True),
                 rate_column("share", "Share")),
        rows=tuple(
            row_of(words(phase), cell(figure.numerator, href=rows(f"together.rooms.phases.{phase}")), _percent(figure))
            for phase, figure in some
        ),
        empty="No room was occupied in this period.",
    )  # fmt: skip
    top = max(some, key=lambda one: one[1].value or 0, default=None)
    said = f"Most of it is {words(top[0])}: {number((top[1].value or 0) * 100)} %." if top else table.empty
    return Chart(
        name="phases", title="What rooms are occupied with", spec=spec, table=table, description=said, height=190,
        aid="Share of all occupied room minutes, from roomed to released.",
        definitions=(current("phase_share"),), rows=_occupied(rooms, rows), nothing="" if some else table.empty,
    )
