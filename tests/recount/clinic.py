"""A clinic's calendar: its zone, rooms, opening and closures, as sets of instants, by its own clock.

Time is cut into elementary pieces: at every quarter hour (every zone's offset is a multiple of one) and wherever
anything begins or ends. In a piece nothing changes, so that each figure is a sum over pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time, timedelta

import numpy as np
import pandas as pd

from tests.recount.exported import UTC, Known, moment

QUARTER = pd.Timedelta(minutes=15)
FOREVER = pd.Timestamp("2200-01-01", tz=UTC)
Span = tuple[pd.Timestamp, pd.Timestamp]
Period = tuple[date, date]
"""First and last local day, both included."""


class Clinic:
    """One clinic as it is set up by the events known."""

    def __init__(self, known: Known, clinic: str) -> None:
        self.known, self.id = known, clinic
        self._openings: dict[tuple[date, date, str], list[Span]] = {}
        opened = known.of("clinic.opened", fields=["timezone"])
        self.zone = str(opened[opened.stream == clinic].timezone.iloc[0])
        self.rooms = self._rooms()
        self.hours = self._own("clinic.opening_hours_set", "effective_from", "hours", prime=[])
        self.closures = self._closures()
        self.protocols = self._own("clinic.protocol_adopted", "document")

    def _own(self, name: str, *fields: str, **defaults: object) -> pd.DataFrame:
        found = self.known.of(name, fields=fields, **defaults)
        return found[found.stream == self.id].reset_index(drop=True)

    def _rooms(self) -> dict[str, Span]:
        """When each room was in service."""
        rooms = {row.room_id: (row["at"], FOREVER) for _, row in self._own("clinic.room_added", "room_id").iterrows()}
        for _, row in self._own("clinic.room_retired", "room_id").iterrows():
            if row.room_id in rooms:
                rooms[row.room_id] = (rooms[row.room_id][0], row["at"])
        return rooms

    def _closures(self) -> list[tuple[str | None, pd.Timestamp, pd.Timestamp]]:
        """Room (None: all), from, until: what was closed, until lifted."""
        lifted = {row.closure_id: row["at"] for _, row in self._own("clinic.closure_lifted", "closure_id").iterrows()}
        found = []
        for _, row in self._own("clinic.closure_declared", "closure_id", "room_id", "starts_at", "ends_at").iterrows():
            starts, ends = moment(row.starts_at), moment(row.ends_at)
            ends = min(ends, lifted.get(row.closure_id, ends))
            if starts < ends:
                found.append((row.room_id, starts, ends))
        return found

    # --- days ----------------------------------------------------------------------------------------

    def at(self, day: date, clock: time = time(0)) -> pd.Timestamp:
        """The instant of a wall-clock time (the first of two, the next that exists when there is none)."""
        wall = pd.Timestamp(year=day.year, month=day.month, day=day.day, hour=clock.hour, minute=clock.minute,
                            second=clock.second)
        return wall.tz_localize(self.zone, ambiguous=True, nonexistent="shift_forward").tz_convert(UTC)

    def within(self, period: Period) -> Span:
        """The period's instants."""
        return self.at(period[0]), self.at(period[1] + timedelta(days=1))

    def day(self, instant: pd.Timestamp) -> date:
        """The clinic's local day of an instant."""
        return instant.tz_convert(self.zone).date()

    def days(self, series: pd.Series) -> pd.Series:
        """The clinic's local days of instants; None where missing."""
        local = series.dt.tz_convert(self.zone)
        return pd.Series([None if pd.isna(one) else one.date() for one in local], index=series.index, dtype=object)

    def opening(self, first: date, last: date, which: str = "hours") -> list[Span]:
        """Opening (or prime time) from `first` to `last`, closures not taken off."""
        if (first, last, which) not in self._openings:
            self._openings[first, last, which] = self._opening(first, last, which)
        return self._openings[first, last, which]

    def _opening(self, first: date, last: date, which: str) -> list[Span]:
        found = []
        hours = self.hours.sort_values(["effective_from", "at", "position"])
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
            valid = hours[hours.effective_from <= day.isoformat()]
            if valid.empty:
                continue
            for span in valid.iloc[-1][which]:
                if span["weekday"] == day.isoweekday():
                    opens, closes = time.fromisoformat(span["opens"]), time.fromisoformat(span["closes"])
                    found.append((self.at(day, opens), self.at(day, closes)))
        return found

    def closed(self, room: str | None) -> list[Span]:
        """Closures of the whole clinic and of `room`."""
        return [(starts, ends) for which, starts, ends in self.closures if which is None or which == room]

    def open_on(self, day: date) -> list[Span]:
        """When the clinic is open on a local day, the clinic's closures taken off."""
        spans, closed = self.opening(day, day), self.closed(None)
        cut = np.unique([one.value for span in [*spans, *closed] for one in span])
        is_open = (covering(spans, cut) > 0) & (covering(closed, cut) == 0)
        found, begins = [], None
        for edge, holds in zip(cut, is_open, strict=True):
            if holds and begins is None:
                begins = edge
            elif not holds and begins is not None:
                found.append((pd.Timestamp(begins, tz=UTC), pd.Timestamp(edge, tz=UTC)))
                begins = None
        return found

    def closing_after(self, at: pd.Timestamp) -> pd.Timestamp | None:
        """The end of the opening in which `at` lies, or of the next of its local day; None after the last."""
        ends = [end for begins, end in self.open_on(self.day(at)) if end > at]
        return min(ends, default=None)

    def protocol(self, at: pd.Timestamp) -> dict[str, object]:
        """The protocol in force at `at` (the first one before any)."""
        valid = self.protocols[self.protocols["at"] <= at]
        return dict((valid if len(valid) else self.protocols).iloc[-1 if len(valid) else 0].document)


def covering(spans: Iterable[Span], starts: np.ndarray) -> np.ndarray:
    """How many of the half-open `spans` cover the piece that begins at each of `starts` (ns)."""
    spans = list(spans)
    begins = np.sort([one.value for one, _ in spans])
    ends = np.sort([one.value for _, one in spans])
    return np.searchsorted(begins, starts, side="right") - np.searchsorted(ends, starts, side="right")


def pieces(
    clinic: Clinic, period: Period, as_of: pd.Timestamp, bookings: pd.DataFrame, stays: pd.DataFrame
) -> pd.DataFrame:
    """Every elementary piece of every room of the period, with what it was used for."""
    first, end = clinic.within(period)
    opening = clinic.opening(*period)
    prime = clinic.opening(*period, "prime")
    grid = np.arange(first.value, end.value, QUARTER.value)
    local = pd.DatetimeIndex(grid, tz=UTC).tz_convert(clinic.zone)
    by_grid = pd.DataFrame({
        "day": [one.date() for one in local], "weekday": local.dayofweek + 1, "hour": local.hour,
        "bin": local.hour * 4 + local.minute // 15,
    })  # fmt: skip
    parts = []
    for room, service in clinic.rooms.items():
        closed = clinic.closed(room)
        booked = list(bookings.loc[bookings.room == room, ["starts", "ends"]].itertuples(index=False, name=None))
        busy = list(stays.loc[stays.room == room, ["since", "until"]].itertuples(index=False, name=None))
        spans = (*opening, *prime, *closed, *booked, *busy, service, (first, end), (as_of, as_of))
        edges = np.asarray([one.value for span in spans for one in span], dtype=np.int64)
        cut = np.unique(np.concatenate([grid, edges]))
        cut = cut[(cut >= first.value) & (cut <= end.value)]
        starts = cut[:-1]
        in_service = covering([service], starts) > 0
        is_open = (covering(opening, starts) > 0) & (covering(closed, starts) == 0) & in_service
        part = by_grid.iloc[np.searchsorted(grid, starts, side="right") - 1].reset_index(drop=True)
        parts.append(part.assign(
            room=room, minutes=np.diff(cut) / 60e9, open=is_open, prime=is_open & (covering(prime, starts) > 0),
            booked=covering(booked, starts), busy=covering(busy, starts), past=starts < as_of.value,
        ))  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(
        columns=["day", "weekday", "hour", "bin", "room", "minutes", "open", "prime", "booked", "busy", "past"])
