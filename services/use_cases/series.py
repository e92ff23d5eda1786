"""Several bookings in one commit: a series on its day sheets, and a slot for somebody from the waitlist.

What stands in the way of an occurrence is looked up in the claims before the log decides, so that the answer names
every occurrence and not only the first that failed. Should somebody be faster in between, the plan is made again on
what then holds: with `only_free` the loser is left out, without it the whole is refused, each with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from domain import clinic, course, day_sheet
from domain.course import open_course
from domain.day_sheet.slots import LONGEST, resources
from domain.day_sheet.waitlist import NotWaiting, SlotNotWanted
from domain.kernel import Claim, Command
from domain.patient.state import require_living
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.appointments import booster_booked, over_what, slot_facts
from services.use_cases.case import Case, Reader, acting_clinic, sheet_of, taken_in
from services.use_cases.waitlist import taken_off, wish_filled


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """What the front desk books in one go."""
    return {
        day_sheet.BookSeries: Case(day_sheet, partial(_series, reader)),
        day_sheet.BookFromWaitlist: Case(day_sheet, partial(_refilled, reader)),
    }


@dataclass(frozen=True)
class Assessed:
    """One occurrence as it could be booked now: the booking, the facts it is decided by, what is in its way."""

    number: int
    booking: day_sheet.BookAppointment
    facts: day_sheet.Facts
    obstacles: tuple[day_sheet.Obstacle, ...]


def assess(
    load: Load, reader: Reader, here: clinic.State, bookings: Sequence[tuple[int, day_sheet.BookAppointment]]
) -> list[Assessed]:
    """Each booking against opening hours, people, the course and what is held; earlier ones of the list are held too.

    The caller has made sure that the patient is one of the clinic's.
    """
    board = day_sheet.Board.of(_held(reader, [booking for _, booking in bookings]))
    found: list[Assessed] = []
    for number, booking in bookings:
        facts = slot_facts(load, here, booking.starts_at, booking)
        obstacles = day_sheet.obstacles(booking, facts, board)
        found.append(Assessed(number, booking, facts, obstacles))
        if not obstacles:
            state = day_sheet.initial(here.stream_id)
            board = board.taken(day_sheet.decide(state, booking, facts).claims)
    return found


def _held(reader: Reader, bookings: Sequence[day_sheet.BookAppointment]) -> Sequence[Claim]:
    if not bookings:
        return ()
    wanted = {
        resource for one in bookings
        for resource in resources(day_sheet.appointment(day_sheet.booked_event(one, one.starts_at))).values()
    }
    starts = min(one.starts_at for one in bookings).astimezone(UTC)
    ends = max(one.ends_at or one.starts_at for one in bookings).astimezone(UTC) + LONGEST
    return reader.claims_over(wanted, starts, ends)


# --- a series ------------------------------------------------------------------------------------


def bookings_of(command: day_sheet.BookSeries, series_id: UUID | None) -> list[tuple[int, day_sheet.BookAppointment]]:
    """The bookings that a series comes to, by the number of their occurrence."""
    day_sheet.check_numbers(command.occurrences)
    return [
        (one.number, day_sheet.BookAppointment(
            by=command.by, now=command.now, at=command.at, late_reason=command.late_reason,
            appointment_id=day_sheet.occurrence_id(command.booking_id, one.number), patient_id=command.patient_id,
            room_id=one.room_id, visit_kind=command.visit_kind, starts_at=one.starts_at, ends_at=one.ends_at,
            course_id=command.course_id, series_id=series_id, prescriber_id=command.prescriber_id,
            nurse_id=command.nurse_id,
        ))
        for one in sorted(command.occurrences, key=lambda one: one.starts_at)
    ]


def series_in_force(load: Load, visit_kind: str, course_id: UUID | None, named: UUID | None) -> UUID | None:
    """The series that an infusion of a series belongs to, where nobody says another."""
    if named is not None or course_id is None or visit_kind != "series":
        return named
    planned = load(course, course_id).state.series
    return planned.series_id if planned is not None else None


def _series(reader: Reader, stream_id: UUID, command: day_sheet.BookSeries, request: Request, load: Load) -> Plan:
    here = acting_clinic(load, request, command.now)
    if stream_id != here.stream_id:
        raise NotFound(clinic_id=str(stream_id))
    require_living(taken_in(load, command.patient_id, request))
    series_id = series_in_force(load, command.visit_kind, command.course_id, command.series_id)
    assessed = assess(load, reader, here, bookings_of(command, series_id))
    free = [one for one in assessed if not one.obstacles]
    if not free or (len(free) < len(assessed) and not command.only_free):
        raise day_sheet.SeriesNotBookable(conflicts=",".join(
            f"{one.number}:{obstacle.rule}:{obstacle.what}" for one in assessed for obstacle in one.obstacles
        ))
    writes = [
        Write(aggregate=day_sheet, stream_id=sheet_of(here, one.booking.starts_at), command=one.booking,
              facts=one.facts)
        for one in free
    ]
    return Plan(
        writes=(
            *writes, *booster_booked(load, free[0].booking, command.course_id),
            *wish_filled(load, reader, here, [(one.booking, one.facts) for one in free]),
        ),
        subject=command.patient_id,
        clinic_id=here.stream_id, claims_seen=True,
        ids={f"appointment_{one.number}": str(one.booking.appointment_id) for one in free},
        told={
            f"occurrence_{one.number}": ",".join(f"{each.rule}:{each.what}" for each in one.obstacles) or "booked"
            for one in assessed
        },
    )


# --- the waitlist --------------------------------------------------------------------------------


def _refilled(
    reader: Reader, stream_id: UUID, command: day_sheet.BookFromWaitlist, request: Request, load: Load
) -> Plan:
    here = acting_clinic(load, request, command.now)
    waiting = load(day_sheet, stream_id).state.waiting.get(command.entry_id)
    if waiting is None:
        raise NotWaiting(entry_id=str(command.entry_id), pointer="/entry_id")
    if sheet_of(here, waiting.earliest_at) != stream_id:
        raise NotFound(entry_id=str(command.entry_id))
    require_living(taken_in(load, waiting.patient_id, request))
    course_id = command.course_id or open_course_of(reader, waiting.patient_id, waiting.visit_kind, command.at)
    named = {name: getattr(command, name) for name in ("by", "now", "at", "late_reason")}
    booking = day_sheet.BookAppointment(
        **named, appointment_id=command.appointment_id, patient_id=waiting.patient_id, room_id=command.room_id,
        visit_kind=waiting.visit_kind, starts_at=command.starts_at, ends_at=command.ends_at, course_id=course_id,
        series_id=series_in_force(load, waiting.visit_kind, course_id, None), prescriber_id=command.prescriber_id,
        nurse_id=command.nurse_id, overbooking=command.overbooking,
    )
    facts = over_what(reader, booking, slot_facts(load, here, booking.starts_at, booking))
    slot = day_sheet.slot_of(booking, facts)
    if slot.starts_at < waiting.earliest_at or slot.ends_at > waiting.latest_at:
        raise SlotNotWanted(earliest_at=waiting.earliest_at.isoformat(), latest_at=waiting.latest_at.isoformat(),
                            pointer="/starts_at")
    booked = Write(aggregate=day_sheet, stream_id=sheet_of(here, booking.starts_at), command=booking, facts=facts)
    return Plan(
        writes=(
            booked, taken_off(here, waiting, command), *booster_booked(load, booking, course_id),
            *wish_filled(load, reader, here, [(booking, facts)], but=command.entry_id),
        ),
        subject=waiting.patient_id, clinic_id=here.stream_id, ids={"appointment_id": str(command.appointment_id)},
        claims_seen=command.overbooking is not None,
    )


def open_course_of(reader: Reader, patient_id: UUID, visit_kind: str, at: datetime) -> UUID | None:
    """The patient's open course, where the visit kind needs one."""
    if visit_kind not in day_sheet.INFUSION_KINDS:
        return None
    held = reader.claims_over([open_course(patient_id)], at.astimezone(UTC), at.astimezone(UTC) + LONGEST)
    return next((UUID(one.holder.partition(":")[2]) for one in held if one.holder.startswith("course:")), None)


__all__ = ["Assessed", "assess", "bookings_of", "open_course_of", "series_in_force", "use_cases"]
