"""The figures of relief from columns: see `projections.metrics.outcomes` and `pain_course` for what each means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from projections.columns.codes import NONE, Bools, Ints
from projections.columns.groups import begins, compact, distinct
from projections.columns.outcomes import OutcomeColumns
from projections.columns.relief import REASONS, Reliefs, after_series, fell, left_out, peak_fall, reliefs
from projections.columns.snapshot import Array
from projections.columns.zones import UNIX_DAY
from projections.facts.encoding import DAY
from projections.metrics.bootstrap import clustered_intervals
from projections.metrics.figures import (
    SMALL,
    FactIds,
    Figure,
    Measured,
    Spread,
    amount,
    proportion,
    spread,
)
from projections.metrics.lazy import Later
from projections.metrics.outcomes import DOSE_BANDS, Breakdown, DosePoint, DoseResponse
from projections.metrics.pain_course import STAGES, PainCourse, PainStage, Waterfall, WaterfallBar
from projections.metrics.relief import COURSE_BASELINE, MODERATE, SUBSTANTIAL
from projections.metrics.statistics import Interval, quantile, spearman, spearman_interval

BANDS = (*(name for _, name in DOSE_BANDS), "1 and over")
ORDINALS = (*(str(number) for number in range(1, 8)), "8 and later")


class Rates(NamedTuple):
    """Moderate and substantial responders, and how many patients stand behind."""

    moderate: Figure
    substantial: Figure
    patients: int


class Drawn(NamedTuple):
    """A per-infusion rate's interval by drawing patients; Wilson's is made with the figure."""

    interval: Interval | None
    method: str


_WILSON = Drawn(None, "wilson")
"""Where no patient counts twice, or there are too few for an interval."""


class ReliefFigures:
    """All of one report."""

    def __init__(self, found: OutcomeColumns) -> None:
        self._found = found
        self._given, self._reliefs = found.given, found.reliefs
        patients, patient = compact(self._given.patient, len(found.facts.codes("patient")) + 1)
        self._patient, self._patients = patient, len(patients)
        """By infusion its patient, numbered from 0."""

    def _facts(self, some: Reliefs) -> FactIds:
        return FactIds("i", self._given.fact[some.place])

    def _left_out(self, some: Reliefs, reasons: Ints, names: Sequence[str] = REASONS) -> dict[str, int]:
        return left_out(reasons, names, lambda places: FactIds("i", self._given.fact[some.place[places]]))

    def _counted(self, some: Reliefs) -> FactIds:
        """Each with its landmark fall."""
        return self._facts(some).with_numbers(lambda: some.landmark_fall)

    # --- falls and responders ----------------------------------------------------------------------

    def falls(self, metric: str = "landmark_fall", some: Reliefs | None = None) -> Spread:
        """Landmark or peak falls of headline infusions, in percent."""
        some = self._reliefs if some is None else some
        reasons = some.peak_left_out if metric == "peak_fall" else some.left_out
        counted = some.where(np.flatnonzero(reasons == 0))
        values = peak_fall(counted) if metric == "peak_fall" else counted.landmark_fall
        return spread(metric, Measured(values, self._facts(counted)), "percent", self._left_out(some, reasons))

    def responders(self, metric: str, percent: int, some: Reliefs) -> Figure:
        """Per patient, with Wilson's interval; each patient once in `some`."""
        counted = some.where(np.flatnonzero(some.headline))
        positive = counted.moderate if percent == MODERATE else counted.substantial
        return proportion(
            metric, self._facts(counted.where(positive)), self._counted(counted), self._left_out(some, some.left_out)
        )

    def after_28_days(self, metric: str, percent: int) -> Figure:
        """Responders 28 days after the last of the series, per patient."""
        place = self._found.last_of_series()
        reason, baseline, value = after_series(self._given, place, self._found.pain, self._found.as_of_us)
        counted = reason == 0
        positive = counted & fell(np.where(counted, baseline, 0), np.where(counted, value, 0), percent)
        fact = self._given.fact[place]
        return proportion(
            metric, FactIds("i", fact[positive]),
            FactIds("i", fact[counted], lambda: 100 * (1 - value[counted] / baseline[counted])),
            left_out(reason, facts=lambda places: FactIds("i", fact[places])),
        )

    def low_baseline(self) -> Figure:
        """Shown apart: baselines of 1 and 2."""
        counted = self._reliefs.where(np.flatnonzero(self._reliefs.low_baseline))
        moderate, _ = _drawn([self._clusters(counted)])[0]
        return self._rate("responders_low_baseline_30", counted, counted.moderate, moderate, {})

    def per_infusion(self) -> Rates:
        """Moderate and substantial, per infusion; interval by drawing patients (Wilson where each has but one)."""
        return self._rates([self._reliefs])[0]

    def _rates(self, groups: Sequence[Reliefs]) -> list[Rates]:
        counted = [some.where(np.flatnonzero(some.headline)) for some in groups]
        clusters = [self._clusters(some) for some in counted]
        found = []
        for every, some, own, (moderate, substantial) in zip(groups, counted, clusters, _drawn(clusters), strict=True):
            excluded = self._left_out(every, every.left_out)
            found.append(Rates(
                self._rate("responders_infusion_30", some, some.moderate, moderate, excluded),
                self._rate("responders_infusion_50", some, some.substantial, substantial, excluded), len(own),
            ))  # fmt: skip
        return found

    def _clusters(self, some: Reliefs) -> Ints:
        """By patient: moderate, substantial, all."""
        patient, size = self._patient[some.place], self._patients
        every = np.bincount(patient, minlength=size)
        there = np.flatnonzero(every)
        hits = (np.bincount(patient[hit], minlength=size)[there] for hit in (some.moderate, some.substantial))
        return np.stack((*hits, every[there]), axis=1)

    def _rate(
        self, metric: str, counted: Reliefs, hit: Bools, drawn: Drawn, excluded: Mapping[str, int]
    ) -> Figure:
        hits = self._facts(counted.where(hit))
        return proportion(metric, hits, self._counted(counted), excluded, drawn.interval, drawn.method)

    # --- by group ----------------------------------------------------------------------------------

    def breakdowns(self) -> dict[str, tuple[Breakdown, ...]]:
        """By condition, ordinal, dose band, adjunct therapy, clinic and month of drug start."""
        found, place = self._found, self._reliefs.place
        words, clinics = found.facts.codes("word"), found.facts.codes("clinic")
        ordinal = np.minimum(self._given.in_course[place], 8) - 1
        groups: dict[str, tuple[Array, Callable[[int], str]]] = {
            "condition": (found.condition_of(place), lambda code: words.name(code) or "unknown"),
            "ordinal": (ordinal, lambda band: ORDINALS[band]),
            "dose_band": (self._dose_band(place), lambda band: BANDS[band]),
            "adjunct": (found.on_adjunct.astype(np.int64), lambda code: ("no", "yes")[code]),
            "clinic": (self._given.clinic[place], clinics.name),
            "month": (self._month(place), lambda month: f"{1970 + month // 12:04d}-{month % 12 + 1:02d}"),
        }
        names, members = [], []
        per_patient: list[Rates | None] = []
        nobody = self._per_patient(self._reliefs, slice(0))
        for dimension, (keys, name) in groups.items():
            firsts = {} if dimension == "ordinal" else self._first_by(keys)
            for key in sorted(distinct(keys), key=name):
                names.append((dimension, name(key)))
                members.append(self._reliefs.where(np.flatnonzero(keys == key)))
                per_patient.append(None if dimension == "ordinal" else firsts.get(key, nobody))
        made: dict[str, list[Breakdown]] = {dimension: [] for dimension in groups}
        for (dimension, group), own, first, rates in zip(
            names, members, per_patient, self._rates(members), strict=True
        ):
            made[dimension].append(Breakdown(
                group=group, patients=rates.patients, first_30=first and first.moderate,
                first_50=first and first.substantial, landmark_fall=self.falls(some=own),
                responders_30=rates.moderate, responders_50=rates.substantial,
            ))  # fmt: skip
        return {dimension: tuple(own) for dimension, own in made.items()}

    def _first_by(self, keys: Array) -> dict[int, Rates]:
        """Responders per patient of each group: of the first infusions of courses in it, each patient's first."""
        firsts = self._found.firsts_of_courses
        key, patient = keys[firsts], self._given.patient[self._reliefs.place[firsts]]
        order = np.argsort(key, kind="stable")  # within a group still patient by patient, by drug start
        order = order[begins(key[order]) | begins(patient[order])]
        some, key = self._reliefs.where(firsts[order]), key[order]
        bounds = [*np.flatnonzero(begins(key)).tolist(), len(key)]
        return {int(key[low]): self._per_patient(some, slice(low, high)) for low, high in pairwise(bounds)}

    def _per_patient(self, some: Reliefs, part: slice) -> Rates:
        """Of a part of `some` in which each is another patient's; no columns but those of all of it are gathered."""
        reason, fact = some.left_out[part], self._given.fact[some.place[part]]
        counted = reason == 0
        among = FactIds("i", fact[counted], lambda: some.landmark_fall[part][counted])
        excluded = left_out(reason, facts=lambda places: FactIds("i", fact[places]))
        hits = (FactIds("i", fact[counted & hit[part]]) for hit in (some.moderate, some.substantial))
        moderate, substantial = (
            proportion(f"responders_first_{percent}", hit, among, excluded)
            for percent, hit in zip((MODERATE, SUBSTANTIAL), hits, strict=True)
        )
        return Rates(moderate, substantial, len(among))

    def _mg_per_kg(self, place: Ints) -> Array:
        found: Array = self._given.dose_ng_per_kg[place] / 1_000_000
        return found

    def _dose_band(self, place: Ints) -> Ints:
        return np.searchsorted([limit for limit, _ in DOSE_BANDS], self._mg_per_kg(place), side="right")

    def _month(self, place: Ints) -> Array:
        """Months since 1970 on the clinics' clocks."""
        days = self._found.local_day[place]
        return (days - UNIX_DAY).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)

    # --- onset, how many it takes ------------------------------------------------------------------

    def onset(self) -> Spread:
        """Hours from drug stop to the first moderate fall."""
        some = self._reliefs
        without = (some.baseline == NONE) | (some.baseline == 0) | (some.left_out == REASONS.index("baseline_under_3"))
        unseen = ~without & np.isnan(some.onset_hours)
        reasons = np.where(without, some.left_out, np.where(unseen, len(REASONS), 0))
        seen = some.where(np.flatnonzero(~without & ~unseen))
        return spread("onset", Measured(seen.onset_hours, self._facts(seen)), "hours",
                      self._left_out(some, reasons, (*REASONS, "no_fall_seen")))  # fmt: skip

    def infusions_to_relief(self) -> Spread:
        """Ordinal of the first substantial responder in courses begun in the period."""
        given, here = self._given, self._found.here
        begun = np.zeros(int(given.group.max(initial=-1)) + 1, dtype=bool)
        begun[given.group[here[(given.in_course[here] == 1) & (given.course[here] >= 0)]]] = True
        place = np.flatnonzero(begun[given.group])
        every = reliefs(given, place, self._found.pain, self._found.as_of_us)
        hits = place[every.headline & every.substantial]
        _, first = np.unique(given.group[hits], return_index=True)
        reached = hits[first]
        missing = int(begun.sum()) - len(reached)
        values = Measured(given.in_course[reached].astype(np.float64), FactIds("i", given.fact[reached]))
        return spread("infusions_to_relief", values, "infusions", {"not_reached": missing} if missing else {})

    # --- dose and response -------------------------------------------------------------------------

    def dose_response(self) -> DoseResponse:
        """Landmark fall of each course's first infusion against its dose."""
        given, every = self._given, self._reliefs
        firsts = every.where(np.flatnonzero((given.in_course[every.place] == 1) & (given.course[every.place] >= 0)))
        some = firsts.where(np.flatnonzero(firsts.headline))
        some = some.where(np.lexsort((given.fact[some.place], given.started_us[some.place])))
        dose = self._mg_per_kg(some.place)
        run = given.run_us[some.place]
        rate = np.where(run > 0, dose / np.where(run > 0, run / 3_600_000_000, 1), np.nan)
        condition, fact = self._found.condition_of(some.place), given.fact[some.place]
        words, band = self._found.facts.codes("word"), self._dose_band(some.place)
        conditions = sorted((words.name(code) or "unknown", code) for code in distinct(condition))
        excluded = left_out(firsts.left_out)
        fall = some.landmark_fall
        return DoseResponse(
            mg_per_kg=_rho(dose, fall, fact, excluded), mg_per_kg_h=_rho(rate, fall, fact, excluded),
            by_condition={
                name: _rho(dose[condition == code], fall[condition == code], fact[condition == code], {})
                for name, code in conditions
            },
            bands=tuple(
                (BANDS[number], spread("landmark_fall", Measured(
                    fall[band == number], FactIds("i", fact[band == number])), "percent"))
                for number in distinct(band)
            ),
            points=Later(len(some), lambda: tuple(
                DosePoint(each, None if run_us <= 0 else hourly, percent, words.name(code) or "unknown", f"i{position}")
                for each, run_us, hourly, percent, code, position in zip(
                    dose.tolist(), run.tolist(), rate.tolist(), fall.tolist(), condition.tolist(), fact.tolist(),
                    strict=True,
                )
            )),
        )  # fmt: skip

    # --- patient by patient ------------------------------------------------------------------------

    def waterfall(self) -> Waterfall:
        """Landmark falls of first infusions, per patient, as the headline rates count them."""
        found, first = self._found, self._found.first
        some = first.where(np.flatnonzero(first.headline))
        fall, fact = some.landmark_fall, self._given.fact[some.place]
        order = np.lexsort((np.array([str(each) for each in fact.tolist()]), -fall)) if len(fact) else fact
        some, fall, fact = some.where(order), fall[order], fact[order]
        condition, words = found.condition_of(some.place), found.facts.codes("word")
        with_adjunct = found.on_adjunct[np.searchsorted(found.here, some.place)]
        return Waterfall(
            bars=Later(len(some), lambda: tuple(
                WaterfallBar(
                    fact=f"i{position}", fall=percent, condition=words.name(code) or "unknown", with_adjunct=adjunct
                )
                for position, percent, code, adjunct in zip(
                    fact.tolist(), fall.tolist(), condition.tolist(), with_adjunct.tolist(), strict=True
                )
            )),
            falls=spread("waterfall", Measured(fall, FactIds("i", fact)), "percent", left_out(first.left_out)),
        )  # fmt: skip

    def pain_course(self) -> PainCourse:
        """Of patients whose first infusion lies in the period: each one's last score (now) of every stretch of days."""
        first = self._found.first
        usable = (first.left_out == 0) | (first.left_out > REASONS.index("baseline_under_3"))
        followed = first.where(np.flatnonzero(usable))
        excluded = left_out(np.where(usable, 0, first.left_out))
        patient, begun = self._given.patient[followed.place], self._given.first_of_course_us[followed.place]
        pain = self._found.pain
        before = pain.last_before(patient, begun, COURSE_BASELINE)
        stages = [self._stage(before[before >= 0], "baseline", 0.0, len(followed), excluded)]
        for name, low, high in STAGES:
            reached = np.flatnonzero(begun + high * DAY <= self._found.as_of_us)
            since = begun[reached]
            from_, until = pain.between(patient[reached], since + low * DAY, since + high * DAY - 1)
            last = (until - 1)[until > from_]
            stages.append(self._stage(last, name, (low + high) / 2, len(reached), excluded))
        return PainCourse(stages=tuple(stages))

    def _stage(self, score: Ints, name: str, day: float, reached: int, excluded: Mapping[str, int]) -> PainStage:
        pain = self._found.pain
        points = Measured(pain.value[score] / 1000, FactIds("s", pain.fact[score]))
        ordered = np.sort(points.numbers)
        enough = len(ordered) >= SMALL
        return PainStage(
            stage=name, day=day, reached=reached, pain=spread("pain_over_time", points, "points", excluded),
            p25=quantile(ordered, 0.25) if enough else None, p75=quantile(ordered, 0.75) if enough else None,
        )  # fmt: skip


def _drawn(clusters: Sequence[Ints]) -> list[tuple[Drawn, Drawn]]:
    """For each group, whose rows are patients (moderate, substantial, all), the intervals by drawing patients."""
    found = [(_WILSON, _WILSON)] * len(clusters)
    several = [place for place, own in enumerate(clusters) if own[:, 2].sum() >= max(SMALL, len(own) + 1)]
    for place, (moderate, substantial) in zip(
        several, clustered_intervals([clusters[place] for place in several]), strict=True
    ):
        found[place] = Drawn(moderate, "clustered_bootstrap"), Drawn(substantial, "clustered_bootstrap")
    return found


def _rho(dose: Array, fall: Array, fact: Array, excluded: Mapping[str, int]) -> Figure:
    known = ~np.isnan(dose)
    pairs = int(known.sum())
    rho = spearman(dose[known], fall[known]) if pairs >= SMALL else None
    return amount(
        "dose_response", rho, "rho", n=pairs, rows=FactIds("i", fact[known]), excluded=excluded,
        interval=spearman_interval(rho, pairs) if rho is not None else None,
        method="bonett_wright" if rho is not None else None,
    )  # fmt: skip
