"""Clinics: the last complete week against the one before, and all clinics side by side by one definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import msgspec
from flask import Blueprint, Response

from api.http.questions import Question
from api.reports import compare
from api.web.address import ClinicName, View, view
from api.web.deltas import Delta, delta
from api.web.doubt import doubted, thin
from api.web.figures import Shown, shown
from api.web.page import render
from api.web.tables import Cell, Column, Table, cell, figure_cell, figure_table, rate_column, spread_column
from api.web.wording import period
from projections.metrics.calendar import Period
from projections.metrics.definitions import current
from projections.side_by_side import Figures, SideBySide

blueprint = Blueprint("web_clinics", __name__)

WEEK = (
    "actual_utilization", "no_show_rate", "on_time", "wait", "scheduled_utilization", "overtime_minutes",
    "responders_first_30", "side_effect_share", "follow_up_answered",
)  # fmt: skip
SIDE_BY_SIDE = (
    "actual_utilization", "scheduled_utilization", "no_show_rate", "on_time", "wait", "lead_time",
    "responders_first_30", "side_effect_share", "follow_up_answered",
)  # fmt: skip

MEDIANS = frozenset({"wait", "lead_time"})

FOLLOW_UP = "follow_up_answered"

OPENS = {
    **{name: ("utilization", f"together.rooms.{name}") for name in (
        "actual_utilization", "scheduled_utilization", "overtime_minutes")},
    **{name: ("utilization", f"together.attendance.{name}") for name in (
        "no_show_rate", "on_time", "wait", "lead_time")},
    "side_effect_share": ("safety", "any_side_effect"),
    "responders_first_30": ("outcomes", "responders.first_30"),
    "follow_up_answered": ("outcomes", "follow_up_answered"),
}  # fmt: skip
"""By metric the dashboard whose rows it opens into, and its path there."""


class Compared(msgspec.Struct, frozen=True):
    """A figure of the last week and what became of it since the week before."""

    now: Shown
    change: Delta


@blueprint.get("/clinics")
def show() -> Response:
    """The week and the comparison."""
    asked = view()
    last, before = weeks(asked)
    now, then, whole = compare(asked.question, [one.question.period for one in (last, before, asked)])
    figures, earlier = _figures(now.together, last, WEEK), _figures(then.together, before, WEEK)
    compared = [Compared(figures[name], delta(figures[name], earlier[name])) for name in WEEK]
    table = side_by_side(asked, whole)
    to_check = figure_table("last-week", f"Last week, {_span(last)}", figures.values())
    return render(
        "clinics.html", title="Clinics", active="web_clinics.show", view=asked,
        lede="The last complete week against the one before, and all clinics side by side by one definition.",
        tables=[table, to_check], figures=list(figures.values()), compared=compared, week=_span(last),
        week_before=_span(before), ends=last.question.period.last, span=_span(asked),
    )


def _span(asked: View) -> str:
    return period(asked.question.period.first, asked.question.period.last)


def weeks(asked: View) -> tuple[View, View]:
    """The last complete week (Monday to Sunday) before the moment seen, and the one before it."""
    sunday = asked.today - timedelta(days=asked.today.isoweekday())
    last, before = (
        Period(sunday - timedelta(days=back + 6), sunday - timedelta(days=back)) for back in (0, 7)
    )
    return _during(asked, last), _during(asked, before)


def _during(asked: View, span: Period) -> View:
    return replace(asked, question=replace(asked.question, period=span))


def _figures(found: Figures, asked: View, names: Iterable[str]) -> dict[str, Shown]:
    """Those of these names, each opening into the rows that its own dashboard shows for the same question.

    Relief is in doubt by the follow-up of the same clinics and days.
    """
    rows, doubt = {dashboard: asked.rows(dashboard) for dashboard, _ in OPENS.values()}, thin(found[FOLLOW_UP])
    return {name: doubted(shown(found[name], OPENS[name][1], rows[OPENS[name][0]]), doubt) for name in names}


def side_by_side(asked: View, compared: SideBySide) -> Table:
    """A row for each clinic, a column for each figure; each cell opens into its rows."""
    columns = [Column("clinic", "Clinic", sorts=True)]
    columns += [
        (spread_column if name in MEDIANS else rate_column)(name, current(name).title, current(name), sorts=True)
        for name in SIDE_BY_SIDE
    ]
    lines = [
        _line(one, _figures(compared.by_clinic[one.id], _at(asked, one), SIDE_BY_SIDE))
        for one in asked.clinics if one.id in compared.by_clinic
    ]  # fmt: skip
    return Table(name="clinics", title="Side by side", columns=tuple(columns), rows=tuple(lines),
                 empty="There is no clinic to show yet.")


def _at(asked: View, clinic: ClinicName) -> View:
    question: Question = replace(asked.question, clinics=(clinic.id,))
    return replace(asked, question=question, clinics=(clinic,))


def _line(clinic: ClinicName, figures: dict[str, Shown]) -> tuple[Cell, ...]:
    return (cell(clinic.name, note=clinic.timezone), *(figure_cell(figures[name]) for name in SIDE_BY_SIDE))
