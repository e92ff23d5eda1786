"""What every dashboard is asked by: clinics, a period of local days, as of when, as known when, how fresh at least."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from marshmallow import RAISE, Schema, ValidationError, fields, validate
from webargs.fields import DelimitedList

from api.http.context import principal, wired
from api.http.fields import AwareMoment, LocalDate, StrictId, Text
from api.http.problems import Problem
from api.http.scope import see_clinic
from projections.clinic_list import opened_clinics
from projections.metrics.calendar import Period

__all__ = ["Question", "QuestionSchema", "known_position", "question", "wait_for_position"]

LONGEST_PERIOD_DAYS = 3660
USUAL_WEEKS = 13


class QuestionSchema(Schema):
    """The parameters of a dashboard."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    clinics = DelimitedList(
        StrictId(), validate=validate.Length(min=1, max=50), metadata={"description": "All of the key's if absent."}
    )
    first = LocalDate(data_key="from", metadata={"description": "First local day; 13 weeks before `to` if absent."})
    last = LocalDate(data_key="to", metadata={"description": "Last local day, included; today if absent."})
    as_of = AwareMoment(metadata={"description": "Cuts what had happened by then (valid time); now if absent."})
    known_at = Text(
        longest=40, pattern=r"[0-9]{1,18}|[0-9]{4}-[0-9T:.+Zz-]+",
        metadata={"description": "Cuts what the log held by then: a position, or a time; everything if absent."},
    )
    min_position = fields.Integer(
        validate=validate.Range(0, 2**62),
        metadata={"description": "Read your writes: wait briefly until the read side is there, else 503."},
    )


@dataclass(frozen=True)
class Question:
    """A dashboard's question with everything filled in. `known_at` is a position, None for everything."""

    clinics: tuple[str, ...]
    period: Period
    as_of: datetime
    known_at: int | None


def question(query: dict[str, Any]) -> Question:
    """The question asked; raises the 404 for a clinic not seen, `Problem` 422 for an impossible period, 503."""
    wait_for_position(query.get("min_position"))
    as_of = query.get("as_of") or wired().services.clock.now()
    last: date = query.get("last") or as_of.date()
    first: date = query.get("first") or last - timedelta(days=7 * USUAL_WEEKS - 1)
    if first > last or (last - first).days >= LONGEST_PERIOD_DAYS:
        raise _invalid("/from", f"A period has 1 to {LONGEST_PERIOD_DAYS} days.")
    return Question(_clinics(query.get("clinics")), Period(first, last), as_of, known_position(query.get("known_at")))


def wait_for_position(position: int | None) -> None:
    """Waits briefly until the read side has reached `position`; raises `Problem` 503 when it has not."""
    if position is None:
        return
    parts = wired()
    if position > parts.services.log.head():
        raise _invalid("/min_position", "The log has not come so far.")
    if not parts.read_side.engine.wait_for(position, parts.settings.read_wait_seconds):
        raise Problem(
            503, "read-side-behind", "The read side has not reached that position yet.", headers={"Retry-After": "1"}
        )


def _clinics(asked: list[UUID] | None) -> tuple[str, ...]:
    if asked is not None:
        for clinic_id in asked:
            see_clinic(clinic_id)
        return tuple(sorted({str(clinic_id) for clinic_id in asked}))
    mine = principal().clinics
    if mine is not None:
        return tuple(sorted(str(clinic_id) for clinic_id in mine))
    with wired().read_side.database.reads.connect() as connection:
        return tuple(opened_clinics(connection))


def known_position(known_at: str | None) -> int | None:
    """A position from a position or a moment, resolved once; raises `Problem` 422."""
    if known_at is None:
        return None
    if known_at.isdigit():
        return int(known_at)
    try:
        moment: datetime = AwareMoment().deserialize(known_at)
    except ValidationError as error:
        raise _invalid("/known_at", "Neither a position nor an RFC 3339 time with an offset.") from error
    return wired().services.log.position_at(moment)


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem(
        422, "invalid-request", "The request does not fit its schema.", errors=[{"pointer": pointer, "detail": detail}]
    )
