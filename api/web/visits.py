"""A patient's visits as tables: those still to come, to be read out or handed over, and what became of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import url_for

from api.http.context import principal
from api.web.address import clinic_name
from api.web.page import may
from api.web.tables import Cell, Column, Table, Tone, cell, event_cell
from api.web.wording import when, words
from domain.vocabulary.reasons import VISIT_KINDS
from projections.patient_visits import BookedVisit

__all__ = ["visit_tables"]

WAITED_FOR = ("booked", "confirmed")
TONES: dict[str, Tone] = {"no_show": "attention", "confirmed": "ok", "kept": "ok"}


def visit_tables(visits: Sequence[BookedVisit], now: datetime) -> tuple[Table, Table]:
    """Those still to come, the next one first; the others, the latest first. Times on each clinic's clock."""
    coming = [one for one in visits if _comes(one, now)]
    earlier = [one for one in reversed(visits) if not _comes(one, now)]
    return (
        _table("coming", "Coming visits", "No visit is booked.", coming, now),
        _table("earlier", "Earlier and cancelled visits", "None.", earlier, now),
    )


def _comes(one: BookedVisit, now: datetime) -> bool:
    return one.state in WAITED_FOR and one.ends_at > now


def _table(name: str, title: str, empty: str, visits: Sequence[BookedVisit], now: datetime) -> Table:
    opens = may("web_events.show")
    event = (Column("event", "Event no.", numeric=True),) if opens else ()
    return Table(
        name=name, title=title, empty=empty,
        columns=(Column("when", "When"), Column("what", "Visit"), Column("where", "Clinic"), Column("state", "State"),
                 *event),
        rows=tuple(_row(one, opens, now) for one in visits),
    )  # fmt: skip


def _row(one: BookedVisit, opens: bool, now: datetime) -> tuple[Cell, ...]:
    here = clinic_name(str(one.clinic))
    event = (event_cell(one.position),) if opens else ()
    return (
        cell(one.starts_at, when(one.starts_at, here.timezone), href=_booking(one, here.timezone)),
        cell(VISIT_KINDS[one.visit_kind].text), cell(here.name), _state(one, now), *event,
    )  # fmt: skip


def _state(one: BookedVisit, now: datetime) -> Cell:
    if one.state in WAITED_FOR and not _comes(one, now):
        return cell("nothing recorded since")
    return cell(words(one.state), tone=TONES.get(one.state, ""))


def _booking(one: BookedVisit, timezone: str) -> str | None:
    if not may("web_schedule.appointment") or not principal().sees(one.clinic):
        return None
    local_date = one.starts_at.astimezone(ZoneInfo(timezone)).date()
    return url_for(
        "web_schedule.appointment", clinic_id=one.clinic, local_date=local_date, appointment_id=one.appointment)
