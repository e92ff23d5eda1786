"""Where a stay ends whose room nobody released: the definition of `occupied_minutes`, clause by clause.

Seen first in a random history (see test_utilization): a patient roomed at 19:14, the clinic closed since 17:00 and on
the next two days; one reading of the rule gave the room away for 70 hours, another for 39 days.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from domain.clinic import OpeningSpan
from projections import utilization
from projections.metrics.calendar import Period
from projections.metrics.definitions import DEFINITIONS, current
from projections.metrics.rooms import RoomFigures
from tests.support.facts import facts_of
from tests.support.histories import History, uid

CLINIC, ROOM, OTHER_ROOM = uid(1), uid(1, 2), uid(2, 2)
MONDAY = date(2026, 6, 1)


class Ward:
    """A clinic in UTC with two rooms, open on Mondays from 08:00 to 12:00 and 13:00 to 17:00."""

    def __init__(self) -> None:
        self.history = History()
        start = self.at("08:00") - timedelta(days=30)
        self.say("clinic.opened.v1", CLINIC, start, clinic_name="A", timezone="UTC")
        for room in (ROOM, OTHER_ROOM):
            self.say("clinic.room_added.v1", CLINIC, start, room_id=room, room_name="R")
        hours = [
            OpeningSpan(weekday=1, opens=time(opens), closes=time(closes)) for opens, closes in ((8, 12), (13, 17))
        ]
        self.say(
            "clinic.opening_hours_set.v1", CLINIC, start, effective_from=start.date(), hours=tuple(hours), prime=()
        )

    def at(self, clock: str, days: int = 0) -> datetime:
        return datetime.combine(MONDAY + timedelta(days=days), time.fromisoformat(clock), tzinfo=UTC)

    def say(self, name: str, stream: object, at: datetime, **fields: object) -> None:
        self.history.add(name, stream, at, clinic=CLINIC, recorded=at, **fields)  # type: ignore[arg-type]

    def rooms(self, visit: int, at: datetime, room: object = ROOM) -> None:
        """Rooms a patient of their own; nothing releases the room."""
        self.say("infusion.patient_arrived.v1", uid(visit, 6), at, patient_id=uid(visit, 3), visit_kind="series")
        self.say("infusion.patient_roomed.v1", uid(visit, 6), at, room_id=room)

    def discharges(self, visit: int, at: datetime) -> None:
        self.say(
            "infusion.patient_discharged.v1", uid(visit, 6), at, driver_present=True, instructions_given=True,
            discharged_by=uid(1, 9),
        )  # fmt: skip

    def figures(self, as_of: datetime | None = None) -> RoomFigures:
        with facts_of(self.history) as conn:
            report = utilization.report(
                conn, [str(CLINIC)], Period(MONDAY, MONDAY + timedelta(days=6)), as_of=as_of or self.at("12:00", 20)
            )
        return report.together.rooms


def minutes(ward: Ward, as_of: datetime | None = None) -> float | None:
    """Occupied minutes, once it is sure that the open stays are flagged."""
    figure = ward.figures(as_of).occupied_minutes
    assert figure.flags["unclosed"] >= 1
    return figure.value


def test_one_roomed_while_open_is_given_up_when_that_opening_ends() -> None:
    """09:00, closing 12:00: three hours; the afternoon is another opening."""
    ward = Ward()
    ward.rooms(1, ward.at("09:00"))
    assert minutes(ward) == 180


def test_one_roomed_before_opening_or_at_lunch_stays_until_the_next_closing_of_that_day() -> None:
    """07:30 until 12:00; 12:15 until 17:00."""
    early, lunch = Ward(), Ward()
    early.rooms(1, early.at("07:30"))
    lunch.rooms(1, lunch.at("12:15"))
    assert (minutes(early), minutes(lunch)) == (270, 285)


def test_one_roomed_after_the_last_closing_is_given_up_when_the_visit_ends_or_at_midnight() -> None:
    """19:00 on Monday, closed until next Monday: until discharged at 20:30, else five hours; not a week."""
    ward = Ward()
    ward.rooms(1, ward.at("19:00"))
    assert minutes(ward) == 300
    assert ward.figures().overtime_minutes.value == 300
    ward.discharges(1, ward.at("20:30"))
    assert minutes(ward) == 90


def test_the_next_patient_roomed_there_proves_that_the_one_before_has_left() -> None:
    """09:00 and 10:00 in one room: no minute twice, nor in the phases. Another room is not concerned."""
    ward = Ward()
    ward.rooms(1, ward.at("09:00"))
    ward.rooms(2, ward.at("10:00"))
    ward.rooms(3, ward.at("11:00"), OTHER_ROOM)
    assert minutes(ward) == 180 + 60
    assert ward.figures().phases["preparing"].numerator == 180 + 60


def test_what_the_visits_own_steps_prove_is_not_cut_off() -> None:
    """Roomed 16:00, discharged 17:40, after closing and after the next patient was roomed: there until 17:40."""
    ward = Ward()
    ward.rooms(1, ward.at("16:00"))
    ward.rooms(2, ward.at("17:20"))
    ward.discharges(1, ward.at("17:40"))
    ward.discharges(2, ward.at("18:00"))
    figures = ward.figures()
    assert figures.occupied_minutes.value == 120
    assert figures.occupied_minutes.flags == {"unclosed": 2}


def test_nothing_is_counted_past_as_of() -> None:
    """09:00, looked at 09:45."""
    ward = Ward()
    ward.rooms(1, ward.at("09:00"))
    assert minutes(ward, ward.at("09:45")) == 45


def test_the_former_definition_stays_readable_in_its_own_words() -> None:
    """Version 2 is in force; version 1 says what earlier figures meant."""
    versions = {one.version: one.text for one in DEFINITIONS if one.name == "occupied_minutes"}
    assert current("occupied_minutes").version == 2
    assert "next closing, or as_of if sooner" in versions[1]
    names = [(one.name, one.version) for one in DEFINITIONS]
    assert len(names) == len(set(names))
