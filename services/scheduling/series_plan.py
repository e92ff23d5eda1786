"""A series before it is booked: per occurrence a free slot, or what stands in its way and which times come near."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from domain import clinic, course, day_sheet
from domain.clinic.hours import instant, shown
from domain.course.series import USUAL_INFUSIONS, given_in_series, usual_window
from domain.kernel import Actor, Code
from services.scheduling.openings import Asked, Openings
from services.scheduling.reading import Reading
from services.scheduling.rebooking import EVER
from services.use_cases.case import diary_state
from services.use_cases.series import Assessed, assess

NEIGHBOURING_DAYS = 4
NOBODY = Actor(id="scheduling", role="system")
"""Who asks without writing; nothing of a plan is stored."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is wished for. `starts_at` empty: `infusions` days spread over the window, at `clock`.

    `room_id` None: any room that is free, the clinic's first ones first; `rooms` says for each of `starts_at` where.
    """

    patient_id: UUID
    course_id: UUID | None = None
    visit_kind: Code = "series"
    starts_at: tuple[datetime, ...] = ()
    rooms: tuple[UUID, ...] = ()
    infusions: int = USUAL_INFUSIONS
    clock: time = time(9)
    room_id: UUID | None = None
    nurse_id: UUID | None = None
    prescriber_id: UUID | None = None


class LeftOfSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Infusions of a course's series: how many there are to be, were given, and are booked here for a time to come."""

    planned: int
    given: int
    booked: int

    @property
    def left(self) -> int:
        """Neither given nor booked."""
        return max(0, self.planned - self.given - self.booked)


class PlannedOccurrence(msgspec.Struct, frozen=True, kw_only=True):
    """`room_id` is where it would be: the wished room, else the first free one (or, with obstacles, the first).

    inside_window: on a day of the series' window. alternatives: free times near the wish, best first.
    """

    number: int
    starts_at: datetime
    ends_at: datetime
    room_id: UUID
    obstacles: tuple[day_sheet.Obstacle, ...]
    inside_window: bool
    alternatives: tuple[day_sheet.Opening, ...]


class SeriesPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The window is the planned series', else the two weeks after the first infusion, else those from tomorrow."""

    window_starts: date
    window_ends: date
    occurrences: tuple[PlannedOccurrence, ...]

    @property
    def bookable(self) -> bool:
        """Whether every occurrence could be booked as it stands."""
        return all(not one.obstacles for one in self.occurrences)


def plan_series(reading: Reading, clinic_id: UUID, wishes: Wishes) -> SeriesPlan:
    """Writes nothing. Raises NothingToBook, UnknownCode, NoProtocolAdopted."""
    here = reading.clinic(clinic_id)
    window = window_of(reading, here, wishes)
    kind = Asked(first=window[0], last=window[1], visit_kind=wishes.visit_kind)
    length = timedelta(minutes=Openings(reading, clinic_id).length(kind))
    wished = wishes.starts_at or spread(here, window, wishes, clinic.local_date(here, reading.now), length)
    wished = tuple(shown(one, ZoneInfo(here.timezone)) for one in wished)
    rooms = [one.room_id for one in here.rooms if one.retired_at is None]
    chosen = _Choosing(reading, here, wishes, window, wishes.room_id or (rooms[0] if rooms else UUID(int=0)))
    return SeriesPlan(window_starts=window[0], window_ends=window[1], occurrences=chosen.all_of(wished))


def left_of_series(reading: Reading, clinic_id: UUID, patient_id: UUID, course_id: UUID) -> LeftOfSeries:
    """The series in force, else a usual one; what was given of it, and what is booked."""
    here, state = reading.clinic(clinic_id), reading.load(course, course_id).state
    infusions = diary_state(reading.load, patient_id).infusions_of(course_id)
    booked = 0
    for claim in reading.reader.claims_over([f"patient:{patient_id}"], reading.now, EVER):
        kind, _, identity = claim.holder.partition(":")
        if kind == "appointment":
            one = reading.sheet(clinic_id, clinic.local_date(here, claim.starts)).appointments.get(UUID(identity))
            booked += one is not None and one.status == "booked" and one.visit_kind == "series"
    planned = state.series.infusions if state.series is not None else USUAL_INFUSIONS
    return LeftOfSeries(planned=planned, given=given_in_series(state, infusions), booked=booked)


def window_of(reading: Reading, here: clinic.State, wishes: Wishes) -> tuple[date, date]:
    """The local days within which the series belongs."""
    today = clinic.local_date(here, reading.now)
    if wishes.course_id is not None:
        state: course.State = reading.load(course, wishes.course_id).state
        if state.series is not None:
            return state.series.window_starts, state.series.window_ends
        given = [
            one.drug_started_at
            for one in diary_state(reading.load, wishes.patient_id).infusions_of(wishes.course_id)
        ]
        if given:
            return usual_window(min(given), here.timezone)
    return today + timedelta(days=1), today + timedelta(days=14)


def spread(
    here: clinic.State, window: tuple[date, date], wishes: Wishes, today: date, length: timedelta
) -> tuple[datetime, ...]:
    """One moment on each of so many days of the window, as evenly apart as can be.

    Days on which the clinic is open for the whole visit, where there are enough of them, else those on which it opens.
    Of a window that has begun, what is left from tomorrow on; of one that is over, as many days from tomorrow on.
    """
    first = max(window[0], today + timedelta(days=1))
    last = window[1] if first <= window[1] else first + (window[1] - window[0])
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    zone = ZoneInfo(here.timezone)
    opening = [day for day in days if clinic.open_on(here, day)] or days
    starts = {day: instant(day, wishes.clock, zone) for day in opening}
    whole = [day for day, moment in starts.items() if clinic.is_open_over(here, moment, moment + length)]
    chosen = whole if len(whole) >= wishes.infusions else opening
    return tuple(starts[day] for day in day_sheet.spread_days(chosen, wishes.infusions))


class _Choosing:
    """Occurrence after occurrence, each seeing what the earlier ones would take."""

    def __init__(
        self, reading: Reading, here: clinic.State, wishes: Wishes, window: tuple[date, date], first_room: UUID
    ) -> None:
        self.reading, self.here, self.wishes, self.window, self.first_room = reading, here, wishes, window, first_room
        self.openings, self.zone = Openings(reading, here.stream_id), ZoneInfo(here.timezone)
        self.asked = Asked(
            first=window[0], last=window[1], visit_kind=wishes.visit_kind, nurse_id=wishes.nurse_id,
            prescriber_id=wishes.prescriber_id, patient_id=wishes.patient_id,
        )
        self.length = timedelta(minutes=self.openings.length(self.asked))

    def all_of(self, wished: tuple[datetime, ...]) -> tuple[PlannedOccurrence, ...]:
        """Every occurrence, numbered from 1 in order of time."""
        in_order = sorted(wished)
        named = dict(zip(wished, self.wishes.rooms, strict=False))
        day_sheet.check_numbers([
            day_sheet.Occurrence(number=number, room_id=self.first_room, starts_at=starts_at)
            for number, starts_at in enumerate(in_order, 1)
        ])
        held = self._board(in_order)
        numbered = [
            (number, self._booking(number, starts_at, named.get(starts_at) or self._place(starts_at, held)))
            for number, starts_at in enumerate(in_order, 1)
        ]
        assessed = assess(self.reading.load, self.reading.reader, self.here, numbered)
        good = [one for one in assessed if not one.obstacles]
        board = held.taken(
            claim for one in good
            for claim in day_sheet.decide(day_sheet.initial(self.here.stream_id), one.booking, one.facts).claims
        )
        used = {clinic.local_date(self.here, one.booking.starts_at) for one in good}
        return tuple(self._told(one, board, used) for one in assessed)

    def _told(self, one: Assessed, board: day_sheet.Board, used: set[date]) -> PlannedOccurrence:
        booking = one.booking
        obstacles = tuple(
            each if each.until is None else replace(each, until=shown(each.until, self.zone)) for each in one.obstacles
        )
        ends_at = day_sheet.slot_of(booking, one.facts).ends_at
        day = clinic.local_date(self.here, booking.starts_at)
        return PlannedOccurrence(
            number=one.number, starts_at=booking.starts_at, ends_at=ends_at, room_id=booking.room_id,
            obstacles=obstacles, inside_window=self.window[0] <= day <= self.window[1],
            alternatives=() if not obstacles else self._near(booking.starts_at, board, used),
        )

    def _place(self, starts_at: datetime, held: day_sheet.Board) -> UUID:
        """The wished room, else the first that is free at that time."""
        if self.wishes.room_id is not None:
            return self.wishes.room_id
        day = clinic.local_date(self.here, starts_at)
        asked = replace(self.asked, first=day, last=day, patient_id=None, nurse_id=None, prescriber_id=None)
        for room_id, spans in self.openings.spans(asked, held):
            if any(begins <= starts_at and starts_at + self.length <= ends for begins, ends in spans):
                return room_id
        return self.first_room

    def _booking(self, number: int, starts_at: datetime, room_id: UUID) -> day_sheet.BookAppointment:
        now, wishes = self.reading.now, self.wishes
        return day_sheet.BookAppointment(
            by=NOBODY, now=now, at=now,
            appointment_id=day_sheet.occurrence_id(wishes.patient_id, number), patient_id=wishes.patient_id,
            room_id=room_id, visit_kind=wishes.visit_kind, starts_at=starts_at, course_id=wishes.course_id,
            ends_at=shown(starts_at + self.length, self.zone),
            nurse_id=wishes.nurse_id, prescriber_id=wishes.prescriber_id,
        )

    def _board(self, wished: list[datetime]) -> day_sheet.Board:
        days = [clinic.local_date(self.here, one) for one in wished]
        around = timedelta(days=NEIGHBOURING_DAYS)
        return self.openings.board(replace(self.asked, first=min(days) - around, last=max(days) + around))

    def _near(self, wished: datetime, board: day_sheet.Board, used: set[date]) -> tuple[day_sheet.Opening, ...]:
        """Free times on the day and its neighbours, inside the window where the wish is."""
        day, around = clinic.local_date(self.here, wished), timedelta(days=NEIGHBOURING_DAYS)
        first, last = day - around, day + around
        if self.window[0] <= day <= self.window[1]:
            first, last = max(first, self.window[0]), min(last, self.window[1])
        free = self.openings.free(replace(self.asked, first=first, last=last), board)
        return day_sheet.nearest(wished, self.wishes.room_id, free, self.here.timezone, but=used)
