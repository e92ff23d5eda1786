"""What a real half-year has and chance might leave out: scripted, so that every demo shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from api.demo.booking import Booking, Twists
from api.demo.clinics import Clinic, close_for, lift_closure, receive_vials
from api.demo.journey import Patient
from api.demo.visit import Visit
from api.demo.world import Journey, World
from domain.corrections import AmendEntry, StrikeEntry
from domain.course import TransferCourse
from domain.day_sheet import BookAppointment, JoinWaitlist, LeaveWaitlist, OfferSlot, Overbooking
from domain.diary import AcknowledgeHomeAlert, HomeAlertRaised, ReportSideEffectFromHome
from domain.infusion.monitoring import RecordVitals, VitalSigns
from domain.infusion.side_effects import ReportSideEffect
from domain.kernel import derived_id
from domain.patient.registration import OpenCareRelation
from domain.vocabulary.side_effects import SIDE_EFFECTS

SCRIPTED: dict[int, dict[int, Twists]] = {
    # patient number -> infusion ordinal -> what happens
    0: {1: Twists(), 3: Twists(low_oxygen=True), 5: Twists(verbal_order=True)},
    1: {1: Twists(), 2: Twists(stops_early="side_effect", forced_effects=(("panic_attack", 2),))},
    2: {1: Twists(), 3: Twists(walks_out=True)},
    3: {1: Twists(), 2: Twists(to_hospital=True)},
    4: {1: Twists(over_soft=True), 2: Twists(over_hard=True), 4: Twists(no_driver=True)},
    5: {1: Twists(late_vitals=True), 2: Twists(paused=True)},
}


def every_kind(number: int) -> dict[int, Twists]:
    """Spreads all side effect kinds over the trial visits of the first patients, so that each occurs."""
    kinds = [kind for kind in SIDE_EFFECTS if kind not in {"other"}]
    mine = tuple((kind, 1 + (index % 5 == 4)) for index, kind in enumerate(kinds) if index % 12 == number % 12)
    return {1: Twists(forced_effects=mine)} if number < 12 else {}


def tuning(number: int) -> dict[int, Twists]:
    """The scripted twists of the n-th patient, if any."""
    scripted = dict(SCRIPTED.get(number, {}))
    for ordinal, twists in every_kind(number).items():
        base = scripted.get(ordinal, Twists())
        scripted[ordinal] = replace(base, forced_effects=base.forced_effects + twists.forced_effects)
    return scripted


def deliveries(world: World, clinic: Clinic, first: datetime, weeks: int) -> Journey:
    """A new lot every six weeks."""
    for lot in range(2, 2 + weeks // 6):
        yield first + timedelta(weeks=6 * (lot - 1), hours=17)
        receive_vials(world, clinic, lot=lot, vials=40)


def closures(world: World, clinic: Clinic, year: int) -> Journey:
    """Labor Day and Thanksgiving are closed; a training day is declared and lifted again."""
    for day, reason in ((date(year, 9, 7), "holiday"),):
        yield clinic.local(day - timedelta(days=40), time(12))
        close_for(world, clinic, day, reason)
    yield clinic.local(date(year, 9, 10), time(12))
    closure = close_for(world, clinic, date(year, 10, 20), "training")
    yield clinic.local(date(year, 9, 24), time(12))
    lift_closure(world, clinic, closure)


def double_booking(world: World, clinic: Clinic, patient: Patient, at: datetime) -> Journey:
    """Somebody tries to book over a booking and is refused; then the manager authorises it, with a reason."""
    yield at
    taken = [(room, spans) for room, spans in clinic.bookings.items() if any(s > world.clock.now() for s, _ in spans)]
    if not taken:
        return
    room, spans = taken[0]
    starts = next(begins for begins, _ in spans if begins > world.clock.now())
    day = starts.astimezone(clinic.zone).date()
    stream = derived_id("day_sheet", clinic.clinic_id, day.isoformat())
    what = {
        "patient_id": patient.body.patient_id, "room_id": room, "visit_kind": "follow_up", "starts_at": starts,
        "ends_at": starts + timedelta(minutes=30), "course_id": None,
    }
    world.attempt(clinic.desk, clinic.clinic_id, stream, BookAppointment, appointment_id=world.new_id(), **what)
    manager = clinic.prescribers[0]
    world.attempt(
        clinic.manager, clinic.clinic_id, stream, BookAppointment, appointment_id=world.new_id(), **what,
        overbooking=Overbooking(authorised_by=manager, reason_code="urgent", reason="Ten minutes only (fictional)."),
    )


def waitlist(world: World, clinic: Clinic, patient: Patient, at: datetime) -> Journey:
    """A patient waits for an earlier slot, is offered one, and leaves the list."""
    yield at
    day = (at + timedelta(days=2)).astimezone(clinic.zone).date()
    found = clinic.free_slot(day, 60, at)
    if found is None:
        return
    room, _, starts = found
    stream = derived_id("day_sheet", clinic.clinic_id, starts.astimezone(clinic.zone).date().isoformat())
    entry = world.new_id()
    world.attempt(
        clinic.desk, clinic.clinic_id, stream, JoinWaitlist, entry_id=entry, patient_id=patient.body.patient_id,
        visit_kind="follow_up", earliest_at=starts - timedelta(hours=2), latest_at=starts + timedelta(hours=6),
    )
    yield at + timedelta(hours=3)
    world.attempt(
        clinic.desk, clinic.clinic_id, stream, OfferSlot, entry_id=entry, room_id=room, starts_at=starts,
        ends_at=starts + timedelta(minutes=60),
    )
    yield at + timedelta(hours=5)
    world.attempt(clinic.desk, clinic.clinic_id, stream, LeaveWaitlist, entry_id=entry, reason_code="declined")


def wrong_patient(world: World, clinic: Clinic, patients: list[Patient], at: datetime) -> Journey:
    """Vital signs and a side effect charted on the wrong visit: struck, and entered again on the right one."""
    yield at
    visits = [p.visits[-1] for p in patients if p.clinic is clinic and p.visits]
    if len(visits) < 2:
        return
    wrong, right = visits[0], visits[1]
    correlation = world.new_id()
    when = right.stopped_at or world.clock.now()
    late = {"late_reason": "entered after the round", "correlation_id": correlation}
    signs = VitalSigns(**right.body.vitals(None))  # type: ignore[arg-type]
    receipt = world.attempt(
        wrong.nurse, clinic.clinic_id, wrong.infusion_id, RecordVitals, at=(wrong.stopped_at or when),
        vitals=signs, **late,
    )
    if receipt is None:
        return
    yield at + timedelta(minutes=7)
    world.attempt(
        wrong.nurse, clinic.clinic_id, wrong.infusion_id, StrikeEntry, entry=receipt.version,
        reason_code="wrong_patient", reason="Two tablets on one trolley (fictional).", correlation_id=correlation,
    )
    world.attempt(
        right.nurse, clinic.clinic_id, right.infusion_id, RecordVitals, at=when, vitals=signs, **late,
    )
    world.attempt(
        right.nurse, clinic.clinic_id, right.infusion_id, ReportSideEffect, at=when, side_effect_id=world.new_id(),
        kind="headache", grade=1, onset_at=when - timedelta(minutes=5), **late,
    )


def amendments(world: World, patients: list[Patient], first: datetime, weeks: int) -> Journey:
    """Now and then somebody mistyped a weight: the check before an infusion is amended the same evening."""
    rng = world.random_for("amendments")
    for week in range(2, weeks):
        yield first + timedelta(weeks=week, days=4, hours=14)
        with_visits = [p for p in patients if p.visits]
        if not with_visits:
            continue
        visit = rng.choice(with_visits).visits[-1]
        weight = (visit.weight + Decimal("0.3")).quantize(Decimal("0.1"))
        world.attempt(
            visit.nurse, visit.clinic.clinic_id, visit.infusion_id, AmendEntry, entry=visit.check_version,
            corrections={"weight_kg": str(weight)}, reason_code="typing_error", reason="Scale read again (fictional).",
        )


def over_midnight(world: World, clinic: Clinic, patient: Patient, at: datetime) -> Journey:
    """A late start on the long evening and a slow recovery: the visit ends on the next local day."""
    yield at
    day = at.astimezone(clinic.zone).date()
    while day.isoweekday() != clinic.plan.evening:
        day += timedelta(days=1)
    starts = clinic.local(day, time(20, 45))
    ends = starts + timedelta(minutes=120)
    room, nurse = clinic.rooms[0], clinic.nurses[2]
    booking = Booking(clinic, world.new_id(), room, nurse, starts, ends, "booster")
    stream = derived_id("day_sheet", clinic.clinic_id, day.isoformat())
    booked = world.attempt(
        clinic.desk, clinic.clinic_id, stream, BookAppointment, appointment_id=booking.appointment_id,
        patient_id=patient.body.patient_id, room_id=room, visit_kind="booster", starts_at=starts, ends_at=ends,
        course_id=patient.course_id, nurse_id=nurse,
    )
    if booked is None:
        return
    clinic.take(room, nurse, starts, ends)
    visit = Visit(
        world, patient.body, patient.course_id, booking, Twists(long_recovery_minutes=100, paused=True)
    )
    yield from visit.live()
    patient.visits.append(visit)


def transfer(world: World, patient: Patient, to: Clinic, at: datetime) -> Journey:
    """The patient moves house: the course goes on at another clinic."""
    yield at
    if patient.closed or not patient.visits:
        return
    home = patient.clinic
    world.attempt(
        home.desk, home.clinic_id, patient.body.patient_id, OpenCareRelation, clinic_id=to.clinic_id,
        reason_code="transfer",
    )
    done = world.attempt(
        home.prescriber(0), home.clinic_id, patient.course_id, TransferCourse, to_clinic_id=to.clinic_id,
        reason_code="moved",
    )
    if done is not None:
        patient.clinic = to


def chest_pain(world: World, patient: Patient, at: datetime, *, acknowledged: bool) -> Journey:
    """Somebody reports chest pain from home; the nurse on call rings them a few minutes later, or has not yet."""
    yield at
    clinic = patient.clinic
    reported = world.attempt(
        patient.self_reporting, clinic.clinic_id, patient.diary, ReportSideEffectFromHome,
        side_effect_id=world.own_id("chest pain", at), kind="chest_pain", grade=1, onset_at=at - timedelta(minutes=20),
        command_id=world.own_id("chest pain told", at),
    )
    if reported is None or not acknowledged:
        return
    raised = next(
        record.event for record in reversed(world.reader.read_stream(derived_id("diary", patient.body.patient_id)))
        if isinstance(record.event, HomeAlertRaised)
    )
    yield at + timedelta(minutes=7)
    world.do(
        clinic.nurse(0), clinic.clinic_id, patient.diary, AcknowledgeHomeAlert, alert_id=raised.alert_id,
        action="called_patient", command_id=world.own_id("chest pain heard", at),
    )
