"""One patient: the timeline as a picture and as a list, the plan, the papers and what they are still good for."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from flask import Response, request, url_for
from marshmallow import EXCLUDE, Schema, fields, validate

from api.http.access import opened
from api.http.context import principal, wired
from api.http.cursors import read_cursor, write_cursor
from api.http.fields import AwareMoment
from api.http.problems import Problem
from api.http.questions import known_position
from api.http.resources.patient_picture import picture_of
from api.http.resources.patient_reads import TIMELINE_KINDS, with_merged
from api.http.scope import patient_state
from api.web.address import clinic_name, clinics_seen, link, parameters
from api.web.charts import patient as charts
from api.web.figures import shown
from api.web.names import names
from api.web.page import may, render
from api.web.patients import blueprint
from api.web.rows import event_title
from api.web.tables import Cell, Column, Table, cell, event_cell
from api.web.terms import condition, contraindication, instrument, plan, reason, said
from api.web.visits import visit_tables
from api.web.wording import count, day, duration, moment, when, words
from domain.kernel import Actor
from domain.patient.state import State as PatientState
from projections.patient_picture import CourseLine, Picture
from projections.patient_standing import Paper
from projections.timeline import Timeline, TimelineEntry, UnknownCursor, timeline

__all__ = ["blueprint"]

PAGE = 50
SOON_DAYS = 14
"""A paper with fewer days left is marked."""
NOTHING_SAID: tuple[Any, ...] = (None, "", [], (), {})
UNITS = ("_mmhg", "_percent", "_per_min", "_at", "_on", "_code")
QUIET = frozenset({"origin", "late_reason", "note", "reason"})
"""Fields that the list leaves to the event's own page."""


class _Asked(Schema):
    """As of when, as known when, which kinds, which page of the list."""

    class Meta:
        """The table is read elsewhere."""

        unknown = EXCLUDE

    as_of = AwareMoment()
    known_at = fields.String(validate=validate.Regexp(r"^([0-9]{1,18}|[0-9]{4}-[0-9T:.+Zz-]+)$"))
    kind = fields.String(validate=validate.OneOf(TIMELINE_KINDS))
    drawn = fields.String(validate=validate.OneOf(["all"]))
    cursor = fields.String(validate=validate.Regexp(r"^[A-Za-z0-9_-]{1,512}$"))


class Line(msgspec.Struct, frozen=True):
    """One entry of the list: marks say late, amended, struck; `was` the values before corrections."""

    when: Cell
    title: str
    said: str
    was: str
    by: str
    marks: tuple[tuple[str, str], ...]
    struck: bool
    href: str


@blueprint.get("/patients/<uuid:patient_id>")
def show(patient_id: UUID) -> Response:
    """The patient at this moment, or as of and as known at another. The 404 outside the care relation."""
    state = patient_state(patient_id).state
    asked = parameters(_Asked, {name: value for name, value in request.args.to_dict().items() if value})
    position = opened("patient_page", patient_id=patient_id)
    known = known_position(asked.get("known_at"))
    asked["known_at"] = str(position if known is None else min(known, position))
    found = picture_of(patient_id, asked)
    entries = _entries(patient_id, asked, int(asked["known_at"]))
    since, everything = charts.drawn_from(found), asked.get("drawn") == "all"
    chart = charts.course(found, None if everything else since)
    follow_up = shown(found.follow_up, "follow_up", lambda _: "#table-follow-up")
    return render(
        "patient.html", title=names([str(patient_id)]).get(str(patient_id)) or f"Patient {str(patient_id)[:8]}",
        active="web_patients.show", picture=found, chart=chart,
        since=None if since is None else day(since), everything=everything, follow_up=follow_up, figures=[follow_up],
        about=_who(state), clinic=clinic_name(str(state.home_clinic_id)), past=_past(request.args.to_dict(), found),
        merged=None if state.merged_into is None else str(state.merged_into), erased=state.erased,
        kinds=_kinds(asked.get("kind")), lines=[_line(one, found.timezone) for one in entries.entries],
        total=entries.total, older=_older(entries), first_page="cursor" not in asked,
        patient_id=patient_id, booking=_ways_to_book(state),
        tables=[chart.table, *visit_tables(found.visits, found.as_of), _papers(found), _findings(found),
                _courses(found), _asked_table(found)],
    )


def _ways_to_book(state: PatientState) -> list[tuple[str, str]]:
    """Into the booking form with the patient filled in, at each clinic of the reader's that cares for them."""
    if state.erased or state.merged_into is not None or not may("web_schedule.book"):
        return []
    here = [one for one in clinics_seen() if UUID(one.id) in state.care]
    return [
        (f"Book a visit{f' at {one.name}' if len(here) > 1 else ''}",
         url_for("web_schedule.book", clinic_id=one.id, patient=state.stream_id))
        for one in here
    ]


def _who(state: Any) -> str:
    parts = [words(state.sex) if state.sex else "", f"age {state.age_band}" if state.age_band else ""]
    return ", ".join(part for part in parts if part)


def _past(given: dict[str, str], found: Picture) -> str:
    """What moment is looked at, when it is not now."""
    told = []
    if given.get("as_of"):
        told.append(f"as of {moment(found.as_of, found.timezone)}")
    if given.get("known_at"):
        position = "event no. " if given["known_at"].isdigit() else ""
        told.append(f"as known at {position}{given['known_at']}")
    return ", ".join(told)


# --- the list -------------------------------------------------------------------------------------


def _entries(patient_id: UUID, asked: dict[str, Any], known_at: int) -> Timeline:
    who, services = principal(), wired().services
    try:
        return timeline(
            services.log, with_merged(patient_id), unsealer=services.unsealer,
            viewer=Actor(id=who.actor_id, role=who.role), kinds=[asked["kind"]] if "kind" in asked else None,
            cursor=read_cursor(asked["cursor"], str)[0] if "cursor" in asked else None, limit=PAGE, newest_first=True,
            as_of=asked.get("as_of"), known_at=known_at,
        )
    except UnknownCursor as error:
        raise Problem(422, "invalid-request", "The address asks for something that cannot be.",
                      errors=[{"pointer": "/cursor", "detail": "Not a cursor."}]) from error


def _older(entries: Timeline) -> str | None:
    return None if entries.next_cursor is None else link(cursor=write_cursor(entries.next_cursor)) + "#list"


def _kinds(chosen: str | None) -> list[tuple[str, str, bool]]:
    return [("everything", link(kind=None, cursor=None) + "#list", chosen is None)] + [
        (words(kind), link(kind=kind, cursor=None) + "#list", kind == chosen) for kind in TIMELINE_KINDS
    ]


def _line(one: TimelineEntry, timezone: str) -> Line:
    zone = clinic_name(str(one.clinic_id)).timezone if one.clinic_id is not None else timezone
    marks = []
    if one.late:
        marks.append(("attention", f"entered {duration(one.late_minutes)} late"))
    if one.amended:
        marks.append(("info", "amended"))
    if one.struck:
        marks.append(("alarm", "struck"))
    if one.origin == "import":
        marks.append(("", "imported"))
    before = {name: value for fix in one.corrections if fix.what == "amended" for name, value in fix.before.items()}
    return Line(
        cell(one.occurred_at, when(one.occurred_at, zone)), event_title(one.name), in_words(one.facts, zone, one.name),
        in_words(before, zone, one.name), words(one.role), tuple(marks), one.struck, f"/events/{one.position}",
    )  # fmt: skip


def in_words(facts: Any, zone: str, event: str = "") -> str:
    """An entry's facts in a line, without ids: what a person would say of it, times on the clinic's clock."""
    told = [
        f"{_called(name)} {_value(value, zone, name, event)}" for name, value in facts.items()
        if value not in NOTHING_SAID and name not in QUIET and not _is_id(name, value)
    ]
    return "; ".join(told)[:400]


def _called(name: str) -> str:
    """A field's name as a person says it: `due_at` is `due`, `systolic_mmhg` is `systolic`."""
    stem = name
    for unit in UNITS:
        stem = stem.removesuffix(unit)
    return words(stem)


def _is_id(name: str, value: Any) -> bool:
    is_uuid = isinstance(value, str) and len(value) == 36 and value.count("-") == 4
    return is_uuid or name.endswith(("_id", "_by"))


def _value(value: Any, zone: str, field: str, event: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if "secret" in value:
            return str(value["secret"])
        told = [(str(name), inner) for name, inner in value.items() if inner not in NOTHING_SAID]
        return ", ".join(f"{_called(name)} {_value(inner, zone, name, event)}" for name, inner in told)
    if isinstance(value, list | tuple):
        return " · ".join(_value(inner, zone, field, event) for inner in value)
    if (term := said(field, value, event)) is not None:
        return term
    text = str(value)
    if (at := _moment(text)) is not None:
        return moment(at, zone)
    return text if any(character.isdigit() for character in text) or " " in text else words(text)


def _moment(text: str) -> datetime | None:
    """A time with an offset, as the log writes it."""
    if len(text) < 20 or text[10:11] != "T":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


# --- what holds -----------------------------------------------------------------------------------


def _papers(found: Picture) -> Table:
    return Table(
        name="papers", title="Consultation, screening, consents",
        empty="No consultation, screening or consent is on record: no infusion may start.",
        columns=(
            Column("what", "What"), Column("at", "Dated"), Column("until", "Good until"),
            Column("left", "Days left", numeric=True), Column("event", "Event no.", numeric=True),
        ),
        rows=tuple(_paper(one, found) for one in found.papers),
    )  # fmt: skip


def _paper(one: Paper, found: Picture) -> tuple[Cell, ...]:
    on = one.at.astimezone(ZoneInfo(found.timezone)).date()
    if one.withdrawn:
        left = cell(one.left, "withdrawn", tone="alarm")
    elif one.left is None:
        left = cell(None)
    elif one.left < 0:
        left = cell(one.left, f"out of date by {count(-one.left, 'day')}", tone="alarm")
    else:
        left = cell(one.left, tone="attention" if one.left < SOON_DAYS else "")
    return (
        cell(one.what, words(one.what).capitalize()), cell(on, day(on)),
        cell(one.valid_until, day(one.valid_until)) if one.valid_until else cell(None), left, event_cell(one.position),
    )  # fmt: skip


def _findings(found: Picture) -> Table:
    tones = {"uncontrolled": "alarm", "unknown": "attention", "hint": "attention"}
    return Table(
        name="screening", title="Latest screening", empty="No screening is on record.",
        columns=(Column("what", "Condition"), Column("status", "Found"), Column("cleared", "Cleared until")),
        rows=tuple(
            (
                cell(contraindication(one.contraindication)), cell(words(one.status), tone=tones.get(one.status, "")),
                cell(one.cleared_until, day(one.cleared_until)) if one.cleared_until else cell(None),
            )
            for one in found.findings
        ),
    )  # fmt: skip


def _courses(found: Picture) -> Table:
    return Table(
        name="courses", title="Courses and plan", empty="No course has been opened.",
        columns=(
            Column("condition", "Condition"), Column("plan", "Plan"), Column("opened", "Opened"),
            Column("gate", "Response gate"),
            Column("series", "Series given", numeric=True, basis=("planned", "from", "until")),
            Column("baseline", "Baseline", numeric=True),
            Column("state", "State"), Column("event", "Event no.", numeric=True),
        ),
        rows=tuple(_course(one, found) for one in found.courses),
    )  # fmt: skip


def _course(one: CourseLine, found: Picture) -> tuple[Cell, ...]:
    zone = ZoneInfo(found.timezone)
    opened_on = one.opened_at.astimezone(zone).date()
    gate = cell(one.gate, tone="ok" if one.gate == "positive" else "", note=day(one.gate_at.astimezone(zone).date())
                if one.gate_at else "")  # fmt: skip
    series = cell(None)
    if one.series_infusions is not None and one.series_starts and one.series_ends:
        series = cell(
            one.series_given, f"{one.series_given} of {one.series_infusions}",
            basis=(one.series_infusions, one.series_starts, one.series_ends),
            note=f"{day(one.series_starts, year=False)} – {day(one.series_ends)}"
            + (", ended by optimal relief" if one.relief_at else ""),
        )  # fmt: skip
    state = "open" if one.closed_at is None else f"closed {day(one.closed_at.astimezone(zone).date())}"
    return (
        cell(condition(one.condition)), cell(plan(one.plan)), cell(opened_on, day(opened_on)), gate, series,
        cell(one.baseline), cell(state, note=reason(one.closed_because) if one.closed_because else ""),
        event_cell(one.position),
    )  # fmt: skip


def _asked_table(found: Picture) -> Table:
    tones = {"missed": "attention", "answered": "ok"}
    return Table(
        name="follow-up", title="Follow-up, prompt by prompt", empty="No follow-up has been scheduled.",
        columns=(
            Column("due", "Due"), Column("what", "Asked"), Column("state", "State"),
            Column("event", "Event no.", numeric=True),
        ),
        rows=tuple(
            (
                cell(one.due_at, when(one.due_at, found.timezone)),
                cell(", ".join(instrument(asked) for asked in one.instruments)),
                cell(words(one.state), tone=tones.get(one.state, "")), event_cell(one.position),
            )
            for one in reversed(found.asked)
        ),
    )  # fmt: skip
