"""The shapes of scheduling's questions and answers."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields, validate
from webargs.fields import DelimitedList

from api.http.fields import LocalDate, LocalOrAwareMoment, LocalTime, StrictId, Text
from api.http.resources.appointments import AppointmentSchema
from domain import day_sheet

__all__ = [
    "DaysSchema", "FreeSlotsQuerySchema", "FreeSlotsSchema", "ScheduleSchema", "SeriesPlanSchema", "SeriesQuerySchema",
    "StrandedListSchema", "WaitlistQuerySchema", "WaitlistSchema",
]


class _Strict(Schema):
    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE


class DaysSchema(_Strict):
    """Local days."""

    first = LocalDate(data_key="from", metadata={"description": "First local day; today if absent."})
    last = LocalDate(data_key="to", metadata={"description": "Last local day, included; six days later if absent."})


class FreeSlotsQuerySchema(DaysSchema):
    """What is looked for."""

    visit_kind = Text(longest=40, metadata={"description": "trial if absent; its default length is the slot's."})
    minutes = fields.Integer(validate=validate.Range(5, 720), metadata={"description": "Another length."})
    room_id = StrictId()
    nurse_id = StrictId(metadata={"description": "Must have a place by the protocol's ratio, and a credential."})
    prescriber_id = StrictId(metadata={"description": "Exclusive for consultations."})
    patient_id = StrictId(metadata={"description": "Is in one place at a time."})
    moving = StrictId(metadata={"description": "An appointment to be moved: what it holds is free to it."})


class OpeningSchema(Schema):
    """A free slot."""

    room_id = fields.UUID(required=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)


class FreeSlotsSchema(Schema):
    """Free slots on the quarter hour, by time and room."""

    minutes = fields.Integer(required=True)
    slots = fields.List(fields.Nested(OpeningSchema), required=True)
    third_next_available = fields.Nested(
        OpeningSchema, required=True, allow_none=True,
        metadata={"description": "Of slots of the visit kind's default length cut back to back, the third from now."},
    )


class SeriesQuerySchema(_Strict):
    """What is wished for."""

    patient_id = StrictId(required=True)
    course_id = StrictId()
    visit_kind = Text(longest=40, metadata={"description": "series if absent."})
    starts_at = DelimitedList(
        LocalOrAwareMoment(), validate=validate.Length(max=day_sheet.MOST_OCCURRENCES),
        metadata={"description": "Wished times; if absent, `infusions` days spread over the window at `clock`."},
    )
    infusions = fields.Integer(validate=validate.Range(1, day_sheet.MOST_OCCURRENCES))
    clock = LocalTime(metadata={"description": "Time of day of spread occurrences; 09:00 if absent."})
    room_id = StrictId(metadata={"description": "Any free room if absent."})
    nurse_id = StrictId()
    prescriber_id = StrictId()


class ObstacleSchema(Schema):
    """What stands in the way: `rule` would refuse it; `what` is room, patient, nurse, prescriber or a field."""

    rule = fields.String(required=True)
    what = fields.String(required=True)
    message = fields.String(required=True)
    until = fields.AwareDateTime(required=True, allow_none=True)


class PlannedOccurrenceSchema(OpeningSchema):
    """One occurrence: free, or what it meets and free times near it, best first."""

    number = fields.Integer(required=True)
    obstacles = fields.List(fields.Nested(ObstacleSchema), required=True)
    inside_window = fields.Boolean(required=True)
    alternatives = fields.List(fields.Nested(OpeningSchema), required=True)


class SeriesPlanSchema(Schema):
    """A series before it is booked."""

    window_starts = fields.Date(required=True)
    window_ends = fields.Date(required=True)
    bookable = fields.Boolean(required=True)
    occurrences = fields.List(fields.Nested(PlannedOccurrenceSchema), required=True)


class ScheduledDaySchema(Schema):
    """The bookings that begin on a local day."""

    local_date = fields.Date(required=True)
    version = fields.Integer(required=True)
    open_minutes = fields.Integer(required=True, metadata={"description": "Of the clinic, closures taken off."})
    free_minutes = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True, metadata={"description": "By room, from now on."}
    )
    appointments = fields.List(fields.Nested(AppointmentSchema), required=True)


class ScheduleSchema(Schema):
    """Rooms and days."""

    timezone = fields.String(required=True)
    days = fields.List(fields.Nested(ScheduledDaySchema), required=True)


class StrandedSchema(Schema):
    """A booking that cannot stay. why: closure, outside_hours, room_retired."""

    local_date = fields.Date(required=True)
    why = fields.String(required=True)
    closure_id = fields.UUID(required=True, allow_none=True)
    appointment = fields.Nested(AppointmentSchema, required=True)


class StrandedListSchema(Schema):
    """Bookings to make again."""

    bookings = fields.List(fields.Nested(StrandedSchema), required=True)


class WaitlistQuerySchema(_Strict):
    """How fresh."""

    min_position = fields.Integer(
        validate=validate.Range(0, 2**62),
        metadata={"description": "Read your writes: wait briefly until the read side is there, else 503."},
    )


class WaitingEntrySchema(Schema):
    """Somebody who would take a time."""

    entry_id = fields.UUID(required=True)
    patient_id = fields.UUID(required=True)
    visit_kind = fields.String(required=True)
    earliest_at = fields.AwareDateTime(required=True)
    latest_at = fields.AwareDateTime(required=True)
    joined_at = fields.AwareDateTime(required=True)
    local_date = fields.Date(required=True, metadata={"description": "The day sheet that holds the entry."})
    minutes = fields.Integer(required=True, allow_none=True)
    offers = fields.Integer(required=True)


class CandidateSchema(Schema):
    """Whom the freed time would suit, and when they would begin."""

    entry_id = fields.UUID(required=True)
    local_date = fields.Date(required=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)


class FreedSchema(Schema):
    """A time that was given up and is free still."""

    room_id = fields.UUID(required=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)
    free_from = fields.AwareDateTime(required=True)
    free_until = fields.AwareDateTime(required=True)
    how = fields.String(required=True, metadata={"enum": ["cancelled", "moved", "no_show"]})
    freed_at = fields.AwareDateTime(required=True)
    candidates = fields.List(fields.Nested(CandidateSchema), required=True)


class WaitlistSchema(Schema):
    """Who waits, in order of joining; freed times in order of time, each with whom it would suit."""

    waiting = fields.List(fields.Nested(WaitingEntrySchema), required=True)
    freed = fields.List(fields.Nested(FreedSchema), required=True)
