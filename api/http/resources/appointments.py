"""Appointments: a clinic's local day as one sheet; booking without double-booking, the waiting list.

Times may be given with an offset, or without one in the clinic's wall clock; a wall clock time that a DST change
skips or repeats is refused.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import msgspec
from flask import Response
from marshmallow import RAISE, Schema, fields, validate

from api.http import examples as ex
from api.http.access import opened
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.context import wired
from api.http.reading import answer, read_endpoint
from api.http.scheduling import openings
from api.http.scope import of_sheet, see_clinic, sheet_id
from api.http.second_person import AUTHORISER_PIN, check_authoriser
from domain import day_sheet
from services.scheduling import Asked

blueprint = ResourceBlueprint("appointments", __name__, url_prefix="/v1", description=__doc__)

SHEET = "/appointments/<uuid:clinic_id>/<date:local_date>"
HERE = f"{SHEET}/<uuid:appointment_id>"
SEEN = "/appointments/{clinic_id}/{local_date}"

TIMES = ("starts_at", "ends_at")


def _of_appointment(name: str, command: type, example: dict[str, object], **more: object) -> CommandEndpoint:
    return CommandEndpoint(
        name=name, path=f"{HERE}/{name.replace('_', '-')}", command=command, place=of_sheet, link=SEEN,
        from_path=("appointment_id",), example=example, **more,  # type: ignore[arg-type]
    )


COMMANDS = (
    CommandEndpoint(
        name="book", path=SHEET, command=day_sheet.BookAppointment, place=of_sheet, link=SEEN,
        new_ids=("appointment_id",), local_moments=TIMES, extra=AUTHORISER_PIN, before=check_authoriser,
        example={"patient_id": ex.PATIENT, "room_id": ex.ROOM, "visit_kind": "trial", "starts_at": ex.NINE,
                 "ends_at": ex.ELEVEN, "course_id": ex.COURSE},
    ),
    _of_appointment(
        "move", day_sheet.MoveAppointment,
        {"room_id": ex.ROOM, "starts_at": "2026-03-02T10:00:00", "ends_at": "2026-03-02T12:00:00",
         "asked_by": "patient", "reason_code": "work"},
        local_moments=TIMES, if_match=True, extra=AUTHORISER_PIN, before=check_authoriser,
    ),
    _of_appointment("confirm", day_sheet.ConfirmAppointment, {}),
    _of_appointment(
        "cancel", day_sheet.CancelAppointment, {"asked_by": "patient", "reason_code": "illness"}, if_match=True
    ),
    _of_appointment("no_show", day_sheet.RecordNoShow, {}),
    CommandEndpoint(
        name="join_waitlist", path=f"{SHEET}/waitlist", command=day_sheet.JoinWaitlist, place=of_sheet, link=SEEN,
        new_ids=("entry_id",), local_moments=("earliest_at", "latest_at"),
        example={"patient_id": ex.PATIENT, "visit_kind": "booster", "earliest_at": "2026-03-02T08:00:00",
                 "latest_at": "2026-03-02T16:00:00"},
    ),
    CommandEndpoint(
        name="offer_slot", path=f"{SHEET}/waitlist/<uuid:entry_id>/offer", command=day_sheet.OfferSlot,
        place=of_sheet, link=SEEN, from_path=("entry_id",), local_moments=TIMES,
        example={"room_id": ex.ROOM, "starts_at": ex.NINE, "ends_at": ex.ELEVEN},
    ),
    CommandEndpoint(
        name="leave_waitlist", path=f"{SHEET}/waitlist/<uuid:entry_id>/leave", command=day_sheet.LeaveWaitlist,
        place=of_sheet, link=SEEN, from_path=("entry_id",), if_match=True, example={"reason_code": "declined"},
    ),
)

register_commands(blueprint, COMMANDS)


class AppointmentSchema(Schema):
    """One booking."""

    appointment_id = fields.UUID(required=True)
    patient_id = fields.UUID(required=True)
    room_id = fields.UUID(required=True)
    visit_kind = fields.String(required=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)
    course_id = fields.UUID(required=True, allow_none=True)
    series_id = fields.UUID(required=True, allow_none=True)
    prescriber_id = fields.UUID(required=True, allow_none=True)
    nurse_id = fields.UUID(required=True, allow_none=True)
    status = fields.String(required=True, metadata={"enum": ["booked", "moved", "cancelled", "no_show", "kept"]})
    confirmed = fields.Boolean(required=True)
    infusion_id = fields.UUID(required=True, allow_none=True, metadata={"description": "The visit that kept it."})
    consultation_id = fields.UUID(required=True, allow_none=True, metadata={
        "description": "The consultation that kept it."})
    overbooked_by = fields.UUID(required=True, allow_none=True, metadata={
        "description": "Who authorised that its slot lies over another booking."})
    overbooked_because = fields.String(required=True, allow_none=True)


class WaitingSchema(Schema):
    """A patient who would take a slot."""

    entry_id = fields.UUID(required=True)
    patient_id = fields.UUID(required=True)
    visit_kind = fields.String(required=True)
    earliest_at = fields.AwareDateTime(required=True)
    latest_at = fields.AwareDateTime(required=True)
    offers = fields.Integer(required=True)


class SheetSchema(Schema):
    """A clinic's local day."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True, metadata={"description": "0: nothing has been written to this day yet."})
    clinic_id = fields.UUID(required=True)
    local_date = fields.Date(required=True)
    appointments = fields.List(fields.Nested(AppointmentSchema), required=True)
    waiting = fields.List(fields.Nested(WaitingSchema), required=True)


class SlotQuerySchema(Schema):
    """What slots are looked for."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    minutes = fields.Integer(
        validate=validate.Range(5, 720), metadata={"description": "Length; the protocol's whole visit if absent."}
    )


class SlotSchema(Schema):
    """A free slot."""

    room_id = fields.UUID(required=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)


class SlotsSchema(Schema):
    """Free slots of a day, on the quarter hour, by room."""

    minutes = fields.Integer(required=True)
    slots = fields.List(fields.Nested(SlotSchema), required=True)


_SHEET = {
    "id": "1d2c3b4a-5f6e-5d7c-8b9a-0a1b2c3d4e5f", "version": 3, "clinic_id": ex.CLINIC, "local_date": ex.DAY,
    "appointments": [{
        "appointment_id": ex.APPOINTMENT, "patient_id": ex.PATIENT, "room_id": ex.ROOM, "visit_kind": "trial",
        "starts_at": ex.NINE, "ends_at": ex.ELEVEN, "course_id": ex.COURSE, "series_id": None, "prescriber_id": None,
        "nurse_id": None, "status": "booked", "confirmed": True, "infusion_id": None, "consultation_id": None,
        "overbooked_by": None, "overbooked_because": None,
    }],
    "waiting": [],
}
_SLOTS = {"minutes": 120, "slots": [{"room_id": ex.ROOM, "starts_at": ex.NINE, "ends_at": ex.ELEVEN}]}


@read_endpoint(blueprint, SHEET, "show", SheetSchema, _SHEET, etag=True)
def show(clinic_id: UUID, local_date: date) -> Response:
    """Read a clinic's day sheet."""
    see_clinic(clinic_id)
    stream_id = sheet_id(clinic_id, local_date)
    loaded = wired().services.handling.current(day_sheet, stream_id)
    state: day_sheet.State = loaded.state
    opened("day_sheet", clinic_id=clinic_id, count=len(state.appointments))
    body = {
        "id": str(stream_id), "version": loaded.version, "clinic_id": str(clinic_id),
        "local_date": local_date.isoformat(),
        "appointments": _in_order(state.appointments.values(), "starts_at"),
        "waiting": _in_order(state.waiting.values(), "earliest_at"),
    }
    return answer(body, loaded.version)


def _in_order(items: Any, by: str) -> list[Any]:
    return [msgspec.to_builtins(item) for item in sorted(items, key=lambda one: getattr(one, by))]


@read_endpoint(blueprint, f"{SHEET}/free-slots", "free_slots", SlotsSchema, _SLOTS, query=SlotQuerySchema)
def show_free_slots(query: dict[str, Any], clinic_id: UUID, local_date: date) -> Response:
    """Find free slots of a day.

    A slot that is free now may be taken when it is booked; the booking decides.
    """
    see_clinic(clinic_id)
    found, asked = openings(clinic_id), Asked(first=local_date, last=local_date, minutes=query.get("minutes"))
    return answer({"minutes": found.length(asked), "slots": msgspec.to_builtins(found.free(asked))})
