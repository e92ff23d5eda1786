"""Side effects that somebody must still see to: not over, or serious and without a physician's signature."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from projections.columns.codes import NONE, Bools
from projections.columns.groups import cut, having_word, is_word, members, whole
from projections.columns.snapshot import Rows
from projections.columns.store import Facts
from projections.facts.reading import Cut
from projections.facts.tables import safety_facts
from projections.metrics.lazy import Each

__all__ = ["OpenEpisode", "OpenEpisodes", "open_episodes"]


class OpenEpisode(msgspec.Struct, frozen=True, kw_only=True):
    """One side effect since its onset. `unsigned`: serious, and not signed off since it was called so."""

    kind: str
    grade: int
    serious: bool
    unsigned: bool
    resolved: bool
    from_home: bool
    since_us: int
    patient: str
    clinic: str
    fact: str


class OpenEpisodes(NamedTuple):
    """The longest first, each made when it is looked at."""

    unsigned: Sequence[OpenEpisode]
    going_on: Sequence[OpenEpisode]
    """Not over, and signed if they need a signature."""


def open_episodes(facts: Facts, clinics: Collection[str], at: Cut) -> OpenEpisodes:
    """Those told at these clinics, whenever they began."""
    told = cut(having_word(facts, safety_facts, "side_effect", "side_effect_from_home"), at)
    told = told.where(facts.codes("clinic").marked(list(clinics))[told["clinic"]])
    over = (told["ended_us"] != NONE) | _ever(facts, "resolved", at)[told["subject"]]
    serious = (told["serious"] == 1) | _ever(facts, "regraded", at, serious=True)[told["subject"]]
    mine = told.where(serious & is_word(facts, told["kind"], "side_effect"))
    unsigned = _unsigned(facts, mine, at)[told["subject"]]
    worst = _worst(facts, told.where(~over | unsigned), at)
    home = is_word(facts, told["kind"], "side_effect_from_home")
    word, patient, clinic = (facts.codes(name) for name in ("word", "patient", "clinic"))

    def made(_: int, place: int) -> OpenEpisode:
        return OpenEpisode(
            kind=word.name(int(told["code"][place])), grade=int(worst[told["subject"][place]]),
            serious=bool(serious[place]), unsigned=bool(unsigned[place]), resolved=bool(over[place]),
            from_home=bool(home[place]), since_us=int(told["onset_us"][place]),
            patient=patient.name(int(told["patient"][place])), clinic=clinic.name(int(told["clinic"][place])),
            fact=f"y{int(told['position'][place])}",
        )  # fmt: skip

    def listed(chosen: Bools) -> Sequence[OpenEpisode]:
        places = np.flatnonzero(chosen)
        order = np.lexsort((told["position"][places], told["onset_us"][places]))
        return Each(places[order].tolist(), made)

    return OpenEpisodes(listed(unsigned), listed(~over & ~unsigned))


def _ever(facts: Facts, kind: str, at: Cut, *, serious: bool = False) -> Bools:
    """By code of a side effect whether it has a step of this kind."""
    rows = cut(having_word(facts, safety_facts, kind), at)
    subject = rows["subject"][rows["serious"] == 1] if serious else rows["subject"]
    return members(subject, len(facts.codes("subject")))


def _unsigned(facts: Facts, serious: Rows, at: Cut) -> Bools:
    """By code of a side effect whether it is serious and was not signed off since it was called so, as in the visit."""
    found = np.zeros(len(facts.codes("subject")) + 1, dtype=bool)
    rows = whole(facts.of(safety_facts), "subject", members(serious["subject"], len(found) - 1), at)
    signed, graded = is_word(facts, rows["kind"], "signed_off"), is_word(facts, rows["kind"], "side_effect", "regraded")
    is_so = np.zeros(len(found), dtype=bool)
    for place in np.lexsort((rows["position"], rows["at_us"])).tolist():
        subject, called = rows["subject"][place], rows["serious"][place] == 1
        if signed[place]:
            found[subject] = False
        elif graded[place]:
            found[subject] = called and (found[subject] or not is_so[subject])
            is_so[subject] = called
    return found


def _worst(facts: Facts, listed: Rows, at: Cut) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """By code of a side effect the highest grade that it was given."""
    worst = np.zeros(len(facts.codes("subject")) + 1, dtype=np.int64)
    rows = whole(facts.of(safety_facts), "subject", members(listed["subject"], len(worst) - 1), at)
    np.maximum.at(worst, rows["subject"], rows["grade"])
    return worst
