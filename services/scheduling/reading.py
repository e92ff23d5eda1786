"""What the questions of this package read from: streams as they stand now, each once per question, and claims."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from domain import clinic, day_sheet
from domain.kernel import derived_id
from services.handling import Aggregate, CommandHandling, Loaded
from services.use_cases.case import Reader


@dataclass(frozen=True)
class Reading:
    """One question's view: a stream is read once, so all answers of it agree. Use it for one request, then drop it."""

    handling: CommandHandling
    reader: Reader
    now: datetime
    _known: dict[tuple[UUID, int], Loaded] = field(default_factory=dict)

    def load(self, aggregate: Aggregate, stream_id: UUID, *, checked: bool = True) -> Loaded:
        """As use cases load; nothing is saved afterwards, so nothing is checked."""
        key = (stream_id, id(aggregate))
        if key not in self._known:
            self._known[key] = self.handling.current(aggregate, stream_id)
        return self._known[key]

    def clinic(self, clinic_id: UUID) -> clinic.State:
        """The clinic as it stands."""
        state: clinic.State = self.load(clinic, clinic_id).state
        return state

    def sheet(self, clinic_id: UUID, day: date) -> day_sheet.State:
        """The clinic's bookings that begin on a local day."""
        state: day_sheet.State = self.load(day_sheet, derived_id("day_sheet", clinic_id, day.isoformat())).state
        return state
