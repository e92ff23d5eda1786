"""How do clinics compare? Three figures of other dashboards, for each clinic by itself and for all together.

Each equals the figure of its own dashboard asked for that clinic alone (the tests hold them together); here the facts
of all clinics are loaded once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from projections.columns.asked import asked
from projections.columns.outcome_figures import ReliefFigures
from projections.columns.outcomes import OutcomeColumns
from projections.columns.path import PathFigures
from projections.columns.safety import SafetyFacts
from projections.columns.safety_figures import SafetyFigures
from projections.metrics.calendar import Period
from projections.metrics.figures import Figure
from projections.metrics.relief import MODERATE


class Care(msgspec.Struct, frozen=True, kw_only=True):
    """Whether patients get relief, what harm they feel, and how many are asked and answer."""

    any_side_effect: Figure
    responders_first_30: Figure
    follow_up_answered: Figure


class SideBySide(msgspec.Struct, frozen=True, kw_only=True):
    """All clinics together, and each by its id."""

    together: Care
    by_clinic: Mapping[str, Care]


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> SideBySide:
    """Each clinic by itself, and all together."""
    question = asked(conn, clinics, period, as_of, known_at)
    found = OutcomeColumns(*question)
    relief, path = ReliefFigures(found), PathFigures(found)
    harm = SafetyFigures(question.facts, SafetyFacts(*question))

    def of(clinic: str) -> Care:
        code = question.facts.codes("clinic").of(clinic)
        return Care(
            any_side_effect=harm.share_at(code), follow_up_answered=path.follow_up(code),
            responders_first_30=relief.responders("responders_first_30", MODERATE, found.first_at(code)),
        )

    return SideBySide(
        together=Care(
            any_side_effect=harm.share(harm.episodes), follow_up_answered=path.follow_up(),
            responders_first_30=relief.responders("responders_first_30", MODERATE, found.first),
        ),
        by_clinic={clinic: of(clinic) for clinic in question.known},
    )
