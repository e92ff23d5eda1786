"""The referral funnel by rows, one object per referral. The oracle of the columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection

from projections.facts.loading import calendars, widest
from projections.facts.reading import Cut
from projections.facts.referrals import referrals
from projections.metrics.calendar import Period
from projections.metrics.figures import Figure, amount
from projections.metrics.funnel import STEPS, Referred, funnel
from projections.referral_funnel import FunnelReport, ReferralFunnel, StepFigures


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> FunnelReport:
    """The funnel; six queries, each bounded by clinics and period or by the patients found."""
    cut = Cut.at(as_of, known_at)
    known = calendars(conn, clinics, cut)
    found = referrals(conn, known, period, widest(known.values(), period), cut)
    by_clinic: dict[str, list[Referred]] = defaultdict(list)
    for one in found:
        by_clinic[one.clinic].append(one)
    return FunnelReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(known),
        together=_funnel(found, cut.as_of_us),
        by_clinic={clinic: _funnel(by_clinic[clinic], cut.as_of_us) for clinic in known},
    )  # fmt: skip


def _funnel(some: Sequence[Referred], as_of_us: int) -> ReferralFunnel:
    whole = funnel(some, as_of_us)
    return ReferralFunnel(
        referred=len(some), steps={step: _step(some, step) for step in STEPS}, within=whole.within, weeks=whole.weeks
    )


def _step(some: Sequence[Referred], step: str) -> StepFigures:
    short = [one for one in some if step not in one.reached]
    failed: dict[str, list[Referred]] = defaultdict(list)
    for one in short:
        if one.failed is not None:
            failed[one.failed].append(one)
    return StepFigures(
        done=_count("funnel_done", [one for one in some if step in one.reached]),
        failed=_count("funnel_failed", [one for one in short if one.failed is not None]),
        failed_by_reason={reason: _count("funnel_failed", own) for reason, own in sorted(failed.items())},
        open=_count("funnel_open", [one for one in short if one.failed is None]),
    )


def _count(metric: str, some: Sequence[Referred]) -> Figure:
    return amount(metric, len(some), "referrals", n=len(some), rows=[one.fact for one in some])
