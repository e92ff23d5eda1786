"""One clinic's bookings of one local day: booking without double-booking."""

from domain.day_sheet.board import Board, back_to_back, free_spans, quarters
from domain.day_sheet.booking import (
    MAY_BE_KEPT,
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
    appointment,
    booked_event,
    moved_end,
    slot_of,
)
from domain.day_sheet.series import (
    MOST_OCCURRENCES,
    BookFromWaitlist,
    BookSeries,
    NothingToBook,
    Obstacle,
    Occurrence,
    Opening,
    SeriesNotBookable,
    check_numbers,
    nearest,
    obstacles,
    occurrence_id,
    spread_days,
)
from domain.day_sheet.sheet import decide, evolve, initial
from domain.day_sheet.slots import Overbooking, default_minutes
from domain.day_sheet.state import (
    Appointment,
    AppointmentNotFound,
    AppointmentNotLive,
    Closure,
    CourseFact,
    Facts,
    State,
    local_date,
)
from domain.day_sheet.waitlist import JoinWaitlist, LeaveWaitlist, OfferSlot, SlotOffered, WaitlistJoined, WaitlistLeft
from domain.vocabulary.reasons import INFUSION_KINDS

__all__ = [
    "INFUSION_KINDS", "MOST_OCCURRENCES", "MAY_BE_KEPT", "appointment", "booked_event", "slot_of",
    "Board", "BookFromWaitlist", "BookSeries", "NothingToBook", "Obstacle", "Occurrence", "Opening",
    "SeriesNotBookable", "back_to_back", "check_numbers", "free_spans", "nearest", "obstacles", "occurrence_id",
    "quarters", "spread_days",
    "Appointment", "AppointmentBooked", "AppointmentCancelled", "AppointmentConfirmed", "AppointmentKept",
    "AppointmentMoved", "AppointmentNotFound", "AppointmentNotLive", "BookAppointment", "CancelAppointment", "Closure",
    "ConfirmAppointment", "CourseFact", "Facts", "JoinWaitlist", "KeepAppointment", "LeaveWaitlist",
    "MoveAppointment", "NoShowRecorded", "OfferSlot", "Overbooking", "OverbookingAuthorised", "RecordNoShow",
    "SlotOffered", "State", "WaitlistJoined", "WaitlistLeft", "decide", "default_minutes", "evolve", "initial",
    "local_date", "moved_end",
]
