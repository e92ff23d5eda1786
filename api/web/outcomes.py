"""Outcomes: whom it helps, how much, how soon and for how long."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response
from msgspec import structs

from api.reports import ask, position_of
from api.web.address import Rows, View, view
from api.web.charts import Chart
from api.web.charts import outcomes as charts
from api.web.charts.groups import by_ordinal, compared, infusions
from api.web.doubt import doubted, thin
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
from projections.metrics.figures import Figure, Spread
from projections.metrics.outcomes import Breakdown
from projections.outcomes import OutcomeReport

blueprint = Blueprint("web_outcomes", __name__)

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
    rows, doubt = asked.rows("outcomes"), thin(report.follow_up_answered)

    def relief(figure: Figure | Spread, path: str, title: str = "") -> Shown:
        return doubted(shown(figure, path, rows, title), doubt)

    responders = {
        name: relief(getattr(report.responders, name), f"responders.{name}", title)
        for name, title in RESPONDERS.items()
    }
    single = {name: relief(getattr(report, name), name) for name in SINGLE}
    path = {name: shown(getattr(report.path, name), f"path.{name}", rows) for name in PATH}
    follow_up = shown(report.follow_up_answered, "follow_up_answered", rows)
    doses = [relief(figure, f"dose_response.{name}", title) for name, title, figure in _rhos(report)]
    falls = relief(report.waterfall.falls, "waterfall.falls")
    pictures = [structs.replace(one, doubt=doubt) for one in _pictures(report, responders, rows)]
    every = [*responders.values(), *single.values(), *path.values(), follow_up, falls, *doses]
    of_relief = [_groups(report, asked, rows), _changes(report, rows), _associations(doses), _bands(report, rows)]
    tables = [figure_table("figures", "All figures of this page", every), _closures(report, rows),
              _gaps(report, rows), *(structs.replace(one, doubt=doubt) for one in of_relief)]
    return render(
        "outcomes.html", title="Outcomes", active="web_outcomes.show", view=asked, figures=every,
        lede="Whom the infusions help, how much, how soon and for how long.",
        tables=[*tables, *(one.table for one in pictures)], charts={one.name: one for one in pictures},
        responders=responders, single=single, path=path, follow_up=follow_up, doubt=doubt,
        infusions=report.infusions, patients=report.patients,
    )


def _pictures(report: OutcomeReport, responders: dict[str, Shown], rows: Rows) -> list[Chart]:
    def event(fact: str) -> str:
        return f"/events/{position_of(fact)}"

    return [
        charts.rates("responders", "Responders", "Dot: share of patients. Line: its 95 % interval.",
                     [(RESPONDERS[name], one) for name, one in responders.items()],
                     tuple(responders[name].definition for name in ("first_30", "gate_30", "after_28_days_30")),
                     tuple((one.title, one.href) for name, one in responders.items() if one.href and "30" in name)),
        charts.pain(report.pain_over_time, rows),
        charts.waterfall(report.waterfall, condition, event, rows),
        charts.duration(report.durations, rows),
        charts.dose(report.dose_response, condition, event, rows),
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


def _rhos(report: OutcomeReport) -> list[tuple[str, str, Figure]]:
    """The associations of dose and fall: path, title, figure."""
    found = report.dose_response
    return [
        ("mg_per_kg", "Dose and response, mg/kg", found.mg_per_kg),
        ("mg_per_kg_h", "Dose and response, mg/kg/h", found.mg_per_kg_h),
        *((f"by_condition.{code}", f"Dose and response, mg/kg: {condition(code)}", figure)
          for code, figure in found.by_condition.items()),
    ]  # fmt: skip


def _associations(doses: list[Shown]) -> Table:
    return Table(
        name="associations", title="Dose and fall: association",
        note="An association, not an effect: doses were chosen, not drawn by lot. From 1 (the higher the dose, the "
             "deeper the fall) over 0 (neither) to −1.",
        columns=(Column("of", "First infusions"),
                 rate_column("rho", "Spearman's rho", current("dose_response")),
                 Column("interval", "95 %", in_csv=False)),
        rows=tuple((cell(one.title.partition(", ")[2]), figure_cell(one), cell(one.interval or None)) for one in doses),
    )  # fmt: skip


def _bands(report: OutcomeReport, rows: Rows) -> Table:
    return Table(
        name="dose-bands", title="Fall by dose band",
        note="First infusions of a course. Groups differ in more than their dose.",
        columns=(Column("band", "mg/kg"), spread_column("fall", "Median fall", current("landmark_fall"))),
        rows=tuple((cell(band), figure_cell(shown(fall, f"dose_response.bands.{at}.1", rows)))
                   for at, (band, fall) in enumerate(report.dose_response.bands)),
        empty="No first infusion of this period has both a score before and one after it yet.",
    )  # fmt: skip


def _changes(report: OutcomeReport, rows: Rows) -> Table:
    reasons = reasons_of(one.excluded for one in report.score_changes.values())
    return Table(
        name="changes", title=current("score_change").title,
        note="From before the course's first infusion to the last score in the 28 days after its latest one. "
             "Lower is better, but for cognition.",
        columns=(Column("instrument", "Questionnaire"),
                 spread_column("median", "Median change", current("score_change")),
                 Column("mean", "Mean, 95 %", in_csv=False),
                 Column("n", "Courses", numeric=True, definition=current("score_change")),
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
