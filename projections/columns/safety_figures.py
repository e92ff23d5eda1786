"""The safety figures from columns: see `projections.metrics.safety` for what each means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec
import numpy as np

from domain.vocabulary.side_effects import MEMORY, URINARY
from projections.columns.codes import NONE, Bools, Ints
from projections.columns.groups import split
from projections.columns.safety import Episodes, SafetyFacts
from projections.columns.snapshot import Array, Rows
from projections.columns.store import Facts
from projections.facts.encoding import MINUTE
from projections.metrics.figures import SMALL, FactIds, Figure, Measured, Spread, amount, proportion, quotient, spread
from projections.metrics.safety import CUMULATIVE_BANDS, ENDED_EARLY, LONG_OPEN, Board, ControlPoint, KindFigures
from projections.metrics.statistics import poisson_interval


class SafetyFigures:
    """All figures of one report."""

    def __init__(self, facts: Facts, found: SafetyFacts) -> None:
        self._facts, self._found = facts, found
        self._fact = found.given.fact[found.infusions]
        self._among = FactIds("y", self._fact)
        self._excluded = {"unattributed": len(found.unattributed)} if len(found.unattributed) else {}
        self.episodes = found.episodes

    # --- shares and rates --------------------------------------------------------------------------

    def share(self, own: Episodes, metric: str = "side_effect_share") -> Figure:
        """Infusions with at least one of these episodes."""
        return self._share_of(metric, own.given)

    def share_at(self, clinic: int) -> Figure:
        """Infusions with at least one episode, of one clinic by its code."""
        found, mine = self._found, self._by_clinic[clinic]
        hit = mine[self._with_episodes[mine]]
        unattributed = int((found.told_at[found.unattributed.subject] == clinic).sum())
        return proportion(
            "side_effect_share", FactIds("y", self._fact[hit]), FactIds("y", self._fact[mine]),
            {"unattributed": unattributed} if unattributed else {},
        )  # fmt: skip

    @cached_property
    def _by_clinic(self) -> list[Ints]:
        """By code of a clinic the places of its infusions; none of one that never appeared (-2)."""
        clinic = self._found.given.clinic[self._found.infusions]
        return split(clinic, len(self._facts.codes("clinic")) + 2)

    @cached_property
    def _with_episodes(self) -> Bools:
        """Which infusions had one."""
        hit = np.zeros(len(self._fact), dtype=bool)
        hit[self.episodes.given] = True
        return hit

    def _share_of(self, metric: str, given: Ints) -> Figure:
        hit = np.zeros(len(self._fact), dtype=bool)
        hit[given] = True
        return proportion(metric, FactIds("y", self._fact[hit]), self._among, self._excluded)

    def serious(self) -> Figure:
        """Infusions with a serious episode."""
        return self.share(self.episodes.where(self.episodes.serious), "serious_share")

    def per_100(self, own: Episodes) -> Figure:
        """Episodes per 100 infusions, exact Poisson; counts alone under ten infusions."""
        n = len(self._fact)
        figure = quotient(
            "side_effect_rate", len(own), n, "per 100", n=n, rows=FactIds("y", own.fact),
            excluded=self._excluded,
        )  # fmt: skip
        if n < SMALL:
            return msgspec.structs.replace(figure, value=None)
        low, high = poisson_interval(len(own))
        return msgspec.structs.replace(figure, interval=(100 * low / n, 100 * high / n), method="exact_poisson")

    def by_kind(self) -> tuple[KindFigures, ...]:
        """Every kind seen, the most frequent first."""
        names, kind = self._facts.codes("word"), self.episodes.kind
        kinds, counts = (side.tolist() for side in np.unique(kind, return_counts=True))
        ordered = sorted((-count, names.name(code), code) for code, count in zip(kinds, counts, strict=True))
        return tuple(self._kind(name, self.episodes.where(kind == code)) for _, name, code in ordered)

    def _kind(self, name: str, own: Episodes) -> KindFigures:
        worst = np.full(len(self._fact), NONE)
        np.maximum.at(worst, own.given, own.grade)
        facts = FactIds("y", own.fact)
        return KindFigures(
            kind=name, share=self.share(own),
            by_grade={
                grade: self._share_of("side_effect_share", np.flatnonzero(worst == grade))
                for grade in np.unique(worst[worst != NONE]).tolist()
            },
            per_100=self.per_100(own), onset=self._onset(own), duration=_duration(own),
            treated=proportion("side_effect_treated", FactIds("y", own.fact[own.treated]), facts),
        )  # fmt: skip

    def _onset(self, own: Episodes) -> Spread:
        """Minutes from drug start."""
        started = self._found.given.started_us[self._found.infusions]
        minutes = (own.onset_us - started[own.given]) / MINUTE
        return spread("side_effect_onset", Measured(minutes, FactIds("y", own.fact)), "minutes")

    def open_long(self) -> Figure:
        """Episodes open for more than 28 days."""
        parts = [
            own.fact[(own.ended_us == NONE) & (self._found.as_of_us - own.onset_us > LONG_OPEN)]
            for own in (self.episodes, self._found.unattributed)
        ]
        rows = FactIds("y", np.concatenate(parts))
        return amount("open_over_28_days", len(rows), "episodes", n=len(rows), rows=rows)

    # --- over infusions ----------------------------------------------------------------------------

    def endings(self) -> dict[str, Figure]:
        """Stopped early by reason, left against advice, transferred, died: shares of the infusions given."""
        ends, words = self._found.ends, self._facts.codes("word")
        place = np.full(len(self._facts.codes("infusion")) + 1, -1, dtype=np.int64)
        place[self._found.given.infusion[self._found.infusions]] = np.arange(len(self._fact))
        place[-1] = -1
        given = place[ends["infusion"]]
        hits: dict[str, Bools] = {name: np.zeros(len(self._fact), bool) for name in ("stopped_early", *ENDED_EARLY)}
        for name in hits:
            hits[name][given[(ends["kind"] == words.of(name)) & (given >= 0)]] = True
        early = (ends["kind"] == words.of("stopped_early")) & (given >= 0)
        for reason in np.unique(ends["reason"][early]).tolist():
            hit = np.zeros(len(self._fact), bool)
            hit[given[early & (ends["reason"] == reason)]] = True
            hits[f"stopped_early:{words.name(reason) or None}"] = hit
        return {
            name: proportion(name.partition(":")[0], FactIds("y", self._fact[hit]), self._among)
            for name, hit in sorted(hits.items())
        }

    def cumulative(self) -> dict[str, tuple[tuple[str, Figure], ...]]:
        """Urinary and memory symptoms by the infusions that the patient had had."""
        limits = [limit for limit, _ in CUMULATIVE_BANDS]
        band = np.searchsorted(limits, self._found.so_far, side="left")
        found = {}
        for name, kinds in (("urinary", URINARY), ("memory", MEMORY)):
            hit = np.zeros(len(self._fact), dtype=bool)
            hit[self.episodes.given[self._facts.codes("word").marked(list(kinds))[self.episodes.kind]]] = True
            found[name] = tuple(
                (label, proportion(
                    "cumulative_symptoms", FactIds("y", self._fact[own & hit]), FactIds("y", self._fact[own])
                ))
                for place, label in enumerate([*(label for _, label in CUMULATIVE_BANDS), "25 and more"])
                if (own := band == place).any()
            )  # fmt: skip
        return found

    def control_chart(self) -> tuple[ControlPoint, ...]:
        """Any side effect by calendar month of drug start, on the clinic's clock."""
        n = len(self._fact)
        if not n:
            return ()
        month = self._found.local_start.astype("datetime64[us]").astype("datetime64[M]")
        hit = np.zeros(n, dtype=bool)
        hit[self.episodes.given] = True
        p, u = int(hit.sum()) / n, len(self.episodes) / n
        names, of = np.unique(month, return_inverse=True)
        sizes, hits = np.bincount(of), np.bincount(of, weights=hit).astype(int)
        counts = np.bincount(of[self.episodes.given], minlength=len(names))
        return tuple(
            _point(str(name), int(size), int(some), int(count), p, u)
            for name, size, some, count in zip(names, sizes, hits, counts, strict=True)
        )

    # --- the board ---------------------------------------------------------------------------------

    def board(self) -> Board:
        """What the safety board works through."""
        rows, answers, words = self._found.board, self._found.answers(), self._facts.codes("word")
        size = len(self._facts.codes("subject")) + 1
        answered = np.full(size, 2**62)
        np.minimum.at(answered, answers["subject"], answers["at_us"])
        signed = np.zeros(size, dtype=bool)
        signed[answers["subject"][answers["kind"] == words.of("countersigned")]] = True
        alerts = rows.where(words.marked(["alert", "home_alert"])[rows["kind"]])
        done = answered[alerts["subject"]]
        minutes = (done - alerts["at_us"]) / MINUTE
        closed = done < 2**62
        verbal = rows.where(rows["kind"] == words.of("verbal_order"))
        overdue = ~signed[verbal["subject"]] & (verbal["ended_us"] < self._found.as_of_us)
        still_open = FactIds("y", alerts["position"][~closed])[:]
        return Board(
            refusals=self._counts("refusals", "commands", rows.where(rows["kind"] == words.of("refusal"))),
            overrides=self._counts("overrides", "orders", rows.where(rows["kind"] == words.of("override"))),
            breaches=self._counts("breaches", "entries", rows.where(rows["kind"] == words.of("breach"))),
            alerts=self._counts("alerts", "alerts", alerts),
            minutes_to_acknowledge=spread(
                "alerts", Measured(minutes[closed], FactIds("y", alerts["position"][closed])), "minutes",
                {"open": len(still_open)} if still_open else {},
            ),
            alerts_open=still_open, verbal_orders_overdue=FactIds("y", verbal["position"][overdue])[:],
        )  # fmt: skip

    def _counts(self, metric: str, unit: str, rows: Rows) -> Mapping[str, Figure]:
        words, position = self._facts.codes("word"), rows["position"]
        groups: Iterable[tuple[str, Array]] = (
            (words.name(code), position[rows["code"] == code]) for code in np.unique(rows["code"]).tolist()
        )
        return {
            name: amount(metric, len(own), unit, n=len(own), rows=FactIds("y", own))
            for name, own in sorted(groups, key=lambda one: (-len(one[1]), one[0]))
        }


def _duration(own: Episodes) -> Spread:
    """Minutes from onset to resolution."""
    ended = own.ended_us != NONE
    minutes = (own.ended_us[ended] - own.onset_us[ended]) / MINUTE
    still_open = len(own) - len(minutes)
    return spread(
        "side_effect_duration", Measured(minutes, FactIds("y", own.fact[ended])), "minutes",
        {"open": still_open} if still_open else {},
    )  # fmt: skip


def _point(month: str, size: int, hit: int, episodes: int, p: float, u: float) -> ControlPoint:
    wide, wider = 3 * (p * (1 - p) / size) ** 0.5, 3 * (u / size) ** 0.5
    shown = size >= SMALL
    return ControlPoint(
        month=month, infusions=size, with_episode=hit, episodes=episodes, share=hit / size if shown else None,
        share_centre=p, share_limits=(max(0.0, p - wide), min(1.0, p + wide)),
        rate=episodes / size if shown else None, rate_centre=u, rate_limits=(max(0.0, u - wider), u + wider),
    )  # fmt: skip
