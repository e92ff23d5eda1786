"""Clinics: the last complete week against the one before, and all clinics side by side by one definition."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

from flask import Blueprint, Response

from api.reports import ask
from api.web.address import View, view
from api.web.figures import Shown
from api.web.page import render
from api.web.tables import Column, Table, cell, figure_cell, figure_table
from api.web.utilization import figures_of
from projections.metrics.calendar import Period
from projections.metrics.definitions import current
from projections.utilization import UtilizationReport

blueprint = Blueprint("web_clinics", __name__)

SIDE_BY_SIDE = (
    "rooms.scheduled_utilization", "rooms.actual_utilization", "rooms.prime_time_utilization", "rooms.overtime_minutes",
    "rooms.turnover", "attendance.no_show_rate", "attendance.on_time", "attendance.wait", "attendance.lead_time",
)  # fmt: skip


@blueprint.get("/clinics")
def show() -> Response:
    """The week and the comparison."""
    asked = view()
    report = cast(UtilizationReport, ask("utilization", asked.question))
    together = figures_of(report, asked.rows("utilization"))
    return render(
        "clinics.html", title="Clinics", active="web_clinics.show", view=asked,
        lede="The last complete week against the one before, and all clinics side by side.",
        tables=[_side_by_side(report, asked), figure_table("figures", "All figures", together.values())],
        figures=list(together.values()), together=together,
    )


def _side_by_side(report: UtilizationReport, asked: View) -> Table:
    rows = asked.rows("utilization")
    names = [name.partition(".")[2] for name in SIDE_BY_SIDE]
    columns = [Column("clinic", "Clinic", sorts=True)]
    columns += [
        Column(name, current(name).title, numeric=True, definition=current(name), sorts=True) for name in names
    ]
    lines = []
    for one in asked.clinics:
        if one.id in report.by_clinic:
            figures = figures_of(report, rows, f"by_clinic.{one.id}")
            lines.append((cell(one.name), *(figure_cell(figures[name]) for name in names)))
    return Table(name="clinics", title="Side by side", columns=tuple(columns), rows=tuple(lines),
                 empty="There is no clinic to show yet.")


def week_before(asked: View) -> tuple[View, View]:
    """The last complete week and the one before it, for the same clinics."""
    sunday = asked.today - timedelta(days=asked.today.isoweekday())
    weeks = [Period(sunday - timedelta(days=back + 6), sunday - timedelta(days=back)) for back in (0, 7)]
    last, before = (replace(asked, question=replace(asked.question, period=week)) for week in weeks)
    return last, before


__all__ = ["Shown", "blueprint"]
