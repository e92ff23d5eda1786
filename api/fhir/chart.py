"""One patient's drafts to commands, pure: what repeats is folded together, and every command has a key of its own.

The key says what the entry is about, not which resource said it, so neither a repeated resource nor a second import
makes a second entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from api.fhir.drafts import (
    ConditionDraft,
    HintDraft,
    MoodDraft,
    PainDraft,
    PatientDraft,
    PressureDraft,
    TherapyDraft,
    ThyrotropinDraft,
    WeightDraft,
)
from api.fhir.spool import Row
from domain.diary import MeasureWeight, ScoreMood, ScorePain
from domain.kernel import LATE_WITHOUT_REASON, Actor, Code, Command, derived_id
from domain.patient.history import RecordCondition, RecordTherapyTried
from domain.patient.registration import RegisterPatient
from domain.patient.screening import Finding, RecordScreening

__all__ = ["LATE_REASON", "Chart", "Entry", "registration"]

LATE_REASON = "import"
PRESSURE_HINT_MMHG = (Decimal(160), Decimal(100))
"""A last imported pressure from here on is a hint: the product's soft limit (data dictionary, X01, proposed)."""

_MOST_NOTED = 4
"""How many different names of the same thing a note lists."""


class Entry(msgspec.Struct, frozen=True):
    """One command, and the rows it stands for. `kind` is what the report calls it."""

    kind: str
    key: str
    stream: Literal["patient", "diary"]
    command: Command
    rows: tuple[Row, ...]


class Skipped(msgspec.Struct, frozen=True):
    """A row that comes to nothing, and why."""

    row: Row
    reason: str


def registration(patient: PatientDraft, clinic_id: UUID, *, by: Actor, now: datetime) -> RegisterPatient:
    """The command that registers the patient at `clinic_id`, now."""
    return RegisterPatient(
        by=by, now=now, at=now, family_name=patient.family_name, given_name=patient.given_name,
        birth_date=patient.birth_date, sex=patient.sex, phone=patient.phone, email=patient.email,
        address=patient.address, identifiers=patient.identifiers, home_clinic_id=clinic_id,
    )


class Chart:
    """Builds `entries` (in order: history, screening, diary by date) and `skipped`; every row is in one of them."""

    def __init__(
        self, patient: PatientDraft, rows: Sequence[Row], reasons: Mapping[str, Code | None], *, patient_id: UUID,
        by: Actor, now: datetime,
    ) -> None:
        self._patient, self._reasons, self._patient_id = patient, reasons, patient_id
        self._by, self._now = by, now
        self.entries: list[Entry] = []
        self.skipped: list[Skipped] = []
        self._add_conditions(rows)
        self._add_therapies(rows)
        self._add_screening(rows)
        self._add_diary(rows)

    # --- history -----------------------------------------------------------------------------

    def _add_conditions(self, rows: Sequence[Row]) -> None:
        """One entry per condition, with its earliest onset; further resources of it are duplicates."""
        for condition, group in _grouped((row for row in rows if isinstance(row.draft, ConditionDraft)), "condition"):
            drafts = [row.draft for row in group if isinstance(row.draft, ConditionDraft)]
            command = RecordCondition(
                by=self._by, now=self._now, at=self._now, condition=condition,
                icd10=next((draft.icd10 for draft in drafts if draft.icd10), None),
                onset_on=_earliest(draft.onset_on for draft in drafts),
                note=_names(draft.label for draft in drafts),
            )
            self.entries.append(Entry("Condition.recorded", f"condition:{condition}", "patient", command, group[:1]))
            self.skipped += [Skipped(row, "duplicate") for row in group[1:]]

    def _add_therapies(self, rows: Sequence[Row]) -> None:
        """One entry per class of therapy: its orders and refills are one attempt. The result is not in an export."""
        usable = []
        for row in rows:
            if isinstance(row.draft, TherapyDraft):
                if self._was_for_pain(row.draft):
                    usable.append(row)
                else:
                    self.skipped.append(Skipped(row, "not_for_pain"))
        for therapy, group in _grouped(usable, "therapy"):
            drafts = [row.draft for row in group if isinstance(row.draft, TherapyDraft)]
            ends = [draft.ended_on for draft in drafts]
            command = RecordTherapyTried(
                by=self._by, now=self._now, at=self._now, therapy=therapy, result="unknown",
                started_on=_earliest(draft.started_on for draft in drafts),
                ended_on=max((end for end in ends if end), default=None) if all(ends) else None,
                description=_names(draft.label for draft in drafts),
            )
            self.entries.append(Entry("therapy", f"therapy:{therapy}", "patient", command, group))

    def _was_for_pain(self, draft: TherapyDraft) -> bool:
        """By the order's reason where the export holds it; without one, by what the medicine is mostly given for."""
        known = [self._reasons[reason] for reason in draft.reasons if reason in self._reasons]
        if known:
            return any(known)
        return not draft.needs_reason

    # --- screening ---------------------------------------------------------------------------

    def _add_screening(self, rows: Sequence[Row]) -> None:
        """All hints in one screening; nothing is called absent, because an export's silence proves nothing."""
        hints = [row for row in rows if isinstance(row.draft, HintDraft)]
        hints += self._measured_hints(rows)
        if not hints:
            return
        findings, notes = [], {}
        for contraindication, group in _grouped(hints, "contraindication"):
            drafts = [row.draft for row in group if isinstance(row.draft, HintDraft)]
            findings.append(Finding(contraindication=contraindication, status="hint", basis=drafts[0].basis))
            since = _earliest(draft.since for draft in drafts)
            notes[contraindication] = (_names(d.label for d in drafts) or "") + (f" (since {since})" if since else "")
        findings.sort(key=lambda finding: finding.contraindication)
        key = "screening:" + ",".join(finding.contraindication for finding in findings)
        command = RecordScreening(
            by=self._by, now=self._now, at=self._now, screening_id=derived_id("fhir-screening", self._patient_id, key),
            findings=tuple(findings), notes=notes,
        )
        self.entries.append(Entry("hint", key, "patient", command, tuple(hints)))

    def _measured_hints(self, rows: Sequence[Row]) -> list[Row]:
        """Of blood pressures and thyrotropins only the last says something about today."""
        hints = []
        for kind in (PressureDraft, ThyrotropinDraft):
            measured = sorted((row for row in rows if isinstance(row.draft, kind)), key=_when)
            if not measured:
                continue
            last = measured[-1]
            hint = _measured_hint(last.draft)
            self.skipped += [Skipped(row, "not_the_latest") for row in measured[:-1]]
            if hint is None or _when(last) > self._now:
                self.skipped.append(Skipped(last, "unremarkable"))
            else:
                hints.append(Row(last.resource, last.place, hint))
        return hints

    # --- diary -------------------------------------------------------------------------------

    def _add_diary(self, rows: Sequence[Row]) -> None:
        seen: set[str] = set()
        dated = (row for row in rows if isinstance(row.draft, PainDraft | WeightDraft | MoodDraft))
        for row in sorted(dated, key=_when):
            at = _when(row)
            if at > self._now:
                self.skipped.append(Skipped(row, "in_the_future"))
                continue
            if at.date() < self._patient.birth_date:
                self.skipped.append(Skipped(row, "before_birth"))
                continue
            entry = self._diary_entry(row, at)
            if entry.key in seen:
                self.skipped.append(Skipped(row, "duplicate"))
                continue
            seen.add(entry.key)
            self.entries.append(entry)

    def _diary_entry(self, row: Row, at: datetime) -> Entry:
        late_reason = LATE_REASON if at < self._now - LATE_WITHOUT_REASON else None
        by, now = self._by, self._now
        command: Command
        match row.draft:
            case PainDraft(score=score):
                kind, what = "Observation.pain", str(score)
                command = ScorePain(by=by, now=now, at=at, late_reason=late_reason, score=score)
            case WeightDraft(weight_kg=weight_kg):
                kind, what = "Observation.weight", str(weight_kg)
                command = MeasureWeight(by=by, now=now, at=at, late_reason=late_reason, weight_kg=weight_kg)
            case MoodDraft(instrument=instrument, total=total):
                kind, what = "Observation.mood", f"{instrument}:{total}"
                command = ScoreMood(by=by, now=now, at=at, late_reason=late_reason, instrument=instrument, total=total)
            case _:
                raise TypeError(type(row.draft).__name__)
        return Entry(kind, f"{kind}:{at.isoformat()}:{what}", "diary", command, (row,))


def _measured_hint(draft: object) -> HintDraft | None:
    match draft:
        case PressureDraft(at=at, systolic_mmhg=systolic, diastolic_mmhg=diastolic):
            if systolic >= PRESSURE_HINT_MMHG[0] or diastolic >= PRESSURE_HINT_MMHG[1]:
                return HintDraft(
                    contraindication="hypertension", basis="imported_observation", since=at.date(),
                    label=f"last blood pressure {systolic.normalize():f}/{diastolic.normalize():f} mmHg")
        case ThyrotropinDraft(at=at, abnormal=True):
            return HintDraft(
                contraindication="thyroid_disease", basis="imported_observation", label="last TSH out of its range",
                since=at.date())
    return None


def _grouped(rows: Iterable[Row], by: str) -> list[tuple[Code, tuple[Row, ...]]]:
    groups: dict[Code, list[Row]] = {}
    for row in rows:
        groups.setdefault(getattr(row.draft, by), []).append(row)
    return [(code, tuple(groups[code])) for code in sorted(groups)]


def _when(row: Row) -> datetime:
    at = getattr(row.draft, "at", None)
    assert isinstance(at, datetime)
    return at


def _earliest(days: Iterable[date | None]) -> date | None:
    return min((day for day in days if day), default=None)


def _names(labels: Iterable[str]) -> str | None:
    """Different names, most of them once, for a note that a person reads."""
    names = list(dict.fromkeys(label for label in labels if label))
    shown = "; ".join(names[:_MOST_NOTED])
    return (shown + (f"; and {len(names) - _MOST_NOTED} more" if len(names) > _MOST_NOTED else "")) or None
