"""Spells of relief, from a patient's pain scores and drug stops (DESIGN section 7, Relief and Duration)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain.course.state import GivenInfusion, PainScore

BASELINE_DAYS = 7
LANDMARK_FROM = timedelta(hours=24)
LANDMARK_UNTIL = timedelta(hours=72)
MODERATE_FALL = Decimal("0.30")
RESCUES = frozenset({"re_induction"})
"""Purposes that mean that pain had returned; a trial, series or planned booster only censors, as a move does."""


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """Relief after one infusion. `ended_at` is the later end of the interval in which it went; None: censored."""

    infusion_id: UUID
    started_at: datetime
    last_good_at: datetime
    ended_at: datetime | None = None

    @property
    def days(self) -> Decimal | None:
        """Length in days to two places, None while censored."""
        if self.ended_at is None:
            return None
        return (Decimal((self.ended_at - self.started_at).total_seconds()) / 86400).quantize(Decimal("0.01"))


def course_baseline(infusions: Sequence[GivenInfusion], scores: Sequence[PainScore]) -> int | None:
    """The last score `now` in the 7 days before the course's first drug start; None when there is none."""
    if not infusions:
        return None
    first = infusions[0].drug_started_at
    before = [one for one in scores if first - timedelta(days=BASELINE_DAYS) <= one.at < first]
    return max(before, key=lambda one: one.at).score if before else None


def spells(
    infusions: Sequence[GivenInfusion], scores: Sequence[PainScore], departures: Sequence[datetime] = (),
    for_pain: Collection[UUID] = (),
) -> tuple[Spell, ...]:
    """One spell for every landmark responder; none without a baseline, or with a baseline of 0.

    `departures`, moves to another clinic, censor; `for_pain` are the boosters brought forward because pain returned.
    """
    baseline = course_baseline(infusions, scores)
    if not baseline:
        return ()
    ordered = sorted(scores, key=lambda one: one.at)
    following = [*infusions[1:], None]
    found = []
    for one, after in zip(infusions, following, strict=True):
        left = min((at for at in departures if at >= one.drug_stopped_at), default=None)
        rescued = after is not None and (after.purpose in RESCUES or after.infusion_id in for_pain)
        found.append(_spell(one, _Next(after, rescued, left), ordered, baseline))
    return tuple(spell for spell in found if spell is not None)


def completed_since_series(
    infusions: Sequence[GivenInfusion], scores: Sequence[PainScore], departures: Sequence[datetime] = (),
    for_pain: Collection[UUID] = (),
) -> tuple[Decimal, ...]:
    """Days of the completed spells since the end of the series (its last infusion included), oldest first."""
    boosters_from = 0
    for index, one in enumerate(infusions):
        if one.purpose in ("trial", "series", "re_induction"):
            boosters_from = index
    counted = {one.infusion_id for one in infusions[boosters_from:]}
    found = spells(infusions, scores, departures, for_pain)
    lengths = (spell.days for spell in found if spell.infusion_id in counted)
    return tuple(days for days in lengths if days is not None)


def _fell(score: PainScore, baseline: int) -> bool:
    return Decimal(baseline - score.score) / baseline >= MODERATE_FALL


class _Next(NamedTuple):
    """What follows an infusion: the next one, whether that was given for returned pain, the move to another clinic."""

    infusion: GivenInfusion | None
    rescues: bool
    left_at: datetime | None


def _spell(one: GivenInfusion, then: _Next, scores: Sequence[PainScore], baseline: int) -> Spell | None:
    stopped, after = one.drug_stopped_at, then.infusion
    until = stopped + LANDMARK_UNTIL if after is None else min(stopped + LANDMARK_UNTIL, after.drug_started_at)
    window = [place for place, score in enumerate(scores) if stopped + LANDMARK_FROM <= score.at <= until]
    if not window or not _fell(scores[window[-1]], baseline):
        return None
    landmark = window[-1]
    later = [
        score for score in scores[landmark + 1 :]
        if (after is None or score.at < after.drug_started_at) and (then.left_at is None or score.at <= then.left_at)
    ]
    unseen = then.left_at is not None and scores[landmark].at > then.left_at
    good = [stopped if unseen else scores[landmark].at, *(score.at for score in later if _fell(score, baseline))]
    spell = Spell(infusion_id=one.infusion_id, started_at=stopped, last_good_at=good[-1])
    for first, second in pairwise(later):
        if not _fell(first, baseline) and not _fell(second, baseline):
            last_good = max(at for at in good if at < first.at)
            return msgspec.structs.replace(spell, last_good_at=last_good, ended_at=first.at)
    if after is not None and then.rescues and (then.left_at is None or after.drug_started_at <= then.left_at):
        return msgspec.structs.replace(spell, ended_at=after.drug_started_at)
    return spell
