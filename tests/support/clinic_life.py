"""Random but possible clinic histories by seed: bookings, visits, scores, side effects, late entries, corrections.

Written straight as events (nothing decides here), so that the read side meets odd orders too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.clinic import OpeningSpan
from domain.protocol import EXAMPLE_PROTOCOL
from tests.support.histories import History, uid

ZONES = ("America/New_York", "Europe/Berlin", "America/Phoenix")
CLINIC, ROOM, PATIENT, SHEET, APPOINTMENT, VISIT, COURSE, DIARY, EFFECT, OTHER = range(1, 11)
CONDITIONS = ("crps", "fibromyalgia", "migraine")
ODD_HOURS = (
    ((time(8, 7), time(12)), (time(13), time(17))),
    ((time(0), time(6)), (time(14), time(0))),
    ((time(1, 30), time(2, 15)), (time(2, 40), time(9))),
    ((time(16), time(0)),),
)
"""(opens, closes) of a day; 00:00 closes at the day's end."""
KINDS = ("nausea", "dizziness", "memory_deficits", "headache")


@dataclass
class Due:
    """An event waiting to be recorded, so that late ones come late."""

    recorded: datetime
    name: str
    stream: UUID
    at: datetime
    clinic: UUID | None
    subject: UUID | None
    fields: dict[str, object] = field(default_factory=dict)


class Life:
    """One seed's history. `first` is the first local day; every draw is from the seed.

    `odd`: open at night, over lunch closed, or around the hours that a clock change takes and doubles; visits at any
    hour; patients moved from room to room; many rooms never released; a room retired.
    """

    def __init__(
        self, seed: int, *, clinics: int = 2, days: int = 12, first: date = date(2026, 3, 2), patients: int = 14,
        odd: bool = False,
    ) -> None:  # fmt: skip
        self.random = random.Random(seed)
        self.odd = random.Random(f"odd {seed}") if odd else None
        self.first, self.days = first, days
        self.clinics = [uid(number, CLINIC) for number in range(1, clinics + 1)]
        self.zones = {clinic: ZoneInfo(ZONES[index % len(ZONES)]) for index, clinic in enumerate(self.clinics)}
        self.rooms = {clinic: [uid(10 * index + n, ROOM) for n in (1, 2)] for index, clinic in enumerate(self.clinics)}
        self.patients = [uid(number, PATIENT) for number in range(1, patients + 1)]
        self.due: list[Due] = []
        self.numbers = iter(range(1, 1_000_000))
        self.history = History()
        self._set_up()
        self._courses()
        for day in range(days):
            for clinic in self.clinics:
                self._day(clinic, first + timedelta(days=day))
        self._diaries()
        self._record()
        self._correct()

    # --- what is due -------------------------------------------------------------------------------

    def add(
        self, name: str, stream: UUID, at: datetime, clinic: UUID | None, subject: UUID | None = None, **fields: object
    ) -> None:
        late = self.random.random()
        delay = timedelta(minutes=1) if late < 0.8 else timedelta(minutes=self.random.randint(5, 3_000))
        self.due.append(Due(at + delay, name, stream, at, clinic, subject, fields))

    def number(self) -> int:
        return next(self.numbers)

    def _record(self) -> None:
        for one in sorted(self.due, key=lambda one: one.recorded):
            self.history.add(
                one.name,
                one.stream,
                one.at,
                clinic=one.clinic,
                subject=one.subject,
                recorded=one.recorded,
                **one.fields,
            )

    def _set_up(self) -> None:
        start = datetime.combine(self.first, time(0), tzinfo=UTC) - timedelta(days=20)
        for clinic in self.clinics:
            self.history.add(
                "clinic.opened.v1", clinic, start, clinic=clinic, clinic_name="A", timezone=str(self.zones[clinic])
            )
            for room in self.rooms[clinic]:
                self.history.add("clinic.room_added.v1", clinic, start, clinic=clinic, room_id=room, room_name="R")
            spans = tuple(
                OpeningSpan(weekday=day, opens=time(8, 7), closes=time(17))
                for day in self.random.sample(range(1, 8), 5)
            )
            prime = tuple(OpeningSpan(weekday=one.weekday, opens=time(9), closes=time(12)) for one in spans)
            if self.odd is not None:
                spans, prime = self._odd_hours([one.weekday for one in spans])
                self._retire(clinic)
            self.history.add(
                "clinic.opening_hours_set.v1",
                clinic,
                start,
                clinic=clinic,
                effective_from=self.first - timedelta(days=9),
                hours=spans,
                prime=prime,
            )
            self.history.add(
                "clinic.protocol_adopted.v1", clinic, start, clinic=clinic, protocol_version=1,
                document=EXAMPLE_PROTOCOL, adopted_by=uid(1, OTHER),
            )  # fmt: skip
            if self.random.random() < 0.7:
                closes = self.local(clinic, self.first + timedelta(days=self.random.randrange(self.days)), 11 * 60)
                self.history.add(
                    "clinic.closure_declared.v1",
                    clinic,
                    start,
                    clinic=clinic,
                    closure_id=uid(self.number(), OTHER),
                    starts_at=closes,
                    ends_at=closes + timedelta(hours=4),
                    reason_code="staff_absence",
                    room_id=self.random.choice([None, self.rooms[clinic][0]]),
                )

    def _odd_hours(self, weekdays: list[int]) -> tuple[tuple[OpeningSpan, ...], tuple[OpeningSpan, ...]]:
        """Hours that a careless reading of clocks gets wrong; the second of them is prime time."""
        assert self.odd is not None
        hours, prime = [], []
        for weekday in weekdays:
            spans = self.odd.choice(ODD_HOURS)
            mine = [OpeningSpan(weekday=weekday, opens=opens, closes=closes) for opens, closes in spans]
            hours += mine
            prime.append(mine[-1])
        return tuple(hours), tuple(prime)

    def _retire(self, clinic: UUID) -> None:
        assert self.odd is not None
        if self.odd.random() < 0.3:
            day = self.first + timedelta(days=self.odd.randrange(self.days))
            at = self.local(clinic, day, self.odd.randint(0, 1_439))
            self.add("clinic.room_retired.v1", clinic, at, clinic, room_id=self.rooms[clinic][1], reason_code="repair")

    def local(self, clinic: UUID, day: date, minute: int) -> datetime:
        """The UTC moment of a minute of a local day (elapsed from local midnight)."""
        midnight = datetime.combine(day, time(0), tzinfo=self.zones[clinic]).astimezone(UTC)
        return midnight + timedelta(minutes=minute)

    # --- days --------------------------------------------------------------------------------------

    def _courses(self) -> None:
        self.course = {}
        for index, patient in enumerate(self.patients):
            self.course[patient] = uid(index + 1, COURSE)
            clinic = self.clinics[index % len(self.clinics)]
            at = self.local(clinic, self.first, 0) - timedelta(days=self.random.randint(1, 9))
            self.add(
                "course.opened.v1",
                self.course[patient],
                at,
                clinic,
                patient,
                patient_id=patient,
                condition=self.random.choice(CONDITIONS),
                plan="alone",
                prescriber_id=uid(1, OTHER),
            )

    def _day(self, clinic: UUID, day: date) -> None:
        for room in self.rooms[clinic]:
            minute, last = 420 + self.random.randint(0, 120), 1_000
            if self.odd is not None:
                minute, last = self.odd.randint(0, 600), 1_500
            while minute < last:
                if self.random.random() < 0.75:
                    self._booking(clinic, day, room, minute)
                minute += self.random.randint(60, 260)

    def _booking(self, clinic: UUID, day: date, room: UUID, minute: int) -> None:
        draw = self.random
        patient, appointment = draw.choice(self.patients), uid(self.number(), APPOINTMENT)
        starts = self.local(clinic, day, minute)
        ends = starts + timedelta(minutes=draw.choice([60, 90, 120, 150]))
        sheet, kind = uid(day.toordinal(), SHEET), draw.choice(["trial", "series", "series", "booster", "follow_up"])
        booked = starts - timedelta(hours=draw.randint(1, 200))
        self.add(
            "appointment.booked.v1",
            sheet,
            booked,
            clinic,
            patient,
            appointment_id=appointment,
            patient_id=patient,
            room_id=room,
            visit_kind=kind,
            starts_at=starts,
            ends_at=ends,
            course_id=self.course[patient],
        )
        fate = draw.random()
        when = starts - timedelta(minutes=draw.randint(-10, 4_000))
        when = max(when, booked + timedelta(minutes=5))
        if fate < 0.1:
            self.add(
                "appointment.cancelled.v1",
                sheet,
                when,
                clinic,
                patient,
                appointment_id=appointment,
                asked_by=draw.choice(["patient", "clinic"]),
                reason_code="illness",
            )
        elif fate < 0.2:
            later = starts + timedelta(minutes=draw.choice([30, 60, 240]))
            self.add(
                "appointment.moved.v1",
                sheet,
                when,
                clinic,
                patient,
                appointment_id=appointment,
                room_id=room,
                starts_at=later,
                ends_at=later + (ends - starts),
                was_starts_at=starts,
                reason_code="work",
                asked_by=draw.choice(["patient", "clinic"]),
            )
            if draw.random() < 0.7:
                self._visit(clinic, patient, room, kind, appointment, later, ends + (later - starts))
        elif fate < 0.3:
            self.add(
                "appointment.no_show_recorded.v1",
                sheet,
                starts + timedelta(minutes=40),
                clinic,
                patient,
                appointment_id=appointment,
            )
        elif fate < 0.95:
            self._visit(clinic, patient, room, kind, appointment, starts, ends)

    def _visit(
        self, clinic: UUID, patient: UUID, room: UUID, kind: str, appointment: UUID, starts: datetime, ends: datetime
    ) -> None:
        draw, visit = self.random, uid(self.number(), VISIT)
        at = starts + timedelta(minutes=draw.randint(-30, 20))

        def step(name: str, **fields: object) -> None:
            self.add(f"infusion.{name}.v1", visit, at, clinic, patient, **fields)

        step(
            "patient_arrived",
            patient_id=patient,
            visit_kind=kind,
            course_id=self.course[patient],
            appointment_id=appointment,
            booked_starts_at=starts,
            booked_ends_at=ends,
        )
        at += timedelta(minutes=draw.randint(1, 25))
        if draw.random() < 0.03:
            return
        step("patient_roomed", room_id=room)
        at += timedelta(minutes=draw.randint(5, 40))
        kept = 0.93
        if self.odd is not None:
            kept = 0.6
            if self.odd.random() < 0.2:
                other = next(one for one in self.rooms[clinic] if one != room)
                step("patient_moved_room", from_room_id=room, room_id=other, reason_code="defect")
                room, at = other, at + timedelta(minutes=self.odd.randint(1, 20))
        if kind == "follow_up" or draw.random() < 0.08:
            step("visit_ended_without_infusion", reason_code=draw.choice(["vital_signs", "no_escort"]))
        else:
            at = self._drug(visit, clinic, patient, kind, at)
            for _ in range(draw.randint(0, 2)):
                at += timedelta(minutes=draw.randint(5, 25))
                scale = draw.choice([EXAMPLE_PROTOCOL.discharge_scale] * 5 + ["other"])
                step("recovery_assessed", scale=scale, items={}, total=draw.randint(7, 10))
            at += timedelta(minutes=draw.randint(5, 40))
            if draw.random() < 0.9:
                step("patient_discharged", driver_present=True, instructions_given=True, discharged_by=uid(1, OTHER))
            else:
                step("transferred_to_hospital", reason_code="cardiac")
        at += timedelta(minutes=draw.randint(1, 20))
        if draw.random() < kept:
            step("room_released", room_id=room)

    def _drug(self, visit: UUID, clinic: UUID, patient: UUID, kind: str, at: datetime) -> datetime:
        draw, began = self.random, at

        def step(name: str, **fields: object) -> None:
            self.add(f"infusion.{name}.v1", visit, at, clinic, patient, **fields)

        step("started", rate_mg_per_h=Decimal(draw.randint(15, 45)))
        minutes = 0
        for _ in range(draw.choice([0, 0, 1, 2])):
            ran = draw.randint(5, 30)
            minutes, at = minutes + ran, at + timedelta(minutes=ran)
            step("paused", reason_code="bathroom")
            at += timedelta(minutes=draw.randint(1, 10))
            step("resumed", rate_mg_per_h=Decimal(30))
        ran = draw.randint(10, 60)
        minutes, at = minutes + ran, at + timedelta(minutes=ran)
        early = draw.random() < 0.1
        if early:
            step("stopped_early", reason_code=draw.choice(["side_effect", "patients_wish"]))
        step(
            "given",
            course_id=self.course[patient],
            purpose=kind,
            drug_started_at=began,
            dose_mg=Decimal(draw.randint(1000, 6000)) / 100,
            dose_mg_per_kg=Decimal(draw.randint(200, 1200)) / 1000,
            minutes=Decimal(minutes),
            complete=not early,
        )
        for _ in range(draw.choice([0, 0, 1, 2])):
            self._effect(visit, clinic, patient, began, at)
        return at

    def _effect(self, visit: UUID, clinic: UUID, patient: UUID, began: datetime, stopped: datetime) -> None:
        draw, effect = self.random, uid(self.number(), EFFECT)
        kind, grade = draw.choice(KINDS), draw.randint(1, 3)
        if draw.random() < 0.3:
            onset = stopped + timedelta(hours=draw.randint(1, 250))
            self.add(
                "diary.side_effect_reported_from_home.v1",
                self.diary(patient),
                onset + timedelta(hours=draw.randint(0, 90)),
                clinic,
                patient,
                side_effect_id=effect,
                kind=kind,
                grade=grade,
                onset_at=onset,
                ended_at=draw.choice([None, onset + timedelta(hours=5)]),
            )
            return
        onset = began + timedelta(minutes=draw.randint(1, 60))
        self.add(
            "infusion.side_effect_reported.v1",
            visit,
            onset + timedelta(minutes=2),
            clinic,
            patient,
            side_effect_id=effect,
            kind=kind,
            grade=grade,
            onset_at=onset,
            serious=draw.random() < 0.05,
        )
        if draw.random() < 0.3:
            self.add(
                "infusion.side_effect_regraded.v1",
                visit,
                onset + timedelta(minutes=9),
                clinic,
                patient,
                side_effect_id=effect,
                grade=draw.randint(1, 4),
                serious=False,
            )
        if draw.random() < 0.4:
            self.add(
                "infusion.side_effect_treated.v1",
                visit,
                onset + timedelta(minutes=12),
                clinic,
                patient,
                side_effect_id=effect,
                treatment="antiemetic",
            )
        if draw.random() < 0.8:
            self.add(
                "infusion.side_effect_resolved.v1",
                visit,
                onset + timedelta(minutes=draw.randint(15, 90)),
                clinic,
                patient,
                side_effect_id=effect,
            )

    # --- diaries -----------------------------------------------------------------------------------

    def diary(self, patient: UUID) -> UUID:
        return uid(self.patients.index(patient) + 1, DIARY)

    def _diaries(self) -> None:
        draw = self.random
        for patient in self.patients:
            clinic = self.clinics[self.patients.index(patient) % len(self.clinics)]
            at = self.local(clinic, self.first, 0) - timedelta(days=draw.randint(0, 8))
            level = draw.randint(2, 10)
            while at < self.local(clinic, self.first, 0) + timedelta(days=self.days + 30):
                score = min(10, max(0, level + draw.randint(-7, 1)))
                self.add(
                    "diary.pain_scored.v1",
                    self.diary(patient),
                    at,
                    clinic,
                    patient,
                    score=score,
                    kind=draw.choice(["now", "now", "now", "worst"]),
                )
                at += timedelta(minutes=draw.randint(120, 3_000))

    # --- corrections -------------------------------------------------------------------------------

    def _correct(self) -> None:
        draw = self.random
        entries = [one for one in self.history.records if not one.name.startswith("clinic.")]
        at = max(one.recorded_at for one in entries) + timedelta(minutes=1)
        for one in draw.sample(entries, min(len(entries), max(3, len(entries) // 25))):
            if draw.random() < 0.3:
                self.history.strike(one.stream_id, one.version, at)
            elif one.name == "diary.pain_scored.v1":
                self.history.amend(one.stream_id, one.version, at, score=draw.randint(0, 10))
            elif one.name == "infusion.given.v1":
                self.history.amend(one.stream_id, one.version, at, dose_mg_per_kg="0.444", minutes="33.5")
            else:
                moved = one.occurred_at + timedelta(minutes=draw.randint(-9, 9))
                self.history.amend(one.stream_id, one.version, at, occurred_at=moved.isoformat())
            at += timedelta(minutes=1)
