"""Safety: what harm came of it, what nearly did, and what is still to be worked through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Response

from api.http.access import opened
from api.http.context import wired
from api.reports import ask, position_of
from api.web.address import Rows, View, view
from api.web.charts import safety as charts
from api.web.figures import Shown, shown
from api.web.page import render
from api.web.tables import Cell, Column, Table, cell, figure_cell, figure_table, rate_column, row_of
from api.web.terms import reason, side_effect, sign
from api.web.wording import when, words
from domain.kernel import Recorded
from projections.metrics.definitions import current
from projections.metrics.figures import Figure
from projections.room_board import BoardReport
from projections.safety import SafetyReport
from services.log.lookup import records_at

blueprint = Blueprint("web_safety", __name__)

SINGLE = ("any_side_effect", "per_100", "serious", "open_over_28_days")
TITLES = {"any_side_effect": "Infusions with any side effect"}
ENDINGS = ("stopped_early", "transferred", "left_against_advice", "died")
ENDING_TITLES = {"stopped_early": "Stopped early", "transferred": "Transferred to hospital",
                 "left_against_advice": "Left against advice", "died": "Died in care"}  # fmt: skip
LISTED = 200
"""Entries of the work list on one page: older ones are in the rows."""


@blueprint.get("/safety")
def show() -> Response:
    """Side effects, endings, alerts, breaches and near misses of the clinics asked for."""
    asked = view()
    report = cast(SafetyReport, ask("safety", asked.question))
    rows = asked.rows("safety")
    single = {name: shown(getattr(report, name), name, rows, TITLES.get(name, "")) for name in SINGLE}
    endings = {
        name: shown(report.endings[name], f"endings.{name}", rows, ENDING_TITLES[name])
        for name in ENDINGS if name in report.endings
    }
    waiting = shown(report.board.minutes_to_acknowledge, "board.minutes_to_acknowledge", rows,
                    "Alerts: minutes to acknowledge")
    pictures = [charts.kinds(report.by_kind, rows, side_effect), charts.control_rate(report.control_chart),
                charts.control_share(report.control_chart)]
    every = [*single.values(), *endings.values(), waiting]
    tables = [figure_table("figures", "All figures of this page", every), _work(report, asked),
              _board("near-misses", "Refused by a rule, or overridden", report, rows, ("refusals", "overrides")),
              _board("breaches", "Alerts and breached rules", report, rows, ("alerts", "breaches")),
              _early(report.endings, rows), _symptoms(report, rows)]
    return render(
        "safety.html", title="Safety", active="web_safety.show", view=asked, figures=every,
        lede="What harm came of it, what nearly did, and what is still to be worked through.",
        tables=[*tables, *(one.table for one in pictures)], charts={one.name: one for one in pictures},
        single=single, endings=endings, waiting=waiting, infusions=report.infusions,
        unattributed=len(report.unattributed),
    )


def _work(report: SafetyReport, asked: View) -> Table:
    """What somebody must still do: alerts open and orders not countersigned by now, whenever they began; rules found
    breached in the period."""
    now = cast(BoardReport, ask("operations", asked.question))
    orders = [one.fact for house in now.by_clinic.values() for one in house.loose_ends
              if one.what == "order" and one.overdue]
    alerts = {position_of(fact): fact for fact in (*report.board.alerts_open, *now.together.alerts_open.rows)}
    overdue = {position_of(fact): fact for fact in (*report.board.verbal_orders_overdue, *orders)}
    waiting = [("alert not acknowledged", "alarm", alerts[position]) for position in sorted(alerts)]
    waiting += [("order not countersigned in time", "attention", overdue[position]) for position in sorted(overdue)]
    waiting += [
        (f"breached: {words(rule)}", "attention", fact)
        for rule, figure in report.board.breaches.items() for fact in figure.rows
    ]  # fmt: skip
    listed = waiting[:LISTED]
    behind = records_at(wired().services.log, [position_of(fact) for _, _, fact in listed])
    if behind:
        opened("dashboard.safety.work_list", count=len(behind))
    return Table(
        name="work", title="To work through",
        columns=(Column("what", "What", sorts=False), Column("when", "When", sorts=False),
                 Column("clinic", "Clinic", sorts=False), Column("entry", "Entry", sorts=False)),
        rows=tuple(
            _work_row(what, tone, behind[position_of(fact)], asked)
            for what, tone, fact in listed if position_of(fact) in behind
        ),
        note="Alerts and orders that are open now, whenever they began; breaches of the period."
             + (f" The first {LISTED} of {len(waiting)}." if len(waiting) > LISTED else ""),
        empty="Nothing is waiting: every alert is acknowledged, every order countersigned, no rule found breached.",
    )  # fmt: skip


def _work_row(what: str, tone: str, record: Recorded, asked: View) -> tuple[Cell, ...]:
    place = asked.clinic(str(record.clinic_id)) if record.clinic_id is not None else None
    zone = place.timezone if place is not None else "UTC"
    return row_of(
        cell(what, tone=tone), cell(record.occurred_at, when(record.occurred_at, zone)),
        place.name if place is not None else None,
        cell(record.position, words(record.name.rpartition(".")[0].replace(".", ": ")),
             href=f"/events/{record.position}"),
    )  # fmt: skip


def _board(name: str, title: str, report: SafetyReport, rows: Rows, parts: tuple[str, ...]) -> Table:
    found = []
    for part in parts:
        counts: Mapping[str, Figure] = getattr(report.board, part)
        found += [
            row_of(sign(code), cell(current(part).title, definition=current(part)),
                   cell(figure.n, href=rows(f"board.{part}.{code}")))
            for code, figure in counts.items()
        ]  # fmt: skip
    return Table(
        name=name, title=title, rows=tuple(found), empty="None in this period.",
        columns=(Column("what", "What"), Column("kind", "Kind"), Column("times", "Times", numeric=True)),
    )


def _early(endings: Mapping[str, Figure], rows: Rows) -> Table:
    found = {name: one for name, one in endings.items() if name.startswith("stopped_early:")}
    return Table(
        name="stopped-early", title="Stopped early: why",
        columns=(Column("reason", "Reason"),
                 rate_column("share", "Of infusions", current("stopped_early"))),
        rows=tuple(
            (cell(reason(name.partition(":")[2])), figure_cell(shown(one, f"endings.{name}", rows)))
            for name, one in found.items()
        ), empty="No infusion of this period was stopped early.",
    )  # fmt: skip


def _symptoms(report: SafetyReport, rows: Rows) -> Table:
    found = []
    for name, bands in report.cumulative_symptoms.items():
        for at, (band, figure) in enumerate(bands):
            one: Shown = shown(figure, f"cumulative_symptoms.{name}.{at}.1", rows)
            found.append(row_of(words(name), band, figure_cell(one)))
    return Table(
        name="cumulative", title="Urinary and memory symptoms by infusions so far",
        columns=(Column("symptom", "Symptom"), Column("so_far", "Infusions so far"),
                 rate_column("share", "Of infusions", current("cumulative_symptoms"))),
        rows=tuple(found),
    )  # fmt: skip
