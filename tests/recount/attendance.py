"""Who came, who did not, how long ahead they booked, how long they waited."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.recount import stats
from tests.recount.clinic import Clinic, Period, covering
from tests.recount.exported import Known
from tests.recount.visits import INFUSION_KINDS, live_at_start, slots, visits

DAY, MINUTE = pd.Timedelta(days=1), pd.Timedelta(minutes=1)
LATE, NOTICE, GRACE = pd.Timedelta(hours=24), pd.Timedelta(hours=2), pd.Timedelta(minutes=5)


class Came:
    """Bookings with what became of them, and visits, whatever the period."""

    def __init__(self, known: Known, clinics: dict[str, Clinic], as_of: pd.Timestamp) -> None:
        self.known, self.clinics, self.as_of = known, clinics, as_of
        self.slots = slots(known)
        self.visits = visits(known)
        self.slots["outcome"] = self._outcomes()

    def _outcomes(self) -> pd.Series:
        arrived = set(self.visits[self.visits.arrived.notna()].appointment)
        held = self.known.of("course.consultation_held", fields=["patient_id"])
        consulted = {
            (row.patient, row.clinic, self.clinics[row.clinic].day(row["at"]))
            for _, row in held.iterrows() if row.clinic in self.clinics
        }  # fmt: skip
        last_live = self.slots[self.slots.left.isna()].groupby("appointment").position.max().to_dict()
        return pd.Series([self._outcome(row, arrived, consulted, last_live) for _, row in self.slots.iterrows()],
                         index=self.slots.index, dtype=object)

    def _outcome(self, row: pd.Series, arrived: set[str], consulted: set[Any], last_live: dict[str, int]) -> str:
        if pd.isna(row.left) and last_live[row.appointment] == row.position:
            if row.appointment in arrived:
                return "attended"
            if row.kind == "consultation" and row.clinic in self.clinics:
                day = self.clinics[row.clinic].day(row.starts)
                if (row.patient, row.clinic, day) in consulted:
                    return "attended"
        if pd.notna(row.left):
            if row.by == "clinic":
                return "clinic_side"
            return "patient_late" if row.starts - row.left < LATE else "patient_24h_or_more"
        if row.no_show:
            return "no_show"
        return "not_due" if row.starts > self.as_of else "unresolved"


class Attendance:
    """The attendance and punctuality figures of a period."""

    def __init__(self, came: Came, period: Period) -> None:
        self.clinics, self.period, self.as_of = came.clinics, period, came.as_of
        self.slots, self.visits = came.slots, came.visits
        self._refills: dict[str, tuple[float, float, int]] = {}

    def figures(self, chosen: list[str]) -> dict[str, Any]:
        """By the dashboard's own names."""
        own = self._starting(self.slots, chosen, "starts")
        came = self._visits_in(chosen)
        counts = own.outcome.value_counts()
        among = int(sum(counts.get(one, 0) for one in ("attended", "no_show", "patient_late")))
        out = {
            reason: int(counts[reason])
            for reason in ("clinic_side", "patient_24h_or_more", "not_due", "unresolved") if counts.get(reason)
        }  # fmt: skip
        live = live_at_start(own)
        return {
            "no_show_rate": stats.share(int(counts.get("no_show", 0)), among, out),
            "late_cancellation_rate": stats.share(int(counts.get("patient_late", 0)), among, out),
            "outcomes": {name: int(count) for name, count in counts.items()},
            **self.not_infused(came),
            "refill": self.refill(chosen),
            "lead_time": stats.spread((live.starts - live.first_booked) / DAY),
            **self.punctuality(came),
        }

    # --- who counts ------------------------------------------------------------------------------------

    def _starting(self, frame: pd.DataFrame, chosen: list[str], column: str) -> pd.DataFrame:
        """Rows at the chosen clinics whose `column` lies in the period."""
        parts = []
        for one in chosen:
            first, end = self.clinics[one].within(self.period)
            own = frame[frame.clinic == one]
            parts.append(own[(own[column] >= first) & (own[column] < end)])
        return pd.concat(parts)

    def _visits_in(self, chosen: list[str]) -> pd.DataFrame:
        """Visits on the day of their booked start; walk-ins when roomed (or, never roomed, when they came)."""
        on = self.visits.booked.fillna(self.visits.roomed).fillna(self.visits.arrived)
        return self._starting(self.visits.assign(on=on), chosen, "on")

    # --- bookings ----------------------------------------------------------------------------------------

    def refill(self, chosen: list[str]) -> dict[str, Any]:
        """Room-minutes freed in time, and of those the ones booked anew afterwards and attended."""
        found = [self._refill_at(one) for one in chosen]
        numerator, denominator, n = (sum(one[place] for one in found) for place in range(3))
        return {"value": numerator / denominator if denominator else None, "numerator": numerator,
                "denominator": denominator, "n": n}

    def _refill_at(self, one: str) -> tuple[float, float, int]:
        """Minutes refilled, minutes freed and slots freed of one clinic."""
        if one not in self._refills:
            own = self.slots[self.slots.clinic == one]
            freed = own[own.left.notna() & (own.starts - own.left >= NOTICE)]
            rooms = [self._refilled(one, room, gone) for room, gone in freed.groupby("room")]
            minutes, whole, n = (sum(room[place] for room in rooms) for place in range(3))
            self._refills[one] = (float(minutes), float(whole), int(n))
        return self._refills[one]

    def _refilled(self, one: str, room: str, gone: pd.DataFrame) -> tuple[float, float, int]:
        clinic = self.clinics[one]
        taken = self.slots[(self.slots.outcome == "attended") & (self.slots.room == room)]
        opening, closed, service = clinic.opening(*self.period), clinic.closed(room), [clinic.rooms[room]]
        spans = [*opening, *closed, *service, *zip(gone.starts, gone.ends, strict=True),
                 *zip(taken.starts, taken.ends, strict=True)]
        cut = np.unique([one.value for span in spans for one in span])
        starts, minutes = cut[:-1], np.diff(cut) / 60e9
        is_open = (covering(opening, starts) > 0) & (covering(closed, starts) == 0) & (covering(service, starts) > 0)
        freed, refilled, n = np.zeros(len(starts), dtype=bool), np.zeros(len(starts), dtype=bool), 0
        for slot in gone.itertuples():
            mine = is_open & (covering([(slot.starts, slot.ends)], starts) > 0)
            later = taken[taken.taken >= slot.left]
            freed |= mine
            refilled |= mine & (covering(zip(later.starts, later.ends, strict=True), starts) > 0)
            n += bool(mine.any())
        return float(minutes[refilled].sum()), float(minutes[freed].sum()), n

    # --- visits ------------------------------------------------------------------------------------------

    def not_infused(self, came: pd.DataFrame) -> dict[str, Any]:
        """Visits for an infusion that ended without drug having run."""
        meant = came[came.kind.isin(INFUSION_KINDS)]
        infused = meant.stopped.notna() | (meant.started.notna() & meant.ended.isna())
        ended = ~infused & meant.ended.notna()
        out = {"going_on": int((~infused & ~ended).sum())}
        among = int((infused | ended).sum())
        reasons = meant[ended].reason.fillna(meant[ended].ending).value_counts()
        return {
            "arrived_not_infused": stats.share(int(ended.sum()), among, out),
            "not_infused_by_reason": {one: stats.share(int(count), among, out) for one, count in reasons.items()},
        }

    def punctuality(self, came: pd.DataFrame) -> dict[str, Any]:
        """On time, delay of the drug's start, wait."""
        booked = came[came.booked.notna() & came.roomed.notna()]
        started = came[came.booked.notna() & came.started.notna()]
        preparation = pd.Series(
            [self.clinics[row.clinic].protocol(row.started)["visit"]["preparation"] for _, row in started.iterrows()],
            index=started.index, dtype=float,
        )  # fmt: skip
        delay = (started.started - started.booked) / MINUTE - preparation
        due = came.arrived.where(came.booked.isna() | (came.arrived > came.booked), came.booked)
        due = due.fillna(came.roomed)
        until = came.roomed.fillna(came.ended).fillna(self.as_of)
        wait = ((until - due) / MINUTE).clip(lower=0)
        walked_in, not_started = int(came.booked.isna().sum()), int((came.booked.notna() & came.started.isna()).sum())
        out = {"walk_in": walked_in, "not_started": not_started}
        return {
            "on_time": stats.share(int((booked.roomed <= booked.booked + GRACE).sum()), len(booked)),
            "drug_start_delay": stats.spread(delay, {reason: count for reason, count in out.items() if count}),
            "wait": stats.spread(wait),
        }


CONSULTATION, FOLLOW_UP = 60, 30
LENGTHS = {"consultation": CONSULTATION, "follow_up": FOLLOW_UP}
"""Minutes of visits of which the protocol says nothing."""
KINDS = ("consultation", "trial", "series", "booster", "re_induction", "follow_up")


def third_next(
    clinic: Clinic, bookings: pd.DataFrame, as_of: pd.Timestamp, minutes: int, days: int = 90
) -> float | None:
    """Days until the third free slot of `minutes` begins, in any room."""
    length = pd.Timedelta(minutes=minutes)
    today = clinic.day(as_of)
    opening = clinic.opening(today - DAY, today + days * DAY)
    starts = []
    for room, service in clinic.rooms.items():
        closed = clinic.closed(room)
        held = bookings[(bookings.room == room) & bookings.left.isna()]
        booked = list(zip(held.starts, held.ends, strict=True))
        cut = np.unique([one.value for span in (*opening, *closed, *booked, service) for one in span] + [as_of.value])
        free = (
            (covering(opening, cut) > 0) & (covering(closed, cut) == 0) & (covering([service], cut) > 0)
            & (covering(booked, cut) == 0) & (cut >= as_of.value)
        )  # fmt: skip
        begins = None
        for at, is_free in zip(cut, free, strict=True):
            if is_free and begins is None:
                begins = at
            elif not is_free and begins is not None:
                starts += list(range(begins, at - length.value + 1, length.value))
                begins = None
    return (sorted(starts)[2] - as_of.value) / DAY.value if len(starts) >= 3 else None
