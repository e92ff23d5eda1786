"""How do clinics compare, and how did one week go against another? Figures of several dashboards over some periods.

Each figure equals that of its own dashboard asked for the same clinics (the tests hold them together). It is computed
when it is looked at, from facts loaded once for all the clinics: a page that shows a few of them pays for those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, cached_property

import msgspec
from sqlalchemy import Connection

from projections.columns.asked import Asked, asked
from projections.columns.attendance import Attendance
from projections.columns.bookings import load_slots, with_consultations
from projections.columns.follow_up import FollowUp
from projections.columns.outcome_figures import ReliefFigures
from projections.columns.outcomes import OutcomeColumns
from projections.columns.rooms import RoomTime
from projections.columns.safety import InPeriod, SafetyFacts
from projections.columns.safety_figures import SafetyFigures
from projections.columns.visits import load_visits
from projections.metrics.attendance import AttendanceShares, AttendanceTally
from projections.metrics.calendar import Period
from projections.metrics.figures import Figure, Spread
from projections.metrics.lazy import Lazily
from projections.metrics.relief import MODERATE
from projections.metrics.rooms import RoomShares, RoomTotals

Figures = Mapping[str, Figure | Spread]
"""By metric, those of `FIGURES`."""


class SideBySide(msgspec.Struct, frozen=True, kw_only=True):
    """One period: all clinics together, and each by its id."""

    period: Period
    together: Figures
    by_clinic: Mapping[str, Figures]


def report(
    conn: Connection, clinics: Collection[str], periods: Sequence[Period], *, as_of: datetime,
    known_at: int | None = None,
) -> tuple[SideBySide, ...]:  # fmt: skip
    """One for each period, at the same moment."""
    question = asked(conn, clinics, periods[0], as_of, known_at)
    found: dict[Period, _Care] = {}
    for period in sorted(periods, key=lambda one: one.first - one.last):
        wider = next((one for one in found.values() if one.covers(period)), None)
        found[period] = _Care(question.during(period), wider)
    return tuple(_compared(found[period]) for period in periods)


def _compared(care: _Care) -> SideBySide:
    def of(clinic: str) -> Figures:
        return Lazily(FIGURES, lambda name: FIGURES[name](care, clinic))

    return SideBySide(
        period=care.question.period, together=Lazily(FIGURES, lambda name: FIGURES[name](care, None)),
        by_clinic=Lazily(care.question.known, of),
    )


class _Care:
    """What the figures of one period rest on; each part is loaded for the first figure that needs it.

    What was loaded for a `wider` period that covers this one serves for this one too, where that is less to do.
    """

    def __init__(self, question: Asked, wider: _Care | None) -> None:
        self.question, self._wider = question, wider
        self._within = None if wider is None else InPeriod(question.facts, question.known, question.period)
        self.rooms, self.attendance = cache(self._rooms), cache(self._attendance)
        self._number = {clinic: number for number, clinic in enumerate(question.known)}

    def covers(self, period: Period) -> bool:
        """Whether all of `period` lies within this one."""
        return self.question.period.first <= period.first and period.last <= self.question.period.last

    @cached_property
    def _used(self) -> tuple[list[RoomTotals], list[AttendanceTally]]:
        facts, known, period, span, at = self.question
        visits = load_visits(facts, known, span, at)
        slots = with_consultations(facts, load_slots(facts, known, span, at), known, span, at)
        rooms = RoomTime(facts, known, period, visits, slots, at.as_of_us)
        return rooms.totals(), Attendance(facts, rooms, visits, slots, at.as_of_us).tallies()

    def _rooms(self, clinic: str | None) -> RoomShares:
        totals = self._used[0]
        return RoomShares(totals if clinic is None else [totals[self._number[clinic]]])

    def _attendance(self, clinic: str | None) -> AttendanceShares:
        tallies = self._used[1]
        return AttendanceShares(tallies if clinic is None else [tallies[self._number[clinic]]])

    @cached_property
    def _harm(self) -> SafetyFigures:
        return SafetyFigures(self.question.facts, SafetyFacts(*self.question))

    @cached_property
    def _relief(self) -> tuple[OutcomeColumns, ReliefFigures]:
        if self._wider is not None:
            return self._wider._relief
        found = OutcomeColumns(*self.question)
        return found, ReliefFigures(found)

    @cached_property
    def _follow_up(self) -> FollowUp:
        return self._wider._follow_up if self._wider is not None else FollowUp(*self.question)

    def _code(self, clinic: str | None) -> int | None:
        return None if clinic is None else self.question.facts.codes("clinic").of(clinic)

    def any_side_effect(self, clinic: str | None) -> Figure:
        code = self._code(clinic)
        return self._harm.share(self._harm.episodes) if code is None else self._harm.share_at(code)

    def responders(self, clinic: str | None) -> Figure:
        found, relief = self._relief
        first = found.first_in(self._within, self._code(clinic))
        return relief.responders("responders_first_30", MODERATE, first)

    def follow_up(self, clinic: str | None) -> Figure:
        return self._follow_up.answered(self._code(clinic), self._within)


FIGURES: Mapping[str, Callable[[_Care, str | None], Figure | Spread]] = {
    "actual_utilization": lambda care, clinic: care.rooms(clinic).actual_utilization(),
    "scheduled_utilization": lambda care, clinic: care.rooms(clinic).scheduled_utilization(),
    "overtime_minutes": lambda care, clinic: care.rooms(clinic).overtime_minutes(),
    "no_show_rate": lambda care, clinic: care.attendance(clinic).no_show_rate(),
    "on_time": lambda care, clinic: care.attendance(clinic).on_time(),
    "wait": lambda care, clinic: care.attendance(clinic).wait(),
    "lead_time": lambda care, clinic: care.attendance(clinic).lead_time(),
    "side_effect_share": _Care.any_side_effect,
    "responders_first_30": _Care.responders,
    "follow_up_answered": _Care.follow_up,
}
"""By metric: of the clinics asked for together (None), or of one by its id."""
