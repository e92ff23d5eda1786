"""Does it help, whom, how much, how soon and for how long? Relief of some clinics' infusions over a period."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from projections.facts.reading import Cut
from projections.facts.referrals import referrals
from projections.facts.relief import OutcomeFacts
from projections.metrics.calendar import Period
from projections.metrics.definitions import BOOSTER_GAP, PATH, PER_90_DAYS, RELIEF, Definition
from projections.metrics.duration import Curve, curves
from projections.metrics.figures import Figure, Spread
from projections.metrics.funnel import Funnel, funnel
from projections.metrics.outcomes import (
    Breakdown,
    DoseResponse,
    after_28_days,
    breakdowns,
    dose_response,
    falls,
    first_of_course,
    infusions_to_relief,
    low_baseline,
    onset,
    per_infusion,
    responders,
)
from projections.metrics.pain_course import PainCourse, Waterfall, pain_course, waterfall
from projections.metrics.path import (
    SeriesRow,
    adherence,
    booster_gaps,
    closures,
    gate_assessed,
    gate_rate,
    per_90_days,
    score_changes,
    series_rows,
)
from projections.metrics.relief import MODERATE, SUBSTANTIAL, Relief, relief


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
    series: tuple[SeriesRow, ...]
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
    """The dashboard's figures; about a dozen queries, each bounded by clinics and period or by the patients found."""
    cut = Cut.at(as_of, known_at)
    found = OutcomeFacts(conn, clinics, period, cut)
    referred = referrals(conn, found.calendars, period, found.span, cut)
    material = found.material
    first = first_of_course(material)
    at_gate = _at_gate(found)
    moderate, substantial = per_infusion(material.reliefs)
    return OutcomeReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(material.calendars),
        infusions=len(material.reliefs), patients=len({one.infusion.patient for one in material.reliefs}),
        landmark_fall=falls("landmark_fall", material.reliefs), peak_fall=falls("peak_fall", material.reliefs),
        responders=Responders(
            first_30=responders("responders_first_30", MODERATE, first),
            first_50=responders("responders_first_50", SUBSTANTIAL, first),
            gate_30=responders("responders_gate_30", MODERATE, at_gate),
            gate_50=responders("responders_gate_50", SUBSTANTIAL, at_gate),
            after_28_days_30=after_28_days("responders_28d_30", MODERATE, material),
            after_28_days_50=after_28_days("responders_28d_50", SUBSTANTIAL, material),
        ),
        per_infusion_30=moderate, per_infusion_50=substantial, low_baseline=low_baseline(material.reliefs),
        breakdowns=breakdowns(material), onset=onset(material.reliefs),
        infusions_to_relief=infusions_to_relief(
            material, lambda one: relief(one, material.scores_of(one.patient), material.as_of_us)
        ),
        waterfall=waterfall(material), pain_over_time=pain_course(material),
        durations=curves(material), dose_response=dose_response(material),
        score_changes=score_changes(found.scores, material, found.identities.of),
        follow_up_answered=found.follow_up(), path=_path(found),
        infusions_per_90_days=per_90_days([one.infusion for one in material.reliefs], period),
        funnel=funnel(referred, material.as_of_us), booster_gaps=booster_gaps(material),
    )  # fmt: skip


def _at_gate(found: OutcomeFacts) -> list[Relief]:
    """The infusion that each patient's last gate of the period assessed."""
    last: dict[str, Relief] = {}
    for course, gate in found.gates_of_period():
        assessed = found.material.gate_reliefs.get(gate.infusion or "")
        if assessed is not None:
            last[course.patient] = assessed
    return list(last.values())


def _path(found: OutcomeFacts) -> Path:
    plans = found.plans()
    series = series_rows(plans, found.material, found.excuses(plans))
    return Path(
        gate_rate=gate_rate(found.gates_of_period()), gate_assessed=gate_assessed(found.material),
        series_adherence=adherence(series), series=tuple(series), closures=closures(found.closed()),
    )  # fmt: skip
