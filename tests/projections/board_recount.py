"""The room board once more: histories of one clinic's day drawn by hypothesis, and the day replayed from raw events."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from domain.clinic import OpeningSpan
from domain.infusion.arrival import VisitQuestions
from domain.infusion.monitoring import VitalSigns
from domain.protocol import EXAMPLE_PROTOCOL
from tests.projections.naive import ENDS, Entry, entries
from tests.support.histories import History, uid

CLINIC, STAFF = uid(1, 20), uid(1, 21)
ROOMS = [uid(number, 22) for number in (1, 2, 3)]
ZONE = "America/Denver"
DAY = datetime(2026, 3, 4, 14, tzinfo=UTC)
"""Seven in the morning there."""
PROTOCOL = msgspec.structs.replace(EXAMPLE_PROTOCOL, vitals_every_minutes=15, vitals_every_minutes_recovery=20)
QUESTIONS = VisitQuestions(
    medicines_changed=False, fasted=True, pregnancy="not_applicable", urinary_symptoms=False, low_mood=False,
    health_changed=False,
)  # fmt: skip
MINUTE = timedelta(minutes=1)


def clinic_opened() -> History:
    """A clinic with three rooms, open on all days from eight to five, with a protocol."""
    history, before = History(), DAY - timedelta(days=30)

    def add(name: str, **fields: Any) -> None:
        history.add(name, CLINIC, before, clinic=CLINIC, **fields)

    add("clinic.opened.v1", clinic_name="A", timezone=ZONE)
    for number, room in enumerate(ROOMS, 1):
        add("clinic.room_added.v1", room_id=room, room_name=f"Room {number}")
    hours = tuple(OpeningSpan(weekday=day, opens=time(8), closes=time(17)) for day in range(1, 8))
    add("clinic.opening_hours_set.v1", effective_from=date(2026, 1, 1), hours=hours, prime=())
    add("clinic.protocol_adopted.v1", protocol_version=1, document=PROTOCOL, adopted_by=STAFF)
    return history


class Written:
    """What a day's visits will write, each with the delay after which it is recorded."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.due: list[tuple[datetime, str, UUID, datetime, UUID | None, dict[str, Any]]] = []

    def visit(self, number: int) -> None:
        """One visit, as far as it is drawn to go."""
        draw, self.stream, self.patient = self.draw, uid(number, 23), uid(number, 24)
        self.at = DAY + draw(st.integers(0, 400)) * MINUTE
        steps = draw(st.lists(st.sampled_from(STEPS), min_size=0, max_size=14))
        self.drug = "none"
        self.say("patient_arrived", patient_id=self.patient, visit_kind=draw(st.sampled_from(["trial", "follow_up"])))
        for step in steps:
            self.at += draw(st.integers(1, 18)) * MINUTE
            getattr(self, f"_{step}")(number)
        if draw(st.booleans()):
            self.at += draw(st.integers(1, 18)) * MINUTE
            self.say("patient_discharged", driver_present=True, instructions_given=True, discharged_by=STAFF)
            if draw(st.booleans()):
                self.at += 5 * MINUTE
                self.say("room_released", room_id=ROOMS[number % 3])

    def say(self, name: str, **fields: Any) -> None:
        self.write(f"infusion.{name}.v1", self.stream, **fields)

    def write(self, name: str, stream: UUID, **fields: Any) -> None:
        delay = self.draw(st.sampled_from([0, 0, 0, 0, 7, 45]))
        self.due.append((self.at + delay * MINUTE, name, stream, self.at, self.patient, fields))

    def _roomed(self, number: int) -> None:
        self.say("patient_roomed", room_id=ROOMS[number % 3])

    def _moved(self, number: int) -> None:
        rooms = {"from_room_id": ROOMS[number % 3], "room_id": ROOMS[(number + 1) % 3]}
        self.say("patient_moved_room", reason_code="equipment", **rooms)

    def _checked(self, number: int) -> None:
        self.say(
            "pre_infusion_checked", weight_kg=Decimal(70), questions=QUESTIONS, driver_named=self.draw(st.booleans()),
            nurse_id=STAFF,
        )  # fmt: skip

    def _started(self, number: int) -> None:
        if self.drug == "none":
            self.drug = "started"
            self.say("started", rate_mg_per_h=Decimal(self.draw(st.integers(0, 40))))

    def _rate(self, number: int) -> None:
        self.say("rate_changed", rate_mg_per_h=Decimal(self.draw(st.integers(0, 40))), reason_code="comfort")

    def _paused(self, number: int) -> None:
        self.say("paused", reason_code="bathroom")

    def _resumed(self, number: int) -> None:
        self.say("resumed", rate_mg_per_h=Decimal(self.draw(st.integers(1, 40))))

    def _stopped(self, number: int) -> None:
        if self.drug == "started":
            self.drug = "stopped"
            self.say(
                "given", course_id=None, purpose="trial", drug_started_at=self.at, dose_mg=Decimal(1),
                dose_mg_per_kg=Decimal("0.1"), minutes=Decimal(1), complete=True,
            )  # fmt: skip

    def _vitals(self, number: int) -> None:
        measured = self.draw(st.booleans())
        some = VitalSigns(spo2_percent=97) if measured else VitalSigns(not_obtainable=("spo2_percent",))
        self.say("vitals_recorded", vitals=some, phase="infusion")

    def _sedation(self, number: int) -> None:
        self.say("sedation_scored", scale="rass", score=-1)

    def _recovered(self, number: int) -> None:
        total = self.draw(st.integers(8, 10))
        self.say("recovery_assessed", scale=PROTOCOL.discharge_scale, items={}, total=total)

    def _alert(self, number: int) -> None:
        alert = uid(self.draw(st.integers(1, 2)) + 10 * number, 25)
        if self.draw(st.booleans()):
            self.say("alert_raised", alert_id=alert, sign="spo2_percent", value=Decimal(88), limit=Decimal(90), entry=1)
        else:
            self.say("alert_acknowledged", alert_id=alert, action="paused")

    def _order(self, number: int) -> None:
        order = uid(self.draw(st.integers(1, 2)) + 10 * number, 26)
        if self.draw(st.booleans()):
            by = self.at + timedelta(hours=self.draw(st.integers(1, 24)))
            self.say("verbal_order_taken", order_id=order, prescriber_id=STAFF, nurse_id=STAFF, read_back=True,
                     countersign_by=by)  # fmt: skip
        else:
            self.say("order_countersigned", order_id=order, prescriber_id=STAFF)

    def _draw(self, number: int) -> None:
        draw_id = uid(self.draw(st.integers(1, 2)) + 10 * number, 27)
        if self.draw(st.booleans()):
            self.write("drug_lot.drug_drawn.v1", uid(1, 28), draw_id=draw_id, infusion_id=self.stream,
                       drawn_mg=Decimal(50), vials_opened=1, drawn_by=STAFF)  # fmt: skip
        else:
            self.write("drug_lot.drug_wasted.v1", uid(1, 28), draw_id=draw_id, given_mg=Decimal(40), method="sink",
                       wasted_mg=Decimal(10), rounding_mg=Decimal(0), wasted_by=STAFF,
                       witness_id=uid(2, 21))  # fmt: skip


STEPS = (
    "roomed", "roomed", "checked", "started", "started", "stopped", "vitals", "vitals", "sedation", "paused", "resumed",
    "rate", "recovered", "moved", "alert", "order", "draw",
)  # fmt: skip


@st.composite
def days(draw: Any) -> History:
    """A day of up to five visits: entries late, some amended in their time, some struck."""
    written = Written(draw)
    for number in range(draw(st.integers(0, 5))):
        written.visit(number)
    history = clinic_opened()
    for recorded, name, stream, at, patient, fields in sorted(written.due, key=lambda one: one[0]):
        history.add(name, stream, at, clinic=CLINIC, subject=patient, recorded=recorded, **fields)
    about = [one for one in history.records if one.stream_id != CLINIC]
    chosen = draw(st.lists(st.sampled_from(about), max_size=4, unique_by=lambda one: one.position)) if about else []
    for second, one in enumerate(chosen, 1):
        at = history.records[-1].recorded_at + MINUTE
        run = one.name in ("infusion.started.v1", "infusion.given.v1")
        if draw(st.booleans()) and not run:
            history.strike(one.stream_id, one.version, at)
        else:  # by seconds that nothing else has, so that no two entries come to share a moment, nor a stop a start
            minutes = 0 if run else draw(st.integers(-9, 9))
            moved = one.occurred_at + minutes * MINUTE + timedelta(seconds=7 * second)
            history.amend(one.stream_id, one.version, at, occurred_at=moved.isoformat())
    return history


# --- the replay -----------------------------------------------------------------------------------


class Replay:
    """The house at one moment, told step by step from the entries that stand."""

    def __init__(self, history: History, as_of: datetime, known_at: int | None = None) -> None:
        self.as_of = as_of
        self.known = entries(history, known_at, as_of)
        streams: dict[UUID, list[Entry]] = defaultdict(list)
        for one in self.known:
            if one.name.startswith("infusion."):
                streams[one.stream].append(one)
        self.visits = {stream: self._visit(own) for stream, own in streams.items()}
        self.visits = {
            stream: one for stream, one in self.visits.items()
            if one["begun"] and (not one["ended"] or one["room"] is not None)
        }  # fmt: skip

    def _visit(self, own: list[Entry]) -> dict[str, Any]:
        room, ended, roomed, state = None, None, False, "waiting_for_room"
        arrived = next((one for one in own if one.name == "infusion.patient_arrived.v1"), None)
        started = stopped = None
        for one in own:
            what = one.name.removeprefix("infusion.").removesuffix(".v1")
            if what == "patient_roomed":
                room = one.event.room_id
                if not roomed:
                    roomed, state = True, "preparing"
            elif what == "patient_moved_room":
                room, roomed, state = one.event.room_id, True, state if roomed else "preparing"
            elif what == "room_released":
                room = None
            elif one.name in ENDS and ended is None:
                ended = one.at
            elif what == "started" and started is None:
                started = one.at
            elif what == "given" and stopped is None:
                stopped = one.at
        begun = arrived is not None or any(one.name == "infusion.patient_roomed.v1" for one in own)
        return {
            "own": own, "begun": begun, "room": room, "ended": ended, "roomed": roomed, "started": started,
            "stopped": stopped, "state": self._state(own, roomed, ended) if begun else None,
            "kind": arrived.event.visit_kind if arrived is not None else "",
        }  # fmt: skip

    def _state(self, own: list[Entry], roomed: bool, ended: datetime | None) -> str:
        if not roomed:
            return "waiting_for_room" if ended is None else "ended"
        if ended is not None:
            return "cleaning"
        state, begun, stop = "preparing", False, None
        turn = {"infusion.started.v1": "infusing", "infusion.resumed.v1": "infusing", "infusion.paused.v1": "paused"}
        for one in own:
            begun = begun or one.name == "infusion.started.v1"
            if one.name in turn and begun and state != "recovering":
                state = turn[one.name]
            if one.name == "infusion.given.v1":
                stop = stop or one.at
                state = "recovering" if begun else state
        passed = [
            one.at for one in own if one.name == "infusion.recovery_assessed.v1" and one.event.total >= 9
            and stop is not None and one.at >= stop
        ]  # fmt: skip
        if stop is not None and passed and max(passed[0], stop + 30 * MINUTE) <= self.as_of:
            return "waiting_for_driver"
        return state

    def rooms(self) -> dict[str, set[str]]:
        """Who is where: room to the states of those in it."""
        found: dict[str, set[str]] = defaultdict(set)
        for stream, one in self.visits.items():
            if one["room"] is not None:
                found[str(one["room"])].add(f"{stream} {one['state']}")
        return found

    def waiting(self) -> set[str]:
        """Visits in which nobody has been roomed yet."""
        return {str(stream) for stream, one in self.visits.items() if one["state"] == "waiting_for_room"}

    def in_the_house(self) -> dict[str, dict[str, Any]]:
        """By visit, those not ended."""
        return {str(stream): one for stream, one in self.visits.items() if not one["ended"]}

    def without_driver(self) -> set[str]:
        """Infusion patients whose last check names nobody."""
        found = set()
        for stream, one in self.in_the_house().items():
            named = False
            for step in one["own"]:
                if step.name == "infusion.pre_infusion_checked.v1":
                    named = step.event.driver_named
            if not named and one["kind"] == "trial":
                found.add(stream)
        return found

    def overdue(self) -> set[tuple[str, str]]:
        """(visit, vitals or sedation): no look since the protocol's interval, by asking of every second."""
        found = set()
        for stream, one in self.in_the_house().items():
            if one["started"] is None:
                continue
            for what, name in (("vitals", "infusion.vitals_recorded.v1"), ("sedation", "infusion.sedation_scored.v1")):
                looks = [step.at for step in one["own"] if step.name == name and step.at > one["started"]
                         and (what == "sedation" or step.event.vitals.spo2_percent is not None)]  # fmt: skip
                if self._missed(one["started"], one["stopped"], looks):
                    found.add((stream, what))
        return found

    def _missed(self, started: datetime, stopped: datetime | None, looks: list[datetime]) -> bool:
        last = max([started, *looks])
        over = stopped is not None and stopped >= started
        if not over or stopped is None:
            return self.as_of - last > 15 * MINUTE
        if last > stopped:
            return self.as_of - last > 20 * MINUTE
        return self.as_of - last > 15 * MINUTE or self.as_of - stopped > 20 * MINUTE

    def drug_seconds(self, stream: str) -> int | None:
        """Seconds drug ran, counted one by one; None when none was started or given as a bolus."""
        own = self.visits[UUID(stream)]["own"]
        if not any(one.name == "infusion.started.v1" for one in own):
            return None
        at, ran, turned = own[0].at, 0, 0
        rate, running, begun, over = Decimal(0), False, False, False
        while at < self.as_of:
            while turned < len(own) and own[turned].at <= at:
                one, turned = own[turned], turned + 1
                name = one.name.removeprefix("infusion.").removesuffix(".v1")
                if over or (not begun and name != "started"):
                    continue
                if name == "started" and not begun:
                    begun, running, rate = True, True, one.event.rate_mg_per_h
                elif name == "resumed":
                    running, rate = True, one.event.rate_mg_per_h
                elif name == "rate_changed":
                    rate = one.event.rate_mg_per_h
                elif name == "paused":
                    running = False
                elif name == "given":
                    over = True
            ran += running and not over and rate > 0
            at += timedelta(seconds=1)
        return ran

    def open_things(self, begins: str, ends: str, field: str) -> set[str]:
        """Ids that an entry `begins` names and no standing entry `ends` does."""
        begun = {str(getattr(one.event, field)) for one in self.known if one.name == begins}
        return begun - {str(getattr(one.event, field)) for one in self.known if one.name == ends}
