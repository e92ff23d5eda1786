"""What one resource comes to, before its patient is known to be one of ours. Plain data, so that it can be spooled."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import msgspec

from domain.kernel import Code

__all__ = [
    "AnyDraft", "ConditionDraft", "HintDraft", "MoodDraft", "PainDraft", "PatientDraft", "PressureDraft",
    "TherapyDraft", "ThyrotropinDraft", "Unusable", "WeightDraft",
]


class Unusable(Exception):
    """Why a resource is not used; `code` is the code it had, where that is the reason."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


class Draft(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Common to all: nothing."""


class PatientDraft(Draft, frozen=True, kw_only=True):
    """`identity` (system, value) is what the source calls the patient by for ever: its record number."""

    source_id: str
    identity: tuple[str, str]
    family_name: str
    given_name: str
    birth_date: date
    sex: Code
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    identifiers: dict[str, str] = {}
    deceased: bool = False
    active: bool = True


class ConditionDraft(Draft, frozen=True, kw_only=True):
    condition: Code
    label: str
    icd10: str | None = None
    onset_on: date | None = None


class HintDraft(Draft, frozen=True, kw_only=True):
    """Something a person should look at before a first infusion. basis: FINDING_BASES imported_*."""

    contraindication: Code
    basis: Code
    label: str
    since: date | None = None


class TherapyDraft(Draft, frozen=True, kw_only=True):
    """`reasons` are ids of Conditions of the same export."""

    therapy: Code
    label: str
    started_on: date | None = None
    ended_on: date | None = None
    reasons: tuple[str, ...] = ()
    needs_reason: bool = False


class WeightDraft(Draft, frozen=True, kw_only=True):
    at: datetime
    weight_kg: Decimal


class PainDraft(Draft, frozen=True, kw_only=True):
    at: datetime
    score: int


class MoodDraft(Draft, frozen=True, kw_only=True):
    at: datetime
    instrument: Code
    total: Decimal


class PressureDraft(Draft, frozen=True, kw_only=True):
    at: datetime
    systolic_mmhg: Decimal
    diastolic_mmhg: Decimal


class ThyrotropinDraft(Draft, frozen=True, kw_only=True):
    """A TSH result; `abnormal` by the laboratory's own flag or range."""

    at: datetime
    abnormal: bool


AnyDraft = (
    PatientDraft | ConditionDraft | HintDraft | TherapyDraft | WeightDraft | PainDraft | MoodDraft | PressureDraft
    | ThyrotropinDraft
)
