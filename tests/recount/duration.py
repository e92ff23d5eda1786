"""How long relief lasts: spells from a responder's drug stop, and their Kaplan-Meier curves."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.recount import stats
from tests.recount.clinic import Period
from tests.recount.courses import DAY, Courses
from tests.recount.exported import Known

MARKS = (0, 1, 3, 7, 14, 21, 28, 42, 56, 84)
MODERATE = 30


def booster_words(known: Known) -> pd.DataFrame:
    """All that was said of boosters, with the date that then stood and why: the reason of the word that set it."""
    said = known.of(
        "course.booster_scheduled", "course.booster_rescheduled", "course.booster_cancelled",
        fields=["booster_id", "due_on", "reason_code", "basis_days"],
    )
    standing: dict[str, tuple[str, str, list[str]]] = {}
    rows = []
    for row in said.itertuples():
        before = standing.get(row.booster_id)
        moved = row.due_on is not None and (before is None or (row.due_on != before[0] and row.reason_code != "booked"))
        if moved:
            standing[row.booster_id] = (row.due_on, row.reason_code, row.basis_days or [])
        elif before is not None and row.due_on is not None:
            standing[row.booster_id] = (row.due_on, *before[1:])
        rows.append(standing.get(row.booster_id, (None, None, [])))
    stood = pd.DataFrame(rows, columns=["due", "because", "basis"], index=said.index, dtype=object)
    return pd.concat([said, stood], axis=1)


class Spells:
    """One spell per infusion with a landmark fall of at least 30 %."""

    def __init__(self, courses: Courses) -> None:
        self.courses, self.known = courses, courses.known
        self.ends = self._endings()
        self.for_pain = self._for_returned_pain()
        rows = [self.spell(row) for _, row in courses.infusions.iterrows()]
        found = pd.DataFrame(rows, index=courses.infusions.index, columns=["days", "last_good", "spell_ended", "why"])
        self.table = pd.concat([courses.infusions, found, self._groups()], axis=1)

    def _endings(self) -> pd.DataFrame:
        """Deaths and transfers: when, of whom, why."""
        closed = self.known.of("course.closed", fields=["reason_code"])
        parts = [closed[closed.reason_code == "deceased"], self.known.of("course.transferred")]
        return pd.concat([one[["stream", "at"]] for one in parts]).assign(why="died_or_moved").sort_values("at")

    def _for_returned_pain(self) -> set[str]:
        """Infusions given because pain had come back: re-inductions, and boosters brought forward for it."""
        words = booster_words(self.known)
        found = set()
        for _, row in self.courses.infusions.iterrows():
            said = words[(words.stream == row.course_id) & (words["at"] <= row.started)]
            brought = (
                row.purpose == "booster" and len(said) and said.because.iloc[-1] == "pain_returned"
                and said.name.iloc[-1] != "course.booster_cancelled.v1"
            )
            if row.purpose == "re_induction" or brought:
                found.add(row.stream)
        return found

    def _groups(self) -> pd.DataFrame:
        infusions = self.courses.infusions
        group = pd.Series(None, index=infusions.index, dtype=object)
        group[infusions.purpose == "trial"] = "trial"
        series = self.courses.finished_series()
        group[series.index] = "last_of_series"
        boosters = infusions[infusions.purpose == "booster"]
        number = boosters.groupby("course_id").cumcount() + 1
        group[boosters.index] = number.map(lambda n: f"booster_{n}")
        return pd.DataFrame({"group": group, "booster_number": number.reindex(infusions.index)})

    def spell(self, row: pd.Series, low: bool = False) -> tuple[Any, ...]:
        """Days, days until the last good score, whether it ended, why; `low`: of a baseline under 3 too."""
        counts = row.landmark_out is None or (low and row.landmark_out == "baseline_under_3")
        if not counts or not row.landmark >= MODERATE:
            return None, None, None, None
        upcoming = row.next_started if pd.notna(row.next_started) else None
        limits = [] if upcoming is None else [(upcoming, "infusion")]
        over = self.ends[(self.ends.stream == row.course_id) & (self.ends["at"] >= row.stopped)]
        limits += [(one["at"], one.why) for _, one in over.iloc[:1].iterrows()]
        limit, why = min(limits, default=(None, "last_score"), key=lambda one: one[0])
        scores = self.courses.scores(row.patient, row.stopped, limit if limit is not None else self.courses.as_of)
        falls = 100 * (row.baseline - scores.score) / row.baseline
        good = (falls >= MODERATE).tolist()
        times = scores["at"].tolist()
        landmark = max((n for n, at in enumerate(times) if at <= row.window_ends), default=-1)
        for n in range(landmark + 1, len(times) - 1):
            if not good[n] and not good[n + 1]:
                before = max(at for at, is_good in zip(times[:n], good, strict=False) if is_good)
                return self._days(row, times[n]), self._days(row, before), True, "pain_returned"
        seen_good = (at for at, is_good in zip(times, good, strict=True) if is_good)
        last_good = self._days(row, max(seen_good, default=row.stopped))
        if why == "infusion":
            ended = row.next_infusion in self.for_pain
            why = "infusion_for_returned_pain" if ended else "planned_infusion"
            return self._days(row, limit), last_good, ended, why
        if limit is None:
            return self._days(row, times[-1]), last_good, False, "last_score"
        return self._days(row, limit), last_good, False, why

    def _days(self, row: pd.Series, at: pd.Timestamp) -> float:
        return float((at - row.stopped) / DAY)


def figures(spells: Spells, chosen: list[str], period: Period) -> list[dict[str, Any]]:
    """One curve each for trials, last infusions of a series, and boosters by number."""
    own = spells.courses.in_period(spells.table, chosen, period, "started")
    order = {"trial": -2, "last_of_series": -1}
    groups = sorted(own.group.dropna().unique(), key=lambda one: order.get(one) or int(one.split("_")[1]))
    return [_curve(group, own[own.group == group]) for group in groups]


def _curve(group: str, own: pd.DataFrame) -> dict[str, Any]:
    spells = own[own.days.notna()]
    out = own.landmark_out.dropna().value_counts().to_dict()
    weak = int((own.landmark_out.isna() & own.days.isna()).sum())
    excluded = {**({"not_a_responder": weak} if weak else {}), **{one: int(count) for one, count in out.items()}}
    shown: dict[str, Any] = {
        "group": group, "n": len(spells), "ended": int(spells.spell_ended.astype(bool).sum()), "excluded": excluded,
        "spells": sorted(
            (round(row.days, 6), round(row.last_good, 6), bool(row.spell_ended), row.why) for row in spells.itertuples()
        ),
        "at_risk": {str(mark): int((spells.days >= mark).sum()) for mark in MARKS},
    }  # fmt: skip
    if spells.empty:
        return {**shown, "median_days": None, "median_interval": [None, None], "surviving": {}, "steps": [],
                "median": {"value": None, "n": 0, "excluded": excluded}}
    fitted = stats.kaplan_meier(spells.days, spells.spell_ended.astype(bool))
    median, interval = stats.km_median(fitted)
    last = float(spells.days.max())
    curve = fitted.survival_function_at_times(list(MARKS)).tolist()
    limits = fitted.confidence_interval_
    steps = [
        {"time": float(at), "surviving": float(fitted.survival_function_.loc[at].iloc[0]),
         "at_risk": int(fitted.event_table.loc[at, "at_risk"]), "ended": int(fitted.event_table.loc[at, "observed"]),
         "censored": int(fitted.event_table.loc[at, "censored"]),
         "interval": [float(limits.loc[at].iloc[0]), float(limits.loc[at].iloc[1])]}
        for at in fitted.survival_function_.index if at in set(spells.days)
    ]
    return {
        **shown, "median_days": median, "median_interval": interval, "steps": steps,
        "median": {"value": median, "n": len(spells), "rows": len(spells), "excluded": excluded},
        "surviving": {
            str(mark): value if mark <= last or value == 0 else None for mark, value in zip(MARKS, curve, strict=True)
        },
    }  # fmt: skip
