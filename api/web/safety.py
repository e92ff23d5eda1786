"""Safety: what harm came of it, what nearly did, and what is still to be worked through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from flask import Blueprint, Response, request

from api.http.access import opened
from api.http.context import wired
from api.reports import ask, position_of
from api.web.address import Rows, View, view
from api.web.charts import safety as charts
from api.web.figures import Shown, shown
from api.web.page import render
from api.web.rows import patient_href
from api.web.tables import Cell, Column, InChunks, Table, cell, figure_cell, figure_table, rate_column, row_of
from api.web.terms import reason, side_effect, sign
from api.web.wording import count, when, words
from domain.kernel import Recorded
from projections.columns.open_episodes import OpenEpisode
from projections.facts.encoding import moment
from projections.facts.reading import CHUNK
from projections.metrics.definitions import current
from projections.metrics.figures import Figure
from projections.metrics.lazy import Chained, Each
from projections.safety import SafetyReport, open_now
from services.log.lookup import records_at

blueprint = Blueprint("web_safety", __name__)

SINGLE = ("any_side_effect", "per_100", "serious", "open_over_28_days")
TITLES = {"any_side_effect": "Infusions with any side effect"}
ENDINGS = ("stopped_early", "transferred", "left_against_advice", "died")
ENDING_TITLES = {"stopped_early": "Stopped early", "transferred": "Transferred to hospital",
                 "left_against_advice": "Left against advice", "died": "Died in care"}  # fmt: skip
LISTED = 20
"""Entries of a list on the page; its CSV has all."""
GRAVE = 3
"""From this grade on a side effect that goes on is marked."""
LIST_COLUMNS = (
    Column("what", "What", basis=("which",)), Column("since", "Since"), Column("for", "For, days", numeric=True),
    Column("clinic", "Clinic"), Column("patient", "Patient"), Column("entry", "Entry"),
)


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
    pictures = [charts.kinds(report.by_kind, rows, side_effect), charts.control_rate(report.control_chart, rows),
                charts.control_share(report.control_chart, rows)]
    every = [*single.values(), *endings.values(), waiting]
    work, breaches = _waiting(report, asked), _breaches(report)
    if listed := sum(len(one) if "format" in request.args else min(len(one), LISTED) for one in (work, breaches)):
        opened("dashboard.safety.work_list", count=listed)
    tables = [figure_table("figures", "All figures of this page", every), _work(work, asked),
              _breached(breaches, asked), charts.onset_table(report.by_kind, rows, side_effect),
              _board("near-misses", "Refused by a rule, or overridden", report, rows, ("refusals", "overrides")),
              _board("breaches", "Alerts and breached rules", report, rows, ("alerts", "breaches")),
              _early(report.endings, rows), _symptoms(report, rows)]
    return render(
        "safety.html", title="Safety", active="web_safety.show", view=asked, figures=every,
        lede="What harm came of it, what nearly did, and what is still to be worked through.",
        tables=[*tables, *(one.table for one in pictures)], charts={one.name: one for one in pictures},
        single=single, endings=endings, waiting=waiting, infusions=report.infusions,
        unattributed=len(report.unattributed), listed=LISTED,
    )


class Waiting(NamedTuple):
    """Something on the work list: the entry that it began with, and since when where that is not its own time."""

    what: str
    tone: str
    fact: str
    since_us: int | None = None
    note: str = ""


def _waiting(report: SafetyReport, asked: View) -> Sequence[Waiting]:
    """What somebody must still do, by now, whenever it began: alerts, signatures, side effects that are not over."""
    question = asked.question
    with wired().read_side.database.reads.connect() as connection:
        now = open_now(connection, question.clinics, as_of=question.as_of, known_at=question.known_at)
    alerts = {position_of(fact): fact for fact in (*report.board.alerts_open, *now.alerts)}
    overdue = {position_of(fact): fact for fact in (*report.board.verbal_orders_overdue, *now.orders_overdue)}

    def unsigned(_: int, one: OpenEpisode) -> Waiting:
        return Waiting("serious, not signed off", "alarm", one.fact, one.since_us, _episode(one))

    def going_on(_: int, one: OpenEpisode) -> Waiting:
        tone = "attention" if one.grade >= GRAVE else ""
        return Waiting("side effect not over", tone, one.fact, one.since_us, _episode(one))

    return Chained(
        [Waiting("alert not acknowledged", "alarm", alerts[position]) for position in sorted(alerts)],
        Each(now.episodes.unsigned, unsigned),
        [Waiting("order not countersigned in time", "attention", overdue[position]) for position in sorted(overdue)],
        Each(now.episodes.going_on, going_on),
    )


def _episode(one: OpenEpisode) -> str:
    return f"{side_effect(one.kind)}, grade {one.grade}" + (", from home" if one.from_home else "")


def _work(waiting: Sequence[Waiting], asked: View) -> Table:
    return Table(
        name="work", title="To work through", columns=LIST_COLUMNS, rows=_listed(waiting, asked),
        note="Open by now, whenever it began.",
        empty="Nothing is waiting: every alert is acknowledged, every order countersigned, every serious side effect "
              "signed off, and none goes on.",
    )  # fmt: skip


def _breached(breaches: Sequence[Waiting], asked: View) -> Table:
    return Table(
        name="breached", title="Rules found breached", columns=LIST_COLUMNS, rows=_listed(breaches, asked),
        note="Of the period, the newest first. A breach stays on record: nothing closes it, so it is not work to do.",
        empty="No rule was found breached in this period.",
    )


def _breaches(report: SafetyReport) -> list[Waiting]:
    found = [
        Waiting(f"breached: {words(rule)}", "attention", fact)
        for rule, figure in report.board.breaches.items() for fact in figure.rows
    ]  # fmt: skip
    return sorted(found, key=lambda one: position_of(one.fact), reverse=True)


def _listed(some: Sequence[Waiting], asked: View) -> Sequence[tuple[Cell, ...]]:
    """Rows whose entries are read when they are written, so many at a time: all of them in the CSV."""

    def rows(part: Sequence[Waiting]) -> list[tuple[Cell, ...]]:
        positions = [position_of(one.fact) for one in part]
        behind = records_at(wired().services.log, positions)
        return [
            _listed_row(one, behind[at], asked) for one, at in zip(part, positions, strict=True) if at in behind
        ]

    return InChunks(some, CHUNK, rows)


def _listed_row(one: Waiting, record: Recorded, asked: View) -> tuple[Cell, ...]:
    place = asked.clinic(str(record.clinic_id)) if record.clinic_id is not None else None
    since = record.occurred_at if one.since_us is None else moment(one.since_us)
    days = (asked.question.as_of - since).days
    patient = record.subject
    return row_of(
        cell(one.what, tone=one.tone, note=one.note, basis=(one.note or None,)),
        cell(since, when(since, place.timezone if place is not None else "UTC")),
        cell(days, count(days, "day") if days else "today"), place.name if place is not None else None,
        cell(None) if patient is None else cell(str(patient), str(patient)[:8], href=patient_href(patient)),
        cell(record.position, words(record.name.rpartition(".")[0].replace(".", ": ")),
             href=f"/events/{record.position}"),
    )  # fmt: skip


def _board(name: str, title: str, report: SafetyReport, rows: Rows, parts: tuple[str, ...]) -> Table:
    """Counts by what they are about; the first line of each kind has its definition."""
    found = []
    for part in parts:
        counts: Mapping[str, Figure] = getattr(report.board, part)
        found += [
            row_of(sign(code), cell(current(part).title, definition=None if at else current(part)),
                   cell(figure.n, href=rows(f"board.{part}.{code}")))
            for at, (code, figure) in enumerate(counts.items())
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
