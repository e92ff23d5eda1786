"""Boosters: whose relief is about to go, when the next infusion is due and why, and one click to book it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from typing import cast
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from marshmallow import EXCLUDE, Schema, fields, validate

from api.auth import policy
from api.http.access import opened
from api.http.context import principal
from api.reports import ask
from api.web.address import View, link, parameters, view
from api.web.figures import Shown, shown
from api.web.names import names, patient_cell
from api.web.page import may, render
from api.web.tables import Cell, Column, Table, cell
from api.web.terms import condition
from api.web.wording import count, day, number, words
from projections.boosters import BoosterReport
from projections.facts.encoding import moment
from projections.metrics.boosters import STATUSES, BoosterRow
from projections.metrics.calendar import local_date
from projections.metrics.definitions import current
from projections.metrics.lazy import Chained, Each

blueprint = Blueprint("web_boosters", __name__)

TITLES = {
    "overdue": "Overdue", "due": "Due within 14 days", "booked": "Booked", "lost": "Lost", "later": "Due later",
}  # fmt: skip
ORDER = ("overdue", "due", "lost", "booked", "later")
TONES = {"overdue": "alarm", "due": "attention", "lost": "alarm", "booked": "ok"}
BASES = {
    "protocol_default": "default interval of the protocol", "clinical": "set by a clinician",
    "own_spells": "scheduled by the patient's own spells of relief",
}  # fmt: skip
SHOWN = 200
"""Rows of a long list on the page; the choices narrow it, and the CSV has all."""
SHARE = 0.8
"""Of the median spell: see the definition of `booster_due`."""


class _Which(Schema):
    """Which part of the list."""

    class Meta:
        """The question is read elsewhere."""

        unknown = EXCLUDE

    status = fields.String(validate=validate.OneOf(STATUSES))


@blueprint.get("/boosters")
def show() -> Response:
    """The list as of now, or as of a moment; by status."""
    asked, status = view(), parameters(_Which, request.args.to_dict()).get("status")
    report = cast(BoosterReport, ask("boosters", asked.question))
    listed = Chained(*(report.boosters.of(one) for one in ORDER if status in (None, one)))
    named = listed if request.args.keys() & {"sort", "format"} else listed[:SHOWN]
    opened("boosters", count=len(listed) if "format" in request.args else min(len(listed), SHOWN))
    known = names(row.patient for row in named)
    figures = _figures(report, asked)
    return render(
        "boosters.html", title="Boosters", active="web_boosters.show", view=asked, moment_only=True,
        lede="Whose relief is about to go, when the next infusion is due, and why then.",
        figures=figures, choices=_choices(report, status), listed=len(report.boosters.rows), first=SHOWN,
        tables=[_table(listed, asked, known, status)],
    )


def _figures(report: BoosterReport, asked: View) -> list[Shown]:
    rows = asked.rows("boosters") if may("web_rows.show") else None
    return [
        shown(report.boosters.counts[status], f"boosters.counts.{status}", rows, TITLES[status]) for status in ORDER
    ]


def _choices(report: BoosterReport, chosen: str | None) -> list[tuple[str, str, bool]]:
    some = [(f"All {number(len(report.boosters.rows))}", link(status=None, page=None), chosen is None)]
    return some + [
        (f"{TITLES[status]} {number(report.boosters.counts[status].n)}", link(status=status), chosen == status)
        for status in ORDER
    ]


def _table(rows: Sequence[BoosterRow], asked: View, known: Mapping[str, str], status: str | None) -> Table:
    nobody = "Nobody is on the list: no open course is past its series."
    return Table(
        name="boosters", title=TITLES[status] if status else "All on the list",
        empty=nobody if status is None else f"Nobody is {words(status)} at this moment.",
        columns=(
            Column("patient", "Patient", sorts=True), Column("status", "Status", sorts=True, basis=("days overdue",)),
            Column("due", "Due", definition=current("booster_due"), sorts=True), Column("why", "Why then"),
            Column("last", "Last infusion", sorts=True), Column("condition", "Condition"),
            Column("clinic", "Clinic", sorts=True), Column("book", "Booked for"),
        ),
        rows=Each(rows, lambda _, row: _row(row, asked, known)),
    )  # fmt: skip


def _row(row: BoosterRow, asked: View, known: Mapping[str, str]) -> tuple[Cell, ...]:
    clinic = asked.clinic(row.clinic)
    last = local_date(clinic.timezone, row.last_stopped_us)
    return (
        patient_cell(row.patient, known),
        cell(row.status, TITLES[row.status].split(" within")[0], tone=TONES.get(row.status, ""), note=_late(row),
             basis=(row.days_overdue,)),
        cell(row.due_on, day(row.due_on, weekday=True)), cell(reason(row, last)), cell(last, day(last)),
        cell(condition(row.condition)), cell(clinic.name), _book(row, clinic.timezone, asked.today),
    )  # fmt: skip


def _late(row: BoosterRow) -> str:
    if row.status in ("overdue", "lost"):
        return f"by {count(row.days_overdue, 'day')}"
    return f"in {count(-row.days_overdue, 'day')}" if row.status == "due" and row.days_overdue < 0 else ""


def reason(row: BoosterRow, last: date) -> str:
    """Why the date is what it is, with the patient's own figures."""
    spells = row.basis_days or row.spells_days
    if row.basis == "own_spells" and spells:
        middle = median(spells)
        lasted, kept = ", ".join(number(days, 1) for days in spells), SHARE * middle
        if not row.basis_days:
            return f"scheduled by the patient's own spells: relief lasted {lasted} days, median {number(middle, 1)}"
        text = f"relief lasted {lasted} days; {SHARE} × median {number(middle, 1)} = {number(kept, 1)} days"
        return text + ("" if (row.due_on - last) <= timedelta(days=kept + 1) else ", raised to the protocol's minimum")
    if row.basis == "protocol_default":
        return f"{BASES[row.basis]}, {count((row.due_on - last).days, 'day')}: no spell of relief completed yet"
    return BASES.get(row.basis, words(row.basis))


def _book(row: BoosterRow, timezone: str, today: date) -> Cell:
    """One click to the booking form, filled in; for roles that book. A past due date means as soon as may be."""
    if row.booked_starts_us is not None:
        booked = moment(row.booked_starts_us)
        return cell(booked, f"booked for {day(local_date(timezone, row.booked_starts_us), weekday=True)}")
    who = principal()
    if not policy.allows(policy.POLICY["appointments.book"], who.role, who.scopes):
        return cell(None)
    on = max(row.due_on, today)
    query = urlencode({"patient": row.patient, "kind": "booster", "course": row.course, "on": on.isoformat()})
    return cell(None, "Book", href=f"/schedule/{row.clinic}/book?{query}")
