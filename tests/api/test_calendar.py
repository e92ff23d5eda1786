"""The calendar that staff subscribe to: nothing about anybody in it, and the address can be withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from api.http.calendar import calendar_text, token_of
from domain import clinic, day_sheet
from domain.kernel import Actor
from projections.calendar_feed import BookedRoom
from services.handling import Request
from tests.api.world import World
from tests.conftest import Database

BY = Actor(id="00000000-0000-4000-8000-000000000001", role="owner")
ZONE = ZoneInfo("America/Denver")


class Booked:
    """A clinic in Denver with a room, a patient and commands sent as the API sends them."""

    def __init__(self, world: World) -> None:
        from domain.patient.registration import RegisterPatient

        self.world, self.clinic_id, self.room_id, self.patient_id = world, uuid4(), uuid4(), uuid4()
        self.do(self.clinic_id, clinic.OpenClinic, clinic_name="Hill (fictional)", timezone="America/Denver")
        self.do(self.clinic_id, clinic.AddRoom, room_id=self.room_id, room_name="Room Ä")
        self.do(self.clinic_id, clinic.SetOpeningHours, effective_from=date(2020, 1, 1), hours=tuple(
            clinic.OpeningSpan(weekday=n, opens=time(0), closes=time(0)) for n in range(1, 8)))
        self.do(self.patient_id, RegisterPatient, family_name="Verysecretname", given_name="Pat",
                birth_date=date(1980, 1, 1), sex="female", home_clinic_id=self.clinic_id)
        self.feed_id = uuid4()
        self.do(self.clinic_id, clinic.OpenCalendarFeed, feed_id=self.feed_id, label="Wall")
        self.path = f"/calendar/{token_of(world.app.extensions['anodyne'].secret, self.clinic_id, self.feed_id)}.ics"
        self.tomorrow = (world.now.astimezone(ZONE) + timedelta(days=1)).date()

    def do(self, stream: UUID, command: Any, **fields: Any) -> None:
        now = self.world.services.clock.now()
        self.world.services.handle(
            stream, command(by=BY, now=now, at=now, **fields), Request(by=BY, clinic_id=self.clinic_id))

    def at(self, hour: int, days: int = 0) -> datetime:
        return datetime.combine(self.tomorrow + timedelta(days=days), time(hour), ZONE)

    def sheet(self, days: int = 0) -> UUID:
        from domain.kernel import derived_id

        return derived_id("day_sheet", self.clinic_id, (self.tomorrow + timedelta(days=days)).isoformat())

    def book(self, hour: int) -> UUID:
        appointment_id = uuid4()
        self.do(self.sheet(), day_sheet.BookAppointment, appointment_id=appointment_id, patient_id=self.patient_id,
                room_id=self.room_id, visit_kind="follow_up", starts_at=self.at(hour), ends_at=self.at(hour + 1))
        return appointment_id

    def events(self) -> list[Any]:
        self.world.caught_up()
        answer = self.world.client.get(self.path)
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == "text/calendar"
        return list(Calendar.from_ical(answer.get_data()).walk("VEVENT"))


@pytest.fixture(params=["sqlite", "postgres"])
def booked(request: pytest.FixtureRequest, make_world: Callable[..., World]) -> Iterator[Booked]:
    if request.param == "postgres":
        database: Database = request.getfixturevalue("postgres_database")
        world = make_world(home=database.home, database_url=database.log_url, migration_url=database.admin_url)
    else:
        world = make_world()
    yield Booked(world)
    world.read_side.close()
    world.services.close()


def test_an_entry_says_room_and_time_and_nothing_about_anybody(booked: Booked) -> None:
    """Not the name, not an id of patient or appointment, not the kind of visit."""
    appointment_id = booked.book(9)
    (event,) = booked.events()
    assert (str(event["SUMMARY"]), str(event["LOCATION"]), str(event["STATUS"])) == (
        "Room Ä: booked", "Room Ä", "CONFIRMED")
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (booked.at(9), booked.at(10))
    text = booked.world.client.get(booked.path).text.replace("\r\n ", "")
    for hidden in ("Verysecretname", "Pat", str(booked.patient_id), str(appointment_id), "follow", "infusion",
                   "ketamine", str(booked.clinic_id), str(booked.room_id)):
        assert hidden not in text, hidden


def test_a_move_keeps_the_uid_and_counts_up_and_a_cancellation_says_so(booked: Booked) -> None:
    """Within the day, to another day's sheet, back, then given up."""
    appointment_id = booked.book(9)
    (before,) = booked.events()
    steps = [(0, 11, 0), (0, 13, 2), (2, 14, 0)]
    for number, (sheet, hour, days) in enumerate(steps, 1):
        booked.do(booked.sheet(sheet), day_sheet.MoveAppointment, appointment_id=appointment_id,
                  room_id=booked.room_id, starts_at=booked.at(hour, days), asked_by="clinic", reason_code="room")
        (event,) = booked.events()
        assert (event["UID"], event["SEQUENCE"]) == (before["UID"], number)
        assert (event.decoded("DTSTART"), str(event["STATUS"])) == (booked.at(hour, days), "CONFIRMED")
    booked.do(booked.sheet(), day_sheet.CancelAppointment, appointment_id=appointment_id, asked_by="patient",
              reason_code="illness")
    (event,) = booked.events()
    assert (event["UID"], event["SEQUENCE"], str(event["STATUS"]), str(event["TRANSP"])) == (
        before["UID"], 4, "CANCELLED", "TRANSPARENT")


def test_unchanged_is_304_and_a_change_is_another_etag(booked: Booked) -> None:
    booked.book(9)
    booked.world.caught_up()
    first = booked.world.client.get(booked.path)
    again = booked.world.client.get(booked.path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")
    booked.book(11)
    booked.world.caught_up()
    changed = booked.world.client.get(booked.path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_a_withdrawn_or_wrong_address_is_the_one_404(booked: Booked) -> None:
    """At once, and told apart from an address that never was by nobody."""
    booked.book(9)
    assert len(booked.events()) == 1
    secret = booked.world.app.extensions["anodyne"].secret
    wrong = [
        booked.path.replace(".ics", "A.ics"), "/calendar/A.ics", "/calendar/!!.ics",
        f"/calendar/{token_of(secret, booked.clinic_id, uuid4())}.ics",
        f"/calendar/{token_of(b'other', booked.clinic_id, booked.feed_id)}.ics",
        f"/calendar/{token_of(secret, uuid4(), booked.feed_id)}.ics",
    ]
    booked.do(booked.clinic_id, clinic.CloseCalendarFeed, feed_id=booked.feed_id)
    for path in (*wrong, booked.path):
        answer = booked.world.client.get(path)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not-found"), path


@pytest.mark.parametrize("name", [
    "America/Denver", "America/Phoenix", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "UTC",
])
def test_the_time_zone_in_the_file_is_the_zones_own(name: str) -> None:
    """VTIMEZONE alone (no zone database) gives for every day of two years the offset that the zone has."""
    zone = ZoneInfo(name)
    here = clinic.State(stream_id=uuid4(), clinic_name="A", timezone=name)

    def room(moment: datetime) -> BookedRoom:
        return BookedRoom(appointment_id=str(uuid4()), room_name="1", starts=moment, ends=moment + timedelta(hours=1),
                          sequence=0, cancelled=False, made=moment, changed=moment)

    first, last = datetime(2026, 2, 1, tzinfo=zone), datetime(2027, 12, 1, tzinfo=zone)
    parsed = Calendar.from_ical(calendar_text(here, (room(first), room(last)), uuid4()))
    (component,) = parsed.walk("VTIMEZONE")
    read = component.to_tz(lookup_tzid=False)
    moment = datetime(2026, 1, 2, 0, 30)  # noqa: DTZ001  wall clock
    while moment.year < 2028:
        theirs, ours = moment.replace(tzinfo=read), moment.replace(tzinfo=zone)
        skipped_or_doubled = ours.utcoffset() != ours.replace(fold=1).utcoffset()
        if not skipped_or_doubled:
            assert theirs.utcoffset() == ours.utcoffset(), moment
        moment += timedelta(hours=7)
