"""Relief: landmark and peak falls, responders, onset, dose and response, per patient and per infusion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.recount import stats
from tests.recount.clinic import Period
from tests.recount.courses import DAY, Courses

MODERATE, SUBSTANTIAL = 30, 50
BANDS = ((0.0, 0.3, "under 0.3"), (0.3, 0.5, "0.3 to 0.5"), (0.5, 0.75, "0.5 to 0.75"),
         (0.75, 1.0, "0.75 to 1"), (1.0, 9e9, "1 and over"))


def figures(courses: Courses, chosen: list[str], period: Period) -> dict[str, Any]:
    """By the outcome dashboard's own names."""
    own = courses.in_period(courses.infusions, chosen, period, "started")
    firsts = own[own.ordinal == 1]
    return {
        "infusions": len(own), "patients": own.patient.nunique(),
        "landmark_fall": _falls(own, "landmark"), "peak_fall": _falls(own, "peak"),
        "responders": {
            **_pair("first", firsts.drop_duplicates("patient")),
            **_pair("gate", _at_gate(courses, chosen, period)),
            **_after_28_days(courses, own),
        },
        "per_infusion_30": _per_infusion(own, MODERATE), "per_infusion_50": _per_infusion(own, SUBSTANTIAL),
        "low_baseline": _low_baseline(own),
        "breakdowns": _breakdowns(courses, own),
        "onset": _onset(own),
        "infusions_to_relief": _infusions_to_relief(courses, firsts),
        "dose_response": _dose_response(firsts),
        "waterfall": _waterfall(courses, firsts.drop_duplicates("patient")),
        "pain_over_time": _pain_over_time(courses, firsts.drop_duplicates("patient")),
    }


def _counted(own: pd.DataFrame, which: str = "landmark") -> tuple[pd.DataFrame, dict[str, int]]:
    out = own[f"{which}_out"].dropna().value_counts()
    return own[own[f"{which}_out"].isna()], {reason: int(count) for reason, count in sorted(out.items())}


def _falls(own: pd.DataFrame, which: str) -> dict[str, Any]:
    counted, out = _counted(own, which)
    return stats.spread(counted[which], out)


def _pair(name: str, own: pd.DataFrame) -> dict[str, Any]:
    counted, out = _counted(own)
    return {
        f"{name}_{least}": stats.share(int((counted.landmark >= least).sum()), len(counted), out)
        for least in (MODERATE, SUBSTANTIAL)
    }


def _at_gate(courses: Courses, chosen: list[str], period: Period) -> pd.DataFrame:
    gates = courses.known.of("course.response_assessed", fields=["infusion_id"])
    gates = courses.in_period(gates, chosen, period, "at").drop_duplicates("patient", keep="last")
    return courses.infusions[courses.infusions.stream.isin(gates.infusion_id)]


def _after_28_days(courses: Courses, own: pd.DataFrame) -> dict[str, Any]:
    last = courses.finished_series().sort_values("started")
    last = last[last.stream.isin(own.stream)].drop_duplicates("patient", keep="last")
    rows = []
    for _, row in last.iterrows():
        later, fall, out = row.next_started, None, None
        from_, until = row.stopped + 21 * DAY, row.stopped + 28 * DAY
        if pd.notna(later):
            until = min(until, later)
        scores = courses.scores(row.patient, from_, until)
        if pd.isna(row.baseline):
            out = "no_baseline"
        elif row.baseline < 3:
            out = "baseline_under_3" if row.baseline else "baseline_zero"
        elif pd.notna(later) and later < from_:
            out = "superseded"
        elif not len(scores):
            out = "pending" if courses.as_of < until else "missing"
        else:
            fall = 100 * (row.baseline - float(scores.score.iloc[-1])) / row.baseline
        rows.append({"landmark": fall, "landmark_out": out})
    return _pair("after_28_days", pd.DataFrame(rows, columns=["landmark", "landmark_out"]))


def _per_infusion(own: pd.DataFrame, least: int) -> dict[str, Any]:
    counted, out = _counted(own)
    shown = stats.share(int((counted.landmark >= least).sum()), len(counted), out, interval="bootstrap")
    return {**shown, "bootstrap": (counted.landmark >= least, counted.patient)}


def _low_baseline(own: pd.DataFrame) -> dict[str, Any]:
    low = own[(own.landmark_out == "baseline_under_3") & own.landmark.notna()]
    shown = stats.share(int((low.landmark >= MODERATE).sum()), len(low), interval="bootstrap")
    return {**shown, "bootstrap": (low.landmark >= MODERATE, low.patient)}


def _onset(own: pd.DataFrame) -> dict[str, Any]:
    eligible = own[~own.landmark_out.isin(["no_baseline", "baseline_zero", "baseline_under_3"])]
    out = own.landmark_out[own.landmark_out.isin(["no_baseline", "baseline_zero", "baseline_under_3"])].value_counts()
    none = int(eligible.onset.isna().sum())
    return stats.spread(eligible.onset.dropna(), {**({"no_fall_seen": none} if none else {}),
                                                  **{one: int(count) for one, count in out.items()}})


def _infusions_to_relief(courses: Courses, firsts: pd.DataFrame) -> dict[str, Any]:
    counted = []
    for course in firsts.course_id:
        own = courses.infusions[(courses.infusions.course_id == course) & courses.infusions.landmark_out.isna()]
        reached = own[own.landmark >= SUBSTANTIAL].ordinal
        counted.append(float(reached.min()) if len(reached) else None)
    found = [one for one in counted if one is not None]
    missed = len(counted) - len(found)
    return stats.spread(found, {"not_reached": missed} if missed else {})


def band(mg_per_kg: float) -> str:
    """The dose band of a dose per kilogram."""
    return next(name for low, high, name in BANDS if low <= mg_per_kg < high)


def _breakdowns(courses: Courses, own: pd.DataFrame) -> dict[str, Any]:
    months = [
        row.started.tz_convert(courses.clinics[row.clinic].zone).strftime("%Y-%m") for _, row in own.iterrows()
    ]
    adjunct = ["yes" if courses.adjunct(row.patient, row.clinic, row.started) else "no" for _, row in own.iterrows()]
    keys = {
        "condition": own.condition, "ordinal": own.ordinal.map(lambda n: str(n) if n < 8 else "8 and later"),
        "dose_band": own.dose_mg_per_kg.map(band), "adjunct": pd.Series(adjunct, index=own.index, dtype=object),
        "clinic": own.clinic, "month": pd.Series(months, index=own.index, dtype=object),
    }  # fmt: skip
    return {
        name: {
            str(group): {
                **({"first_30": None, "first_50": None} if name == "ordinal" else _first_ones(part)),
                "patients": _counted(part)[0].patient.nunique(),
                "landmark_fall": _falls(part, "landmark"), "responders_30": _per_infusion(part, MODERATE),
                "responders_50": _per_infusion(part, SUBSTANTIAL),
            }
            for group, part in own.groupby(key)
        }
        for name, key in keys.items()
    }  # fmt: skip


def _first_ones(part: pd.DataFrame) -> dict[str, Any]:
    """Per patient, by the first infusion of a course that is in the group."""
    return _pair("first", part[part.ordinal == 1].sort_values(["started", "position"]).drop_duplicates("patient"))


def _dose_response(firsts: pd.DataFrame) -> dict[str, Any]:
    counted, _ = _counted(firsts)
    per_hour = counted.dose_mg_per_kg / (counted.minutes / 60)

    def rho(doses: pd.Series, falls: pd.Series) -> dict[str, Any]:
        value, interval = stats.spearman(list(doses), list(falls))
        return {"value": value, "interval": interval, "n": len(doses)}

    return {
        "mg_per_kg": rho(counted.dose_mg_per_kg, counted.landmark), "mg_per_kg_h": rho(per_hour, counted.landmark),
        "by_condition": {
            condition: rho(own.dose_mg_per_kg, own.landmark) for condition, own in counted.groupby("condition")
        },
        "bands": {name: stats.spread(own.landmark) for name, own in counted.groupby(counted.dose_mg_per_kg.map(band))},
        "points": sorted(
            (round(float(row.dose_mg_per_kg), 6), round(float(row.landmark), 6), row.condition)
            for _, row in counted.iterrows()
        ),
    }  # fmt: skip


# --- pictures ----------------------------------------------------------------------------------------

STAGES = (("day_1", 0, 2), ("days_2_4", 2, 5), ("days_5_9", 5, 10), ("week_2", 10, 17), ("week_3", 17, 24),
          ("week_4", 24, 35), ("week_6", 35, 49), ("week_8", 49, 70), ("week_12", 70, 98))


def _waterfall(courses: Courses, firsts: pd.DataFrame) -> dict[str, Any]:
    counted, _ = _counted(firsts)
    bars = sorted(
        (round(float(row.landmark), 6), row.condition, courses.adjunct(row.patient, row.clinic, row.started))
        for row in counted.itertuples()
    )
    return {"bars": bars, "falls": _falls(firsts, "landmark")}


def _pain_over_time(courses: Courses, firsts: pd.DataFrame) -> dict[str, Any]:
    """The last score of each patient in each stretch of days, of those followed to its end."""
    without = ("no_baseline", "baseline_zero", "baseline_under_3")
    out = firsts.landmark_out[firsts.landmark_out.isin(without)].value_counts()
    excluded = {reason: int(count) for reason, count in out.items()}
    own = firsts[~firsts.landmark_out.isin(without)]
    found = {"baseline": _stage(list(own.baseline), len(own), excluded)}
    for name, low, high in STAGES:
        reached = own[own.started + high * DAY <= courses.as_of]
        last = []
        for row in reached.itertuples():
            seen = courses.scores(row.patient, row.started + low * DAY, row.started + high * DAY)
            seen = seen[seen["at"] < row.started + high * DAY]
            last += [float(score) for score in seen.score.iloc[-1:]]
        found[name] = _stage(last, len(reached), excluded)
    return found


def _stage(scores: list[float], reached: int, excluded: dict[str, int]) -> dict[str, Any]:
    quartiles = np.percentile(scores, [25, 75]).tolist() if len(scores) >= stats.FEW else [None, None]
    return {"reached": reached, "pain": stats.spread(scores, excluded), "p25": quartiles[0], "p75": quartiles[1]}
