"""Boosters: whose relief is about to go, how far boosters lie apart, how many infusions a patient needs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from tests.recount import stats
from tests.recount.clinic import Period
from tests.recount.courses import DAY, Courses
from tests.recount.duration import Spells, booster_words
from tests.recount.visits import slots

SHARE, LAST = 0.8, 3
SOON, LOST, STILL = 14, 60, 400
STATUSES = ("due", "overdue", "booked", "lost", "later")


class Boosters:
    """The list of boosters as of a moment."""

    def __init__(self, spells: Spells) -> None:
        self.spells, self.courses = spells, spells.courses
        self.known, self.as_of, self.clinics = self.courses.known, self.courses.as_of, self.courses.clinics
        self.slots = slots(self.known)
        self.plans = booster_words(self.known)

    def rows(self, chosen: list[str]) -> list[dict[str, Any]]:
        """One per open course past its series."""
        closed = set(self.known.of("course.closed").stream)
        moved = self.known.of("course.transferred", fields=["to_clinic_id"]).drop_duplicates("stream", keep="last")
        home = dict(zip(moved.stream, moved.to_clinic_id, strict=True))
        found = []
        for course, own in self.spells.table.groupby("course_id", sort=False):
            if course in closed or course not in self.courses.opened.index:
                continue
            opened = self.courses.opened.loc[course]
            clinic = home.get(course) or opened.clinic_id or opened.clinic
            if clinic in chosen and self._past_series(course, own, clinic):
                last = own.iloc[-1]
                if self.as_of - last.stopped <= STILL * DAY:
                    found.append(self._row(course, own, last, clinic))
        return found

    def _past_series(self, course: str, own: pd.DataFrame, clinic: str) -> bool:
        if (own.purpose == "booster").any() or len(self._standing(course, own.iloc[-1])):
            return True
        if (self.known.of("course.optimal_relief_reached").stream == course).any():
            return True
        plans = self.known.of("course.series_planned", "course.series_revised", fields=["infusions", "window_ends"])
        plans = plans[plans.stream == course]
        given = int((own.purpose == "series").sum())
        if plans.empty or not given:
            return False
        plan = plans.iloc[-1]
        return given >= plan.infusions or plan.window_ends < self.clinics[clinic].day(self.as_of).isoformat()

    def _standing(self, course: str, last: pd.Series) -> pd.DataFrame:
        """What was said of the booster that is to follow the last infusion, if one is planned."""
        own = self.plans[(self.plans.stream == course) & (self.plans["at"] >= last.started)]
        cancelled = set(own[own.name == "course.booster_cancelled.v1"].booster_id)
        own = own[~own.booster_id.isin(cancelled)]
        return own[own.booster_id == own.booster_id.iloc[-1]] if len(own) else own

    def _row(self, course: str, own: pd.DataFrame, last: pd.Series, clinic: str) -> dict[str, Any]:
        at = self.clinics[clinic]
        today = at.day(self.as_of)
        due, basis, days = self._due(course, own, last, clinic)
        held = self.slots[(self.slots.patient == last.patient) & (self.slots.kind == "booster")
                          & self.slots.left.isna() & ~self.slots.no_show & (self.slots.starts >= self.as_of)]
        overdue = (today - due).days
        if len(held):
            status = "booked"
        elif overdue > LOST and not self._contact(last.patient, course, at.at(due + timedelta(days=1))):
            status = "lost"
        elif overdue > 0:
            status = "overdue"
        else:
            status = "due" if -overdue <= SOON else "later"
        return {"patient": last.patient, "course": course, "clinic": clinic, "due_on": due.isoformat(), "basis": basis,
                "basis_days": days, "status": status, "days_overdue": overdue, "last_infusion": last.stream,
                "booked_starts": held.starts.min() if len(held) else None}

    def _due(self, course: str, own: pd.DataFrame, last: pd.Series, clinic: str) -> tuple[date, str, list[float]]:
        plan = self._standing(course, last)
        if len(plan):
            said = plan.iloc[-1]
            days = said.basis if said.because == "own_spells" else []
            return date.fromisoformat(said.due), said.because, [float(one) for one in days]
        protocol = self.clinics[clinic].protocol(self.as_of)
        series = own[own.purpose == "series"]
        since = series.started.iloc[-1] if len(series) else own.started.iloc[0]
        spells = [self.spells.spell(row, low=True) for _, row in own[own.started >= since].iterrows()]
        completed = [round(days, 2) for days, _, ended, _ in spells if ended][-LAST:]
        days = SHARE * float(np.median(completed)) if completed else float(protocol["booster_default_days"])
        days = max(days, float(protocol["booster_minimum_days"]))
        due = self.clinics[clinic].day(last.stopped + pd.Timedelta(days=days))
        return due, "own_spells" if completed else "protocol_default", completed

    def _contact(self, patient: str, course: str, since: pd.Timestamp) -> bool:
        scores = self.known.of("diary.pain_scored", "diary.function_scored", "diary.mood_scored",
                               "diary.cognition_scored", "diary.relief_reported")
        words = self.plans[(self.plans.stream == course) & (self.plans["at"] >= since)]
        booked = self.slots[(self.slots.patient == patient) & (self.slots.taken >= since)]
        return bool(len(words) or len(booked) or len(scores[(scores.patient == patient) & (scores["at"] >= since)]))

    def counts(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        """How many are due, overdue, booked, lost."""
        return {status: sum(1 for row in rows if row["status"] == status) for status in STATUSES}


def gaps(spells: Spells, chosen: list[str], period: Period) -> dict[str, Any]:
    """Days from the drug stop before it to a booster's drug start, by booster number."""
    table = spells.table
    previous = table.groupby("course_id").stopped.shift()
    own = spells.courses.in_period(table.assign(previous=previous), chosen, period, "started")
    boosters = own[(own.purpose == "booster") & own.previous.notna()]
    return {
        str(int(number)): stats.spread((part.started - part.previous) / DAY)
        for number, part in boosters.groupby("booster_number")
    }


def per_90_days(courses: Courses, chosen: list[str], period: Period) -> dict[str, Any]:
    """Infusions of the period per patient who had one, scaled to 90 days."""
    own = courses.in_period(courses.infusions, chosen, period, "started")
    patients, days = own.patient.nunique(), (period[1] - period[0]).days + 1
    return {
        "value": 90 * len(own) / (patients * days) if patients >= stats.FEW else None, "numerator": len(own),
        "denominator": patients * days, "n": patients,
    }  # fmt: skip
