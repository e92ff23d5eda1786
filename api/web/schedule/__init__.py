"""The schedule's pages: day and week of a clinic's rooms, booking, series, waitlist, closures and hours, on call."""

from api.web.schedule import (
    appointment_pages,
    booking_pages,
    find_pages,
    on_call_pages,
    premises_pages,
    series_pages,
    views,
    visits_pages,
    waitlist_pages,
)
from api.web.schedule.place import blueprint

__all__ = [
    "appointment_pages", "blueprint", "booking_pages", "find_pages", "on_call_pages", "premises_pages", "series_pages",
    "views", "visits_pages", "waitlist_pages",
]
