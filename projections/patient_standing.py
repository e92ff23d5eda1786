"""What holds for one patient's care at a moment: papers with the days they are still good for, findings, follow-up.

From entries that stand (`timeline.standing_entries`), by the protocol in force at the clinic asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from domain.kernel import Event, Recorded
from projections.facts.encoding import as_json, micros
from projections.metrics.figures import Figure
from projections.metrics.path import follow_up

Entry = tuple[Recorded, Any, bool]
"""(record, event as it stands, whether amended)."""


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A consultation, consent or screening: good for the protocol's days. `left` is negative once it has run out."""

    what: str
    at: datetime
    valid_until: date | None
    left: int | None
    withdrawn: bool
    position: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the latest screening said of one contraindication; `cleared_until` when a prescriber cleared it."""

    contraindication: str
    status: str
    cleared_until: date | None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition on record."""

    condition: str
    onset_on: date | None
    position: int


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert nobody has answered."""

    kind: str
    at: datetime
    from_home: bool
    position: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One follow-up prompt. state: coming, answered, missed, superseded, open."""

    due_at: datetime
    instruments: tuple[str, ...]
    state: str
    position: int


class Validity(msgspec.Struct):
    """For how many days the protocol takes a paper for good."""

    consultation_valid_days: int
    consent_valid_days: int
    screening_valid_days: int


def named(entries: Sequence[Entry], *names: str) -> list[Entry]:
    """The entries of these events."""
    return [one for one in entries if one[0].name in names]


def papers(entries: Sequence[Entry], days: Validity | None, timezone: str, as_of: datetime) -> Sequence[Paper]:
    """The latest consultation, screening, and consent of each kind."""
    withdrawn = {event.consent_id for _, event, _ in named(entries, "patient.consent_withdrawn.v1")}
    latest: dict[str, tuple[Recorded, Any, int | None]] = {}
    for record, event, _ in entries:
        match record.name:
            case "course.consultation_held.v1":
                latest["consultation"] = (record, event, days.consultation_valid_days if days else None)
            case "patient.screening_recorded.v1":
                latest["screening"] = (record, event, days.screening_valid_days if days else None)
            case "patient.consent_signed.v1":
                latest[f"consent: {event.kind}"] = (record, event, days.consent_valid_days if days else None)
    today = as_of.astimezone(ZoneInfo(timezone)).date()
    found = []
    for what, (record, event, valid) in sorted(latest.items()):
        dated = event.occurred_at.astimezone(ZoneInfo(timezone)).date()
        until = dated + timedelta(days=valid) if valid is not None else None
        found.append(Paper(
            what=what, at=event.occurred_at, valid_until=until, left=(until - today).days if until else None,
            withdrawn=getattr(event, "consent_id", None) in withdrawn, position=record.position,
        ))  # fmt: skip
    return found


def findings(entries: Sequence[Entry]) -> tuple[Finding, ...]:
    """The latest screening's, with the clearances given since."""
    screenings = named(entries, "patient.screening_recorded.v1")
    if not screenings:
        return ()
    last = screenings[-1][1]
    cleared = {
        event.contraindication: event.valid_until
        for _, event, _ in named(entries, "patient.screening_cleared.v1") if event.occurred_at >= last.occurred_at
    }  # fmt: skip
    return tuple(
        Finding(
            contraindication=one.contraindication, status=one.status, cleared_until=cleared.get(one.contraindication)
        )
        for one in last.findings
    )


def conditions(entries: Sequence[Entry]) -> tuple[Condition, ...]:
    """Each as last recorded."""
    found: dict[str, Condition] = {}
    for record, event, _ in named(entries, "patient.condition_recorded.v1"):
        found[event.condition] = Condition(
            condition=event.condition, onset_on=event.onset_on, position=record.position
        )
    return tuple(found.values())


def alerts(entries: Sequence[Entry]) -> tuple[OpenAlert, ...]:
    """Those raised in visits and from home that nobody has answered."""
    raised = named(entries, "infusion.alert_raised.v1", "diary.alert_raised.v1")
    answered = {
        event.alert_id
        for _, event, _ in named(entries, "infusion.alert_acknowledged.v1", "diary.alert_acknowledged.v1")
    }
    return tuple(
        OpenAlert(
            kind=event.sign if record.name.startswith("infusion.") else event.kind, at=event.occurred_at,
            from_home=record.name.startswith("diary."), position=record.position,
        )
        for record, event, _ in raised if event.alert_id not in answered
    )  # fmt: skip


# --- follow-up ------------------------------------------------------------------------------------

_SCORES = {
    "diary.pain_scored.v1": "pain", "diary.function_scored.v1": "function", "diary.mood_scored.v1": "mood",
    "diary.cognition_scored.v1": "cognition", "diary.relief_reported.v1": "relief",
}  # fmt: skip
_STEPS = {
    "diary.follow_up_due.v1": "due", "diary.follow_up_superseded.v1": "superseded",
    "diary.follow_up_missed.v1": "missed",
}  # fmt: skip


def prompts(entries: Sequence[Entry], as_of: datetime) -> tuple[tuple[Asked, ...], Figure]:
    """The prompts, and the published figure over those due by now."""
    steps = [_step(record, event) for record, event, _ in entries if record.name in _STEPS]
    scores = [
        {"patient": "", "kind": _SCORES[record.name], "at_us": micros(event.occurred_at),
         "instrument": getattr(event, "instrument", getattr(event, "kind", None))}
        for record, event, _ in entries if record.name in _SCORES
    ]  # fmt: skip
    now = micros(as_of)
    assert now is not None
    figure = follow_up(steps, scores, lambda row: row["due_us"] <= now, now)
    answered, counted = set(figure.numerator_rows), set(figure.rows)
    superseded = {row["follow_up"] for row in steps if row["kind"] == "superseded"}
    due = [
        (record, event, step) for (record, event, _), step in
        zip([one for one in entries if one[0].name in _STEPS], steps, strict=True) if step["kind"] == "due"
    ]  # fmt: skip
    asked = tuple(
        Asked(
            due_at=event.due_at, instruments=tuple(event.instruments), position=record.position,
            state=_state(step, now, answered, counted, superseded),
        )
        for record, event, step in sorted(due, key=lambda one: (one[1].due_at, one[0].position))
    )
    return asked, figure


def _step(record: Recorded, event: Event) -> dict[str, Any]:
    due = getattr(event, "due_at", None)
    return {
        "kind": _STEPS[record.name], "follow_up": str(event.follow_up_id),  # type: ignore[attr-defined]
        "fact_id": f"f{record.position}", "patient": "", "at_us": micros(event.occurred_at),
        "due_us": micros(due), "instruments": as_json(getattr(event, "instruments", ())),
    }


def _state(step: dict[str, Any], now: int, answered: set[str], counted: set[str], superseded: set[str]) -> str:
    if step["fact_id"] in answered:
        return "answered"
    if step["follow_up"] in superseded:
        return "superseded"
    if step["due_us"] > now:
        return "coming"
    return "missed" if step["fact_id"] in counted else "open"
