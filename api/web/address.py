"""What the address of a page asks: clinics, period, as of, known at. Everything a page shows follows from it.

The names and their reading are the API's (`api/http/questions.py`); a browser's form may leave a field empty or send
`clinics` once per box. Without a period a page shows the last 13 complete weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import marshmallow
from flask import request

from api.http.context import principal, wired
from api.http.problems import Problem, pointers
from api.http.questions import Question, QuestionSchema, question
from api.reports import fixed
from domain import clinic
from projections.clinic_list import opened_clinics

__all__ = ["ClinicName", "Preset", "View", "clinic_name", "clinics_seen", "link", "parameters", "view"]

QUESTION = {one.data_key or name: name for name, one in QuestionSchema().fields.items()}
USUAL_WEEKS = 13


@dataclass(frozen=True)
class ClinicName:
    """A clinic as people know it."""

    id: str
    name: str
    timezone: str
    fictional: bool


@dataclass(frozen=True)
class Preset:
    """A period to choose by one click."""

    label: str
    first: date
    last: date
    href: str
    chosen: bool


def clinic_name(clinic_id: str) -> ClinicName:
    """The clinic's name and zone, as this process last saw them."""
    state = wired().services.handling.recent(clinic, UUID(clinic_id)).state
    name = state.clinic_name.replace(" (fictional)", "")
    return ClinicName(clinic_id, name, state.timezone, state.fictional)


def clinics_seen() -> list[ClinicName]:
    """Every clinic that the reader may see, by name."""
    mine = principal().clinics
    if mine is None:
        with wired().read_side.database.reads.connect() as connection:
            ids = opened_clinics(connection)
    else:
        ids = [str(one) for one in mine]
    return sorted((clinic_name(one) for one in ids), key=lambda one: one.name)


def link(path: str | None = None, /, **changes: str | None) -> str:
    """This page's address (or `path` with this page's question) with some parameters changed; None takes one out."""
    kept = {name: value for name, value in _given().items() if path is None or name in QUESTION}
    for name, value in changes.items():
        name = name.rstrip("_")
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    query = urlencode(kept, safe=",:")
    return (path or request.path) + (f"?{query}" if query else "")


def _given() -> dict[str, str]:
    """The address's parameters, the empty ones left out; `clinics` given several times joined."""
    return {
        name: ",".join(one for one in values if one) if name == "clinics" else values[-1]
        for name, values in request.args.lists() if any(values)
    }  # fmt: skip


def parameters(schema: type[marshmallow.Schema], given: dict[str, str]) -> dict[str, Any]:
    """`given` read by a schema; raises `Problem` 422 with a pointer for each field at fault."""
    try:
        return dict(schema().load(given))
    except marshmallow.ValidationError as error:
        raise Problem(
            422, "invalid-request", "The address asks for something that cannot be.",
            errors=list(pointers(error.messages))[:50],
        ) from error


@dataclass(frozen=True)
class View:
    """The question of this page's address, and what the pickers show."""

    question: Question
    known_at: str | None
    seen_as_of: bool
    clinics: tuple[ClinicName, ...]
    all_clinics: tuple[ClinicName, ...]
    today: date

    @cached_property
    def timezone(self) -> str:
        """The zone for moments that belong to no single clinic: that of the clinic shown, the first of several."""
        return self.clinics[0].timezone if self.clinics else "UTC"

    @property
    def one_zone(self) -> bool:
        """Whether all the clinics shown keep the same zone."""
        return len({one.timezone for one in self.clinics}) <= 1

    @property
    def chosen(self) -> frozenset[str]:
        """Ids of the clinics shown."""
        return frozenset(one.id for one in self.clinics)

    @property
    def clinics_in_words(self) -> str:
        """`All 3 clinics`, one name, or a count."""
        if len(self.clinics) == len(self.all_clinics) and len(self.clinics) != 1:
            return f"All {len(self.clinics)} clinics"
        return self.clinics[0].name if len(self.clinics) == 1 else f"{len(self.clinics)} clinics"

    @property
    def presets(self) -> list[Preset]:
        """Whole weeks that ended before today, and everything."""
        sunday = self.today - timedelta(days=self.today.isoweekday())
        spans = [
            ("Last week", sunday - timedelta(days=6), sunday), ("4 weeks", sunday - timedelta(days=27), sunday),
            ("13 weeks", sunday - timedelta(days=7 * USUAL_WEEKS - 1), sunday), ("All", _first_day(), self.today),
        ]  # fmt: skip
        period = self.question.period
        return [
            Preset(
                label, first, last, link(from_=first.isoformat(), to=last.isoformat(), page=None),
                (first, last) == (period.first, period.last),
            )
            for label, first, last in spans
        ]

    def clinic(self, clinic_id: str) -> ClinicName:
        """The clinic of that id."""
        return next((one for one in self.all_clinics if one.id == clinic_id), None) or clinic_name(clinic_id)

    def rows(self, dashboard: str) -> Rows:
        """Makes addresses of rows of a dashboard, with this question written out."""
        return Rows(dashboard, fixed(self.question))


@lru_cache(maxsize=256)
def _written(asked: tuple[tuple[str, str], ...]) -> str:
    return urlencode(asked, safe=",:")


@dataclass(frozen=True)
class Rows:
    """From a figure's path to the page with its rows."""

    dashboard: str
    asked: dict[str, str]

    def __call__(self, path: str) -> str:
        return f"/rows/{self.dashboard}?figure={quote_plus(path, safe=',:')}&{self._question}"

    def between(self, path: str, first: date, last: date) -> str:
        """The same over some days only, as far as they lie in the period."""
        begins, ends = max(first.isoformat(), self.asked["from"]), min(last.isoformat(), self.asked["to"])
        return f"/rows/{self.dashboard}?figure={path}&{self._rest}&from={begins}&to={ends}"

    @cached_property
    def _question(self) -> str:
        return _written(tuple(self.asked.items()))

    @cached_property
    def _rest(self) -> str:
        return urlencode({name: value for name, value in self.asked.items() if name not in ("from", "to")}, safe=",:")


def view() -> View:
    """The question that this page's address asks; raises `Problem` 422, the 404 for a clinic not seen, 503."""
    given = _given()
    asked = parameters(QuestionSchema, {name: value for name, value in given.items() if name in QUESTION})
    everywhere = clinics_seen()
    now = asked.get("as_of") or wired().services.clock.now()
    today = min((now.astimezone(ZoneInfo(one.timezone)).date() for one in everywhere), default=now.date())
    if "last" not in asked:
        sunday = today - timedelta(days=today.isoweekday())
        asked["last"] = max(sunday, asked.get("first", sunday))
    if "first" not in asked:
        asked["first"] = asked["last"] - timedelta(days=7 * USUAL_WEEKS - 1)
    answered = question({**asked, "as_of": now})
    names = {one.id: one for one in everywhere}
    shown = tuple(sorted(
        (names.get(one) or clinic_name(one) for one in answered.clinics), key=lambda one: one.name
    ))
    return View(answered, given.get("known_at"), "as_of" in given, shown, tuple(everywhere), today)


def _first_day() -> date:
    """The day on which the log begins."""
    records = wired().services.log.read(0, 1)
    return records[0].occurred_at.date() if records else wired().services.clock.now().date()
