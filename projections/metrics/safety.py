"""Side effects as episodes, tied to infusions; shares, rates, onset, duration; the safety board's counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from domain.vocabulary.side_effects import MEMORY, URINARY
from projections.facts.encoding import DAY, MINUTE
from projections.metrics.calendar import local_date
from projections.metrics.courses import Identities
from projections.metrics.figures import SMALL, Figure, Spread, amount, left_out, proportion, quotient, spread
from projections.metrics.statistics import poisson_interval

Row = Mapping[str, Any]
ATTRIBUTED_WITHIN = 7 * DAY
LONG_OPEN = 28 * DAY
CUMULATIVE_BANDS = ((6, "1 to 6"), (12, "7 to 12"), (24, "13 to 24"))
ENDED_EARLY = ("left_against_advice", "transferred", "died")


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One infusion given: the denominator. `so_far` counts the patient's infusions, this one included."""

    infusion: str
    patient: str
    clinic: str
    started_us: int
    stopped_us: int
    fact: str
    so_far: int


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One side effect from first report to resolution, at its highest grade; `infusion` None: unattributed."""

    side_effect: str
    kind: str
    grade: int
    serious: bool
    onset_us: int
    ended_us: int | None
    treated: bool
    from_home: bool
    patient: str
    infusion: str | None
    fact: str
    facts: tuple[str, ...]


def given(rows: Iterable[Row], identities: Identities) -> list[Given]:
    """Whole patients' infusions, numbered by drug start."""
    so_far: dict[str, int] = defaultdict(int)
    found = []
    for row in sorted(rows, key=lambda row: (row["onset_us"], row["position"])):
        patient = identities.of(row["patient"] or "")
        so_far[patient] += 1
        found.append(Given(
            infusion=row["infusion"], patient=patient, clinic=row["clinic"] or "", started_us=row["onset_us"],
            stopped_us=row["at_us"], fact=row["fact_id"], so_far=so_far[patient],
        ))  # fmt: skip
    return found


def episodes(rows: Iterable[Row], infusions: Sequence[Given], identities: Identities) -> list[Episode]:
    """Episodes from the rows of `safety_facts`; steps without a report make none."""
    steps: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        steps[row["subject"]].append(row)
    stops: dict[str, list[Given]] = defaultdict(list)
    for one in infusions:
        stops[one.patient].append(one)
    found = []
    for own in steps.values():
        own.sort(key=lambda row: (row["at_us"], row["position"]))
        report = next((row for row in own if row["kind"] in ("side_effect", "side_effect_from_home")), None)
        if report is not None:
            found.append(_episode(report, own, stops[identities.of(report["patient"] or "")]))
    return sorted(found, key=lambda one: (one.onset_us, one.side_effect))


def _episode(report: Row, steps: Sequence[Row], stops: Sequence[Given]) -> Episode:
    home = report["kind"] == "side_effect_from_home"
    graded = [row for row in steps if row["grade"] is not None]
    resolved = [row["at_us"] for row in steps if row["kind"] == "resolved"]
    if report["ended_us"] is not None:
        resolved.append(report["ended_us"])
    return Episode(
        side_effect=report["subject"], kind=report["code"], grade=max(row["grade"] for row in graded),
        serious=any(row["serious"] for row in graded), onset_us=report["onset_us"],
        ended_us=min(resolved, default=None), treated=any(row["kind"] == "treated" for row in steps), from_home=home,
        patient=report["patient"] or "", fact=report["fact_id"], facts=tuple(row["fact_id"] for row in steps),
        infusion=_attributed(report["onset_us"], stops) if home else report["infusion"],
    )  # fmt: skip


def _attributed(onset_us: int, stops: Sequence[Given]) -> str | None:
    """The last drug stop at or before the onset, within 7 days."""
    earlier = [one for one in stops if onset_us - ATTRIBUTED_WITHIN <= one.stopped_us <= onset_us]
    return max(earlier, key=lambda one: one.stopped_us).infusion if earlier else None


# --- figures --------------------------------------------------------------------------------------


class KindFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of side effect. `by_grade`: infusions whose highest grade of this kind is that one."""

    kind: str
    share: Figure
    by_grade: Mapping[int, Figure]
    per_100: Figure
    onset: Spread
    duration: Spread
    treated: Figure


class ControlPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One month on the p-chart (share of infusions with an episode) and u-chart (episodes per infusion), 3 sigma."""

    month: str
    infusions: int
    with_episode: int
    episodes: int
    share: float | None
    share_centre: float
    share_limits: tuple[float, float]
    rate: float | None
    rate_centre: float
    rate_limits: tuple[float, float]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by what they are about, each opening into its rows."""

    refusals: Mapping[str, Figure]
    overrides: Mapping[str, Figure]
    breaches: Mapping[str, Figure]
    alerts: Mapping[str, Figure]
    minutes_to_acknowledge: Spread
    alerts_open: tuple[str, ...]
    verbal_orders_overdue: tuple[str, ...]


class SafetyMaterial(msgspec.Struct, frozen=True, kw_only=True):
    """Infusions of the period, their episodes, and those that belong to none."""

    infusions: Sequence[Given]
    episodes: Sequence[Episode]
    unattributed: Sequence[Episode]
    as_of_us: int
    timezones: Mapping[str, str]

    @property
    def excluded(self) -> dict[str, int]:
        return {"unattributed": len(self.unattributed)} if self.unattributed else {}


def by_kind(material: SafetyMaterial) -> tuple[KindFigures, ...]:
    """Every kind seen, the most frequent first."""
    kinds: dict[str, list[Episode]] = defaultdict(list)
    for one in material.episodes:
        kinds[one.kind].append(one)
    ordered = sorted(kinds, key=lambda kind: (-len(kinds[kind]), kind))
    return tuple(_kind(kind, kinds[kind], material) for kind in ordered)


def _kind(kind: str, own: Sequence[Episode], material: SafetyMaterial) -> KindFigures:
    worst: dict[str, int] = {}
    for one in own:
        if one.infusion is not None:
            worst[one.infusion] = max(one.grade, worst.get(one.infusion, 0))
    return KindFigures(
        kind=kind, share=share(material, own),
        by_grade={
            grade: _share_of("side_effect_share", material, {one for one, found in worst.items() if found == grade})
            for grade in sorted(set(worst.values()))
        },
        per_100=per_100(material, own), onset=onset(material, own), duration=duration(own),
        treated=proportion("side_effect_treated", [one.fact for one in own if one.treated], [one.fact for one in own]),
    )  # fmt: skip


def _share_of(metric: str, material: SafetyMaterial, infusions: set[str]) -> Figure:
    return proportion(
        metric, [one.fact for one in material.infusions if one.infusion in infusions],
        [one.fact for one in material.infusions], material.excluded,
    )  # fmt: skip


def share(material: SafetyMaterial, own: Sequence[Episode]) -> Figure:
    """Infusions with at least one of these episodes."""
    return _share_of("side_effect_share", material, {one.infusion for one in own if one.infusion})


def serious(material: SafetyMaterial) -> Figure:
    """Infusions with a serious episode."""
    return _share_of(
        "serious_share", material, {one.infusion for one in material.episodes if one.serious and one.infusion}
    )


def per_100(material: SafetyMaterial, own: Sequence[Episode]) -> Figure:
    """Episodes per 100 infusions, exact Poisson; counts alone under ten infusions."""
    n = len(material.infusions)
    figure = quotient(
        "side_effect_rate", len(own), n, "per 100", n=n, rows=[one.fact for one in own],
        excluded=material.excluded,
    )  # fmt: skip
    if n < SMALL:
        return msgspec.structs.replace(figure, value=None)
    low, high = poisson_interval(len(own))
    return msgspec.structs.replace(figure, interval=(100 * low / n, 100 * high / n), method="exact_poisson")


def onset(material: SafetyMaterial, own: Sequence[Episode]) -> Spread:
    """Minutes from drug start."""
    started = {one.infusion: one.started_us for one in material.infusions}
    values = [
        ((one.onset_us - started[one.infusion]) / MINUTE, one.fact) for one in own if one.infusion in started
    ]
    return spread("side_effect_onset", values, "minutes")


def duration(own: Sequence[Episode]) -> Spread:
    """Minutes from onset to resolution."""
    values = [((one.ended_us - one.onset_us) / MINUTE, one.fact) for one in own if one.ended_us is not None]
    return spread("side_effect_duration", values, "minutes", left_out("open" for one in own if one.ended_us is None))


def endings(rows: Iterable[Row], material: SafetyMaterial) -> dict[str, Figure]:
    """Stopped early by reason, left against advice, transferred, died: shares of the infusions given."""
    infusions = {one.infusion: one.fact for one in material.infusions}
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row["infusion"] not in infusions:
            continue
        if row["kind"] == "stopped_early":
            groups["stopped_early", "stopped_early"].add(row["infusion"])
            groups["stopped_early", f"stopped_early:{row['reason']}"].add(row["infusion"])
        elif row["kind"] in ENDED_EARLY:
            groups[row["kind"], row["kind"]].add(row["infusion"])
    for name in ("stopped_early", *ENDED_EARLY):
        groups[name, name].update()
    among = list(infusions.values())
    return {
        name: proportion(metric, [fact for one, fact in infusions.items() if one in found], among)
        for (metric, name), found in sorted(groups.items(), key=lambda item: item[0][1])
    }


def cumulative(material: SafetyMaterial) -> dict[str, tuple[tuple[str, Figure], ...]]:
    """Urinary and memory symptoms by the infusions that the patient had had."""
    found = {}
    for name, kinds in (("urinary", URINARY), ("memory", MEMORY)):
        hit = {one.infusion for one in material.episodes if one.kind in kinds}
        bands: dict[str, list[Given]] = defaultdict(list)
        for one in material.infusions:
            bands[_band(one.so_far)].append(one)
        found[name] = tuple(
            (band, proportion(
                "cumulative_symptoms", [one.fact for one in own if one.infusion in hit], [one.fact for one in own]
            ))
            for band in [*(name for _, name in CUMULATIVE_BANDS), "25 and more"]
            if (own := bands.get(band))
        )  # fmt: skip
    return found


def _band(so_far: int) -> str:
    return next((name for limit, name in CUMULATIVE_BANDS if so_far <= limit), "25 and more")


def open_long(material: SafetyMaterial) -> Figure:
    """Episodes open for more than 28 days."""
    found = [
        one for one in (*material.episodes, *material.unattributed)
        if one.ended_us is None and material.as_of_us - one.onset_us > LONG_OPEN
    ]  # fmt: skip
    return amount("open_over_28_days", len(found), "episodes", n=len(found), rows=[one.fact for one in found])


def control_chart(material: SafetyMaterial) -> tuple[ControlPoint, ...]:
    """Any side effect by calendar month of drug start, on the clinic's clock."""
    n = len(material.infusions)
    if not n:
        return ()
    month = {
        one.infusion: local_date(material.timezones[one.clinic], one.started_us).strftime("%Y-%m")
        for one in material.infusions
    }
    own: dict[str, list[Episode]] = defaultdict(list)
    for one in material.episodes:
        own[month[one.infusion or ""]].append(one)
    p = len({one.infusion for one in material.episodes}) / n
    u = len(material.episodes) / n
    points = []
    for name in sorted(set(month.values())):
        size = sum(1 for found in month.values() if found == name)
        hit = len({one.infusion for one in own[name]})
        wide, wider = 3 * (p * (1 - p) / size) ** 0.5, 3 * (u / size) ** 0.5
        shown = size >= SMALL
        points.append(ControlPoint(
            month=name, infusions=size, with_episode=hit, episodes=len(own[name]), share=hit / size if shown else None,
            share_centre=p, share_limits=(max(0.0, p - wide), min(1.0, p + wide)),
            rate=len(own[name]) / size if shown else None, rate_centre=u, rate_limits=(max(0.0, u - wider), u + wider),
        ))  # fmt: skip
    return tuple(points)


# --- the board ------------------------------------------------------------------------------------


def board(rows: Iterable[Row], acknowledged: Mapping[str, int], countersigned: frozenset[str], as_of_us: int) -> Board:
    """What the safety board works through: `acknowledged` alert -> moment, `countersigned` orders."""
    of_kind: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        of_kind[row["kind"]][row["code"] or ""].append(row)
    alerts = [row for kind in ("alert", "home_alert") for some in of_kind[kind].values() for row in some]
    verbal = [row for some in of_kind["verbal_order"].values() for row in some]
    by_sign: dict[str, list[Row]] = defaultdict(list)
    for row in alerts:
        by_sign[row["code"]].append(row)
    minutes = [
        ((acknowledged[row["subject"]] - row["at_us"]) / MINUTE, row["fact_id"])
        for row in alerts
        if row["subject"] in acknowledged
    ]
    still_open = tuple(row["fact_id"] for row in alerts if row["subject"] not in acknowledged)
    return Board(
        refusals=_counts("refusals", "commands", of_kind["refusal"]),
        overrides=_counts("overrides", "orders", of_kind["override"]),
        breaches=_counts("breaches", "entries", of_kind["breach"]), alerts=_counts("alerts", "alerts", by_sign),
        minutes_to_acknowledge=spread("alerts", minutes, "minutes", {"open": len(still_open)} if still_open else {}),
        alerts_open=still_open,
        verbal_orders_overdue=tuple(
            row["fact_id"] for row in verbal if row["subject"] not in countersigned and row["ended_us"] < as_of_us
        ),
    )  # fmt: skip


def _counts(metric: str, unit: str, groups: Mapping[str, Sequence[Row]]) -> dict[str, Figure]:
    ordered = sorted(groups, key=lambda name: (-len(groups[name]), name))
    found = {}
    for name in ordered:
        rows = [row["fact_id"] for row in groups[name]]
        found[name] = amount(metric, len(rows), unit, n=len(rows), rows=rows)
    return found
