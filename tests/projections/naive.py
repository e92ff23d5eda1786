"""The metrics once more, slowly and from the raw events: minute by minute, without the code under test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.corrections import EntryAmended, EntryStruck, standing
from domain.kernel import Recorded
from domain.protocol import EXAMPLE_PROTOCOL
from tests.support.histories import History

MINUTE = timedelta(minutes=1)
ENDS = {
    "infusion.patient_discharged.v1", "infusion.left_against_advice.v1", "infusion.transferred_to_hospital.v1",
    "infusion.visit_ended_without_infusion.v1", "infusion.died_in_care.v1",
}  # fmt: skip
ROOMED = {"infusion.patient_roomed.v1", "infusion.patient_moved_room.v1"}
PROOFS = ENDS | {
    "infusion.started.v1", "infusion.paused.v1", "infusion.resumed.v1", "infusion.given.v1",
    "infusion.recovery_assessed.v1",
}  # fmt: skip
"""Steps that show the patient still there."""


class Entry:
    """An entry as it stands: its record and its corrected event."""

    def __init__(self, record: Recorded, event: Any) -> None:
        self.record, self.event = record, event
        self.name, self.at, self.stream = record.name, event.occurred_at, record.stream_id
        self.clinic, self.patient = record.clinic_id, record.subject


def entries(history: History, known_at: int | None = None, as_of: datetime | None = None) -> list[Entry]:
    """What stands of the log's first `known_at` records at `as_of`, in order of occurrence, ties by position."""
    streams: dict[UUID, list[Recorded]] = defaultdict(list)
    for record in history.records[:known_at]:
        streams[record.stream_id].append(record)
    found = []
    for records in streams.values():
        by_version = {record.version: record for record in records}
        for entry in standing([(record.version, record.event) for record in records]):
            if not isinstance(entry.event, EntryAmended | EntryStruck):
                found.append(Entry(by_version[entry.version], entry.event))
    if as_of is not None:
        found = [one for one in found if one.at <= as_of]
    return sorted(found, key=lambda one: (one.at, one.record.position))


class Clinic:
    """One clinic's day, minute by minute."""

    def __init__(self, clinic: UUID, known: list[Entry], first: date, last: date, as_of: datetime) -> None:
        self.clinic, self.as_of = clinic, as_of
        self.own = [one for one in known if one.stream == clinic]
        self.known = [one for one in known if one.clinic == clinic and one.stream != clinic]
        self.zone = ZoneInfo(next(one.event.timezone for one in self.own if one.name == "clinic.opened.v1"))
        self.rooms = {one.event.room_id: one.at for one in self.own if one.name == "clinic.room_added.v1"}
        self.retired = {one.event.room_id: one.at for one in self.own if one.name == "clinic.room_retired.v1"}
        self.minutes = list(self._minutes(first, last))
        self.within = set(self.minutes)
        wider = list(self._minutes(first - timedelta(days=4), last + timedelta(days=4)))
        self.clinic_open = self._clinic_open(wider, "hours")
        prime = self._clinic_open(wider, "prime")
        self.open = {(room, at) for at in self.minutes if at in self.clinic_open for room in self._usable(at)}
        self.prime = {(room, at) for room, at in self.open if at in prime}
        self.visits = self._visits()
        self.roomed = [
            (one.event.room_id, one.at) for visit in self.visits for one in visit["steps"] if one.name in ROOMED
        ]
        self.slots = self._slots()

    def _minutes(self, first: date, last: date) -> Iterator[datetime]:
        at = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=2)
        while at.astimezone(self.zone).date() <= last:
            if at.astimezone(self.zone).date() >= first:
                yield at
            at += MINUTE

    def _clinic_open(self, minutes: list[datetime], which: str) -> set[datetime]:
        """The minutes in which the clinic is open (or in its prime time), by the latest time its clock has shown."""
        said = [one.event for one in self.own if one.name == "clinic.opening_hours_set.v1"]
        closures = [one.event for one in self.own if one.name == "clinic.closure_declared.v1"]
        whole = [(one.starts_at, one.ends_at) for one in closures if one.room_id is None]
        found, shown = set(), minutes[0].astimezone(self.zone).replace(tzinfo=None)
        for at in minutes:
            shown = max(shown, at.astimezone(self.zone).replace(tzinfo=None))
            in_force = [one for one in said if one.effective_from <= shown.date()][-1:]
            spans = [span for one in in_force for span in getattr(one, which) if span.weekday == shown.isoweekday()]
            clock, midnight = shown.time(), time(0)
            inside = any(one.opens <= clock and (clock < one.closes or one.closes == midnight) for one in spans)
            if inside and not any(starts <= at < ends for starts, ends in whole):
                found.add(at)
        return found

    def _usable(self, at: datetime) -> list[UUID]:
        """The rooms in service and not closed by themselves."""
        closures = [one.event for one in self.own if one.name == "clinic.closure_declared.v1"]
        return [
            room for room, since in self.rooms.items()
            if since <= at < self.retired.get(room, at + MINUTE)
            and not any(one.room_id == room and one.starts_at <= at < one.ends_at for one in closures)
        ]  # fmt: skip

    # --- visits ------------------------------------------------------------------------------------

    def _visits(self) -> list[dict[str, Any]]:
        streams: dict[UUID, list[Entry]] = defaultdict(list)
        for one in self.known:
            if one.name.startswith("infusion."):
                streams[one.stream].append(one)
        visits = []
        for own in streams.values():
            first = {}
            for one in own:
                first.setdefault(one.name.split(".")[1], one)
            begun = first.get("patient_arrived") or first.get("patient_roomed")
            if begun is not None:
                visits.append({"steps": own, "first": first, "fact": f"v{begun.record.position}"})
        return visits

    def closes_on(self, at: datetime, visit: dict[str, Any]) -> datetime:
        """When the opening ends that `at` lies in, or that begins later that local day; else the visit's ending, else
        that local midnight."""
        day = at.astimezone(self.zone).date()
        while at not in self.clinic_open:
            at += MINUTE
            if at.astimezone(self.zone).date() != day:
                return next((one.at for one in visit["steps"] if one.name in ENDS), at)
        while at in self.clinic_open:
            at += MINUTE
        return at

    def stays(self, visit: dict[str, Any]) -> list[tuple[UUID, datetime, datetime]]:
        """Room, from, until."""
        room, since, found = None, None, []
        for one in visit["steps"]:
            if one.name in ROOMED:
                if room is not None:
                    found.append((room, since, one.at))
                room, since = one.event.room_id, one.at
            elif one.name == "infusion.room_released.v1" and room is not None:
                found.append((room, since, one.at))
                room = None
        if room is not None and since is not None:
            found.append((room, since, self._given_up(visit, room, since)))
        return found

    def _given_up(self, visit: dict[str, Any], room: UUID, since: datetime) -> datetime:
        """Where a stay ends whose room was never released."""
        nexts = [at for other, at in self.roomed if other == room and at > since]
        until = min([self.closes_on(since, visit), *nexts])
        return min(self.as_of, max([until, *(one.at for one in visit["steps"] if one.name in PROOFS)]))

    def occupied(self) -> set[tuple[UUID, datetime]]:
        """(room, minute) pairs in which a patient or the cleaning had the room."""
        found = set()
        for visit in self.visits:
            for room, since, until in self.stays(visit):
                at = since
                while at < until:
                    if at in self.within and at < self.as_of:
                        found.add((room, at))
                    at += MINUTE
        return found

    def phases(self) -> Counter[str]:
        """Minutes by phase."""
        found: Counter[str] = Counter()
        for visit in self.visits:
            stays = self.stays(visit)
            ended = next((one.at for one in visit["steps"] if one.name in ENDS), None)
            for _, since, until in stays:
                at = since
                while at < until:
                    if at in self.within and at < self.as_of:
                        found[self._phase(visit, at, ended)] += 1
                    at += MINUTE
        return found

    def _phase(self, visit: dict[str, Any], at: datetime, ended: datetime | None) -> str:
        if ended is not None and at >= ended:
            return "cleaning"
        names = {
            "infusion.started.v1": "infusing", "infusion.resumed.v1": "infusing", "infusion.paused.v1": "paused",
            "infusion.given.v1": "recovering",
        }  # fmt: skip
        phase, begun = "preparing", False
        for one in visit["steps"]:
            begun = begun or one.name == "infusion.started.v1"
            if one.at <= at and one.name in names and begun and phase != "recovering":
                phase = names[one.name]
        ready = self._ready(visit)
        return "waiting_for_driver" if ready is not None and at >= ready else phase

    def _ready(self, visit: dict[str, Any]) -> datetime | None:
        stopped = visit["first"].get("given")
        if stopped is None:
            return None
        protocol = EXAMPLE_PROTOCOL
        passed = [
            one.at for one in visit["steps"]
            if one.name == "infusion.recovery_assessed.v1" and one.at >= stopped.at
            and one.event.scale == protocol.discharge_scale and one.event.total >= protocol.discharge_minimum
        ]  # fmt: skip
        return max(min(passed), stopped.at + protocol.monitoring_minutes * MINUTE) if passed else None

    # --- bookings ----------------------------------------------------------------------------------

    def _slots(self) -> list[dict[str, Any]]:
        arrived = {
            one.event.appointment_id for one in self.known if one.name == "infusion.patient_arrived.v1"
        }  # fmt: skip
        slots: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        for one in self.known:
            if not one.name.startswith("appointment."):
                continue
            event, own = one.event, slots[one.event.appointment_id]
            live = [slot for slot in own if slot["left"] is None]
            kind = one.name.split(".")[1]
            if kind == "booked":
                own.append(_slot(event, one.at, one.record.position))
            elif kind == "moved":
                same = [slot for slot in live if slot["starts"] == event.was_starts_at] or live
                if same:
                    same[-1].update(left=one.at, by=event.asked_by)
                own.append(_slot(event, one.at, one.record.position))
            elif kind == "cancelled" and live:
                live[-1].update(left=one.at, by=event.asked_by)
            elif kind == "no_show_recorded" and live:
                live[-1].update(no_show=True)
        for appointment, own in slots.items():
            live = [slot for slot in own if slot["left"] is None]
            if appointment in arrived and live:
                live[-1]["attended"] = True
        return [slot for own in slots.values() for slot in own]

    def booked(self) -> Counter[tuple[UUID, datetime]]:
        """How often each (room, minute) is booked by bookings live at their start."""
        found: Counter[tuple[UUID, datetime]] = Counter()
        for slot in self.slots:
            if slot["left"] is None or slot["left"] >= slot["starts"]:
                at = slot["starts"]
                while at < slot["ends"]:
                    if at in self.within:
                        found[slot["room"], at] += 1
                    at += MINUTE
        return found

    def outcomes(self) -> Counter[str]:
        """How the bookings that start in the period count."""
        found: Counter[str] = Counter()
        for slot in self.slots:
            if slot["starts"] in self.within:
                found[self._outcome(slot)] += 1
        return found

    def _outcome(self, slot: dict[str, Any]) -> str:
        if slot["attended"]:
            return "attended"
        if slot["left"] is not None:
            if slot["by"] == "clinic":
                return "clinic_side"
            return "patient_late" if slot["starts"] - slot["left"] < timedelta(hours=24) else "patient_24h_or_more"
        if slot["no_show"]:
            return "no_show"
        return "not_due" if slot["starts"] > self.as_of else "unresolved"


def _slot(event: Any, at: datetime, position: int) -> dict[str, Any]:
    return {
        "room": event.room_id, "starts": event.starts_at, "ends": event.ends_at, "taken": at, "left": None, "by": None,
        "no_show": False, "attended": False, "fact": f"a{position}",
    }  # fmt: skip
