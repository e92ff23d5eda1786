"""One visit, from the door to the empty room, as the people at the chair live it."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from api.demo.body import Body
from api.demo.booking import Booking, Twists
from api.demo.parameters import PARAMETERS as P
from api.demo.world import Journey, World
from domain.diary import ScorePain
from domain.drug_lot import DrawDrug, WasteDrug
from domain.infusion.arrival import ArrivePatient, CheckBeforeInfusion, RoomPatient, VisitQuestions
from domain.infusion.departure import (
    AssessRecovery,
    DischargePatient,
    EndWithoutInfusion,
    LeaveAgainstAdvice,
    ReleaseRoom,
    TransferToHospital,
)
from domain.infusion.drug_run import (
    ChangeRate,
    GiveMedication,
    HangBag,
    InfusionGiven,
    PauseInfusion,
    PlaceIV,
    ResumeInfusion,
    StartInfusion,
    StopInfusion,
)
from domain.infusion.monitoring import AcknowledgeAlert, RecordVitals, ScoreSedation, VitalSigns
from domain.infusion.order import CountersignOrder, OrderDose
from domain.infusion.side_effects import (
    RegradeSideEffect,
    ReportSideEffect,
    ResolveSideEffect,
    SignOffSideEffect,
    TreatSideEffect,
)
from domain.kernel import DomainError
from services.handling import Receipt

TENTH = Decimal("0.1")


class Remedy(NamedTuple):
    """What is given against a side effect."""

    medication: str
    dose_mg: Decimal
    indication: str
    treatment: str


REMEDIES = {
    "nausea": Remedy("ondansetron", Decimal(4), "nausea", "antiemetic"),
    "vomiting": Remedy("ondansetron", Decimal(4), "nausea", "antiemetic"),
    "raised_blood_pressure": Remedy("labetalol", Decimal(10), "hypertension", "antihypertensive"),
}


class Visit:
    """Carries one visit out. After it, `given` is what was infused, if anything was."""

    def __init__(
        self, world: World, body: Body, course_id: UUID, booking: Booking, twists: Twists
    ) -> None:
        clinic = booking.clinic
        self.world, self.clinic, self.body, self.course_id = world, clinic, body, course_id
        self.booking, self.twists = booking, twists
        self.infusion_id = world.new_id()
        self.rng = world.random_for(self.infusion_id)
        self.nurse = clinic.nurse(clinic.nurses.index(booking.nurse))
        self.prescriber = clinic.prescriber(self.rng.randrange(2))
        self.given: InfusionGiven | None = None
        self.share_given = 1.0
        self.stopped_at: datetime | None = None
        self.effects: list[tuple[UUID, str, int]] = []
        self.weight = body.weight_kg
        self.check_version = 0

    # --- small steps ---------------------------------------------------------------------------

    def _do(self, command: type, **what: object) -> Receipt:
        by = what.pop("by", self.nurse)
        return self.world.do(by, self.clinic.clinic_id, self.infusion_id, command, **what)  # type: ignore[arg-type]

    def _now(self) -> datetime:
        return self.world.clock.now()

    def _in(self, minutes: float) -> datetime:
        return self._now() + timedelta(minutes=minutes)

    def _vitals(self, minutes_in: float | None, **but: int) -> None:
        signs = {**self.body.vitals(minutes_in), **but}
        self._do(RecordVitals, vitals=VitalSigns(**signs))  # type: ignore[arg-type]

    def _observe(self, minutes_in: float, **but: int) -> None:
        self._vitals(minutes_in, **but)
        self._do(ScoreSedation, scale="rass", score=self.rng.choice((0, 0, -1, -1, -2)))

    def _ask_pain(self) -> None:
        self.world.do(
            self.nurse, self.clinic.clinic_id, self.body.patient_id, ScorePain,
            score=self.body.pain(self._now()), infusion_id=self.infusion_id,
        )

    # --- the visit -------------------------------------------------------------------------------

    def live(self) -> Journey:
        """The whole visit; yields the moments at which the next thing happens."""
        rng = self.rng
        yield self.booking.starts + timedelta(minutes=rng.triangular(-20, 18, -6))
        self._do(
            ArrivePatient, by=self.clinic.desk, patient_id=self.body.patient_id, visit_kind=self.booking.visit_kind,
            course_id=self.course_id, appointment_id=self.booking.appointment_id,
            booked_starts_at=self.booking.starts, booked_ends_at=self.booking.ends,
        )
        yield max(self._in(2), self.booking.starts + timedelta(minutes=rng.triangular(-3, 14, 2)))
        while True:
            try:
                self._do(RoomPatient, room_id=self.booking.room)
                break
            except DomainError:  # the visit before runs late: wait for the room
                yield self._in(10)
        yield self._in(rng.uniform(3, 6))
        if not (yield from self._check()):
            return
        yield from self._order_and_start()
        yield from self._during()
        yield from self._after()

    def _check(self) -> Generator[datetime, None, bool]:
        drift = Decimal(str(round(self.rng.gauss(0, 0.4), 1)))
        self.weight = (self.body.weight_kg + drift).quantize(TENTH)
        questions = VisitQuestions(
            medicines_changed=self.rng.random() < 0.05, fasted=True,
            pregnancy="denied" if self.body.sex == "female" else "not_applicable",
            urinary_symptoms=False, low_mood=self.rng.random() < 0.05, health_changed=False,
        )
        named = not self.twists.no_driver
        receipt = self._do(
            CheckBeforeInfusion, weight_kg=self.weight, questions=questions, driver_named=named,
            driver_name="A. Friend (fictional)" if named else None, driver_phone="555-0100" if named else None,
            nurse_id=self.booking.nurse,
        )
        self.check_version = receipt.version
        self._vitals(None)
        self._ask_pain()
        yield self._in(2)
        if named:
            return True
        self.world.attempt(
            self.nurse, self.clinic.clinic_id, self.infusion_id, StartInfusion, rate_mg_per_h=Decimal(20)
        )
        yield self._in(self.rng.uniform(5, 15))
        self._do(EndWithoutInfusion, reason_code="no_escort")
        yield self._in(5)
        self._do(ReleaseRoom)
        return False

    def _order_and_start(self) -> Journey:
        rng, twists = self.rng, self.twists
        minutes = self.clinic.protocol.visit.infusion
        per_kg = Decimal(str(round(rng.uniform(P.dose_mg_per_kg_low, P.dose_mg_per_kg_high - 0.06), 2)))
        if twists.over_soft:
            per_kg = Decimal("0.58")
        rate = (per_kg * self.weight * 60 / minutes).quantize(TENTH)
        rate = min(rate, Decimal("58.0") if twists.over_soft else Decimal("44.9"))
        self.rate = rate
        order = {
            "prescriber_id": UUID(self.prescriber.id), "purpose": self.booking.visit_kind, "weight_basis": "actual",
            "bolus_mg": Decimal(0), "planned_minutes": minutes, "concentration_mg_per_ml": Decimal(1),
        }
        if twists.over_hard:
            self.world.attempt(
                self.prescriber, self.clinic.clinic_id, self.infusion_id, OrderDose,
                order_id=self.world.new_id(), rate_mg_per_h=Decimal(180), **order,
            )
            yield self._in(2)
        self.order_id = self.world.new_id()
        if twists.verbal_order:
            order |= {"mode": "verbal", "nurse_id": self.booking.nurse, "read_back": True}
        self.over = {"override_reason_code": "previous_good_response"} if twists.over_soft else {}
        self._do(
            OrderDose, by=self.nurse if twists.verbal_order else self.prescriber, order_id=self.order_id,
            rate_mg_per_h=rate, **order, **self.over,
        )
        yield self._in(rng.uniform(2, 4))
        self.draw_id = self.world.new_id()
        self.drawn = (rate * minutes / 60).quantize(Decimal(1)) + 5
        self.lot = self.clinic.lots[-1]
        self.world.do(
            self.nurse, self.clinic.clinic_id, self.lot, DrawDrug, draw_id=self.draw_id,
            infusion_id=self.infusion_id, drawn_mg=self.drawn, vials_opened=1, drawn_by=self.booking.nurse,
        )
        self._do(PlaceIV, site=rng.choice(("left_forearm", "right_forearm", "left_hand")), gauge=22)
        self._do(
            HangBag, bag_id=self.world.new_id(), draw_id=self.draw_id, drug_mg=self.drawn, volume_ml=self.drawn
        )
        yield self._in(rng.uniform(1, 4))
        self._do(StartInfusion, rate_mg_per_h=rate, **self.over)
        self.started_at = self._now()
        self.planned = minutes

    def _during(self) -> Journey:
        every = self.clinic.protocol.vitals_every_minutes
        effects = [(kind, self.body.grade()) for kind in self.body.side_effects()] + list(self.twists.forced_effects)
        onsets = sorted((self.rng.uniform(8, self.planned * 0.85), kind, grade) for kind, grade in effects)
        events: list[tuple[float, str, object]] = [(m, "effect", (k, g)) for m, k, g in onsets]
        step = 5.0
        minute = step
        while minute < self.planned:
            events.append((minute, "vitals", None))
            step = 5.0 if minute < 15 else min(15.0, float(every))
            minute += step
        for flag, name in ((self.twists.paused, "pause"), (self.twists.low_oxygen, "low_oxygen")):
            if flag:
                events.append((self.rng.uniform(18, 40), name, None))
        end = float(self.planned)
        if self.twists.stops_early or self.twists.walks_out or self.twists.to_hospital:
            end = self.rng.uniform(20, self.planned * 0.75)
        shift = 0.0
        for minute, what, detail in sorted(events, key=lambda item: item[0]):
            if minute >= end:
                break
            yield self.started_at + timedelta(minutes=minute + shift)
            shift += yield from self._happen(what, detail, minute)
        yield self.started_at + timedelta(minutes=end + shift)
        yield from self._stop(end)

    def _happen(self, what: str, detail: object, minute: float) -> Generator[datetime, None, float]:
        """One thing during the infusion; the minutes by which it delays the end."""
        if what == "vitals":
            self._observe(minute)
        elif what == "effect":
            assert isinstance(detail, tuple)
            self._report(*detail)
        elif what == "pause":
            self._do(PauseInfusion, reason_code="patients_wish")
            yield self._in(6)
            self._observe(minute)
            self._do(ResumeInfusion, rate_mg_per_h=self.rate)
            return 6.0
        elif what == "low_oxygen":
            receipt = self.world.do(
                self.nurse, self.clinic.clinic_id, self.infusion_id, RecordVitals,
                vitals=VitalSigns(**{**self.body.vitals(minute), "spo2_percent": 87}),  # type: ignore[arg-type]
            )
            self.world.attempt(
                self.nurse, self.clinic.clinic_id, self.infusion_id, ChangeRate,
                rate_mg_per_h=self.rate + 5, reason_code="titration",
            )
            yield self._in(0.5)
            self._do(PauseInfusion, reason_code="alert")
            alert = receipt.ids.get("alert_id")
            yield self._in(8)
            self._observe(minute, spo2_percent=97)
            if alert:
                self.world.attempt(
                    self.prescriber, self.clinic.clinic_id, self.infusion_id, AcknowledgeAlert,
                    alert_id=UUID(alert), action="paused", prescriber_id=UUID(self.prescriber.id),
                    reason_code="resolved",
                )
            self._do(ResumeInfusion, rate_mg_per_h=self.rate)
            return 8.5
        return 0.0

    def _report(self, kind: str, grade: int) -> None:
        effect = self.world.new_id()
        onset = self._now() - timedelta(minutes=self.rng.uniform(0.2, 1.5))
        self._do(
            ReportSideEffect, side_effect_id=effect, kind=kind, grade=grade, serious=False, onset_at=onset,
        )
        self.effects.append((effect, kind, grade))
        if grade >= 2 and self.rng.random() < 0.6:
            remedy = REMEDIES.get(kind)
            if remedy:
                self._do(
                    GiveMedication, medication=remedy.medication, dose=remedy.dose_mg, unit="mg", route="intravenous",
                    indication=remedy.indication,
                )
            treatment = remedy.treatment if remedy else "reassurance"
            self._do(TreatSideEffect, side_effect_id=effect, treatment=treatment)
        if self.rng.random() < 0.04 and grade < 3:
            self._do(RegradeSideEffect, side_effect_id=effect, grade=grade + 1, serious=False)

    def _stop(self, end: float) -> Journey:
        self.share_given = end / self.planned
        early = self.twists.stops_early or ("patients_wish" if self.twists.walks_out else None)
        early = early or ("side_effect" if self.twists.to_hospital else None)
        self._do(StopInfusion, early_reason_code=early)
        self.stopped_at = self._now()
        self.body.infused(self.stopped_at, self.share_given, float(self.rate / self.weight))
        yield self._in(2)
        given = self.given_mg()
        left = max(Decimal(0), self.drawn - given)
        wasted = max(Decimal(0), left + Decimal(str(round(self.rng.uniform(-0.4, 0.4), 1)))).quantize(TENTH)
        witness = next(n for n in self.clinic.nurses if n != self.booking.nurse)
        self.world.do(
            self.nurse, self.clinic.clinic_id, self.lot, WasteDrug, draw_id=self.draw_id, given_mg=given,
            wasted_mg=wasted, wasted_by=self.booking.nurse, witness_id=witness, method="witnessed_disposal",
        )

    def given_mg(self) -> Decimal:
        """What the visit's own events say was given, mg."""
        for record in reversed(self.world.reader.read_stream(self.infusion_id)):
            if isinstance(record.event, InfusionGiven):
                self.given = record.event
                return record.event.dose_mg
        raise LookupError("no infusion was given")

    # --- afterwards ------------------------------------------------------------------------------

    def _after(self) -> Journey:
        if self.twists.walks_out:
            yield self._in(3)
            self._do(LeaveAgainstAdvice, reason_code="felt_well", risks_explained=True)
        elif self.twists.to_hospital:
            yield self._in(4)
            self._do(
                TransferToHospital, by=self.prescriber, reason_code="cardiac", hospital="County Hospital (fictional)"
            )
        else:
            yield from self._recover()
        if self.twists.verbal_order:
            self._do(
                CountersignOrder, by=self.prescriber, order_id=self.order_id,
                prescriber_id=UUID(self.prescriber.id),
            )
        yield self._in(self.rng.uniform(6, 14))
        self._do(ReleaseRoom)

    def _recover(self) -> Journey:
        minutes = self.clinic.protocol.monitoring_minutes + self.twists.long_recovery_minutes
        stopped = self._now()
        for share in (0.33, 0.66):
            yield stopped + timedelta(minutes=minutes * share)
            if self.twists.late_vitals and share == 0.66:
                taken = self._now() - timedelta(minutes=12)
                self._do(
                    RecordVitals, at=taken, late_reason="charted after the round",
                    vitals=VitalSigns(**self.body.vitals(None)),  # type: ignore[arg-type]
                )
            else:
                self._vitals(None)
            for effect, _kind, grade in self.effects:
                if grade >= 3 and share == 0.33:
                    self.world.attempt(
                        self.prescriber, self.clinic.clinic_id, self.infusion_id, SignOffSideEffect,
                        side_effect_id=effect, prescriber_id=UUID(self.prescriber.id),
                    )
            if share == 0.33:
                self._resolve_most()
        yield stopped + timedelta(minutes=minutes + self.rng.uniform(1, 6))
        self._vitals(None)
        items = dict.fromkeys(("activity", "respiration", "circulation", "consciousness", "oxygen_saturation"), 2)
        if self.rng.random() < 0.3:
            items["activity"] = 1
        self._do(AssessRecovery, scale="aldrete", items=items)
        self._ask_pain()
        yield self._in(self.rng.triangular(1, 25, 4))
        self._do(
            DischargePatient, driver_present=True, instructions_given=True,
            discharged_by=UUID(self.prescriber.id if self.rng.random() < 0.2 else self.nurse.id),
        )

    def _resolve_most(self) -> None:
        for effect, kind, _grade in self.effects:
            if kind != "nightmares" and self.rng.random() < 0.95:
                self._do(ResolveSideEffect, side_effect_id=effect)
