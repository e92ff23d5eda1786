"""Free slots of a visit kind over days and rooms, and the third next available one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from domain import clinic, day_sheet
from domain.clinic.hours import Interval, instant, shown
from domain.day_sheet.slots import LONGEST, NoProtocolAdopted
from domain.kernel import BadInput, Code
from domain.vocabulary.reasons import VISIT_KINDS
from domain.vocabulary.term import require
from services.scheduling.reading import Reading
from services.use_cases.case import nurses_here, prescribes_here

MOST_DAYS = 92
LOOK_AHEAD_DAYS = 60
"""How far the third next available slot is looked for: as the utilization dashboard looks."""


class TooManyDays(BadInput):
    """Free slots are looked for over at most 92 days at once."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for on local days `first` to `last`. `minutes` None: the visit kind's default length.

    A nurse named must have a place (the protocol's ratio) and a credential in date; a prescriber is exclusive for
    consultations; a patient is in one place at a time. `moving` is an appointment that is to be moved: what it holds
    itself is free to it.
    """

    first: date
    last: date
    visit_kind: Code = "trial"
    minutes: int | None = None
    room_id: UUID | None = None
    nurse_id: UUID | None = None
    prescriber_id: UUID | None = None
    patient_id: UUID | None = None
    moving: UUID | None = None


@dataclass(frozen=True)
class Openings:
    """The free times of one clinic."""

    reading: Reading
    clinic_id: UUID

    def length(self, asked: Asked) -> int:
        """Minutes that the slot takes. Raises UnknownCode, NoProtocolAdopted."""
        require(asked.visit_kind, VISIT_KINDS, "/visit_kind")
        if asked.minutes is not None:
            return asked.minutes
        protocol = self.reading.clinic(self.clinic_id).protocol
        if protocol is None:
            raise NoProtocolAdopted(pointer="/minutes")
        return day_sheet.default_minutes(asked.visit_kind, protocol.visit)

    def free(self, asked: Asked, board: day_sheet.Board | None = None) -> list[day_sheet.Opening]:
        """Slots that begin on the quarter hour of those local days, in order of time and room.

        `board` replaces what the log holds (a series counts its own earlier occurrences). Raises TooManyDays.
        """
        length = timedelta(minutes=self.length(asked))
        found = [
            day_sheet.Opening(room_id=room_id, starts_at=starts, ends_at=starts + length)
            for room_id, spans in self.spans(asked, board)
            for starts in day_sheet.quarters(spans, length)
        ]
        return self._shown(found, asked)

    def third_next_available(self, visit_kind: Code = "trial") -> day_sheet.Opening | None:
        """As the utilization dashboard defines it: of slots cut back to back, the third from now on."""
        here = self.reading.clinic(self.clinic_id)
        today = clinic.local_date(here, self.reading.now)
        asked = Asked(first=today, last=today + timedelta(days=LOOK_AHEAD_DAYS), visit_kind=visit_kind)
        length = timedelta(minutes=self.length(asked))
        found = [
            day_sheet.Opening(room_id=room_id, starts_at=starts, ends_at=starts + length)
            for room_id, spans in self.spans(asked)
            for starts in day_sheet.back_to_back(spans, length)
        ]
        slots = self._shown(found, asked)
        return slots[2] if len(slots) > 2 else None

    def spans(
        self, asked: Asked, board: day_sheet.Board | None = None
    ) -> list[tuple[UUID, tuple[Interval, ...]]]:
        """Free time by room from now on (of whatever length). Raises TooManyDays."""
        here = self.reading.clinic(self.clinic_id)
        if not timedelta(0) <= asked.last - asked.first < timedelta(days=MOST_DAYS):
            raise TooManyDays(most=MOST_DAYS, pointer="/to")
        rooms = [
            one.room_id for one in here.rooms if one.retired_at is None and asked.room_id in (None, one.room_id)
        ]
        held = board if board is not None else self.board(asked, rooms)
        if asked.moving is not None:
            held = held.without(f"appointment:{asked.moving}")
        able = self._days(asked, here)
        days = sorted({*able, *(day + timedelta(days=1) for day in able)})  # the next one too: a visit over midnight
        needed = self.needed(asked, here)
        return [(room, day_sheet.free_spans(here, days, room, held, needed, self.reading.now)) for room in rooms]

    def board(self, asked: Asked, rooms: Sequence[UUID] | None = None) -> day_sheet.Board:
        """What is held over those days, of everything that the slot could need: one query."""
        here = self.reading.clinic(self.clinic_id)
        some = [one.room_id for one in here.rooms] if rooms is None else rooms
        zone = ZoneInfo(here.timezone)
        starts = instant(asked.first, time(0), zone) - LONGEST
        ends = instant(asked.last + timedelta(days=1), time(0), zone) + LONGEST
        resources = {f"room:{room}" for room in some} | self.needed(asked, here).keys()
        return day_sheet.Board.of(self.reading.reader.claims_over(resources, starts, ends))

    def needed(self, asked: Asked, here: clinic.State) -> dict[str, int]:
        """Besides a room: resources, each with how many may hold it at once."""
        needed: dict[str, int] = {}
        if asked.patient_id is not None:
            needed[f"patient:{asked.patient_id}"] = 1
        if asked.nurse_id is not None:
            needed[f"nurse:{asked.nurse_id}"] = here.protocol.nurse_patients if here.protocol is not None else 1
        if asked.prescriber_id is not None and asked.visit_kind == "consultation":
            needed[f"prescriber:{asked.prescriber_id}"] = 1
        return needed

    def _days(self, asked: Asked, here: clinic.State) -> list[date]:
        """The days asked for on which the people named may work here."""
        days = [asked.first + timedelta(days=number) for number in range((asked.last - asked.first).days + 1)]
        return [day for day in days if self._in_date(asked, here, day)]

    def _in_date(self, asked: Asked, here: clinic.State, day: date) -> bool:
        noon = instant(day, time(12), ZoneInfo(here.timezone))
        load = self.reading.load
        nurse, prescriber = asked.nurse_id, asked.prescriber_id
        return (nurse is None or nurses_here(load, here, nurse, noon)) and (
            prescriber is None or prescribes_here(load, here, prescriber, noon)
        )

    def _shown(self, found: list[day_sheet.Opening], asked: Asked) -> list[day_sheet.Opening]:
        """In the clinic's own time, those that begin on a day asked for, in order."""
        here = self.reading.clinic(self.clinic_id)
        zone = ZoneInfo(here.timezone)
        order = {room.room_id: number for number, room in enumerate(here.rooms)}
        local = [
            day_sheet.Opening(
                room_id=one.room_id, starts_at=shown(one.starts_at, zone), ends_at=shown(one.ends_at, zone)
            )
            for one in sorted(found, key=lambda one: (one.starts_at, order[one.room_id]))
        ]
        days = frozenset(self._days(asked, here))
        return [one for one in local if one.starts_at.date() in days]
