"""A dashboard's JSON beside the recount: every difference by its path."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from tests.recount import stats

CLOSE = 1e-6
"""Relative: sums of thousands of floating-point minutes in another order."""

BOOTSTRAP_BETWEEN = (0.98, 0.91)
"""Two bootstraps draw differently, and shares of few clusters are lumpy: so ends are compared by rank, not by value.
With 2,000 rounds the rank of the 2.5th percentile has a standard error of sqrt(0.025 * 0.975 / 2000) = 0.35 points:
the end lies between the percentiles of 1 % and 4.5 % (over four of those) of scipy's."""


def differences(name: str, mine: dict[str, Any], shown: dict[str, Any]) -> list[str]:
    """What of `mine` is otherwise in the JSON of the dashboard `name`."""
    return list(_differ("", mine, globals()[f"_{name}"](shown)))


# --- the JSON in the recount's shape -----------------------------------------------------------------


def _utilization(shown: dict[str, Any]) -> dict[str, Any]:
    def one(part: dict[str, Any]) -> dict[str, Any]:
        rooms = dict(part["rooms"])
        rooms["unclosed"] = rooms["occupied_minutes"]["flags"].get("unclosed", 0)
        rooms["by_time_of_day"] = {x["starts"]: {**x["busy"], "rooms_open": x["rooms_open"]}
                                   for x in rooms["by_time_of_day"]}
        rooms["by_hour_of_week"] = {(x["weekday"], x["hour"]): x["utilization"] for x in rooms["by_hour_of_week"]}
        rooms["days"] = {x["day"]: x for x in rooms["days"]}
        return {"rooms": rooms, "attendance": part["attendance"]}

    return {"together": one(shown["together"]), "by_clinic": {c: one(x) for c, x in shown["by_clinic"].items()},
            "third_next_available": shown["third_next_available"]}


def _outcomes(shown: dict[str, Any]) -> dict[str, Any]:
    dose = shown["dose_response"]
    points = sorted((round(x["mg_per_kg"], 6), round(x["fall_percent"], 6), x["condition"]) for x in dose["points"])
    return {
        **shown,
        "breakdowns": {name: {x["group"]: x for x in groups} for name, groups in shown["breakdowns"].items()},
        "dose_response": {**dose, "bands": dict(dose["bands"]), "points": points},
        "funnel": {**shown["funnel"], "weeks": {x["week"]: x for x in shown["funnel"]["weeks"]}},
        "waterfall": {**shown["waterfall"], "bars": sorted(
            (round(x["fall"], 6), x["condition"], x["with_adjunct"]) for x in shown["waterfall"]["bars"])},
        "pain_over_time": {x["stage"]: x for x in shown["pain_over_time"]["stages"]},
        "durations": {x["group"]: {**x, "steps": x["survival"]["steps"], "spells": sorted(
            (round(s["days"], 6), round(s["last_good_days"], 6), s["ended"], s["why"]) for s in x["spells"])}
            for x in shown["durations"]},
    }  # fmt: skip


def _funnel(shown: dict[str, Any]) -> dict[str, Any]:
    def one(part: dict[str, Any]) -> dict[str, Any]:
        return {**part, "weeks": {x["week"]: x for x in part["weeks"]}}

    return {"together": one(shown["together"]), "by_clinic": {c: one(x) for c, x in shown["by_clinic"].items()}}


def _safety(shown: dict[str, Any]) -> dict[str, Any]:
    board = dict(shown["board"])
    for name in ("refusals", "overrides", "breaches", "alerts"):
        board[name] = {code: figure["value"] for code, figure in board[name].items()}
    for name in ("alerts_open", "verbal_orders_overdue"):
        board[name] = len(board[name])
    return {
        **shown, "board": board, "by_kind": {x["kind"]: x for x in shown["by_kind"]},
        "cumulative_symptoms": {kind: dict(bands) for kind, bands in shown["cumulative_symptoms"].items()},
        "open_over_28_days": shown["open_over_28_days"]["value"], "unattributed": len(shown["unattributed"]),
    }  # fmt: skip


def _boosters(shown: dict[str, Any]) -> dict[str, Any]:
    rows = {}
    for row in shown["boosters"]["rows"]:
        us = row["booked_starts_us"]
        rows[row["course"]] = {**row, "booked_starts": None if us is None else pd.Timestamp(us, unit="us", tz="UTC")}
    return {"counts": shown["boosters"]["counts"], "rows": rows}


# --- comparing ----------------------------------------------------------------------------------------

_SAME_NAMES = frozenset({
    "by_kind", "breakdowns", "condition", "ordinal", "dose_band", "adjunct", "clinic", "month", "by_condition", "bands",
    "closures", "weeks", "outcomes", "durations", "rows", "refusals", "overrides", "breaches", "alerts", "endings",
    "by_hour_of_week", "days", "by_time_of_day", "booster_gaps", "not_infused_by_reason", "excluded", "failed",
    "failed_by_reason", "phases", "by_grade", "third_next_available", "by_clinic", "urinary", "memory",
})  # fmt: skip
"""Groups in which the dashboard may have no member that the recount has not."""


def _differ(path: str, mine: Any, shown: Any) -> Iterator[str]:
    if isinstance(mine, dict) and isinstance(shown, dict):
        yield from _members(path, mine, shown)
    elif isinstance(mine, list | tuple) and isinstance(shown, list | tuple):
        if len(mine) != len(shown):
            yield f"{path}: {len(mine)} recounted, {len(shown)} shown"
        for index, (own, other) in enumerate(zip(mine, shown, strict=False)):
            yield from _differ(f"{path}[{index}]", own, other)
    elif not same(mine, shown):
        yield f"{path}: recounted {mine!r}, shown {shown!r}"


def _members(path: str, mine: dict[Any, Any], shown: dict[Any, Any]) -> Iterator[str]:
    shown = {**shown, "rows": shown["rows"]["count"]} if "metric" in shown else shown
    for name, value in mine.items():
        at = f"{path}.{name}"
        if name == "bootstrap":
            yield from _bootstrap(path, value, shown)
        elif name not in shown:
            if not (isinstance(value, dict) and value.get("n") == 0) and value != 0:
                yield f"{at}: recounted {str(value)[:200]}, not shown"
        else:
            yield from _differ(at, value, shown[name])
    if "metric" in shown and "median" in shown and shown["rows"] != mine.get("rows", mine["n"]):
        yield f"{path}.rows: {shown['rows']} rows for n = {mine['n']}"
    elif shown.get("method") == "wilson" and shown["rows"] != mine["denominator"]:
        yield f"{path}.rows: {shown['rows']} rows for a denominator of {mine['denominator']}"
    if "metric" not in shown:
        same_names = path.rpartition(".")[2] in _SAME_NAMES
        for name in shown.keys() - mine.keys():
            if holds_a_figure(shown[name]) or (same_names and shown[name] != 0):
                yield f"{path}.{name}: shown {str(shown[name])[:200]}, not recounted"


def holds_a_figure(shown: Any) -> bool:
    """Whether this is a figure or has one in it: none may be shown that is not recounted."""
    if isinstance(shown, dict):
        return "metric" in shown or any(holds_a_figure(one) for one in shown.values())
    return isinstance(shown, list) and any(holds_a_figure(one) for one in shown)


def same(mine: Any, shown: Any) -> bool:
    """Equal, or numbers equal but for rounding."""
    if isinstance(mine, bool) or isinstance(shown, bool) or mine is None or shown is None:
        return mine is shown or mine == shown
    if isinstance(mine, int | float) and isinstance(shown, int | float):
        return math.isclose(mine, shown, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(mine == shown)


def _bootstrap(path: str, drawn: tuple[pd.Series, pd.Series], shown: dict[str, Any]) -> Iterator[str]:
    """The interval of a secondary rate: Wilson's when no patient counts twice, else a bootstrap of patients."""
    hits, patients = drawn
    interval = shown["interval"]
    if len(hits) < stats.FEW:
        if interval is not None:
            yield f"{path}.interval: {interval} for n = {len(hits)}"
        return
    if patients.nunique() == len(patients):
        yield from _differ(f"{path}.interval", stats.wilson(int(hits.sum()), len(hits)), interval)
        return
    if patients.nunique() == 1:
        if interval is not None:
            yield f"{path}.interval: {interval} for one patient"
        return
    wide, narrow = (stats.clustered_bootstrap(hits, patients, confidence) for confidence in BOOTSTRAP_BETWEEN)
    if interval is None or not interval[0] - CLOSE <= shown["value"] <= interval[1] + CLOSE:
        yield f"{path}.interval: {interval} does not hold {shown['value']}"
    elif not (wide[0] - CLOSE <= interval[0] <= narrow[0] + CLOSE
              and narrow[1] - CLOSE <= interval[1] <= wide[1] + CLOSE):
        yield f"{path}.interval: bootstrapped by scipy {wide}, {narrow}, shown {interval}"
