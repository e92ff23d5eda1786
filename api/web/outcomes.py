"""Outcomes: whom it helps, how much, how soon and for how long."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response

from api.reports import ask, position_of
from api.web.address import Rows, View, view
from api.web.charts import Chart
from api.web.charts import outcomes as charts
from api.web.charts.groups import by_ordinal, compared, infusions
from api.web.figures import Shown, shown
from api.web.page import render
from api.web.tables import (
    Cell,
    Column,
    Table,
    basis_of,
    cell,
    figure_cell,
    figure_table,
    rate_column,
    reason_cells,
    reason_columns,
    reasons_of,
    row_of,
    spread_column,
)
from api.web.terms import condition, instrument, reason
from api.web.wording import words
from projections.metrics.definitions import current
from projections.metrics.outcomes import Breakdown
from projections.outcomes import OutcomeReport

blueprint = Blueprint("web_outcomes", __name__)

COMPLETE_ENOUGH = 0.6
"""Under this share of follow-ups answered, outcome tiles are greyed out: who answers may differ from who does not."""

RESPONDERS = {
    "first_30": "First infusion: 30 %", "first_50": "First infusion: 50 %",
    "gate_30": "At the gate: 30 %", "gate_50": "At the gate: 50 %",
    "after_28_days_30": "28 days after the series: 30 %", "after_28_days_50": "28 days after the series: 50 %",
}  # fmt: skip
SINGLE = (
    "landmark_fall", "peak_fall", "per_infusion_30", "per_infusion_50", "low_baseline", "onset",
    "infusions_to_relief", "infusions_per_90_days",
)  # fmt: skip
PATH = ("gate_rate", "gate_assessed", "series_adherence")


@blueprint.get("/outcomes")
def show() -> Response:
    """Relief, responders, its duration, dose, function and mood of the clinics asked for."""
    asked = view()
    report = cast(OutcomeReport, ask("outcomes", asked.question))
    rows = asked.rows("outcomes")
    responders = {
        name: shown(getattr(report.responders, name), f"responders.{name}", rows, title)
        for name, title in RESPONDERS.items()
    }
    single = {name: shown(getattr(report, name), name, rows) for name in SINGLE}
    path = {name: shown(getattr(report.path, name), f"path.{name}", rows) for name in PATH}
    follow_up = shown(report.follow_up_answered, "follow_up_answered", rows)
    rho = shown(report.dose_response.mg_per_kg, "dose_response.mg_per_kg", rows)
    falls = shown(report.waterfall.falls, "waterfall.falls", rows)
    pictures = _pictures(report, asked, responders, rows)
    every = [*responders.values(), *single.values(), *path.values(), follow_up, falls, rho]
    tables = [figure_table("figures", "All figures of this page", every), _groups(report, asked, rows),
              _changes(report, rows), _closures(report, rows), _gaps(report, rows)]
    return render(
        "outcomes.html", title="Outcomes", active="web_outcomes.show", view=asked, figures=every,
        lede="Whom the infusions help, how much, how soon and for how long.",
        tables=[*tables, *(one.table for one in pictures)], charts={one.name: one for one in pictures},
        responders=responders, single=single, path=path, follow_up=follow_up, rho=rho, falls=falls,
        infusions=report.infusions, patients=report.patients,
        incomplete=follow_up.raw is not None and follow_up.raw < COMPLETE_ENOUGH,
    )


def _pictures(report: OutcomeReport, asked: View, responders: dict[str, Shown], rows: Rows) -> list[Chart]:
    def event(fact: str) -> str:
        return f"/events/{position_of(fact)}"

    return [
        charts.rates("responders", "Responders", "Dot: share of patients. Line: its 95 % interval.",
                     [(RESPONDERS[name], one) for name, one in responders.items()]),
        charts.pain(report.pain_over_time, rows),
        charts.waterfall(report.waterfall, condition, event),
        charts.duration(report.durations, rows),
        charts.dose(report.dose_response, condition, event),
        compared("condition", "By condition", report.breakdowns["condition"], rows, condition),
        compared("adjunct", "Alone or beside other therapy", report.breakdowns["adjunct"], rows,
                 lambda group: "beside other therapy" if group == "yes" else "alone"),
        compared("dose_band", "By dose, mg/kg", report.breakdowns["dose_band"], rows),
        by_ordinal(report.breakdowns["ordinal"], rows),
    ]  # fmt: skip


def _groups(report: OutcomeReport, asked: View, rows: Rows) -> Table:
    """Clinics and months: the groups that have no picture of their own."""
    found = []
    for name, title in (("clinic", "Clinic"), ("month", "Month")):
        for at, one in enumerate(report.breakdowns[name]):
            label = asked.clinic(one.group).name if name == "clinic" else one.group
            found.append((cell(label, f"{title}: {label}", basis=(title,)), *_group_cells(name, at, one, rows)))
    return Table(
        name="groups", title="By clinic and month",
        columns=(Column("group", "Group", basis=("of",)),
                 rate_column("first_30", "Patients: fall of 30 %", current("responders_first_30")),
                 rate_column("first_50", "Patients: fall of 50 %", current("responders_first_50")),
                 spread_column("fall", "Infusions: median fall", current("landmark_fall")),
                 rate_column("moderate", "Infusions: fall of 30 %", current("responders_infusion_30"))),
        rows=tuple(found),
    )  # fmt: skip


def _group_cells(name: str, at: int, one: Breakdown, rows: Rows) -> tuple[Cell, ...]:
    def of(part: str) -> Shown:
        return shown(getattr(one, part), f"breakdowns.{name}.{at}.{part}", rows)

    return (
        *(figure_cell(of(part)) for part in ("first_30", "first_50", "landmark_fall")),
        figure_cell(infusions(one, f"breakdowns.{name}.{at}.responders_30", rows)),
    )


def _changes(report: OutcomeReport, rows: Rows) -> Table:
    reasons = reasons_of(one.excluded for one in report.score_changes.values())
    return Table(
        name="changes", title=current("score_change").title,
        note="From before the course's first infusion to the last score in the 28 days after its latest one. "
             "Lower is better, but for cognition.",
        columns=(Column("instrument", "Questionnaire"),
                 spread_column("median", "Median change", current("score_change")),
                 Column("mean", "Mean, 95 %", in_csv=False), Column("n", "Courses", numeric=True),
                 Column("left_out", "Left out", in_csv=False), *reason_columns("Left out", reasons)),
        rows=tuple((*_change_row(name, shown(one, f"score_changes.{name}", rows)),
                    *reason_cells(one.excluded, reasons)) for name, one in report.score_changes.items()),
    )  # fmt: skip


def _change_row(name: str, one: Shown) -> tuple[Cell, ...]:
    kind, _, asked = name.partition(":")
    left_out = "; ".join(f"{reason}: {many}" for reason, many in one.left_out)
    return row_of(
        f"{instrument(asked)} ({words(kind)})",
        cell(one.raw, one.value, href=one.href, basis=basis_of(one.figure)),
        cell(one.interval or None), one.n, cell(left_out or None),
    )


def _closures(report: OutcomeReport, rows: Rows) -> Table:
    return Table(
        name="closures", title=current("closures").title,
        columns=(Column("reason", "Reason"), rate_column("share", "Share", current("closures"))),
        rows=tuple(
            (cell(reason(code)), figure_cell(shown(one, f"path.closures.{code}", rows)))
            for code, one in report.path.closures.items()
        ), empty="No course was closed in this period.",
    )  # fmt: skip


def _gaps(report: OutcomeReport, rows: Rows) -> Table:
    return Table(
        name="booster-gaps", title=current("booster_gap").title,
        columns=(Column("booster", "Booster", numeric=True),
                 spread_column("gap", "Median gap", current("booster_gap"))),
        rows=tuple(
            (cell(int(number)), figure_cell(shown(one, f"booster_gaps.{number}", rows)))
            for number, one in report.booster_gaps.items()
        ), empty="No booster was given in this period.",
    )  # fmt: skip
