"""Infusions given, the courses they belong to, and what pain did around them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.recount.clinic import Clinic, Period
from tests.recount.exported import Known, instants

DAY, HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)
WINDOW = 72 * HOUR
LANDMARK, PEAK = 24 * HOUR, HOUR
BASELINE = 7 * DAY


class Courses:
    """Every infusion given (not while it still runs): its ordinal, its course's baseline, its window, falls of pain."""

    def __init__(self, known: Known, clinics: dict[str, Clinic], as_of: pd.Timestamp) -> None:
        self.known, self.clinics, self.as_of = known, clinics, as_of
        scored = known.of("diary.pain_scored", fields=["score"], kind="now")
        self.pain = scored[scored.kind == "now"].reset_index(drop=True)
        self.by_patient = dict(iter(self.pain.groupby("patient")))
        self._times = {patient: pd.DatetimeIndex(own["at"]) for patient, own in self.by_patient.items()}
        self.opened = self._opened()
        self.infusions = self._infusions()

    def _opened(self) -> pd.DataFrame:
        opened = self.known.of("course.opened", fields=["patient_id", "condition", "plan"], clinic_id=None)
        return opened.drop_duplicates("stream").set_index("stream")

    def _infusions(self) -> pd.DataFrame:
        given = self.known.of(
            "infusion.given",
            fields=["course_id", "purpose", "drug_started_at", "dose_mg", "dose_mg_per_kg", "minutes", "complete"],
        ).drop_duplicates("stream", keep="last")  # fmt: skip
        given["started"], given["stopped"] = instants(given.drug_started_at), given["at"]
        for column in ("dose_mg", "dose_mg_per_kg", "minutes"):
            given[column] = given[column].astype(float)
        given = given.sort_values(["started", "position"], ignore_index=True)
        given["next_started"] = pd.Series(
            given.groupby("patient").started.shift(-1), index=given.index, dtype="datetime64[us, UTC]")
        given["next_infusion"] = given.groupby("patient").stream.shift(-1)
        given["ordinal"] = given.groupby("course_id").cumcount() + 1
        given["course_started"] = given.groupby("course_id").started.transform("min")
        given["condition"] = given.course_id.map(self.opened.condition)
        rows = [self._relief(row) for _, row in given.iterrows()]
        relief = pd.DataFrame(rows, index=given.index, columns=[
            "baseline", "window_ends", "landmark", "landmark_out", "peak", "peak_out", "onset"])
        return pd.concat([given, relief], axis=1)

    # --- one infusion ------------------------------------------------------------------------------------

    def scores(self, patient: str, after: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        """Pain scores from `after` to `until`, both included."""
        own = self.by_patient.get(patient)
        if own is None:
            return self.pain.iloc[:0]
        times = self._times[patient]
        return own.iloc[times.searchsorted(after, "left"):times.searchsorted(until, "right")]

    def baseline(self, patient: str, course_started: pd.Timestamp) -> float | None:
        """The last score in the 7 days before the course's first drug start."""
        own = self.scores(patient, course_started - BASELINE, course_started)
        return float(own.score.iloc[-1]) if len(own) else None

    def _relief(self, row: pd.Series) -> tuple[Any, ...]:
        baseline = self.baseline(row.patient, row.course_started)
        ends = row.stopped + WINDOW
        if pd.notna(row.next_started):
            ends = min(ends, row.next_started)
        window = self.scores(row.patient, row.stopped, ends)
        late = window[window["at"] >= row.stopped + LANDMARK]
        early = window[window["at"] >= row.stopped + PEAK]
        out = self._left_out(row, baseline, ends)
        landmark = peak = onset = None
        if out is None or out in ("superseded", "baseline_under_3"):
            falls = 100 * (baseline - window.score) / baseline
            relieved = window[falls >= 30]
            onset = (relieved["at"].iloc[0] - row.stopped) / HOUR if len(relieved) else None
        if out in (None, "baseline_under_3") and len(late):
            landmark = 100 * (baseline - float(late.score.iloc[-1])) / baseline
        if out in (None, "baseline_under_3") and len(early):
            peak = 100 * (baseline - float(early.score.min())) / baseline
        pending = "pending" if ends > self.as_of else "missing"
        return (
            baseline, ends, landmark, out or (None if landmark is not None else pending),
            peak, out or (None if peak is not None else pending), onset,
        )  # fmt: skip

    def _left_out(self, row: pd.Series, baseline: float | None, ends: pd.Timestamp) -> str | None:
        if baseline is None or baseline == 0:
            return "no_baseline" if baseline is None else "baseline_zero"
        if ends - row.stopped < LANDMARK:
            return "superseded"
        return "baseline_under_3" if baseline < 3 else None

    # --- who counts --------------------------------------------------------------------------------------

    def in_period(self, frame: pd.DataFrame, chosen: list[str], period: Period, column: str) -> pd.DataFrame:
        """Rows at the chosen clinics whose `column` lies in the period, by each clinic's days."""
        parts = []
        for one in chosen:
            first, end = self.clinics[one].within(period)
            own = frame[frame.clinic == one]
            parts.append(own[(own[column] >= first) & (own[column] < end)])
        return pd.concat(parts).sort_values([column, "position"])

    def finished_series(self) -> pd.DataFrame:
        """The last infusion of each series that is over.

        Over: another purpose followed, optimal relief was reached after it, the course closed, as many as planned were
        given, or the planned window has passed.
        """
        closed = set(self.known.of("course.closed").stream)
        relieved = self.known.of("course.optimal_relief_reached").groupby("stream")["at"].min()
        plans = self.known.of("course.series_planned", "course.series_revised", fields=["infusions", "window_ends"])
        plans = plans.drop_duplicates("stream", keep="last").set_index("stream")
        over = []
        for course, own in self.infusions.groupby("course_id"):
            series = own[own.purpose == "series"]
            if series.empty:
                continue
            last = series.iloc[-1]
            today = self.clinics[last.clinic].day(self.as_of).isoformat()
            plan = plans.loc[course] if course in plans.index else None
            if (
                own.index[-1] != last.name or course in closed
                or (course in relieved.index and relieved[course] >= last.started)
                or (plan is not None and (len(series) >= plan.infusions or today > plan.window_ends))
            ):
                over.append(last.name)
        return self.infusions.loc[over]

    def adjunct(self, patient: str, clinic: str, at: pd.Timestamp) -> bool:
        """Whether another therapy went on beside, on that local day."""
        day = self.clinics[clinic].day(at).isoformat()
        return any(since <= day and (until is None or day <= until) for since, until in self._adjuncts(patient))

    def _adjuncts(self, patient: str) -> list[tuple[str, str | None]]:
        if not hasattr(self, "_adjunct_spans"):
            began = self.known.of("patient.adjunct_therapy_started", fields=["adjunct_id", "started_on"])
            ended = self.known.of("patient.adjunct_therapy_ended", fields=["adjunct_id", "ended_on"])
            ends = dict(zip(ended.adjunct_id, ended.ended_on, strict=True))
            spans: dict[str, list[tuple[str, str | None]]] = {}
            for _, row in began.iterrows():
                spans.setdefault(row.patient, []).append((row.started_on, ends.get(row.adjunct_id)))
            self._adjunct_spans = spans
        return self._adjunct_spans.get(patient, [])
