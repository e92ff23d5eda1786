"""Rooms: how the time of every room of the period was used, piece by piece."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from tests.recount import stats
from tests.recount.clinic import Clinic, Period, pieces
from tests.recount.exported import Known
from tests.recount.visits import ENDINGS, live_at_start, slots, stays

PHASES = ("preparing", "infusing", "paused", "recovering", "waiting_for_driver", "cleaning")
MINUTE = pd.Timedelta(minutes=1)
IDLE_AFTER = 60


class Stayed:
    """Who had which room when, and what for, whatever the period."""

    def __init__(self, known: Known, clinics: dict[str, Clinic], as_of: pd.Timestamp) -> None:
        self.known, self.clinics, self.as_of = known, clinics, as_of
        self.bookings = live_at_start(slots(known))
        self.stays = stays(known, clinics, as_of)
        self.turns = dict(iter(self._timeline().groupby("visit")))

    def _timeline(self) -> pd.DataFrame:
        """Per visit: when it turned into what."""
        names = ("started", "paused", "resumed", "given", *ENDINGS)
        events = self.known.of(*(f"infusion.{name}" for name in names))
        ready = self._ready(events[events.name == "infusion.given.v1"])
        turns = {"started": "infusing", "resumed": "infusing", "paused": "paused", "given": "recovering"}
        rows = [
            (row.stream, row["at"], turns.get(_short(row["name"]), "cleaning"), order)
            for order, (_, row) in enumerate(events.iterrows())
        ]
        rows += [(visit, at, "waiting_for_driver", len(rows)) for visit, at in ready.items()]
        return pd.DataFrame(rows, columns=["visit", "at", "phase", "order"]).sort_values(["visit", "at", "order"])

    def _ready(self, given: pd.DataFrame) -> dict[str, pd.Timestamp]:
        """When a patient could have gone: criteria met, and watched for long enough."""
        scored = self.known.of("infusion.recovery_assessed", fields=["scale", "total"])
        found = {}
        by_visit = dict(iter(scored.groupby("stream")))
        for _, row in given.drop_duplicates("stream").iterrows():
            if row.clinic not in self.clinics:
                continue
            protocol = self.clinics[row.clinic].protocol(row["at"])
            own = by_visit.get(row.stream, scored.iloc[:0])
            passed = own[
                (own["at"] >= row["at"]) & (own.scale == protocol["discharge_scale"])
                & (own.total >= protocol["discharge_minimum"])
            ]
            if len(passed):
                found[row.stream] = max(passed["at"].min(), row["at"] + protocol["monitoring_minutes"] * MINUTE)
        return found


class Rooms:
    """The room figures of some clinics over a period: each clinic's own, and all together."""

    def __init__(self, stayed: Stayed, period: Period) -> None:
        self.clinics, self.period, self.as_of = stayed.clinics, period, stayed.as_of
        self.bookings, self.stays, self.turns = stayed.bookings, stayed.stays, stayed.turns
        self.pieces = {
            id_: pieces(clinic, period, self.as_of, self.bookings, self.stays) for id_, clinic in self.clinics.items()
        }

    def figures(self, chosen: list[str]) -> dict[str, Any]:
        """By the dashboard's own names; each as a dashboard shows it."""
        used = pd.concat([self.pieces[one] for one in chosen])
        minutes = used.minutes.astype(float)
        is_open, prime, past = (used[name].astype(bool) for name in ("open", "prime", "past"))
        busy, booked = used.busy > 0, used.booked > 0
        stays_in, slots_in = self._within(self.stays, chosen, "since", "until"), self._booked_in(chosen)

        def total(where: pd.Series) -> float:
            return float(minutes[where].sum())

        n_stays, n_slots = stays_in.visit.nunique(), len(slots_in)
        return {
            "open_minutes": _count(total(is_open)),
            "booked_minutes": _count(total(booked & is_open), n_slots),
            "occupied_minutes": _count(total(busy & past), n_stays),
            "scheduled_utilization": _ratio(total(booked & is_open), total(is_open), n_slots),
            "actual_utilization": _ratio(total(busy & is_open & past), total(is_open & past), n_stays),
            "prime_time_utilization": _ratio(total(busy & prime & past), total(prime & past), n_stays),
            "overtime_minutes": _count(total(busy & ~is_open & past), n_stays),
            "overbooked_minutes": _count(float((minutes * (used.booked - 1).clip(lower=0)).sum()), n_slots),
            "booked_outside_open_minutes": _count(total(booked & ~is_open), n_slots),
            "unclosed": int(stays_in[stays_in.unclosed].visit.nunique()),
            "phases": self.phases(chosen, stays_in),
            "turnover": self.turnover(chosen),
            "by_time_of_day": self.by_time_of_day(chosen),
            "by_hour_of_week": self.by_hour_of_week(used),
            "days": self.by_day(used),
        }

    # --- who counts ------------------------------------------------------------------------------------

    def _within(self, frame: pd.DataFrame, chosen: list[str], since: str, until: str) -> pd.DataFrame:
        """Rows that overlap the period (for more than nothing), at the chosen clinics."""
        parts = []
        for one in chosen:
            first, end = self.clinics[one].within(self.period)
            own = frame[frame.clinic == one]
            parts.append(own[(own[since] < end) & (own[until] > first) & (own[until] > own[since])])
        return pd.concat(parts)

    def _booked_in(self, chosen: list[str]) -> pd.DataFrame:
        return self._within(self.bookings, chosen, "starts", "ends")

    # --- phases ----------------------------------------------------------------------------------------

    def phases(self, chosen: list[str], within: pd.DataFrame) -> dict[str, Any]:
        """Minutes of stays by phase."""
        minutes = dict.fromkeys(PHASES, 0.0)
        for _, stay in within.iterrows():
            first, end = self.clinics[stay.clinic].within(self.period)
            since, until = max(stay.since, first), min(stay.until, end, self.as_of)
            for phase, spent in _split(self.turns.get(stay.visit), since, until):
                minutes[phase] += spent
        whole = sum(minutes.values())
        n = within.visit.nunique()
        return {phase: _ratio(minutes[phase], whole, n) for phase in PHASES}

    # --- turnover ----------------------------------------------------------------------------------------

    def turnover(self, chosen: list[str]) -> dict[str, Any]:
        """Minutes from one patient's release of a room to the next patient in it, the same local day."""
        gaps, idle = [], 0
        for one in chosen:
            clinic = self.clinics[one]
            for _, own in self.stays[self.stays.clinic == one].sort_values(["since", "until"]).groupby("room"):
                for (_, before), (_, after) in zip(own.iloc[:-1].iterrows(), own.iloc[1:].iterrows(), strict=True):
                    day = clinic.day(after.since)
                    if before.visit == after.visit or before.unclosed or after.since < before.until:
                        continue
                    if day != clinic.day(before.until):
                        continue
                    if not self.period[0] <= day <= self.period[1]:
                        continue
                    gap = (after.since - before.until) / MINUTE
                    if gap > IDLE_AFTER:
                        idle += 1
                    else:
                        gaps.append(gap)
        return stats.spread(gaps, {"idle": idle} if idle else {})

    # --- by the clock ----------------------------------------------------------------------------------

    def by_time_of_day(self, chosen: list[str]) -> dict[str, dict[str, Any]]:
        """Per quarter hour: mean rooms busy and open, over days with any opening, as often as it existed."""
        busy, rooms_open = np.zeros(96), np.zeros(96)
        minutes, existed = np.zeros(96), np.zeros(96)
        for one in chosen:
            used = self.pieces[one]
            used = used[used.past]
            used = used[used.day.isin(self._opened_on(one))]
            if used.empty:
                continue
            one_room = used[used.room == used.room.iloc[0]].groupby("bin").minutes.sum()
            taken = used[used.busy > 0].groupby("bin").minutes.sum()
            open_ = used[used.open].groupby("bin").minutes.sum()
            for bin_, length in one_room.items():
                busy[bin_] += taken.get(bin_, 0.0) / length
                rooms_open[bin_] += open_.get(bin_, 0.0) / length
                minutes[bin_] += taken.get(bin_, 0.0)
                existed[bin_] += length
        return {
            f"{n // 4:02d}:{n % 4 * 15:02d}": {
                "value": float(busy[n]) if existed[n] else None, "numerator": minutes[n], "denominator": existed[n],
                "rooms_open": float(rooms_open[n]) if existed[n] else None,
            }
            for n in range(96)
        }  # fmt: skip

    def _opened_on(self, one: str) -> set[date]:
        """Days on which the clinic was open before as_of, whatever its rooms."""
        clinic = self.clinics[one]
        days = (self.period[0] + timedelta(days=n) for n in range((self.period[1] - self.period[0]).days + 1))
        return {day for day in days if any(since < self.as_of for since, _ in clinic.open_on(day))}

    def by_hour_of_week(self, used: pd.DataFrame) -> dict[tuple[int, int], dict[str, Any]]:
        """Actual utilization of each hour of the week that was ever open before as_of."""
        opened = used[used.open & used.past]
        busy = opened[opened.busy > 0].groupby(["weekday", "hour"]).minutes.sum()
        return {
            key: _ratio(float(busy.get(key, 0.0)), float(length), None)
            for key, length in opened.groupby(["weekday", "hour"]).minutes.sum().items()
        }

    def by_day(self, used: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Scheduled and actual utilization of each local day."""
        found = {}
        for day, own in used.groupby("day"):
            opened = own[own.open]
            past = opened[opened.past]
            found[day.isoformat()] = {
                "scheduled": _ratio(float(opened[opened.booked > 0].minutes.sum()), float(opened.minutes.sum()), None),
                "actual": _ratio(float(past[past.busy > 0].minutes.sum()), float(past.minutes.sum()), None),
            }
        return found


def _split(turns: pd.DataFrame | None, since: pd.Timestamp, until: pd.Timestamp) -> list[tuple[str, float]]:
    """What phases a stay went through, in minutes."""
    begun, stopped, left = False, False, False
    phase, at, spent = "preparing", since, []
    for _, turn in turns.iterrows() if turns is not None else ():
        upcoming = phase
        if turn.phase == "cleaning":
            upcoming = "cleaning"
        elif left:
            upcoming = phase
        elif turn.phase == "recovering":
            upcoming, stopped = "recovering", True
        elif turn.phase == "waiting_for_driver":
            upcoming = "waiting_for_driver" if stopped else phase
        elif not stopped:
            upcoming = turn.phase
        left = left or turn.phase == "cleaning"
        begun = begun or turn.phase == "infusing"
        when = min(max(turn["at"], since), until)
        if when > at:
            spent.append((phase, (when - at) / MINUTE))
            at = when
        phase = upcoming
    if until > at:
        spent.append((phase, (until - at) / MINUTE))
    return spent


def _short(name: str) -> str:
    return name.removeprefix("infusion.").removesuffix(".v1")


def _count(value: float, n: int = 0) -> dict[str, Any]:
    return {"value": value, "n": n}


def _ratio(numerator: float, denominator: float, n: int | None) -> dict[str, Any]:
    value = numerator / denominator if denominator else None
    return {"value": value, "numerator": numerator, "denominator": denominator, **({} if n is None else {"n": n})}
