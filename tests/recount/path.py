"""The path through care: referral to relief, the gate, the series, how courses end, what patients report."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd

from tests.recount import stats
from tests.recount.clinic import Period
from tests.recount.courses import DAY, HOUR, Courses
from tests.recount.exported import instants
from tests.recount.visits import slots

STEPS = ("consulted", "screened", "consented", "trial", "gate_passed", "series", "optimal_relief", "booster")
RATES = (30, 60, 90)
INSTRUMENTS = {"function_scored": "function", "mood_scored": "mood", "cognition_scored": "cognition"}
SCORE_WINDOW = 28 * DAY
TRIAL_PENDING = 7 * DAY
MEDICAL = {"vital_signs", "illness", "contraindication", "pregnancy", "medical", "medical_hold"}


def _count(moments: pd.Series, window: tuple[pd.Timestamp, pd.Timestamp]) -> int:
    return int(((moments >= window[0]) & (moments < window[1])).sum())


class Path:
    """Gate, series, endings and funnel."""

    def __init__(self, courses: Courses, chosen: list[str], period: Period) -> None:
        self.courses, self.known, self.chosen, self.period = courses, courses.known, chosen, period
        self.own = courses.in_period(courses.infusions, chosen, period, "started")

    def figures(self) -> dict[str, Any]:
        """By the outcome dashboard's own names."""
        return {
            "path": {**self.gate(), "series_adherence": self.adherence(), "closures": self.closures()},
            "funnel": self.funnel(),
            "score_changes": self.score_changes(),
            "follow_up_answered": self.follow_up(),
        }

    def _in_period(self, frame: pd.DataFrame, column: str = "at") -> pd.DataFrame:
        return self.courses.in_period(frame, self.chosen, self.period, column)

    # --- gate, series, endings ---------------------------------------------------------------------------

    def gate(self) -> dict[str, Any]:
        """Positive among assessed; assessed among trials."""
        gates = self.known.of("course.response_assessed", fields=["infusion_id", "positive"])
        last = self._in_period(gates.drop_duplicates("stream", keep="last"))
        trials = self.own[self.own.purpose == "trial"]
        assessed = trials.stream.isin(gates.infusion_id)
        pending = ~assessed & (self.courses.as_of - trials.stopped < TRIAL_PENDING)
        out = {"pending": int(pending.sum())} if pending.any() else {}
        return {
            "gate_rate": stats.share(int(last.positive.sum()), len(last)),
            "gate_assessed": stats.share(int(assessed.sum()), int((~pending).sum()), out),
        }

    def adherence(self) -> dict[str, Any]:
        """Infusions inside the planned window over those planned and not excused, at the clinic that planned first."""
        plans = self.known.of("course.series_planned", "course.series_revised",
                              fields=["series_id", "infusions", "window_starts", "window_ends"])
        held, planned, series, out = 0, 0, 0, {"clinic_cancelled": 0, "medical_hold": 0}
        today = {one: self.courses.clinics[one].day(self.courses.as_of) for one in self.chosen}
        for (course, _), own in plans.groupby(["stream", "series_id"], sort=False):
            plan, planned_at = own.iloc[-1], own.clinic.iloc[0]
            ends = date.fromisoformat(plan.window_ends)
            if planned_at not in self.chosen or ends >= today[planned_at]:
                continue
            if not self.period[0] <= ends <= self.period[1]:
                continue
            clinic = self.courses.clinics[planned_at]
            window = clinic.at(date.fromisoformat(plan.window_starts)), clinic.at(ends + timedelta(days=1))
            given = self.courses.infusions
            given = given[(given.course_id == course) & (given.purpose == "series")].started
            wanted = min(int(plan.infusions), self._until_relief(course, own["at"].iloc[0], given))
            inside = _count(given, window)
            missing = max(0, wanted - inside)
            for name, moments in (("medical_hold", self._holds(course)), ("clinic_cancelled", self._cancelled(course))):
                excused = min(missing, _count(moments, window))
                missing, out[name] = missing - excused, out[name] + excused
            held, planned, series = held + min(wanted, inside), planned + wanted, series + 1
        among = planned - sum(out.values())
        return {"value": held / among if among else None, "numerator": held, "denominator": among, "n": series,
                "excluded": {name: count for name, count in out.items() if count}}

    def _until_relief(self, course: str, planned_at: pd.Timestamp, given: pd.Series) -> float:
        """How many were given until optimal relief ended the need for more; without end if it did not."""
        relief = self.known.of("course.optimal_relief_reached")
        reached = relief[relief.stream == course]["at"]
        if reached.empty or reached.iloc[0] < planned_at:
            return float("inf")
        return int((given <= reached.iloc[0]).sum())

    def _cancelled(self, course: str) -> pd.Series:
        """When bookings of the course would have begun that the clinic cancelled."""
        held = self.slots()
        return held[(held.course == course) & (held.by == "clinic") & held.left.notna() & ~held.moved].starts

    def _holds(self, course: str) -> pd.Series:
        """When booked visits of the course were ended for a medical reason."""
        arrivals = self.known.of("infusion.patient_arrived", fields=["course_id", "appointment_id"])
        booked = arrivals[(arrivals.course_id == course) & arrivals.appointment_id.isin(self.slots().appointment)]
        ended = self.known.of("infusion.visit_ended_without_infusion", fields=["reason_code"])
        return ended[ended.stream.isin(booked.stream) & ended.reason_code.isin(MEDICAL)]["at"]

    def slots(self) -> pd.DataFrame:
        """Slots with the course they were booked for."""
        if not hasattr(self, "_slots"):
            booked = self.known.of("appointment.booked", fields=["appointment_id", "course_id"])
            self._slots = slots(self.known)
            self._slots["course"] = self._slots.appointment.map(
                dict(zip(booked.appointment_id, booked.course_id, strict=True)))
        return self._slots

    def closures(self) -> dict[str, Any]:
        """How the courses closed in the period ended."""
        closed = self._in_period(self.known.of("course.closed", fields=["reason_code"]).drop_duplicates("stream"))
        return {
            reason: stats.share(int(count), len(closed))
            for reason, count in closed.reason_code.value_counts().sort_index().items()
        }

    # --- funnel ------------------------------------------------------------------------------------------

    def funnel(self) -> dict[str, Any]:
        """Per referral week how far the referred have come."""
        referrals = self.known.of("patient.referral_received", fields=["referral_id", "received_on"])
        referrals["on"] = [date.fromisoformat(one) for one in referrals.received_on]
        first, last = self.period
        referrals = referrals[referrals.clinic.isin(self.chosen) & (referrals.on >= first) & (referrals.on <= last)]
        ways = [self._way(row) for _, row in referrals.iterrows()]
        weeks: dict[str, Any] = {}
        for row, (reached, failed) in zip(referrals.itertuples(), ways, strict=True):
            monday = (row.on - timedelta(days=row.on.weekday())).isoformat()
            week = weeks.setdefault(monday, {"referred": 0, "steps": {}})
            week["referred"] += 1
            for step in STEPS:
                found = week["steps"].setdefault(step, {"done": 0, "failed": {}, "open": 0})
                if step in reached:
                    found["done"] += 1
                elif failed is not None:
                    found["failed"][failed] = found["failed"].get(failed, 0) + 1
                else:
                    found["open"] += 1
        return {"referred": len(referrals), "weeks": dict(sorted(weeks.items())),
                "within": self._within(referrals, [reached for reached, _ in ways])}

    def steps(self, weeks: dict[str, Any]) -> dict[str, Any]:
        """The weeks' steps added up."""
        found: dict[str, Any] = {}
        for step in STEPS:
            own = [week["steps"][step] for week in weeks.values()]
            reasons: dict[str, int] = {}
            for one in own:
                for reason, count in one["failed"].items():
                    reasons[reason] = reasons.get(reason, 0) + count
            counts = {"done": sum(one["done"] for one in own), "open": sum(one["open"] for one in own),
                      "failed": sum(reasons.values())}
            found[step] = {
                **{name: {"value": count, "rows": count} for name, count in counts.items()},
                "failed_by_reason": {reason: {"value": count, "rows": count} for reason, count in reasons.items()},
            }
        return found

    def _within(self, referrals: pd.DataFrame, reached: list[dict[str, pd.Timestamp]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for step in STEPS:
            for days in RATES:
                long_ago, done = 0, 0
                for row, own in zip(referrals.itertuples(), reached, strict=True):
                    begun = self.courses.clinics[row.clinic].at(row.on)
                    if self.courses.as_of - begun >= days * DAY:
                        long_ago += 1
                        done += step in own and own[step] - begun <= days * DAY
                recent = len(referrals) - long_ago
                out = {"referred_too_recently": recent} if recent else {}
                found.setdefault(step, {})[f"{days}_days"] = stats.share(done, long_ago, out)
        return found

    def _way(self, referral: pd.Series) -> tuple[dict[str, pd.Timestamp], str | None]:
        """When each step was reached, and why the way ended, if it did."""
        since = self.courses.clinics[referral.clinic].at(referral.on)
        own = self._of_patient(referral.patient, since)
        reached: dict[str, pd.Timestamp] = {}

        def first(step: str, name: str, **having: Any) -> None:
            found = own[own.name == f"{name}.v1"]
            for field, value in having.items():
                found = found[[data.get(field) == value for data in found.data]]
            if len(found):
                reached[step] = found["at"].iloc[0]

        first("consulted", "course.consultation_held")
        first("screened", "patient.screening_recorded")
        first("consented", "patient.consent_signed", kind="treatment")
        gates = own[own.name == "course.response_assessed.v1"]
        gates = gates[[data["positive"] or data["decision"] == "go_on" for data in gates.data]]
        if len(gates):
            reached["gate_passed"] = gates["at"].iloc[0]
        first("optimal_relief", "course.optimal_relief_reached")
        infusions = self.courses.infusions
        infusions = infusions[(infusions.patient == referral.patient) & (infusions.started >= since)]
        for step in ("trial", "series", "booster"):
            given = infusions[infusions.purpose == step]
            if len(given):
                reached[step] = given.started.iloc[0]
        return reached, self._why_over(own, infusions.stopped)

    def _of_patient(self, patient: str, since: pd.Timestamp) -> pd.DataFrame:
        if not hasattr(self, "_steps"):
            self._steps = dict(iter(self.known.of(
                "course.consultation_held", "patient.screening_recorded", "patient.consent_signed", "course.closed",
                "patient.screening_cleared", "course.opened",
                "course.response_assessed", "course.optimal_relief_reached",
            ).groupby("patient")))
        own = self._steps.get(patient)
        return self.known.of("none") if own is None else own[own["at"] >= since]

    def _why_over(self, own: pd.DataFrame, infused: pd.Series) -> str | None:
        """The last reason for which the way ended, unless care went on after it."""
        over: dict[str, tuple[pd.Timestamp, int, str]] = {}
        for order, row in enumerate(own.itertuples()):
            data = row.data
            if row.name == "patient.screening_recorded.v1":
                over.pop("screening", None)
                if any(finding["status"] == "uncontrolled" for finding in data.get("findings", ())):
                    over["screening"] = (row.at, order, "screening")
            elif row.name == "patient.screening_cleared.v1":
                over.pop("screening", None)
            elif row.name == "course.consultation_held.v1":
                over.pop("consultation", None)
                if data["decision"] == "not_suitable":
                    over["consultation"] = (row.at, -1, "not_suitable")
                elif data["decision"] == "proceed":
                    over.pop("course", None)
            elif row.name == "course.opened.v1":
                over.pop("course", None)
            elif row.name == "course.response_assessed.v1":
                over.pop("gate", None)
                if data["decision"] != "go_on" and not data["positive"]:
                    over["gate"] = (row.at, order, "no_response")
            elif row.name == "course.closed.v1":
                over["course"] = (row.at, order, data["reason_code"])
        standing = [one for one in over.values() if not (infused >= one[0]).any()]
        return max(standing)[2] if standing else None

    # --- what patients report ------------------------------------------------------------------------------

    def score_changes(self) -> dict[str, Any]:
        """Change of each instrument per course with an infusion in the period."""
        courses = self.courses.infusions[self.courses.infusions.course_id.isin(self.own.course_id)]
        found: dict[str, Any] = {}
        for name, family in INSTRUMENTS.items():
            scores = self.known.of(f"diary.{name}", fields=["instrument", "total"])
            scores = scores[scores.patient.isin(courses.patient)]
            scores = scores.assign(total=scores.total.astype(float))
            for instrument, given in scores.groupby("instrument"):
                changes, out = [], {"no_baseline": 0, "missing": 0}
                for _, own in courses.groupby("course_id"):
                    began, ended = own.started.iloc[0], own.stopped.iloc[-1]
                    mine = given[given.patient == own.patient.iloc[-1]]
                    before = mine[(mine["at"] >= began - SCORE_WINDOW) & (mine["at"] < began)]
                    after = mine[(mine["at"] > ended) & (mine["at"] <= ended + SCORE_WINDOW)]
                    if before.empty or after.empty:
                        out["no_baseline" if before.empty else "missing"] += 1
                    else:
                        changes.append(after.total.iloc[-1] - before.total.iloc[-1])
                found[f"{family}:{instrument}"] = stats.spread(changes, {one: n for one, n in out.items() if n})
        return found

    def follow_up(self) -> dict[str, Any]:
        """Prompts answered from 12 h before to 48 h after they were due."""
        due = self.known.of("diary.follow_up_due", fields=["follow_up_id", "due_at", "instruments"])
        due["due"] = instants(due.due_at)
        due = self._in_period(due, "due")
        due = due[due.due <= self.courses.as_of]
        over = self.known.of("diary.follow_up_superseded", fields=["follow_up_id"])
        superseded = dict(zip(over.follow_up_id, over["at"], strict=True))
        answers = self._answers()
        counts = {"answered": 0, "unanswered": 0, "superseded": 0, "pending": 0}
        for row in due.itertuples():
            times = [at for one in row.instruments for at in answers.get((row.patient, one), ())]
            first, last = max(row.due - 12 * HOUR, row.at), row.due + 48 * HOUR
            if row.follow_up_id in superseded:
                last = min(last, superseded[row.follow_up_id])
            if any(first <= at < last for at in times):
                counts["answered"] += 1
            elif row.follow_up_id in superseded:
                counts["superseded"] += 1
            else:
                counts["pending" if row.due + 48 * HOUR > self.courses.as_of else "unanswered"] += 1
        out = {one: counts[one] for one in ("superseded", "pending") if counts[one]}
        return stats.share(counts["answered"], counts["answered"] + counts["unanswered"], out)

    def _answers(self) -> dict[tuple[str, str], list[pd.Timestamp]]:
        found: dict[tuple[str, str], list[pd.Timestamp]] = {}
        pain = self.known.of("diary.pain_scored").assign(instrument="nrs")
        relief = self.known.of("diary.relief_reported").assign(instrument="relief_percent")
        scored = self.known.of("diary.function_scored", "diary.mood_scored", "diary.cognition_scored",
                               fields=["instrument"])
        for frame in (pain, relief, scored):
            for row in frame[["patient", "instrument", "at"]].itertuples():
                found.setdefault((row.patient, row.instrument), []).append(row.at)
        return found
