"""From referral to relief: what each referral has reached, where it failed, what is still open."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from projections.facts.encoding import DAY
from projections.metrics.figures import Figure, proportion

STEPS = ("consulted", "screened", "consented", "trial", "gate_passed", "series", "optimal_relief", "booster")
WITHIN_DAYS = (30, 60, 90)


class Referred(msgspec.Struct, frozen=True, kw_only=True):
    """One referral: when each step was first reached after it, and why it went no further, if it did not."""

    fact: str
    patient: str
    week: date
    at_us: int
    reached: Mapping[str, int]
    failed: str | None
    clinic: str = ""


class StepCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Of the referred: done, failed (by reason) or still open."""

    done: int
    failed: Mapping[str, int]
    open: int


class FunnelWeek(msgspec.Struct, frozen=True, kw_only=True):
    """The referrals of one ISO week, named by its Monday."""

    week: date
    referred: int
    steps: Mapping[str, StepCounts]


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """By week, and over all of them the share that reached each step in time."""

    referred: int
    weeks: tuple[FunnelWeek, ...]
    within: Mapping[str, Mapping[str, Figure]]


def monday(day: date) -> date:
    """The Monday of its week."""
    return day - timedelta(days=day.isoweekday() - 1)


def funnel(referrals: Sequence[Referred], as_of_us: int) -> Funnel:
    """The funnel of these referrals."""
    by_week: dict[date, list[Referred]] = defaultdict(list)
    for one in referrals:
        by_week[one.week].append(one)
    return Funnel(
        referred=len(referrals),
        weeks=tuple(
            FunnelWeek(week=week, referred=len(own), steps={step: _counts(own, step) for step in STEPS})
            for week, own in sorted(by_week.items())
        ),
        within={
            step: {f"{days}_days": _within(referrals, step, days, as_of_us) for days in WITHIN_DAYS} for step in STEPS
        },
    )  # fmt: skip


def _counts(own: Iterable[Referred], step: str) -> StepCounts:
    done, still_open = 0, 0
    failed: Counter[str] = Counter()
    for one in own:
        if step in one.reached:
            done += 1
        elif one.failed is not None:
            failed[one.failed] += 1
        else:
            still_open += 1
    return StepCounts(done=done, failed=dict(sorted(failed.items())), open=still_open)


def _within(referrals: Iterable[Referred], step: str, days: int, as_of_us: int) -> Figure:
    old_enough = [one for one in referrals if as_of_us - one.at_us >= days * DAY]
    too_young = sum(1 for one in referrals if as_of_us - one.at_us < days * DAY)
    reached = [one for one in old_enough if step in one.reached and one.reached[step] - one.at_us <= days * DAY]
    return proportion(
        "funnel", [one.fact for one in reached], [one.fact for one in old_enough],
        {"referred_too_recently": too_young} if too_young else {},
    )  # fmt: skip
