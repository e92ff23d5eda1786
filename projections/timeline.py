"""What happened to one patient? Every event in order of occurrence, read from the log and folded: no second copy.

Late entries and amendments are marked, struck ones stay and are struck; side effects are tied to their infusion, each
entry shows the state of course and booster that it led to. Sealed fields open only with an `Unsealer`; without one
they say that they are sealed. The text of an entry struck as made for the wrong patient opens only to its author and
to auditors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from domain.corrections import EntryAmended, EntryStruck, apply_correction
from domain.kernel import Actor, Event, Recorded, Redacted, Sealed, secret_fields
from domain.ports import LogReader, Unsealer
from projections.facts.encoding import micros
from projections.metrics.patient_state import Bearings, PatientState

LATE_AFTER = timedelta(hours=1)
"""Recorded longer than this after it happened, an entry is marked late: imports keep their own dates, and what the
system's own timers enter is dated to when it was due."""

KINDS: Mapping[str, str] = {
    "patient.screening_recorded.v1": "screening", "patient.screening_cleared.v1": "screening",
    "patient.consent_signed.v1": "consent", "patient.consent_withdrawn.v1": "consent",
    "patient.condition_recorded.v1": "history", "patient.therapy_tried.v1": "history",
    "patient.adjunct_therapy_started.v1": "history", "patient.adjunct_therapy_ended.v1": "history",
    "course.booster_scheduled.v1": "booster", "course.booster_rescheduled.v1": "booster",
    "course.booster_cancelled.v1": "booster",
    "infusion.vitals_recorded.v1": "monitoring", "infusion.sedation_scored.v1": "monitoring",
    "infusion.recovery_assessed.v1": "monitoring",
    "infusion.dose_ordered.v1": "dose", "infusion.dose_limit_overridden.v1": "dose",
    "infusion.verbal_order_taken.v1": "dose", "infusion.order_countersigned.v1": "dose",
    "infusion.bolus_given.v1": "dose", "infusion.started.v1": "dose", "infusion.rate_changed.v1": "dose",
    "infusion.paused.v1": "dose", "infusion.resumed.v1": "dose", "infusion.stopped_early.v1": "dose",
    "infusion.given.v1": "dose",
    "infusion.side_effect_reported.v1": "side_effect", "infusion.side_effect_regraded.v1": "side_effect",
    "infusion.side_effect_treated.v1": "side_effect", "infusion.side_effect_resolved.v1": "side_effect",
    "infusion.side_effect_signed_off.v1": "side_effect", "diary.side_effect_reported_from_home.v1": "side_effect",
    "infusion.alert_raised.v1": "alert", "infusion.alert_acknowledged.v1": "alert", "diary.alert_raised.v1": "alert",
    "diary.alert_acknowledged.v1": "alert", "infusion.rule_breached.v1": "alert",
    "diary.pain_scored.v1": "pain", "diary.follow_up_due.v1": "follow_up", "diary.follow_up_superseded.v1": "follow_up",
    "diary.follow_up_missed.v1": "follow_up",
}
"""Kind of an entry, for filters; a name not here takes its kind from its first word."""

_BY_STEM = {
    "patient": "record", "course": "course", "appointment": "appointment", "infusion": "visit", "diary": "diary",
    "oversight": "oversight",
}


def kind_of(name: str) -> str:
    """The filter's word for an event."""
    return KINDS.get(name) or _BY_STEM.get(name.partition(".")[0], "other")


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """One amendment or strike: who, when, why, and the clear values before it."""

    position: int
    at: datetime
    recorded_at: datetime
    actor: str
    what: str
    reason_code: str
    before: Mapping[str, Any] = {}


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it stands. `facts` is its payload; `bearings` where it left the patient."""

    position: int
    stream_id: UUID
    version: int
    name: str
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    role: str
    clinic_id: UUID | None
    origin: str
    late_minutes: int
    late: bool
    amended: bool
    struck: bool
    corrections: tuple[Correction, ...]
    facts: Mapping[str, Any]
    bearings: Bearings


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """One page. `next_cursor` opens the page after it; `total` counts what the filter lets through."""

    entries: tuple[TimelineEntry, ...]
    next_cursor: str | None
    total: int
    known_at: int
    as_of: datetime | None


class UnknownCursor(ValueError):
    """The cursor is not one that a timeline gave."""


def timeline(
    reader: LogReader,
    patients: UUID | Sequence[UUID],
    *,
    unsealer: Unsealer | None = None,
    viewer: Actor | None = None,
    kinds: Collection[str] | None = None,
    clinics: Collection[UUID] | None = None,
    cursor: str | None = None,
    limit: int = 100,
    newest_first: bool = False,
    as_of: datetime | None = None,
    known_at: int | None = None,
) -> Timeline:
    """One patient's history (`patients`: with the ids merged into it), a page at a time.

    `known_at` is a position, `as_of` a moment in the world; `clinics` keeps acts of these clinics only (and those of
    none). Raises UnknownCursor.
    """
    known = reader.head() if known_at is None else known_at
    ids = [patients] if isinstance(patients, UUID) else list(patients)
    records = sorted(
        (record for one in ids for record in reader.read_subject(one, upto=known)), key=lambda one: one.position
    )
    items = _fold(records, as_of)
    shown = [
        item for item in items
        if (kinds is None or kind_of(item.record.name) in kinds or item.record.name in kinds)
        and (clinics is None or item.record.clinic_id is None or item.record.clinic_id in clinics)
    ]  # fmt: skip
    if newest_first:
        shown.reverse()
    page, next_cursor = _page(shown, cursor, limit, newest_first)
    entries = tuple(_entry(item, unsealer, viewer) for item in page)
    return Timeline(entries=entries, next_cursor=next_cursor, total=len(shown), known_at=known, as_of=as_of)


def standing_entries(
    reader: LogReader, patients: Sequence[UUID], *, as_of: datetime, known_at: int | None = None
) -> list[tuple[Recorded, Event, bool]]:
    """What stands of these patients' entries, corrected, in order of occurrence: (record, event, amended)."""
    known = reader.head() if known_at is None else known_at
    records = sorted(
        (record for one in patients for record in reader.read_subject(one, upto=known)), key=lambda one: one.position
    )
    return [
        (item.record, item.event, bool(item.corrections)) for item in _fold(records, as_of) if item.struck is None
    ]


# --- folding --------------------------------------------------------------------------------------


class _Item:
    """One entry while it is folded: its record, the event as it stands, its corrections."""

    __slots__ = ("bearings", "corrections", "event", "record", "struck")

    def __init__(self, record: Recorded) -> None:
        self.record = record
        self.event: Event = record.event
        self.corrections: list[tuple[Recorded, dict[str, Any]]] = []
        self.struck: EntryStruck | None = None
        self.bearings = Bearings()

    @property
    def order(self) -> tuple[int, int]:
        us = micros(self.event.occurred_at)
        assert us is not None
        return (us, self.record.position)


def _fold(records: Iterable[Recorded], as_of: datetime | None) -> list[_Item]:
    """The entries in order of occurrence, corrected, with their bearings; what happened after `as_of` left out."""
    by_entry: dict[tuple[UUID, int], _Item] = {}
    for record in records:
        event = record.event
        if isinstance(event, EntryAmended | EntryStruck):
            item = by_entry.get((record.stream_id, event.entry))
            if item is not None:
                _correct(item, record, event)
        else:
            by_entry[record.stream_id, record.version] = _Item(record)
    items = sorted(by_entry.values(), key=lambda item: item.order)
    if as_of is not None:
        items = [item for item in items if item.event.occurred_at <= as_of]
    state = PatientState()
    for item in items:
        if item.struck is None:
            item.bearings = state.after(item.event, item.record)
        else:
            item.bearings = state.now()
    for item in items:  # what precedes the drug's stop in a visit belongs to the infusion that it became
        item.bearings = state.numbered(item.bearings)
    return items


def _correct(item: _Item, record: Recorded, event: EntryAmended | EntryStruck) -> None:
    if isinstance(event, EntryStruck):
        item.struck = event
        item.corrections.append((record, {}))
        return
    was = msgspec.to_builtins(item.event)
    item.event = apply_correction(item.event, event.corrections, event.sealed)
    item.corrections.append((record, {field: was.get(field) for field in event.corrections}))


# --- showing --------------------------------------------------------------------------------------


def _entry(item: _Item, unsealer: Unsealer | None, viewer: Actor | None) -> TimelineEntry:
    record, event = item.record, item.event
    late = record.recorded_at - event.occurred_at
    charted = record.origin not in ("import", "process")
    return TimelineEntry(
        position=record.position, stream_id=record.stream_id, version=record.version, name=record.name,
        kind=kind_of(record.name), occurred_at=event.occurred_at, recorded_at=record.recorded_at, actor=record.actor,
        role=record.role, clinic_id=record.clinic_id, origin=record.origin,
        late_minutes=max(0, int(late.total_seconds() // 60)), late=late > LATE_AFTER and charted,
        amended=any(isinstance(one.event, EntryAmended) for one, _ in item.corrections), struck=item.struck is not None,
        corrections=tuple(_correction(one, before) for one, before in item.corrections),
        facts=_facts(item, unsealer, viewer), bearings=item.bearings,
    )  # fmt: skip


def _correction(record: Recorded, before: dict[str, Any]) -> Correction:
    event = record.event
    assert isinstance(event, EntryAmended | EntryStruck)
    return Correction(
        position=record.position, at=event.occurred_at, recorded_at=record.recorded_at, actor=record.actor,
        what="struck" if isinstance(event, EntryStruck) else "amended", reason_code=event.reason_code, before=before,
    )  # fmt: skip


def _facts(item: _Item, unsealer: Unsealer | None, viewer: Actor | None) -> dict[str, Any]:
    """The payload as it stands, its secrets opened, sealed or withheld."""
    facts: dict[str, Any] = {
        field: msgspec.to_builtins(value)
        for field in type(item.event).__struct_fields__
        if field != "occurred_at" and (value := getattr(item.event, field)) is not None
    }
    withheld = _withheld(item, viewer)
    for field in secret_fields(type(item.event)):
        value = getattr(item.event, field)
        record, path = _source(item, field)
        if isinstance(value, dict):
            facts[field] = {
                key: _shown(record, f"{path}/{key}", inner, unsealer, withheld) for key, inner in value.items()
            }
        elif value is not None:
            facts[field] = _shown(record, path, value, unsealer, withheld)
    return facts


def _source(item: _Item, field: str) -> tuple[Recorded, str]:
    """The record and path under which the standing value of a secret was sealed: the entry's, or its amendment's."""
    for record, _ in reversed(item.corrections):
        if isinstance(record.event, EntryAmended) and field in record.event.sealed:
            return record, f"sealed/{field}"
    return item.record, field


def _shown(record: Recorded, path: str, value: Any, unsealer: Unsealer | None, withheld: bool) -> Any:
    if withheld:
        return {"secret": "withheld", "why": "struck as made for the wrong patient"}
    opened = unsealer.unseal(record, path, value) if unsealer is not None else value
    if isinstance(opened, Redacted):
        return {"secret": "redacted", "why": opened.why}
    return {"secret": "sealed"} if isinstance(opened, Sealed) else opened


def _withheld(item: _Item, viewer: Actor | None) -> bool:
    if item.struck is None or item.struck.reason_code != "wrong_patient":
        return False
    return viewer is None or (viewer.id != item.record.actor and viewer.role != "auditor")


# --- paging ---------------------------------------------------------------------------------------


def _page(
    items: Sequence[_Item], cursor: str | None, limit: int, newest_first: bool
) -> tuple[Sequence[_Item], str | None]:
    start = 0
    if cursor is not None:
        try:
            at, _, position = cursor.partition(".")
            last = (int(at), int(position))
        except ValueError as error:
            raise UnknownCursor(cursor) from error
        beyond = (item.order < last if newest_first else item.order > last for item in items)
        start = next((index for index, found in enumerate(beyond) if found), len(items))
    page = items[start : start + limit]
    more = start + limit < len(items)
    return page, "{}.{}".format(*page[-1].order) if more and page else None
