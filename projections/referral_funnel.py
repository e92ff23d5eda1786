"""What became of those referred? Each step from referral to booster: reached, ended before it, or still open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from projections.columns.asked import asked
from projections.columns.funnel import Referrals, referrals
from projections.metrics.calendar import Period
from projections.metrics.definitions import FUNNEL_STEPS, Definition, current
from projections.metrics.figures import FactIds, Figure, amount
from projections.metrics.funnel import STEPS, FunnelWeek
from projections.metrics.lazy import Lazily


class StepFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One step: how many reached it, how many ended before it (by reason too), how many may still reach it."""

    done: Figure
    failed: Figure
    failed_by_reason: Mapping[str, Figure]
    open: Figure


class ReferralFunnel(msgspec.Struct, frozen=True, kw_only=True):
    """The funnel of one clinic, or of several together. `within`: by step, the rates at 30, 60 and 90 days."""

    referred: int
    steps: Mapping[str, StepFigures]
    within: Mapping[str, Mapping[str, Figure]]
    weeks: tuple[FunnelWeek, ...]


class FunnelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Referrals received in the period, at the clinic that received them."""

    period: Period
    as_of: datetime
    known_at: int | None
    clinics: tuple[str, ...]
    together: ReferralFunnel
    by_clinic: Mapping[str, ReferralFunnel]
    definitions: tuple[Definition, ...] = (current("funnel"), *FUNNEL_STEPS)


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> FunnelReport:
    """The funnel; a clinic's own is made when it is opened."""
    question = asked(conn, clinics, period, as_of, known_at)
    found = referrals(*question)
    return FunnelReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(question.known), together=_funnel(found),
        by_clinic=Lazily(question.known, lambda clinic: _funnel(found.at(clinic))),
    )  # fmt: skip


def _funnel(some: Referrals) -> ReferralFunnel:
    whole = some.funnel()
    return ReferralFunnel(
        referred=whole.referred, steps={step: _step(some, step) for step in STEPS}, within=whole.within,
        weeks=whole.weeks,
    )  # fmt: skip


def _step(some: Referrals, step: str) -> StepFigures:
    became = some.became(step)
    failed = became.failed_by_reason
    return StepFigures(
        done=_count("funnel_done", became.done), failed=_count("funnel_failed", became.failed),
        failed_by_reason={reason: _count("funnel_failed", failed[reason]) for reason in sorted(failed)},
        open=_count("funnel_open", became.open),
    )  # fmt: skip


def _count(metric: str, some: FactIds) -> Figure:
    return amount(metric, len(some), "referrals", n=len(some), rows=some)
