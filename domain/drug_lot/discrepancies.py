"""Differences that are more than rounding, and how they were explained."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from domain.drug_lot.state import Facts, State, require_staff
from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Secret
from domain.vocabulary.reasons import DISCREPANCY_REASONS
from domain.vocabulary.term import require


class DiscrepancyNotOpen(DomainError):
    """There is no such discrepancy, or it has been explained."""


class ExplanationNeeded(BadInput):
    """`other` asks for an explanation."""


class DiscrepancyFound(Event, frozen=True, kw_only=True):
    """What was drawn is not what was given and wasted, beyond the tolerance."""

    NAME: ClassVar[str] = "drug_lot.discrepancy_found.v1"
    discrepancy_id: UUID
    draw_id: UUID | None = None
    difference_mg: Decimal


class DiscrepancyExplained(Event, frozen=True, kw_only=True):
    """What a difference turned out to be."""

    NAME: ClassVar[str] = "drug_lot.discrepancy_explained.v1"
    discrepancy_id: UUID
    reason_code: Code
    explanation: Secret | None = None
    explained_by: UUID


class ExplainDiscrepancy(Command, frozen=True, kw_only=True):
    discrepancy_id: UUID
    reason_code: Code
    explanation: str | None = None
    explained_by: UUID


def decide_explanation(state: State, command: ExplainDiscrepancy, facts: Facts) -> Decision:
    """Raises DiscrepancyNotOpen, UnknownCode, ExplanationNeeded, NotStaffHere."""
    if command.discrepancy_id not in state.discrepancies:
        raise DiscrepancyNotOpen(discrepancy_id=str(command.discrepancy_id), pointer="/discrepancy_id")
    require(command.reason_code, DISCREPANCY_REASONS, "/reason_code")
    if command.reason_code == "other" and not command.explanation:
        raise ExplanationNeeded(pointer="/explanation")
    require_staff(command.explained_by, facts, "/explained_by")
    return Decision((DiscrepancyExplained(
        occurred_at=command.at, late_reason=command.late_reason, discrepancy_id=command.discrepancy_id,
        reason_code=command.reason_code, explanation=command.explanation, explained_by=command.explained_by,
    ),))
