"""How did one patient fare? The timeline as data of a picture, and what holds for their care at a moment.

Folded from the log's own entries, as the timeline is, so both show the same at any `as_of` and `known_at`. Knows
codes and numbers only: nothing sealed is opened here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, select

from domain.course.spells import course_baseline
from domain.course.state import GivenInfusion, PainScore
from domain.kernel import Recorded
from domain.ports import LogReader
from projections.facts.reading import Cut, fetch
from projections.facts.tables import clinic_facts
from projections.metrics.figures import Figure
from projections.patient_standing import (
    Asked,
    Condition,
    Entry,
    Finding,
    OpenAlert,
    Paper,
    Validity,
    alerts,
    conditions,
    findings,
    named,
    papers,
    prompts,
)
from projections.patient_visits import BookedVisit, visits
from projections.timeline import standing_entries

MODERATE_LEFT, SUBSTANTIAL_LEFT = Decimal("0.7"), Decimal("0.5")
"""What is left of the baseline after a fall of 30 and of 50 %."""

_VALIDITY = msgspec.json.Decoder(Validity)


class Pain(msgspec.Struct, frozen=True, kw_only=True):
    """One score. kind: now, average, worst."""

    at: datetime
    kind: str
    score: int
    position: int
    amended: bool


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One infusion. `in_course` counts from 1 within its course, by drug start."""

    infusion: UUID
    course: UUID | None
    purpose: str
    started_at: datetime
    stopped_at: datetime
    dose_mg: Decimal
    dose_mg_per_kg: Decimal
    minutes: Decimal
    complete: bool
    in_course: int
    clinic: UUID | None
    position: int
    amended: bool


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One side effect at its highest grade; `ended_at` None while it lasts."""

    side_effect: UUID
    kind: str
    grade: int
    serious: bool
    from_home: bool
    onset_at: datetime
    ended_at: datetime | None
    position: int


class BoosterMark(msgspec.Struct, frozen=True, kw_only=True):
    """A booster as it was last scheduled. state: scheduled, booked, given, cancelled."""

    booster: UUID
    course: UUID
    due_on: date
    reason: str
    state: str
    position: int


class Adjunct(msgspec.Struct, frozen=True, kw_only=True):
    """Another therapy beside the infusions; `until` None while it goes on."""

    adjunct: UUID
    therapy: str
    since: date
    until: date | None
    position: int


class CourseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One course with its plan and its lines: the baseline, and what 30 and 50 % less would be."""

    course: UUID
    condition: str
    plan: str
    opened_at: datetime
    closed_at: datetime | None
    closed_because: str | None
    gate: str | None
    gate_at: datetime | None
    series_infusions: int | None
    series_starts: date | None
    series_ends: date | None
    series_given: int
    relief_at: datetime | None
    baseline: int | None
    moderate: Decimal | None
    substantial: Decimal | None
    position: int


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as of a moment, as known at a position."""

    as_of: datetime
    known_at: int | None
    timezone: str
    pain: tuple[Pain, ...]
    infusions: tuple[Given, ...]
    side_effects: tuple[Effect, ...]
    boosters: tuple[BoosterMark, ...]
    adjuncts: tuple[Adjunct, ...]
    courses: tuple[CourseLine, ...]
    papers: tuple[Paper, ...]
    findings: tuple[Finding, ...]
    conditions: tuple[Condition, ...]
    follow_up: Figure
    asked: tuple[Asked, ...]
    alerts: tuple[OpenAlert, ...]
    visits: tuple[BookedVisit, ...]


def picture(
    reader: LogReader, conn: Connection, patients: Sequence[UUID], clinic: UUID, *, as_of: datetime,
    known_at: int | None = None,
) -> Picture:  # fmt: skip
    """The picture of one patient (`patients`: with the ids merged into it), by the protocol and clock of `clinic`."""
    entries: list[Entry] = standing_entries(reader, patients, as_of=as_of, known_at=known_at)
    cut = Cut.at(as_of, known_at)
    timezone, days = _clinic(conn, str(clinic), cut)
    given = _given(entries)
    pain = _pain(entries)
    asked, figure = prompts(entries, as_of)
    return Picture(
        as_of=as_of, known_at=known_at, timezone=timezone, pain=pain, infusions=given,
        side_effects=_effects(entries), boosters=_boosters(entries, given), adjuncts=_adjuncts(entries),
        courses=_courses(entries, given, pain), papers=tuple(papers(entries, days, timezone, as_of)),
        findings=findings(entries), conditions=conditions(entries), follow_up=figure, asked=asked,
        alerts=alerts(entries), visits=visits(entries, _zones(conn, cut).get),
    )  # fmt: skip


def _clinic(conn: Connection, clinic: str, cut: Cut) -> tuple[str, Validity | None]:
    c = clinic_facts.c
    query = select(clinic_facts).where(c.clinic == clinic, c.kind.in_(("opened", "protocol")), cut.on(clinic_facts))
    rows = sorted(fetch(conn, query), key=lambda row: (row["at_us"], row["position"]))
    zones = [row["detail"] for row in rows if row["kind"] == "opened"]
    protocols = [row["detail"] for row in rows if row["kind"] == "protocol"]
    return zones[-1] if zones else "UTC", _VALIDITY.decode(protocols[-1]) if protocols else None


def _zones(conn: Connection, cut: Cut) -> dict[UUID, str]:
    """Every clinic's zone."""
    c = clinic_facts.c
    rows = fetch(conn, select(c.clinic, c.detail).where(c.kind == "opened", cut.on(clinic_facts)))
    return {UUID(row["clinic"]): row["detail"] for row in rows}


# --- what the picture draws -----------------------------------------------------------------------


def _pain(entries: Sequence[Entry]) -> tuple[Pain, ...]:
    return tuple(
        Pain(at=event.occurred_at, kind=event.kind, score=event.score, position=record.position, amended=amended)
        for record, event, amended in named(entries, "diary.pain_scored.v1")
    )


def _given(entries: Sequence[Entry]) -> tuple[Given, ...]:
    found = sorted(named(entries, "infusion.given.v1"), key=lambda one: (one[1].drug_started_at, one[0].position))
    counted: dict[UUID | None, int] = {}
    marks = []
    for record, event, amended in found:
        counted[event.course_id] = counted.get(event.course_id, 0) + 1
        marks.append(Given(
            infusion=record.stream_id, course=event.course_id, purpose=event.purpose,
            started_at=event.drug_started_at, stopped_at=event.occurred_at, dose_mg=event.dose_mg,
            dose_mg_per_kg=event.dose_mg_per_kg, minutes=event.minutes, complete=event.complete,
            in_course=counted[event.course_id], clinic=record.clinic_id, position=record.position, amended=amended,
        ))  # fmt: skip
    return tuple(marks)


def _effects(entries: Sequence[Entry]) -> tuple[Effect, ...]:
    found: dict[UUID, Effect] = {}
    for record, event, _ in entries:
        match record.name:
            case "infusion.side_effect_reported.v1" | "diary.side_effect_reported_from_home.v1":
                home = record.name.startswith("diary.")
                found[event.side_effect_id] = Effect(
                    side_effect=event.side_effect_id, kind=event.kind, grade=event.grade, serious=event.serious,
                    from_home=home, onset_at=event.onset_at, ended_at=event.ended_at if home else None,
                    position=record.position,
                )  # fmt: skip
            case "infusion.side_effect_regraded.v1" if event.side_effect_id in found:
                was = found[event.side_effect_id]
                found[event.side_effect_id] = msgspec.structs.replace(
                    was, grade=max(was.grade, event.grade), serious=was.serious or event.serious
                )
            case "infusion.side_effect_resolved.v1" if event.side_effect_id in found:
                found[event.side_effect_id] = msgspec.structs.replace(
                    found[event.side_effect_id], ended_at=event.occurred_at
                )
    return tuple(sorted(found.values(), key=lambda one: (one.onset_at, one.position)))


def _boosters(entries: Sequence[Entry], given: Sequence[Given]) -> tuple[BoosterMark, ...]:
    found: dict[UUID, BoosterMark] = {}
    said: dict[UUID, datetime] = {}
    for record, event, _ in entries:
        match record.name:
            case "course.booster_scheduled.v1" | "course.booster_rescheduled.v1":
                before = found.get(event.booster_id)
                reason = before.reason if before is not None and event.reason_code == "booked" else event.reason_code
                said.setdefault(event.booster_id, event.occurred_at)
                found[event.booster_id] = BoosterMark(
                    booster=event.booster_id, course=record.stream_id, due_on=event.due_on, reason=reason,
                    state="booked" if event.appointment_id is not None else "scheduled", position=record.position,
                )  # fmt: skip
            case "course.booster_cancelled.v1" if event.booster_id in found:
                found[event.booster_id] = msgspec.structs.replace(found[event.booster_id], state="cancelled")
    for key, mark in found.items():
        done = (one for one in given if one.purpose == "booster" and one.course == mark.course)
        if mark.state != "cancelled" and any(one.started_at >= said[key] for one in done):
            found[key] = msgspec.structs.replace(mark, state="given")
    return tuple(sorted(found.values(), key=lambda one: (one.due_on, one.position)))


def _adjuncts(entries: Sequence[Entry]) -> tuple[Adjunct, ...]:
    ends = {event.adjunct_id: event.ended_on for _, event, _ in named(entries, "patient.adjunct_therapy_ended.v1")}
    return tuple(
        Adjunct(
            adjunct=event.adjunct_id, therapy=event.therapy, since=event.started_on, until=ends.get(event.adjunct_id),
            position=record.position,
        )
        for record, event, _ in named(entries, "patient.adjunct_therapy_started.v1")
    )  # fmt: skip


# --- the plan -------------------------------------------------------------------------------------


def _courses(entries: Sequence[Entry], given: Sequence[Given], pain: Sequence[Pain]) -> tuple[CourseLine, ...]:
    scores = [PainScore(one.at, one.score) for one in pain if one.kind == "now"]
    return tuple(
        _course(record, event, [one for one in entries if one[0].stream_id == record.stream_id], given, scores)
        for record, event, _ in named(entries, "course.opened.v1")
    )


def _course(
    record: Recorded, opened: Any, own: Sequence[Entry], given: Sequence[Given], scores: Sequence[PainScore]
) -> CourseLine:
    here = [one for one in given if one.course == record.stream_id]
    baseline = course_baseline([_domain(one) for one in here], scores)
    gate = _last(own, "course.response_assessed.v1")
    series = _last(own, "course.series_planned.v1", "course.series_revised.v1")
    closed = _last(own, "course.closed.v1")
    relief = _last(own, "course.optimal_relief_reached.v1")
    return CourseLine(
        course=record.stream_id, condition=opened.condition, plan=opened.plan, opened_at=opened.occurred_at,
        closed_at=closed.occurred_at if closed else None, closed_because=closed.reason_code if closed else None,
        gate=("positive" if gate.positive else "negative") if gate else None,
        gate_at=gate.occurred_at if gate else None,
        series_infusions=series.infusions if series else None, series_starts=series.window_starts if series else None,
        series_ends=series.window_ends if series else None,
        series_given=sum(one.purpose == "series" for one in here), relief_at=relief.occurred_at if relief else None,
        baseline=baseline, moderate=baseline * MODERATE_LEFT if baseline else None,
        substantial=baseline * SUBSTANTIAL_LEFT if baseline else None, position=record.position,
    )  # fmt: skip


def _last(own: Sequence[Entry], *names: str) -> Any:
    found = named(own, *names)
    return found[-1][1] if found else None


def _domain(one: Given) -> GivenInfusion:
    return GivenInfusion(
        infusion_id=one.infusion, course_id=one.course, purpose=one.purpose, drug_started_at=one.started_at,
        drug_stopped_at=one.stopped_at,
    )  # fmt: skip


