"""Every page is made here: `render` puts a template into the frame (navigation, pickers, lag, print) or, when the
address asks for it, gives one of the page's tables as CSV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Response, current_app, g, render_template, request, url_for
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from api.auth import policy
from api.auth.keys import Principal
from api.http.access import note_export
from api.http.context import wired
from api.http.problems import Problem, not_found, pointers
from api.web.address import View, clinics_seen, link
from api.web.charts import Chart
from api.web.figures import Shown
from api.web.tables import Table, csv_response, sorted_by
from api.web.wording import day, moment
from projections.home_alerts import count_open_alerts
from projections.metrics.definitions import Definition

__all__ = ["NavItem", "alerts_waiting", "lag_seconds", "may", "navigation", "render"]

LAG_TOLD_SECONDS = 5.0
THEMES = ("light", "dark")
QUIET = timedelta(days=7)


@dataclass(frozen=True)
class NavItem:
    """A way to a page. It shows where the page exists and the reader's role may open it."""

    label: str
    operation: str


NAVIGATION: tuple[tuple[str, tuple[NavItem, ...]], ...] = (
    ("The day", (
        NavItem("Today", "web_today.show"),
        NavItem("Alerts from home", "web_alerts.show"),
        NavItem("Schedule", "web_schedule.index"),
        NavItem("Patients", "web_patients.find"),
        NavItem("Boosters", "web_boosters.show"),
    )),
    ("How it goes", (
        NavItem("Clinics", "web_clinics.show"),
        NavItem("Utilization", "web_utilization.show"),
        NavItem("Outcomes", "web_outcomes.show"),
        NavItem("Safety", "web_safety.show"),
        NavItem("Funnel", "web_funnel.show"),
    )),
    ("To look up", (
        NavItem("Glossary", "web_glossary.show"),
    )),
)  # fmt: skip


class _TableSchema(Schema):
    """What every page understands beside its question."""

    class Meta:
        """The page reads the rest."""

        unknown = EXCLUDE

    format = fields.String(validate=validate.OneOf(["csv"]))
    table = fields.String(validate=validate.Length(max=60))
    sort = fields.String(validate=validate.Length(max=60))


def reader() -> Principal | None:
    """Who reads the page; None before anybody has signed in."""
    found: Principal | None = g.get("principal")
    return found


def may(operation: str) -> bool:
    """Whether the page exists and the reader's role may open it."""
    if operation not in current_app.view_functions:
        return False
    if operation in policy.PUBLIC:
        return True
    who, permit = reader(), policy.POLICY.get(operation)
    return who is not None and permit is not None and policy.allows(permit, who.role, who.scopes)


def navigation(active: str) -> list[tuple[str, list[tuple[NavItem, str, bool]]]]:
    """The groups of the navigation with what the reader may open: (item, address, whether it is this page)."""
    shown = [
        (group, [(item, _keeping(url_for(item.operation)), item.operation == active)
                 for item in items if may(item.operation)])
        for group, items in NAVIGATION
    ]  # fmt: skip
    return [(group, items) for group, items in shown if items]


def _keeping(path: str) -> str:
    """From page to page the question stays: clinics, period, as of, known at."""
    return link(path) if reader() is not None else path


def lag_seconds() -> float:
    """How far the read side is behind the log: the oldest event not yet in a view."""
    return max((one.lag_seconds for one in wired().read_side.engine.status()), default=0.0)


def alerts_waiting(clinics: Sequence[str] | None = None) -> int:
    """How many alerts from home wait at the reader's clinics; 0 for who may not see them."""
    if not may("web_alerts.show"):
        return 0
    with wired().read_side.database.reads.connect() as connection:
        return count_open_alerts(connection, [one.id for one in clinics_seen()] if clinics is None else clinics)


def render(
    template: str, *, title: str, active: str, view: View | None = None, tables: Sequence[Table] = (),
    figures: Sequence[Shown] = (), charts: Mapping[str, Chart] | None = None, lede: str = "", status: int = 200,
    **context: Any,
) -> Response:  # fmt: skip
    """The page. `active` is its operation; `view` gives it the pickers; `figures` and `charts` are explained in print.

    With `?format=csv&table=<name>` the answer is that table of `tables` instead (the first without a name), in the
    order of `?sort=`. Raises `Problem` 422, the 404 for a table that this page has not.
    """
    asked, charts = _asked(), charts or {}
    tables = [sorted_by(one, asked.get("sort")) for one in tables]
    if asked.get("format") == "csv":
        return _as_csv(tables, asked.get("table"), active)
    around = frame(active)
    html = render_template(
        template, title=title, lede=lede, active=active, view=view, tables={one.name: one for one in tables},
        figures=figures, charts=charts, notes=_notes(figures, charts),
        quiet_since=_quiet_since(view, around["fictional"]), **around, **context,
    )
    return current_app.response_class(html, status=status, mimetype="text/html")


def frame(active: str) -> dict[str, Any]:
    """What the base template needs on every page, also on an error's."""
    who = reader()
    clinics = clinics_seen() if who is not None else []
    theme = request.cookies.get("theme")
    now = wired().services.clock.now()
    return {
        "navigation": navigation(active), "who": who, "fictional": any(one.fictional for one in clinics),
        "alerts_waiting": alerts_waiting([one.id for one in clinics]),
        "theme": theme if theme in THEMES else "", "lag": lag_seconds() if who is not None else 0.0,
        "lag_told": LAG_TOLD_SECONDS, "may": may, "printed": moment(now, clinics[0].timezone if clinics else "UTC"),
    }


def _quiet_since(view: View | None, fictional: bool) -> datetime | None:
    """The last entry of a demo that ended over a week before the moment seen, so that nobody wonders at empty pages."""
    if view is None or view.seen_as_of or not fictional:
        return None
    log = wired().services.log
    last = log.read(log.head() - 1, 1)
    at = last[0].recorded_at if last else None
    return at if at is not None and view.question.as_of - at > QUIET else None


def _asked() -> dict[str, str]:
    try:
        return dict(_TableSchema().load(request.args.to_dict()))
    except ValidationError as error:
        found = list(pointers(error.messages))
        raise Problem(422, "invalid-request", "The address asks for something that cannot be.", errors=found) from error


def _as_csv(tables: Sequence[Table], name: str | None, active: str) -> Response:
    table = next((one for one in tables if name in (None, one.name)), None)
    if table is None:
        raise not_found()
    note_export(f"{active}.{table.name}", len(table.rows))
    today = day(wired().services.clock.now().date()).replace(" ", "-")
    return csv_response(table, f"anodyne-{active.removeprefix('web_').partition('.')[0]}-{table.name}-{today}")


def _notes(figures: Sequence[Shown], charts: Mapping[str, Chart]) -> list[Definition]:
    """The definitions of the page's figures and charts, each once: what the print view ends with."""
    found = [*(one.definition for one in figures), *(one for chart in charts.values() for one in chart.definitions)]
    return list({one.name: one for one in found}.values())
