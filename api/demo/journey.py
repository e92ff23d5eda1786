"""One patient's way through the clinic: referral, consultation, trial, gate, series, boosters, end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from api.demo import questionnaires
from api.demo.body import Body
from api.demo.booking import Booking, Twists
from api.demo.clinics import Clinic
from api.demo.parameters import PARAMETERS as P
from api.demo.visit import Visit
from api.demo.world import Journey, World
from domain.course import (
    AssessResponse,
    BoosterScheduled,
    CancelBooster,
    CloseCourse,
    HoldConsultation,
    OpenCourse,
    PlanSeries,
    ReachOptimalRelief,
    RescheduleBooster,
    ReviseSeries,
    ScheduleBooster,
)
from domain.day_sheet import BookAppointment, CancelAppointment, ConfirmAppointment, MoveAppointment, RecordNoShow
from domain.diary import (
    ReportRelief,
    ReportSideEffectFromHome,
    ScoreCognition,
    ScoreFunction,
    ScoreMood,
    ScorePain,
)
from domain.kernel import Actor, DomainError, derived_id
from domain.patient.history import RecordTherapyTried, StartAdjunctTherapy
from domain.patient.registration import ReceiveReferral
from domain.patient.screening import ClearScreening, Finding, RecordScreening, SignConsent

CONSULTATION_MINUTES = 60
SCREENED = (
    "hypertension", "substance_abuse", "thyroid_disease", "heart_disease", "psychosis", "pregnancy", "liver_disease",
    "intracranial_pressure", "intraocular_pressure", "ketamine_hypersensitivity",
)
Tune = Callable[[int], Twists | None]


class Patient:
    """Lives one patient's journey. `tune(ordinal)` may set the twists of the n-th infusion visit."""

    visit_type: type[Visit] = Visit

    def __init__(self, world: World, clinic: Clinic, body: Body, tune: Tune = lambda ordinal: None) -> None:
        self.world, self.clinic, self.body, self.tune = world, clinic, body, tune
        self.rng = world.random_for(body.patient_id)
        self.course_id = world.new_id()
        self.visits: list[Visit] = []
        self.closed = False
        self.keeps_all = False
        self.screened_at = world.clock.now()

    @property
    def diary(self) -> UUID:
        return self.body.patient_id

    @property
    def self_reporting(self) -> Actor:
        return Actor(id=f"patient:{self.body.patient_id}", role="patient")

    def _now(self) -> datetime:
        return self.world.clock.now()

    def _chart(self, by: Actor, command: type, **what: object) -> object:
        return self.world.do(by, self.clinic.clinic_id, self.body.patient_id, command, **what)  # type: ignore[arg-type]

    def _on_course(self, command: type, by: Actor | None = None, **what: object) -> object:
        by = by or self.clinic.prescriber(0)
        return self.world.do(by, self.clinic.clinic_id, self.course_id, command, **what)  # type: ignore[arg-type]

    # --- from referral to course -------------------------------------------------------------------

    def live(self) -> Journey:
        """From the referral on."""
        desk = self.clinic.desk
        self.referral_id = self.world.new_id()
        self._chart(
            desk, ReceiveReferral, referral_id=self.referral_id,
            source=self.rng.choice(("physician", "pain_specialist", "self")),
            conditions=(self.body.condition,), received_on=self._now().astimezone(self.clinic.zone).date(),
        )
        for therapy in self.rng.sample(("gabapentinoid", "opioid", "antidepressant", "physical_therapy", "nsaid"), 2):
            result = self.rng.choice(("no_relief", "partial_relief"))
            self._chart(desk, RecordTherapyTried, therapy=therapy, result=result)
        if not (yield from self._consult()):
            return
        yield from self._treat()

    def _consult(self) -> Generator[datetime, None, bool]:
        for _ in range(3):
            booking = yield from self._book("consultation", self.rng.uniform(3, 14), CONSULTATION_MINUTES)
            if booking is None:
                return False
            if self.rng.random() < P.consult_no_show and not self.keeps_all:
                yield booking.starts + timedelta(minutes=30)
                self._sheet(booking, RecordNoShow, appointment_id=booking.appointment_id)
                if self.rng.random() < 0.5:
                    return False
                continue
            yield booking.starts + timedelta(minutes=50)
            return (yield from self._hold())
        return False

    def _hold(self) -> Generator[datetime, None, bool]:
        rng, doctor = self.rng, self.clinic.prescriber(0)
        unsuitable = rng.random() < P.screening_fails and not self.keeps_all
        failing = rng.choice(("hypertension", "substance_abuse", "thyroid_disease", "heart_disease"))
        findings = tuple(
            Finding(contraindication=c, status="uncontrolled" if unsuitable and c == failing else "absent")
            for c in SCREENED
        )
        self._screen(findings)
        plan = "combined" if rng.random() < P.adjunct_share else "alone"
        self._on_course(
            HoldConsultation, consultation_id=self.world.new_id(), patient_id=self.body.patient_id,
            prescriber_id=UUID(doctor.id), condition=self.body.condition, examined=True, records_reviewed=True,
            history_reviewed=True, side_effects_discussed=True, procedure_discussed=True, visits_discussed=True,
            weight_kg=self.body.weight_kg, proposed_mg_per_kg=Decimal("0.4"), proposed_minutes=60,
            decision="not_suitable" if unsuitable else "proceed", plan=plan, referral_id=self.referral_id,
            note="Pain for years, several therapies tried (fictional).",
        )
        if unsuitable:
            if rng.random() < 0.7:
                return False
            yield self._now() + timedelta(days=rng.uniform(10, 20))
            today = self._now().date()
            self._chart(
                doctor, ClearScreening, contraindication=failing, prescriber_id=UUID(doctor.id),
                valid_until=today + timedelta(days=180), reason_code="specialist_clearance",
                reason="Treated and stable (fictional).",
            )
            self._on_course(
                HoldConsultation, consultation_id=self.world.new_id(), patient_id=self.body.patient_id,
                prescriber_id=UUID(doctor.id), condition=self.body.condition, examined=True, records_reviewed=True,
                history_reviewed=True, side_effects_discussed=True, procedure_discussed=True, visits_discussed=True,
                weight_kg=self.body.weight_kg, decision="proceed", plan=plan, referral_id=self.referral_id,
            )
        self._chart(doctor, SignConsent, consent_id=self.world.new_id(), kind="treatment", form_version="2026-01",
                    signed_by="patient", taken_by=UUID(doctor.id))
        if self.body.patient_id.int % 5:  # one in five would rather not be written to
            consent_id = self.world.own_id("messaging", self.body.patient_id)
            self._chart(doctor, SignConsent, consent_id=consent_id, kind="messaging", form_version="2026-01",
                        signed_by="patient", taken_by=UUID(doctor.id), command_id=consent_id)
        if plan == "combined":
            self._chart(
                doctor, StartAdjunctTherapy, adjunct_id=self.world.new_id(),
                therapy=rng.choice(("physical_therapy", "psychotherapy")), started_on=self._now().date(),
            )
        self._on_course(OpenCourse, patient_id=self.body.patient_id, condition=self.body.condition, plan=plan,
                        prescriber_id=UUID(doctor.id))
        self._ask_before()
        return True

    def _ask_before(self) -> None:
        """Function, mood and memory before the first infusion: what the later answers are held against."""
        rng, pain = self.world.random_for(f"asked before {self.body.patient_id}"), self.body.baseline
        self._ask(ScoreFunction, "before", **questionnaires.peg(pain, rng))
        self._ask(ScoreMood, "before", **questionnaires.mood(pain, rng))
        self._ask(ScoreCognition, "before", **questionnaires.memory(pain, rng))

    def _ask(self, command: type, when: object, **what: object) -> None:
        """The nurse asks, at the desk or on the telephone; takes no turn of the world's ids or chance."""
        command_id = self.world.own_id(command.__name__, self.body.patient_id, when)
        self.world.do(self.clinic.nurse(0), self.clinic.clinic_id, self.diary, command, command_id=command_id, **what)  # type: ignore[arg-type]

    def _screen(self, findings: tuple[Finding, ...]) -> None:
        doctor = self.clinic.prescriber(0)
        self._chart(doctor, RecordScreening, screening_id=self.world.new_id(), findings=findings,
                    screened_by=UUID(doctor.id))
        self.screened_at = self._now()

    def _screen_again_when_due(self) -> None:
        """Screening holds for the protocol's days (example 90); renewed at the door when it runs out."""
        held = timedelta(days=self.clinic.protocol.screening_valid_days - 2)
        if self._now() - self.screened_at > held:
            self._screen(tuple(Finding(contraindication=c, status="absent") for c in SCREENED))

    # --- trial, gate, series, boosters -------------------------------------------------------------

    def _treat(self) -> Journey:
        trial = yield from self._come("trial", self.rng.uniform(4, 12))
        if trial is None:
            yield from self._close("patients_choice")
            return
        yield self._now() + timedelta(days=3)
        fall = round(100 * (1 - self.body.pain(self._now()) / self.body.baseline), 1)
        positive = fall >= 30
        go_on = positive or (fall >= 15 and self.rng.random() < 0.3)
        self._on_course(
            AssessResponse, infusion_id=trial.infusion_id, positive=positive, basis="nrs_fall",
            fall_percent=Decimal(str(fall)), decision="go_on" if go_on else "stop",
            prescriber_id=UUID(self.clinic.prescriber(0).id),
            reason=None if positive or not go_on else "Partial response; function better (fictional).",
        )
        if not go_on:
            yield from self._close("no_response")
            return
        yield from self._series()
        if not self.closed:
            yield from self._boosters()

    def _series(self) -> Journey:
        today = self._now().astimezone(self.clinic.zone).date()
        series, count = self.world.new_id(), P.series_infusions
        self._on_course(PlanSeries, series_id=series, infusions=count, window_starts=today,
                        window_ends=today + timedelta(days=17))
        enough = self.rng.random() < P.optimal_relief_early
        last: Visit | None = None
        for number in range(count):
            visit = yield from self._come("series", 2.0, series_id=series)
            last = visit or last
            if visit is None and self.rng.random() < 0.3:
                self._on_course(ReviseSeries, infusions=max(1, number), window_starts=today,
                                window_ends=today + timedelta(days=21), reason_code="patients_choice")
                break
            if enough and last is not None and number >= 2:
                self._on_course(ReachOptimalRelief, after_infusion_id=last.infusion_id)
                break
        if self.rng.random() < P.drop_out_after_series and not self.keeps_all:
            endings = ("patients_choice", "goal_met", "lost_to_follow_up", "side_effects")
            yield from self._close(self.rng.choice(endings))

    def _boosters(self) -> Journey:
        while not self.closed:
            booster = self.world.new_id()
            self._on_course(ScheduleBooster, booster_id=booster)
            if self.rng.random() < 0.12 and not self.keeps_all:  # nobody hears from them again
                return
            due = self._due(booster)
            visit = yield from self._come("booster", max(1.0, (due - self._today()).days - 1))
            while visit is None and not self.closed:
                if self.rng.random() < 0.4 and not self.keeps_all:
                    self._on_course(CancelBooster, booster_id=booster, reason_code="patients_choice")
                    yield from self._close("lost_to_follow_up")
                    return
                later = self._today() + timedelta(days=5)
                self._on_course(RescheduleBooster, booster_id=booster, due_on=later, reason_code="patients_choice")
                visit = yield from self._come("booster", 4.0)

    def _due(self, booster: UUID) -> date:
        """The due date that the course worked out from the patient's own spells (or the protocol's default)."""
        events = (record.event for record in self.world.reader.read_stream(self.course_id))
        return next(e.due_on for e in events if isinstance(e, BoosterScheduled) and e.booster_id == booster)

    def _today(self) -> date:
        return self._now().astimezone(self.clinic.zone).date()

    def _close(self, reason: str) -> Journey:
        yield self._now() + timedelta(days=self.rng.uniform(1, 6))
        if not self.closed:
            self._on_course(CloseCourse, reason_code=reason)
            self.closed = True

    # --- booking and coming --------------------------------------------------------------------------

    def _sheet(self, booking: Booking, command: type, **what: object) -> object:
        clinic = booking.clinic
        day = booking.starts.astimezone(clinic.zone).date()
        stream = derived_id("day_sheet", clinic.clinic_id, day.isoformat())
        return self.world.do(clinic.desk, clinic.clinic_id, stream, command, **what)  # type: ignore[arg-type]

    def _book(
        self, kind: str, days: float, minutes: int, series_id: UUID | None = None
    ) -> Generator[datetime, None, Booking | None]:
        clinic = self.clinic
        earliest = max(self._now() + timedelta(days=days * 0.6), self._rested())
        day = earliest.astimezone(clinic.zone).date()
        for offset in range(28):
            found = clinic.free_slot(day + timedelta(days=offset), minutes, earliest)
            if found is None:
                continue
            room, nurse, starts = found
            ends = starts + timedelta(minutes=minutes)
            booking = Booking(clinic, self.world.new_id(), room, nurse, starts, ends, kind)
            try:
                self._sheet(
                    booking, BookAppointment, appointment_id=booking.appointment_id, patient_id=self.body.patient_id,
                    room_id=room, visit_kind=kind, starts_at=starts, ends_at=booking.ends,
                    course_id=None if kind == "consultation" else self.course_id, series_id=series_id,
                    prescriber_id=UUID(clinic.prescriber(0).id) if kind == "consultation" else None,
                    nurse_id=None if kind == "consultation" else nurse,
                )
            except DomainError:
                earliest += timedelta(hours=2)
                continue
            clinic.take(room, nurse, starts, booking.ends)
            if self.rng.random() < 0.6 and starts - self._now() > timedelta(days=2):
                yield starts - timedelta(days=1)
                self._sheet(booking, ConfirmAppointment, appointment_id=booking.appointment_id)
            return booking
        return None

    def _come(
        self, kind: str, days: float, series_id: UUID | None = None
    ) -> Generator[datetime, None, Visit | None]:
        minutes = self.clinic.protocol.visit
        whole = minutes.preparation + minutes.infusion + minutes.monitoring + minutes.turnover
        for _ in range(2):
            booking = yield from self._book(kind, days, whole, series_id)
            if booking is None:
                return None
            chance = self.rng.random()
            if chance < P.clinic_cancels + P.patient_cancels and not self.keeps_all:
                clinic_side = chance < P.clinic_cancels
                yield max(self._now(), booking.starts - timedelta(hours=self.rng.uniform(3, 40)))
                self._sheet(
                    booking, CancelAppointment, appointment_id=booking.appointment_id,
                    asked_by="clinic" if clinic_side else "patient",
                    reason_code="staff_absence" if clinic_side else self.rng.choice(("illness", "transport")),
                )
                booking.clinic.free(booking.room, booking.nurse, booking.starts, booking.ends)
                continue
            if self.rng.random() < P.patient_moves:
                yield from self._move(booking)
            if self.rng.random() < P.visit_no_show and not self.keeps_all:
                yield booking.starts + timedelta(minutes=45)
                self._sheet(booking, RecordNoShow, appointment_id=booking.appointment_id)
                continue
            yield max(self._now(), booking.starts - timedelta(minutes=50))
            self._screen_again_when_due()
            twists = self.tune(self.body.infusions + 1) or Twists.drawn(self.rng)
            visit = self.visit_type(self.world, self.body, self.course_id, booking, twists)
            yield from visit.live()
            self.visits.append(visit)
            if visit.stopped_at is not None:
                self.world.start(self._now(), self._report_home(visit))
                return visit
        return None

    def _rested(self) -> datetime:
        """The protocol's soft limit between two infusions is 24 hours; the desk books clear of it."""
        return self.body.last_stop + timedelta(hours=26) if self.body.last_stop else self._now()

    def _move(self, booking: Booking) -> Journey:
        yield max(self._now(), booking.starts - timedelta(hours=self.rng.uniform(20, 60)))
        minutes = round((booking.ends - booking.starts).total_seconds() / 60)
        day = booking.starts.astimezone(booking.clinic.zone).date()
        for offset in range(3):
            earliest = max(self._now() + timedelta(hours=4), self._rested())
            found = booking.clinic.free_slot(day + timedelta(days=offset), minutes, earliest)
            if found is None or found[2] == booking.starts:
                continue
            room, _, starts = found
            ends = starts + timedelta(minutes=minutes)
            try:
                self._sheet(
                    booking, MoveAppointment, appointment_id=booking.appointment_id, room_id=room, starts_at=starts,
                    ends_at=ends, asked_by="patient", reason_code="transport",
                )
            except DomainError:
                continue
            booking.clinic.free(booking.room, booking.nurse, booking.starts, booking.ends)
            booking.clinic.take(room, booking.nurse, starts, ends)
            booking.room, booking.starts, booking.ends = room, starts, ends
            return

    # --- at home -----------------------------------------------------------------------------------

    def _report_home(self, visit: Visit) -> Journey:
        stopped = visit.stopped_at or self._now()
        rng = self.rng
        if rng.random() < P.home_report:
            self.world.start(stopped + timedelta(hours=rng.uniform(8, 40)), self._dreams(visit))
        for hours in (4, 26, 50, 72, 168, 336, 672):
            yield stopped + timedelta(hours=hours + rng.uniform(-1.5, 1.5))
            newer = self.body.last_stop is not None and self.body.last_stop > stopped
            if newer and hours > 4:
                return
            if rng.random() > P.score_answered:
                continue
            self._diary(ScorePain, score=self.body.pain(self._now()), infusion_id=visit.infusion_id)
            if hours == 26:
                self._diary(ReportRelief, relief_percent=self.body.relief_percent(self._now()),
                            infusion_id=visit.infusion_id)
            if hours in (168, 672):
                pain = self.body.pain(self._now())
                self._diary(ScoreFunction, **questionnaires.peg(pain, rng))
                self._diary(ScoreMood, **questionnaires.mood(pain, rng))
                chance = self.world.random_for(f"memory {visit.infusion_id} {hours}")
                self._ask(ScoreCognition, f"{visit.infusion_id} {hours}",
                          **questionnaires.memory(self.body.baseline, chance))

    def _dreams(self, visit: Visit) -> Journey:
        self._diary(
            ReportSideEffectFromHome, side_effect_id=self.world.new_id(), kind="nightmares", grade=1,
            onset_at=self._now() - timedelta(hours=3), infusion_id=visit.infusion_id,
        )
        yield from ()

    def _diary(self, command: type, **what: object) -> None:
        self.world.do(self.self_reporting, self.clinic.clinic_id, self.diary, command, **what)  # type: ignore[arg-type]
