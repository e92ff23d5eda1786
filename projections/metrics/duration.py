"""How long relief lasts: Kaplan-Meier curves of spells, after the trial, the last of the series, each booster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from projections.metrics.courses import Course, Infusion
from projections.metrics.definitions import current
from projections.metrics.figures import Figure, amount, left_out
from projections.metrics.outcomes import Material, end_of_series
from projections.metrics.relief import Spell, spell
from projections.metrics.statistics import Survival, kaplan_meier

SHOWN_DAYS = (0, 1, 3, 7, 14, 21, 28, 42, 56, 84)


class SpellRow(msgspec.Struct, frozen=True):
    """One spell as charts and auditors see it, in days from drug stop."""

    fact: str
    last_good_days: float
    days: float
    ended: bool
    why: str


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One group's curve. `median_days` null: not reached. `at_risk` is by day; `excluded` says who has no spell.

    `median` is the same as a figure, whose rows are the spells (numerator: those that ended).
    """

    group: str
    n: int
    ended: int
    median: Figure
    median_days: float | None
    median_interval: tuple[float | None, float | None]
    survival: Survival
    at_risk: Mapping[int, int]
    surviving: Mapping[int, float | None]
    excluded: Mapping[str, int]
    spells: Sequence[SpellRow]
    definition: str
    definition_version: int


def groups_of(material: Material) -> dict[str, str]:
    """The group of each infusion that begins a curve's spell: trial, last_of_series, booster_1, booster_2, ..."""
    found: dict[str, str] = {}
    by_course: dict[str, list[Infusion]] = defaultdict(list)
    for one in material.infusions:
        if one.course is not None:
            by_course[one.course].append(one)
    for course, own in by_course.items():
        boosters = 0
        last = end_of_series(material.courses.get(course), own, material)
        for one in own:
            if one.purpose == "trial":
                found[one.infusion] = "trial"
            elif one.purpose == "booster":
                boosters += 1
                found[one.infusion] = f"booster_{boosters}"
            elif last is not None and one.infusion == last.infusion:
                found[one.infusion] = "last_of_series"
    return found


def curves(material: Material) -> tuple[Curve, ...]:
    """A curve for each group with an infusion in the period."""
    groups = groups_of(material)
    spells: dict[str, list[Spell]] = defaultdict(list)
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in material.reliefs:
        group = groups.get(one.infusion.infusion)
        if group is None:
            continue
        found = spell(one, material.scores_of(one.infusion.patient), _course(material, one.infusion), material.as_of_us)
        if found is not None:
            spells[group].append(found)
        else:
            reasons[group].append(one.left_out or "not_a_responder")
    return tuple(_curve(group, spells[group], reasons[group]) for group in sorted(spells.keys() | reasons, key=_order))


def _course(material: Material, one: Infusion) -> Course | None:
    return material.courses.get(one.course or "")


def _order(group: str) -> tuple[int, int]:
    if group.startswith("booster_"):
        return (2, int(group.removeprefix("booster_")))
    return (0 if group == "trial" else 1, 0)


def _curve(group: str, spells: Sequence[Spell], reasons: Sequence[str]) -> Curve:
    survival = kaplan_meier([(one.days, one.ended) for one in spells])
    definition = current("relief_duration")
    return Curve(
        group=group, n=survival.n, ended=survival.ended, median=_median(survival, spells, reasons),
        median_days=survival.median, median_interval=survival.median_interval, survival=survival,
        at_risk={day: survival.at_risk(day) for day in SHOWN_DAYS},
        surviving={day: survival.surviving(day) for day in SHOWN_DAYS},
        excluded=left_out(reasons), definition=definition.name, definition_version=definition.version,
        spells=tuple(
            SpellRow(
                one.relief.infusion.fact, (one.last_good_us - one.relief.infusion.stopped_us) / 86_400_000_000,
                one.days, one.ended, one.why,
            )
            for one in spells
        ),
    )  # fmt: skip


def _median(survival: Survival, spells: Sequence[Spell], reasons: Sequence[str]) -> Figure:
    low, high = survival.median_interval
    both = (low, high) if low is not None and high is not None else None
    figure = amount(
        "relief_duration", survival.median, "days", n=survival.n, excluded=left_out(reasons), interval=both,
        method="log_log" if both else None, rows=[one.relief.infusion.fact for one in spells],
    )  # fmt: skip
    ended = tuple(one.relief.infusion.fact for one in spells if one.ended)
    return msgspec.structs.replace(figure, numerator_rows=ended)
