"""From a figure to the facts it was made of, and from each fact to its event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, request, url_for
from marshmallow import EXCLUDE, Schema, fields, validate

from api.auth import policy
from api.behind import Behind, One
from api.http.access import opened
from api.http.context import principal
from api.http.problems import Problem, not_found
from api.reports import DASHBOARDS, ask, figure_at
from api.web.address import clinic_name, link, parameters, view
from api.web.doubt import doubted, thin
from api.web.figures import Shown, shown
from api.web.page import may, render
from api.web.tables import Cell, Column, InChunks, Table, cell
from api.web.wording import UNIT_WORDS, day, number, quantity, when, words
from domain.catalogue import EVENTS
from projections.facts.reading import CHUNK
from projections.metrics.figures import Spread
from projections.outcomes import OutcomeReport

__all__ = ["blueprint", "event_title", "patient_href"]

blueprint = Blueprint("web_rows", __name__)

PAGE = 50
PAGE_OF = {"operations": "today"}
"""Dashboards whose page has another name."""
LANDMARK = "Landmark fall"
"""What the facts behind a share of responders contribute."""


class _Page(Schema):
    """Which figure and which of its rows."""

    class Meta:
        """The question and the table are read elsewhere."""

        unknown = EXCLUDE

    figure = fields.String(required=True, validate=validate.Length(max=200))
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    which = fields.String(
        load_default="all", validate=validate.Regexp(r"^(all|counted|other|left-out\.[a-z0-9_]{1,60})$")
    )


def patient_href(patient_id: UUID) -> str | None:
    """The patient's own page, for those who may open it."""
    return url_for("web_patients.show", patient_id=patient_id) if may("web_patients.show") else None


WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def event_title(name: str) -> str:
    """An event's name in words: `infusion.given.v1` is `Infusion given`, `IVPlaced` is `IV placed`."""
    kind = EVENTS.get(name)
    text = kind.__name__ if kind is not None else name.rpartition(".v")[0].replace(".", " ").replace("_", " ")
    parts = [part if part.isupper() else part.lower() for part in WORD_BEGINS.split(text)]
    spaced = " ".join(parts)
    return spaced[:1].upper() + spaced[1:]


@blueprint.get("/rows/<string:dashboard>")
def show(dashboard: str) -> Response:
    """A page of the facts behind one figure, or all of them as CSV; each opens into its event."""
    if dashboard not in DASHBOARDS:
        raise not_found()
    _check(dashboard)
    asked, wanted = view(), parameters(_Page, request.args.to_dict())
    report, which = ask(dashboard, asked.question), wanted["which"]
    figure = figure_at(report, wanted["figure"])
    behind, one = Behind(figure, asked.question.known_at), shown(figure, wanted["figure"])
    if isinstance(report, OutcomeReport):
        one = doubted(one, thin(report.follow_up_answered))
    facts = behind.chosen(which)
    pages = max(1, -(-len(facts) // PAGE))
    page = min(wanted["page"], pages)
    here = facts[(page - 1) * PAGE : page * PAGE]
    whole = request.args.get("format") == "csv"
    opened(f"dashboard.{dashboard}.rows", count=len(facts) if whole else len(here))
    return render(
        "rows.html", title=one.title, active=f"web_{_page_of(dashboard)}.show", view=asked,
        lede="The facts behind this figure.", tables=[_table(facts if whole else here, behind, one, which)],
        figures=[one], one=one, dashboard=_page_of(dashboard), which=which, choices=_choices(behind),
        found=len(facts), number=page, pages=pages,
        first=(page - 1) * PAGE + 1 if here else 0, last=(page - 1) * PAGE + len(here),
        back=link(f"/{_page_of(dashboard)}"),
    )


def _choices(behind: Behind) -> list[tuple[str, str]]:
    """Which rows there are to choose from: (choice, label)."""
    some = [("counted", "In the numerator"), ("other", "Not in it")] if behind.splits else []
    some += [(f"left-out.{reason}", f"Left out: {words(reason)} ({number(many)})")
             for reason, many in behind.reasons().items() if many]
    return [("all", "All counted"), *some] if some else []


def _page_of(dashboard: str) -> str:
    return PAGE_OF.get(dashboard, dashboard)


def _check(dashboard: str) -> None:
    """Whoever may not open the dashboard may not open its rows. Raises `Problem` 403."""
    known, who = policy.POLICY, principal()
    permit = known.get(f"web_{_page_of(dashboard)}.show") or known.get(f"dashboards.{dashboard}_rows")
    if permit is None or not policy.allows(permit, who.role, who.scopes):
        raise Problem(403, "not-permitted", f"The role {who.role} may not open this dashboard.")


def _table(facts: Sequence[str], behind: Behind, one: Shown, which: str) -> Table:
    left_out = which.startswith("left-out.")
    columns = [Column("at", "When", basis=("which moment",))]
    if behind.unit is not None and not left_out:
        columns.append(Column("value", _value_title(behind, one), numeric=True))
    if behind.tells_outcomes and not left_out:
        columns.append(Column("outcome", "Outcome"))
    if behind.splits and not left_out:
        columns.append(Column("counted", "In the numerator"))
    columns += [
        Column("clinic", "Clinic"), Column("patient", "Patient"), Column("event", "Event"),
        Column("occurred", "Event happened"), Column("position", "Event no.", numeric=True),
        Column("fact", "Fact", on_page=False),
    ]  # fmt: skip
    keys = frozenset(column.key for column in columns)
    return Table(
        name="rows", title="Facts" if not left_out else f"Left out: {words(which.removeprefix('left-out.'))}",
        columns=tuple(columns), empty="No fact stands behind this figure in this period.",
        rows=InChunks(facts, CHUNK, lambda some: [
            _row(found, keys, behind.unit) for found in behind.read(some, left_out=left_out)
        ]),
    )  # fmt: skip


def _value_title(behind: Behind, one: Shown) -> str:
    """`Wait, min`: what the number is, and its unit."""
    title = one.definition.title if isinstance(one.figure, Spread) else LANDMARK
    return f"{title}, {UNIT_WORDS.get(behind.unit or '', behind.unit)}"


def _row(one: One, keys: frozenset[str], unit: str | None) -> tuple[Cell, ...]:
    record = one.record
    clinic = clinic_name(str(record.clinic_id)) if record.clinic_id is not None else None
    zone = clinic.timezone if clinic is not None else "UTC"
    at = when(one.at, zone) if isinstance(one.at, datetime) else day(one.at, weekday=True)
    cells = [cell(one.at, at, note=words(one.at_is), basis=(words(one.at_is),))]
    if "value" in keys:
        cells.append(cell(one.value, quantity(one.value, unit or "")[0]))
    if "outcome" in keys:
        cells.append(cell(one.outcome, None if one.outcome is None else words(one.outcome)))
    if "counted" in keys:
        cells.append(cell(one.counted, tone="ok" if one.counted else ""))
    patient = record.subject
    return (
        *cells, cell(clinic.name if clinic is not None else None),
        cell(None) if patient is None else cell(str(patient), str(patient)[:8], href=patient_href(patient)),
        cell(record.name, event_title(record.name), href=f"/events/{record.position}"),
        cell(record.occurred_at, when(record.occurred_at, zone)), cell(record.position, str(record.position)),
        cell(one.fact),
    )  # fmt: skip
