"""Funnel: from referral to consultation, first infusion, series and booster, by week of referral."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response

from api.reports import ask
from api.web.address import Rows, View, view
from api.web.charts import funnel as charts
from api.web.figures import Shown, shown
from api.web.page import render
from api.web.tables import Cell, Column, Table, cell, reason_cells, reason_columns, reasons_of
from api.web.terms import reason
from projections.metrics.definitions import current
from projections.metrics.figures import SMALL
from projections.metrics.funnel import STEPS, WITHIN_DAYS
from projections.referral_funnel import FunnelReport, StepFigures

blueprint = Blueprint("web_funnel", __name__)

TILES = ("consulted", "trial", "series", "booster")


@blueprint.get("/funnel")
def show() -> Response:
    """The referrals of the period, at the clinics that received them."""
    asked = view()
    report = cast(FunnelReport, ask("funnel", asked.question))
    rows, whole = asked.rows("funnel"), report.together
    steps = _steps(report, rows)
    pictures = [charts.steps(whole, steps, rows), charts.weeks(whole, rows)]
    rates = charts.rates_table(whole, rows)
    days = _days(report)
    in_time = [
        shown(whole.within[step][f"{days}_days"], f"together.within.{step}.{days}_days", rows,
              f"{charts.STEP_WORDS[step]} within {days} days")
        for step in TILES
    ]  # fmt: skip
    return render(
        "funnel.html", title="Funnel", active="web_funnel.show", view=asked, figures=in_time, in_time=in_time,
        lede="What became of those who were referred in this period.", referred=whole.referred,
        charts={one.name: one for one in pictures},
        tables=[steps, rates, *(one.table for one in pictures[1:]), _clinics(report, asked, rows)],
    )


def _days(report: FunnelReport) -> int:
    """The longest time to a step that enough referrals of the period have had for a rate; the shortest if none has."""
    enough = [days for days in WITHIN_DAYS if report.together.within[TILES[0]][f"{days}_days"].n >= SMALL]
    return max(enough, default=min(WITHIN_DAYS))


def _steps(report: FunnelReport, rows: Rows) -> Table:
    whole = report.together
    reasons = reasons_of(_reasons(one) for one in whole.steps.values())
    return Table(
        name="steps", title="Step by step", empty="Nobody was referred in this period.",
        columns=(
            Column("step", "Step"), Column("done", "Reached", numeric=True, definition=current("funnel_done")),
            Column("open", "Still open", numeric=True, definition=current("funnel_open")),
            Column("failed", "Ended before", numeric=True, definition=current("funnel_failed")),
            Column("why", "Why", in_csv=False), *reason_columns("Ended before", reasons, reason),
        ),
        rows=tuple(
            (*_step_row(step, whole.steps[step], rows), *reason_cells(_reasons(whole.steps[step]), reasons))
            for step in STEPS
        ) if whole.referred else (),
    )  # fmt: skip


def _reasons(one: StepFigures) -> dict[str, int]:
    return {code: figure.n for code, figure in one.failed_by_reason.items()}


def _step_row(step: str, one: StepFigures, rows: Rows) -> tuple[Cell, ...]:
    def of(name: str) -> Cell:
        figure: Shown = shown(getattr(one, name), f"together.steps.{step}.{name}", rows)
        return cell(figure.n, href=figure.href)

    why = "; ".join(f"{reason(code)} {figure.n}" for code, figure in one.failed_by_reason.items())
    return (cell(charts.STEP_WORDS[step]), of("done"), of("open"), of("failed"), cell(why))


def _clinics(report: FunnelReport, asked: View, rows: Rows) -> Table:
    """All clinics side by side: how many of their referrals reached each step."""
    return Table(
        name="clinics", title="By clinic", empty="No clinic is shown.",
        columns=(
            Column("clinic", "Clinic", sorts=True),
            Column("referred", "Referred", numeric=True, sorts=True, definition=current("funnel")),
            *(Column(step, charts.STEP_WORDS[step], numeric=True, sorts=True, definition=current("funnel_done"))
              for step in STEPS),
        ),
        rows=tuple(
            (
                cell(asked.clinic(clinic).name), cell(one.referred),
                *(
                    cell(figure.n, href=rows(f"by_clinic.{clinic}.steps.{step}.done") if figure.n else None)
                    for step in STEPS for figure in [one.steps[step].done]
                ),
            )
            for clinic, one in report.by_clinic.items()
        ),
    )  # fmt: skip
