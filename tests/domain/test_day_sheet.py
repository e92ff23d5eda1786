"""A day sheet: slots inside opening hours on the right local day, claims, overbooking by name, moves, no-shows."""

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
from domain.clinic.premises import RoomNotInService
from domain.day_sheet import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentKept,
    AppointmentMoved,
    AppointmentNotFound,
    BookAppointment,
    CancelAppointment,
    Closure,
    ConfirmAppointment,
    CourseFact,
    Facts,
    JoinWaitlist,
    KeepAppointment,
    LeaveWaitlist,
    MoveAppointment,
    NoShowRecorded,
    OfferSlot,
    Overbooking,
    OverbookingAuthorised,
    RecordNoShow,
    SlotOffered,
    State,
    WaitlistJoined,
    WaitlistLeft,
    decide,
    default_minutes,
    evolve,
    initial,
    local_date,
)
from domain.day_sheet.booking import (
    AppointmentAlreadyBooked,
    AppointmentAlreadyConfirmed,
    KeptByOneAct,
    NotAConsultationBooking,
    NothingMoved,
    NotYetStarted,
)
from domain.day_sheet.slots import (
    ClinicClosed,
    CourseNeeded,
    NoProtocolAdopted,
    NotANurseInDate,
    NotAuthorisedToOverbook,
    NotOnThisSheet,
    OutsideOpeningHours,
    PrescriberNeeded,
    SlotImpossible,
    StartsInThePast,
)
from domain.day_sheet.state import AppointmentNotLive
from domain.day_sheet.waitlist import AlreadyWaiting, NotWaiting, SlotNotWanted
from domain.kernel import Actor, Claim, Event, Release
from domain.protocol import VisitMinutes
from domain.vocabulary.term import UnknownCode
from tests.domain.given_when_then import Given, given

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000003")
DENVER = ZoneInfo("America/Denver")
DAY = date(2026, 3, 9)
BY = Actor(id="desk", role="front_desk")


def id_of(name: str) -> UUID:
    return uuid5(SPACE, name)


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), DENVER)


SHEET, ONE, PATIENT, ROOM, COURSE, NURSE, DOCTOR, MANAGER = (
    id_of(name) for name in ("sheet", "one", "patient", "room", "course", "nurse", "doctor", "manager"))
OTHER_ROOM = id_of("other room")
NOW, NINE, ONE_PM = at(8) - timedelta(days=3), at(9), at(13)
FACTS = Facts(
    local_date=DAY, timezone="America/Denver", open_spans=((at(8).astimezone(UTC), at(18).astimezone(UTC)),),
    rooms=frozenset({ROOM, OTHER_ROOM}), visit=VisitMinutes(preparation=20, infusion=60, monitoring=30, turnover=10),
    nurse_patients=2, nurses=frozenset({NURSE}), prescribers=frozenset({DOCTOR}), authorisers=frozenset({MANAGER}),
    course=CourseFact(course_id=COURSE, patient_id=PATIENT, is_open=True),
)


def of(command: type, now: datetime = NOW, **fields: Any) -> Any:
    return command(by=BY, now=now, at=now, **fields)


def booking(starts_at: datetime = NINE, **fields: Any) -> BookAppointment:
    return of(BookAppointment, **{
        "appointment_id": ONE, "patient_id": PATIENT, "room_id": ROOM, "visit_kind": "trial",
        "starts_at": starts_at, "course_id": COURSE, **fields})


def new(*events: Event) -> Given[State]:
    return given(initial(SHEET), evolve, events)


def booked(**fields: Any) -> Given[State]:
    return new().when(decide, booking(**fields), FACTS).then_kinds(AppointmentBooked)


def claim(kind: str, who: UUID, starts: datetime, ends: datetime, **fields: Any) -> Claim:
    return Claim(resource=f"{kind}:{who}", holder=f"appointment:{ONE}", starts=starts.astimezone(UTC),
                 ends=ends.astimezone(UTC), **fields)


# --- booking -------------------------------------------------------------------------------------


def test_a_booking_claims_its_room_and_its_patient() -> None:
    new().when(decide, booking(), FACTS).then_claims(
        claim("room", ROOM, at(9), at(11)), claim("patient", PATIENT, at(9), at(11)))


def test_a_nurse_is_claimed_up_to_the_ratio_and_a_prescriber_for_consultations_only() -> None:
    new().when(decide, booking(nurse_id=NURSE, prescriber_id=DOCTOR), FACTS).then_claims(
        claim("room", ROOM, at(9), at(11)), claim("patient", PATIENT, at(9), at(11)),
        claim("nurse", NURSE, at(9), at(11), capacity=2))
    consultation = booking(visit_kind="consultation", prescriber_id=DOCTOR, course_id=None)
    new().when(decide, consultation, FACTS).then_claims(
        claim("room", ROOM, at(9), at(10)), claim("patient", PATIENT, at(9), at(10)),
        claim("prescriber", DOCTOR, at(9), at(10)))


@pytest.mark.parametrize(("kind", "minutes"), [
    ("trial", 120), ("series", 120), ("booster", 120), ("re_induction", 120), ("consultation", 60), ("follow_up", 30),
])
def test_a_visit_kind_has_its_default_length(kind: str, minutes: int) -> None:
    assert FACTS.visit is not None
    assert default_minutes(kind, FACTS.visit) == minutes
    (event,) = new().when(decide, booking(visit_kind=kind, prescriber_id=DOCTOR), FACTS).events
    assert isinstance(event, AppointmentBooked)
    assert event.ends_at - event.starts_at == timedelta(minutes=minutes)


@pytest.mark.parametrize(("fields", "error", "pointer"), [
    ({"starts_at": at(9, day=DAY + timedelta(days=1))}, NotOnThisSheet, "/starts_at"),
    ({"ends_at": at(9)}, SlotImpossible, "/ends_at"),
    ({"ends_at": at(9) + timedelta(hours=13)}, SlotImpossible, "/ends_at"),
    ({"room_id": id_of("cupboard")}, RoomNotInService, "/room_id"),
    ({"starts_at": at(7, 59)}, OutsideOpeningHours, "/starts_at"),
    ({"starts_at": at(16, 1)}, OutsideOpeningHours, "/starts_at"),
    ({"visit_kind": "party"}, UnknownCode, "/visit_kind"),
    ({"nurse_id": id_of("stranger")}, NotANurseInDate, "/nurse_id"),
    ({"visit_kind": "consultation"}, PrescriberNeeded, "/prescriber_id"),
    ({"prescriber_id": id_of("stranger")}, PrescriberNeeded, "/prescriber_id"),
])
def test_a_slot_that_cannot_be_is_refused(fields: dict[str, Any], error: type, pointer: str) -> None:
    new().when(decide, booking(**fields), FACTS).then_refused(error, pointer=pointer)


def test_up_to_closing_time_is_open() -> None:
    new().when(decide, booking(at(16)), FACTS).then_kinds(AppointmentBooked)


def test_a_booking_is_for_a_time_to_come() -> None:
    new().when(decide, replace(booking(), at=at(9, 1), now=at(9, 1)), FACTS).then_refused(StartsInThePast)


@pytest.mark.parametrize("course", [
    None, replace(FACTS.course, is_open=False), replace(FACTS.course, patient_id=id_of("somebody else")),
])
def test_an_infusion_is_for_the_patients_own_open_course(course: CourseFact | None) -> None:
    new().when(decide, booking(), replace(FACTS, course=course)).then_refused(CourseNeeded)
    new().when(decide, booking(visit_kind="follow_up"), replace(FACTS, course=course)).then_kinds(AppointmentBooked)


def test_without_a_protocol_an_end_must_be_given() -> None:
    facts = replace(FACTS, visit=None)
    new().when(decide, booking(), facts).then_refused(NoProtocolAdopted)
    new().when(decide, booking(ends_at=at(10)), facts).then_kinds(AppointmentBooked)


@pytest.mark.parametrize(("starts", "ends", "room", "closed"), [
    (at(8), at(9), None, False), (at(11), at(12), None, False), (at(10, 59), at(12), None, True),
    (at(8), at(9, 1), None, True), (at(9), at(11), OTHER_ROOM, False), (at(9), at(11), ROOM, True),
])
def test_no_booking_touches_a_closure_of_its_clinic_or_room(
    starts: datetime, ends: datetime, room: UUID | None, closed: bool
) -> None:
    facts = replace(FACTS, closures=(
        Closure(closure_id=id_of("c"), starts_at=starts, ends_at=ends, room_id=room),))
    outcome = new().when(decide, booking(), facts)
    if closed:
        outcome.then_refused(ClinicClosed)
    else:
        outcome.then_kinds(AppointmentBooked)


def test_an_appointment_is_booked_once() -> None:
    booked().when(decide, booking(at(12)), FACTS).then_refused(AppointmentAlreadyBooked)


# --- days across a change of the clock -----------------------------------------------------------


def denver_open(day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Open from midnight to midnight, as the clinic resolves it."""
    week = tuple(clinic.OpeningSpan(weekday=n, opens=time(0), closes=time(0)) for n in range(1, 8))
    state = replace(clinic.initial(SHEET), timezone="America/Denver", hours=(
        clinic.Hours(effective_from=date(2026, 1, 1), hours=week),))
    return clinic.opening_on(state, day)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 3, 9), 24)])
def test_a_day_has_its_true_length(day: date, hours: int) -> None:
    ((opens, closes),) = denver_open(day)
    assert closes - opens == timedelta(hours=hours)
    facts = replace(FACTS, local_date=day, open_spans=((opens, closes),))
    last = closes - timedelta(hours=1)
    command = booking(last, ends_at=closes)
    new().when(decide, command, facts).then_kinds(AppointmentBooked)
    new().when(decide, replace(command, starts_at=closes), facts).then_refused(NotOnThisSheet)


def test_the_hour_that_comes_twice_is_two_hours_and_their_claims_do_not_overlap() -> None:
    """1:00 to 2:00 on 1 November 2026 happens twice in Denver: two patients, one room, one after the other."""
    day = date(2026, 11, 1)
    facts = replace(FACTS, local_date=day, open_spans=denver_open(day))
    first, second = (datetime.combine(day, time(1), DENVER).replace(fold=fold) for fold in (0, 1))
    early = new().when(decide, booking(first, ends_at=second.astimezone(UTC)), facts)
    late = new().when(decide, booking(second, ends_at=second.astimezone(UTC) + timedelta(hours=1)), facts)
    assert early.decision is not None
    assert late.decision is not None
    assert early.decision.claims[0].ends == late.decision.claims[0].starts


@for_all(st.integers(0, 3 * 366 * 24 * 3600).map(lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s)),
         st.sampled_from(["America/Denver", "America/Phoenix", "Australia/Lord_Howe", "Asia/Kathmandu"]))
def test_every_moment_lies_on_exactly_one_local_day(moment: datetime, timezone: str) -> None:
    day = local_date(moment, timezone)
    zone = ZoneInfo(timezone)
    assert clinic.instant(day, time(0), zone) <= moment < clinic.instant(day + timedelta(days=1), time(0), zone)


# --- overbooking ---------------------------------------------------------------------------------


OVER = Overbooking(authorised_by=MANAGER, reason_code="urgent", reason="Pain crisis")


def test_overbooking_is_an_event_of_its_own_with_a_person_and_a_reason() -> None:
    outcome = new().when(decide, booking(overbooking=OVER), replace(FACTS, taken=frozenset({f"room:{ROOM}"})))
    outcome.then_claims(
        claim("room", ROOM, at(9), at(11), enforce=False), claim("patient", PATIENT, at(9), at(11)))
    _, authorised = outcome.events
    assert authorised == OverbookingAuthorised(
        occurred_at=NOW, appointment_id=ONE, resource=f"room:{ROOM}", authorised_by=MANAGER, reason_code="urgent",
        reason="Pain crisis")


def test_over_a_nurse_and_a_room_are_two_authorisations() -> None:
    over = replace(OVER, resources=("room", "nurse"))
    taken = replace(FACTS, taken=frozenset({f"room:{ROOM}", f"nurse:{NURSE}"}))
    new().when(decide, booking(overbooking=over, nurse_id=NURSE), taken).then_kinds(
        AppointmentBooked, OverbookingAuthorised, OverbookingAuthorised)


def test_where_nothing_is_in_the_way_nothing_is_overbooked() -> None:
    """Nor is it on a move; and the claim is enforced, so that somebody faster is not overbooked unsaid."""
    outcome = new().when(decide, booking(overbooking=OVER), FACTS)
    outcome.then_kinds(AppointmentBooked)
    outcome.then_claims(claim("room", ROOM, at(9), at(11)), claim("patient", PATIENT, at(9), at(11)))
    booked().when(decide, move(overbooking=OVER), FACTS).then_kinds(AppointmentMoved)


@pytest.mark.parametrize("over", [
    replace(OVER, authorised_by=NURSE), replace(OVER, resources=("patient",)), replace(OVER, resources=()),
])
def test_not_everybody_overbooks_and_never_a_patient(over: Overbooking) -> None:
    new().when(decide, booking(overbooking=over), FACTS).then_refused(NotAuthorisedToOverbook)


# --- what becomes of it --------------------------------------------------------------------------


def move(starts_at: datetime = ONE_PM, **fields: Any) -> MoveAppointment:
    return of(MoveAppointment, **{
        "appointment_id": ONE, "room_id": ROOM, "starts_at": starts_at, "asked_by": "patient", "reason_code": "work",
        **fields})


def test_a_move_within_the_day_keeps_the_length_and_claims_anew() -> None:
    outcome = booked().when(decide, move(), FACTS)
    outcome.then_claims(claim("room", ROOM, at(13), at(15)), claim("patient", PATIENT, at(13), at(15)))
    after = outcome.then_releases(
        Release(resource=f"room:{ROOM}", holder=f"appointment:{ONE}"),
        Release(resource=f"patient:{PATIENT}", holder=f"appointment:{ONE}")).then_kinds(AppointmentMoved)
    assert after.state.appointments[ONE].starts_at == at(13)
    assert after.state.appointments[ONE].status == "booked"


def test_a_move_to_another_day_lets_go_here() -> None:
    there = at(10, day=DAY + timedelta(days=2))
    outcome = booked().when(decide, move(there), FACTS)
    outcome.then_claims()
    after = outcome.then_kinds(AppointmentMoved)
    event = outcome.events[0]
    assert isinstance(event, AppointmentMoved)
    assert event.to_date == DAY + timedelta(days=2)
    assert after.state.appointments[ONE].status == "moved"
    after.when(decide, move(), FACTS).then_refused(AppointmentNotLive, status="moved")


def test_what_was_moved_away_can_come_back() -> None:
    away = booked().when(decide, move(at(10, day=DAY + timedelta(days=2))), FACTS).then_kinds(AppointmentMoved)
    away.when(decide, booking(), FACTS).then_refused(AppointmentAlreadyBooked)
    away.when(decide, booking(moved_from=DAY + timedelta(days=2)), FACTS).then_kinds(AppointmentBooked)


@pytest.mark.parametrize(("fields", "error"), [
    ({"starts_at": at(9)}, NothingMoved),
    ({"starts_at": at(17)}, OutsideOpeningHours),
    ({"asked_by": "nobody"}, UnknownCode),
    ({"reason_code": "whim"}, UnknownCode),
    ({"appointment_id": id_of("?")}, AppointmentNotFound),
])
def test_a_move_that_cannot_be_is_refused(fields: dict[str, Any], error: type) -> None:
    booked().when(decide, move(**fields), FACTS).then_refused(error)


def test_a_confirmation_is_given_once() -> None:
    confirm = of(ConfirmAppointment, appointment_id=ONE)
    booked().when(decide, confirm, FACTS).then_kinds(AppointmentConfirmed).when(decide, confirm, FACTS).then_refused(
        AppointmentAlreadyConfirmed)


def test_a_cancellation_says_whose_side_asked_and_lets_go() -> None:
    cancel = of(CancelAppointment, appointment_id=ONE, asked_by="clinic", reason_code="staff_absence")
    outcome = booked(nurse_id=NURSE).when(decide, cancel, FACTS)
    assert outcome.decision is not None
    assert {release.resource for release in outcome.decision.releases} == {
        f"room:{ROOM}", f"patient:{PATIENT}", f"nurse:{NURSE}"}
    after = outcome.then_kinds(AppointmentCancelled)
    after.when(decide, cancel, FACTS).then_refused(AppointmentNotLive, status="cancelled")
    booked().when(decide, replace(cancel, asked_by="weather"), FACTS).then_refused(UnknownCode)


def test_nobody_is_a_no_show_before_the_booked_start() -> None:
    missed = of(RecordNoShow, at(9), appointment_id=ONE)
    booked().when(decide, missed, FACTS).then_refused(NotYetStarted)
    later = replace(missed, at=at(9, 1))
    booked().when(decide, later, FACTS).then_kinds(NoShowRecorded).when(decide, later, FACTS).then_refused(
        AppointmentNotLive, status="no_show")


def test_who_has_arrived_has_not_missed_it_and_who_comes_late_has_kept_it() -> None:
    keep = of(KeepAppointment, at(9, 40), appointment_id=ONE, infusion_id=id_of("visit"))
    missed = of(RecordNoShow, at(9, 30), appointment_id=ONE)
    kept = booked().when(decide, keep, FACTS).then_kinds(AppointmentKept)
    kept.when(decide, missed, FACTS).then_refused(AppointmentNotLive, status="kept")
    kept.when(decide, keep, FACTS).then_refused(AppointmentNotLive, status="kept")
    late = booked().when(decide, missed, FACTS).then_kinds(NoShowRecorded).when(decide, keep, FACTS)
    assert late.then_kinds(AppointmentKept).state.appointments[ONE].infusion_id == id_of("visit")


def consulting() -> Given[State]:
    return booked(visit_kind="consultation", course_id=None, prescriber_id=DOCTOR)


def test_a_consultation_held_keeps_its_booking_and_nobody_missed_it() -> None:
    keep = of(KeepAppointment, at(9, 40), appointment_id=ONE, consultation_id=id_of("consultation"))
    missed = of(RecordNoShow, at(9, 50), appointment_id=ONE)
    kept = consulting().when(decide, keep, FACTS).then_kinds(AppointmentKept)
    one = kept.state.appointments[ONE]
    assert (one.status, one.consultation_id, one.infusion_id) == ("kept", id_of("consultation"), None)
    kept.when(decide, missed, FACTS).then_refused(AppointmentNotLive, status="kept")
    after = consulting().when(decide, missed, FACTS).then_kinds(NoShowRecorded).when(decide, keep, FACTS)
    assert after.then_kinds(AppointmentKept).state.appointments[ONE].status == "kept"


def test_a_consultation_does_not_keep_the_booking_of_an_infusion() -> None:
    keep = of(KeepAppointment, at(9, 40), appointment_id=ONE, consultation_id=id_of("consultation"))
    booked().when(decide, keep, FACTS).then_refused(NotAConsultationBooking, visit_kind="trial")


def test_a_booking_is_kept_by_one_act() -> None:
    neither = of(KeepAppointment, at(9, 40), appointment_id=ONE)
    both = replace(neither, infusion_id=id_of("visit"), consultation_id=id_of("consultation"))
    for keep in (neither, both):
        consulting().when(decide, keep, FACTS).then_refused(KeptByOneAct)


# --- the waitlist --------------------------------------------------------------------------------


def waiting() -> Given[State]:
    return new().when(decide, joining(), FACTS).then_kinds(WaitlistJoined)


def joining(**fields: Any) -> JoinWaitlist:
    return of(JoinWaitlist, **{
        "entry_id": id_of("entry"), "patient_id": PATIENT, "visit_kind": "series", "earliest_at": at(9),
        "latest_at": at(15), **fields})


def test_the_waitlist_takes_a_patient_once_for_a_time_that_is_one() -> None:
    waiting().when(decide, joining(), FACTS).then_refused(AlreadyWaiting)
    waiting().when(decide, joining(entry_id=id_of("again"), earliest_at=at(14), latest_at=at(17)), FACTS).then_refused(
        AlreadyWaiting)
    for other in ({"earliest_at": at(15), "latest_at": at(17)}, {"visit_kind": "booster"}, {"patient_id": DOCTOR}):
        waiting().when(decide, joining(entry_id=id_of("again"), **other), FACTS).then_kinds(WaitlistJoined)
    new().when(decide, joining(latest_at=at(9)), FACTS).then_refused(SlotImpossible)
    new().when(decide, joining(visit_kind="party"), FACTS).then_refused(UnknownCode)


@pytest.mark.parametrize(("fields", "error"), [
    ({}, None),
    ({"starts_at": at(8)}, SlotNotWanted),
    ({"ends_at": at(16)}, SlotNotWanted),
    ({"ends_at": at(9)}, SlotImpossible),
    ({"room_id": id_of("cupboard")}, RoomNotInService),
    ({"entry_id": id_of("?")}, NotWaiting),
])
def test_an_offer_is_within_the_times_the_patient_can_come(fields: dict[str, Any], error: type | None) -> None:
    offer = of(OfferSlot, **{
        "entry_id": id_of("entry"), "room_id": ROOM, "starts_at": at(10), "ends_at": at(12), **fields})
    outcome = waiting().when(decide, offer, FACTS)
    if error is None:
        assert outcome.then_kinds(SlotOffered).state.waiting[id_of("entry")].offers == 1
    else:
        outcome.then_refused(error)


def test_leaving_the_waitlist_gives_a_reason() -> None:
    leave = of(LeaveWaitlist, entry_id=id_of("entry"), reason_code="booked")
    after = waiting().when(decide, leave, FACTS).then_kinds(WaitlistLeft)
    after.when(decide, leave, FACTS).then_refused(NotWaiting)
    waiting().when(decide, replace(leave, reason_code="bored"), FACTS).then_refused(UnknownCode)
