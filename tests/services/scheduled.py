"""A practice whose schedule is asked and filled, on a database of either kind."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from domain import course, day_sheet
from services.handling import Receipt
from services.log import open_log
from services.scheduling import Openings, Reading, SeriesPlan, Wishes, plan_series
from tests.conftest import Database
from tests.services.practice import BEGAN, Practice, SetClock


class Scheduled(Practice):
    """Asks what the front desk asks."""

    @classmethod
    def on(cls, database: Database) -> Scheduled:
        clock = SetClock(BEGAN)
        log = open_log(
            database.log_url, keys_url=database.keys_url, home=database.home, mode="simulation", clock=clock
        )
        practice = cls(log, clock)
        practice.opened()
        return practice

    @property
    def reading(self) -> Reading:
        return Reading(self.handling, self.log, self.clock.now())

    @property
    def openings(self) -> Openings:
        return Openings(self.reading, self.clinic_id)

    def at(self, day: int, hour: int, minute: int = 0) -> datetime:
        """A local time so many days after the first."""
        return BEGAN.replace(hour=hour, minute=minute) + timedelta(days=day)

    def day(self, number: int) -> date:
        return BEGAN.date() + timedelta(days=number)

    def planned(self, patient_id: UUID, course_id: UUID, **wishes: Any) -> SeriesPlan:
        return plan_series(
            self.reading, self.clinic_id, Wishes(patient_id=patient_id, course_id=course_id, **wishes)
        )

    def book_series(
        self, patient_id: UUID, course_id: UUID, times: list[tuple[int, datetime]], **more: Any
    ) -> Receipt:
        """`times` are (room, start)."""
        booking_id = more.pop("booking_id", uuid4())
        return self.do(
            self.clinic_id, day_sheet.BookSeries, by=self.actor("front_desk"), booking_id=booking_id,
            patient_id=patient_id, course_id=course_id, occurrences=tuple(
                day_sheet.Occurrence(number=number, room_id=self.rooms[room], starts_at=starts)
                for number, (room, starts) in enumerate(times, 1)
            ), **more,
        )

    def somebody(self) -> tuple[UUID, UUID]:
        """A patient with an open course."""
        patient_id = self.patient()
        return patient_id, self.course(patient_id)

    def series_planned(self, course_id: UUID, patient_id: UUID, infusion_id: UUID) -> UUID:
        """The response gate passed and six planned in the two weeks from tomorrow."""
        series_id = uuid4()
        by = self.actor("prescriber")
        self.do(course_id, course.AssessResponse, by=by, infusion_id=infusion_id, positive=True, basis="nrs_fall",
                decision="go_on", prescriber_id=self.prescriber_id)
        self.do(course_id, course.PlanSeries, by=by, series_id=series_id, infusions=6, window_starts=self.day(1),
                window_ends=self.day(14))
        return series_id

    def waits(self, patient_id: UUID, first: datetime, last: datetime, kind: str = "trial") -> UUID:
        """On the waitlist; the entry's id."""
        entry_id = uuid4()
        self.do(self.sheet(first), day_sheet.JoinWaitlist, by=self.actor("front_desk"), entry_id=entry_id,
                patient_id=patient_id, visit_kind=kind, earliest_at=first, latest_at=last)
        return entry_id
