"""What stands behind a figure: its facts, each with what it contributed, its own moment and its entry of the log.

The API's resources and the pages share this. A fact's own moment is what the figure looks at (the start that was
booked, the start of the drug, the onset); its entry may have been written weeks before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property

import msgspec

from api.http.context import wired
from api.reports import position_of
from domain.kernel import Recorded
from projections.facts.encoding import moment
from projections.facts.reading import CHUNK, Row, opened
from projections.metrics.figures import FactIds, Figure, LeftOut, Spread
from services.log.lookup import records_at

__all__ = ["Behind", "One"]

MOMENTS: dict[str, tuple[str, str]] = {
    "appointment_facts": ("starts_us", "booked_start"), "infusion_facts": ("started_us", "drug_start"),
    "follow_up_facts": ("due_us", "due"),
}  # fmt: skip
"""By table the column of a fact's own moment, and what that moment is."""
SAFETY = {"given": "drug_start", "side_effect": "onset", "side_effect_from_home": "onset"}
DATES = {"booster_scheduled": ("until_date", "due"), "booster_rescheduled": ("until_date", "due"),
         "referral": ("from_date", "referred")}  # fmt: skip


class One(msgspec.Struct, frozen=True):
    """One fact behind a figure.

    `value` is what it contributed, in `Behind.unit`; `counted` whether it is in the numerator, None where there is
    none; `outcome` what became of it, where that decides. `at` is its own moment or date, `at_is` which moment.
    """

    fact: str
    value: float | None
    counted: bool | None
    outcome: str | None
    at: datetime | date
    at_is: str
    record: Recorded


class Behind:
    """The facts behind one figure, as known at a position."""

    def __init__(self, figure: Figure | Spread, known_at: int | None = None) -> None:
        self._figure, self._known_at = figure, known_at
        self.counted = frozenset(figure.numerator_rows) if isinstance(figure, Figure) else frozenset[str]()

    @cached_property
    def splits(self) -> bool:
        """Whether the figure has a numerator that a fact is in or not: a share of the facts themselves."""
        figure = self._figure
        if not isinstance(figure, Figure):
            return False
        nothing = figure.unit == "share" and not figure.numerator and figure.denominator == figure.n
        return bool(self.counted) or nothing

    @property
    def unit(self) -> str | None:
        """The unit of the values; None where a fact contributes no number of its own."""
        if not isinstance(self._figure.rows, FactIds) or self._figure.rows.numbers is None:
            return None
        return self._figure.unit if isinstance(self._figure, Spread) else "percent"

    @cached_property
    def _values(self) -> Mapping[str, float]:
        rows = self._figure.rows
        numbers = rows.numbers if isinstance(rows, FactIds) else None
        return {} if numbers is None else dict(zip(rows, numbers, strict=True))

    @cached_property
    def _outcomes(self) -> Mapping[str, str]:
        left_out = self._figure.excluded
        if not isinstance(left_out, LeftOut):
            return {}
        return {fact: outcome for outcome in left_out.among for fact in left_out.of(outcome)}

    @property
    def tells_outcomes(self) -> bool:
        """Whether each fact's outcome is known."""
        return bool(self._outcomes)

    def reasons(self) -> dict[str, int]:
        """The reasons for leaving out whose facts can be opened, with their number."""
        left_out = self._figure.excluded
        if not isinstance(left_out, LeftOut):
            return {}
        return {reason: many for reason, many in left_out.items() if len(left_out.of(reason)) == many}

    def chosen(self, which: str) -> Sequence[str]:
        """`all` the facts counted, those `counted` in the numerator, the `other` ones, or `left-out.<reason>`."""
        reason = which.removeprefix("left-out.")
        if reason != which:
            left_out = self._figure.excluded
            return left_out.of(reason) if isinstance(left_out, LeftOut) and reason in left_out else ()
        if which == "all" or not self.splits:
            return self._figure.rows
        return [fact for fact in self._figure.rows if (fact in self.counted) == (which == "counted")]

    def read(self, facts: Sequence[str], *, left_out: bool = False) -> list[One]:
        """These facts (at most `CHUNK` at once) with their entries; one without an entry is passed over."""
        assert len(facts) <= CHUNK
        with wired().read_side.database.reads.connect() as connection:
            rows = {row["fact_id"]: row for row in opened(connection, facts, self._known_at)}
        records = records_at(wired().services.log, [position_of(fact) for fact in facts])
        counts = self.splits and not left_out
        return [
            One(fact, self._values.get(fact), (fact in self.counted) if counts else None, self._outcomes.get(fact),
                *_moment(rows.get(fact), record), record)
            for fact in facts if (record := records.get(position_of(fact))) is not None
        ]  # fmt: skip


def _moment(row: Row | None, record: Recorded) -> tuple[datetime | date, str]:
    """The fact's own moment and which it is; that of its entry where it has no other."""
    if row is not None:
        column, what = DATES.get(row["kind"], ("", ""))
        if column and row[column]:
            return date.fromisoformat(row[column]), what
        column, what = MOMENTS.get(row["table"], ("onset_us", SAFETY.get(row["kind"], "")))
        if what and row.get(column) is not None:
            return moment(row[column]), what
    return record.occurred_at, "happened"
