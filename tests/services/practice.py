"""A small practice that tests live in: one clinic (or two), its people, patients and a clock that is set.

Everything is set up by sending commands through `CommandHandling`, as the API does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from domain import clinic, course, day_sheet, diary, drug_lot, staff
from domain.infusion import arrival, departure, drug_run, monitoring, order, visit
from domain.kernel import Actor, Command, Role, derived_id
from domain.patient import registration, screening
from domain.protocol import EXAMPLE_PROTOCOL
from services.handling import CommandHandling, Receipt, Request
from services.log import EventLog, migrate, migrate_keys, open_log
from services.use_cases import use_cases

D = Decimal
ALL_WEEK = tuple(clinic.OpeningSpan(weekday=day, opens=time(7), closes=time(19)) for day in range(1, 8))
BEGAN = datetime(2026, 3, 2, 8, tzinfo=ZoneInfo("America/Denver"))


class SetClock:
    """A recording clock that moves when it is told to."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment.astimezone(UTC)


def log_in(home: Path, clock: SetClock) -> EventLog:
    """A simulation log on SQLite files in `home`."""
    log_url, keys_url = f"sqlite:///{home}/log.sqlite3", f"sqlite:///{home}/keys.sqlite3"
    migrate(log_url)
    migrate_keys(keys_url)
    return open_log(log_url, keys_url=keys_url, home=home, mode="simulation", clock=clock)


class Practice:
    """Sends commands; remembers who is who."""

    def __init__(self, log: EventLog, clock: SetClock) -> None:
        self.log, self.clock = log, clock
        self.handling = CommandHandling(log, clock, use_cases(log))
        self.zone = ZoneInfo("America/Denver")
        self.clinic_id = uuid4()
        self.prescriber_id, self.nurse_id, self.second_nurse_id, self.manager_id = (uuid4() for _ in range(4))
        self.rooms = [uuid4(), uuid4()]

    # --- sending ---

    def actor(self, role: Role, person: UUID | None = None) -> Actor:
        people = {"prescriber": self.prescriber_id, "nurse": self.nurse_id, "manager": self.manager_id}
        return Actor(id=str(person or people.get(role, UUID(int=1))), role=role)

    def do(
        self, stream_id: UUID, command_type: Callable[..., Command], /, *, by: Actor | None = None,
        at: datetime | None = None, at_clinic: UUID | None = None, request: dict[str, Any] | None = None,
        late_reason: str | None = None, **fields: Any,
    ) -> Receipt:
        """One command, now by the clock (or at `at`), at the practice's clinic."""
        now = self.clock.now()
        who = by or self.actor("nurse")
        command = command_type(by=who, now=now, at=at or now, late_reason=late_reason, **fields)
        asked = Request(by=who, clinic_id=at_clinic or self.clinic_id, **(request or {}))
        return self.handling.handle(stream_id, command, asked)

    def wait(self, **much: float) -> None:
        self.clock.moment += timedelta(**much)

    def state(self, aggregate: Any, stream_id: UUID) -> Any:
        return self.handling.current(aggregate, stream_id).state

    def names(self, stream_id: UUID) -> list[str]:
        return [record.name for record in self.log.read_stream(stream_id)]

    # --- the practice ---

    def opened(self) -> Practice:
        """A clinic with two rooms, hours, people in date and an adopted protocol."""
        org = Actor(id="owner", role="owner")
        for person, profession, licence in (
            (self.prescriber_id, "physician", "medical_license"),
            (self.nurse_id, "registered_nurse", "nursing_license"),
            (self.second_nurse_id, "registered_nurse", "nursing_license"), (self.manager_id, "manager", None),
        ):
            self.do(person, staff.JoinStaff, by=org, full_name="Robin Example", profession=profession)
            if licence is not None:
                self.do(person, staff.RecordCredentials, by=org, kind=licence, number="X-1", jurisdiction="US-CO",
                        valid_from=date(2025, 1, 1), valid_until=date(2027, 12, 31))
        self.open_clinic(self.clinic_id, "America/Denver", self.rooms)
        return self

    def open_clinic(self, clinic_id: UUID, timezone: str, rooms: list[UUID]) -> None:
        """Another clinic of the organisation, with the same people."""
        here: dict[str, Any] = {"by": self.actor("manager"), "at_clinic": clinic_id}
        self.do(clinic_id, clinic.OpenClinic, clinic_name=f"Clinic {clinic_id}", timezone=timezone, **here)
        for number, room_id in enumerate(rooms):
            self.do(clinic_id, clinic.AddRoom, room_id=room_id, room_name=f"Room {number}", **here)
        self.do(clinic_id, clinic.SetOpeningHours, effective_from=date(2026, 1, 1), hours=ALL_WEEK, **here)
        roles: tuple[tuple[UUID, Role], ...] = (
            (self.prescriber_id, "prescriber"), (self.nurse_id, "nurse"), (self.second_nurse_id, "nurse"),
            (self.manager_id, "manager"),
        )
        for person, role in roles:
            self.do(clinic_id, clinic.AssignStaff, staff_id=person, role=role, **here)
        document = replace(EXAMPLE_PROTOCOL, example=False, author="Dr. Example", protocol_version=1)
        self.do(clinic_id, clinic.AdoptProtocol, by=self.actor("prescriber"), at_clinic=clinic_id,
                document=document, adopted_by=self.prescriber_id)

    def patient(self, at_clinic: UUID | None = None) -> UUID:
        """Somebody registered, screened and consenting."""
        patient_id = uuid4()
        home = at_clinic or self.clinic_id
        here: dict[str, Any] = {"at_clinic": home}
        self.do(patient_id, registration.RegisterPatient, family_name="Doe", given_name="Sam",
                birth_date=date(1980, 5, 5), sex="female", home_clinic_id=home, **here)
        self.do(patient_id, screening.RecordScreening, screening_id=uuid4(), screened_by=self.nurse_id, findings=tuple(
            screening.Finding(contraindication=code, status="absent", basis="history")
            for code in sorted(screening.PAGE_FOUR)
        ), **here)
        self.do(patient_id, screening.SignConsent, consent_id=uuid4(), kind="treatment", form_version="2026-01",
                signed_by="patient", taken_by=self.nurse_id, **here)
        return patient_id

    def course(self, patient_id: UUID) -> UUID:
        """Consultation held with the decision to proceed, and the course opened."""
        course_id = uuid4()
        by = self.actor("prescriber")
        self.consult(course_id, patient_id)
        self.do(course_id, course.OpenCourse, by=by, patient_id=patient_id, condition="crps", plan="combined",
                prescriber_id=self.prescriber_id)
        return course_id

    def consult(self, course_id: UUID, patient_id: UUID, **fields: Any) -> Receipt:
        said: dict[str, Any] = {
            "examined": True, "records_reviewed": True, "history_reviewed": True, "side_effects_discussed": True,
            "procedure_discussed": True, "visits_discussed": True, "weight_kg": D("80"), "decision": "proceed",
            "plan": "combined", "condition": "crps", **fields,
        }
        return self.do(course_id, course.HoldConsultation, by=self.actor("prescriber"), consultation_id=uuid4(),
                       patient_id=patient_id, prescriber_id=self.prescriber_id, **said)

    # --- appointments ---

    def sheet(self, moment: datetime) -> UUID:
        return derived_id("day_sheet", self.clinic_id, moment.astimezone(self.zone).date().isoformat())

    def book(
        self, patient_id: UUID, starts_at: datetime, *, room: int = 0, kind: str = "trial",
        course_id: UUID | None = None, **fields: Any,
    ) -> UUID:
        """An appointment booked; its id."""
        appointment_id = uuid4()
        self.do(self.sheet(starts_at), day_sheet.BookAppointment, by=self.actor("front_desk"),
                appointment_id=appointment_id, patient_id=patient_id, room_id=self.rooms[room], visit_kind=kind,
                starts_at=starts_at, course_id=course_id, **fields)
        return appointment_id

    # --- a visit ---

    def arrive(self, patient_id: UUID, course_id: UUID, kind: str = "trial", **fields: Any) -> UUID:
        infusion_id = uuid4()
        self.do(infusion_id, arrival.ArrivePatient, patient_id=patient_id, visit_kind=kind, course_id=course_id,
                **fields)
        return infusion_id

    def ready(self, infusion_id: UUID, *, room: int = 0) -> None:
        """Roomed, checked, vitals taken."""
        self.do(infusion_id, arrival.RoomPatient, room_id=self.rooms[room])
        self.do(infusion_id, arrival.CheckBeforeInfusion, weight_kg=D("80"), nurse_id=self.nurse_id,
                driver_named=True, driver_name="Kim Example", driver_phone="+1 555 0100",
                questions=arrival.VisitQuestions(
                    medicines_changed=False, fasted=True, pregnancy="denied", urinary_symptoms=False, low_mood=False,
                    health_changed=False))
        self.vitals(infusion_id)

    def vitals(self, infusion_id: UUID) -> None:
        self.do(infusion_id, monitoring.RecordVitals, vitals=monitoring.VitalSigns(
            heart_rate_per_min=72, systolic_mmhg=124, diastolic_mmhg=78, spo2_percent=98,
            respiratory_rate_per_min=14))
        self.do(infusion_id, monitoring.ScoreSedation, scale="rass", score=0)

    def start(self, infusion_id: UUID, purpose: str = "trial", **fields: Any) -> None:
        """Ordered, line placed, drug running at 24 mg/h for 60 minutes."""
        by = self.actor("prescriber")
        self.do(infusion_id, order.OrderDose, by=by, order_id=uuid4(), prescriber_id=self.prescriber_id,
                purpose=purpose, weight_basis="actual", bolus_mg=D(0), rate_mg_per_h=D(24), planned_minutes=60,
                concentration_mg_per_ml=D(2), **fields)
        self.do(infusion_id, drug_run.PlaceIV, site="left_forearm", gauge=22)
        self.do(infusion_id, drug_run.HangBag, bag_id=uuid4(), drug_mg=D(30), volume_ml=D(15))
        self.do(infusion_id, drug_run.StartInfusion, rate_mg_per_h=D(24))

    def run(self, infusion_id: UUID, minutes: int = 60) -> None:
        """Watched every five minutes."""
        for _ in range(minutes // 5):
            self.wait(minutes=5)
            self.vitals(infusion_id)

    def leave(self, infusion_id: UUID) -> None:
        """Half an hour of recovery, fit to go, driven home, the room released."""
        for _ in range(3):
            self.wait(minutes=10)
            self.vitals(infusion_id)
        self.do(infusion_id, departure.AssessRecovery, scale="aldrete", items={
            "activity": 2, "respiration": 2, "circulation": 2, "consciousness": 2, "oxygen_saturation": 2})
        self.wait(minutes=5)
        self.do(infusion_id, departure.DischargePatient, driver_present=True, instructions_given=True,
                discharged_by=self.nurse_id)
        self.do(infusion_id, departure.ReleaseRoom)

    def infusion(self, patient_id: UUID, course_id: UUID, kind: str = "trial", **fields: Any) -> UUID:
        """A whole visit, from arrival to the door."""
        infusion_id = self.arrive(patient_id, course_id, kind, **fields)
        self.ready(infusion_id)
        self.start(infusion_id, kind)
        self.run(infusion_id)
        self.do(infusion_id, drug_run.StopInfusion)
        self.leave(infusion_id)
        return infusion_id

    def pain(self, patient_id: UUID, score: int, **fields: Any) -> Receipt:
        return self.do(derived_id("diary", patient_id), diary.ScorePain, score=score,
                       request={"patient_id": patient_id}, **fields)

    # --- the cabinet ---

    def lot(self) -> UUID:
        """Ten vials of 500 mg received."""
        lot_id = derived_id("drug_lot", self.clinic_id, "00000-0000-00", "L1")
        self.do(lot_id, drug_lot.ReceiveVials, drug="ketamine", ndc="00000-0000-00", lot_number="L1",
                expires_on=date(2027, 9, 30), vials=10, mg_per_vial=D(500), ml_per_vial=D(10), supplier="Example")
        return lot_id

    def visit(self, infusion_id: UUID) -> visit.State:
        state: visit.State = self.state(visit, infusion_id)
        return state

    def diary(self, patient_id: UUID) -> diary.State:
        state: diary.State = self.state(diary, derived_id("diary", patient_id))
        return state
