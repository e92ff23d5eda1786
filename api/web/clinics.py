"""Clinics: the last complete week against the one before, and all clinics side by side by one definition."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import msgspec
from flask import Blueprint, Response

from api.http.questions import Question
from api.reports import ask, compare
from api.web.address import ClinicName, View, view
from api.web.deltas import Delta, delta
from api.web.figures import Shown, shown
from api.web.page import render
from api.web.tables import Cell, Column, Table, cell, figure_cell, figure_table
from api.web.utilization import figures_of
from api.web.wording import period
from projections.metrics.calendar import Period
from projections.metrics.definitions import current
from projections.side_by_side import Care
from projections.utilization import UtilizationReport

blueprint = Blueprint("web_clinics", __name__)

WEEK = (
    "actual_utilization", "no_show_rate", "on_time", "wait", "scheduled_utilization", "overtime_minutes",
    "side_effect_share", "follow_up_answered",
)  # fmt: skip
SIDE_BY_SIDE = (
    "actual_utilization", "scheduled_utilization", "no_show_rate", "on_time", "wait", "lead_time",
    "responders_first_30", "side_effect_share", "follow_up_answered",
)  # fmt: skip


class Compared(msgspec.Struct, frozen=True):
    """A figure of the last week and what became of it since the week before."""

    now: Shown
    change: Delta


@blueprint.get("/clinics")
def show() -> Response:
    """The week and the comparison."""
    asked = view()
    last, before = weeks(asked)
    compared = _compared(last, before)
    table = side_by_side(asked)
    to_check = figure_table("last-week", f"Last week, {_span(last)}", [one.now for one in compared])
    return render(
        "clinics.html", title="Clinics", active="web_clinics.show", view=asked,
        lede="The last complete week against the one before, and all clinics side by side by one definition.",
        tables=[table, to_check], figures=[one.now for one in compared], compared=compared, week=_span(last),
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


def _compared(last: View, before: View) -> list[Compared]:
    now, then = week_figures(last), week_figures(before)
    return [Compared(now[name], delta(now[name], then[name])) for name in WEEK]


def week_figures(asked: View) -> dict[str, Shown]:
    """The figures of this page for the clinics asked for together."""
    report = cast(UtilizationReport, ask("utilization", asked.question))
    return {**figures_of(report, asked.rows("utilization")), **_care(compare(asked.question).together, asked)}


def _care(care: Care, asked: View) -> dict[str, Shown]:
    """The figures that other dashboards are about, by the very same definitions."""
    harm, help_ = asked.rows("safety"), asked.rows("outcomes")
    return {
        "side_effect_share": shown(care.any_side_effect, "any_side_effect", harm),
        "responders_first_30": shown(care.responders_first_30, "responders.first_30", help_),
        "follow_up_answered": shown(care.follow_up_answered, "follow_up_answered", help_),
    }


def side_by_side(asked: View) -> Table:
    """A row for each clinic, a column for each figure; each cell opens into its rows."""
    report = cast(UtilizationReport, ask("utilization", asked.question))
    rows, care = asked.rows("utilization"), compare(asked.question).by_clinic
    columns = [Column("clinic", "Clinic", sorts=True)]
    columns += [
        Column(name, current(name).title, numeric=True, definition=current(name), sorts=True) for name in SIDE_BY_SIDE
    ]
    lines = [
        _line(one, {
            **figures_of(report, rows, f"by_clinic.{one.id}", SIDE_BY_SIDE), **_care(care[one.id], _at(asked, one))
        })
        for one in asked.clinics if one.id in report.by_clinic
    ]  # fmt: skip
    return Table(name="clinics", title="Side by side", columns=tuple(columns), rows=tuple(lines),
                 empty="There is no clinic to show yet.")


def _at(asked: View, clinic: ClinicName) -> View:
    question: Question = replace(asked.question, clinics=(clinic.id,))
    return replace(asked, question=question, clinics=(clinic,))


def _line(clinic: ClinicName, figures: dict[str, Shown]) -> tuple[Cell, ...]:
    return (cell(clinic.name, note=clinic.timezone), *(figure_cell(figures[name]) for name in SIDE_BY_SIDE))
