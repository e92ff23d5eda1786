"""Does it help, whom, how much, how soon and for how long? Relief of some clinics' infusions over a period."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
import numpy as np
from sqlalchemy import Connection

from projections.columns.asked import asked
from projections.columns.curves import curves
from projections.columns.follow_up import FollowUp
from projections.columns.funnel import referrals
from projections.columns.outcome_figures import ReliefFigures
from projections.columns.outcomes import OutcomeColumns
from projections.columns.path import PathFigures
from projections.metrics.calendar import Period
from projections.metrics.definitions import BOOSTER_GAP, PATH, PER_90_DAYS, RELIEF, Definition
from projections.metrics.duration import Curve
from projections.metrics.figures import Figure, Spread
from projections.metrics.funnel import Funnel
from projections.metrics.outcomes import Breakdown, DoseResponse
from projections.metrics.pain_course import PainCourse, Waterfall
from projections.metrics.path import SeriesRow
from projections.metrics.relief import MODERATE, SUBSTANTIAL


class Responders(msgspec.Struct, frozen=True, kw_only=True):
    """The headline rates, per patient."""

    first_30: Figure
    first_50: Figure
    gate_30: Figure
    gate_50: Figure
    after_28_days_30: Figure
    after_28_days_50: Figure


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Gate, series, closures."""

    gate_rate: Figure
    gate_assessed: Figure
    series_adherence: Figure
    series: Sequence[SeriesRow]
    closures: Mapping[str, Figure]


class OutcomeReport(msgspec.Struct, frozen=True, kw_only=True):
    """Every outcome figure of some clinics over a period, by drug start."""

    period: Period
    as_of: datetime
    known_at: int | None
    clinics: tuple[str, ...]
    infusions: int
    patients: int
    landmark_fall: Spread
    peak_fall: Spread
    responders: Responders
    per_infusion_30: Figure
    per_infusion_50: Figure
    low_baseline: Figure
    breakdowns: Mapping[str, tuple[Breakdown, ...]]
    onset: Spread
    infusions_to_relief: Spread
    waterfall: Waterfall
    pain_over_time: PainCourse
    durations: tuple[Curve, ...]
    dose_response: DoseResponse
    score_changes: Mapping[str, Spread]
    follow_up_answered: Figure
    infusions_per_90_days: Figure
    path: Path
    funnel: Funnel
    booster_gaps: Mapping[str, Spread]
    definitions: tuple[Definition, ...] = (*RELIEF, *PATH, BOOSTER_GAP, PER_90_DAYS)


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> OutcomeReport:
    """The dashboard's figures."""
    question = asked(conn, clinics, period, as_of, known_at)
    found = OutcomeColumns(*question)
    relief, path = ReliefFigures(found), PathFigures(found)
    rates = relief.per_infusion()
    return OutcomeReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(question.known), infusions=len(found.here),
        patients=len(np.unique(found.given.patient[found.here])), landmark_fall=relief.falls("landmark_fall"),
        peak_fall=relief.falls("peak_fall"), responders=_responders(relief, found),
        per_infusion_30=rates.moderate, per_infusion_50=rates.substantial, low_baseline=relief.low_baseline(),
        breakdowns=relief.breakdowns(), onset=relief.onset(), infusions_to_relief=relief.infusions_to_relief(),
        waterfall=relief.waterfall(), pain_over_time=relief.pain_course(), durations=curves(found),
        dose_response=relief.dose_response(), score_changes=path.score_changes(),
        follow_up_answered=FollowUp(*question).answered(), path=_path(path), infusions_per_90_days=path.per_90_days(),
        funnel=referrals(*question).funnel(), booster_gaps=path.booster_gaps(),
    )  # fmt: skip


def _responders(relief: ReliefFigures, found: OutcomeColumns) -> Responders:
    at_gate = found.at_gate()
    return Responders(
        first_30=relief.responders("responders_first_30", MODERATE, found.first),
        first_50=relief.responders("responders_first_50", SUBSTANTIAL, found.first),
        gate_30=relief.responders("responders_gate_30", MODERATE, at_gate),
        gate_50=relief.responders("responders_gate_50", SUBSTANTIAL, at_gate),
        after_28_days_30=relief.after_28_days("responders_28d_30", MODERATE),
        after_28_days_50=relief.after_28_days("responders_28d_50", SUBSTANTIAL),
    )  # fmt: skip


def _path(path: PathFigures) -> Path:
    adherence, series = path.series()
    return Path(
        gate_rate=path.gate_rate(), gate_assessed=path.gate_assessed(), series_adherence=adherence, series=series,
        closures=path.closures(),
    )  # fmt: skip
