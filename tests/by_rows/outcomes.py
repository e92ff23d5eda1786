"""The outcome report by rows, one object per infusion, score and course. The oracle of the columns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from projections.facts.reading import Cut
from projections.facts.referrals import referrals
from projections.facts.relief import OutcomeFacts
from projections.metrics.calendar import Period
from projections.metrics.duration import curves
from projections.metrics.funnel import funnel
from projections.metrics.outcomes import (
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
from projections.metrics.pain_course import pain_course, waterfall
from projections.metrics.path import (
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
from projections.outcomes import OutcomeReport, Path, Responders


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
