"""What a diary holds, folded."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from domain.course.state import GivenInfusion, PainScore
from domain.kernel import Code
from domain.ledger import Entries


class NotedInfusion(msgspec.Struct, frozen=True):
    """An infusion that was given, and the diary entry (version) that notes it."""

    entry: int
    infusion: GivenInfusion


class Weight(msgspec.Struct, frozen=True):
    """A measured weight."""

    at: datetime
    weight_kg: Decimal


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt, opened when its infusion's visit ended. status: open, superseded, missed."""

    follow_up_id: UUID
    infusion_id: UUID
    due_at: datetime
    instruments: tuple[Code, ...]
    opened_at: datetime | None = None
    status: Code = "open"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert from home; `told` are those whom it was brought to, one step after another, last at `told_at`."""

    alert_id: UUID
    kind: Code
    raised_at: datetime
    acknowledged: bool = False
    told: tuple[tuple[UUID, ...], ...] = ()
    told_at: datetime | None = None
    everybody_told: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`pain` holds the scores of kind `now`, in order of occurrence; `infusions` by drug start."""

    stream_id: UUID
    version: int = 0
    entries: Entries = ()
    pain: tuple[PainScore, ...] = ()
    weights: tuple[Weight, ...] = ()
    noted: tuple[NotedInfusion, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    alerts: tuple[Alert, ...] = ()
    side_effects: frozenset[UUID] = frozenset()

    def infusions_of(self, course_id: UUID) -> tuple[GivenInfusion, ...]:
        """The course's infusions, by drug start."""
        given = [one.infusion for one in self.noted if one.infusion.course_id == course_id]
        return tuple(sorted(given, key=lambda one: one.drug_started_at))

    def other_infusions(self, infusion_id: UUID) -> tuple[GivenInfusion, ...]:
        """All the patient's infusions but this visit's, by drug start."""
        given = [one.infusion for one in self.noted if one.infusion.infusion_id != infusion_id]
        return tuple(sorted(given, key=lambda one: one.drug_started_at))

    def weight_before(self, at: datetime) -> Weight | None:
        """The last weight measured before `at`."""
        earlier = [one for one in self.weights if one.at < at]
        return max(earlier, key=lambda one: one.at, default=None)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A diary decides from itself alone; there is nothing to know of other streams."""
