"""From a figure to the facts it was made of, and from each fact to its event."""

from __future__ import annotations

import re
from uuid import UUID

from flask import Blueprint, Response, request, url_for
from marshmallow import EXCLUDE, Schema, fields, validate

from api.auth import policy
from api.http.access import opened
from api.http.context import principal, wired
from api.http.problems import Problem, not_found
from api.reports import DASHBOARDS, ask, figure_at, position_of
from api.web.address import View, clinic_name, link, parameters, view
from api.web.figures import shown
from api.web.page import may, render
from api.web.tables import Cell, Column, Table, cell
from api.web.wording import when
from domain.catalogue import EVENTS
from domain.kernel import Recorded
from projections.metrics.figures import Figure, Spread
from services.log.lookup import records_at

__all__ = ["blueprint", "event_title", "patient_href"]

blueprint = Blueprint("web_rows", __name__)

PAGE = 50
PAGE_OF = {"operations": "today"}
"""Dashboards whose page has another name."""

WHICH = ("all", "counted", "other")


class _Page(Schema):
    """Which figure and which of its rows."""

    class Meta:
        """The question and the table are read elsewhere."""

        unknown = EXCLUDE

    figure = fields.String(required=True, validate=validate.Length(max=200))
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    which = fields.String(load_default="all", validate=validate.OneOf(WHICH))


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
    """A page of the facts behind one figure; each opens into its event."""
    if dashboard not in DASHBOARDS:
        raise not_found()
    _check(dashboard)
    asked, wanted = view(), parameters(_Page, request.args.to_dict())
    figure = figure_at(ask(dashboard, asked.question), wanted["figure"])
    counted = set(figure.numerator_rows) if isinstance(figure, Figure) else set()
    facts = _chosen(figure, counted, wanted["which"])
    pages = max(1, -(-len(facts) // PAGE))
    number = min(wanted["page"], pages)
    here = facts[(number - 1) * PAGE : number * PAGE]
    opened(f"dashboard.{dashboard}.rows", count=len(here))
    one = shown(figure, wanted["figure"])
    return render(
        "rows.html", title=one.title, active=f"web_{_page_of(dashboard)}.show", view=asked,
        lede="The facts behind this figure.",
        tables=[_table(here, counted, asked, bool(counted))], figures=[one], one=one, dashboard=_page_of(dashboard),
        which=wanted["which"], counted=len(counted), found=len(facts), number=number, pages=pages,
        first=(number - 1) * PAGE + 1 if here else 0, last=(number - 1) * PAGE + len(here),
        back=link(f"/{_page_of(dashboard)}"),
    )


def _page_of(dashboard: str) -> str:
    return PAGE_OF.get(dashboard, dashboard)


def _check(dashboard: str) -> None:
    """Whoever may not open the dashboard may not open its rows. Raises `Problem` 403."""
    known, who = policy.POLICY, principal()
    permit = known.get(f"web_{_page_of(dashboard)}.show") or known.get(f"dashboards.{dashboard}_rows")
    if permit is None or not policy.allows(permit, who.role, who.scopes):
        raise Problem(403, "not-permitted", f"The role {who.role} may not open this dashboard.")


def _chosen(figure: Figure | Spread, counted: set[str], which: str) -> list[str]:
    if which == "all" or not counted:
        return list(figure.rows)
    return [fact for fact in figure.rows if (fact in counted) == (which == "counted")]


def _table(facts: list[str], counted: set[str], asked: View, split: bool) -> Table:
    behind = records_at(wired().services.log, [position_of(fact) for fact in facts])
    columns = [Column("fact", "Fact"), Column("event", "Event"), Column("occurred", "Happened")]
    columns += [Column("counted", "In the numerator")] if split else []
    columns += [Column("clinic", "Clinic"), Column("patient", "Patient"), Column("position", "Event no.", numeric=True)]
    rows = [
        _row(fact, record, (fact in counted) if split else None)
        for fact in facts if (record := behind.get(position_of(fact))) is not None
    ]
    return Table(name="rows", title="Facts", columns=tuple(columns), rows=tuple(rows),
                 empty="No fact stands behind this figure in this period.")


def _row(fact: str, record: Recorded, counted: bool | None) -> tuple[Cell, ...]:
    clinic = clinic_name(str(record.clinic_id)) if record.clinic_id is not None else None
    zone = clinic.timezone if clinic is not None else "UTC"
    cells: list[Cell] = [
        cell(fact, href=f"/events/{record.position}"),
        cell(record.name, event_title(record.name)),
        cell(record.occurred_at, when(record.occurred_at, zone)),
    ]
    if counted is not None:
        cells.append(cell(counted, tone="ok" if counted else ""))
    patient = record.subject
    cells += [
        cell(clinic.name if clinic is not None else None),
        cell(None) if patient is None else cell(str(patient), str(patient)[:8], href=patient_href(patient)),
        cell(record.position, str(record.position)),
    ]
    return tuple(cells)

