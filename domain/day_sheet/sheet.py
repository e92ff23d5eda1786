"""The day sheet as a whole: its fold, and which rule decides which command.

Bookings are decided one after another on what the sheet says at that moment, so they fold in the order in
which they were made (by version), not by `occurred_at`: a booking taken by telephone and entered later
never undoes a decision that was made in between.
"""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from domain.day_sheet import booking, waitlist
from domain.day_sheet.state import Facts, State, Waiting
from domain.kernel import Command, Decision, Event


def initial(stream_id: UUID) -> State:
    """An empty day."""
    return State(stream_id=stream_id)


def evolve(state: State, version: int, event: Event) -> State:
    """`state` after `event`; events that are none of a day sheet's change nothing."""
    return replace(_booked(_waitlisted(state, event), event), version=version)


def _booked(state: State, event: Event) -> State:
    match event:
        case booking.AppointmentBooked():
            one = booking.appointment(event)
            return replace(state, appointments={**state.appointments, one.appointment_id: one})
        case booking.AppointmentMoved(to_date=None):
            return _change(
                state, event.appointment_id, room_id=event.room_id, starts_at=event.starts_at, ends_at=event.ends_at,
                overbooked_by=None, overbooked_because=None,
            )
        case booking.AppointmentMoved():
            return _change(state, event.appointment_id, status="moved")
        case booking.OverbookingAuthorised():
            return _change(
                state, event.appointment_id, overbooked_by=event.authorised_by, overbooked_because=event.reason_code,
            )
        case booking.AppointmentConfirmed():
            return _change(state, event.appointment_id, confirmed=True)
        case booking.AppointmentCancelled():
            return _change(state, event.appointment_id, status="cancelled")
        case booking.NoShowRecorded():
            return _change(state, event.appointment_id, status="no_show")
        case booking.AppointmentKept():
            return _change(
                state, event.appointment_id, status="kept", infusion_id=event.infusion_id,
                consultation_id=event.consultation_id,
            )
    return state


def _change(state: State, appointment_id: UUID, **changes: object) -> State:
    one = state.appointments.get(appointment_id)
    if one is None:
        return state
    return replace(state, appointments={**state.appointments, appointment_id: replace(one, **changes)})


def _waitlisted(state: State, event: Event) -> State:
    match event:
        case waitlist.WaitlistJoined():
            one = Waiting(
                entry_id=event.entry_id, patient_id=event.patient_id, visit_kind=event.visit_kind,
                earliest_at=event.earliest_at, latest_at=event.latest_at,
            )
            return replace(state, waiting={**state.waiting, event.entry_id: one})
        case waitlist.SlotOffered() if event.entry_id in state.waiting:
            waiting = state.waiting[event.entry_id]
            waiting = replace(waiting, offers=waiting.offers + 1)
            return replace(state, waiting={**state.waiting, event.entry_id: waiting})
        case waitlist.WaitlistLeft():
            left = {key: one for key, one in state.waiting.items() if key != event.entry_id}
            return replace(state, waiting=left)
    return state


def decide(state: State, command: Command, facts: Facts) -> Decision:
    """What `command` comes to. Raises the named errors of the rule it belongs to."""
    match command:
        case booking.BookAppointment():
            return booking.decide_booking(state, command, facts)
        case booking.MoveAppointment():
            return booking.decide_move(state, command, facts)
        case booking.ConfirmAppointment():
            return booking.decide_confirmation(state, command)
        case booking.CancelAppointment():
            return booking.decide_cancellation(state, command)
        case booking.RecordNoShow():
            return booking.decide_no_show(state, command)
        case booking.KeepAppointment():
            return booking.decide_kept(state, command)
        case waitlist.JoinWaitlist():
            return waitlist.decide_join(state, command, facts)
        case waitlist.OfferSlot():
            return waitlist.decide_offer(state, command, facts)
        case waitlist.LeaveWaitlist():
            return waitlist.decide_leave(state, command, facts)
    raise TypeError(f"a day sheet has no rule for {type(command).__name__}")
