"""Questions that people ask before they book: what is free, what would come near, what has to be booked again.

Pages and the API share them. They answer from the clinic's state and the log's claims, so from what a booking made
now would be decided by; they promise nothing, the booking decides.
"""

from services.scheduling.days import ScheduledDay, next_booking, over_midnight, scheduled_days, unclosed_bookings
from services.scheduling.openings import Asked, Openings, TooManyDays
from services.scheduling.reading import Reading
from services.scheduling.rebooking import Stranded, stranded_bookings
from services.scheduling.series_plan import (
    LeftOfSeries,
    PlannedOccurrence,
    SeriesPlan,
    Wishes,
    left_of_series,
    plan_series,
)

__all__ = [
    "Asked", "LeftOfSeries", "Openings", "PlannedOccurrence", "Reading", "ScheduledDay", "SeriesPlan", "Stranded",
    "TooManyDays", "Wishes", "left_of_series", "next_booking", "over_midnight", "plan_series", "scheduled_days",
    "stranded_bookings", "unclosed_bookings",
]
