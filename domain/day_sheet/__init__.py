"""One clinic's bookings of one local day: booking without double-booking."""

from domain.day_sheet.booking import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentKept,
    AppointmentMoved,
    BookAppointment,
    CancelAppointment,
    ConfirmAppointment,
    KeepAppointment,
    MoveAppointment,
    NoShowRecorded,
    OverbookingAuthorised,
    RecordNoShow,
    moved_end,
)
from domain.day_sheet.sheet import decide, evolve, initial
from domain.day_sheet.slots import Overbooking, default_minutes
from domain.day_sheet.state import Appointment, AppointmentNotFound, Closure, CourseFact, Facts, State, local_date
from domain.day_sheet.waitlist import JoinWaitlist, LeaveWaitlist, OfferSlot, SlotOffered, WaitlistJoined, WaitlistLeft

__all__ = [
    "Appointment", "AppointmentBooked", "AppointmentCancelled", "AppointmentConfirmed", "AppointmentKept",
    "AppointmentMoved", "AppointmentNotFound", "BookAppointment", "CancelAppointment", "Closure",
    "ConfirmAppointment", "CourseFact", "Facts", "JoinWaitlist", "KeepAppointment", "LeaveWaitlist",
    "MoveAppointment", "NoShowRecorded", "OfferSlot", "Overbooking", "OverbookingAuthorised", "RecordNoShow",
    "SlotOffered", "State", "WaitlistJoined", "WaitlistLeft", "decide", "default_minutes", "evolve", "initial",
    "local_date", "moved_end",
]
