"""Histories that nobody wrote: patients live through real commands, and much goes otherwise than planned.

Every command goes through the services, as the API's do, so that what is in the log is what can be there; what the
rules refuse is refused and counted as such. Clinics lie in zones with clock changes, some of them at midnight.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from api.bootstrap import build_services
from api.demo import clinics as premises
from api.demo.body import Body
from api.demo.clock import MovableClock
from api.demo.episodes import double_booking, over_midnight, transfer
from api.demo.journey import Patient
from api.demo.visit import Visit
from api.demo.world import Journey, World
from api.settings import Settings
from domain.clinic import AddRoom, DeclareClosure, LiftClosure, OpeningSpan, RetireRoom, SetOpeningHours
from domain.corrections import AmendEntry, StrikeEntry
from domain.course import BoosterRescheduled, CloseCourse, RescheduleBooster
from domain.day_sheet import CancelAppointment, RecordNoShow
from domain.diary import ReportSideEffectFromHome, ScoreCognition, ScoreFunction, ScoreMood, ScorePain
from domain.infusion.arrival import ArrivePatient, MovePatient, RoomPatient
from domain.infusion.departure import DischargePatient, ReleaseRoom
from domain.kernel import DomainError
from domain.patient.history import EndAdjunctTherapy, StartAdjunctTherapy
from domain.patient.records import MergePatients, UnmergePatients
from domain.patient.registration import ReceiveReferral, RegisterPatient
from domain.patient.screening import Finding, RecordScreening

ZONES = ("America/New_York", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe", "America/Santiago")
"""The last three change by half an hour or at midnight."""

WEEKS = 6


class GivenUpError(Exception):
    """There was no room for too long: nobody goes on with this visit."""


class CarelessVisit(Visit):
    """A visit in which steps are left out, charted late, or taken in another room."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        luck = self.rng.random
        self.walked_in, self.left_open, self.left_undischarged = luck() < 0.08, luck() < 0.1, luck() < 0.05
        self.moves, self.late, self.waited = luck() < 0.12, luck() < 0.2, 0

    def _do(self, command: type, **what: Any) -> Any:
        if command is ArrivePatient and self.walked_in:
            what.update(appointment_id=None, booked_starts_at=None, booked_ends_at=None)
        if command is DischargePatient and self.left_undischarged:
            return None
        if command is ReleaseRoom and (self.left_open or self.left_undischarged):
            return None
        if self.late and command in (ReleaseRoom, DischargePatient):
            try:
                return super()._do(command, at=self._now() - timedelta(minutes=self.rng.randint(1, 4)), **what)
            except DomainError:
                pass
        if command is RoomPatient:
            return self._room(what["room_id"])
        done = super()._do(command, **what)
        return done

    def _room(self, booked: UUID) -> Any:
        """The booked room, another that is free, or after some waiting none."""
        for room in (booked, *self.clinic.rooms):
            done = self.world.attempt(self.nurse, self.clinic.clinic_id, self.infusion_id, RoomPatient, room_id=room)
            if done is not None:
                self.booking.room = room
                if self.moves:
                    self.world.start(self._in(7), self._move())
                return done
        self.waited += 1
        if self.waited > 4:
            raise GivenUpError
        return super()._do(RoomPatient, room_id=booked)

    def _move(self) -> Journey:
        other = next((room for room in self.clinic.rooms if room != self.booking.room), None)
        self.world.attempt(self.nurse, self.clinic.clinic_id, self.infusion_id, MovePatient, room_id=other,
                           reason_code="equipment")
        yield from ()


class CarelessPatient(Patient):
    """Comes as the demo's patients come, to careless visits."""

    visit_type = CarelessVisit


class Invention:
    """One invented history: two clinics, a few patients, and everything that comes in between."""

    def __init__(self, world: World, first: datetime, zones: tuple[str, str], patients: int) -> None:
        self.world, self.first, self.rng = world, first, world.random_for("invention")
        world.clock.set(first)
        plans = [
            premises.Plan(f"Invented {n}", zone, 2, time(7, 37), time(16, 30), evening=self.rng.randint(1, 5))
            for n, zone in enumerate(zones)
        ]
        self.clinics = [premises._open(world, plan, n) for n, plan in enumerate(plans)]
        self.people = [self._somebody(n) for n in range(patients)]
        actions: list[Callable[[], object]] = [
            self._correct, self._correct, self._correct, self._close, self._change_hours, self._change_rooms,
            self._overbook, self._give_up, self._merge, self._at_home, self._at_home, self._at_home, self._move,
            self._refer, self._screen, self._beside, self._end_course, self._late_evening, self._booster_for_pain,
            self._score_before, self._score_before,
        ]
        for number in range(14 * WEEKS):
            world.start(first + timedelta(hours=12 * number + self.rng.random() * 12), self._once(actions))

    def _once(self, actions: list[Callable[[], object]]) -> Journey:
        journey = self.rng.choice(actions)()
        if journey is not None:
            yield from journey  # type: ignore[misc]

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def _do(self, by: Any, clinic: premises.Clinic, stream: UUID, command: type, **what: Any) -> Any:
        return self.world.attempt(by, clinic.clinic_id, stream, command, **what)

    def _somebody(self, number: int) -> CarelessPatient:
        world, clinic, rng = self.world, self.clinics[number % 2], self.world.random_for(f"patient {number}")
        patient, sex = world.new_id(), rng.choice(("female", "male"))
        condition = rng.choice(("crps", "migraine", "fibromyalgia"))
        self._register(patient, clinic, sex, number)
        person = CarelessPatient(world, clinic, Body.born(patient, condition, sex, world.random_for(patient)))
        person.body.baseline = float(rng.choice((0.3, 1, 2, 5, 7, 8, 9)))
        person.body.responds, person.body.fall = True, rng.uniform(0.1, 0.9)
        person.keeps_all = rng.random() < 0.6
        world.start(self.first + timedelta(days=rng.uniform(0, 6)), person.live())
        return person

    def _register(self, patient: UUID, clinic: premises.Clinic, sex: str, number: int) -> None:
        self.world.do(
            clinic.desk, clinic.clinic_id, patient, RegisterPatient, family_name=f"Invented-{number}", given_name="Sam",
            birth_date=date(1970, 1, 1 + number % 28), sex=sex, home_clinic_id=clinic.clinic_id,
        )

    def _any(self) -> CarelessPatient:
        return self.rng.choice(self.people)

    # --- what comes in between ---------------------------------------------------------------------

    def _correct(self) -> None:
        """Amends or strikes some entry: a score, a moment, a grade, a dose."""
        head = self.world.reader.head()
        names = ("diary.pain_scored.v1", "infusion.patient_roomed.v1", "infusion.room_released.v1",
                 "infusion.patient_arrived.v1", "infusion.side_effect_reported.v1", "infusion.started.v1",
                 "infusion.side_effect_resolved.v1", "infusion.recovery_assessed.v1", "appointment.no_show_recorded.v1",
                 "course.response_assessed.v1", "infusion.patient_discharged.v1", "infusion.paused.v1")
        found = self.world.reader.read(self.rng.randrange(head), 4_000, names=(self.rng.choice(names),))
        if not found:
            return
        entry = self.rng.choice(found)
        clinic = next((one for one in self.clinics if one.clinic_id == entry.clinic_id), self.clinics[0])
        common = {"entry": entry.version, "late_reason": "seen on the next day"}
        if self.rng.random() < 0.3:
            self._do(clinic.nurse(0), clinic, entry.stream_id, StrikeEntry, reason_code="did_not_happen", **common)
            return
        moved = (entry.occurred_at + timedelta(minutes=self.rng.randint(-25, 25))).isoformat()
        changes: dict[str, Any] = {
            "diary.pain_scored.v1": {"score": self.rng.randint(0, 10)},
            "infusion.side_effect_reported.v1": {"grade": self.rng.randint(1, 3)},
            "infusion.started.v1": {"rate_mg_per_h": str(self.rng.randint(10, 40))},
            "course.response_assessed.v1": {"positive": self.rng.random() < 0.5},
        }
        corrections = changes.get(entry.name, {"occurred_at": moved})
        self._do(clinic.nurse(0), clinic, entry.stream_id, AmendEntry, corrections=corrections,
                 reason_code="typing_error", **common)

    def _close(self) -> Journey:
        clinic, closure = self.rng.choice(self.clinics), self.world.new_id()
        starts = self.now + timedelta(hours=self.rng.randint(1, 60))
        self._do(
            clinic.manager, clinic, clinic.clinic_id, DeclareClosure, closure_id=closure, starts_at=starts,
            ends_at=starts + timedelta(hours=self.rng.randint(1, 30)), reason_code="staff_absence",
            room_id=self.rng.choice([None, *clinic.rooms]),
        )
        if self.rng.random() < 0.4:
            yield starts + timedelta(hours=self.rng.randint(-6, 20))
            self._do(clinic.manager, clinic, clinic.clinic_id, LiftClosure, closure_id=closure)

    def _change_hours(self) -> None:
        clinic = self.rng.choice(self.clinics)
        opens, closes = time(self.rng.randint(0, 9), self.rng.choice((0, 15, 8))), time(self.rng.randint(14, 23), 45)
        spans = [OpeningSpan(weekday=day, opens=opens, closes=closes) for day in self.rng.sample(range(1, 8), 6)]
        prime = [OpeningSpan(weekday=one.weekday, opens=time(10), closes=time(13, 10)) for one in spans[:4]]
        day = self.now.astimezone(clinic.zone).date() + timedelta(days=self.rng.randint(0, 5))
        self._do(clinic.manager, clinic, clinic.clinic_id, SetOpeningHours, effective_from=day, hours=tuple(spans),
                 prime=tuple(prime))

    def _change_rooms(self) -> None:
        clinic = self.rng.choice(self.clinics)
        if self.rng.random() < 0.6 or len(clinic.rooms) < 3:
            room = self.world.new_id()
            if self._do(clinic.manager, clinic, clinic.clinic_id, AddRoom, room_id=room, room_name="One more"):
                clinic.rooms.append(room)
        elif self._do(clinic.manager, clinic, clinic.clinic_id, RetireRoom, room_id=clinic.rooms[-1],
                      reason_code="other"):
            clinic.rooms.pop()

    def _overbook(self) -> Journey:
        return double_booking(self.world, self.rng.choice(self.clinics), self._any(), self.now)

    def _give_up(self) -> None:
        """Cancels a booking, before or after it began, or says that nobody came."""
        booked = self.world.reader.read(0, 10_000, names=("appointment.booked.v1",))
        if not booked:
            return
        one = self.rng.choice(booked[-8:])
        clinic = next(each for each in self.clinics if each.clinic_id == one.clinic_id)
        what: dict[str, Any] = {"appointment_id": one.event.appointment_id}  # type: ignore[attr-defined]
        if self.rng.random() < 0.3:
            self._do(clinic.desk, clinic, one.stream_id, RecordNoShow, **what)
            return
        self._do(clinic.desk, clinic, one.stream_id, CancelAppointment, reason_code="illness",
                 asked_by=self.rng.choice(("patient", "patient", "clinic")), **what)

    def _merge(self) -> Journey:
        """The same person registered twice: scores under both records, then merged, sometimes parted again."""
        person, clinic = self._any(), self.rng.choice(self.clinics)
        double = self.world.new_id()
        self._register(double, clinic, person.body.sex, self.rng.randrange(1_000))
        for _ in range(3):
            self._do(clinic.nurse(0), clinic, double, ScorePain, score=self.rng.randint(0, 10))
            yield self.now + timedelta(hours=self.rng.randint(2, 60))
        self._do(clinic.manager, clinic, double, MergePatients, survivor_id=person.body.patient_id,
                 reason_code="duplicate_registration")
        if self.rng.random() < 0.25:
            yield self.now + timedelta(hours=30)
            self._do(clinic.manager, clinic, double, UnmergePatients, survivor_id=person.body.patient_id,
                     reason_code="different_people")

    def _at_home(self) -> None:
        """Scores now, earlier ones typed in late, and side effects, from home."""
        person = self._any()
        ago = timedelta(hours=self.rng.choice((0, 0, 3, 20, 50, 70)))
        late = {"at": self.now - ago, "late_reason": "told at the desk"} if ago else {}
        diary, clinic = person.body.patient_id, person.clinic
        if self.rng.random() < 0.5:
            self._do(clinic.nurse(0), clinic, diary, ScorePain, score=self.rng.randint(0, 9),
                     kind=self.rng.choice(("now", "now", "now", "worst")), **late)
            return
        onset = self.now - ago - timedelta(hours=self.rng.randint(0, 220))
        over = onset + timedelta(hours=1)
        ended = over if self.rng.random() < 0.5 and over < self.now else None
        self._do(
            clinic.nurse(0), clinic, diary, ReportSideEffectFromHome, side_effect_id=self.world.new_id(),
            kind=self.rng.choice(("nightmares", "cystitis", "memory_deficits")), grade=self.rng.randint(1, 3),
            serious=self.rng.random() < 0.1, onset_at=onset, ended_at=ended, **late,
        )

    def _score_before(self) -> None:
        """Questionnaires, whenever they are asked."""
        person = self._any()
        diary, clinic = person.body.patient_id, person.clinic
        self._do(clinic.nurse(0), clinic, diary, ScorePain, score=max(0, round(person.body.baseline)))
        self._do(clinic.nurse(0), clinic, diary, ScoreFunction, instrument="peg",
                 items=tuple(self.rng.randint(0, 10) for _ in range(3)))
        self._do(clinic.nurse(0), clinic, diary, ScoreMood, instrument="phq9",
                 items=(*(self.rng.randint(0, 3) for _ in range(8)), 0))
        instrument, most = self.rng.choice((("moca", 30), ("memory_self_rating", 10)))
        self._do(clinic.nurse(0), clinic, diary, ScoreCognition, instrument=instrument,
                 total=Decimal(self.rng.randint(0, most)))

    def _move(self) -> Journey:
        person = self._any()
        other = next(one for one in self.clinics if one is not person.clinic)
        return transfer(self.world, person, other, self.now)

    def _refer(self) -> None:
        person = self._any()
        received = self.now.astimezone(person.clinic.zone).date() - timedelta(days=self.rng.randint(0, 9))
        self._do(person.clinic.desk, person.clinic, person.body.patient_id, ReceiveReferral,
                 referral_id=self.world.new_id(), source="self", conditions=(person.body.condition,),
                 received_on=received)

    def _screen(self) -> None:
        person = self._any()
        doctor = person.clinic.prescriber(0)
        status = self.rng.choice(("absent", "absent", "uncontrolled"))
        self._do(doctor, person.clinic, person.body.patient_id, RecordScreening, screening_id=self.world.new_id(),
                 findings=(Finding(contraindication="hypertension", status=status),), screened_by=UUID(doctor.id))

    def _beside(self) -> Journey:
        person, adjunct = self._any(), self.world.new_id()
        doctor, today = person.clinic.prescriber(0), self.now.astimezone(person.clinic.zone).date()
        self._do(doctor, person.clinic, person.body.patient_id, StartAdjunctTherapy, adjunct_id=adjunct,
                 therapy="physical_therapy", started_on=today - timedelta(days=self.rng.randint(0, 5)))
        yield self.now + timedelta(days=self.rng.randint(1, 9))
        today = self.now.astimezone(person.clinic.zone).date()
        self._do(doctor, person.clinic, person.body.patient_id, EndAdjunctTherapy, adjunct_id=adjunct, ended_on=today,
                 reason_code="completed")

    def _end_course(self) -> None:
        if self.rng.random() < 0.2:
            person = self._any()
            self._do(person.clinic.prescriber(0), person.clinic, person.course_id, CloseCourse,
                     reason_code=self.rng.choice(("deceased", "goal_met", "patients_choice")))

    def _late_evening(self) -> Journey:
        person = self._any()
        return over_midnight(self.world, person.clinic, person, self.now)

    def _booster_for_pain(self) -> None:
        """A booster is brought forward because pain is back."""
        person = self._any()
        told = [r.event for r in self.world.reader.read_stream(person.course_id) if "booster" in r.name]
        if told:
            due = self.now.astimezone(person.clinic.zone).date() + timedelta(days=self.rng.randint(1, 9))
            last = told[-1]
            assert not isinstance(last, BoosterRescheduled) or last.booster_id
            self._do(person.clinic.prescriber(0), person.clinic, person.course_id, RescheduleBooster,
                     booster_id=last.booster_id, due_on=due, reason_code="pain_returned")  # type: ignore[attr-defined]


def invent(settings: Settings, seed: int, first: date, zones: tuple[str, str], patients: int = 5) -> World:
    """Fills an empty installation with a history of six weeks from `first` on."""
    begin = datetime.combine(first, time(13), tzinfo=UTC)
    clock = MovableClock(begin)
    services = build_services(settings, clock=clock, mode="simulation")
    try:
        world = World(services, services.log, clock, seed)
        Invention(world, begin, zones, patients)
        _run(world, begin + timedelta(weeks=WEEKS))
    finally:
        services.close()
    return world


def _run(world: World, until: datetime) -> None:
    """Lives on; a journey that ran into a rule ends there, as somebody who was sent home."""
    while world._agenda:
        try:
            world.run(until)
            return
        except (DomainError, GivenUpError):
            continue
