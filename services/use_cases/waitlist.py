"""The waitlist: joining it once per wish, offers, leaving it; and the booking that fills a wish.

The stream is the day sheet of the entry's first local day; for joining, the clinic's own id may be given instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from domain import clinic, day_sheet
from domain.day_sheet.state import Waiting
from domain.day_sheet.waitlist import wish
from domain.kernel import Claim, Command
from domain.patient.state import require_living
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.case import Case, Reader, acting_clinic, local_day, sheet_of, taken_in, this_sheet


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """What is done with an entry; booking it is a series' neighbour (`series`)."""
    return {
        day_sheet.JoinWaitlist: Case(day_sheet, partial(_joined, reader)),
        day_sheet.OfferSlot: Case(day_sheet, _waiting),
        day_sheet.LeaveWaitlist: Case(day_sheet, _waiting),
    }


def _joined(
    reader: Reader, stream_id: UUID, command: day_sheet.JoinWaitlist, request: Request, load: Load
) -> Plan:
    here = acting_clinic(load, request, command.now)
    require_living(taken_in(load, command.patient_id, request))
    sheet = this_sheet(stream_id, here, command.earliest_at, "/earliest_at")
    held = reader.claims_over(
        [wish(here.stream_id, command.patient_id, command.visit_kind)], command.earliest_at, command.latest_at,
    )
    facts = day_sheet.Facts(
        local_date=local_day(here, command.earliest_at), timezone=here.timezone, clinic_id=here.stream_id,
        waiting=tuple(_entry(one, command.patient_id, command.visit_kind) for one in held),
    )
    write = Write(aggregate=day_sheet, stream_id=sheet, command=command, facts=facts)
    return Plan(writes=(write,), subject=command.patient_id, clinic_id=here.stream_id, claims_seen=True)


def _entry(claim: Claim, patient_id: UUID, visit_kind: str) -> Waiting:
    assert claim.ends is not None
    return Waiting(
        entry_id=_id_of(claim), patient_id=patient_id, visit_kind=visit_kind, earliest_at=claim.starts,
        latest_at=claim.ends,
    )


def _id_of(claim: Claim) -> UUID:
    return UUID(claim.holder.partition(":")[2])


def _waiting(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    here = acting_clinic(load, request, command.now)
    one = load(day_sheet, stream_id).state.waiting.get(command.entry_id)
    if one is None or sheet_of(here, one.earliest_at) != stream_id:
        raise NotFound(entry_id=str(command.entry_id))
    facts = day_sheet.Facts(
        local_date=local_day(here, one.earliest_at), timezone=here.timezone, clinic_id=here.stream_id,
        rooms=frozenset(room.room_id for room in here.rooms if room.retired_at is None),
    )
    write = Write(aggregate=day_sheet, stream_id=stream_id, command=command, facts=facts)
    return Plan(writes=(write,), subject=one.patient_id, clinic_id=here.stream_id)


def wish_filled(
    load: Load, reader: Reader, here: clinic.State,
    bookings: Sequence[tuple[day_sheet.BookAppointment, day_sheet.Facts]], but: UUID | None = None,
) -> list[Write]:
    """Who waited for what is booked, within the time they wished, waits no more: off the list in the same commit.

    `but` is the entry that is taken off anyway.
    """
    slots = [day_sheet.slot_of(booking, facts) for booking, facts in bookings]
    wished = {wish(here.stream_id, one.patient_id, one.visit_kind) for one in slots}
    starts, ends = min(one.starts_at for one in slots), max(one.ends_at for one in slots)
    return [
        taken_off(here, claim, bookings[0][0]) for claim in reader.claims_over(wished, starts, ends)
        if _id_of(claim) != but
        and any(claim.starts <= one.starts_at and claim.ends is not None and one.ends_at <= claim.ends for one in slots)
        and _id_of(claim) in load(day_sheet, sheet_of(here, claim.starts)).state.waiting
    ]


def taken_off(here: clinic.State, entry: Claim | Waiting, command: Command) -> Write:
    """The entry's leaving because it was booked."""
    starts = entry.starts if isinstance(entry, Claim) else entry.earliest_at
    return Write(
        aggregate=day_sheet, stream_id=sheet_of(here, starts),
        command=day_sheet.LeaveWaitlist(
            by=command.by, now=command.now, at=command.at, late_reason=command.late_reason,
            entry_id=_id_of(entry) if isinstance(entry, Claim) else entry.entry_id, reason_code="booked",
        ),
        facts=day_sheet.Facts(
            local_date=local_day(here, starts), timezone=here.timezone, clinic_id=here.stream_id),
    )
