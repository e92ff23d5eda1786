"""A clinic: rooms, hours across changes of the clock, closures, staff, protocol adoption, prices."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import clinic
from domain.clinic import (
    AddRoom,
    AdoptProtocol,
    AlreadyAssigned,
    AssignStaff,
    ClinicAlreadyOpen,
    ClinicNotOpen,
    ClinicOpened,
    ClosureAlreadyDeclared,
    ClosureDeclared,
    ClosureLifted,
    ClosureNotFound,
    ClosureNotValid,
    DeclareClosure,
    ExampleProtocol,
    Facts,
    LicenceNotInDate,
    LiftClosure,
    NameMissing,
    NotAssigned,
    NotThePrescriber,
    OpenClinic,
    OpeningHoursSet,
    OpeningSpan,
    OpeningSpanNotValid,
    OpeningSpansOverlap,
    PrescriberNotAssigned,
    PriceItem,
    PriceListAlreadyPublished,
    PriceListNotValid,
    PriceListPublished,
    PrimeTimeOutsideHours,
    ProtocolAdopted,
    ProtocolVersionNotNext,
    PublishPriceList,
    RetireRoom,
    RoleNotForStaff,
    RoomAdded,
    RoomAlreadyAdded,
    RoomNameTaken,
    RoomNotInService,
    RoomRetired,
    SetOpeningHours,
    StaffAssigned,
    StaffNotInService,
    StaffUnassigned,
    State,
    UnassignStaff,
    UnknownTimeZone,
    decide,
    evolve,
    initial,
    is_open_over,
    open_on,
    opening_on,
    prices_on,
)
from domain.clinic.hours import instant, subtract
from domain.kernel import NAMESPACE, Actor, Event, InTheFuture, LateWithoutReason
from domain.protocol import EXAMPLE_PROTOCOL, ProtocolNotValid, adopted
from domain.staff import StaffLeft
from domain.vocabulary import UnknownCode
from tests.domain.given_when_then import Given, given

AT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)


def uid(name: str) -> UUID:
    return uuid5(NAMESPACE, name)


CLINIC, ROOM, ROOM_2, DOCTOR, NURSE = (uid(name) for name in ("clinic", "room", "room 2", "doctor", "nurse"))
MANAGER = Actor(id=str(uid("manager")), role="manager")
AS_DOCTOR = Actor(id=str(DOCTOR), role="prescriber")
OPENED = ClinicOpened(occurred_at=AT, clinic_name="Harbor", timezone="America/Los_Angeles")
ADDED = RoomAdded(occurred_at=AT, room_id=ROOM, room_name="Room 1")
DOCTOR_HERE = StaffAssigned(occurred_at=AT, staff_id=DOCTOR, role="prescriber")
IN_DATE = Facts(staff_in_service=True, prescriber_in_date=True, nurse_in_date=True)
OWN = adopted(EXAMPLE_PROTOCOL, "Dr. Ada Example", 1)


def ask(kind: type[Any], /, by: Actor = MANAGER, **fields: Any) -> Any:
    return kind(**{"by": by, "now": AT, "at": AT, **fields})


def an_open_clinic(*events: Event) -> Given[State]:
    return given(initial(CLINIC), evolve, [OPENED, *events])


# --- opening and rooms ---


def test_a_clinic_opens_once_in_an_iana_zone() -> None:
    opening = ask(OpenClinic, clinic_name="Harbor", timezone="America/Los_Angeles")
    given(initial(CLINIC), evolve).when(decide, opening).then(OPENED).when(decide, opening).then_refused(
        ClinicAlreadyOpen)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "localtime", "america/los_angeles", "../etc/passwd", "GMT+25"])
def test_a_zone_that_iana_does_not_know_is_refused(zone: str) -> None:
    given(initial(CLINIC), evolve).when(decide, ask(OpenClinic, clinic_name="X", timezone=zone)).then_refused(
        UnknownTimeZone, pointer="/timezone")


def test_a_clinic_has_a_name() -> None:
    given(initial(CLINIC), evolve).when(decide, ask(OpenClinic, clinic_name=" ", timezone="UTC")).then_refused(
        NameMissing)


@pytest.mark.parametrize("command", [
    ask(AddRoom, room_id=ROOM, room_name="Room 1"),
    ask(SetOpeningHours, effective_from=AT.date(), hours=()),
    ask(LiftClosure, closure_id=ROOM),
    ask(UnassignStaff, staff_id=NURSE, role="nurse"),
    ask(PublishPriceList, price_list_id=ROOM, effective_from=AT.date(), currency="USD", items=()),
    ask(AdoptProtocol, by=AS_DOCTOR, document=OWN, adopted_by=DOCTOR),
])
def test_nothing_happens_in_a_clinic_that_does_not_exist(command: Any) -> None:
    given(initial(CLINIC), evolve).when(decide, command, IN_DATE).then_refused(ClinicNotOpen)


def test_a_room_is_added_once_and_its_name_is_its_own() -> None:
    rooms = an_open_clinic().when(decide, ask(AddRoom, room_id=ROOM, room_name="Room 1")).then(ADDED)
    rooms.when(decide, ask(AddRoom, room_id=ROOM, room_name="Other")).then_refused(RoomAlreadyAdded)
    rooms.when(decide, ask(AddRoom, room_id=ROOM_2, room_name=" room 1 ")).then_refused(RoomNameTaken)


def test_a_retired_room_gives_its_name_free_but_not_its_id() -> None:
    retiring = ask(RetireRoom, room_id=ROOM, reason_code="renovation", stranded=(uid("booking"),))
    retired = an_open_clinic(ADDED).when(decide, retiring).then(RoomRetired(
        occurred_at=AT, room_id=ROOM, reason_code="renovation", stranded=(uid("booking"),)))
    assert not retired.state.in_service(ROOM)
    retired.when(decide, ask(AddRoom, room_id=ROOM_2, room_name="Room 1")).then_kinds(RoomAdded)
    retired.when(decide, ask(AddRoom, room_id=ROOM, room_name="Room 9")).then_refused(RoomAlreadyAdded)
    retired.when(decide, retiring).then_refused(RoomNotInService)


def test_a_room_is_retired_for_a_coded_reason() -> None:
    an_open_clinic(ADDED).when(decide, ask(RetireRoom, room_id=ROOM, reason_code="bored")).then_refused(
        UnknownCode, pointer="/reason_code")


# --- opening hours ---


def span(weekday: int, opens: str, closes: str) -> OpeningSpan:
    return OpeningSpan(weekday=weekday, opens=time.fromisoformat(opens), closes=time.fromisoformat(closes))


def hours(*spans: OpeningSpan, since: date = date(2026, 1, 1), prime: tuple[OpeningSpan, ...] = ()) -> OpeningHoursSet:
    return OpeningHoursSet(occurred_at=AT, effective_from=since, hours=spans, prime=prime)


def setting(*spans: OpeningSpan, prime: tuple[OpeningSpan, ...] = ()) -> SetOpeningHours:
    command: SetOpeningHours = ask(SetOpeningHours, effective_from=date(2026, 1, 1), hours=spans, prime=prime)
    return command


def test_spans_that_touch_are_fine_and_those_that_overlap_are_not() -> None:
    morning, afternoon = span(1, "08:00", "12:00"), span(1, "12:00", "17:00")
    an_open_clinic().when(decide, setting(afternoon, morning)).then(hours(afternoon, morning))
    an_open_clinic().when(decide, setting(morning, span(1, "11:59", "17:00"))).then_refused(
        OpeningSpansOverlap, weekday=1)
    an_open_clinic().when(decide, setting(morning, span(2, "11:59", "17:00"))).then_kinds(OpeningHoursSet)


@pytest.mark.parametrize("bad", [span(1, "12:00", "08:00"), span(1, "08:00", "08:00"), span(0, "08:00", "09:00"),
                                 span(8, "08:00", "09:00"), span(1, "00:00:00+02:00", "09:00")])
def test_a_span_lies_on_a_weekday_and_ends_after_it_begins(bad: OpeningSpan) -> None:
    an_open_clinic().when(decide, setting(span(1, "08:00", "09:00"), bad)).then_refused(
        OpeningSpanNotValid, pointer="/hours/1")


def test_midnight_closes_the_day() -> None:
    an_open_clinic().when(decide, setting(span(5, "18:00", "00:00"))).then_kinds(OpeningHoursSet)
    an_open_clinic().when(decide, setting(span(5, "18:00", "00:00"), span(5, "23:00", "23:30"))).then_refused(
        OpeningSpansOverlap)


def test_prime_time_lies_inside_opening_hours() -> None:
    day = span(1, "08:00", "17:00")
    an_open_clinic().when(decide, setting(day, prime=(span(1, "08:00", "11:00"),))).then_kinds(OpeningHoursSet)
    for outside in (span(1, "07:00", "11:00"), span(2, "09:00", "10:00")):
        an_open_clinic().when(decide, setting(day, prime=(outside,))).then_refused(
            PrimeTimeOutsideHours, pointer="/prime/0")


def local(state: State, *wanted: str) -> list[datetime]:
    return [datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(state.timezone)).astimezone(UTC) for text in wanted]


def test_the_week_in_force_is_the_latest_begun_and_of_two_the_one_set_last() -> None:
    state = an_open_clinic(
        hours(span(1, "08:00", "12:00")), hours(span(1, "09:00", "12:00"), since=date(2026, 6, 1)),
        hours(span(1, "10:00", "12:00"), since=date(2026, 6, 1))).state
    assert opening_on(state, date(2025, 12, 29)) == ()
    assert opening_on(state, date(2026, 5, 25))[0][0] == local(state, "2026-05-25T08:00")[0]
    assert opening_on(state, date(2026, 6, 1))[0][0] == local(state, "2026-06-01T10:00")[0]


@pytest.mark.parametrize(("day", "elapsed_hours"), [
    (date(2026, 3, 8), 23),  # the clock springs forward
    (date(2026, 3, 15), 24),
    (date(2026, 11, 1), 25),  # and falls back
])
def test_a_day_open_round_the_clock_has_its_true_length(day: date, elapsed_hours: int) -> None:
    state = an_open_clinic(hours(span(7, "00:00", "00:00"))).state
    ((opens, closes),) = opening_on(state, day)
    assert closes - opens == timedelta(hours=elapsed_hours)


def test_hours_that_the_clock_skips_are_not_open() -> None:
    """On 8 March 2026 Los Angeles goes from 02:00 to 03:00."""
    state = an_open_clinic(hours(span(7, "02:00", "03:00"))).state
    assert opening_on(state, date(2026, 3, 8)) == ()
    later = an_open_clinic(hours(span(7, "02:30", "03:15"))).state
    ((opens, closes),) = opening_on(later, date(2026, 3, 8))
    assert (opens, closes) == (datetime(2026, 3, 8, 10, 0, tzinfo=UTC), datetime(2026, 3, 8, 10, 15, tzinfo=UTC))


def test_hours_that_the_clock_shows_twice_are_open_twice() -> None:
    state = an_open_clinic(hours(span(7, "01:00", "02:00"))).state
    ((opens, closes),) = opening_on(state, date(2026, 11, 1))
    assert closes - opens == timedelta(hours=2)


ZONES = st.sampled_from(
    ["America/Los_Angeles", "America/Phoenix", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
     "Africa/Casablanca", "America/Santiago", "Pacific/Apia", "Europe/Dublin", "UTC"])


@for_all(ZONES, st.dates(date(2026, 1, 1), date(2027, 12, 31)), st.lists(st.integers(0, 1439), min_size=2, max_size=8,
                                                                         unique=True))
def test_moments_of_a_day_are_ordered_as_the_clock_shows_them(zone: str, day: date, minutes: list[int]) -> None:
    """So spans that do not overlap on the wall do not overlap in time, whatever the clock does that day."""
    info = ZoneInfo(zone)
    walls = [time(minute // 60, minute % 60) for minute in sorted(minutes)]
    moments = [instant(day, wall, info) for wall in walls]
    assert moments == sorted(moments)
    assert all(instant(day, wall, info, last=True) >= instant(day, wall, info) for wall in walls)


# --- closures ---


def closing(starts: str, ends: str, room: UUID | None = None, name: str = "closure") -> DeclareClosure:
    command: DeclareClosure = ask(
        DeclareClosure, closure_id=uid(name), starts_at=datetime.fromisoformat(starts),
        ends_at=datetime.fromisoformat(ends), room_id=room, reason_code="holiday", stranded=(uid("booking"),))
    return command


def test_a_closure_lists_the_bookings_it_strands_and_can_be_lifted_once() -> None:
    declaring = closing("2026-03-09T00:00-07:00", "2026-03-10T00:00-07:00")
    declared = an_open_clinic().when(decide, declaring).then(ClosureDeclared(
        occurred_at=AT, closure_id=uid("closure"), starts_at=declaring.starts_at, ends_at=declaring.ends_at,
        reason_code="holiday", stranded=(uid("booking"),)))
    declared.when(decide, declaring).then_refused(ClosureAlreadyDeclared)
    lifting = ask(LiftClosure, closure_id=uid("closure"))
    declared.when(decide, lifting).then(ClosureLifted(occurred_at=AT, closure_id=uid("closure"))).when(
        decide, lifting).then_refused(ClosureNotFound)


def test_a_closure_ends_after_it_begins_and_names_a_room_of_the_clinic() -> None:
    same = "2026-03-09T00:00-07:00"
    an_open_clinic().when(decide, closing(same, same)).then_refused(ClosureNotValid)
    an_open_clinic().when(decide, closing(same, "2026-03-10T00:00-07:00", ROOM)).then_refused(RoomNotInService)


def test_closures_come_off_the_opening_once_however_they_overlap() -> None:
    week = hours(span(1, "08:00", "17:00"))
    base = an_open_clinic(ADDED, week)
    for name, starts, ends, room in (("a", "09:00", "10:00", None), ("b", "09:30", "11:00", None),
                                     ("c", "13:00", "14:00", ROOM)):
        base = base.when(decide, closing(f"2026-03-09T{starts}-07:00", f"2026-03-09T{ends}-07:00", room, name)
                         ).then_kinds(ClosureDeclared)
    state, day = base.state, date(2026, 3, 9)
    morning, noon = local(state, "2026-03-09T08:00", "2026-03-09T09:00"), local(
        state, "2026-03-09T11:00", "2026-03-09T17:00")
    assert open_on(state, day) == (tuple(morning), tuple(noon))
    assert is_open_over(state, morning[0], morning[1])
    assert not is_open_over(state, morning[0], noon[0])
    at_one, at_two = local(state, "2026-03-09T13:00", "2026-03-09T14:00")
    assert is_open_over(state, at_one, at_two)
    assert not is_open_over(state, at_one, at_two, ROOM)


def test_a_lifted_closure_takes_nothing_away() -> None:
    base = an_open_clinic(hours(span(1, "08:00", "17:00"))).when(
        decide, closing("2026-03-09T09:00-07:00", "2026-03-09T10:00-07:00")).then_kinds(ClosureDeclared)
    lifted = base.when(decide, ask(LiftClosure, closure_id=uid("closure"))).then_kinds(ClosureLifted)
    assert open_on(lifted.state, date(2026, 3, 9)) == opening_on(lifted.state, date(2026, 3, 9))


def test_a_visit_over_midnight_is_inside_hours_that_meet_at_midnight() -> None:
    state = an_open_clinic(hours(span(4, "18:00", "00:00"), span(5, "00:00", "03:00"))).state
    starts, ends = local(state, "2026-03-12T22:30", "2026-03-13T01:00")
    assert is_open_over(state, starts, ends)
    assert not is_open_over(state, starts, ends + timedelta(hours=3))


MINUTES = st.integers(0, 600)
PIECES = st.lists(st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] < pair[1]), max_size=6)


@for_all(PIECES, PIECES)
def test_what_is_left_is_what_no_hole_covers(pieces: list[tuple[int, int]], holes: list[tuple[int, int]]) -> None:
    def moment(minute: int) -> datetime:
        return AT + timedelta(minutes=minute)

    left = subtract([(moment(a), moment(b)) for a, b in pieces], [(moment(a), moment(b)) for a, b in holes])
    for minute in range(600):
        middle = moment(minute) + timedelta(seconds=30)
        inside = sum(a <= minute < b for a, b in pieces)
        covered = any(a <= minute < b for a, b in holes)
        assert sum(a <= middle < b for a, b in left) == (0 if covered else inside)


# --- staff ---


def test_staff_are_assigned_once_per_role_and_unassigned() -> None:
    assigning = ask(AssignStaff, staff_id=NURSE, role="nurse")
    assigned = an_open_clinic().when(decide, assigning, IN_DATE).then(
        StaffAssigned(occurred_at=AT, staff_id=NURSE, role="nurse"))
    assigned.when(decide, assigning, IN_DATE).then_refused(AlreadyAssigned)
    assigned.when(decide, ask(AssignStaff, staff_id=NURSE, role="manager"), IN_DATE).then_kinds(StaffAssigned)
    leaving = ask(UnassignStaff, staff_id=NURSE, role="nurse")
    assigned.when(decide, leaving).then(StaffUnassigned(occurred_at=AT, staff_id=NURSE, role="nurse")).when(
        decide, leaving).then_refused(NotAssigned)


@pytest.mark.parametrize(("role", "facts", "error"), [
    ("patient", IN_DATE, RoleNotForStaff),
    ("integrator", IN_DATE, RoleNotForStaff),
    ("system", IN_DATE, RoleNotForStaff),
    ("nurse", Facts(), StaffNotInService),
    ("nurse", Facts(staff_in_service=True), LicenceNotInDate),
    ("prescriber", Facts(staff_in_service=True, nurse_in_date=True), LicenceNotInDate),
])
def test_who_may_not_be_assigned(role: str, facts: Facts, error: type[Any]) -> None:
    an_open_clinic().when(decide, ask(AssignStaff, staff_id=NURSE, role=role), facts).then_refused(error)


def test_the_desk_needs_no_licence() -> None:
    an_open_clinic().when(
        decide, ask(AssignStaff, staff_id=NURSE, role="front_desk"), Facts(staff_in_service=True)).then_kinds(
        StaffAssigned)


# --- protocol ---


def adopting(document: Any = OWN, by: Actor = AS_DOCTOR, adopted_by: UUID = DOCTOR) -> AdoptProtocol:
    command: AdoptProtocol = ask(AdoptProtocol, by=by, document=document, adopted_by=adopted_by)
    return command


def test_a_prescriber_adopts_a_protocol_and_its_versions_go_up() -> None:
    first = an_open_clinic(DOCTOR_HERE).when(decide, adopting(), IN_DATE).then(
        ProtocolAdopted(occurred_at=AT, protocol_version=1, document=OWN, adopted_by=DOCTOR))
    assert first.state.protocol == OWN
    first.when(decide, adopting(), IN_DATE).then_refused(ProtocolVersionNotNext, highest=1)
    third = adopted(OWN, "Dr. Ada Example", 3)
    both = first.when(decide, adopting(third), IN_DATE).then_kinds(ProtocolAdopted)
    assert (both.state.protocol, both.state.protocol_version(1)) == (third, OWN)
    both.when(decide, adopting(adopted(OWN, "Dr. Ada Example", 2)), IN_DATE).then_refused(ProtocolVersionNotNext)


@pytest.mark.parametrize("by", [MANAGER, Actor(id=str(DOCTOR), role="nurse"), Actor(id=str(NURSE), role="prescriber")])
def test_nobody_adopts_for_the_prescriber(by: Actor) -> None:
    an_open_clinic(DOCTOR_HERE).when(decide, adopting(by=by), IN_DATE).then_refused(NotThePrescriber)


def test_an_adopting_prescriber_works_here_with_a_licence_in_date() -> None:
    an_open_clinic().when(decide, adopting(), IN_DATE).then_refused(PrescriberNotAssigned)
    an_open_clinic(DOCTOR_HERE).when(decide, adopting(), Facts(staff_in_service=True)).then_refused(LicenceNotInDate)


def test_an_example_is_adopted_only_under_its_authors_own_name() -> None:
    here = an_open_clinic(DOCTOR_HERE)
    here.when(decide, adopting(EXAMPLE_PROTOCOL), IN_DATE).then_refused(ExampleProtocol)
    unnamed = adopted(EXAMPLE_PROTOCOL, EXAMPLE_PROTOCOL.author, 1)
    here.when(decide, adopting(unnamed), IN_DATE).then_refused(ExampleProtocol)


def test_a_contradictory_document_is_not_adopted() -> None:
    an_open_clinic(DOCTOR_HERE).when(decide, adopting(replace(OWN, nurse_patients=0)), IN_DATE).then_refused(
        ProtocolNotValid, pointer="/document/nurse_patients")


# --- prices ---


def publishing(*items: PriceItem, name: str = "prices", currency: str = "USD", since: date = date(2026, 1, 1)) -> Any:
    return ask(PublishPriceList, price_list_id=uid(name), effective_from=since, currency=currency, items=items)


VISIT = PriceItem(code="infusion_visit", description="Infusion visit", amount_cents=45000)


def test_price_lists_follow_each_other() -> None:
    first = an_open_clinic().when(decide, publishing(VISIT)).then_kinds(PriceListPublished)
    second = first.when(decide, publishing(VISIT, name="summer", since=date(2026, 6, 1))).then_kinds(PriceListPublished)
    assert prices_on(second.state, date(2025, 12, 31)) is None
    assert prices_on(second.state, date(2026, 5, 31)).price_list_id == uid("prices")  # type: ignore[union-attr]
    assert prices_on(second.state, date(2026, 6, 1)).price_list_id == uid("summer")  # type: ignore[union-attr]
    second.when(decide, publishing(VISIT)).then_refused(PriceListAlreadyPublished)


@pytest.mark.parametrize(("command", "pointer"), [
    (publishing(), "/items"),
    (publishing(VISIT, currency="usd"), "/currency"),
    (publishing(VISIT, VISIT), "/items/1"),
    (publishing(PriceItem(code="x", description="", amount_cents=-1)), "/items/0"),
    (publishing(PriceItem(code=" ", description="", amount_cents=1)), "/items/0"),
])
def test_price_lists_that_cannot_be(command: PublishPriceList, pointer: str) -> None:
    an_open_clinic().when(decide, command).then_refused(PriceListNotValid, pointer=pointer)


# --- time ---


def test_nothing_is_entered_ahead_of_the_clock_or_a_day_late_without_a_reason() -> None:
    adding = {"room_id": ROOM, "room_name": "Room 1", "by": MANAGER, "now": AT}
    an_open_clinic().when(decide, AddRoom(at=AT + timedelta(minutes=3), **adding)).then_refused(InTheFuture)
    late = AT - timedelta(hours=25)
    an_open_clinic().when(decide, AddRoom(at=late, **adding)).then_refused(LateWithoutReason)
    an_open_clinic().when(decide, AddRoom(at=late, late_reason="forgotten", **adding)).then_kinds(RoomAdded)


def test_a_late_entry_is_folded_where_it_happened() -> None:
    """Charted after the retirement, but before it in time: the room is out of service all the same."""
    retired = RoomRetired(occurred_at=AT, room_id=ROOM, reason_code="other")
    added = RoomAdded(occurred_at=AT - timedelta(days=3), room_id=ROOM, room_name="Room 1")
    state = given(initial(CLINIC), evolve, [OPENED, retired, added]).state
    assert not state.in_service(ROOM)
    assert clinic.as_of(state, AT - timedelta(days=1)).in_service(ROOM)


def test_foreign_events_change_nothing() -> None:
    before = an_open_clinic(ADDED)
    after = before.and_given(StaffLeft(occurred_at=AT, reason_code="resigned"))
    assert after.state.rooms == before.state.rooms
