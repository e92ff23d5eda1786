"""The picture of one patient: pain over time, above tracks of infusions, side effects, boosters and other therapy."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.web.charts import Chart
from api.web.tables import Cell, Column, Table, cell, event_cell
from api.web.terms import side_effect, therapy
from api.web.wording import count, day, number, when, words
from projections.patient_picture import Effect, Given, Picture

PAIN_KINDS = ("now", "average", "worst")
INFUSIONS, EFFECTS, BOOSTERS, THERAPY = -1.2, -2.4, -3.6, -4.8
AHEAD = ("scheduled", "booked")
"""Boosters to come: one that was given is an infusion, one that was cancelled is in the list."""
BEFORE_DAYS = 56
"""So many days before the first course are drawn with it: what imported years before would press into a corner."""
TRACKS = {INFUSIONS: "Infusions", EFFECTS: "Side effects", BOOSTERS: "Boosters", THERAPY: "Other therapy"}


def drawn_from(picture: Picture) -> date | None:
    """The day from which on the picture is drawn unless all is asked for; None when that leaves nothing out."""
    if not picture.courses:
        return None
    opened = min(one.opened_at for one in picture.courses).astimezone(ZoneInfo(picture.timezone)).date()
    since = opened - timedelta(days=BEFORE_DAYS)
    return since if _first_day(picture) < since else None


def course(picture: Picture, since: date | None = None) -> Chart:
    """What happened to the patient from `since` on in one picture; all of it in its table."""
    whole, picture = picture, _from(picture, since)
    layers = [layer for layer in (
        _therapies(picture), _lines(picture), _drops(picture), _pain(picture), _infusions(picture), _effects(picture),
        _boosters(picture),
    ) if layer]  # fmt: skip
    return Chart(
        name="course", title="Pain, infusions and what came with them", spec={"layer": layers}, height=400,
        table=table(whole), description=_said(whole),
        aid="Lines: pain scores 0 to 10. Triangles: infusions; squares beside them: boosters given. Dashed levels: the "
            "course's baseline, and 30 and 50 % below it. Diamonds: side effects, larger by grade. Circles: boosters "
            "due (open) or booked (filled).",
    )  # fmt: skip


def _from(picture: Picture, since: date | None) -> Picture:
    if since is None:
        return picture
    begin = datetime.combine(since, time(0), ZoneInfo(picture.timezone))
    return msgspec.structs.replace(
        picture, pain=tuple(one for one in picture.pain if one.at >= begin),
        infusions=tuple(one for one in picture.infusions if one.started_at >= begin),
        side_effects=tuple(one for one in picture.side_effects if one.onset_at >= begin),
    )


def _local(at: datetime, picture: Picture) -> str:
    """The clinic's wall clock: what the axis shows, wherever the browser is."""
    return at.astimezone(ZoneInfo(picture.timezone)).strftime("%Y-%m-%dT%H:%M:%S")


def _noon(on: date) -> str:
    return datetime.combine(on, time(12)).strftime("%Y-%m-%dT%H:%M:%S")


def _y() -> dict[str, Any]:
    named = "datum.value == {0} ? '{1}' : "
    expression = "".join(named.format(at, label) for at, label in TRACKS.items())
    return {
        "field": "y", "type": "quantitative", "title": None, "scale": {"domain": [-5.4, 10.4], "nice": False},
        "axis": {"values": [*TRACKS, 0, 2, 4, 6, 8, 10], "labelExpr": expression + "datum.label",
                 "labelLimit": 90, "grid": True},
    }  # fmt: skip


def _x() -> dict[str, Any]:
    return {"field": "at", "type": "temporal", "title": None,
            "axis": {"format": "%-d %b %y", "tickCount": 7, "labelOverlap": "greedy", "grid": False}}


def _pain(picture: Picture) -> dict[str, Any] | None:
    values = [
        {"at": _local(one.at, picture), "y": one.score, "kind": one.kind, "told": f"{one.score} of 10"}
        for one in picture.pain
    ]
    if not values:
        return None
    kinds = [kind for kind in PAIN_KINDS if any(one.kind == kind for one in picture.pain)]
    colours = {"now": "@series-1", "average": "@series-3", "worst": "@series-2"}
    dashes = {"now": [1, 0], "average": [5, 3], "worst": [2, 2]}
    return {
        "name": "pain", "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 1.5, "point": {"size": 14, "filled": True}},
        "encoding": {
            "x": _x(), "y": _y(),
            "color": {"field": "kind", "type": "nominal", "title": "Pain",
                      "scale": {"domain": kinds, "range": [colours[kind] for kind in kinds]},
                      "legend": {"orient": "top", "symbolType": "stroke"}},
            "strokeDash": {"field": "kind", "type": "nominal", "title": "Pain",
                           "scale": {"domain": kinds, "range": [dashes[kind] for kind in kinds]}},
            "tooltip": [{"field": "at", "type": "temporal", "title": "When", "format": "%a %-d %b %Y, %H:%M"},
                        {"field": "kind", "title": "Pain"}, {"field": "told", "title": "Score"}],
        },
    }  # fmt: skip


def _lines(picture: Picture) -> dict[str, Any] | None:
    """Baseline, 30 and 50 % per course, from its first infusion until it was closed, or now."""
    values = []
    for one in picture.courses:
        first = min((given.started_at for given in picture.infusions if given.course == one.course), default=None)
        if one.baseline is None or first is None:
            continue
        span = {"at": _local(first, picture), "until": _local(one.closed_at or picture.as_of, picture)}
        for label, level in (("baseline", one.baseline), ("30 % less", one.moderate), ("50 % less", one.substantial)):
            if level is not None:
                values.append({**span, "y": float(level), "told": f"{label}: {number(float(level), 1)}"})
    if not values:
        return None
    return {
        "name": "levels", "data": {"values": values},
        "mark": {"type": "rule", "strokeDash": [6, 4], "color": "@ink-3", "strokeWidth": 1},
        "encoding": {"x": _x(), "x2": {"field": "until"}, "y": _y(), "tooltip": {"field": "told", "title": "Level"}},
    }


def _drops(picture: Picture) -> dict[str, Any] | None:
    values = [{"at": _local(one.started_at, picture), "y": INFUSIONS, "top": 10} for one in picture.infusions]
    if not values:
        return None
    return {
        "name": "drops", "data": {"values": values}, "mark": {"type": "rule", "color": "@rule-2", "strokeWidth": 1},
        "encoding": {"x": _x(), "y": _y(), "y2": {"field": "top"}},
    }


def _infusions(picture: Picture) -> dict[str, Any] | None:
    values = [
        {"at": _local(one.started_at, picture), "y": INFUSIONS, "told": infusion_in_words(one),
         "booster": one.purpose == "booster"}
        for one in picture.infusions
    ]  # fmt: skip
    layer = _points("infusions", values, "triangle-up", "@series-1", filled=True, size=60)
    if layer is not None:
        given = {"test": "datum.booster"}
        layer["encoding"]["shape"] = {"condition": {**given, "value": "square"}, "value": "triangle-up"}
        layer["encoding"]["color"] = {"condition": {**given, "value": "@series-2"}, "value": "@series-1"}
    return layer


def _effects(picture: Picture) -> dict[str, Any] | None:
    values = [
        {"at": _local(one.onset_at, picture), "y": EFFECTS, "told": effect_in_words(one), "size": 24 + 26 * one.grade}
        for one in picture.side_effects
    ]
    layer = _points("side_effects", values, "diamond", "@series-4", filled=True, size=50)
    if layer is not None:
        layer["encoding"]["size"] = {"field": "size", "type": "quantitative", "legend": None, "scale": None}
    return layer


def _boosters(picture: Picture) -> dict[str, Any] | None:
    values = [
        {"at": _noon(one.due_on), "y": BOOSTERS, "state": one.state,
         "told": f"booster {words(one.state)}: {words(one.reason)}"}
        for one in picture.boosters if one.state in AHEAD
    ]  # fmt: skip
    layer = _points("boosters", values, "circle", "@series-2", filled=False, size=60)
    if layer is not None:
        layer["encoding"]["fill"] = {
            "condition": {"test": "datum.state == 'scheduled'", "value": "transparent"}, "value": "@series-2",
        }  # fmt: skip
    return layer


def _points(
    name: str, values: list[dict[str, Any]], shape: str, colour: str, *, filled: bool, size: int
) -> dict[str, Any] | None:
    if not values:
        return None
    return {
        "name": name, "data": {"values": values},
        "mark": {"type": "point", "shape": shape, "color": colour, "filled": filled, "size": size, "opacity": 1},
        "encoding": {
            "x": _x(), "y": _y(),
            "tooltip": [{"field": "at", "type": "temporal", "title": "When", "format": "%a %-d %b %Y, %H:%M"},
                        {"field": "told", "title": "What"}],
        },
    }  # fmt: skip


def _therapies(picture: Picture) -> dict[str, Any] | None:
    end = picture.as_of.astimezone(ZoneInfo(picture.timezone)).date()
    since = _first_day(picture)
    values = [
        {"at": _noon(max(one.since, since)), "until": _noon(one.until or end), "y": THERAPY,
         "told": therapy(one.therapy)}
        for one in picture.adjuncts if (one.until or end) >= since
    ]
    if not values:
        return None
    return {
        "name": "therapies", "data": {"values": values},
        "mark": {"type": "rule", "strokeWidth": 9, "color": "@series-3", "opacity": 0.45},
        "encoding": {"x": _x(), "x2": {"field": "until"}, "y": _y(),
                     "tooltip": {"field": "told", "title": "Other therapy"}},
    }  # fmt: skip


def _first_day(picture: Picture) -> date:
    """Bands that began long before are drawn from the first score or infusion on."""
    moments = [*(one.at for one in picture.pain), *(one.started_at for one in picture.infusions)]
    first = min(moments, default=picture.as_of)
    return first.astimezone(ZoneInfo(picture.timezone)).date()


# --- in words -------------------------------------------------------------------------------------


def infusion_in_words(one: Given) -> str:
    """`2nd of the course, series: 35 mg (0.5 mg/kg) in 60 min`, with how it ended."""
    text = f"{words(one.purpose)} infusion, no. {one.in_course} of the course: {one.dose_mg} mg"
    text += f" ({one.dose_mg_per_kg} mg/kg) in {number(float(one.minutes))} min"
    return text if one.complete else text + ", stopped early"


def effect_in_words(one: Effect) -> str:
    """Kind, grade, and from where."""
    text = f"{side_effect(one.kind)}, grade {one.grade}"
    text += ", serious" if one.serious else ""
    return text + (", from home" if one.from_home else "")


def _said(picture: Picture) -> str:
    if not picture.pain and not picture.infusions:
        return "Neither a pain score nor an infusion is on record."
    last = next((one for one in reversed(picture.pain) if one.kind == "now"), None)
    boosters = sum(one.purpose == "booster" for one in picture.infusions)
    among = f", {count(boosters, 'booster')} among them," if boosters else ""
    text = f"{count(len(picture.infusions), 'infusion')}{among} and {count(len(picture.pain), 'pain score')}"
    if last is None:
        return text + "."
    on = last.at.astimezone(ZoneInfo(picture.timezone)).date()
    return f"{text}; the last score was {last.score} of 10 on {day(on)}."


def table(picture: Picture) -> Table:
    """Every mark of the picture as a row, in order."""
    return Table(
        name="course", title="What the picture shows", empty="Nothing to draw yet.",
        columns=(
            Column("at", "When", sorts=True), Column("what", "What", sorts=True), Column("value", "Value"),
            Column("event", "Event no.", numeric=True),
        ),
        rows=tuple(row for _, row in sorted(_rows(picture), key=lambda one: one[0])),
    )  # fmt: skip


def _rows(picture: Picture) -> Iterable[tuple[str, tuple[Cell, ...]]]:
    for pain in picture.pain:
        yield _row(pain.at, f"Pain ({words(pain.kind)})", str(pain.score), pain.position, picture)
    for given in picture.infusions:
        what = "Booster given" if given.purpose == "booster" else "Infusion"
        yield _row(given.started_at, what, infusion_in_words(given), given.position, picture)
    for effect in picture.side_effects:
        yield _row(effect.onset_at, "Side effect", effect_in_words(effect), effect.position, picture)
    for booster in (one for one in picture.boosters if one.state in AHEAD):
        said = f"{words(booster.state)}; {words(booster.reason)}"
        yield _dated(booster.due_on, "Booster due", said, booster.position)
    for beside in picture.adjuncts:
        until = f" until {day(beside.until)}" if beside.until else ", going on"
        yield _dated(beside.since, "Other therapy", therapy(beside.therapy) + until, beside.position)
    for one in picture.courses:
        if one.baseline is not None:
            yield _row(one.opened_at, "Course baseline", f"{one.baseline} of 10", one.position, picture)


def _row(at: datetime, what: str, value: str, position: int, picture: Picture) -> tuple[str, tuple[Cell, ...]]:
    local = _local(at, picture)
    return local, (
        cell(at, when(at, picture.timezone)), cell(what), cell(value),
        event_cell(position),
    )  # fmt: skip


def _dated(on: date, what: str, value: str, position: int) -> tuple[str, tuple[Cell, ...]]:
    return _noon(on), (
        cell(on, day(on, weekday=True)), cell(what), cell(value),
        event_cell(position),
    )  # fmt: skip
