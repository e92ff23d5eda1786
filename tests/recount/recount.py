"""Everything a dashboard shows, counted once more from an export, in the shape of its JSON."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from tests.recount import attendance, boosters, duration, relief
from tests.recount.clinic import Clinic, Period
from tests.recount.courses import Courses
from tests.recount.exported import Export
from tests.recount.path import Path
from tests.recount.rooms import Rooms, Stayed
from tests.recount.safety import Safety


class Base:
    """One log as known at a position, as of a moment: what does not depend on the period asked about."""

    def __init__(self, export: Export, as_of: pd.Timestamp, known_at: int | None = None) -> None:
        self.as_of = as_of
        self.known = export.known(known_at, as_of)
        opened = self.known.of("clinic.opened")
        self.clinics = {one: Clinic(self.known, one) for one in sorted(opened.stream)}

    @cached_property
    def spells(self) -> duration.Spells:
        """Infusions, courses, spells of relief."""
        return duration.Spells(Courses(self.known, self.clinics, self.as_of))

    @cached_property
    def came(self) -> attendance.Came:
        """Bookings and visits."""
        return attendance.Came(self.known, self.clinics, self.as_of)

    @cached_property
    def stayed(self) -> Stayed:
        """Stays in rooms."""
        return Stayed(self.known, self.clinics, self.as_of)


class Recount:
    """The figures of a period."""

    def __init__(self, base: Base, period: Period) -> None:
        self.base, self.period, self.as_of = base, period, base.as_of
        self.known, self.clinics = base.known, base.clinics

    def utilization(self, chosen: list[str]) -> dict[str, Any]:
        """Rooms, attendance, punctuality: each clinic's and together."""
        rooms = Rooms(self.base.stayed, self.period)
        came = attendance.Attendance(self.base.came, self.period)

        def both(these: list[str]) -> dict[str, Any]:
            return {"rooms": rooms.figures(these), "attendance": came.figures(these)}

        held = self.base.came.slots
        third = {}
        for one in chosen:
            visit = sum(self.clinics[one].protocol(self.as_of)["visit"].values())
            of = {
                minutes: {"value": attendance.third_next(self.clinics[one], held, self.as_of, minutes)}
                for minutes in (attendance.CONSULTATION, attendance.FOLLOW_UP, visit)
            }
            third[one] = {kind: of[attendance.LENGTHS.get(kind, visit)] for kind in attendance.KINDS}
        return {"together": both(chosen), "by_clinic": {one: both([one]) for one in chosen},
                "third_next_available": third}

    def outcomes(self, chosen: list[str]) -> dict[str, Any]:
        """Relief, duration, dose, path."""
        spells = self.base.spells
        return {
            **relief.figures(spells.courses, chosen, self.period),
            **Path(spells.courses, chosen, self.period).figures(),
            "durations": {one["group"]: one for one in duration.figures(spells, chosen, self.period)},
            "booster_gaps": boosters.gaps(spells, chosen, self.period),
            "infusions_per_90_days": boosters.per_90_days(spells.courses, chosen, self.period),
        }

    def funnel(self, chosen: list[str]) -> dict[str, Any]:
        """From referral to booster: each clinic's and together."""

        def one(these: list[str]) -> dict[str, Any]:
            path = Path(self.base.spells.courses, these, self.period)
            found = path.funnel()
            return {**found, "steps": path.steps(found["weeks"])}

        return {"together": one(chosen), "by_clinic": {clinic: one([clinic]) for clinic in chosen}}

    def safety(self, chosen: list[str]) -> dict[str, Any]:
        """Side effects and the board."""
        return Safety(self.base.spells.courses, chosen, self.period).figures()

    def boosters(self, chosen: list[str]) -> dict[str, Any]:
        """The list."""
        list_ = boosters.Boosters(self.base.spells)
        rows = list_.rows(chosen)
        return {
            "counts": {status: {"value": count, "rows": count} for status, count in list_.counts(rows).items()},
            "rows": {row["course"]: row for row in rows},
        }
