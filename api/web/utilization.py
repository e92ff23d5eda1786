"""Utilization: how rooms and time are used, who came, how punctually."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response

from api.reports import ask
from api.web.address import Rows, View, view
from api.web.charts import utilization as charts
from api.web.figures import Shown, shown
from api.web.page import render
from api.web.tables import Cell, Column, Table, basis_of, cell, figure_table, rate_column
from api.web.terms import reason
from api.web.wording import lapse
from projections.metrics.definitions import current
from projections.utilization import Utilization, UtilizationReport

blueprint = Blueprint("web_utilization", __name__)

ROOMS = (
    "scheduled_utilization", "actual_utilization", "prime_time_utilization", "overtime_minutes", "turnover",
    "open_minutes", "booked_minutes", "occupied_minutes", "overbooked_minutes", "booked_outside_open_minutes",
)  # fmt: skip
ATTENDANCE = ("no_show_rate", "late_cancellation_rate", "arrived_not_infused", "refill", "lead_time")
PUNCTUALITY = ("on_time", "wait", "drug_start_delay")
TITLES = {"late_cancellation_rate": "Late cancellations", "refill": "Freed time refilled"}


def _figures(together: Utilization, rows: Rows) -> dict[str, Shown]:
    """The report's single figures by name."""
    named = [
        *((name, f"rooms.{name}", getattr(together.rooms, name)) for name in ROOMS),
        *((name, f"attendance.{name}", getattr(together.attendance, name)) for name in (*ATTENDANCE, *PUNCTUALITY)),
    ]  # fmt: skip
    return {
        name: shown(figure, f"together.{path}", rows, TITLES.get(name, "")) for name, path, figure in named
    }


OF_EACH_LENGTH = {"consultation": "Consultation", "trial": "Infusion", "follow_up": "Follow-up"}
"""Kinds of visit with a length of their own; every infusion is as long as the first."""


@blueprint.get("/utilization")
def show() -> Response:
    """Room time, attendance and punctuality of the clinics asked for."""
    asked = view()
    report = cast(UtilizationReport, ask("utilization", asked.question))
    rows = asked.rows("utilization")
    together = _figures(report.together, rows)
    pictures = [draw(report.together.rooms, rows)
                for draw in (charts.time_of_day, charts.week, charts.days, charts.phases)]
    third = _third_next(report, asked, rows)
    reasons = _not_infused(report, rows)
    everything = figure_table("figures", "All figures of this page", together.values())
    return render(
        "utilization.html", title="Utilization", active="web_utilization.show", view=asked,
        lede="How rooms and time are used, who came, and how punctually.",
        tables=[everything, third, reasons, *(one.table for one in pictures)], figures=list(together.values()),
        together=together, charts={one.name: one for one in pictures}, visits=report.visits, bookings=report.bookings,
    )


def _third_next(report: UtilizationReport, asked: View, rows: Rows) -> Table:
    definition = current("third_next_available")
    return Table(
        name="third-next-available", title=definition.title,
        columns=(Column("clinic", "Clinic"), *(
            rate_column(kind, title, definition) for kind, title in OF_EACH_LENGTH.items()
        )),
        rows=tuple(
            (cell(asked.clinic(clinic).name), *(
                when_free(shown(found[kind], f"third_next_available.{clinic}.{kind}", rows)) for kind in OF_EACH_LENGTH
            ))
            for clinic, found in report.third_next_available.items()
        ),
    )  # fmt: skip


def when_free(one: Shown) -> Cell:
    """Days until a slot is free, hours and minutes on the first."""
    if one.raw is None:
        return Cell(text="none within 60 days", basis=basis_of(one.figure))
    soon = lapse(one.raw * 24 * 60) if one.raw < 1 else f"{one.value} {one.unit}"
    return Cell(text=soon, value=one.raw, href=one.href, basis=basis_of(one.figure))


def _not_infused(report: UtilizationReport, rows: Rows) -> Table:
    found = report.together.attendance.not_infused_by_reason
    return Table(
        name="not-infused", title="Arrived, not infused: why",
        columns=(Column("reason", "Reason"),
                 Column("visits", "Visits", numeric=True, definition=current("arrived_not_infused"))),
        rows=tuple(
            (cell(reason(code)), cell(
                figure.numerator, href=rows(f"together.attendance.not_infused_by_reason.{code}")))
            for code, figure in found.items()
        ), empty="Everybody who arrived for an infusion in this period got one.",
    )  # fmt: skip
